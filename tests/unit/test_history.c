/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judge of rangelock-stress, on histories written by hand.  For each rule:
 * one that is right, at the edge, and one that is wrong by 1 ns or 1 unit.
 */
#include <errno.h>
#include <string.h>

#include "common/random.h"
#include "stress/history.h"
#include "support/suite.h"

static const enum call R = CALL_RDLOCK, W = CALL_WRLOCK;
static const int64_t S = 1000000000;

static struct history h;
static struct verdict verdict;

static void setup(void)
{
	ck_assert(history_init(&h, 4, true));
	verdict = (struct verdict){ 0 };
}

static void teardown(void)
{
	history_free(&h);
}

static struct life *call(unsigned who, unsigned slot, enum call call, unsigned start, unsigned end,
			 int64_t called, int64_t returned, int result)
{
	struct span span = { start, end, call & 1 ? RANGELOCK_WRITE : RANGELOCK_READ };
	struct life *life = log_life(&h.logs[who], who, slot, call, &span);

	life->called = called;
	life->returned = life->gone = returned;
	life->result = (uint8_t)result;
	return life;
}

/* Granted, and unlocked from `dropped` to `gone`. */
static struct life *hold(unsigned who, enum call c, unsigned start, unsigned end, int64_t called,
			 int64_t returned, int64_t dropped, int64_t gone)
{
	struct life *life = call(who, 0, c, start, end, called, returned, 0);

	life->dropped = dropped;
	life->gone = gone;
	return life;
}

static void see(unsigned picture, unsigned who, int64_t began, int64_t ended, uint64_t arrival)
{
	h.sightings.all[h.sightings.n++] = (struct event){ .began = began,
							   .ended = ended,
							   .arrival = arrival,
							   .picture = picture,
							   .who = (uint16_t)who };
}

static void cancel(unsigned who, unsigned slot, int64_t began, int64_t ended)
{
	h.cancels.all[h.cancels.n++] = (struct event){
		.began = began, .ended = ended, .who = (uint16_t)who, .slot = (uint16_t)slot
	};
}

static void is_right(void)
{
	verdict = (struct verdict){ 0 };
	history_judge(&h, &verdict);
	ck_assert_str_eq(verdict.fault, "");
	history_clear(&h);
}

/* Each of the words, up to NULL, is in the report. */
static void is_wrong(const char *words[])
{
	verdict = (struct verdict){ 0 };
	history_judge(&h, &verdict);
	for (; *words; words++)
		ck_assert_msg(strstr(verdict.fault, *words), "'%s' is not in: %s", *words,
			      verdict.fault);
	history_clear(&h);
}
#define IS_WRONG(...) is_wrong((const char *[]){ __VA_ARGS__, NULL })

START_TEST(an_empty_history_is_right)
{
	is_right();
}
END_TEST

START_TEST(conflicting_requests_are_not_held_together)
{
	/* The one is dropped when the other is granted; unlock returns much later. */
	hold(0, W, 0, 4, 0, 10, 1000, 5000);
	hold(1, W, 3, 8, 5, 1000, 2000, 2010);
	is_right();
	hold(0, W, 0, 4, 0, 10, 1001, 5000);
	hold(1, W, 3, 8, 5, 1000, 2000, 2010);
	IS_WRONG("exclusion:", "thread 0: wrlock [0, 4) called at 0.000 us",
		 "unlocked by thread 0 from 1.001 to 5.000",
		 "thread 1: wrlock [3, 8) called at 0.005 us, answered 0 at 1.000");

	/* Granted together, the one for no time at all. */
	for (unsigned who = 0; who < 2; who++) {
		hold(who, W, 0, 4, 0, 500, 600, 610);
		hold(1 - who, W, 0, 4, 0, 500, 500, 510);
		is_right();
	}

	/* A reader that is held for no time at all, within a writer's hold. */
	hold(0, W, 0, 4, 0, 10, 1000, 1010);
	hold(2, R, 3, 4, 5, 500, 500, 510);
	IS_WRONG("exclusion:", "thread 2: rdlock [3, 4)");

	/* One that began long ago, with others since. */
	hold(0, W, 0, 4, 0, 10, 1000, 1010);
	hold(1, W, 8, 9, 20, 30, 40, 50);
	hold(1, W, 8, 9, 60, 70, 80, 90);
	hold(2, R, 3, 4, 100, 110, 120, 130);
	IS_WRONG("exclusion:", "thread 0: wrlock [0, 4)", "thread 2: rdlock [3, 4)");
}
END_TEST

