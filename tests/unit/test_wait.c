/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting and waking, seen from below: the table of functions that the library
 * sleeps and wakes through is replaced, to count, to inject faults, and to
 * stage races that threads would meet once in a million times.
 */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "front/word.h"
#include "support/actor.h"
#include "support/suite.h"
#include "wait/wait.h"

static struct rangelock lock;
static struct rangelock_req holder;

/* Sleeps and wakes of waiting requests, and those on the short mutex. */
static atomic_int sleeps, wakes, mutex_sleeps;

static bool is_mutex(const void *word, const struct rangelock *of)
{
	return (uintptr_t)word - (uintptr_t)of < sizeof(*of);
}

static int counting_sleep(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	++*(is_mutex(word, &lock) ? &mutex_sleeps : &sleeps);
	return rl_wait_futex.sleep(word, expected, abstime);
}

static void counting_wake(_Atomic uint32_t *word)
{
	wakes += !is_mutex(word, &lock);
	rl_wait_futex.wake(word);
}

/* One processor: whoever has to wait sleeps at once. */
static unsigned one_processor(void)
{
	return 1;
}

static struct wait_ops ops;

static void setup(void)
{
	lock = (struct rangelock)RANGELOCK_INITIALIZER;
	holder = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	ops = (struct wait_ops){ counting_sleep, counting_wake, one_processor, rl_wait_futex.thread,
				 rl_wait_futex.now };
	rl_wait = &ops;
	sleeps = wakes = mutex_sleeps = 0;
}

static void teardown(void)
{
	rl_wait = &rl_wait_futex;
}

/* Queue an actor, and return once it sleeps. */
static void actor_sleep(struct actor *a, enum rangelock_mode mode, uint64_t start, uint64_t end)
{
	int before = sleeps;

	actor_queue(a, &lock, mode, start, end);
	while (sleeps == before)
		sched_yield();
}

START_TEST(without_a_conflict_nobody_sleeps_or_wakes)
{
	struct rangelock_req beside = RANGELOCK_REQ_INITIALIZER;

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
		ck_assert_int_eq(rangelock_wrlock(&lock, &beside, 10, 20), 0);
		ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
		ck_assert_int_eq(rangelock_tryrdlock(&lock, &holder, 15, 20), EBUSY);
		ck_assert_int_eq(rangelock_unlock(&lock, &beside), 0);
	}
	ck_assert_int_eq(sleeps, 0);
	ck_assert_int_eq(wakes, 0);
}
END_TEST

START_TEST(a_release_wakes_those_it_grants_and_no_others)
{
	enum { MANY = 6 };
	struct rangelock_req holders[MANY] = { RANGELOCK_REQ_INITIALIZER };
	struct actor waiters[MANY], second;

	for (uint64_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(rangelock_wrlock(&lock, &holders[i], 10 * i, 10 * i + 5), 0);
		actor_sleep(&waiters[i], RANGELOCK_WRITE, 10 * i, 10 * i + 5);
	}
	actor_sleep(&second, RANGELOCK_WRITE, 0, 5); /* behind waiters[0] */
	ck_assert_int_eq(wakes, 0);
	for (int i = 0; i < MANY; i++) {
		int before = sleeps;

		ck_assert_int_eq(rangelock_unlock(&lock, &holders[i]), 0);
		ck_assert_int_eq(wakes, i + 1);
		ck_assert_int_eq(actor_join(&waiters[i]), 0);
		ck_assert_int_eq(sleeps, before); /* it did not have to go back to sleep */
	}
	ck_assert(is_waiting(&lock, &second.req));
	for (int i = MANY - 1; i >= 0; i--)
		ck_assert_int_eq(rangelock_unlock(&lock, &waiters[i].req), 0);
	ck_assert_int_eq(wakes, MANY + 1);
	actor_finish(&second);
}
END_TEST

static int show(const struct rangelock_info *info, void *arg)
{
	(void)info, (void)arg;
	return 0;
}

static void walking_wake(_Atomic uint32_t *word)
{
	if (!is_mutex(word, &lock)) {
		wakes++;
		rangelock_walk(&lock, show, NULL); /* would deadlock inside the short mutex */
	}
	rl_wait_futex.wake(word);
}

