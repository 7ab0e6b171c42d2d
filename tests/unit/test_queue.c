/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue: FIFO among conflicts, hand-off, and requests that leave it from
 * the middle by time-out or cancel. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/lock.h"
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

/* Nothing may be left, whatever went on. */
static void teardown(void)
{
	ck_assert_int_eq(population(&lock), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}

START_TEST(a_reader_does_not_overtake_a_waiting_writer)
{
	struct actor writer, reader;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, 0, 10);
	actor_queue(&reader, &lock, RANGELOCK_READ, 0, 10);

	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert(is_held(&lock, &writer.req));
	ck_assert(is_waiting(&lock, &reader.req));
	actor_finish(&writer);
	ck_assert(is_held(&lock, &reader.req));
	actor_finish(&reader);
}
END_TEST

START_TEST(writers_are_granted_in_order_of_arrival)
{
	enum { MANY = 8 };
	struct actor queue[MANY];

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 100), 0);
	for (uint64_t i = 0; i < MANY; i++) /* various ranges, all through unit 50 */
		actor_queue(&queue[i], &lock, RANGELOCK_WRITE, i * 7 % 50, 51 + i * 5 % 49);

	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	for (int i = 0; i < MANY; i++) {
		ck_assert(is_held(&lock, &queue[i].req));
		for (int later = i + 1; later < MANY; later++)
			ck_assert_int_eq(look_at(&lock, &queue[later].req).blockers, later - i);
		actor_finish(&queue[i]);
	}
}
END_TEST

/* As after a few minutes of work. */
START_TEST(arrivals_are_counted_beyond_32_bits)
{
	struct actor leaver, first, second;

	to_lock(&lock)->arrivals = UINT32_MAX - 1;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&leaver, &lock, RANGELOCK_WRITE, 0, 10);
	actor_queue(&first, &lock, RANGELOCK_WRITE, 0, 10);
	actor_queue(&second, &lock, RANGELOCK_WRITE, 0, 10);
	ck_assert_int_eq(rangelock_cancel(&lock, &leaver.req), 0);
	ck_assert_int_eq(actor_join(&leaver), ECANCELED);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	actor_finish(&first);
	ck_assert(is_held(&lock, &second.req));
	actor_finish(&second);
}
END_TEST

START_TEST(neighbouring_readers_are_granted_together)
{
	struct actor r1, r2, w, r3;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&r1, &lock, RANGELOCK_READ, 0, 6);
	actor_queue(&r2, &lock, RANGELOCK_READ, 4, 10);
	actor_queue(&w, &lock, RANGELOCK_WRITE, 5, 6);
	actor_queue(&r3, &lock, RANGELOCK_READ, 5, 6);

	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert(is_held(&lock, &r1.req) && is_held(&lock, &r2.req));
	ck_assert_int_eq(look_at(&lock, &w.req).blockers, 2);
	actor_finish(&r1);
	ck_assert_int_eq(look_at(&lock, &w.req).blockers, 1);
	ck_assert(is_waiting(&lock, &r3.req));
	actor_finish(&r2);
	ck_assert(is_held(&lock, &w.req));
	actor_finish(&w);
	actor_finish(&r3);
}
END_TEST

START_TEST(a_disjoint_request_is_not_held_up_by_the_queue)
{
	struct actor wide, behind;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&wide, &lock, RANGELOCK_WRITE, 5, 100);
	actor_queue(&behind, &lock, RANGELOCK_WRITE, 90, 110);
	ck_assert_int_eq(rangelock_wrlock(&lock, &other, 110, 120), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &other), 0);
	/* Not even of a holder whom the waiting one waits for. */
	ck_assert_int_eq(look_at(&lock, &behind.req).blockers, 1);

	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert(is_held(&lock, &wide.req) && is_waiting(&lock, &behind.req));
	actor_finish(&wide);
	actor_finish(&behind);
}
END_TEST

/* Small readers that keep coming cannot starve a wide writer: those that come
 * after it wait for it. */
