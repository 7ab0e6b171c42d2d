/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of what is held, and reads that are nested in others. */
#include <errno.h>
#include <sched.h>

#include "support/actor.h"
#include "support/suite.h"

static struct rangelock lock;
static struct rangelock_req holder, other, tail;

static void setup(void)
{
	lock = (struct rangelock)RANGELOCK_INITIALIZER;
	holder = other = tail = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
}

static void teardown(void)
{
	ck_assert_int_eq(population(&lock), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}

static void drop(struct rangelock_req *req)
{
	ck_assert_int_eq(rangelock_unlock(&lock, req), 0);
}

/* It is held now; on the list it is woken, and has to come. */
static bool comes_in(struct actor *a)
{
	while (ON_LIST && !is_held(&lock, &a->req))
		sched_yield(); /* no longer than the test may take */
	return is_held(&lock, &a->req);
}

START_TEST(downgrade_lets_those_in_who_only_read)
{
	struct actor reader, writer, late;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&reader, &lock, RANGELOCK_READ, 5, 15);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 0, 2);
	actor_queue(&late, &lock, RANGELOCK_READ, 1, 3); /* behind the writer */
	ck_assert_int_eq(rangelock_downgrade(&lock, &holder), 0);
	ck_assert(comes_in(&reader) && is_waiting(&lock, &writer.req));
	ck_assert_int_eq(look_at(&lock, &late.req).blockers, 1);
	ck_assert(!rangelock_is_locked(&lock, 0, 10, RANGELOCK_WRITE));
	ck_assert(rangelock_is_locked(&lock, 0, 15, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_downgrade(&lock, &holder), 0); /* nothing to do */
	drop(&holder);
	actor_finish(&reader);
	actor_finish(&writer);
	actor_finish(&late);
}
END_TEST

START_TEST(who_holds_nothing_changes_nothing)
{
	struct rangelock elsewhere = RANGELOCK_INITIALIZER;
	struct actor waiter;
	struct rangelock_req *const holds_nothing[] = { &other, &waiter.req, &tail };

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_wrlock(&elsewhere, &tail, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_READ, 0, 10);
	for (int i = 0; i < 3; i++) {
		struct rangelock_req *req = holds_nothing[i], free = RANGELOCK_REQ_INITIALIZER;

		ck_assert_int_eq(rangelock_downgrade(&lock, req), EPERM);
		ck_assert_int_eq(rangelock_tryupgrade(&lock, req), EPERM);
		ck_assert_int_eq(rangelock_upgrade(&lock, req), EPERM);
		ck_assert_int_eq(rangelock_reduce(&lock, req, 0, 5), EPERM);
		ck_assert_int_eq(rangelock_split(&lock, req, 5, &free), EPERM);
		ck_assert_int_eq(rangelock_tryextend(&lock, req, 0, 50), EPERM);
		ck_assert_int_eq(rangelock_rdlock_nested(&lock, &free, 0, 1, req), EPERM);
	}
	ck_assert_int_eq(population(&lock), 2);
	drop(&holder);
	actor_finish(&waiter);
	ck_assert_int_eq(rangelock_unlock(&elsewhere, &tail), 0);
}
END_TEST

static int upgrade(struct actor *a)
{
	return rangelock_upgrade(a->lock, a->arg);
}

START_TEST(tryupgrade_needs_the_range_for_itself)
{
	struct actor writer;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 9, 12), 0);
	ck_assert_int_eq(rangelock_tryupgrade(&lock, &holder), EBUSY);
	drop(&other);
	ck_assert_int_eq(rangelock_tryupgrade(&lock, &holder), 0);
	ck_assert_int_eq(rangelock_tryupgrade(&lock, &holder), 0); /* it is one */
	ck_assert(rangelock_is_locked(&lock, 0, 10, RANGELOCK_WRITE));
	drop(&holder);

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 5, 6);
	/* The queue counts; on the list it may be passed. */
	ck_assert_int_eq(rangelock_tryupgrade(&lock, &holder), ON_LIST ? 0 : EBUSY);
	drop(&holder);
	actor_finish(&writer);
}
END_TEST

START_TEST(upgrade_goes_before_those_who_wait)
{
	struct actor upgrader = { .arg = &holder }, writer, reader;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 5, 15), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 0, 20);
	actor_call(&upgrader, &lock, upgrade, &holder);
	ck_assert(rangelock_is_locked(&lock, 0, 10, RANGELOCK_READ)); /* still */
	ck_assert(!rangelock_is_locked(&lock, 0, 10, RANGELOCK_WRITE));
	actor_queue(&reader, &lock, RANGELOCK_READ, 0, 1); /* it would starve the upgrade */
	ck_assert_int_eq(look_at(&lock, &reader.req).blockers, 2);
	drop(&other);
	ck_assert_int_eq(actor_join(&upgrader), 0);
	ck_assert(rangelock_is_locked(&lock, 0, 10, RANGELOCK_WRITE));
	ck_assert(is_waiting(&lock, &writer.req));
	drop(&holder);
	actor_finish(&writer);
	actor_finish(&reader);
}
END_TEST