START_TEST(readers_and_neighbours_are_held_together)
{
	hold(0, R, 0, 4, 0, 10, 1000, 1010);
	hold(1, R, 3, 8, 5, 20, 2000, 2010);
	hold(2, W, 8, 9, 5, 30, 2000, 2010);
	is_right();
	hold(0, R, 0, 4, 0, 10, 1000, 1010);
	hold(1, R, 3, 9, 5, 20, 2000, 2010);
	hold(2, W, 8, 9, 5, 30, 2000, 2010);
	IS_WRONG("exclusion:", "thread 1: rdlock [3, 9)", "thread 2: wrlock [8, 9)");
}
END_TEST

/* A failed call, and who was there: the holder's life from `called` to `gone`. */
static void try_beside(enum call c, int result, int64_t called, int64_t returned, int64_t deadline,
		       int64_t holder_called, int64_t holder_gone)
{
	hold(0, W, 0, 4, holder_called, holder_called + 1, holder_gone - 1, holder_gone);
	call(1, 0, c, 3, 5, called, returned, result)->deadline = deadline;
}

START_TEST(a_try_fails_only_if_somebody_was_in_the_way)
{
	try_beside(CALL_TRYRDLOCK, EBUSY, 2000, 2010, 0, 1000, 2000);
	is_right();
	try_beside(CALL_TRYRDLOCK, EBUSY, 2001, 2010, 0, 1000, 2000);
	IS_WRONG("false conflict:", "thread 1: tryrdlock [3, 5) called at 1.001 us",
		 "answered EBUSY at 1.010");
	try_beside(CALL_TRYRDLOCK, EBUSY, 2000, 2010, 0, 2010, 2100);
	is_right();
	try_beside(CALL_TRYRDLOCK, EBUSY, 2000, 2010, 0, 2011, 2100);
	IS_WRONG("false conflict:", "thread 1: tryrdlock");
}
END_TEST

START_TEST(who_is_no_excuse_for_a_try)
{
	/* Two that touch; two readers. */
	hold(0, W, 0, 3, 0, 1, 5000, 5001);
	hold(2, R, 0, 9, 0, 1, 5000, 5001);
	call(1, 0, CALL_TRYRDLOCK, 3, 5, 2000, 2010, EBUSY);
	IS_WRONG("false conflict:", "thread 1");
	/* Two tries that meet: one must succeed. */
	call(0, 0, CALL_TRYWRLOCK, 3, 5, 1000, 3000, EBUSY);
	call(1, 0, CALL_TRYWRLOCK, 3, 5, 2000, 2010, EBUSY);
	IS_WRONG("false conflict:", "thread 0");
	/* One that waited in vain, and one's own other request, are excuses. */
	call(0, 0, CALL_TIMEDWRLOCK, 3, 5, 1000, 3000, ECANCELED);
	cancel(0, 0, 1500, 1600);
	call(1, 0, CALL_TRYWRLOCK, 3, 5, 2000, 2010, EBUSY);
	is_right();
	hold(1, R, 3, 5, 1000, 1001, 3000, 3001);
	call(1, 1, CALL_TRYWRLOCK, 3, 5, 2000, 2010, EBUSY);
	is_right();
}
END_TEST

