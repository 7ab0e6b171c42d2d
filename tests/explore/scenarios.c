/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios by hand, one for each interplay of the contract.  Thread i uses
 * requests 2i and 2i + 1; what setup takes is request 7.
 */
#include "explore/scenarios.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "explore/oracle.h"
#include "front/word.h"
#include "list/chain.h"
#include "support/fiber.h"
#include "wait/wait.h"

enum { HELD = 7 };

static void hold_first(void)
{
	o_setup();
	o_take(HELD, WR(0, 2));
}

static void hold_read(void)
{
	o_setup();
	o_take(HELD, RD(0, 2));
}

/* Two strangers: the second inflates the word, or not. */
static void neighbours(unsigned i)
{
	o_visit(2 * i, i ? WR(1, 2) : WR(0, 1));
}

static void rivals(unsigned i)
{
	o_visit(2 * i, i ? RD(1, 3) : WR(0, 2));
}

/* The holder in the word leaves, from another thread, while one arrives. */
static void leave_and_arrive(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else
		o_visit(2 * i, i == 1 ? WR(1, 3) : RD(0, 1));
}

/* One that gives up, or is asked to, while it is granted. */
static void time_out_and_grant(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else
		o_visit(2 * i, i == 1 ? TIMED_WR(0, 1) : RD(0, 2));
}

static void cancel_and_grant(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_visit(2, WR(0, 1));
	else
		o_cancel(2);
}

/* Whoever was canceled has its request back, and uses it anew. */
static void cancel_and_again(unsigned i)
{
	cancel_and_grant(i);
	if (i == 1)
		o_visit(2, WR(1, 2));
}

static void cancel_and_time_out(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_visit(2, TIMED_WR(0, 1));
	else
		o_cancel(2);
}

static void two_cancels(unsigned i)
{
	if (i == 0) {
		o_visit(0, RD(0, 1));
	} else {
		o_cancel(0);
		if (i == 1)
			o_drop(HELD);
	}
}

/* A reader that gives up has not been counted by the readers behind it. */
static bool both_wait(void)
{
	return o_waits(2) && o_waits(4);
}

static void reader_gives_up(unsigned i)
{
	if (i == 0) {
		explore_wait(both_wait);
		o_cancel(2);
		o_use(HELD);
		o_drop(HELD);
	} else {
		o_visit(2 * i, RD(0, 2));
	}
}

/* Of two tries that meet one gets it: o_check() looks at the excuses. */
static void two_tries(unsigned i)
{
	o_visit(2 * i, i ? TRY_RD(0, 1) : TRY_WR(0, 2));
}

static void tries_beside_a_holder(unsigned i)
{
	o_visit(2 * i, i ? TRY_WR(2, 3) : TRY_RD(1, 4));
}

static void drop_and_check(void)
{
	o_drop(HELD);
	o_check();
}

/* Whoever has been granted may free its request, and the last one the lock, at
 * once: those who granted it touch neither any more. */
static void forget(unsigned req)
{
	explore_free(&o_reqs[req], sizeof(o_reqs[req]));
}

static void granted_and_gone(unsigned i)
{
	if (i == 0) {
		o_drop(HELD);
	} else if (o_visit(2 * i, RD(i - 1, 2)) == 0) {
		forget(2 * i);
	}
}

static bool waiter_waits(void)
{
	return o_waits(2);
}

static void last_one_destroys(unsigned i)
{
	if (i == 0) {
		explore_wait(waiter_waits); /* else it would not be the last */
		o_drop(HELD);
	} else {
		o_visit(2, WR(0, 1));
		forget(2);
		if (rangelock_destroy(&o_lock))
			explore_fail("destroy: the last one cannot");
		o_bury();
	}
}

/* While all were on their way out through the fast path. */
static _Atomic uint32_t gone;

static void last_out_setup(void)
{
	o_setup();
	rl_store(&gone, 0, relaxed);
	o_take(HELD, WR(0, 1));
	o_take(6, WR(1, 2));
}

static void last_out_destroys(unsigned i)
{
	o_drop(i ? HELD : 6);
	forget(i ? HELD : 6);
	/* An unlock must have returned before destroy is called, but that of one
	 * whose unlock made the lock empty. */
	if (rl_exchange(&gone, 1, acq_rel) == 0)
		return;
	if (rangelock_destroy(&o_lock))
		explore_fail("destroy: the last one cannot");
	o_bury();
}

/* An unlock makes the lock idle, whereupon another thread destroys it and gives its memory
 * up, though the unlock has not returned. */
static bool visitor_left;

static void destroyed_setup(void)
{
	hold_first();
	visitor_left = false;
}

NOT_FOR_TSAN static void leave(void)
{
	visitor_left = true;
}

NOT_FOR_TSAN static bool idle_and_left(void)
{
	return visitor_left && o_idle();
}

static void destroyed_behind_unlock(unsigned i)
{
	if (i == 0) {
		o_drop(HELD);
	} else if (i == 1) {
		o_visit(2, TRY_WR(1, 3));
		leave();
	} else {
		explore_wait(idle_and_left);
		if (rangelock_destroy(&o_lock))
			explore_fail("destroy: an idle lock cannot be");
		o_bury();
	}
}

/* The same, while somebody waits behind what is unlocked, whom it has to wake. */
static void destroyed_behind_release(unsigned i)
{
	if (i == 1) {
		o_visit(2, TIMED_WR(0, 1));
		leave();
	} else {
		destroyed_behind_unlock(i);
	}
}

/* A handle is handed on, and unlocked by the one who got it. */
static _Atomic uint32_t handed;

static void hand_setup(void)
{
	o_setup();
	rl_store(&handed, 0, relaxed);
}

static void hand_on(unsigned i)
{
	if (i == 0) {
		if (o_take(0, WR(0, 2)) == 0)
			rl_store(&handed, 1, release);
	} else if (i == 1) {
		if (rl_load(&handed, acquire)) {
			o_use(0);
			o_drop(0);
		} else {
			o_visit(2, TRY_WR(1, 2));
		}
	} else {
		o_visit(4, TIMED_RD(0, 1));
	}
}

static void hand_check(void)
{
	if (rangelock_is_locked(&o_lock, 0, 2, RANGELOCK_WRITE)) /* nobody came for it */
		o_drop(0);
	o_check();
}

/* A request is used again, for another range, while somebody reads its address in
 * the word. */
static void used_again(unsigned i)
{
	if (i == 0) {
		o_visit(0, WR(0, 1));
		o_visit(0, WR(2, 3));
	} else {
		o_visit(2, TRY_WR(0, 1));
	}
}

/* A crowd on the short mutex, none of whom conflict. */
static void crowd(unsigned i)
{
	o_visit(2 * i, WR(i, i + 1));
}

static void looker(unsigned i)
{
	if (i == 0)
		o_visit(0, WR(0, 1));
	else
		o_look(0);
}

/* The same while a stranger is about: who holds is seen all the time. */
static void looker_beside(unsigned i)
{
	if (i == 0)
		o_look(0);
	else
		o_visit(2, WR(2, 3));
}

/* How long to spin: alone, some rounds, but not for ever; not at all where as many go
 * first as there are processors; and for the short mutex but a little. */
static _Atomic uint32_t park;
static bool spun;

static void spin_setup(void)
{
	hold_first();
	rl_store(&park, PARK_WAITING, relaxed);
	spun = false;
}

NOT_FOR_TSAN static bool has_spun(void)
{
	return spun;
}

NOT_FOR_TSAN static void tell_spun(void)
{
	spun = true;
}

static unsigned steps_to_park(uint32_t crowd)
{
	static const struct timespec some_time = { 1, 0 };
	unsigned begin = explore_now();

	rl_store(&park, PARK_WAITING, relaxed);
	explore_assert(rl_park(&park, crowd, &some_time) == PARK_TIMED_OUT);
	return explore_now() - begin;
}

static void spin_and_park(unsigned i)
{
	enum { STEPS_PER_ROUND = 2, BESIDE = 20 };

	if (i == 1) {
		explore_wait(has_spun);
		o_drop(HELD);
		return;
	}
	for (int k = 0; k < 3; k++) {
		unsigned steps = steps_to_park(1);

		explore_assert(steps > STEPS_PER_ROUND * 10);
		explore_assert(steps < STEPS_PER_ROUND * 1000 + BESIDE);
	}
	explore_assert(steps_to_park(2) < BESIDE);

	/* One who holds, one who waits: as many as the processors are before the next. */
	unsigned begin = explore_now();
	o_visit(0, TIMED_RD(0, 1));
	explore_assert(explore_now() - begin > STEPS_PER_ROUND * 10);
	o_take(1, WR(2, 4));
	begin = explore_now();
	o_visit(0, TIMED_WR(0, 3));
	explore_assert(explore_now() - begin < 2 * BESIDE);
	o_drop(1);
	tell_spun();
}

/* One who stays inside until another sleeps for the short mutex. */
NOT_FOR_TSAN static bool mutex_is_slept_on(void)
{
	return (*(volatile uintptr_t *)&to_lock(&o_lock)->word & (WORD_FAST | WORD_CONTENDED)) ==
	       WORD_CONTENDED;
}

static bool inside;

static void stay_setup(void)
{
	hold_first();
	inside = false;
}

NOT_FOR_TSAN static bool is_inside(void)
{
	return inside;
}

NOT_FOR_TSAN static int stay(const struct rangelock_info *info, void *arg)
{
	(void)info, (void)arg;
	inside = true;
	explore_wait(mutex_is_slept_on);
	return 0;
}

static void spin_for_the_mutex(unsigned i)
{
	if (i == 0) {
		rangelock_walk(&o_lock, stay, NULL);
	} else {
		explore_wait(is_inside);
		o_cancel(HELD);
	}
}

/* A cancel that comes too late finds the request in use on another lock. */
static struct rangelock elsewhere;

static void wander_setup(void)
{
	static const struct rangelock fresh = RANGELOCK_INITIALIZER;

	hold_first();
	elsewhere = fresh;
	explore_name(&elsewhere, sizeof(elsewhere), "elsewhere");
	rangelock_wrlock(&elsewhere, &o_reqs[6], 0, 1);
}

static void wander(unsigned i)
{
	if (i == 0) {
		o_drop(HELD);
		o_cancel(2);
	} else if (i == 1) {
		o_visit(2, WR(0, 1));
		if (rangelock_rdlock(&elsewhere, &o_reqs[2], 0, 2))
			explore_fail("answer: the other lock");
		rangelock_unlock(&elsewhere, &o_reqs[2]);
	} else {
		rangelock_unlock(&elsewhere, &o_reqs[6]);
	}
}