START_TEST(a_wide_writer_waits_only_for_those_before_it)
{
	enum { MANY = 16 };
	struct rangelock_req readers[MANY] = { RANGELOCK_REQ_INITIALIZER };
	struct actor writer, late[MANY];

	for (uint64_t i = 0; i < MANY; i++)
		ck_assert_int_eq(rangelock_rdlock(&lock, &readers[i], 10 * i, 10 * i + 5), 0);
	actor_queue(&writer, &lock, RANGELOCK_WRITE, RANGELOCK_FULL);
	for (uint64_t i = 0; i < MANY; i++) {
		actor_queue(&late[i], &lock, RANGELOCK_READ, 10 * i, 10 * i + 5);
		ck_assert_int_eq(look_at(&lock, &writer.req).blockers, MANY - (int)i);
		ck_assert_int_eq(rangelock_unlock(&lock, &readers[i]), 0);
	}
	ck_assert(is_held(&lock, &writer.req));
	actor_finish(&writer);
	for (int i = 0; i < MANY; i++)
		actor_finish(&late[i]);
}
END_TEST

/* ------------------------------------------------------------------------ */

enum leaving { BY_TIMEOUT, BY_CANCEL };

/* Queue an actor that will leave, and make it leave. */
static void queue_leaver(struct actor *a, enum leaving how, enum rangelock_mode mode,
			 uint64_t start, uint64_t end)
{
	if (how == BY_CANCEL)
		actor_queue(a, &lock, mode, start, end);
	else
		actor_queue_until(a, &lock, mode, start, end, in_ns(NS_PER_S));
}

static void leave(struct actor *a, enum leaving how)
{
	if (how == BY_CANCEL)
		ck_assert_int_eq(rangelock_cancel(&lock, &a->req), 0);
	ck_assert_int_eq(actor_join(a), how == BY_CANCEL ? ECANCELED : ETIMEDOUT);
	ck_assert_int_eq(look_at(&lock, &a->req).blockers, -1);
	ck_assert_int_eq(rangelock_unlock(&lock, &a->req), EPERM);
}

START_TEST(who_queued_behind_one_that_left_is_granted_as_if_it_had_never_been)
{
	struct actor writer, reader;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	queue_leaver(&writer, _i, RANGELOCK_WRITE, 0, 10);
	actor_queue(&reader, &lock, RANGELOCK_READ, 0, 10);
	leave(&writer, _i);
	ck_assert(is_held(&lock, &reader.req));
	actor_finish(&reader);

	/* The request that left serves again. */
	ck_assert_int_eq(rangelock_rdlock(&lock, &writer.req, 0, 10), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &writer.req), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

/* Later readers had never counted a reader, so its leaving must not be taken
 * off their counts: that would grant them beside the active writer. */
START_TEST(a_reader_that_leaves_grants_no_reader_against_the_active_writer)
{
	struct actor r1, r2, w2;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	queue_leaver(&r1, _i, RANGELOCK_READ, 0, 10);
	actor_queue(&r2, &lock, RANGELOCK_READ, 0, 10);
	actor_queue(&w2, &lock, RANGELOCK_WRITE, 0, 10);
	ck_assert_int_eq(look_at(&lock, &w2.req).blockers, 3);
	leave(&r1, _i);
	ck_assert_int_eq(look_at(&lock, &r2.req).blockers, 1);
	ck_assert_int_eq(look_at(&lock, &w2.req).blockers, 2);

	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	actor_finish(&r2);
	actor_finish(&w2);
}
END_TEST

/* Nor is one that left taken off the counts of those who came before it. */
START_TEST(a_writer_that_leaves_changes_nothing_for_those_before_it)
{
	struct actor first, leaver, last;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&first, &lock, RANGELOCK_WRITE, 0, 10);
	queue_leaver(&leaver, _i, RANGELOCK_WRITE, 0, 10);
	actor_queue(&last, &lock, RANGELOCK_READ, 0, 10);
	leave(&leaver, _i);
	ck_assert_int_eq(look_at(&lock, &first.req).blockers, 1);
	ck_assert_int_eq(look_at(&lock, &last.req).blockers, 2);

	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert(is_held(&lock, &first.req) && is_waiting(&lock, &last.req));
	actor_finish(&first);
	actor_finish(&last);
}
END_TEST

START_TEST(several_leave_at_once_and_the_rest_go_on)
{
	enum { MANY = 12 };
	struct actor queue[MANY];
	struct timespec end = in_ns(NS_PER_S);

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 100), 0);
	for (int i = 0; i < MANY; i++) {
		enum rangelock_mode mode = i % 2 ? RANGELOCK_READ : RANGELOCK_WRITE;

		if (i % 3 == 1)
			actor_queue_until(&queue[i], &lock, mode, (uint64_t)i, 50, end);
		else
			actor_queue(&queue[i], &lock, mode, (uint64_t)i, 50);
	}
	for (int i = 0; i < MANY; i += 3)
		ck_assert_int_eq(rangelock_cancel(&lock, &queue[i].req), 0);
	for (int i = 0; i < MANY; i++)
		if (i % 3 != 2)
			ck_assert_int_eq(actor_join(&queue[i]), i % 3 ? ETIMEDOUT : ECANCELED);
	ck_assert_int_eq(population(&lock), 1 + MANY / 3);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	for (int i = 2; i < MANY; i += 3)
		actor_finish(&queue[i]);
}
END_TEST