START_TEST(a_time_out_comes_at_its_time_and_for_a_reason)
{
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3000, 3000, 1000, 5000);
	is_right();
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3000, 3001, 1000, 5000);
	IS_WRONG("time-out: 0.001 us before the deadline", "thread 1: timedwrlock [3, 5)");
	/* Somebody must be in the way at the deadline; later is not seen exactly. */
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3010, 3000, 1000, 3000);
	is_right();
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3010, 3000, 1000, 2999);
	IS_WRONG("false conflict: nothing was in the way from 2.000 us", "thread 1");
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3010, 3000, 2100, 3000);
	is_right();
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3010, 3000, 2100, 2999);
	IS_WRONG("false conflict:", "thread 1");
	/* Where locks poll, their last look may be before the deadline. */
	h.fifo = false;
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3010, 3000, 1000, 2000);
	is_right();
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3010, 3000, 1000, 1999);
	IS_WRONG("false conflict:", "thread 1");
}
END_TEST

START_TEST(a_time_out_is_not_the_fault_of_who_came_later)
{
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 1000, 3010, 3000, 2500, 5000);
	see(1, 1, 1500, 2500, 2);
	is_right();
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 1000, 3010, 3000, 2501, 5000);
	see(1, 1, 1500, 2500, 2);
	IS_WRONG("false conflict:", "thread 1: timedwrlock", "seen in the lock at 1.500");
}
END_TEST

START_TEST(is_locked_says_true_only_if_somebody_held_it)
{
	struct span unit = { 3, 4, RANGELOCK_WRITE };
	const int results[] = { 0, ECANCELED }; /* one who waited did not hold */

	for (int i = 0; i < 2; i++) {
		struct life *life = call(0, 0, R, 0, 4, 1000, 2000, results[i]);
		life->dropped = life->gone = 2000;
		if (results[i])
			cancel(0, 0, 1500, 1500);
		life = log_life(&h.logs[4], 4, 0, CALL_IS_LOCKED, &unit);
		life->called = 2000;
		life->returned = life->gone = 2010;
		life->result = EBUSY;
		if (results[i])
			IS_WRONG("is_locked: nobody can have held unit 3", "thread 4", "true");
		else
			is_right();
	}
}
END_TEST

/* Thread 0 holds; 1 waits behind it and is seen; 2 comes later, and is granted
 * before 1.  From `later` on it calls. */
static void overtake(int64_t later, int64_t granted, int64_t first_returned, int result)
{
	hold(0, W, 0, 4, 0, 10, 3000, 3010);
	struct life *first = hold(1, R, 2, 9, 100, first_returned, 9000, 9010);
	first->result = (uint8_t)result;
	hold(2, W, 8, 9, later, granted, granted, granted + 1);
	see(1, 1, 200, 300, 7);
}

START_TEST(nobody_overtakes_one_who_was_seen_waiting)
{
	overtake(300, 3999, 4000, 0); /* may have arrived before the walk */
	is_right();
	overtake(301, 3999, 4000, 0);
	IS_WRONG("fifo:", "thread 1: rdlock [2, 9) called at 0.100 us", "seen in the lock at 0.300",
		 "thread 2: wrlock [8, 9) called at 0.301 us, answered 0 at 3.999");
	overtake(301, 301, 4000, 0); /* at once */
	IS_WRONG("fifo:");
	overtake(301, 3999, 4000, 0); /* seen once more: the first time counts */
	see(2, 1, 310, 320, 7);
	IS_WRONG("fifo:");
	overtake(301, 4000, 4000, 0); /* at the same time, for no time */
	is_right();
	overtake(301, 3999, 4000, 0); /* neighbours */
	h.logs[2].lives[0].start = h.logs[2].lives[0].may_start = 9;
	h.logs[2].lives[0].end = h.logs[2].lives[0].may_end = 10;
	is_right();
	overtake(301, 3999, 4000, ECANCELED); /* the first may have left before */
	cancel(1, 0, 3500, 3600);
	is_right();
}
END_TEST

START_TEST(a_walk_counts_only_if_it_fell_into_the_call)
{
	for (int late = 0; late < 2; late++) {
		hold(0, W, 0, 4, 0, 10, 3000, 3010);
		hold(1, R, 2, 9, 200 + late, 4000, 9000, 9010);
		hold(2, W, 8, 9, 301, 3999, 3999, 4000);
		see(1, 1, 200, 300, 7);
		if (late)
			is_right();
		else
			IS_WRONG("fifo:");
	}
	/* Another request of the same thread. */
	overtake(301, 3999, 4000, 0);
	h.sightings.all[0].slot = 1;
	is_right();
}
END_TEST

