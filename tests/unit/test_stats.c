/* SPDX-License-Identifier: BSD-2-Clause */
/* What a lock with RANGELOCK_STATS counts: each counter, by calls whose outcome is known. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/random.h"
#include "support/actor.h"
#include "support/suite.h"
#include "wait/wait.h"

static struct rangelock lock;
static struct rangelock_req holder, other, pair[2];

static const struct rangelock_attr with_stats = { .flags = RANGELOCK_STATS };

/* Time stands still but where a test lets it pass. */
static _Atomic uint64_t time_now;

static uint64_t slow_time(void)
{
	return time_now;
}

static struct wait_ops ops;

static void setup(void)
{
	ck_assert_int_eq(rangelock_init(&lock, &with_stats), 0);
	holder = other = pair[0] = pair[1] = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	ops = rl_wait_futex;
	ops.now = slow_time;
	rl_wait = &ops;
	time_now = 1000;
}

static void teardown(void)
{
	rl_wait = &rl_wait_futex;
	ck_assert_int_eq(population(&lock), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}

static void drop(struct rangelock_req *req)
{
	ck_assert_int_eq(rangelock_unlock(&lock, req), 0);
}

static struct rangelock_stats stats(void)
{
	struct rangelock_stats s;

	memset(&s, 0xff, sizeof(s));
	ck_assert_int_eq(rangelock_stats(&lock, &s), 0);
	return s;
}

static void counts(struct rangelock_stats expected)
{
	struct rangelock_stats s = stats();

	ck_assert_uint_eq(s.reads, expected.reads);
	ck_assert_uint_eq(s.writes, expected.writes);
	ck_assert_uint_eq(s.waits, expected.waits);
	ck_assert_uint_eq(s.wait_ns, expected.wait_ns);
	ck_assert_uint_eq(s.wait_max_ns, expected.wait_max_ns);
	ck_assert_uint_eq(s.timeouts, expected.timeouts);
	ck_assert_uint_eq(s.cancels, expected.cancels);
	ck_assert_uint_eq(s.wakeups, expected.wakeups);
	ck_assert_mem_eq(&s, &expected, sizeof(s)); /* and the rest is zero */
}

/* ---- The calls that lock, on [0, 10) ---- */

static const struct rangelock_range both[] = { { 0, 5, RANGELOCK_READ },
					       { 5, 10, RANGELOCK_WRITE } };
static uint64_t choice_end; /* choices end there, once one was chosen before */
static int choices, callbacks;

static int choose(void *arg, struct rangelock_range *range)
{
	(void)arg;
	*range = (struct rangelock_range){ 0, choices++ ? choice_end : 10, RANGELOCK_WRITE };
	return choice_end ? 0 : ENOENT;
}

static void granted(struct rangelock_req *req, int error, void *arg)
{
	(void)req, (void)arg;
	callbacks += error == 0;
}

static int by_rdlock(struct actor *a)
{
	return rangelock_rdlock(&lock, &a->req, 0, 10);
}

static int by_wrlock(struct actor *a)
{
	return rangelock_wrlock(&lock, &a->req, 0, 10);
}

static int by_timedwrlock(struct actor *a)
{
	return rangelock_timedwrlock(&lock, &a->req, 0, 10, NULL);
}

/* The outer read is elsewhere. */
static int by_nesting(struct actor *a)
{
	return rangelock_rdlock_nested(&lock, &a->req, 0, 10, &other);
}

static int by_vector(struct actor *a)
{
	(void)a;
	return rangelock_lockv(&lock, pair, both, 2, NULL);
}

static int by_upgrade(struct actor *a)
{
	return rangelock_upgrade(&lock, &a->req);
}

static int by_commit(struct actor *a)
{
	return rangelock_commit(&lock, &a->req, NULL);
}

static int by_choice(struct actor *a)
{
	return rangelock_lock_chosen(&lock, &a->req, choose, NULL, NULL);
}

static int by_entering(struct actor *a)
{
	const struct rangelock_range range = { 0, 10, RANGELOCK_WRITE };

	rangelock_enter(&lock);
	int error = rangelock_wait_entered(&lock, &a->req, &range, NULL);
	rangelock_leave(&lock);
	return error;
}

static int by_submission(struct actor *a)
{
	const struct rangelock_range range = { 0, 10, RANGELOCK_WRITE };

	return rangelock_submit(&lock, &a->req, &range, granted, NULL);
}

static const struct way {
	int (*call)(struct actor *);
	unsigned reads, writes;
	bool outer, reads_first, reserves; /* what is to be done before */
} ways[] = {
	{ by_rdlock, 1, 0, false, false, false },      { by_wrlock, 0, 1, false, false, false },
	{ by_timedwrlock, 0, 1, false, false, false }, { by_nesting, 1, 0, true, false, false },
	{ by_vector, 1, 1, false, false, false },      { by_upgrade, 0, 1, false, true, false },
	{ by_commit, 0, 1, false, false, true },       { by_choice, 0, 1, false, false, false },
	{ by_entering, 0, 1, false, false, false },    { by_submission, 0, 1, false, false, false },
};
enum { N_WAYS = sizeof(ways) / sizeof(ways[0]) };

/* What comes before the call; what that counts. */
static struct rangelock_stats prepare(const struct way *way, struct actor *a)
{
	*a = (struct actor){ .req = RANGELOCK_REQ_INITIALIZER };
	choices = callbacks = 0;
	choice_end = 10;
	if (way->outer)
		ck_assert_int_eq(rangelock_rdlock(&lock, &other, 50, 60), 0);
	if (way->reads_first)
		ck_assert_int_eq(rangelock_rdlock(&lock, &a->req, 0, 10), 0);
	if (way->reserves)
		ck_assert_int_eq(rangelock_reserve(&lock, &a->req, 0, 10), 0);
	return stats();
}

static void give_up(const struct way *way, struct actor *a)
{
	if (way->call == by_vector)
		ck_assert_int_eq(rangelock_unlockv(&lock, pair, 2), 0);
	else
		drop(&a->req);
	if (way->outer)
		drop(&other);
}

START_TEST(a_grant_is_counted_by_its_mode)
{
	const struct way *way = &ways[_i];
	struct actor a;
	struct rangelock_stats s = prepare(way, &a);

	ck_assert_int_eq(way->call(&a), 0);
	s.reads += way->reads;
	s.writes += way->writes;
	counts(s);
	give_up(way, &a);
	counts(s);
}
END_TEST

START_TEST(a_wait_is_counted_and_timed)
{
	const struct way *way = &ways[_i];
	const struct rangelock_req *shown = way->call == by_vector ? &pair[0] : NULL;
	uint64_t longest = 0;

	for (unsigned i = 0; i < 2; i++) {
		const unsigned ns = i ? 300 : 700;
		struct actor a;
		struct rangelock_stats s = prepare(way, &a);

		/* The commit of what a write revokes would not wait. */
		s.reads += way->reads_first || way->reserves;
		s.writes += !(way->reads_first || way->reserves);
		ck_assert_int_eq((way->reads_first || way->reserves
				      ? rangelock_rdlock
				      : rangelock_wrlock)(&lock, &holder, 0, 10),
				 0);
		if (way->call == by_submission)
			ck_assert_int_eq(by_submission(&a), EINPROGRESS);
		else
			actor_call(&a, &lock, way->call, shown ? shown : &a.req);
		counts(s); /* so far it has only begun */
		time_now += ns;
		drop(&holder);
		if (way->call != by_submission)
			ck_assert_int_eq(actor_join(&a), 0);
		longest = ns > longest ? ns : longest;
		s.reads += way->reads;
		s.writes += way->writes;
		s.waits++;
		s.wait_ns += ns;
		s.wait_max_ns = longest;
		s.wakeups += way->call != by_submission;
		counts(s);
		ck_assert_int_eq(callbacks, way->call == by_submission);
		time_now += 5000;
		give_up(way, &a);
	}
}
END_TEST

START_TEST(a_wait_that_fails_is_no_grant)
{
	const struct timespec past = { 0, 1 };
	struct rangelock_range range = { 5, 6, RANGELOCK_READ };
	struct actor waiter;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &other, 0, 10), EBUSY);
	ck_assert_int_eq(rangelock_timedrdlock(&lock, &other, 0, 10, &past), ETIMEDOUT);
	counts((struct rangelock_stats){ .writes = 1, .timeouts = 1 });
	ck_assert_int_eq(rangelock_lockv(&lock, pair, both, 2, &past), ETIMEDOUT);
	counts((struct rangelock_stats){ .writes = 1, .timeouts = 2 });
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 10);
	ck_assert_int_eq(rangelock_cancel(&lock, &waiter.req), 0);
	ck_assert_int_eq(actor_join(&waiter), ECANCELED);
	counts((struct rangelock_stats){ .writes = 1, .timeouts = 2, .cancels = 1, .wakeups = 1 });
	ck_assert_int_eq(rangelock_cancel(&lock, &waiter.req), EBUSY);
	ck_assert_int_eq(rangelock_submit(&lock, &other, &range, granted, NULL), EINPROGRESS);
	ck_assert_int_eq(rangelock_cancel(&lock, &other), 0);
	counts((struct rangelock_stats){ .writes = 1, .timeouts = 2, .cancels = 2, .wakeups = 1 });
	drop(&holder);
}
END_TEST

