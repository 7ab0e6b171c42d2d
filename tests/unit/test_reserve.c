/* SPDX-License-Identifier: BSD-2-Clause */
/* Reservations, and locking what only a look under the mutex can name. */
#include <errno.h>

#include "common/clock.h"
#include "support/actor.h"
#include "support/suite.h"

static struct rangelock lock;
static struct rangelock_req holder, other, mark, mark2;

static void setup(void)
{
	lock = (struct rangelock)RANGELOCK_INITIALIZER;
	holder = other = mark = mark2 = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
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

START_TEST(a_reservation_is_seen_and_keeps_nobody_out)
{
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 10, 20), 0);
	ck_assert(look_at(&lock, &mark).state == RANGELOCK_RESERVED);
	ck_assert(rangelock_is_reserved(&lock, &mark));
	ck_assert(!rangelock_is_locked(&lock, 10, 20, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_destroy(&lock), EBUSY);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &holder, 0, 30), 0);
	ck_assert(rangelock_is_reserved(&lock, &mark)); /* readers do not revoke */
	drop(&holder);
	ck_assert_int_eq(rangelock_rdlock(&lock, &mark, 0, 1), EINVAL); /* in use */
	ck_assert_int_eq(rangelock_unlock(&lock, &mark), EPERM);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	ck_assert(!rangelock_is_reserved(&lock, &mark));
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), EPERM);
	ck_assert_int_eq(rangelock_commit(&lock, &mark, NULL), EPERM);
}
END_TEST

START_TEST(reservations_and_writes_are_in_the_way_of_reservations)
{
	struct actor writer;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &other, 40, 50), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 5, 8);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 7, 9), EBUSY);	  /* waiting */
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 49, 60), EBUSY); /* held */
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 8, 40), 0);	  /* a read is not */
	ck_assert_int_eq(rangelock_reserve(&lock, &mark2, 39, 40), EBUSY);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark2, 50, RANGELOCK_MAX), 0);
	ck_assert_int_eq(population(&lock), 5);
	drop(&holder);
	actor_finish(&writer);
	drop(&other);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark2), 0);
}
END_TEST

/* Every call that can be granted a write; on [10, 20). */
static void by_lock(void)
{
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 10, 20), 0);
}

static void by_try(void)
{
	ck_assert_int_eq(rangelock_trywrlock(&lock, &holder, 19, 20), 0);
}

static void by_vector(void)
{
	const struct rangelock_range range = { 0, 11, RANGELOCK_WRITE };

	ck_assert_int_eq(rangelock_lockv(&lock, &holder, &range, 1, NULL), 0);
}

static void no_callback(struct rangelock_req *req, int error, void *arg)
{
	(void)req, (void)error, (void)arg;
}

static void by_submission(void)
{
	const struct rangelock_range range = { RANGELOCK_FULL, RANGELOCK_WRITE };

	ck_assert_int_eq(rangelock_submit(&lock, &holder, &range, no_callback, NULL), 0);
}

static void by_upgrade(void)
{
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 10, 20), 0);
	ck_assert(rangelock_is_reserved(&lock, &mark));
	ck_assert_int_eq(rangelock_upgrade(&lock, &holder), 0);
}

static void by_try_upgrade(void)
{
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 10, 20), 0);
	ck_assert_int_eq(rangelock_tryupgrade(&lock, &holder), 0);
}

static void by_extension(void)
{
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert(rangelock_is_reserved(&lock, &mark));
	ck_assert_int_eq(rangelock_tryextend(&lock, &holder, 0, 11), 0);
}

static int choose_mark(void *arg, struct rangelock_range *range)
{
	(void)arg;
	*range = (struct rangelock_range){ 10, 20, RANGELOCK_WRITE };
	return 0;
}

static void by_choice(void)
{
	ck_assert_int_eq(rangelock_lock_chosen(&lock, &holder, choose_mark, NULL, NULL), 0);
}