/* Thread 1 and thread 2, shown by one walk with these arrivals. */
static void show_both(uint64_t arrival, uint64_t other_arrival, int64_t returned,
		      int64_t other_returned)
{
	hold(0, W, 0, 4, 0, 10, 3000, 3010);
	hold(1, W, 2, 4, 100, returned, 5000, 5010);
	hold(2, R, 3, 4, 100, other_returned, other_returned, 3610);
	see(1, 1, 200, 300, arrival);
	see(1, 2, 200, 300, other_arrival);
}

START_TEST(those_shown_together_are_granted_in_order)
{
	show_both(9, 8, 4000, 3500);
	is_right();
	show_both(7, 8, 4000, 3500);
	IS_WRONG("fifo:", "arrival 8", "(7)", "thread 1: wrlock", "thread 2: rdlock");
	show_both(7, 8, 4000, 300); /* when the walk had just ended */
	IS_WRONG("fifo:");
	show_both(7, 8, 4000, 4000); /* at the same time, for no time */
	is_right();

	/* One of them gave up; numbers of two pictures do not compare; not FIFO. */
	for (unsigned who = 1; who <= 2; who++) {
		show_both(7, 8, 4000, 3500);
		h.logs[who].lives[0].result = ECANCELED;
		cancel(who, 0, 3500, 3500);
		is_right();
	}
	show_both(7, 8, 4000, 3500);
	h.sightings.all[1].picture = 2;
	is_right();
	h.fifo = false;
	show_both(7, 8, 4000, 3500);
	is_right();
}
END_TEST

/* Who arrives may pass; of two that wait the earlier is granted first. */
START_TEST(with_barging_those_that_wait_keep_their_order)
{
	h.fifo = false;
	h.barging = true;
	for (unsigned held = 0; held < 3; held++) {
		show_both(7, 8, 4000, 3500);
		for (unsigned i = 0; i < 2; i++)
			h.sightings.all[i].waits = i + 1 != held;
		if (held)
			is_right();
		else
			IS_WRONG("fifo:", "arrival 8", "(7)");
	}
	overtake(301, 3999, 4000, 0); /* it came, and passed */
	is_right();
	ck_assert_uint_eq(verdict.max_bypass, 1);

	/* It waits in a queue, and decides after the deadline. */
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3010, 3000, 1000, 3000);
	is_right();
	try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 2000, 3010, 3000, 1000, 2999);
	IS_WRONG("false conflict:", "thread 1");
}
END_TEST

static void overtake_often(int64_t n)
{
	hold(0, W, 0, 4, 0, 10, 101 + 2 * n, 102 + 2 * n);
	hold(1, W, 0, 4, 20, 110 + 2 * n, 120 + 2 * n, 121 + 2 * n);
	see(1, 1, 30, 40, 2);
	for (int64_t i = 0; i < n; i++)
		hold(2, R, 3, 4, 100 + 2 * i, 100 + 2 * i, 101 + 2 * i, 101 + 2 * i);
	h.logs[0].lives[0].end = 1;
}

START_TEST(the_bypass_is_counted_and_bounded)
{
	history_free(&h);
	ck_assert(history_init(&h, 4, false));
	ck_assert_uint_gt(h.logs[2].room, RANGELOCK_MAX_BYPASS);
	overtake_often(RANGELOCK_MAX_BYPASS);
	is_right();
	ck_assert_uint_eq(verdict.max_bypass, RANGELOCK_MAX_BYPASS);
	overtake_often(RANGELOCK_MAX_BYPASS + 1);
	IS_WRONG("bypass:", "overtaken 16385 times", "thread 1: wrlock", "thread 2: rdlock");
}
END_TEST

