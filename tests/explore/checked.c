/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios with locks that are checked: two of them, since a cycle through two
 * is what the checker is for.  Thread i uses requests 2i and 2i + 1.
 */
#include <errno.h>
#include <string.h>

#include "check/check.h"
#include "explore/scenarios.h"
#include "support/fiber.h"

static struct rangelock locks[2];
static struct rangelock_req reqs[2 * MAX_THREADS];
static uint64_t data[2]; /* plain, each guarded by its lock */
static unsigned deadlocks, reports, time_outs;
static bool holds_one[2];

NOT_FOR_TSAN static void note_report(const char *text, size_t length)
{
	(void)text, (void)length;
	reports++;
}

static void make_locks(unsigned flags)
{
	struct rangelock_attr attr = { .flags = RANGELOCK_CHECKED | flags, .name = "lock" };

	rl_check_reset();
	rl_check_tell = note_report;
	for (int i = 0; i < 2; i++) {
		rangelock_init(&locks[i], &attr);
		holds_one[i] = false;
	}
	memset(reqs, 0, sizeof(reqs));
	explore_name(&locks[0], sizeof(locks[0]), "lock A");
	explore_name(&locks[1], sizeof(locks[1]), "lock B");
	explore_name(reqs, sizeof(reqs), "a request");
	deadlocks = reports = time_outs = 0;
}

static void setup(void)
{
	make_locks(0);
}

static void barging_setup(void)
{
	make_locks(RANGELOCK_BARGING);
}

NOT_FOR_TSAN static void count_error(int error)
{
	deadlocks += error == EDEADLK;
	time_outs += error == ETIMEDOUT;
	if (error != EDEADLK && error != ETIMEDOUT)
		explore_fail("answer: a lock call answered errno %d", error);
}

NOT_FOR_TSAN static void tell_that_it_holds(unsigned i)
{
	holds_one[i] = true;
}

NOT_FOR_TSAN static bool both_hold(void)
{
	return holds_one[0] && holds_one[1];
}

static void must_be_0(int error)
{
	if (error)
		explore_fail("answer: errno %d", error);
}

/* Lock one, and then the other. */
static void lock_both(unsigned i, unsigned first, bool meet, bool timed)
{
	static const struct timespec some_time = { 1, 0 };
	struct rangelock_req *one = &reqs[2 * i], *two = &reqs[2 * i + 1];
	struct rangelock *other = &locks[1 - first];

	must_be_0(rangelock_wrlock(&locks[first], one, 0, 2));
	data[first]++;
	if (meet) {
		tell_that_it_holds(i);
		explore_wait(both_hold);
	}
	int error = rangelock_timedwrlock(other, two, 1, 3, timed ? &some_time : NULL);
	if (error)
		count_error(error);
	else
		data[1 - first]++;
	must_be_0(rangelock_unlock(&locks[first], one));
	if (!error)
		must_be_0(rangelock_unlock(other, two));
}

static void two_orders(unsigned i)
{
	lock_both(i, i, true, false);
}

static void check(void)
{
	explore_assert(reports == deadlocks);
	for (int i = 0; i < 2; i++)
		must_be_0(rangelock_destroy(&locks[i]));
}

/* Of two who would wait for each other, one is told, whoever that is; the other goes on. */
static void one_deadlock(void)
{
	explore_assert(deadlocks == 1);
	check();
}

static void one_order(unsigned i)
{
	lock_both(i, 0, false, i == 0);
}

static void no_deadlock(void)
{
	explore_assert(deadlocks == 0);
	check();
}

/* Whoever has timed out waits no more. */
static void two_orders_for_a_time(unsigned i)
{
	lock_both(i, i, false, true);
}

static void not_both(void)
{
	explore_assert(deadlocks <= 1);
	check();
}

/* Three who read, and a writer in between: each by itself goes on. */
static void reads_and_a_write(unsigned i)
{
	struct rangelock_req *one = &reqs[2 * i], *two = &reqs[2 * i + 1];

	if (i == 0) {
		must_be_0(rangelock_wrlock(&locks[0], one, 0, 3));
		data[0]++;
		must_be_0(rangelock_unlock(&locks[0], one));
		return;
	}
	must_be_0(rangelock_rdlock(&locks[0], one, 0, 1));
	/* Behind the writer, if it has come in between; which this thread holds up. */
	int error = rangelock_rdlock(&locks[0], two, 1, 2);
	if (error)
		count_error(error);
	else
		must_be_0(rangelock_unlock(&locks[0], two));
	must_be_0(rangelock_unlock(&locks[0], one));
}

/* Two are invited at once, and a third, who will wait for both, is searched from while their
 * invitations are on their way. */
static void invited_setup(void)
{
	barging_setup();
	must_be_0(rangelock_wrlock(&locks[0], &reqs[7], 0, 2));
	to_req(&reqs[7])->owner = 0; /* nobody's: thread 0 unlocks it */
}

static void search_past_the_invited(unsigned i)
{
	static const struct rangelock_range wants[] = {
		[1] = { 0, 1, RANGELOCK_WRITE },
		[2] = { 1, 2, RANGELOCK_WRITE },
		[3] = { 0, 2, RANGELOCK_WRITE },
	};

	if (i == 0) {
		must_be_0(rangelock_unlock(&locks[0], &reqs[7]));
		return;
	}
	must_be_0(rangelock_wrlock(&locks[0], &reqs[2 * i], wants[i].start, wants[i].end));
	if (i == 3)
		data[0]++;
	must_be_0(rangelock_unlock(&locks[0], &reqs[2 * i]));
}

static const struct scenario scenarios[] = {
	{ .name = "checked-and-invited",
	  .threads = 4,
	  .setup = invited_setup,
	  .run = search_past_the_invited,
	  .check = no_deadlock },
	{ .name = "checked-two-orders-barging",
	  .threads = 2,
	  .setup = barging_setup,
	  .run = two_orders,
	  .check = one_deadlock },
	{ .name = "checked-one-order-barging",
	  .threads = 3,
	  .setup = barging_setup,
	  .run = one_order,
	  .check = no_deadlock },
	{ .name = "checked-two-orders",
	  .threads = 2,
	  .setup = setup,
	  .run = two_orders,
	  .check = one_deadlock },
	{ .name = "checked-one-order",
	  .threads = 2,
	  .setup = setup,
	  .run = one_order,
	  .check = no_deadlock },
	{ .name = "checked-one-order-of-three",
	  .threads = 3,
	  .setup = setup,
	  .run = one_order,
	  .check = no_deadlock },
	{ .name = "checked-two-orders-for-a-time",
	  .threads = 2,
	  .setup = setup,
	  .run = two_orders_for_a_time,
	  .check = not_both },
	{ .name = "checked-reads-and-a-write",
	  .threads = 3,
	  .setup = setup,
	  .run = reads_and_a_write,
	  .check = check },
};

const struct scenario *scenario_checked(unsigned i)
{
	return i < sizeof(scenarios) / sizeof(scenarios[0]) ? &scenarios[i] : NULL;
}