START_TEST(a_revoked_commit_was_told_and_not_cancelled)
{
	struct actor writer, committer = { .req = RANGELOCK_REQ_INITIALIZER };

	ck_assert_int_eq(rangelock_reserve(&lock, &committer.req, 0, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 5, 6);
	actor_call(&committer, &lock, by_commit, &committer.req);
	time_now += 30;
	drop(&holder);
	ck_assert_int_eq(actor_join(&committer), ECANCELED);
	actor_finish(&writer);
	counts((struct rangelock_stats){
	    .reads = 1, .writes = 1, .waits = 1, .wait_ns = 30, .wait_max_ns = 30, .wakeups = 2 });
}
END_TEST

/* The chooser is woken, and goes on to: nothing; another range, at once; or to wait
 * again. */
START_TEST(a_choice_counts_when_it_is_taken)
{
	struct actor chooser;
	struct rangelock_stats s = prepare(&ways[0], &chooser);

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	if (_i == 2)
		ck_assert_int_eq(rangelock_wrlock(&lock, &other, 10, 20), 0);
	actor_call(&chooser, &lock, by_choice, &chooser.req);
	s.writes = _i == 2 ? 2 : 1;
	s.wakeups = 1;
	time_now += 30;
	choice_end = _i == 0 ? 0 : _i == 1 ? 5 : 15;
	drop(&holder);
	if (_i == 2) {
		while (look_at(&lock, &chooser.req).state != RANGELOCK_WAITING || choices < 2)
			sched_yield();
		counts(s);
		time_now += 7;
		drop(&other);
		s.waits = s.writes = 1;
		s.writes = 2;
		s.wait_ns = s.wait_max_ns = 7;
		s.wakeups = 2;
	}
	ck_assert_int_eq(actor_join(&chooser), _i == 0 ? ENOENT : 0);
	s.writes += _i > 0;
	counts(s);
	if (_i > 0)
		drop(&chooser.req);
}
END_TEST

START_TEST(changes_are_no_grants_but_upgrades)
{
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_tryupgrade(&lock, &holder), 0);
	counts((struct rangelock_stats){ .reads = 1, .writes = 1 });
	ck_assert_int_eq(rangelock_tryupgrade(&lock, &holder), 0);
	ck_assert_int_eq(rangelock_upgrade(&lock, &holder), 0);
	ck_assert_int_eq(rangelock_tryextend(&lock, &holder, 0, 20), 0);
	ck_assert_int_eq(rangelock_reduce(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_split(&lock, &holder, 5, &other), 0);
	ck_assert_int_eq(rangelock_downgrade(&lock, &holder), 0);
	counts((struct rangelock_stats){ .reads = 1, .writes = 1 });
	drop(&holder);
	drop(&other);
}
END_TEST

START_TEST(what_is_made_anew_counts_anew)
{
	const struct rangelock_attr none = { .name = "no statistics" };
	struct rangelock_stats s = { .reads = 77 };

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 1), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), EBUSY);
	drop(&holder);
	counts((struct rangelock_stats){ .reads = 1 });
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
	ck_assert_int_eq(rangelock_stats(&lock, &s), EINVAL);
	ck_assert_int_eq(rangelock_init(&lock, &none), 0);
	ck_assert_int_eq(rangelock_stats(&lock, &s), ENOTSUP);
	ck_assert_uint_eq(s.reads, 77);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
	ck_assert_int_eq(rangelock_init(&lock, &with_stats), 0);
	counts((struct rangelock_stats){ 0 });
}
END_TEST