/* Thread 1 waits for thread 0, which has gone at `gone`; and returns. */
static void grant_late(int64_t gone, int64_t returned)
{
	hold(0, W, 0, 4, 0, 10, gone - 1, gone);
	hold(1, W, 0, 4, 100, returned, returned + 1, returned + 2);
}

START_TEST(a_grant_is_not_late)
{
	grant_late(5 * S, 7 * S);
	is_right();
	grant_late(5 * S, 7 * S + 1);
	IS_WRONG("late grant: nothing was in the way for 2.0 s", "thread 1: wrlock [0, 4)");
	/* Others fill the gap; but not those who only look on, or came later. */
	grant_late(5 * S, 8 * S);
	hold(2, W, 3, 8, 4 * S, 6 * S, 6 * S, 6 * S);
	is_right();
	grant_late(5 * S, 8 * S);
	hold(2, W, 4, 8, 4 * S, 6 * S, 6 * S, 6 * S);
	IS_WRONG("late grant:", "thread 1");
	grant_late(5 * S, 8 * S);
	hold(2, W, 3, 8, 4 * S, 8 * S, 8 * S, 9 * S);
	is_right();
	grant_late(5 * S, 8 * S);
	hold(2, W, 3, 8, 4 * S, 8 * S + 1, 8 * S + 1, 9 * S);
	IS_WRONG("late grant:", "thread 1");
	grant_late(5 * S, 8 * S);
	call(2, 0, CALL_TIMEDWRLOCK, 3, 8, 4 * S, 8 * S + 1, ETIMEDOUT);
	is_right();
	grant_late(5 * S, 8 * S);
	call(2, 0, CALL_TIMEDWRLOCK, 3, 8, 4 * S, 8 * S, ETIMEDOUT);
	see(1, 1, 200, 300, 5);
	IS_WRONG("late grant:", "thread 1");
}
END_TEST

START_TEST(a_hole_in_the_middle_of_a_wait_is_found)
{
	for (int wrong = 0; wrong < 2; wrong++) {
		hold(0, W, 0, 4, 0, 10, S, S);
		hold(1, W, 0, 4, 100, 5 * S, 5 * S, 5 * S);
		hold(2, R, 0, 4, 3 * S + wrong, 4 * S, 4 * S, 5 * S);
		if (wrong)
			IS_WRONG("late grant:", "thread 1: wrlock");
		else
			is_right();
	}
}
END_TEST

START_TEST(one_who_left_early_takes_no_excuse_away)
{
	hold(0, R, 0, 4, 0, 10, 3 * S, 3 * S);
	hold(2, R, 0, 4, 20, 30, 40, 50);
	hold(1, W, 0, 4, 100, 5 * S, 5 * S, 5 * S);
	is_right();
}
END_TEST

/* Two of four threads meet, among calls that are nothing to them, at any time. */
START_TEST(lives_are_judged_in_order)
{
	struct rng rng = rng_make(test_seed(), 0);

	for (unsigned round = 0; round < 1000; round++) {
		unsigned a = (unsigned)rng_below(&rng, 4),
			 b = (a + 1 + (unsigned)rng_below(&rng, 3)) % 4;
		int64_t when = 1000 + (int64_t)rng_below(&rng, 1000);

		for (unsigned who = 0; who < 5; who++) {
			int64_t t = (int64_t)rng_below(&rng, 500);
			bool met = false;

			while (t < 4000) {
				int64_t hold_for = (int64_t)rng_below(&rng, 100);

				if ((who == a || who == b) && !met && t >= when) {
					t = when + 500 + (who == b ? 100 : 0);
					hold(who, W, 9, 10, t, t, t + 101, t + 101);
					t += 101;
					met = true;
				} else {
					hold(who, W, who, who + 1, t, t, t + hold_for,
					     t + hold_for);
					t += hold_for;
				}
				t += 1 + (int64_t)rng_below(&rng, 100);
			}
		}
		IS_WRONG("exclusion:", "[9, 10)");
	}
}
END_TEST