/* The last one to leave destroys the lock, and makes it anew. */
static void anew_setup(void)
{
	o_setup();
	rl_store(&gone, 0, relaxed);
}

static void made_anew(unsigned i)
{
	o_visit(2 * i, i ? TRY_WR(0, 1) : WR(0, 2));
	if (rl_exchange(&gone, 1, acq_rel) == 0)
		return;
	if (rangelock_destroy(&o_lock) || rangelock_init(&o_lock, NULL))
		explore_fail("destroy: the last one cannot make it anew");
	o_visit(2 * i, WR(0, 1));
}

static void wide_and_narrow(unsigned i)
{
	o_visit(2 * i, i == 0 ? WR(0, 4) : i == 1 ? RD(0, 1) : RD(3, 4));
}

/* ---- Beyond lock and unlock ---- */

static void downgrade(unsigned i)
{
	if (i == 0) {
		o_downgrade(HELD);
		o_use(HELD);
		o_drop(HELD);
	} else {
		o_visit(2 * i, i == 1 ? RD(0, 1) : WR(1, 3));
	}
}

/* Two readers that both want to write: one is told so, and lets the other. */
static void upgrades(unsigned i)
{
	if (i == 2) {
		o_visit(4, WR(0, 3));
		return;
	}
	o_take(2 * i, RD(0, 2));
	if (o_upgrade(2 * i) == 0)
		o_use(2 * i);
	o_drop(2 * i);
}

static void upgrade_and_cancel(unsigned i)
{
	if (i == 0) {
		if (o_upgrade(HELD) == 0)
			o_use(HELD);
		o_drop(HELD);
	} else if (i == 1) {
		o_visit(2, RD(0, 1));
	} else {
		o_cancel(HELD);
	}
}

static void try_upgrades(unsigned i)
{
	if (i == 2) {
		o_visit(4, TRY_WR(0, 1));
		return;
	}
	o_take(2 * i, RD(0, 2));
	if (o_try_upgrade(2 * i) == 0)
		o_use(2 * i);
	o_drop(2 * i);
}

/* The deadlock that nested reads are for: a writer waits between two reads. */
static void nested(unsigned i)
{
	if (i == 0) {
		o_visit_nested(0, HELD, 1, 3);
		o_drop(HELD);
	} else {
		o_visit(2 * i, i == 1 ? WR(0, 2) : RD(2, 3));
	}
}

/* A nested read, a write that is held, and an upgrade behind it. */
static void nested_setup(void)
{
	o_setup();
	o_take(HELD, RD(0, 1));
	o_take(6, WR(1, 2));
}

static void nested_and_upgrade(unsigned i)
{
	if (i == 0) {
		o_visit_nested(0, HELD, 0, 3);
		o_drop(HELD);
	} else if (i == 1) {
		o_use(6);
		o_drop(6);
	} else if (o_take(4, RD(2, 3)) == 0) {
		if (o_upgrade(4) == 0)
			o_use(4);
		o_drop(4);
	}
}

static void reduce_and_split(unsigned i)
{
	if (i == 0) {
		o_split(HELD, 1, 0);
		o_use(0);
		o_drop(HELD);
		o_drop(0);
	} else if (i == 1) {
		o_visit(2, WR(0, 1));
	} else {
		o_visit(4, RD(1, 3));
	}
}

static void reduce(unsigned i)
{
	if (i == 0) {
		o_reduce(HELD, 1, 2);
		o_use(HELD);
		o_drop(HELD);
	} else {
		o_visit(2 * i, i == 1 ? WR(0, 1) : RD(0, 2));
	}
}

static void extend(unsigned i)
{
	if (i == 0) {
		o_try_extend(HELD, 0, 4);
		o_use(HELD);
		o_drop(HELD);
	} else {
		o_visit(2 * i, i == 1 ? TRY_WR(2, 3) : RD(3, 4));
	}
}

/* Of those who read the same and meet one gets to write, and each other is told. */
static unsigned n_upgraded;

static void readers_setup(void)
{
	o_setup();
	for (unsigned i = 0; i < 3; i++)
		o_take(2 * i, RD(i, 4));
	n_upgraded = 0;
}

static void two_readers_setup(void)
{
	readers_setup();
	o_drop(4);
}

NOT_FOR_TSAN static void count_upgrade(void)
{
	n_upgraded++;
}

static void one_of_the_upgrades(unsigned i)
{
	int error = o_upgrade(2 * i);

	if (error == 0) {
		o_use(2 * i);
		count_upgrade();
	} else {
		explore_assert(error == EDEADLK);
	}
	o_drop(2 * i);
}

/* The same beside one who only reads, whose leaving wakes one that waits. */
static void upgrades_beside_a_reader(unsigned i)
{
	if (i == 2)
		o_drop(0);
	else
		one_of_the_upgrades(i + 1);
}

NOT_FOR_TSAN static void one_upgrade_check(void)
{
	explore_assert(n_upgraded == 1);
	o_check();
}

/* Who tries meanwhile may fail, or be first, and is no reason not to have it. */
static void upgrade_and_tries(unsigned i)
{
	if (i == 0) {
		explore_assert(o_upgrade(HELD) == 0);
		o_use(HELD);
		o_drop(HELD);
	} else {
		o_visit(2 * i, i == 1 ? TRY_RD(0, 1) : TRY_WR(1, 3));
	}
}

static void nested_and_tries(unsigned i)
{
	if (i == 0) {
		o_visit_nested(0, HELD, 1, 3);
		o_drop(HELD);
	} else {
		o_visit(2 * i, i == 1 ? TRY_WR(2, 3) : WR(1, 4));
	}
}

/* A nested read passes the upgrade of what it is nested in, which waits for another. */
static void two_reads_setup(void)
{
	hold_read();
	o_take(6, RD(0, 1));
}

static void nested_in_an_upgrade(unsigned i)
{
	if (i == 0) {
		explore_assert(o_upgrade(HELD) == 0);
		o_use(HELD);
		o_drop(HELD);
	} else if (i == 1) {
		o_visit_nested(2, HELD, 0, 2);
		o_drop(6);
	} else {
		o_visit(4, TIMED_WR(1, 3));
	}
}

/* What is kept is never free, in however many steps the rest goes. */
static void shrink_in_steps(unsigned i)
{
	if (i == 0) {
		o_downgrade(HELD);
		o_reduce(HELD, 1, 2);
		o_use(HELD);
		o_drop(HELD);
	} else {
		o_visit(2 * i, i == 1 ? TRY_WR(1, 2) : WR(0, 2));
	}
}

/* One that waits, for one part or the other, gives up meanwhile. */
static void split_and_give_up(unsigned i)
{
	if (i == 0) {
		o_split(HELD, 1, 0);
		o_drop(HELD);
		o_reduce(0, 1, 2);
		o_drop(0);
	} else {
		o_visit(2 * i, i == 1 ? TIMED_WR(1, 3) : TIMED_RD(0, 2));
	}
}

/* Two grow towards each other: one gets what is between. */
static unsigned n_tried, n_grown;

static void gap_setup(void)
{
	o_setup();
	o_take(6, WR(0, 1));
	o_take(HELD, WR(3, 4));
	n_tried = n_grown = 0;
}

NOT_FOR_TSAN static void count_growth(int error)
{
	n_tried++;
	n_grown += !error;
}

NOT_FOR_TSAN static bool both_have_tried(void)
{
	return n_tried == 2;
}

static void grow_into_a_gap(unsigned i)
{
	unsigned req = i ? HELD : 6;

	count_growth(i ? o_try_extend(HELD, 1, 4) : o_try_extend(6, 0, 3));
	explore_wait(both_have_tried);
	o_use(req);
	o_drop(req);
}

NOT_FOR_TSAN static void one_growth_check(void)
{
	explore_assert(n_grown == 1);
	o_check();
}

/* Who waits for what is held anyway is no reason not to grow. */
static void extend_beside_a_waiter(unsigned i)
{
	if (i == 0) {
		explore_wait(waiter_waits);
		for (int k = 0; k <= RL_MAX_BYPASS; k++) {
			explore_assert(o_try_extend(HELD, 0, 4) == 0);
			o_reduce(HELD, 0, 2);
		}
		o_drop(HELD);
	} else {
		o_visit(2, WR(0, 1));
	}
}

/* It grows downwards, so that it stands before what it was. */
static void hold_upper(void)
{
	o_setup();
	o_take(HELD, WR(2, 4));
}

static void extend_down(unsigned i)
{
	if (i == 0) {
		o_try_extend(HELD, 1, 4);
		o_use(HELD);
		o_drop(HELD);
	} else {
		o_visit(2 * i, i == 1 ? WR(2, 3) : TRY_RD(0, 4));
	}
}

/* Who holds is seen all the time, though what stands for it changes places. */
static void looker_of_growth(unsigned i)
{
	if (i == 0)
		o_try_extend(HELD, 1, 4);
	else
		o_look(2);
}

/* The same, where no link leads from the new place to the old one: another stands between. */
static void read_beyond_another(void)
{
	o_setup();
	o_take(HELD, RD(2, 4));
	o_take(6, RD(1, 2));
}

static void look_beyond_another(unsigned i)
{
	if (i == 0) {
		explore_assert(o_try_extend(HELD, 0, 4) == 0);
		o_reduce(HELD, 0, 3);
		o_use(HELD);
		o_drop(HELD);
		o_drop(6);
	} else {
		o_look(2);
	}
}

/* Where there is no memory all is as it was, and nothing is lost. */
static void split_or_not(unsigned i)
{
	if (i == 1) {
		o_visit(2, TRY_WR(0, 1));
		return;
	}
	int error = rangelock_split(&o_lock, &o_reqs[HELD], 1, &o_reqs[0]);
	if (error)
		explore_assert(error == ENOMEM);
	else
		explore_assert(rangelock_unlock(&o_lock, &o_reqs[0]) == 0);
	o_use(HELD);
	explore_assert(rangelock_is_locked(&o_lock, 0, error ? 2 : 1, RANGELOCK_WRITE));
}

/* Vectors that cross, whatever order they name their ranges in. */
static void vectors(unsigned i)
{
	if (i == 2)
		o_visit(4, WR(0, 4));
	else
		o_visit_both(2 * i, i ? WR(2, 3) : WR(0, 1), i ? RD(0, 1) : WR(2, 3));
}