START_TEST(wake_ups_happen_outside_the_short_mutex)
{
	struct actor r1, r2, w, last;

	ops.wake = walking_wake;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_sleep(&r1, RANGELOCK_READ, 0, 10);
	actor_sleep(&r2, RANGELOCK_READ, 0, 10);
	actor_sleep(&w, RANGELOCK_WRITE, 0, 10);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert_int_eq(wakes, 2);
	ck_assert_int_eq(rangelock_cancel(&lock, &w.req), 0);
	ck_assert_int_eq(wakes, 3);
	ck_assert_int_eq(actor_join(&w), ECANCELED);
	actor_sleep(&last, RANGELOCK_WRITE, 0, 10);
	actor_finish(&r1);
	actor_finish(&r2); /* which grants one alone */
	ck_assert_int_ge(wakes, 4);
	ck_assert_int_le(wakes, 4 + ON_LIST); /* there it may look, and wait again, in between */
	actor_finish(&last);
}
END_TEST

static sem_t time_passes;

static int sleep_until_told(_Atomic uint32_t *word, uint32_t expected,
			    const struct timespec *abstime)
{
	if (!abstime)
		return counting_sleep(word, expected, NULL);
	++sleeps;
	sem_wait(&time_passes);
	return ETIMEDOUT;
}

START_TEST(one_who_times_out_wakes_outside_the_short_mutex)
{
	struct timespec some_time = { 1, 0 };
	struct actor w, r;

	sem_init(&time_passes, 0, 0);
	ops.wake = walking_wake;
	ops.sleep = sleep_until_told;
	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	actor_queue_until(&w, &lock, RANGELOCK_WRITE, 0, 10, some_time);
	while (!sleeps)
		sched_yield();
	actor_sleep(&r, RANGELOCK_READ, 0, 10);
	sem_post(&time_passes);
	ck_assert_int_eq(actor_join(&w), ETIMEDOUT);
	ck_assert_int_eq(wakes, 1);
	actor_finish(&r);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

/* ------------------------------------------------------------------------ */

static struct shared {
	struct rangelock lock;
	atomic_int left;
} * shared;

static int restless_sleep(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	(void)expected, (void)abstime;
	++*(is_mutex(word, shared ? &shared->lock : &lock) ? &mutex_sleeps : &sleeps);
	sched_yield();
	return 0;
}

START_TEST(spurious_wake_ups_do_not_end_a_wait)
{
	struct actor waiter;

	ops.sleep = restless_sleep;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 10);
	while (sleeps < 1000)
		sched_yield();
	ck_assert(is_waiting(&lock, &waiter.req));
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	actor_finish(&waiter);
}
END_TEST

/*
 * A waiter that has its answer may return, unlock, and free its request, and
 * the lock with it, before the granter has gone on to the wake-up.
 */
static atomic_int gone;

static void *lock_and_vanish(void *arg)
{
	(void)arg;
	struct rangelock_req *req =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_int_eq(rangelock_rdlock(&shared->lock, req, 0, 10), 0);
	ck_assert_int_eq(rangelock_unlock(&shared->lock, req), 0);
	munmap(req, 4096);
	if (--shared->left == 0) {
		ck_assert_int_eq(rangelock_destroy(&shared->lock), 0);
		munmap(shared, 4096);
	}
	gone++;
	return NULL;
}

static void wake_the_gone(_Atomic uint32_t *word)
{
	if (is_mutex(word, &shared->lock))
		return; /* nobody sleeps in the kernel here */
	wakes++;
	while (gone < wakes)
		sched_yield();
	/* word is unmapped by now: to wake it would be harmless, and pointless. */
}

static int count_waiting(const struct rangelock_info *info, void *arg)
{
	*(int *)arg += info->state == RANGELOCK_WAITING;
	return 0;
}