START_TEST(each_cancel_ends_one_call)
{
	for (int wrong = 0; wrong < 2; wrong++) {
		call(1, 2, W, 0, 4, 100, 200, ECANCELED);
		call(1, 2, W, 0, 4, 300, 400, ECANCELED);
		cancel(1, 2, 200 + wrong, 210);
		cancel(1, 2, 290, 300);
		if (wrong)
			IS_WRONG("cancel: answered 0 from 0.101", "request 2 of thread 1");
		else
			is_right();
	}
	call(1, 2, W, 0, 4, 100, 200, ECANCELED);
	cancel(1, 2, 90, 99);
	IS_WRONG("cancel:", "thread 1: wrlock [0, 4)", "answered ECANCELED at 0.100");
}
END_TEST

START_TEST(cancels_and_cancelled_calls_are_as_many)
{
	call(1, 2, W, 0, 4, 100, 200, ECANCELED);
	IS_WRONG("cancel: ECANCELED, and nobody cancelled", "thread 1: wrlock");
	call(1, 2, W, 0, 4, 100, 200, ECANCELED);
	cancel(1, 2, 150, 160);
	cancel(1, 2, 170, 180);
	IS_WRONG("cancel: answered 0 from 0.070", "missing");
	call(1, 1, W, 0, 4, 100, 200, ECANCELED); /* another request */
	cancel(1, 2, 150, 160);
	IS_WRONG("cancel: answered 0", "missing");
}
END_TEST

/* The life of thread 0 until `dropped`, and from a change that was called then. */
static void change(enum call c, unsigned start, unsigned end, enum rangelock_mode mode,
		   int64_t called, int64_t returned)
{
	struct life *old = &h.logs[0].lives[h.logs[0].n - 1];
	struct life *life = hold(0, c, start, end, called, returned, 9000, 9010);

	life->mode = life->may_mode = mode == RANGELOCK_WRITE;
	life->ahead = true;
	old->dropped = mode == RANGELOCK_WRITE ? returned : called;
	old->gone = returned;
}

START_TEST(what_is_changed_is_held_as_it_is_now)
{
	for (int64_t returned = 2000; returned >= 1999; returned--) {
		hold(0, W, 0, 4, 0, 10, 20, 30);
		change(CALL_DOWNGRADE, 0, 4, RANGELOCK_READ, 2000, 2010);
		hold(1, R, 0, 4, 100, returned, 3000, 3010);
		if (returned == 2000)
			is_right();
		else
			IS_WRONG("exclusion:", "thread 1: rdlock [0, 4)");
	}
	for (int64_t dropped = 3000; dropped <= 3001; dropped++) {
		hold(0, R, 0, 4, 0, 10, 20, 30);
		hold(1, R, 0, 4, 100, 200, dropped, 3010);
		change(CALL_UPGRADE, 0, 4, RANGELOCK_WRITE, 2000, 3000);
		if (dropped == 3000)
			is_right();
		else
			IS_WRONG("exclusion:", "thread 0: upgrade [0, 4)");
	}
}
END_TEST

START_TEST(a_request_is_not_in_its_own_way)
{
	for (unsigned slot = 0; slot < 2; slot++) {
		hold(0, R, 0, 4, 0, 10, 5000, 5010)->slot = (uint8_t)slot;
		call(0, 0, CALL_TRYUPGRADE, 0, 4, 100, 200, EBUSY);
		if (slot)
			is_right();
		else
			IS_WRONG("false conflict:", "thread 0: tryupgrade");
	}
}
END_TEST

START_TEST(a_deadlock_takes_two_upgrades)
{
	/* The other one waits until the first has failed, or not. */
	for (int64_t returned = 2000; returned >= 1999; returned--) {
		call(0, 0, CALL_UPGRADE, 0, 4, 1000, returned, ECANCELED);
		cancel(0, 0, 1500, 1600);
		call(1, 0, CALL_UPGRADE, 3, 5, 2000, 2010, EDEADLK);
		if (returned == 2000)
			is_right();
		else
			IS_WRONG("false conflict:", "EDEADLK");
	}
	hold(0, W, 0, 4, 1000, 1010, 3000, 3010);
	call(1, 0, CALL_UPGRADE, 3, 5, 2000, 2010, EDEADLK);
	IS_WRONG("false conflict:", "EDEADLK");
}
END_TEST