static void vector_gives_up(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_visit_both(2, TIMED_WR(0, 1), TIMED_WR(3, 4));
	else
		o_cancel(3);
}

static void submissions(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else
		o_submit(2 * i, i == 1 ? WR(0, 1) : RD(0, 2));
}

static void submit_and_cancel(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_submit(2, WR(0, 1));
	else
		o_cancel(2);
}

static void reservations(unsigned i)
{
	if (i == 0)
		o_visit(0, WR(1, 3));
	else
		o_reserve_and_commit(2 * i, i == 1 ? 0 : 2, i == 1 ? 2 : 4, false);
}

static void commit_gives_up(unsigned i)
{
	if (i == 0)
		o_visit(0, RD(0, 2));
	else if (i == 1)
		o_reserve_and_commit(2, 0, 1, true);
	else
		o_visit(4, TIMED_WR(0, 1));
}

/* Under the mutex what is chosen and what is held are the same. */
static unsigned chosen;

NOT_FOR_TSAN static int choose(void *arg, struct rangelock_range *range)
{
	(void)arg;
	*range = (struct rangelock_range){ chosen, chosen + 1, RANGELOCK_WRITE };
	return chosen > 2 ? ENOENT : 0;
}

static void choose_setup(void)
{
	hold_first();
	chosen = 0;
}

NOT_FOR_TSAN static void change_choice(void)
{
	chosen++;
}

static void chooser(unsigned i)
{
	if (i == 0) {
		rangelock_enter(&o_lock);
		change_choice();
		rangelock_leave(&o_lock);
		o_drop(HELD);
	} else if (i == 1) {
		if (rangelock_lock_chosen(&o_lock, &o_reqs[2], choose, NULL, NULL) == 0) {
			if (!rangelock_is_locked(&o_lock, 0, 1, RANGELOCK_WRITE) &&
			    !rangelock_is_locked(&o_lock, 1, 2, RANGELOCK_WRITE))
				explore_fail("lock_chosen: it is not held");
			rangelock_unlock(&o_lock, &o_reqs[2]);
		}
	} else {
		const struct rangelock_range range = { 1, 2, RANGELOCK_READ };

		rangelock_enter(&o_lock);
		int error = rangelock_wait_entered(&o_lock, &o_reqs[4], &range, NULL);
		rangelock_leave(&o_lock);
		if (error)
			explore_fail("wait_entered: errno %d", error);
		rangelock_unlock(&o_lock, &o_reqs[4]);
	}
}

/* The word as fork() has copied it, of a lock that was caught in mid-change: one takes it
 * over, and all go on. */
static void orphan_setup(void)
{
	o_setup();
	to_lock(&o_lock)->tree.root = (struct itree_node *)8;
	to_lock(&o_lock)->reserved.root = (struct itree_node *)8;
	rl_store(&to_lock(&o_lock)->word,
		 WORD_LOCKED | WORD_CONTENDED | (rl_generation + WORD_GENERATION), relaxed);
}

static void visit_orphan(unsigned i)
{
	if (i == 0)
		o_visit(0, WR(0, 2));
	else if (i == 1)
		o_visit(2, RD(1, 3));
	else
		o_look(3);
}

/* A lock that counts, looked at meanwhile: what was granted, and nothing else, by the time
 * when all have returned. */
static struct rangelock_stats *counters;
static unsigned grants[2], told_late;

static void stats_setup(void)
{
	static const struct rangelock_attr attr = { .flags = RANGELOCK_STATS };

	o_setup();
	free(counters); /* of an execution that was cut short */
	if (rangelock_init(&o_lock, &attr))
		explore_fail("init: no memory");
	counters = to_lock(&o_lock)->stats;
	explore_renew(counters, sizeof(*counters));
	memset(counters, 0, sizeof(*counters));
	grants[0] = grants[1] = told_late = 0;
}

NOT_FOR_TSAN static void note_result(enum rangelock_mode mode, int error)
{
	grants[mode] += !error;
	told_late += error == ETIMEDOUT;
}

static void count_all(unsigned i)
{
	struct rangelock_stats s;

	if (i == 0) {
		note_result(RANGELOCK_WRITE, o_visit(0, WR(0, 2)));
		if (rangelock_stats(&o_lock, &s) || s.reads + s.writes < 1 ||
		    s.waits > s.reads + s.writes || s.wait_max_ns > s.wait_ns)
			explore_fail("stats: no picture of one moment");
	} else if (i == 1) {
		note_result(RANGELOCK_READ, o_visit(2, RD(1, 3)));
	} else {
		note_result(RANGELOCK_WRITE, o_visit(4, TIMED_WR(0, 1)));
	}
}

static void stats_check(void)
{
	struct rangelock_stats s;

	if (rangelock_stats(&o_lock, &s) || s.reads != grants[RANGELOCK_READ] ||
	    s.writes != grants[RANGELOCK_WRITE] || s.timeouts != told_late ||
	    s.wakeups != s.waits || s.cancels)
		explore_fail("stats: %u reads, %u writes and %u time-outs are counted otherwise",
			     grants[0], grants[1], told_late);
	o_check();
	counters = NULL; /* destroy has freed them */
}

/* ---- Barging ---- */

static void barging_write(void)
{
	o_setup_barging();
	o_take(HELD, WR(0, 2));
}

static void barging_read(void)
{
	o_setup_barging();
	o_take(HELD, RD(0, 2));
}

static void barging_choose(void)
{
	barging_write();
	chosen = 0;
}

/* One is invited, and another comes first, or not. */
static void invited_and_passed(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else
		o_visit(2 * i, i == 1 ? WR(0, 3) : TRY_WR(1, 3));
}

/* Of two that time out, each may have been invited, or be passed; and has gone then. */
static void invited_and_timed_out(unsigned i)
{
	if (i == 0) {
		o_drop(HELD);
	} else {
		o_visit(2 * i, i == 1 ? TIMED_WR(0, 3) : TIMED_RD(1, 3));
		forget(2 * i);
	}
}

static void writers_and_a_reader(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else
		o_visit(2 * i, i == 3 ? RD(2, 3) : WR(i - 1, 3));
}

/* Whoever wants it may pass the one that waits, but not for ever. */
static void pass_to_the_bound(unsigned i)
{
	unsigned passed = 0;

	if (i == 1) {
		o_visit(2, WR(1, 3));
		return;
	}
	explore_wait(waiter_waits);
	for (int k = 0; k < 2 * RL_MAX_BYPASS; k++)
		passed += o_visit(0, k % 2 ? TRY_WR(2, 4) : TRY_RD(2, 3)) == 0;
	explore_assert(passed < RL_MAX_BYPASS && passed >= RL_MAX_BYPASS / 2 - 1);
	o_drop(HELD);
}

/* The same by two, of whom one holds on while the other passes. */
static void two_pass_to_the_bound(unsigned i)
{
	if (i == 1) {
		o_visit(2, WR(1, 4));
	} else {
		explore_wait(waiter_waits);
		for (int k = 0; k < RL_MAX_BYPASS; k++)
			o_visit(2 * i, i ? TRY_WR(2, 3) : TRY_RD(3, 4));
		if (i == 0)
			o_drop(HELD);
	}
}

static void passed_submission(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_submit(2, WR(0, 3));
	else
		o_visit(4, TRY_WR(2, 4));
}

/* By a read, which it waits for then, or by a write, which revokes it. */
static void passed_commit(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_reserve_and_commit(2, 1, 3, false);
	else
		o_visit(4, explore_choose(2) ? TRY_WR(2, 3) : TRY_RD(2, 3));
}

static void commit_passed_inside(unsigned i)
{
	const struct rangelock_range range = { 2, 3, RANGELOCK_WRITE };

	if (i < 2) {
		passed_commit(i);
		return;
	}
	rangelock_enter(&o_lock);
	int error = rangelock_wait_entered(&o_lock, &o_reqs[4], &range, NULL);
	rangelock_leave(&o_lock);
	explore_assert(error == 0);
	rangelock_unlock(&o_lock, &o_reqs[4]);
}

/* One that is invited, and before it comes has to wait again, and not. */
static void passed_by_an_upgrade(unsigned i)
{
	if (i == 0) {
		o_drop(HELD);
	} else if (i == 1) {
		o_visit(2, RD(1, 3));
		forget(2);
	} else if (o_take(4, TRY_RD(2, 3)) == 0) {
		if (o_upgrade(4) == 0)
			o_use(4);
		o_drop(4);
	}
}

/* ---- Of the list ---- */

/* Of three that meet one gets it. */
static void three_tries(unsigned i)
{
	o_visit(2 * i, i == 0 ? TRY_WR(0, 2) : i == 1 ? TRY_WR(1, 3) : TRY_RD(0, 3));
}

/* One that fails is in nobody's way, nor is it before it has failed. */
static void failing_try(unsigned i)
{
	o_visit(2 * i, i ? TRY_WR(2, 3) : TRY_WR(1, 3));
}

/* What is free can be destroyed, though the one who freed it is on its way out still. */
static void leave_one(void)
{
	o_setup();
	o_take(6, RD(0, 1));
	o_take(HELD, WR(1, 2));
	o_drop(6);
}

NOT_FOR_TSAN static bool is_free_now(void)
{
	return !is_node(*(volatile uintptr_t *)&to_lock(&o_lock)->word) || o_idle();
}

static void destroyed_once_free(unsigned i)
{
	if (i == 0) {
		o_drop(HELD);
	} else {
		explore_wait(is_free_now);
		if (rangelock_destroy(&o_lock))
			explore_fail("destroy: what is free cannot be");
		o_bury();
	}
}

/* As many as are allowed pass one that waits, and no more; and it is not forgotten. */
static unsigned n_passed;
static bool passers_are_done;

static void pass_setup(void)
{
	hold_first();
	n_passed = 0;
	passers_are_done = false;
}

NOT_FOR_TSAN static void end_passing(unsigned passed)
{
	n_passed = passed;
	passers_are_done = true;
}

NOT_FOR_TSAN static bool passing_is_done(void)
{
	return passers_are_done;
}

static void passers(unsigned i)
{
	unsigned passed = 0;

	if (i == 0) {
		explore_wait(passing_is_done);
		o_drop(HELD);
	} else if (i == 1) {
		o_visit(2, WR(1, 4));
	} else {
		explore_wait(waiter_waits);
		for (int k = 0; k < RL_MAX_BYPASS + 2; k++)
			passed += o_visit(4, TRY_WR(3, 4)) == 0;
		end_passing(passed);
	}
}