static void by_entering(void)
{
	const struct rangelock_range range = { 10, 11, RANGELOCK_WRITE };

	rangelock_enter(&lock);
	int error = rangelock_wait_entered(&lock, &holder, &range, NULL);
	rangelock_leave(&lock);
	ck_assert_int_eq(error, 0);
}

/* A grant that comes later revokes when it comes. */
static void by_a_late_grant(void)
{
	struct actor writer;

	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 5, 12), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 11, 15);
	ck_assert(rangelock_is_reserved(&lock, &mark));
	drop(&other);
	if (!ON_LIST)
		ck_assert(!rangelock_is_reserved(&lock, &mark));
	ck_assert_int_eq(actor_join(&writer), 0);
	ck_assert(!rangelock_is_reserved(&lock, &mark));
	drop(&writer.req);
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 1), 0);
}

static const struct {
	void (*make)(void);
	unsigned cap; /* of engines that have it */
} grants[] = {
	{ by_lock, RANGELOCK_CAP_LOCK },	{ by_try, RANGELOCK_CAP_LOCK },
	{ by_vector, RANGELOCK_CAP_VECTOR },	{ by_submission, RANGELOCK_CAP_SUBMIT },
	{ by_upgrade, RANGELOCK_CAP_CONVERT },	{ by_try_upgrade, RANGELOCK_CAP_CONVERT },
	{ by_extension, RANGELOCK_CAP_RESIZE }, { by_choice, RANGELOCK_CAP_ENTER },
	{ by_entering, RANGELOCK_CAP_ENTER },	{ by_a_late_grant, RANGELOCK_CAP_LOCK },
};
enum { N_GRANTS = sizeof(grants) / sizeof(grants[0]) };

START_TEST(every_write_grant_revokes)
{
	struct rangelock elsewhere = RANGELOCK_INITIALIZER;

	if (!(rangelock_engine_caps(ON_LIST ? RANGELOCK_LIST : RANGELOCK_TREE) & grants[_i].cap))
		return;
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 10, 20), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark2, 20, 30), 0);
	grants[_i].make();
	ck_assert(!rangelock_is_reserved(&lock, &mark));
	if (grants[_i].make != by_submission) {
		ck_assert(rangelock_is_reserved(&lock, &mark2)); /* it only touches */
		ck_assert_int_eq(rangelock_unreserve(&lock, &mark2), 0);
	} else {
		ck_assert_int_eq(rangelock_unreserve(&lock, &mark2), ECANCELED);
	}
	ck_assert_int_eq(rangelock_commit(&elsewhere, &mark, NULL), EPERM);
	ck_assert_int_eq(rangelock_commit(&lock, &mark, NULL), ECANCELED);
	ck_assert_int_eq(rangelock_commit(&lock, &mark, NULL), EPERM); /* it was told */
	drop(&holder);
}
END_TEST

START_TEST(what_fails_revokes_nothing)
{
	struct timespec soon = in_ns(NS_PER_S / 20);

	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 0, 12), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 10, 20), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &holder, 5, 20), EBUSY);
	ck_assert_int_eq(rangelock_timedwrlock(&lock, &holder, 11, 20, &soon), ETIMEDOUT);
	ck_assert(rangelock_is_reserved(&lock, &mark));
	drop(&other);
	ck_assert_int_eq(rangelock_commit(&lock, &mark, NULL), 0);
	ck_assert(rangelock_is_locked(&lock, 10, 20, RANGELOCK_WRITE));
	drop(&mark);
}
END_TEST

static int commit(struct actor *a)
{
	return rangelock_commit(a->lock, &mark, a->abstime.tv_sec ? &a->abstime : NULL);
}

START_TEST(a_commit_waits_for_readers_and_its_reservation_stands)
{
	struct actor committer = { 0 };

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 15, 30), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 10, 20), 0);
	if (_i) /* one that gives up */
		committer.abstime = in_ns(NS_PER_S / 5);
	actor_call(&committer, &lock, commit, &mark);
	ck_assert(rangelock_is_reserved(&lock, &mark));
	ck_assert_int_eq(rangelock_reserve(&lock, &mark2, 19, 25), EBUSY);
	if (_i) {
		ck_assert_int_eq(actor_join(&committer), ETIMEDOUT);
		ck_assert(rangelock_is_reserved(&lock, &mark));
		ck_assert(look_at(&lock, &mark).state == RANGELOCK_RESERVED);
		drop(&holder);
		ck_assert_int_eq(rangelock_commit(&lock, &mark, NULL), 0);
	} else {
		drop(&holder);
		ck_assert_int_eq(actor_join(&committer), 0);
	}
	ck_assert(!rangelock_is_reserved(&lock, &mark));
	drop(&mark);
}
END_TEST