START_TEST(a_granter_touches_no_waiter_and_no_lock_after_the_answer)
{
	enum { MANY = 3 };
	pthread_t threads[MANY];

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared->left = MANY;
	gone = 0;
	ops.sleep = restless_sleep;
	ops.wake = wake_the_gone;
	ck_assert_int_eq(rangelock_wrlock(&shared->lock, &holder, 0, 10), 0);
	for (int i = 0; i < MANY; i++) {
		int waiting = 0, before = sleeps;

		pthread_create(&threads[i], NULL, lock_and_vanish, NULL);
		while (waiting <= i || sleeps == before) {
			waiting = 0;
			rangelock_walk(&shared->lock, count_waiting, &waiting);
		}
	}
	ck_assert_int_eq(rangelock_unlock(&shared->lock, &holder), 0);
	for (int i = 0; i < MANY; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(gone, MANY);
}
END_TEST

/* ------------------------------------------------------------------------ */

/*
 * The race of a time-out with a grant or a cancel: the waiter's own thread,
 * just when its sleep times out, sees to it that the other side was first.
 */
static struct rangelock_req staged;
static struct rangelock_req *to_cancel;

static int late_sleep(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	if (!abstime) /* the second wait, for the answer that is on its way */
		return counting_sleep(word, expected, abstime);
	if (to_cancel)
		ck_assert_int_eq(rangelock_cancel(&lock, to_cancel), 0);
	else
		ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	return ETIMEDOUT;
}

START_TEST(a_grant_that_comes_before_the_time_out_counts)
{
	struct timespec soon = in_ns(NS_PER_S);

	ops.sleep = late_sleep;
	to_cancel = NULL;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_timedwrlock(&lock, &staged, 0, 10, &soon), 0);
	ck_assert(is_held(&lock, &staged));
	ck_assert_int_eq(rangelock_unlock(&lock, &staged), 0);
	ck_assert_int_eq(population(&lock), 0);
}
END_TEST

START_TEST(a_cancel_that_comes_before_the_time_out_counts)
{
	struct timespec soon = in_ns(NS_PER_S);

	ops.sleep = late_sleep;
	to_cancel = &staged;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_timedwrlock(&lock, &staged, 0, 10, &soon), ECANCELED);
	ck_assert_int_eq(population(&lock), 1);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

/* The answer to a waiter that is about to give up comes late: it is waited for.
 * A second thread grants, and is held up between the decision and the answer by
 * an earlier answer's wake-up. */
static sem_t decided, go_on;

static void held_up_wake(_Atomic uint32_t *word)
{
	if (!is_mutex(word, &lock) && wakes++ == 0) {
		sem_post(&decided);
		sem_wait(&go_on);
	}
	rl_wait_futex.wake(word);
}

static void *unlock_holder(void *arg)
{
	(void)arg;
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	return NULL;
}

START_TEST(a_late_answer_is_waited_for)
{
	struct actor first, timed;
	pthread_t granter;

	sem_init(&decided, 0, 0);
	sem_init(&go_on, 0, 0);
	ops.wake = held_up_wake;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_sleep(&first, RANGELOCK_READ, 0, 10);
	actor_queue_until(&timed, &lock, RANGELOCK_READ, 5, 10, in_ns(NS_PER_S / 2));
	pthread_create(&granter, NULL, unlock_holder, NULL);
	sem_wait(&decided);

	/* Both are granted; timed has no answer yet, and its time passes. */
	int before = sleeps;
	ck_assert(is_held(&lock, &timed.req));
	while (sleeps == before) /* it sleeps again, without a limit */
		sched_yield();
	sem_post(&go_on);
	pthread_join(granter, NULL);
	actor_finish(&timed);
	actor_finish(&first);
}
END_TEST

/* ------------------------------------------------------------------------ */

/* The short mutex itself: a crowd that sleeps on it gets in, one by one. */
static sem_t inside, leave;

static int stay_inside(const struct rangelock_info *info, void *arg)
{
	(void)info, (void)arg;
	sem_post(&inside);
	sem_wait(&leave);
	return 42;
}

static void *walk_slowly(void *arg)
{
	(void)arg;
	ck_assert_int_eq(rangelock_walk(&lock, stay_inside, NULL), 42);
	return NULL;
}

static void *lock_beside(void *arg)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	uint64_t start = 100 * (1 + (uintptr_t)arg);

	ck_assert_int_eq(rangelock_wrlock(&lock, &req, start, start + 10), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	return NULL;
}

