/* SPDX-License-Identifier: BSD-2-Clause */
/* Several ranges as one arrival, and requests that are answered by a callback. */
#include <errno.h>
#include <stdatomic.h>

#include "common/clock.h"
#include "support/actor.h"
#include "support/suite.h"

static struct rangelock lock;
static struct rangelock_req holder, other;

static void setup(void)
{
	lock = (struct rangelock)RANGELOCK_INITIALIZER;
	holder = other = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
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

/* ---- Vectors ---- */

struct vector {
	struct rangelock_req reqs[3];
	struct rangelock_range ranges[3];
	const struct timespec *abstime;
};

static struct vector make_vector(uint64_t a, uint64_t b, uint64_t c)
{
	return (struct vector){ .ranges = { { a, a + 10, RANGELOCK_WRITE },
					    { b, b + 10, RANGELOCK_READ },
					    { c, c + 10, RANGELOCK_WRITE } } };
}

static int lock_vector(struct actor *a)
{
	struct vector *v = a->arg;

	return rangelock_lockv(a->lock, v->reqs, v->ranges, 3, v->abstime);
}

START_TEST(a_vector_is_held_when_all_of_it_is)
{
	struct vector v = make_vector(40, 0, 20);
	struct actor caller = { .arg = &v }, later;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 5), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 25, 26), 0);
	actor_call(&caller, &lock, lock_vector, &v.reqs[2]);
	for (int i = 0; i < 2; i++) { /* nothing is in their way, and they wait for the third */
		ck_assert_int_eq(look_at(&lock, &v.reqs[i]).blockers, 0);
		ck_assert(look_at(&lock, &v.reqs[i]).state == RANGELOCK_WAITING);
	}
	ck_assert(!rangelock_is_locked(&lock, 40, 50, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_unlock(&lock, &v.reqs[0]), EPERM);
	ck_assert_int_eq(rangelock_unlockv(&lock, v.reqs, 3), EPERM);
	if (!ON_LIST) /* where it would pass */
		actor_queue(&later, &lock, RANGELOCK_WRITE, 45, 46);
	drop(&other);
	ck_assert_int_eq(actor_join(&caller), 0);
	ck_assert_int_eq(population(&lock), ON_LIST ? 4 : 5);
	ck_assert_int_eq(rangelock_unlockv(&lock, v.reqs, 3), 0);
	if (!ON_LIST)
		actor_finish(&later);
	drop(&holder);
}
END_TEST

/* Did a vector hold the one range while it waits for the other, and its reader wait
 * for the one, neither would go on. */
START_TEST(a_nested_read_passes_a_vector_that_waits)
{
	struct vector v = make_vector(0, 20, 40);
	struct actor caller = { .arg = &v };

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 5), 0);
	actor_call(&caller, &lock, lock_vector, &v.reqs[0]);
	ck_assert_int_eq(rangelock_rdlock_nested(&lock, &other, 40, 45, &holder), 0);
	ck_assert_int_eq(look_at(&lock, &v.reqs[2]).blockers, 1);
	drop(&holder);
	ck_assert_int_eq(look_at(&lock, &v.reqs[0]).blockers, 0);
	ck_assert(look_at(&lock, &v.reqs[0]).state == RANGELOCK_WAITING);
	drop(&other);
	ck_assert_int_eq(actor_join(&caller), 0);
	ck_assert_int_eq(rangelock_unlockv(&lock, v.reqs, 3), 0);
}
END_TEST

START_TEST(a_vector_that_gives_up_holds_nothing)
{
	struct timespec soon = in_ns(NS_PER_S / 10);
	struct vector v = make_vector(0, 20, 40);
	struct actor caller = { .arg = &v }, behind;
	bool has_behind = _i == 1 && !ON_LIST; /* where it would pass */

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 45, 50), 0);
	if (_i == 0)
		v.abstime = &soon;
	actor_call(&caller, &lock, lock_vector, &v.reqs[2]);
	if (has_behind)
		actor_queue(&behind, &lock, RANGELOCK_READ, 5, 6);
	if (_i == 1) { /* by any of them, whether it is held or waits */
		ck_assert_int_eq(rangelock_cancel(&lock, &v.reqs[1]), 0);
		ck_assert(!has_behind || is_held(&lock, &behind.req));
		ck_assert_int_eq(rangelock_cancel(&lock, &v.reqs[2]), EBUSY);
	}
	ck_assert_int_eq(actor_join(&caller), _i ? ECANCELED : ETIMEDOUT);
	ck_assert_int_eq(population(&lock), 1 + has_behind);
	drop(&holder);
	if (has_behind)
		actor_finish(&behind);
	for (int i = 0; i < 3; i++) { /* all are idle */
		ck_assert_int_eq(rangelock_wrlock(&lock, &v.reqs[i], 0, 10), 0);
		drop(&v.reqs[i]);
	}
}
END_TEST