START_TEST(a_commit_that_waits_can_be_cancelled)
{
	struct actor committer = { 0 };

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 15, 30), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 10, 20), 0);
	actor_call(&committer, &lock, commit, &mark);
	ck_assert_int_eq(rangelock_cancel(&lock, &mark), 0);
	ck_assert_int_eq(actor_join(&committer), ECANCELED);
	ck_assert(!rangelock_is_reserved(&lock, &mark));
	ck_assert_int_eq(rangelock_commit(&lock, &mark, NULL), EPERM);
	drop(&holder);
}
END_TEST

/* Of its request nothing else can be had meanwhile. */
START_TEST(a_commit_that_waits_is_in_use)
{
	const struct timespec unsound = { 0, -1 };
	struct actor committer = { 0 };

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 15, 30), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 10, 20), 0);
	ck_assert_int_eq(rangelock_commit(&lock, &mark, &unsound), EINVAL);
	ck_assert(rangelock_is_reserved(&lock, &mark));
	actor_call(&committer, &lock, commit, &mark);
	ck_assert_int_eq(population(&lock), 2);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), EPERM);
	ck_assert_int_eq(rangelock_commit(&lock, &mark, NULL), EPERM);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 40, 50), EINVAL);
	ck_assert_int_eq(rangelock_wrlock(&lock, &mark, 40, 50), EINVAL);
	ck_assert_int_eq(rangelock_unlock(&lock, &mark), EPERM);
	ck_assert(rangelock_is_reserved(&lock, &mark));
	drop(&holder);
	ck_assert_int_eq(actor_join(&committer), 0);
	drop(&mark);
}
END_TEST

/* A write that waited before the commit is granted before it, and so revokes it; and
 * those behind the commit go on. */
START_TEST(a_commit_that_waits_is_revoked_by_a_write_before_it)
{
	struct actor writer, committer = { 0 }, reader;

	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 10, 20), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 11), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 5, 12);
	actor_call(&committer, &lock, commit, &mark);
	if (!ON_LIST) /* where it may pass */
		actor_queue(&reader, &lock, RANGELOCK_READ, 15, 20);
	drop(&holder);
	if (!ON_LIST) {
		ck_assert(is_held(&lock, &writer.req));
		ck_assert(is_held(&lock, &reader.req)); /* as if the commit had never been */
		actor_finish(&reader);
	}
	ck_assert_int_eq(actor_join(&committer), ECANCELED);
	ck_assert(!rangelock_is_reserved(&lock, &mark));
	ck_assert(is_held(&lock, &writer.req));
	actor_finish(&writer);
}
END_TEST

START_TEST(a_revoked_request_serves_for_anything)
{
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 10, 20), 0);
	by_lock();
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &mark, 0, 11), EBUSY); /* changes nothing */
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 0, 11), EBUSY);
	if (_i == 2) {
		drop(&holder);
		ck_assert_int_eq(rangelock_unreserve(&lock, &mark), ECANCELED);
		return;
	}
	if (_i == 0)
		drop(&holder);
	if (_i == 0)
		ck_assert_int_eq(rangelock_wrlock(&lock, &mark, 0, 10), 0);
	else
		ck_assert_int_eq(rangelock_reserve(&lock, &mark, 0, 10), 0);
	ck_assert_int_eq(_i ? rangelock_unreserve(&lock, &mark) : rangelock_unlock(&lock, &mark),
			 0);
	ck_assert_int_eq(rangelock_commit(&lock, &mark, NULL), EPERM);
	if (_i)
		drop(&holder);
}
END_TEST