START_TEST(all_who_sleep_on_the_short_mutex_get_in)
{
	enum { MANY = 5 };
	pthread_t walker, crowd[MANY];

	sem_init(&inside, 0, 0);
	sem_init(&leave, 0, 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	pthread_create(&walker, NULL, walk_slowly, NULL);
	sem_wait(&inside);
	for (uintptr_t i = 0; i < MANY; i++)
		pthread_create(&crowd[i], NULL, lock_beside, (void *)i);
	while (mutex_sleeps < MANY)
		sched_yield();
	sleep_ns(20000000);
	ck_assert_int_eq(mutex_sleeps, MANY); /* they do sleep: none has come back for nothing */
	sem_post(&leave);
	for (int i = 0; i < MANY; i++)
		pthread_join(crowd[i], NULL);
	pthread_join(walker, NULL);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

/* ------------------------------------------------------------------------ */

/* Deflation: one request alone lives in the lock word, two in the engine. */
static uintptr_t word(void)
{
	return rl_load(&to_lock(&lock)->word, relaxed);
}

START_TEST(the_word_returns_to_the_one_who_is_left)
{
	struct rangelock_req beside = RANGELOCK_REQ_INITIALIZER;

	ck_assert(word() == WORD_IDLE);
	ck_assert(!rangelock_is_locked(&lock, 0, 1, RANGELOCK_READ)); /* a look leaves no trace */
	ck_assert(word() == WORD_IDLE);
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert(word() == fast_word(to_req(&holder)));
	ck_assert_int_eq(rangelock_trywrlock(&lock, &beside, 5, 15), EBUSY);
	ck_assert(word() == fast_word(to_req(&holder)));
	ck_assert_int_eq(rangelock_trywrlock(&lock, &beside, 10, 15), 0);
	ck_assert(word() == WORD_ENGINE);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert(word() == fast_word(to_req(&beside)));
	ck_assert(is_held(&lock, &beside));
	ck_assert_int_eq(rangelock_unlock(&lock, &beside), 0);
	ck_assert(word() == WORD_IDLE);
}
END_TEST

/* The answer that comes when the waiter has just made up its mind to sleep:
 * the last that it asks before is how many processors there are. */
static _Atomic uint32_t park_word;

static unsigned answering_processors(void)
{
	rl_unpark(&park_word, PARK_GRANTED);
	return 1;
}

START_TEST(an_answer_just_before_the_sleep_is_seen)
{
	ops.processors = answering_processors;
	park_word = PARK_WAITING;
	ck_assert_int_eq(rl_park(&park_word, 1, NULL), PARK_GRANTED);
	ck_assert_int_eq(sleeps, 0);
}
END_TEST

START_TEST(a_parked_thread_is_answered_once)
{
	_Atomic uint32_t park = PARK_WAITING;

	rl_unpark(&park, PARK_GRANTED); /* before it parks: nobody to wake */
	ck_assert_int_eq(wakes, 0);
	ck_assert_int_eq(rl_park(&park, 0, NULL), PARK_GRANTED);
	ck_assert_int_eq(sleeps, 0);

	struct timespec past = { 0, 1 };
	park = PARK_WAITING;
	ck_assert_int_eq(rl_park(&park, 1, &past), PARK_ASLEEP);
	rl_unpark(&park, PARK_CANCELED);
	ck_assert_int_eq(wakes, 1);
	ck_assert_int_eq(rl_park(&park, 1, &past), PARK_CANCELED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wait");
	TCase *tc = tcase_create("wait");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_a_conflict_nobody_sleeps_or_wakes);
	tcase_add_test(tc, a_release_wakes_those_it_grants_and_no_others);
	tcase_add_test(tc, wake_ups_happen_outside_the_short_mutex);
	add_tree_test(tc, one_who_times_out_wakes_outside_the_short_mutex);
	tcase_add_test(tc, spurious_wake_ups_do_not_end_a_wait);
	tcase_add_test(tc, a_granter_touches_no_waiter_and_no_lock_after_the_answer);
	add_tree_test(tc, a_grant_that_comes_before_the_time_out_counts);
	tcase_add_test(tc, a_cancel_that_comes_before_the_time_out_counts);
	add_tree_test(tc, a_late_answer_is_waited_for);
	add_tree_test(tc, all_who_sleep_on_the_short_mutex_get_in);
	add_tree_test(tc, the_word_returns_to_the_one_who_is_left);
	tcase_add_test(tc, an_answer_just_before_the_sleep_is_seen);
	tcase_add_test(tc, a_parked_thread_is_answered_once);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