NOT_FOR_TSAN static void pass_check(void)
{
	explore_assert(n_passed >= 1 && n_passed <= RL_MAX_BYPASS);
	o_check();
}

/* Who is canceled need not wait for anybody. */
static void cancel_and_return(unsigned i)
{
	if (i == 0) {
		explore_wait(waiter_waits);
		o_cancel(2);
		explore_wait(passing_is_done);
		o_drop(HELD);
	} else {
		o_visit(2, WR(1, 4));
		end_passing(0);
	}
}

/* Neighbours leave while one comes in between. */
static void leave_and_come_between(unsigned i)
{
	if (i < 2)
		o_drop(i ? HELD : 6);
	else
		o_visit(4, TIMED_WR(0, 2));
}

/* One gives up again and again behind one that holds, where others wait as well. */
static void give_up_often(unsigned i)
{
	if (i == 0) {
		explore_wait(passing_is_done);
		o_drop(HELD);
	} else if (i == 1) {
		o_visit(2, RD(1, 2));
	} else {
		for (int k = 0; k < 6; k++) {
			o_visit(4, TIMED_RD(0, 2));
			/* One that holds, one that waits, and some that are to be waked. */
			explore_assert(explore_nodes() <= 2 + RL_LEFT_MAX + 1);
		}
		end_passing(0);
	}
}

/* Nor is one that waits passed by those who have waited less. */
static void late_waiters(unsigned i)
{
	if (i == 0) {
		explore_wait(passing_is_done);
		o_drop(HELD);
	} else if (i == 1) {
		o_visit(2, WR(1, 4));
	} else {
		explore_wait(waiter_waits);
		for (int k = 0; k < RL_MAX_BYPASS; k++)
			o_visit(2 * i, TIMED_WR(3, 4));
		end_passing(0);
	}
}

static void four(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else
		o_visit(2 * i, i == 1 ? WR(0, 2) : i == 2 ? TIMED_WR(0, 1) : TRY_WR(1, 2));
}

/* Vectors that name their ranges in opposite orders. */
static void crossing_vectors(unsigned i)
{
	o_visit_both(2 * i, i ? WR(2, 3) : WR(0, 1), i ? WR(0, 1) : WR(2, 3));
}

static void vector_and_others(unsigned i)
{
	if (i == 0)
		o_visit_both(0, WR(0, 1), WR(2, 3));
	else
		o_visit(2 * i, i == 1 ? WR(0, 2) : TRY_RD(2, 4));
}

/* One waits behind a range of a vector that gives up, or is canceled. */
static void behind_a_vector(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_visit_both(2, TIMED_WR(1, 2), TIMED_WR(3, 4));
	else if (i == 2)
		o_visit(4, WR(0, 4));
	else
		o_cancel(3);
}

/* Each of a vector is dropped by itself, and before that its head is used again, for one that
 * fails, while others may still ask it what has become of them. */
static void vector_parts(unsigned i)
{
	if (i == 0) {
		if (o_take_both(0, WR(0, 1), WR(2, 3)))
			return;
		o_visit(6, TRY_WR(2, 4));
		o_use(0);
		o_drop(0);
		o_use(1);
		o_drop(1);
	} else {
		o_visit(2 * i, i == 1 ? TRY_WR(2, 4) : RD(0, 3));
	}
}

/* The same for one who comes just when the vector has decided. */
static void vector_setup(void)
{
	o_setup();
	passers_are_done = false;
}

NOT_FOR_TSAN static bool vector_has_decided(void)
{
	uintptr_t word = *(volatile uintptr_t *)&to_lock(&o_lock)->word;
	struct list_node *n = (struct list_node *)word;

	if (passers_are_done || !word || word & 63)
		return passers_are_done;
	uint32_t s = *(volatile uint32_t *)&n->state;
	if (s & STATE_FOLLOWER)
		s = *(volatile uint32_t *)&n->head->state;
	return (s & STATE_PHASE) == STATE_HELD;
}

static void vector_decides(unsigned i)
{
	if (i == 0) {
		o_take_both(0, WR(0, 1), WR(2, 3));
		o_visit(6, TRY_WR(2, 4));
		o_use(0);
		o_drop(0);
		o_drop(1);
		end_passing(0);
	} else {
		explore_wait(vector_has_decided);
		o_visit(2, WR(0, 1));
	}
}

/* All that have tried to go before a vector know when it has decided. */
static void tries_and_vector(unsigned i)
{
	if (i == 1)
		o_visit_both(2, WR(0, 1), RD(2, 3));
	else
		o_visit(2 * i, i ? TRY_WR(2, 3) : TRY_WR(0, 1));
}

/* A vector is passed as often as others, and no more. */
static void vector_passers(unsigned i)
{
	unsigned passed = 0;

	if (i == 0) {
		explore_wait(passing_is_done);
		o_drop(HELD);
	} else if (i == 1) {
		o_visit_both(2, WR(1, 2), WR(3, 4));
	} else {
		explore_wait(waiter_waits);
		for (int k = 0; k < RL_MAX_BYPASS + 2; k++)
			passed += o_visit(4, TRY_WR(3, 4)) == 0;
		end_passing(passed);
	}
}

static void submit_and_drop(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else
		o_submit(2, WR(0, 1));
}

/* What was submitted goes on when one that is in its way has left, and meets the other. */
static void two_obstacles(unsigned i)
{
	if (i == 1)
		o_submit(2, WR(0, 4));
	else
		o_drop(i ? 6 : HELD);
}

static void two_obstacles_setup(void)
{
	o_setup();
	o_take(HELD, WR(0, 1));
	o_take(6, RD(2, 3));
}

/* Two leave from whom the same chain waits. */
static void chain_setup(void)
{
	o_setup();
	o_take(HELD, RD(0, 2));
	o_take(6, RD(1, 3));
	o_submit(2, WR(1, 2));
	o_submit(4, WR(0, 3));
}

static void two_releases(unsigned i)
{
	if (i < 2)
		o_drop(i ? 6 : HELD);
	else
		o_visit(0, TRY_WR(2, 3));
}

/* Whoever is called back submits another, while others come. */
static void submit_from_within(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_submit_two(2, WR(0, 1), 3, WR(1, 2));
	else
		o_visit(4, WR(0, 2));
}

static void submission_setup(void)
{
	o_setup();
	o_take(HELD, WR(0, 1));
	o_submit(2, WR(0, 1));
}

/* Two cancel what is about to be granted. */
static void cancel_submission_twice(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else
		o_cancel(2);
}

/* Whoever has canceled it frees the request, and the lock once that is free, though the one
 * who has woken it has yet to see that it has ended. */
static void canceled_and_freed(unsigned i)
{
	if (i == 0) {
		o_drop(HELD);
	} else {
		if (o_cancel(2) == 0)
			explore_free(&o_reqs[2], sizeof(o_reqs[2]));
		explore_wait(is_free_now);
		if (rangelock_destroy(&o_lock))
			explore_fail("destroy: what is free cannot be");
		o_bury();
	}
}

static void canceled_and_freed_setup(void)
{
	o_setup();
	o_take(6, RD(0, 1));
	o_take(HELD, RD(0, 1));
	o_submit(2, WR(0, 1));
	o_drop(6);
}

/* What is submitted and canceled again and again behind one leaves nothing behind. */
static void cancel_often(unsigned i)
{
	if (i == 0) {
		explore_wait(passing_is_done);
		o_drop(HELD);
	} else {
		for (int k = 0; k < 6; k++) {
			o_submit(4, RD(1, 2));
			o_cancel(4);
			explore_assert(explore_nodes() <= 1 + RL_LEFT_MAX + 1);
		}
		end_passing(0);
	}
}

/* What one thread has no use for another takes. */
enum { KEPT = 5 };

static void stock_setup(void)
{
	o_setup();
	for (unsigned i = 0; i < KEPT; i++)
		o_take(REQS - 1 - i, RD(0, 1));
}

static void stock(unsigned i)
{
	if (i == 0)
		for (unsigned k = 0; k < KEPT; k++)
			o_drop(REQS - 1 - k);
	else
		for (int k = 0; k < 3; k++)
			o_visit(2, RD(1, 2));
}

/* There is enough in the stock for both: nobody has to allocate. */
static _Atomic unsigned memory;

static void shared_stock_setup(void)
{
	stock_setup();
	rl_store(&memory, 0, relaxed);
}

NOT_FOR_TSAN static bool is_stocked(void)
{
	return *(volatile unsigned *)&memory;
}

static void shared_stock(unsigned i)
{
	if (i == 0) {
		for (unsigned k = 0; k < KEPT; k++)
			o_drop(REQS - 1 - k);
		rl_store(&memory, explore_memory(), release);
	} else {
		unsigned enough;

		do
			explore_wait(is_stocked);
		while (!(enough = rl_load(&memory, acquire)));
		o_visit(2 * (i - 1), RD(1, 2));
		explore_assert(explore_memory() == enough);
	}
}

/* ---- Reservations ---- */

/* Of two that meet one gets it; a third has its own beside them. */
static void two_reserve(unsigned i)
{
	int error = o_reserve_and_commit(2 * i, i == 2 ? 3 : 0, i == 0 ? 2 : i == 1 ? 3 : 4, false);

	explore_assert(i < 2 || error == 0);
}

/* A try that fails keeps nobody from reserving. */
static void reserve_beside_tries(unsigned i)
{
	if (i == 0)
		o_visit(0, TRY_WR(1, 3));
	else if (i == 1)
		o_visit(2, TRY_WR(2, 4));
	else
		o_reserve_and_commit(4, 2, 4, false);
}

static void reserve_beside_a_waiter(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_visit(2, TIMED_WR(1, 3));
	else
		o_reserve_and_commit(4, 2, 4, false);
}

/* A write that waits for the same, or comes first. */
static void commit_against_grant(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_visit(2, WR(0, 3));
	else
		o_reserve_and_commit(4, 1, 4, false);
}

static void reserved_setup(void)
{
	o_setup();
	o_reserve(6, 0, 2);
}

static void unreserve_against_revocation(unsigned i)
{
	if (i == 0)
		o_unreserve(6);
	else if (i == 1)
		o_visit(2, WR(1, 3));
	else if (o_reserve(4, 0, 1) == 0)
		o_unreserve(4);
}