START_TEST(a_gap_is_the_lowest_that_fits)
{
	uint64_t start = 7;

	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark, 11, 1, 0, 10, &start), ENOSPC);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark, 10, 1, 0, 10, &start), 0);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 3, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 10, 100), 0);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark, 3, 1, 0, 50, &start), 0);
	ck_assert(start == 0);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark2, 4, 8, 0, 50, &start), 0);
	ck_assert(start == 16);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark, 40, 1, 0, 50, &start), ENOSPC);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark, 10, 100, 1, 100, &start), ENOSPC);
	ck_assert(start == 16);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark, 30, 1, 0, 50, &start), 0);
	ck_assert(start == 20);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark2), 0);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark, 2, 1, 60, 90, &start), 0);
	ck_assert(start == 60); /* behind all that is held there */
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	drop(&holder);
	drop(&other);
}
END_TEST

START_TEST(a_gap_at_the_end_of_all_is_found_or_not)
{
	uint64_t start = 7, top = RANGELOCK_MAX;

	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark, top - 5, 1, 5, RANGELOCK_MAX, &start),
			 0);
	ck_assert(start == 5);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark2, 5, 1, 0, RANGELOCK_MAX, &start), 0);
	ck_assert(start == 0);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark2), 0);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark2, 6, 1, 0, RANGELOCK_MAX, &start),
			 ENOSPC);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark2, top, top, 0, top, &start), ENOSPC);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark2, 1, top - 1, top - 2, top, &start),
			 ENOSPC);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &mark, 1, top - 1, 1, top, &start), 0);
	ck_assert(start == top - 1);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
}
END_TEST

/* ---- Under the mutex ---- */

static uint64_t wanted, wanted_end;
static enum rangelock_mode wanted_mode;
static int chosen, refuse_after;

static int choose(void *arg, struct rangelock_range *range)
{
	(void)arg;
	chosen++;
	*range = (struct rangelock_range){ wanted, wanted_end, wanted_mode };
	return refuse_after && chosen > refuse_after ? ENOENT : 0;
}

static int lock_chosen(struct actor *a)
{
	return rangelock_lock_chosen(a->lock, &a->req, choose, NULL, NULL);
}

START_TEST(what_is_chosen_anew_is_what_is_held)
{
	struct actor chooser = { .req = RANGELOCK_REQ_INITIALIZER };

	static const struct rangelock_range then[] = { { 5, 10, RANGELOCK_WRITE },
						       { 0, 60, RANGELOCK_WRITE },
						       { 0, 10, RANGELOCK_READ },
						       { 50, 60, RANGELOCK_WRITE } };

	chosen = refuse_after = 0;
	wanted = 0;
	wanted_end = 10;
	wanted_mode = RANGELOCK_WRITE;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_call(&chooser, &lock, lock_chosen, &chooser.req);
	rangelock_enter(&lock);
	wanted = then[_i].start;
	wanted_end = then[_i].end;
	wanted_mode = then[_i].mode;
	refuse_after = _i == 3;
	rangelock_leave(&lock);
	drop(&holder);
	if (_i == 3) {
		ck_assert_int_eq(actor_join(&chooser), ENOENT);
		ck_assert_int_eq(population(&lock), 0);
		return;
	}
	ck_assert_int_eq(actor_join(&chooser), 0);
	ck_assert(rangelock_is_locked(&lock, wanted, wanted_end, wanted_mode));
	ck_assert(wanted == 0 || !rangelock_is_locked(&lock, 0, 10, RANGELOCK_READ));
	ck_assert(wanted_mode || !rangelock_is_locked(&lock, 0, 10, RANGELOCK_WRITE));
	ck_assert_int_eq(chosen, 2);
	drop(&chooser.req);
}
END_TEST