START_TEST(an_upgrade_holds_readers_back_who_waited_before)
{
	struct actor upgrader = { .arg = &holder }, writer, reader;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 0, 10), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 8, 20);
	if (!ON_LIST) /* where it may pass the writer, but not the upgrade */
		actor_queue(&reader, &lock, RANGELOCK_READ, 5, 9);
	actor_call(&upgrader, &lock, upgrade, &holder);
	if (ON_LIST)
		actor_queue(&reader, &lock, RANGELOCK_READ, 5, 9);
	ck_assert_int_eq(look_at(&lock, &reader.req).blockers, 2);
	ck_assert_int_eq(rangelock_cancel(&lock, &writer.req), 0);
	ck_assert_int_eq(actor_join(&writer), ECANCELED);
	ck_assert(is_waiting(&lock, &reader.req));
	/* The upgrade gives up: it is a read again, and the reader comes in. */
	ck_assert_int_eq(rangelock_cancel(&lock, &holder), 0);
	ck_assert_int_eq(actor_join(&upgrader), ECANCELED);
	ck_assert(comes_in(&reader) && is_held(&lock, &holder));
	ck_assert(rangelock_is_locked(&lock, 0, 10, RANGELOCK_READ));
	drop(&holder);
	drop(&other);
	actor_finish(&reader);
}
END_TEST

START_TEST(of_two_upgrades_that_overlap_the_second_is_told)
{
	struct actor upgrader = { .arg = &holder };

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 9, 20), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &tail, 30, 40), 0);
	actor_call(&upgrader, &lock, upgrade, &holder);
	ck_assert_int_eq(rangelock_upgrade(&lock, &other), EDEADLK);
	ck_assert(is_held(&lock, &other));
	ck_assert_int_eq(rangelock_upgrade(&lock, &tail), 0); /* elsewhere */
	drop(&other);
	ck_assert_int_eq(actor_join(&upgrader), 0);
	drop(&holder);
	drop(&tail);
}
END_TEST

START_TEST(reduce_keeps_one_part)
{
	struct actor below, above, across;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 100), 0);
	ck_assert_int_eq(rangelock_reduce(&lock, &holder, 0, 101), EINVAL);
	actor_queue(&below, &lock, RANGELOCK_WRITE, 0, 10);
	actor_queue(&above, &lock, RANGELOCK_READ, 90, 110);
	actor_queue(&across, &lock, RANGELOCK_READ, 39, 41);
	ck_assert_int_eq(rangelock_reduce(&lock, &holder, 10, 40), 0);
	ck_assert(comes_in(&below) && comes_in(&above));
	ck_assert(is_waiting(&lock, &across.req));
	ck_assert_int_eq(rangelock_reduce(&lock, &holder, 9, 40), EINVAL); /* not any more */
	ck_assert_int_eq(rangelock_reduce(&lock, &holder, 10, 39), 0);
	ck_assert(comes_in(&across));
	drop(&holder);
	actor_finish(&below);
	actor_finish(&above);
	actor_finish(&across);
}
END_TEST

START_TEST(split_makes_two_of_one)
{
	struct actor waiter;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 100), 0);
	ck_assert_int_eq(rangelock_split(&lock, &holder, 0, &tail), EINVAL);
	ck_assert_int_eq(rangelock_split(&lock, &holder, 100, &tail), EINVAL);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 40, 60);
	ck_assert_int_eq(rangelock_split(&lock, &holder, 50, &tail), 0);
	ck_assert_int_eq(look_at(&lock, &waiter.req).blockers, 2);
	ck_assert_int_eq(rangelock_split(&lock, &holder, 10, &tail), EINVAL); /* in use */
	ck_assert(rangelock_is_locked(&lock, 0, 100, RANGELOCK_WRITE));
	drop(&holder);
	ck_assert(is_waiting(&lock, &waiter.req));
	ck_assert(!rangelock_is_locked(&lock, 49, 50, RANGELOCK_READ));
	drop(&tail);
	actor_finish(&waiter);
}
END_TEST

START_TEST(extend_grows_where_nobody_is)
{
	struct actor within, beyond;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 10, 20), 0);
	ck_assert_int_eq(rangelock_tryextend(&lock, &holder, 11, 30), EINVAL);
	ck_assert_int_eq(rangelock_wrlock(&lock, &other, 25, 30), 0);
	actor_queue(&within, &lock, RANGELOCK_WRITE, 12, 15); /* waits for what is held anyway */
	ck_assert_int_eq(rangelock_tryextend(&lock, &holder, 10, 26), EBUSY);
	ck_assert(!rangelock_is_locked(&lock, 20, 21, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_tryextend(&lock, &holder, 5, 25), 0);
	ck_assert(rangelock_is_locked(&lock, 5, 30, RANGELOCK_WRITE));
	actor_queue(&beyond, &lock, RANGELOCK_READ, 3, 6);
	/* One who waits; on the list it may be passed. */
	ck_assert_int_eq(rangelock_tryextend(&lock, &holder, 0, 25), ON_LIST ? 0 : EBUSY);
	drop(&holder);
	drop(&other);
	actor_finish(&within);
	actor_finish(&beyond);
}
END_TEST