START_TEST(unlockv_unlocks_all_or_nothing)
{
	struct vector v = make_vector(0, 20, 40);

	ck_assert_int_eq(rangelock_lockv(&lock, v.reqs, v.ranges, 3, NULL), 0);
	drop(&v.reqs[2]);
	ck_assert_int_eq(rangelock_unlockv(&lock, v.reqs, 3), EPERM);
	ck_assert_int_eq(population(&lock), 2);
	ck_assert_int_eq(rangelock_unlockv(&lock, v.reqs, 2), 0);
}
END_TEST

START_TEST(a_vector_with_a_request_in_use_changes_nothing)
{
	struct vector v = make_vector(0, 20, 40);

	ck_assert_int_eq(rangelock_rdlock(&lock, &v.reqs[2], 100, 110), 0);
	ck_assert_int_eq(rangelock_lockv(&lock, v.reqs, v.ranges, 3, NULL), EINVAL);
	ck_assert_int_eq(population(&lock), 1);
	drop(&v.reqs[2]);
}
END_TEST

START_TEST(an_unsound_time_is_refused_where_a_vector_has_to_wait)
{
	struct timespec unsound = { 0, NS_PER_S };
	struct vector v = make_vector(0, 20, 40);

	ck_assert_int_eq(rangelock_lockv(&lock, v.reqs, v.ranges, 3, &unsound), 0);
	ck_assert_int_eq(rangelock_unlockv(&lock, v.reqs, 3), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 29, 30), 0);
	ck_assert_int_eq(rangelock_lockv(&lock, v.reqs, v.ranges, 3, &unsound), EINVAL);
	ck_assert_int_eq(population(&lock), 1);
	drop(&holder);
}
END_TEST

START_TEST(the_writes_of_a_vector_revoke_and_its_reads_do_not)
{
	struct vector v = make_vector(40, 0, 20);

	ck_assert_int_eq(rangelock_reserve(&lock, &holder, 5, 15), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &other, 29, 35), 0);
	ck_assert_int_eq(rangelock_lockv(&lock, v.reqs, v.ranges, 3, NULL), 0);
	ck_assert(rangelock_is_reserved(&lock, &holder));
	ck_assert(!rangelock_is_reserved(&lock, &other));
	ck_assert_int_eq(rangelock_unreserve(&lock, &other), ECANCELED);
	ck_assert_int_eq(rangelock_unreserve(&lock, &holder), 0);
	ck_assert_int_eq(rangelock_unlockv(&lock, v.reqs, 3), 0);
}
END_TEST

/* Whatever order they name their ranges in, callers of lockv do not deadlock. */
static uint64_t counters[30];

static void *count_in_vectors(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (uint64_t i = 0; i < scaled(5000); i++) {
		uint64_t a = (seed + i * 7) % 3 * 10, b = (a + 10) % 30, c = (a + 20) % 30;
		struct vector v = make_vector(a, b, c);

		must(rangelock_lockv(&lock, v.reqs, v.ranges, 3, NULL) == 0);
		counters[a]++;
		counters[c]++;
		must(rangelock_unlockv(&lock, v.reqs, 3) == 0);
	}
	return NULL;
}

START_TEST(vectors_do_not_deadlock)
{
	pthread_t threads[4];
	uint64_t sum = 0;

	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, count_in_vectors, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 30; i++)
		sum += counters[i];
	ck_assert(sum == 8 * scaled(5000));
}
END_TEST

/* ---- Callbacks ---- */

static int calls, last_error;
static struct rangelock_req *last_req;