START_TEST(cancel_comes_too_late_once_granted)
{
	struct actor waiter;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 10);
	ck_assert_int_eq(rangelock_destroy(&lock), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &waiter.req), EPERM); /* it only waits */
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert_int_eq(rangelock_cancel(&lock, &waiter.req), EBUSY);
	ck_assert_int_eq(actor_join(&waiter), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &waiter.req), 0);
	ck_assert_int_eq(rangelock_cancel(&lock, &waiter.req), EBUSY);
}
END_TEST

/* A request that waits on another lock is none of this lock's business. */
START_TEST(cancel_on_the_wrong_lock_is_refused)
{
	struct rangelock wrong = RANGELOCK_INITIALIZER;
	struct actor waiter;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_wrlock(&wrong, &other, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 10);
	ck_assert_int_eq(rangelock_cancel(&wrong, &waiter.req), EBUSY);
	ck_assert(is_waiting(&lock, &waiter.req));
	ck_assert_int_eq(rangelock_unlock(&wrong, &other), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	actor_finish(&waiter);
}
END_TEST

/* A cancel that comes too late may find the request in use on another lock,
 * whose mutex it does not hold: ThreadSanitizer must find nothing in that. */
static struct rangelock elsewhere;
static struct rangelock_req wanderer;
static atomic_bool come_home;

static void *hold_now_and_then(void *arg)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	while (!atomic_load_explicit(&come_home, memory_order_relaxed)) {
		must(rangelock_wrlock(arg, &req, 0, 10) == 0);
		sched_yield();
		must(rangelock_unlock(arg, &req) == 0);
	}
	return NULL;
}

static void *wander(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&come_home, memory_order_relaxed)) {
		int here = rangelock_wrlock(&lock, &wanderer, 5, 15);

		must(here == 0 || here == ECANCELED);
		must(here || rangelock_unlock(&lock, &wanderer) == 0);
		must(rangelock_wrlock(&elsewhere, &wanderer, 5, 15) == 0);
		must(rangelock_unlock(&elsewhere, &wanderer) == 0);
	}
	return NULL;
}