/* The request of a revoked reservation is its owner's as soon as he knows of it: to be freed,
 * or for another reservation. */
static void revoked_and_gone(unsigned i)
{
	if (i < 2) {
		o_visit(2 * i, i ? TRY_WR(1, 3) : WR(0, 2));
	} else {
		if (rangelock_is_reserved(&o_lock, &o_reqs[6]))
			o_unreserve(6);
		else
			o_revoked(6);
		forget(6);
	}
}

static void revoked_and_again(unsigned i)
{
	if (i == 0) {
		o_visit(0, WR(0, 2));
	} else if (i == 1) {
		o_reserve_and_commit(2, 2, 4, false);
	} else if (o_commit(6, false) == 0) {
		o_use(6);
		o_drop(6);
	} else {
		o_reserve_and_commit(6, 1, 3, false);
	}
}

/* Lock with the request of one that may have been revoked. */
static void revoked_and_locked(unsigned i)
{
	if (i == 0)
		o_visit(0, WR(0, 1));
	else if (i == 1)
		o_visit(2, TRY_WR(1, 3));
	else if (rangelock_is_reserved(&o_lock, &o_reqs[6]))
		o_unreserve(6);
	else {
		o_revoked(6);
		o_visit(6, WR(0, 3));
	}
}

static void committing_setup(void)
{
	o_setup();
	o_take(HELD, RD(0, 2));
	o_reserve(6, 1, 3);
}

static void use_commit(bool timed)
{
	if (o_commit(6, timed) == 0) {
		o_use(6);
		o_drop(6);
	}
}

static void commit_and_cancel(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		use_commit(false);
	else
		o_cancel(6);
}

static void cancel_and_revoke_commit(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		use_commit(false);
	else if (i == 2)
		o_cancel(6);
	else
		o_visit(4, TRY_WR(2, 4));
}

/* Its time is over, once or twice; then it is given up, if it still stands. */
static void commit_and_again(unsigned i)
{
	if (i == 0) {
		o_drop(HELD);
	} else if (i == 1) {
		int error = o_commit(6, true);

		if (error == ETIMEDOUT)
			error = o_commit(6, true);
		if (error == ETIMEDOUT) {
			o_unreserve(6);
		} else if (!error) {
			o_use(6);
			o_drop(6);
		}
		forget(6);
	} else {
		o_visit(4, WR(2, 4));
	}
}

/* One waits behind the commit whose time is over, or that is revoked. */
static void behind_a_commit(unsigned i)
{
	if (i == 0)
		o_drop(HELD);
	else if (i == 1)
		o_reserve_and_commit(2, 1, 3, true);
	else
		o_visit(2 * i, i == 2 ? WR(2, 4) : TRY_WR(2, 3));
}

/* There are two gaps. */
static void gaps(unsigned i)
{
	int error = o_reserve_gap(2 * i, 2);

	explore_assert(!error);
	error = o_commit(2 * i, false);
	explore_assert(!error);
	o_use(2 * i);
	o_drop(2 * i);
}

static void gap_and_reserve(unsigned i)
{
	if (i == 0)
		o_reserve_and_commit(0, 1, 2, false);
	else if (i == 1)
		o_visit(2, TRY_WR(0, 1));
	else if (o_reserve_gap(4, 1) == 0)
		o_unreserve(4);
}

/* The last reservation ends, and the lock, though its last call is on its way out. */
static void destroyed_once_unreserved(unsigned i)
{
	if (i == 0) {
		o_unreserve(6);
	} else {
		explore_wait(is_free_now);
		if (rangelock_destroy(&o_lock))
			explore_fail("destroy: nothing is reserved");
		o_bury();
	}
}

/* By a read that becomes a write, or by one that grows. */
static void upgrade_revokes(unsigned i)
{
	if (i == 0) {
		if (o_upgrade(HELD) == 0)
			o_use(HELD);
		o_drop(HELD);
	} else if (i == 1) {
		o_reserve_and_commit(2, 1, 3, false);
	} else {
		o_visit(4, RD(2, 4));
	}
}

static void growth_revokes(unsigned i)
{
	if (i == 0) {
		o_try_extend(HELD, 0, 4);
		o_use(HELD);
		o_drop(HELD);
	} else {
		o_reserve_and_commit(2, 2, 4, false);
	}
}

/* Its node is used again before the call that reserved returns. */
static void revoked_and_used_again(unsigned i)
{
	if (i == 0)
		o_reserve_and_commit(0, 0, 2, false);
	else
		for (int k = 0; k < 4; k++)
			o_visit(2, WR(1, 3));
}

static void reserve_or_not(unsigned i)
{
	if (i == 0)
		o_visit(0, WR(0, 2));
	else
		o_reserve_and_commit(2, 1, 3, false);
}

/* ---- Fork ---- */

/* Calls as they are, not judged: the child finds them in mid-way. */
static void note_let_go(struct rangelock_req *req, int error, void *arg)
{
	(void)arg;
	if (!error)
		rangelock_unlock(&o_lock, req);
}

static void fork_two_locks(unsigned i)
{
	if (i == 2)
		explore_fork();
	else if (rangelock_wrlock(&o_lock, &o_reqs[2 * i], i, i + 2) == 0)
		rangelock_unlock(&o_lock, &o_reqs[2 * i]);
}

static void fork_looks(unsigned i)
{
	if (i == 2)
		explore_fork();
	else if (i == 1)
		rangelock_is_locked(&o_lock, 0, 1, RANGELOCK_READ);
	else if (rangelock_trywrlock(&o_lock, &o_reqs[2], 4, 6) == 0)
		rangelock_unlock(&o_lock, &o_reqs[2]);
}

static void fork_changes(unsigned i)
{
	static const struct timespec some_time = { 1, 0 };

	if (i == 2) {
		explore_fork();
	} else if (i == 1) {
		if (rangelock_timedwrlock(&o_lock, &o_reqs[2], 0, 1, &some_time) == 0)
			rangelock_unlock(&o_lock, &o_reqs[2]);
	} else {
		rangelock_split(&o_lock, &o_reqs[HELD], 1, &o_reqs[4]);
		rangelock_downgrade(&o_lock, &o_reqs[HELD]);
		rangelock_upgrade(&o_lock, &o_reqs[HELD]);
		rangelock_unlock(&o_lock, &o_reqs[HELD]);
	}
}

static void fork_vectors(unsigned i)
{
	const struct rangelock_range ranges[] = { { 0, 1, RANGELOCK_WRITE },
						  { 2, 3, RANGELOCK_WRITE } };

	if (i == 2)
		explore_fork();
	else if (i == 1)
		rangelock_unlock(&o_lock, &o_reqs[HELD]);
	else if (rangelock_lockv(&o_lock, &o_reqs[4], ranges, 2, NULL) == 0)
		rangelock_unlockv(&o_lock, &o_reqs[4], 2);
}

static void fork_submissions(unsigned i)
{
	const struct rangelock_range range = { 0, 1, RANGELOCK_WRITE };

	if (i == 2)
		explore_fork();
	else if (i == 1)
		rangelock_unlock(&o_lock, &o_reqs[HELD]);
	else if (rangelock_submit(&o_lock, &o_reqs[2], &range, note_let_go, NULL) == EINPROGRESS)
		rangelock_cancel(&o_lock, &o_reqs[2]);
}

static void fork_reservations(unsigned i)
{
	if (i == 2)
		explore_fork();
	else if (i == 1)
		fork_two_locks(1);
	else if (rangelock_reserve(&o_lock, &o_reqs[4], 0, 2) == 0)
		if (rangelock_commit(&o_lock, &o_reqs[4], NULL) == 0)
			rangelock_unlock(&o_lock, &o_reqs[4]);
}

/* The holder, who is made a node, unlocks, and forks: its request is gone. */
static void fork_unlocked(unsigned i)
{
	if (i) {
		fork_two_locks(i);
	} else {
		rangelock_unlock(&o_lock, &o_reqs[HELD]);
		memset(&o_reqs[HELD], 0xff, sizeof(o_reqs[HELD]));
		explore_fork();
	}
}

static void unlocked_check(void)
{
	struct rangelock_req was;

	memset(&was, 0xff, sizeof(was));
	explore_live_on();
	explore_assert(memcmp(&o_reqs[HELD], &was, sizeof(was)) == 0);
	rangelock_cancel(&o_lock, &o_reqs[2]);
	rangelock_unlock(&o_lock, &o_reqs[2]);
	explore_assert(rangelock_trywrlock(&o_lock, &o_reqs[0], RANGELOCK_FULL) == 0);
	explore_assert(rangelock_unlock(&o_lock, &o_reqs[0]) == 0);
	explore_assert(rangelock_destroy(&o_lock) == 0);
}

/* One thread alone, at each of its steps. */
static void fork_changes_alone(unsigned i)
{
	if (i)
		explore_fork();
	else
		fork_changes(0);
}

static void fork_vectors_alone(unsigned i)
{
	if (i)
		explore_fork();
	fork_vectors(1);
	fork_vectors(0);
}

static void fork_submissions_alone(unsigned i)
{
	const struct rangelock_range range = { 0, 1, RANGELOCK_WRITE };

	if (i)
		explore_fork();
	fork_submissions(0);
	rangelock_submit(&o_lock, &o_reqs[2], &range, note_let_go, NULL);
	rangelock_unlock(&o_lock, &o_reqs[HELD]);
}

static void fork_reservations_alone(unsigned i)
{
	if (i)
		explore_fork();
	rangelock_unlock(&o_lock, &o_reqs[HELD]);
	fork_reservations(0);
	if (rangelock_reserve(&o_lock, &o_reqs[4], 0, 2) == 0)
		rangelock_unreserve(&o_lock, &o_reqs[4]);
}

static int count_held(const struct rangelock_info *info, void *arg)
{
	*(unsigned *)arg += info->state == RANGELOCK_HELD;
	return 0;
}

/* Whatever the requests are in the child, once it has given them up nothing is in the way, and
 * each is good for another call. */