static void note(struct rangelock_req *req, int error, void *arg)
{
	++*(int *)arg;
	last_req = req;
	last_error = error;
}

static const struct rangelock_range ten = { 0, 10, RANGELOCK_WRITE };

START_TEST(what_can_be_had_at_once_needs_no_callback)
{
	calls = 0;
	ck_assert_int_eq(rangelock_submit(&lock, &holder, &ten, note, &calls), 0);
	ck_assert_int_eq(calls, 0);
	ck_assert(is_held(&lock, &holder));
	ck_assert_int_eq(rangelock_submit(&lock, &holder, &ten, note, &calls), EINVAL); /* in use */
	drop(&holder);
}
END_TEST

START_TEST(a_grant_calls_back_once)
{
	calls = 0;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_submit(&lock, &other, &ten, note, &calls), EINPROGRESS);
	ck_assert_int_eq(calls, 0);
	ck_assert(is_waiting(&lock, &other));
	drop(&holder);
	ck_assert_int_eq(calls, 1);
	ck_assert(last_req == &other && last_error == 0 && is_held(&lock, &other));
	ck_assert_int_eq(rangelock_cancel(&lock, &other), EBUSY);
	drop(&other);
	ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(a_change_calls_back_those_for_whom_it_makes_way)
{
	static const struct rangelock_range read_all = { 0, 10, RANGELOCK_READ },
					    upper = { 5, 10, RANGELOCK_WRITE },
					    middle = { 4, 5, RANGELOCK_WRITE };

	calls = 0;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_submit(&lock, &other, &read_all, note, &calls), EINPROGRESS);
	ck_assert_int_eq(rangelock_downgrade(&lock, &holder), 0);
	ck_assert(calls == 1 && last_error == 0 && is_held(&lock, &other));
	drop(&other);
	ck_assert_int_eq(rangelock_submit(&lock, &other, &upper, note, &calls), EINPROGRESS);
	ck_assert_int_eq(rangelock_reduce(&lock, &holder, 0, 5), 0);
	ck_assert(calls == 2 && last_error == 0 && is_held(&lock, &other));
	drop(&other);
	ck_assert_int_eq(rangelock_submit(&lock, &other, &middle, note, &calls), EINPROGRESS);
	ck_assert_int_eq(rangelock_reduce(&lock, &holder, 0, 4), 0);
	ck_assert(calls == 3 && is_held(&lock, &other));
	drop(&other);
	drop(&holder);
}
END_TEST

START_TEST(what_was_submitted_revokes_once_it_is_granted)
{
	struct rangelock_req reserved = RANGELOCK_REQ_INITIALIZER;

	calls = 0;
	ck_assert_int_eq(rangelock_reserve(&lock, &reserved, 9, 20), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 5), 0);
	ck_assert_int_eq(rangelock_submit(&lock, &other, &ten, note, &calls), EINPROGRESS);
	ck_assert(rangelock_is_reserved(&lock, &reserved));
	drop(&holder);
	ck_assert(calls == 1 && !rangelock_is_reserved(&lock, &reserved));
	drop(&other);
}
END_TEST

static int commit(struct actor *a)
{
	return rangelock_commit(a->lock, &a->req, NULL);
}

START_TEST(a_commit_that_ends_lets_those_behind_it_go_on)
{
	struct actor committer = { .req = RANGELOCK_REQ_INITIALIZER };

	calls = 0;
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 5), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &committer.req, 0, 10), 0);
	actor_call(&committer, &lock, commit, &committer.req);
	ck_assert_int_eq(rangelock_submit(&lock, &other, &ten, note, &calls), EINPROGRESS);
	ck_assert_int_eq(rangelock_cancel(&lock, &committer.req), 0);
	ck_assert_int_eq(actor_join(&committer), ECANCELED);
	drop(&holder);
	ck_assert(calls == 1 && is_held(&lock, &other));
	drop(&other);
}
END_TEST

START_TEST(a_cancel_calls_back_once)
{
	calls = 0;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_submit(&lock, &other, &ten, note, &calls), EINPROGRESS);
	ck_assert_int_eq(rangelock_cancel(&lock, &other), 0);
	ck_assert(calls == 1 && last_req == &other && last_error == ECANCELED);
	ck_assert_int_eq(rangelock_cancel(&lock, &other), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &other), EPERM);
	drop(&holder);
	ck_assert_int_eq(calls, 1);
}
END_TEST