static int nest(struct actor *a)
{
	int error = rangelock_rdlock_nested(a->lock, &a->req, a->start, a->end, &holder);

	/* It holds when it returns, and not before. */
	must(error || is_held(a->lock, &a->req));
	return error;
}

/* T1 reads [0, 1000), T2 queues a write of [500, 1500), T1 reads [1000, 1500). */
START_TEST(a_nested_read_passes_a_writer_that_waits)
{
	struct actor writer;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 1000), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 500, 1500);
	ck_assert_int_eq(rangelock_rdlock_nested(&lock, &other, 1000, 1500, &holder), 0);
	ck_assert_int_eq(look_at(&lock, &writer.req).blockers, 2);
	drop(&holder);
	ck_assert(is_waiting(&lock, &writer.req));
	drop(&other);
	actor_finish(&writer);
}
END_TEST

/* It is held in spite of having come later; so is it turned into a write. */
START_TEST(an_upgrade_of_a_nested_read_goes_before_who_came_earlier)
{
	struct actor writer;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 5, 20);
	ck_assert_int_eq(rangelock_rdlock_nested(&lock, &other, 10, 15, &holder), 0);
	ck_assert_int_eq(rangelock_upgrade(&lock, &other), 0);
	ck_assert(rangelock_is_locked(&lock, 10, 15, RANGELOCK_WRITE));
	ck_assert_int_eq(look_at(&lock, &writer.req).blockers, 2);
	drop(&other);
	drop(&holder);
	actor_finish(&writer);
}
END_TEST

/* The upgrade, another thread's, holds the outer read until it is granted. */
START_TEST(a_nested_read_passes_the_upgrade_of_the_outer_one)
{
	struct actor upgrader = { .arg = &holder }, nested = { .req = RANGELOCK_REQ_INITIALIZER };
	struct rangelock elsewhere = RANGELOCK_INITIALIZER;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 5, 10), 0);
	actor_call(&upgrader, &lock, upgrade, &holder);
	ck_assert_int_eq(rangelock_rdlock_nested(&elsewhere, &nested.req, 0, 5, &holder), EPERM);
	ck_assert_int_eq(rangelock_rdlock_nested(&lock, &nested.req, 0, 5, &holder), 0);
	ck_assert_int_eq(look_at(&lock, &holder).blockers, 2);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &nested.req, 0, 5), EINVAL);
	drop(&nested.req);
	ck_assert_int_eq(look_at(&lock, &holder).blockers, 1);
	drop(&other);
	ck_assert_int_eq(actor_join(&upgrader), 0);
	ck_assert(rangelock_is_locked(&lock, 0, 10, RANGELOCK_WRITE));
	drop(&holder);
}
END_TEST

START_TEST(a_nested_read_waits_for_a_writer_that_holds)
{
	struct actor nested = { .start = 0, .end = 20, .req = RANGELOCK_REQ_INITIALIZER }, writer;

	for (int i = 0; i < 2; i++) { /* the same request again, after an answer */
		ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
		ck_assert_int_eq(rangelock_wrlock(&lock, &other, 10, 20), 0);
		actor_queue(&writer, &lock, RANGELOCK_WRITE, 0, 20);
		actor_call(&nested, &lock, nest, &nested.req);
		ck_assert_int_eq(look_at(&lock, &nested.req).blockers, 1);
		ck_assert_int_eq(look_at(&lock, &writer.req).blockers, 3);
		drop(&other);
		actor_finish(&nested);
		drop(&holder);
		actor_finish(&writer);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("change");
	TCase *tc = tcase_create("change");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, downgrade_lets_those_in_who_only_read);
	tcase_add_test(tc, who_holds_nothing_changes_nothing);
	tcase_add_test(tc, tryupgrade_needs_the_range_for_itself);
	tcase_add_test(tc, upgrade_goes_before_those_who_wait);
	tcase_add_test(tc, an_upgrade_holds_readers_back_who_waited_before);
	tcase_add_test(tc, of_two_upgrades_that_overlap_the_second_is_told);
	tcase_add_test(tc, reduce_keeps_one_part);
	tcase_add_test(tc, split_makes_two_of_one);
	tcase_add_test(tc, extend_grows_where_nobody_is);
	tcase_add_test(tc, a_nested_read_passes_a_writer_that_waits);
	tcase_add_test(tc, an_upgrade_of_a_nested_read_goes_before_who_came_earlier);
	tcase_add_test(tc, a_nested_read_passes_the_upgrade_of_the_outer_one);
	tcase_add_test(tc, a_nested_read_waits_for_a_writer_that_holds);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