/* What a chooser was granted and does not take is as if it had not been granted. */
START_TEST(a_choice_revokes_when_it_is_taken)
{
	struct actor chooser = { .req = RANGELOCK_REQ_INITIALIZER };

	chosen = refuse_after = 0;
	wanted = 0;
	wanted_end = 10;
	wanted_mode = RANGELOCK_WRITE;
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 5, 10), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark2, 20, 25), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	actor_call(&chooser, &lock, lock_chosen, &chooser.req);
	rangelock_enter(&lock);
	if (_i == 1)
		wanted_end = 5;
	refuse_after = _i == 2;
	rangelock_leave(&lock);
	drop(&holder);
	ck_assert_int_eq(actor_join(&chooser), _i == 2 ? ENOENT : 0);
	ck_assert_int_eq(chosen, 2);
	ck_assert(rangelock_is_reserved(&lock, &mark) == (_i > 0));
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), _i > 0 ? 0 : ECANCELED);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark2), 0);
	if (_i < 2)
		drop(&chooser.req);
}
END_TEST

START_TEST(a_choice_that_is_no_range_is_refused)
{
	const struct rangelock_range none = { 5, 5, RANGELOCK_READ };

	wanted = RANGELOCK_MAX - 5;
	wanted_end = 5; /* it overflowed */
	chosen = refuse_after = 0;
	ck_assert_int_eq(rangelock_lock_chosen(&lock, &holder, choose, NULL, NULL), EINVAL);
	rangelock_enter(&lock);
	int error = rangelock_wait_entered(&lock, &holder, &none, NULL);
	rangelock_leave(&lock);
	ck_assert_int_eq(error, EINVAL);
}
END_TEST

static int inside; /* plain: guarded by the mutex */

static int enter_and_wait(struct actor *a)
{
	const struct rangelock_range range = { a->start, a->end, a->mode };
	const struct timespec *abstime = a->abstime.tv_sec ? &a->abstime : NULL;

	rangelock_enter(a->lock);
	inside++;
	int error = rangelock_wait_entered(a->lock, &a->req, &range, abstime);
	inside++;
	rangelock_leave(a->lock);
	return error;
}

START_TEST(who_waits_entered_gives_the_mutex_up_and_has_it_again)
{
	struct actor waiter = { .start = 5, .end = 6, .req = RANGELOCK_REQ_INITIALIZER };

	inside = 0;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	if (_i)
		waiter.abstime = in_ns(NS_PER_S / 10);
	actor_call(&waiter, &lock, enter_and_wait, &waiter.req);
	if (!_i)
		drop(&holder);
	ck_assert_int_eq(actor_join(&waiter), _i ? ETIMEDOUT : 0);
	ck_assert_int_eq(inside, 2);
	drop(_i ? &holder : &waiter.req);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reserve");
	TCase *tc = tcase_create("reserve");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_reservation_is_seen_and_keeps_nobody_out);
	tcase_add_test(tc, reservations_and_writes_are_in_the_way_of_reservations);
	tcase_add_loop_test(tc, every_write_grant_revokes, 0, N_GRANTS);
	tcase_add_test(tc, what_fails_revokes_nothing);
	tcase_add_loop_test(tc, a_commit_waits_for_readers_and_its_reservation_stands, 0, 2);
	tcase_add_test(tc, a_commit_that_waits_can_be_cancelled);
	tcase_add_test(tc, a_commit_that_waits_is_in_use);
	tcase_add_test(tc, a_commit_that_waits_is_revoked_by_a_write_before_it);
	tcase_add_loop_test(tc, a_revoked_request_serves_for_anything, 0, 3);
	tcase_add_test(tc, a_gap_is_the_lowest_that_fits);
	tcase_add_test(tc, a_gap_at_the_end_of_all_is_found_or_not);
	suite_add_tcase(suite, tc);
	if (ON_LIST)
		return run_suite(suite);
	tcase_add_loop_test(tc, what_is_chosen_anew_is_what_is_held, 0, 4);
	tcase_add_loop_test(tc, a_choice_revokes_when_it_is_taken, 0, 3);
	tcase_add_test(tc, a_choice_that_is_no_range_is_refused);
	tcase_add_loop_test(tc, who_waits_entered_gives_the_mutex_up_and_has_it_again, 0, 2);
	return run_suite(suite);
}