START_TEST(those_who_go_ahead_do_not_overtake)
{
	overtake(301, 3999, 4000, 0);
	h.logs[2].lives[0].ahead = true;
	is_right();
	show_both(7, 8, 4000, 3500);
	h.logs[2].lives[0].ahead = true;
	is_right();
	show_both(7, 8, 4000, 3500);
	h.logs[1].lives[0].ahead = true;
	h.sightings.all[0].waits = true;
	IS_WRONG("fifo:");
	/* Shown as held is what it has had before, with the number of that. */
	show_both(7, 8, 4000, 3500);
	h.logs[1].lives[0].ahead = true;
	is_right();
	/* And they are in the way of those who came before. */
	for (unsigned ahead = 0; ahead < 2; ahead++) {
		try_beside(CALL_TIMEDWRLOCK, ETIMEDOUT, 1000, 3010, 3000, 2501, 5000);
		see(1, 1, 1500, 2500, 2);
		h.logs[0].lives[0].ahead = ahead;
		if (ahead)
			is_right();
		else
			IS_WRONG("false conflict:");
	}
}
END_TEST

START_TEST(what_may_have_been_claimed_excuses)
{
	for (unsigned start = 4; start <= 5; start++) {
		struct life *l = hold(0, W, 8, 9, 1000, 1001, 3000, 3001);
		l->may_start = (uint8_t)start;
		call(1, 0, CALL_TRYRDLOCK, 3, 5, 2000, 2010, EBUSY);
		if (start == 4)
			is_right();
		else
			IS_WRONG("false conflict:");
	}
	/* It excludes nobody. */
	hold(0, W, 8, 9, 1000, 1001, 3000, 3001)->may_start = 0;
	hold(1, W, 0, 8, 1000, 1001, 3000, 3001);
	is_right();
}
END_TEST

/* Thread 0 reserves at 1000..1010; it surely stands until `dropped`, and ends at `gone`. */
static struct life *reserve(int64_t dropped, int64_t gone, bool revoked)
{
	struct life *r = hold(0, CALL_RESERVE, 0, 4, 1000, 1010, dropped, gone);

	r->mode = r->may_mode = RANGELOCK_READ;
	r->revoked = revoked;
	return r;
}

START_TEST(a_reservation_that_stands_has_seen_no_write)
{
	reserve(3000, 3010, false);
	hold(1, R, 0, 4, 1500, 1600, 1700, 1800);
	hold(1, W, 4, 8, 1900, 1910, 1920, 1930);
	hold(1, W, 3, 8, 2000, 3000, 3500, 3600); /* granted in the call that ends it */
	is_right();
	reserve(3000, 3010, false);
	hold(1, W, 3, 8, 2000, 2999, 2999, 3600);
	IS_WRONG("exclusion:", "thread 0: reserve [0, 4)", "thread 1: wrlock [3, 8)");
	for (unsigned both = 0; both < 2; both++) { /* two of them */
		struct life *r;

		reserve(3000, 3010, false)->end = 1;
		r = hold(1, CALL_RESERVE, 1 - both, 4, 1500, 1600, 1700, 1800);
		r->mode = r->may_mode = RANGELOCK_READ;
		if (!both)
			is_right();
		else
			IS_WRONG("exclusion:", "thread 1: reserve");
	}
	/* Revoked before its call returned; but not by one who held before that began. */
	for (int64_t returned = 1001; returned >= 1000; returned--) {
		hold(1, W, 0, 4, 900, returned, 2000, 2010);
		reserve(1010, 3010, true);
		if (returned == 1001)
			is_right();
		else
			IS_WRONG("exclusion:", "thread 0: reserve");
	}
}
END_TEST