START_TEST(a_late_cancel_does_not_reach_into_another_lock)
{
	pthread_t threads[3];

	elsewhere = (struct rangelock)RANGELOCK_INITIALIZER;
	atomic_store(&come_home, false);
	pthread_create(&threads[0], NULL, hold_now_and_then, &lock);
	pthread_create(&threads[1], NULL, hold_now_and_then, &elsewhere);
	pthread_create(&threads[2], NULL, wander, NULL);
	for (uint64_t i = 0; i < scaled(200000); i++) {
		int error = rangelock_cancel(&lock, &wanderer);

		must(error == 0 || error == EBUSY);
		if (i % 64 == 0)
			sched_yield();
	}
	atomic_store(&come_home, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(rangelock_destroy(&elsewhere), 0);
}
END_TEST

/* ------------------------------------------------------------------------ */

static const struct timespec long_ago = { 0, 1 };

START_TEST(what_can_be_had_at_once_is_had_whatever_abstime_says)
{
	static const struct timespec times[] = { { 0, 1 }, { -5, 0 }, { 0, -1 }, { 0, NS_PER_S } };
	bool crowded = _i & 1;
	const struct timespec *abstime = &times[_i >> 1];
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	if (crowded)
		ck_assert_int_eq(rangelock_wrlock(&lock, &other, 100, 110), 0);
	ck_assert_int_eq(rangelock_timedwrlock(&lock, &req, 0, 10, abstime), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	ck_assert_int_eq(rangelock_timedrdlock(&lock, &req, 0, 10, abstime), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	if (crowded)
		ck_assert_int_eq(rangelock_unlock(&lock, &other), 0);
}
END_TEST

START_TEST(an_unsound_abstime_is_refused_where_the_call_has_to_wait)
{
	static const struct timespec unsound[] = { { 0, -1 },
						   { 0, NS_PER_S },
						   { 1u << 30, NS_PER_S } };

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_timedwrlock(&lock, &other, 5, 15, &unsound[_i]), EINVAL);
	ck_assert_int_eq(population(&lock), 1);
	ck_assert_int_eq(rangelock_timedwrlock(&lock, &other, 10, 15, &unsound[_i]), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &other), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

START_TEST(a_time_that_has_passed_times_out)
{
	static const struct timespec before_the_clock = { -1, 0 };

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_timedwrlock(&lock, &other, 0, 10, &long_ago), ETIMEDOUT);
	ck_assert_int_eq(rangelock_timedrdlock(&lock, &other, 0, 10, &before_the_clock), ETIMEDOUT);
	ck_assert_int_eq(rangelock_timedrdlock(&lock, &other, 10, 20, &before_the_clock), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &other), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

START_TEST(the_deadline_is_kept)
{
	struct timespec until = in_ns(NS_PER_S / 5);
	int64_t deadline = (int64_t)until.tv_sec * NS_PER_S + until.tv_nsec;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_timedrdlock(&lock, &other, 9, 20, &until), ETIMEDOUT);
	int64_t late = clock_ns() - deadline;
	ck_assert_int_ge(late, 0);
	ck_assert_int_lt(late, (int64_t)3 * NS_PER_S);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

static void on_signal(int signal)
{
	(void)signal;
}

/* Signals without SA_RESTART neither end a wait early nor lose its deadline. */
START_TEST(signals_do_not_end_a_wait)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct actor waiter, timed;

	sigaction(SIGUSR1, &action, NULL);
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	struct timespec until = in_ns(NS_PER_S / 2);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 10);
	actor_queue_until(&timed, &lock, RANGELOCK_WRITE, 0, 10, until);
	while (is_waiting(&lock, &timed.req)) {
		pthread_kill(waiter.thread, SIGUSR1);
		pthread_kill(timed.thread, SIGUSR1);
		sleep_ns(100000);
	}
	struct timespec now = in_ns(0);
	ck_assert(now.tv_sec > until.tv_sec ||
		  (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
	ck_assert_int_eq(actor_join(&timed), ETIMEDOUT);
	ck_assert(is_waiting(&lock, &waiter.req));
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	actor_finish(&waiter);
}
END_TEST

/* ------------------------------------------------------------------------ */

static void *unlock_other(void *arg)
{
	ck_assert_int_eq(rangelock_unlock(&lock, arg), 0);
	return NULL;
}

START_TEST(another_thread_may_unlock)
{
	struct actor waiter;
	pthread_t thread;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, unlock_other, &holder), 0);
	pthread_join(thread, NULL);

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 10);
	ck_assert_int_eq(pthread_create(&thread, NULL, unlock_other, &holder), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(actor_join(&waiter), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &waiter.req), 0);
}
END_TEST

/* Who has been on a busier lock before brings no number from there. */
START_TEST(a_request_carries_nothing_from_one_lock_to_the_next)
{
	struct rangelock busy = RANGELOCK_INITIALIZER;
	struct rangelock_req beside = RANGELOCK_REQ_INITIALIZER;
	struct actor waiter;

	ck_assert_int_eq(rangelock_wrlock(&busy, &beside, 50, 60), 0);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(rangelock_wrlock(&busy, &holder, 0, 10), 0);
		ck_assert_int_eq(rangelock_unlock(&busy, &holder), 0);
	}
	/* Alone at first, then taken into the engine by the one who comes. */
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 10);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert(is_held(&lock, &waiter.req));
	actor_finish(&waiter);

	/* The same for one who was left alone, and so left to the lock word. */
	ck_assert_int_eq(rangelock_wrlock(&busy, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_unlock(&busy, &beside), 0);
	ck_assert_int_eq(rangelock_unlock(&busy, &holder), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 10);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert(is_held(&lock, &waiter.req));
	actor_finish(&waiter);
	ck_assert_int_eq(rangelock_destroy(&busy), 0);
}
END_TEST

/*
 * After unlock the request's memory is its owner's again, though a neighbour
 * has written to it while it was held.  Nothing but the lock orders the two
 * (Check's own assertions would), so that ThreadSanitizer can tell.
 */
static atomic_bool neighbour_is_gone;

static void *come_and_go(void *arg)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	(void)arg;
	must(rangelock_wrlock(&lock, &req, 100, 110) == 0);
	must(rangelock_unlock(&lock, &req) == 0);
	atomic_store_explicit(&neighbour_is_gone, true, memory_order_relaxed);
	return NULL;
}