START_TEST(the_time_is_that_of_the_clock)
{
	struct actor waiter;

	ops.now = rl_wait_futex.now;
	int64_t before = clock_ns();
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 10);
	sleep_ns(20000000);
	drop(&holder);
	uint64_t most = (uint64_t)(clock_ns() - before);
	actor_finish(&waiter);
	struct rangelock_stats s = stats();
	ck_assert(s.wait_ns >= 20000000 && s.wait_ns <= most);
}
END_TEST

/* ---- Many threads ---- */

enum { THREADS = 4 };

static struct worker {
	pthread_t thread;
	struct rng rng;
	struct rangelock_req req;
	struct rangelock_stats sums; /* of its own results */
} workers[THREADS];

static int work_once(struct worker *w, enum rangelock_mode mode)
{
	struct timespec soon = in_ns((int64_t)rng_below(&w->rng, 200000));
	uint64_t start = rng_below(&w->rng, 4), end = start + 1 + rng_below(&w->rng, 4);
	bool tries = rng_one_in(&w->rng, 3);

	if (mode == RANGELOCK_WRITE)
		return tries ? rangelock_trywrlock(&lock, &w->req, start, end)
			     : rangelock_timedwrlock(&lock, &w->req, start, end, &soon);
	return tries ? rangelock_tryrdlock(&lock, &w->req, start, end)
		     : rangelock_timedrdlock(&lock, &w->req, start, end, &soon);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < scaled(5000); i++) {
		enum rangelock_mode mode = rng_one_in(&w->rng, 2) ? RANGELOCK_READ
								  : RANGELOCK_WRITE;
		int error = work_once(w, mode);

		w->sums.reads += !error && mode == RANGELOCK_READ;
		w->sums.writes += !error && mode == RANGELOCK_WRITE;
		w->sums.timeouts += error == ETIMEDOUT;
		if (rng_one_in(&w->rng, 4))
			sched_yield();
		if (!error)
			must(rangelock_unlock(&lock, &w->req) == 0);
		if (rng_one_in(&w->rng, 8))
			w->sums.cancels +=
			    rangelock_cancel(&lock, &workers[rng_below(&w->rng, THREADS)].req) == 0;
	}
	return NULL;
}