START_TEST(a_reservation_is_revoked_by_a_write_or_a_cancel)
{
	for (int64_t called = 3010; called <= 3011; called++) {
		reserve(1010, 3010, true);
		hold(1, W, 3, 8, called, called + 1, called + 2, called + 3);
		if (called == 3010)
			is_right();
		else
			IS_WRONG("revocation:", "thread 0: reserve [0, 4)");
	}
	for (int64_t returned = 1000; returned >= 999; returned--) {
		hold(1, W, 3, 8, 100, returned, returned, 1001);
		reserve(1010, 3010, true);
		if (returned == 1000)
			is_right();
		else
			IS_WRONG("revocation:");
	}
	reserve(1010, 3010, true);
	hold(1, R, 3, 8, 2000, 2001, 2002, 2003);
	call(2, 0, CALL_TIMEDWRLOCK, 3, 8, 2000, 2001, ECANCELED);
	cancel(2, 0, 2000, 2000);
	IS_WRONG("revocation:");
	reserve(1010, 3010, true);
	call(0, 0, CALL_COMMIT, 0, 4, 3000, 3010, ECANCELED);
	cancel(0, 0, 3005, 3006);
	is_right();
}
END_TEST

START_TEST(reservations_are_in_the_way_of_reservations_alone)
{
	for (int other = 0; other < 2; other++) {
		reserve(5000, 5010, false);
		call(1, 0, other ? CALL_TRYWRLOCK : CALL_RESERVE, 3, 5, 2000, 2010, EBUSY);
		if (other)
			IS_WRONG("false conflict:", "thread 1: trywrlock");
		else
			is_right();
	}
	hold(0, R, 0, 4, 1000, 1010, 5000, 5010);
	struct life *r = call(1, 0, CALL_RESERVE, 3, 5, 2000, 2010, EBUSY);
	r->mode = r->may_mode = RANGELOCK_READ;
	IS_WRONG("false conflict:", "thread 1: reserve");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("history");
	TCase *tc = tcase_create("history");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_empty_history_is_right);
	tcase_add_test(tc, conflicting_requests_are_not_held_together);
	tcase_add_test(tc, readers_and_neighbours_are_held_together);
	tcase_add_test(tc, a_try_fails_only_if_somebody_was_in_the_way);
	tcase_add_test(tc, who_is_no_excuse_for_a_try);
	tcase_add_test(tc, a_time_out_comes_at_its_time_and_for_a_reason);
	tcase_add_test(tc, a_time_out_is_not_the_fault_of_who_came_later);
	tcase_add_test(tc, is_locked_says_true_only_if_somebody_held_it);
	tcase_add_test(tc, nobody_overtakes_one_who_was_seen_waiting);
	tcase_add_test(tc, a_walk_counts_only_if_it_fell_into_the_call);
	tcase_add_test(tc, those_shown_together_are_granted_in_order);
	tcase_add_test(tc, with_barging_those_that_wait_keep_their_order);
	tcase_add_test(tc, the_bypass_is_counted_and_bounded);
	tcase_add_test(tc, a_grant_is_not_late);
	tcase_add_test(tc, a_hole_in_the_middle_of_a_wait_is_found);
	tcase_add_test(tc, one_who_left_early_takes_no_excuse_away);
	tcase_add_test(tc, lives_are_judged_in_order);
	tcase_add_test(tc, each_cancel_ends_one_call);
	tcase_add_test(tc, cancels_and_cancelled_calls_are_as_many);
	tcase_add_test(tc, what_is_changed_is_held_as_it_is_now);
	tcase_add_test(tc, a_request_is_not_in_its_own_way);
	tcase_add_test(tc, a_deadlock_takes_two_upgrades);
	tcase_add_test(tc, those_who_go_ahead_do_not_overtake);
	tcase_add_test(tc, what_may_have_been_claimed_excuses);
	tcase_add_test(tc, a_reservation_that_stands_has_seen_no_write);
	tcase_add_test(tc, a_reservation_is_revoked_by_a_write_or_a_cancel);
	tcase_add_test(tc, reservations_are_in_the_way_of_reservations_alone);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