/* A callback that unlocks, and so grants the next: a long queue is no deep stack. */
enum { MANY = 1000 };
static struct rangelock_req queue[MANY];
static int depth, deepest;

static void unlock_at_once(struct rangelock_req *req, int error, void *arg)
{
	(void)arg;
	must(error == 0 && req == &queue[calls]); /* in order */
	calls++;
	if (++depth > deepest)
		deepest = depth;
	must(rangelock_unlock(&lock, req) == 0);
	depth--;
}

START_TEST(callbacks_that_unlock_do_not_nest)
{
	calls = 0;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	for (int i = 0; i < MANY; i++)
		must(rangelock_submit(&lock, &queue[i], &ten, unlock_at_once, NULL) == EINPROGRESS);
	drop(&holder);
	ck_assert_int_eq(calls, MANY);
	ck_assert_int_eq(deepest, 1);
}
END_TEST

static void note_order(struct rangelock_req *req, int error, void *arg)
{
	(void)arg;
	must(error == 0 && req == &queue[calls]);
	calls++;
}

START_TEST(callbacks_come_in_the_order_of_the_grants)
{
	struct rangelock_range range = ten;

	calls = 0;
	range.mode = RANGELOCK_READ;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	for (int i = 0; i < 5; i++)
		must(rangelock_submit(&lock, &queue[i], &range, note_order, NULL) == EINPROGRESS);
	drop(&holder);
	ck_assert_int_eq(calls, 5);
	ck_assert_int_eq(rangelock_unlockv(&lock, queue, 5), 0);
}
END_TEST

/* A callback that waits for what the next callback in its own thread is to give. */
static void give(struct rangelock_req *req, int error, void *arg)
{
	(void)arg;
	must(error == 0 && rangelock_unlock(&lock, req) == 0);
	calls++;
}

static void wait_for_the_next(struct rangelock_req *req, int error, void *arg)
{
	struct rangelock_req mine = RANGELOCK_REQ_INITIALIZER;

	(void)arg;
	must(error == 0 && rangelock_unlock(&lock, req) == 0); /* grants queue[1] */
	must(rangelock_wrlock(&lock, &mine, 0, 10) == 0);      /* behind it */
	must(rangelock_unlock(&lock, &mine) == 0);
	calls++;
}

START_TEST(a_callback_may_wait_for_one_that_is_due)
{
	calls = 0;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	must(rangelock_submit(&lock, &queue[0], &ten, wait_for_the_next, NULL) == EINPROGRESS);
	must(rangelock_submit(&lock, &queue[1], &ten, give, NULL) == EINPROGRESS);
	drop(&holder);
	ck_assert_int_eq(calls, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vector");
	TCase *tc = tcase_create("vector");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_vector_is_held_when_all_of_it_is);
	tcase_add_test(tc, a_nested_read_passes_a_vector_that_waits);
	tcase_add_loop_test(tc, a_vector_that_gives_up_holds_nothing, 0, 2);
	tcase_add_test(tc, unlockv_unlocks_all_or_nothing);
	tcase_add_test(tc, a_vector_with_a_request_in_use_changes_nothing);
	tcase_add_test(tc, an_unsound_time_is_refused_where_a_vector_has_to_wait);
	tcase_add_test(tc, the_writes_of_a_vector_revoke_and_its_reads_do_not);
	tcase_add_test(tc, vectors_do_not_deadlock);
	tcase_add_test(tc, what_can_be_had_at_once_needs_no_callback);
	tcase_add_test(tc, a_grant_calls_back_once);
	tcase_add_test(tc, a_change_calls_back_those_for_whom_it_makes_way);
	tcase_add_test(tc, what_was_submitted_revokes_once_it_is_granted);
	tcase_add_test(tc, a_commit_that_ends_lets_those_behind_it_go_on);
	tcase_add_test(tc, a_cancel_calls_back_once);
	tcase_add_test(tc, callbacks_that_unlock_do_not_nest);
	tcase_add_test(tc, callbacks_come_in_the_order_of_the_grants);
	tcase_add_test(tc, a_callback_may_wait_for_one_that_is_due);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