static void child_check(void)
{
	unsigned held = 0, unlocked = 0;

	explore_live_on();
	rangelock_walk(&o_lock, count_held, &held);
	for (unsigned i = 0; i < REQS; i++) {
		rangelock_cancel(&o_lock, &o_reqs[i]);
		unlocked += rangelock_unlock(&o_lock, &o_reqs[i]) == 0;
		rangelock_unreserve(&o_lock, &o_reqs[i]);
	}
	explore_assert(unlocked == held);
	for (unsigned i = 0; i < REQS; i++) {
		explore_assert(rangelock_reserve(&o_lock, &o_reqs[i], RANGELOCK_FULL) == 0);
		explore_assert(rangelock_commit(&o_lock, &o_reqs[i], NULL) == 0);
		explore_assert(rangelock_unlock(&o_lock, &o_reqs[i]) == 0);
	}
	explore_assert(rangelock_destroy(&o_lock) == 0);
}

/* ---- Nodes that are kept ---- */

static struct list_node *once_kept;

/* A list beside, so that all are nodes. */
static void list_beside(void)
{
	o_setup();
	o_take(HELD, WR(3, 4));
	o_take(6, RD(2, 3));
	o_drop(6);
	passers_are_done = false;
	once_kept = NULL;
}

/* One comes again and again, and another in between. */
static void again_and_another(unsigned i)
{
	for (int k = 0; k < 3 - (int)i; k++)
		o_visit(2 * i, i ? RD(1, 3) : WR(0, 2));
}

static void again_and_tries(unsigned i)
{
	for (int k = 0; k < 3 - (int)i; k++)
		o_visit(2 * i, i ? TRY_WR(1, 3) : TRY_WR(0, 2));
}

/* The same range for another mode, and another request's. */
static void again_but_not_the_same(unsigned i)
{
	if (i == 0) {
		o_visit(0, WR(0, 1));
		o_visit(0, WR(0, 2));
		o_visit(0, RD(0, 2));
		o_visit(0, WR(0, 2));
	} else {
		o_visit(2, WR(0, 2));
		o_visit(2, RD(1, 2));
	}
}

/* What one has kept becomes another's, for another request, and that range is what the one
 * wants now. */
NOT_FOR_TSAN static void note_kept(void)
{
	once_kept = *(struct list_node *volatile *)&to_req(&o_reqs[0])->list_node;
}

NOT_FOR_TSAN static bool is_kept_by_another(void)
{
	uint32_t s = once_kept ? *(volatile uint32_t *)&once_kept->state : 0;

	return passers_are_done ||
	       ((s & STATE_PHASE) == STATE_KEPT && once_kept->owner == to_req(&o_reqs[2]));
}

static void kept_by_another(unsigned i)
{
	if (i == 0) {
		o_visit(0, WR(0, 1));
		note_kept();
		explore_wait(is_kept_by_another);
		o_visit(0, WR(1, 2));
	} else {
		o_visit(2, WR(0, 1));
		for (unsigned k = 0; k < 6; k++)
			o_visit(2, WR(1, 2 + k % 2));
		end_passing(0);
	}
}

static void again_and_reserve(unsigned i)
{
	if (i == 0) {
		again_and_another(0);
	} else {
		o_visit(2, WR(1, 3));
		o_reserve_and_commit(2, 1, 3, false);
	}
}

static void again_and_look(unsigned i)
{
	if (i)
		o_look(0);
	else
		again_and_another(0);
}

/* One comes again, and is not to pass one that has come to wait more often than others. */
static void familiar_passers(unsigned i)
{
	unsigned passed = 0;

	if (i == 0) {
		explore_wait(passing_is_done);
		o_drop(HELD);
	} else if (i == 1) {
		o_visit(2, WR(0, 4));
	} else {
		for (int k = 0; k < RL_MAX_BYPASS + 4; k++)
			passed += o_visit(4, TRY_WR(0, 1)) == 0;
		end_passing(passed);
	}
}

/* The last of those who come again finds nobody there any more. */
static void again_and_alone(unsigned i)
{
	for (int k = 0; k < 4 - (int)i; k++)
		o_visit(2 * i, WR(i, i + 1));
}

static void fork_kept(unsigned i)
{
	if (i == 2) {
		explore_fork();
		return;
	}
	for (int k = 0; k < 3 - (int)i; k++)
		if (rangelock_wrlock(&o_lock, &o_reqs[2 * i], i, i + 2) == 0)
			rangelock_unlock(&o_lock, &o_reqs[2 * i]);
}

/* What is kept in one lock is left when its thread comes to another. */
static struct rangelock elsewhere;

static void list_elsewhere(void)
{
	list_beside();
	explore_renew(&elsewhere, sizeof(elsewhere));
	memset(&elsewhere, 0, sizeof(elsewhere));
	to_lock(&elsewhere)->engine = RANGELOCK_LIST;
	explore_assert(rangelock_wrlock(&elsewhere, &o_reqs[4], 0, 1) == 0);
	explore_assert(rangelock_wrlock(&elsewhere, &o_reqs[5], 2, 3) == 0);
}

static void fork_kept_elsewhere(unsigned i)
{
	if (i) {
		explore_fork();
	} else if (rangelock_wrlock(&o_lock, &o_reqs[0], 0, 2) == 0) {
		rangelock_unlock(&o_lock, &o_reqs[0]);
		if (rangelock_wrlock(&elsewhere, &o_reqs[0], 1, 2) == 0)
			rangelock_unlock(&elsewhere, &o_reqs[0]);
	}
}

/* Once it is left what is in the list is nobody's. */
static void destroyed_once_left(unsigned i)
{
	if (i == 0) {
		o_visit(0, WR(0, 2));
		o_drop(HELD);
		end_passing(0);
		rangelock_trywrlock(&elsewhere, &o_reqs[0], 0, 2);
	} else {
		explore_wait(passing_is_done);
		if (rangelock_destroy(&o_lock))
			explore_fail("destroy: what is free cannot be");
		o_bury();
	}
}

static void left_check(void)
{
	explore_assert(rangelock_unlock(&elsewhere, &o_reqs[4]) == 0);
	explore_assert(rangelock_unlock(&elsewhere, &o_reqs[5]) == 0);
	explore_assert(rangelock_destroy(&elsewhere) == 0);
	o_check();
}

static void elsewhere_check(void)
{
	explore_live_on();
	rangelock_unlock(&o_lock, &o_reqs[0]);
	explore_assert(rangelock_unlock(&o_lock, &o_reqs[HELD]) == 0);
	explore_assert(rangelock_destroy(&o_lock) == 0);
}

static void fork_kept_alone(unsigned i)
{
	if (i)
		explore_fork();
	else
		fork_kept(0);
}

/* The same on a list lock. */
#define ON_LIST(setup)                    \
	static void setup##_on_list(void) \
	{                                 \
		o_put_on_list(setup);     \
	}
ON_LIST(o_setup)
ON_LIST(hold_first)
ON_LIST(hold_read)
ON_LIST(read_beyond_another)
ON_LIST(leave_one)
ON_LIST(last_out_setup)
ON_LIST(destroyed_setup)
ON_LIST(hand_setup)
ON_LIST(pass_setup)
ON_LIST(stock_setup)
ON_LIST(shared_stock_setup)
ON_LIST(nested_setup)
ON_LIST(two_reads_setup)
ON_LIST(readers_setup)
ON_LIST(two_readers_setup)
ON_LIST(gap_setup)
ON_LIST(hold_upper)
ON_LIST(reserved_setup)
ON_LIST(committing_setup)
ON_LIST(two_obstacles_setup)
ON_LIST(chain_setup)
ON_LIST(vector_setup)
ON_LIST(submission_setup)
ON_LIST(canceled_and_freed_setup)

/* The same where all is kept that may be. */
#define KEEPING(setup)                    \
	static void setup##_keeping(void) \
	{                                 \
		o_keep_on_list(setup);    \
	}
KEEPING(o_setup)
KEEPING(hold_first)
KEEPING(leave_one)
KEEPING(list_beside)
KEEPING(list_elsewhere)

#define HERE .step = o_step, .check = o_check
#define LIST(what, n, before, does)                                                              \
	{                                                                                        \
		.name = "list-" what, .threads = n, .setup = before##_on_list, .run = does, HERE \
	}

#define KEPT(what, n, before, does)                                                              \
	{                                                                                        \
		.name = "kept-" what, .threads = n, .setup = before##_keeping, .run = does, HERE \
	}
#define BESIDE(what, n, does)                                                                  \
	{                                                                                      \
		.name = "kept-" what, .threads = n, .setup = list_beside_keeping, .run = does, \
		.step = o_step, .check = drop_and_check                                        \
	}

#define ALONE(what, before, does)                                                           \
	{                                                                                   \
		.name = "list-" what, .threads = 2, .setup = before##_on_list, .run = does, \
		.check = child_check                                                        \
	}
#define FORK(what, before, does)                                                            \
	{                                                                                   \
		.name = "list-" what, .threads = 3, .setup = before##_on_list, .run = does, \
		.check = child_check                                                        \
	}