START_TEST(an_unlocked_request_is_its_owners_alone)
{
	pthread_t neighbour;

	atomic_store(&neighbour_is_gone, false);
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(pthread_create(&neighbour, NULL, come_and_go, NULL), 0);
	while (!atomic_load_explicit(&neighbour_is_gone, memory_order_relaxed))
		sched_yield();
	must(rangelock_unlock(&lock, &holder) == 0);
	for (size_t i = 0; i < sizeof(holder) / sizeof(holder.private_[0]); i++)
		*(volatile uint64_t *)&holder.private_[i] = 0; /* seen, unlike memset() */
	pthread_join(neighbour, NULL);
}
END_TEST

/* The reverse: what a holder wrote into its request before it locked, on the
 * fast path, is seen by the neighbour who then reads it there. */
static atomic_bool holder_is_in;

static void *come_later(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&holder_is_in, memory_order_relaxed))
		sched_yield();
	must(rangelock_trywrlock(&lock, &other, 5, 15) == EBUSY);
	return NULL;
}

START_TEST(a_fast_holders_range_is_seen_by_the_next)
{
	pthread_t neighbour;

	atomic_store(&holder_is_in, false);
	ck_assert_int_eq(pthread_create(&neighbour, NULL, come_later, NULL), 0);
	must(rangelock_wrlock(&lock, &holder, 0, 10) == 0);
	atomic_store_explicit(&holder_is_in, true, memory_order_relaxed);
	pthread_join(neighbour, NULL);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

/* A blocking call returns with the range, never without: a full house of
 * conflicting blocking writers leaves no one out. */
static uint64_t counter;

static void *count_up(void *arg)
{
	for (uint64_t i = 0; i < scaled(20000); i++) {
		struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
		uint64_t start = (uintptr_t)arg;

		must(rangelock_wrlock(&lock, &req, start, 8) == 0);
		counter++;
		must(rangelock_unlock(&lock, &req) == 0);
	}
	return NULL;
}

START_TEST(blocking_writers_never_meet)
{
	uintptr_t n = _i ? 4 : 2; /* as many as the processors, or more */
	pthread_t threads[4];

	counter = 0;
	for (uintptr_t i = 0; i < n; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, (void *)i), 0);
	for (uintptr_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	ck_assert(counter == n * scaled(20000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue");
	TCase *tc = tcase_create("queue");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_tree_test(tc, a_reader_does_not_overtake_a_waiting_writer);
	add_tree_test(tc, writers_are_granted_in_order_of_arrival);
	add_tree_test(tc, arrivals_are_counted_beyond_32_bits);
	add_tree_test(tc, neighbouring_readers_are_granted_together);
	add_tree_test(tc, a_disjoint_request_is_not_held_up_by_the_queue);
	add_tree_test(tc, a_wide_writer_waits_only_for_those_before_it);
	if (!ON_LIST)
		tcase_add_loop_test(
		    tc, who_queued_behind_one_that_left_is_granted_as_if_it_had_never_been, 0, 2);
	tcase_add_loop_test(tc, a_reader_that_leaves_grants_no_reader_against_the_active_writer, 0,
			    2);
	if (!ON_LIST)
		tcase_add_loop_test(tc, a_writer_that_leaves_changes_nothing_for_those_before_it, 0,
				    2);
	tcase_add_test(tc, several_leave_at_once_and_the_rest_go_on);
	add_tree_test(tc, cancel_comes_too_late_once_granted);
	tcase_add_test(tc, cancel_on_the_wrong_lock_is_refused);
	tcase_add_test(tc, a_late_cancel_does_not_reach_into_another_lock);
	tcase_add_loop_test(tc, what_can_be_had_at_once_is_had_whatever_abstime_says, 0, 8);
	tcase_add_loop_test(tc, an_unsound_abstime_is_refused_where_the_call_has_to_wait, 0, 3);
	tcase_add_test(tc, a_time_that_has_passed_times_out);
	tcase_add_test(tc, the_deadline_is_kept);
	tcase_add_test(tc, signals_do_not_end_a_wait);
	tcase_add_test(tc, another_thread_may_unlock);
	add_tree_test(tc, a_request_carries_nothing_from_one_lock_to_the_next);
	tcase_add_test(tc, an_unlocked_request_is_its_owners_alone);
	tcase_add_test(tc, a_fast_holders_range_is_seen_by_the_next);
	tcase_add_loop_test(tc, blocking_writers_never_meet, 0, 2);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