START_TEST(what_threads_counted_is_what_the_lock_counted)
{
	struct rangelock_stats sums = { 0 }, s;

	ops.now = rl_wait_futex.now;
	for (uint64_t i = 0; i < THREADS; i++) /* all, before one cancels another's */
		workers[i] = (struct worker){ .rng = rng_make(test_seed(), i) };
	/* They may miss each other. */
	for (int round = 0; round < 100 && stats().waits == 0; round++) {
		for (int i = 0; i < THREADS; i++)
			ck_assert_int_eq(
			    pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(workers[i].thread, NULL);
	}
	for (int i = 0; i < THREADS; i++) {
		sums.reads += workers[i].sums.reads;
		sums.writes += workers[i].sums.writes;
		sums.timeouts += workers[i].sums.timeouts;
		sums.cancels += workers[i].sums.cancels;
	}
	s = stats();
	ck_assert_uint_gt(s.waits, 0);
	ck_assert(s.wait_ns >= s.wait_max_ns && s.wait_max_ns * s.waits >= s.wait_ns);
	sums.waits = s.waits;
	sums.wait_ns = s.wait_ns;
	sums.wait_max_ns = s.wait_max_ns;
	sums.wakeups = s.waits + s.cancels; /* those who gave up were told nothing */
	counts(sums);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stats");
	TCase *tc = tcase_create("stats");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_grant_is_counted_by_its_mode, 0, N_WAYS);
	tcase_add_loop_test(tc, a_wait_is_counted_and_timed, 0, N_WAYS);
	tcase_add_test(tc, a_wait_that_fails_is_no_grant);
	tcase_add_test(tc, a_revoked_commit_was_told_and_not_cancelled);
	tcase_add_loop_test(tc, a_choice_counts_when_it_is_taken, 0, 3);
	tcase_add_test(tc, changes_are_no_grants_but_upgrades);
	tcase_add_test(tc, what_is_made_anew_counts_anew);
	tcase_add_test(tc, the_time_is_that_of_the_clock);
	tcase_add_test(tc, what_threads_counted_is_what_the_lock_counted);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