static const struct scenario scenarios[] = {
	{ .name = "neighbours", .threads = 2, .setup = o_setup, .run = neighbours, HERE },
	{ .name = "rivals", .threads = 2, .setup = o_setup, .run = rivals, HERE },
	{ .name = "rivals-spinning",
	  .threads = 2,
	  .processors = 3,
	  .setup = o_setup,
	  .run = rivals,
	  HERE },
	{ .name = "unlock-arrival",
	  .threads = 2,
	  .setup = hold_first,
	  .run = leave_and_arrive,
	  HERE },
	{ .name = "unlock-arrivals",
	  .threads = 3,
	  .setup = hold_first,
	  .run = leave_and_arrive,
	  HERE },
	{ .name = "time-out-grant",
	  .threads = 2,
	  .setup = hold_first,
	  .run = time_out_and_grant,
	  HERE },
	{ .name = "time-out-grant-reader",
	  .threads = 3,
	  .setup = hold_first,
	  .run = time_out_and_grant,
	  HERE },
	{ .name = "cancel-grant",
	  .threads = 3,
	  .setup = hold_first,
	  .run = cancel_and_grant,
	  HERE },
	{ .name = "cancel-again",
	  .threads = 3,
	  .setup = hold_first,
	  .run = cancel_and_again,
	  HERE },
	{ .name = "cancel-time-out",
	  .threads = 3,
	  .setup = hold_first,
	  .run = cancel_and_time_out,
	  HERE },
	{ .name = "two-cancels", .threads = 3, .setup = hold_first, .run = two_cancels, HERE },
	{ .name = "reader-gives-up",
	  .threads = 3,
	  .setup = hold_first,
	  .run = reader_gives_up,
	  HERE },
	{ .name = "two-tries", .threads = 2, .setup = o_setup, .run = two_tries, HERE },
	{ .name = "tries-beside-a-holder",
	  .threads = 2,
	  .setup = hold_read,
	  .run = tries_beside_a_holder,
	  .step = o_step,
	  .check = drop_and_check },
	{ .name = "granted-and-gone",
	  .threads = 3,
	  .setup = hold_first,
	  .run = granted_and_gone,
	  HERE },
	{ .name = "last-one-destroys",
	  .threads = 2,
	  .setup = hold_first,
	  .run = last_one_destroys,
	  HERE },
	{ .name = "last-out-destroys",
	  .threads = 2,
	  .setup = last_out_setup,
	  .run = last_out_destroys,
	  HERE },
	{ .name = "destroyed-behind-unlock",
	  .threads = 3,
	  .setup = destroyed_setup,
	  .run = destroyed_behind_unlock,
	  HERE },
	{ .name = "made-anew", .threads = 2, .setup = anew_setup, .run = made_anew, HERE },
	{ .name = "hand-on",
	  .threads = 3,
	  .setup = hand_setup,
	  .run = hand_on,
	  .step = o_step,
	  .check = hand_check },
	{ .name = "used-again", .threads = 2, .setup = o_setup, .run = used_again, HERE },
	{ .name = "crowd", .threads = 3, .setup = o_setup, .run = crowd, HERE },
	{ .name = "crowd-spinning",
	  .threads = 3,
	  .processors = 2,
	  .setup = o_setup,
	  .run = crowd,
	  HERE },
	{ .name = "looker", .threads = 2, .setup = o_setup, .run = looker, HERE },
	{ .name = "looker-beside",
	  .threads = 2,
	  .setup = hold_first,
	  .run = looker_beside,
	  .step = o_step,
	  .check = drop_and_check },
	{ .name = "spinning-is-bounded",
	  .threads = 2,
	  .processors = 2,
	  .setup = spin_setup,
	  .run = spin_and_park,
	  HERE },
	{ .name = "spinning-for-the-mutex-is-bounded",
	  .threads = 2,
	  .processors = 2,
	  .setup = stay_setup,
	  .run = spin_for_the_mutex,
	  .step = o_step,
	  .check = drop_and_check },
	{ .name = "crowd-impatient",
	  .threads = 3,
	  .processors = 3,
	  .impatient = true,
	  .setup = o_setup,
	  .run = crowd,
	  HERE },
	{ .name = "wide-and-narrow-impatient",
	  .threads = 3,
	  .processors = 4,
	  .impatient = true,
	  .setup = o_setup,
	  .run = wide_and_narrow,
	  HERE },
	{ .name = "wander", .threads = 3, .setup = wander_setup, .run = wander, HERE },
	{ .name = "downgrade", .threads = 3, .setup = hold_first, .run = downgrade, HERE },
	{ .name = "upgrades", .threads = 3, .setup = o_setup, .run = upgrades, HERE },
	{ .name = "upgrade-cancel",
	  .threads = 3,
	  .setup = hold_read,
	  .run = upgrade_and_cancel,
	  HERE },
	{ .name = "try-upgrades", .threads = 3, .setup = o_setup, .run = try_upgrades, HERE },
	{ .name = "nested", .threads = 3, .setup = hold_read, .run = nested, HERE },
	{ .name = "nested-upgrade",
	  .threads = 3,
	  .setup = nested_setup,
	  .run = nested_and_upgrade,
	  HERE },
	{ .name = "split", .threads = 3, .setup = hold_first, .run = reduce_and_split, HERE },
	{ .name = "reduce", .threads = 3, .setup = hold_first, .run = reduce, HERE },
	{ .name = "extend", .threads = 3, .setup = hold_first, .run = extend, HERE },
	{ .name = "vectors", .threads = 3, .setup = o_setup, .run = vectors, HERE },
	{ .name = "vector-gives-up",
	  .threads = 3,
	  .setup = hold_first,
	  .run = vector_gives_up,
	  HERE },
	{ .name = "submissions", .threads = 3, .setup = hold_first, .run = submissions, HERE },
	{ .name = "submit-cancel",
	  .threads = 3,
	  .setup = hold_first,
	  .run = submit_and_cancel,
	  HERE },
	{ .name = "reservations", .threads = 3, .setup = o_setup, .run = reservations, HERE },
	{ .name = "commit-gives-up", .threads = 3, .setup = o_setup, .run = commit_gives_up, HERE },
	{ .name = "chooser", .threads = 3, .setup = choose_setup, .run = chooser, HERE },
	{ .name = "orphan", .threads = 3, .setup = orphan_setup, .run = visit_orphan, HERE },
	{ .name = "statistics",
	  .threads = 3,
	  .setup = stats_setup,
	  .run = count_all,
	  .step = o_step,
	  .check = stats_check },
	{ .name = "wide-and-narrow", .threads = 3, .setup = o_setup, .run = wide_and_narrow, HERE },
	{ .name = "wide-and-narrow-spinning",
	  .threads = 3,
	  .processors = 4,
	  .setup = o_setup,
	  .run = wide_and_narrow,
	  HERE },
	{ .name = "barging-passed",
	  .threads = 3,
	  .setup = barging_write,
	  .run = invited_and_passed,
	  HERE },
	{ .name = "barging-passed-spinning",
	  .threads = 3,
	  .processors = 3,
	  .setup = barging_write,
	  .run = invited_and_passed,
	  HERE },
	{ .name = "barging-time-out",
	  .threads = 3,
	  .setup = barging_write,
	  .run = invited_and_timed_out,
	  HERE },
	{ .name = "barging-cancel",
	  .threads = 3,
	  .setup = barging_write,
	  .run = cancel_and_again,
	  HERE },
	{ .name = "barging-cancel-time-out",
	  .threads = 3,
	  .setup = barging_write,
	  .run = cancel_and_time_out,
	  HERE },
	{ .name = "barging-two-cancels",
	  .threads = 3,
	  .setup = barging_write,
	  .run = two_cancels,
	  HERE },
	{ .name = "barging-writers-and-reader",
	  .threads = 4,
	  .setup = barging_read,
	  .run = writers_and_a_reader,
	  HERE },
	{ .name = "barging-bound",
	  .threads = 2,
	  .setup = barging_write,
	  .run = pass_to_the_bound,
	  HERE },
	{ .name = "barging-bound-of-two",
	  .threads = 3,
	  .setup = barging_write,
	  .run = two_pass_to_the_bound,
	  HERE },
	{ .name = "barging-submission",
	  .threads = 3,
	  .setup = barging_write,
	  .run = passed_submission,
	  HERE },
	{ .name = "barging-submit-cancel",
	  .threads = 3,
	  .setup = barging_write,
	  .run = submit_and_cancel,
	  HERE },
	{ .name = "barging-commit",
	  .threads = 3,
	  .setup = barging_read,
	  .run = passed_commit,
	  HERE },
	{ .name = "barging-commit-inside",
	  .threads = 3,
	  .setup = barging_read,
	  .run = commit_passed_inside,
	  HERE },
	{ .name = "barging-upgrade",
	  .threads = 3,
	  .setup = barging_write,
	  .run = passed_by_an_upgrade,
	  HERE },
	{ .name = "barging-upgrades",
	  .threads = 3,
	  .setup = o_setup_barging,
	  .run = upgrades,
	  HERE },
	{ .name = "barging-gone",
	  .threads = 3,
	  .setup = barging_write,
	  .run = granted_and_gone,
	  HERE },
	{ .name = "barging-destroyed",
	  .threads = 2,
	  .setup = barging_write,
	  .run = last_one_destroys,
	  HERE },
	{ .name = "barging-vectors", .threads = 3, .setup = o_setup_barging, .run = vectors, HERE },
	{ .name = "barging-chooser", .threads = 3, .setup = barging_choose, .run = chooser, HERE },
	LIST("neighbours", 2, o_setup, neighbours),
	LIST("rivals", 2, o_setup, rivals),
	LIST("unlock-arrival", 2, hold_first, leave_and_arrive),
	LIST("unlock-arrivals", 3, hold_first, leave_and_arrive),
	LIST("time-out-grant", 2, hold_first, time_out_and_grant),
	LIST("time-out-grant-reader", 3, hold_first, time_out_and_grant),
	LIST("cancel-grant", 3, hold_first, cancel_and_grant),
	LIST("cancel-again", 3, hold_first, cancel_and_again),
	LIST("cancel-time-out", 3, hold_first, cancel_and_time_out),
	LIST("two-cancels", 3, hold_first, two_cancels),
	LIST("reader-gives-up", 3, hold_first, reader_gives_up),
	LIST("two-tries", 2, o_setup, two_tries),
	{ .name = "list-tries-beside-a-holder",
	  .threads = 2,
	  .setup = hold_read_on_list,
	  .run = tries_beside_a_holder,
	  .step = o_step,
	  .check = drop_and_check },
	LIST("granted-and-gone", 3, hold_first, granted_and_gone),
	LIST("last-one-destroys", 2, hold_first, last_one_destroys),
	LIST("last-out-destroys", 2, last_out_setup, last_out_destroys),
	LIST("destroyed-behind-release", 3, destroyed_setup, destroyed_behind_release),
	LIST("destroyed-behind-unlock", 3, destroyed_setup, destroyed_behind_unlock),
	{ .name = "list-hand-on",
	  .threads = 3,
	  .setup = hand_setup_on_list,
	  .run = hand_on,
	  .step = o_step,
	  .check = hand_check },
	LIST("used-again", 2, o_setup, used_again),
	LIST("crowd", 3, o_setup, crowd),
	LIST("looker", 2, o_setup, looker),
	{ .name = "list-looker-beside",
	  .threads = 2,
	  .setup = hold_first_on_list,
	  .run = looker_beside,
	  .step = o_step,
	  .check = drop_and_check },
	LIST("wide-and-narrow", 3, o_setup, wide_and_narrow),
	{ .name = "list-failing-try",
	  .threads = 2,
	  .setup = hold_first_on_list,
	  .run = failing_try,
	  .step = o_step,
	  .check = drop_and_check },
	LIST("destroyed-once-free", 2, leave_one, destroyed_once_free),
	LIST("three-tries", 3, o_setup, three_tries),
	{ .name = "list-passers",
	  .threads = 3,
	  .setup = pass_setup_on_list,
	  .run = passers,
	  .step = o_step,
	  .check = pass_check },
	LIST("come-between", 3, last_out_setup, leave_and_come_between),
	LIST("give-up-often", 3, pass_setup, give_up_often),
	LIST("cancel-returns", 2, pass_setup, cancel_and_return),
	LIST("late-waiters", 4, pass_setup, late_waiters),
	LIST("four", 4, hold_first, four),
	LIST("stock", 2, stock_setup, stock),
	LIST("revoked-and-used-again", 2, o_setup, revoked_and_used_again),
	LIST("shared-stock", 3, shared_stock_setup, shared_stock),
	LIST("downgrade", 3, hold_first, downgrade),
	LIST("upgrades", 3, o_setup, upgrades),
	LIST("upgrade-cancel", 3, hold_read, upgrade_and_cancel),
	LIST("try-upgrades", 3, o_setup, try_upgrades),
	LIST("nested", 3, hold_read, nested),
	LIST("nested-upgrade", 3, nested_setup, nested_and_upgrade),
	LIST("split", 3, hold_first, reduce_and_split),
	LIST("reduce", 3, hold_first, reduce),
	LIST("extend", 3, hold_first, extend),
	{ .name = "list-one-of-two-upgrades",
	  .threads = 2,
	  .setup = two_readers_setup_on_list,
	  .run = one_of_the_upgrades,
	  .step = o_step,
	  .check = one_upgrade_check },
	{ .name = "list-one-of-three-upgrades",
	  .threads = 3,
	  .setup = readers_setup_on_list,
	  .run = one_of_the_upgrades,
	  .step = o_step,
	  .check = one_upgrade_check },
	{ .name = "list-upgrades-beside-a-reader",
	  .threads = 3,
	  .setup = readers_setup_on_list,
	  .run = upgrades_beside_a_reader,
	  .step = o_step,
	  .check = one_upgrade_check },
	LIST("upgrade-tries", 3, hold_read, upgrade_and_tries),
	LIST("upgrade-nested", 3, two_reads_setup, nested_in_an_upgrade),
	LIST("nested-tries", 3, hold_read, nested_and_tries),
	LIST("shrink-in-steps", 3, hold_first, shrink_in_steps),
	LIST("split-gives-up", 3, hold_first, split_and_give_up),
	{ .name = "list-gap",
	  .threads = 2,
	  .setup = gap_setup_on_list,
	  .run = grow_into_a_gap,
	  .step = o_step,
	  .check = one_growth_check },
	LIST("extend-down", 3, hold_upper, extend_down),
	{ .name = "list-looker-of-growth",
	  .threads = 2,
	  .setup = hold_upper_on_list,
	  .run = looker_of_growth,
	  .step = o_step,
	  .check = drop_and_check },
	LIST("look-beyond-another", 2, read_beyond_another, look_beyond_another),
	{ .name = "list-split-scarce",
	  .threads = 2,
	  .scarce = true,
	  .setup = hold_first_on_list,
	  .run = split_or_not,
	  .step = o_step,
	  .check = drop_and_check },
	LIST("extend-beside-waiter", 2, hold_first, extend_beside_a_waiter),
	{ .name = "list-extend-scarce",
	  .threads = 2,
	  .scarce = true,
	  .setup = hold_first_on_list,
	  .run = extend,
	  HERE },
	LIST("reservations", 3, o_setup, reservations),
	LIST("commit-gives-up", 3, o_setup, commit_gives_up),
	LIST("two-reserve", 3, o_setup, two_reserve),
	{ .name = "list-reserve-beside-tries",
	  .threads = 3,
	  .setup = hold_first_on_list,
	  .run = reserve_beside_tries,
	  .step = o_step,
	  .check = drop_and_check },
	LIST("reserve-beside-a-waiter", 3, hold_read, reserve_beside_a_waiter),
	LIST("commit-against-grant", 3, hold_read, commit_against_grant),
	LIST("unreserve-against-revocation", 3, reserved_setup, unreserve_against_revocation),
	LIST("revoked-and-gone", 3, reserved_setup, revoked_and_gone),
	LIST("revoked-and-again", 3, reserved_setup, revoked_and_again),
	LIST("revoked-and-locked", 3, reserved_setup, revoked_and_locked),
	LIST("commit-cancel", 3, committing_setup, commit_and_cancel),
	LIST("commit-cancel-revoke", 4, committing_setup, cancel_and_revoke_commit),
	LIST("commit-again", 3, committing_setup, commit_and_again),
	LIST("behind-a-commit", 4, hold_read, behind_a_commit),
	LIST("gaps", 2, o_setup, gaps),
	LIST("gap-and-reserve", 3, o_setup, gap_and_reserve),
	LIST("upgrade-revokes", 3, hold_read, upgrade_revokes),
	LIST("growth-revokes", 2, hold_first, growth_revokes),
	LIST("destroyed-once-unreserved", 2, reserved_setup, destroyed_once_unreserved),
	{ .name = "list-reserve-scarce",
	  .threads = 2,
	  .scarce = true,
	  .setup = o_setup_on_list,
	  .run = reserve_or_not,
	  HERE },
	LIST("vectors", 3, o_setup, vectors),
	LIST("vector-gives-up", 3, hold_first, vector_gives_up),
	LIST("submissions", 3, hold_first, submissions),
	LIST("submit-cancel", 3, hold_first, submit_and_cancel),
	LIST("vectors-crossing", 2, o_setup, crossing_vectors),
	LIST("vector-and-others", 3, o_setup, vector_and_others),
	LIST("behind-a-vector", 3, hold_first, behind_a_vector),
	LIST("behind-a-vector-canceled", 4, hold_first, behind_a_vector),
	LIST("vector-and-try", 2, o_setup, vector_parts),
	LIST("vector-parts", 3, o_setup, vector_parts),
	LIST("vector-decides", 2, vector_setup, vector_decides),
	LIST("tries-and-vector", 3, o_setup, tries_and_vector),
	{ .name = "list-vector-passers",
	  .threads = 3,
	  .setup = pass_setup_on_list,
	  .run = vector_passers,
	  .step = o_step,
	  .check = pass_check },
	LIST("submit-unlock", 2, hold_first, submit_and_drop),
	LIST("submit-two-obstacles", 3, two_obstacles_setup, two_obstacles),
	LIST("two-releases", 3, chain_setup, two_releases),
	LIST("submit-from-within", 3, hold_first, submit_from_within),
	LIST("submit-two-cancels", 3, submission_setup, cancel_submission_twice),
	LIST("canceled-and-freed", 2, canceled_and_freed_setup, canceled_and_freed),
	LIST("cancel-often", 2, pass_setup, cancel_often),
	{ .name = "list-vectors-scarce",
	  .threads = 2,
	  .scarce = true,
	  .setup = o_setup_on_list,
	  .run = crossing_vectors,
	  HERE },
	{ .name = "list-rivals-scarce",
	  .threads = 2,
	  .scarce = true,
	  .setup = o_setup_on_list,
	  .run = rivals,
	  HERE },
	{ .name = "list-crowd-impatient",
	  .threads = 3,
	  .processors = 3,
	  .impatient = true,
	  .setup = o_setup_on_list,
	  .run = crowd,
	  HERE },
	{ .name = "list-wide-and-narrow-impatient",
	  .threads = 3,
	  .processors = 4,
	  .impatient = true,
	  .setup = o_setup_on_list,
	  .run = wide_and_narrow,
	  HERE },
	BESIDE("again", 2, again_and_another),
	BESIDE("tries", 2, again_and_tries),
	BESIDE("not-the-same", 2, again_but_not_the_same),
	BESIDE("by-another", 2, kept_by_another),
	BESIDE("reserve", 2, again_and_reserve),
	BESIDE("look", 2, again_and_look),
	BESIDE("alone-beside", 2, again_and_alone),
	KEPT("alone", 2, o_setup, again_and_alone),
	KEPT("passers", 3, list_beside, familiar_passers),
	KEPT("destroyed-once-free", 2, leave_one, destroyed_once_free),
	KEPT("wide-and-narrow", 3, o_setup, wide_and_narrow),
	KEPT("crowd", 3, o_setup, crowd),
	KEPT("used-again", 2, o_setup, used_again),
	KEPT("three-tries", 3, o_setup, three_tries),
	KEPT("upgrades", 3, o_setup, upgrades),
	KEPT("extend", 3, hold_first, extend),
	KEPT("vectors", 3, o_setup, vectors),
	KEPT("submissions", 3, hold_first, submissions),
	KEPT("growth-revokes", 2, hold_first, growth_revokes),
	{ .name = "kept-scarce",
	  .threads = 2,
	  .scarce = true,
	  .setup = list_beside_keeping,
	  .run = again_and_another,
	  .step = o_step,
	  .check = drop_and_check },
	{ .name = "list-fork-kept",
	  .threads = 3,
	  .setup = list_beside_keeping,
	  .run = fork_kept,
	  .check = child_check },
	{ .name = "kept-destroyed-once-left",
	  .threads = 2,
	  .setup = list_elsewhere_keeping,
	  .run = destroyed_once_left,
	  .step = o_step,
	  .check = left_check },
	{ .name = "list-fork-kept-elsewhere",
	  .threads = 2,
	  .setup = list_elsewhere_keeping,
	  .run = fork_kept_elsewhere,
	  .check = elsewhere_check },
	{ .name = "list-fork-kept-alone",
	  .threads = 2,
	  .setup = list_beside_keeping,
	  .run = fork_kept_alone,
	  .check = child_check },
	ALONE("fork-changes-alone", hold_first, fork_changes_alone),
	ALONE("fork-vectors-alone", hold_first, fork_vectors_alone),
	ALONE("fork-submissions-alone", hold_first, fork_submissions_alone),
	ALONE("fork-reservations-alone", hold_first, fork_reservations_alone),
	{ .name = "list-fork-unlocked",
	  .threads = 2,
	  .setup = hold_first_on_list,
	  .run = fork_unlocked,
	  .check = unlocked_check },
	FORK("fork-two-locks", o_setup, fork_two_locks),
	FORK("fork-looks", hold_first, fork_looks),
	FORK("fork-changes", hold_first, fork_changes),
	FORK("fork-vectors", hold_first, fork_vectors),
	FORK("fork-submissions", hold_first, fork_submissions),
	FORK("fork-reservations", hold_first, fork_reservations),
};

const struct scenario *scenario_by_hand(unsigned i)
{
	enum { N = sizeof(scenarios) / sizeof(scenarios[0]) };

	return i < N ? &scenarios[i] : scenario_checked(i - N);
}
