/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RANGELOCK_BARGING: who may pass whom, and how often; and invitations.
 *
 * Those who wait are fibers, which come when the test says so: what happens between an
 * invitation and the coming is in the test's hand.
 */
#include <errno.h>
#include <string.h>

#include "base/lock.h"
#include "front/word.h"
#include "support/actor.h"
#include "support/fiber.h"
#include "support/suite.h"
#include "wait/wait.h"

#define WRITE RANGELOCK_WRITE
#define READ  RANGELOCK_READ

static struct rangelock lock;
static struct rangelock_req holder, passer, other;

/* ---- Those who wait ---- */

struct waiter {
	struct fiber fiber;
	struct rangelock_req reqs[2];
	struct rangelock_range range;
	int (*call)(struct waiter *);
	struct rangelock_req *outer; /* of a nested read */
	_Atomic uint32_t *sleeps_on;
	int wakes; /* since it began or came last */
	int sleep_returns, result;
	int chosen;		/* how often it has chosen its range */
	struct waiter *expires; /* when this one is woken, that one's time is over */
};

static struct waiter waiters[4];
static struct waiter *const first = &waiters[0], *const second = &waiters[1],
			    *const third = &waiters[2];
static struct waiter *running;

static void let_run(struct waiter *w)
{
	struct waiter *before = running;

	running = w;
	fiber_release(&lock);
	fiber_resume(&w->fiber);
	fiber_acquire(&lock);
	running = before;
}

static int sleep_as_fiber(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	struct waiter *w = running;

	(void)abstime;
	must(w);
	if (rl_load(word, relaxed) != expected)
		return 0;
	w->sleeps_on = word;
	fiber_release(&lock);
	fiber_pause();
	fiber_acquire(&lock);
	w->sleeps_on = NULL;
	return w->sleep_returns;
}

static void expire(struct waiter *w);

static void wake_fiber(_Atomic uint32_t *word)
{
	for (struct waiter *w = waiters; w < waiters + 4; w++) {
		if (w->sleeps_on != word)
			continue;
		w->wakes++;
		if (w->expires)
			expire(w->expires);
	}
}

static unsigned one_processor(void)
{
	return 1; /* nobody spins */
}

static const struct wait_ops ops = { .sleep = sleep_as_fiber,
				     .wake = wake_fiber,
				     .processors = one_processor };

static const struct timespec some_time = { .tv_sec = 1000 };

static int call_lock(struct waiter *w)
{
	return (w->range.mode == WRITE ? rangelock_timedwrlock : rangelock_timedrdlock)(
	    &lock, &w->reqs[0], w->range.start, w->range.end, &some_time);
}

static int call_nested(struct waiter *w)
{
	return rangelock_rdlock_nested(&lock, &w->reqs[0], w->range.start, w->range.end, w->outer);
}

static int call_upgrade(struct waiter *w)
{
	return rangelock_upgrade(&lock, &w->reqs[0]);
}

static int call_commit(struct waiter *w)
{
	return rangelock_commit(&lock, &w->reqs[0], &some_time);
}

/* Both ends of its range, without what lies between them. */
static int call_vector(struct waiter *w)
{
	const struct rangelock_range ends[] = {
		{ w->range.start, w->range.start + 1, w->range.mode },
		{ w->range.end - 1, w->range.end, w->range.mode },
	};

	return rangelock_lockv(&lock, w->reqs, ends, 2, &some_time);
}

static int call_entered(struct waiter *w)
{
	rangelock_enter(&lock);
	int error = rangelock_wait_entered(&lock, &w->reqs[0], &w->range, &some_time);
	bool inside = rl_load(&to_lock(&lock)->word, relaxed) & WORD_LOCKED;
	rangelock_leave(&lock);
	return inside ? error : -1;
}

static int choose(void *arg, struct rangelock_range *range)
{
	struct waiter *w = arg;

	*range = w->range;
	w->chosen++;
	return 0;
}

static int call_chosen(struct waiter *w)
{
	return rangelock_lock_chosen(&lock, &w->reqs[0], choose, w, &some_time);
}

static void run_call(void *arg)
{
	struct waiter *w = arg;

	fiber_acquire(&lock);
	w->result = w->call(w);
	fiber_release(&lock);
}

/* It makes its call, which has to wait. */
static void begin(struct waiter *w, int (*call)(struct waiter *), enum rangelock_mode mode,
		  uint64_t start, uint64_t end)
{
	w->call = call;
	w->range = (struct rangelock_range){ start, end, mode };
	w->wakes = w->sleep_returns = w->chosen = 0;
	w->expires = NULL;
	fiber_start(&w->fiber, run_call, w);
	let_run(w);
	ck_assert(!w->fiber.ended && w->wakes == 0);
}

static void queue(struct waiter *w, enum rangelock_mode mode, uint64_t start, uint64_t end)
{
	begin(w, call_lock, mode, start, end);
}

static bool was_woken(const struct waiter *w)
{
	return w->wakes > 0;
}

static bool waits(const struct waiter *w)
{
	struct seen seen = look_at(&lock, &w->reqs[0]);

	return seen.blockers >= 0 && seen.state == RANGELOCK_WAITING;
}

/* Invited: it was woken, and waits still. */
static bool is_invited(const struct waiter *w)
{
	return w->wakes == 1 && waits(w) && look_at(&lock, &w->reqs[0]).blockers == 0;
}

/* Nobody of those who go before it is left, but one that has passed. */
static bool is_ready(const struct waiter *w)
{
	return !was_woken(w) && waits(w) && look_at(&lock, &w->reqs[0]).blockers == 0;
}

/* It comes, since it was woken once.  Whether its call has returned. */
static bool comes(struct waiter *w)
{
	ck_assert_int_eq(w->wakes, 1);
	w->wakes = 0;
	w->sleep_returns = 0;
	let_run(w);
	return w->fiber.ended;
}

static void comes_and_gets(struct waiter *w, int result)
{
	ck_assert(comes(w));
	ck_assert_int_eq(w->result, result);
	ck_assert(result ? look_at(&lock, &w->reqs[0]).blockers < 0 : is_held(&lock, &w->reqs[0]));
}

/* It comes, in vain. */
static void comes_and_waits(struct waiter *w)
{
	ck_assert(!comes(w));
	ck_assert(waits(w));
}

/* Its time is over. */
static void expire(struct waiter *w)
{
	w->sleep_returns = ETIMEDOUT;
	let_run(w);
}

/* ---- The lock ---- */

static void make(unsigned flags)
{
	const struct rangelock_attr attr = { .flags = flags };

	holder = passer = other = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	ck_assert_int_eq(rangelock_init(&lock, &attr), 0);
}

static void setup(void)
{
	for (struct waiter *w = waiters; w < waiters + 4; w++) {
		memset(w, 0, sizeof(*w));
		fiber_create(&w->fiber);
	}
	rl_wait = &ops;
	make(RANGELOCK_BARGING);
}

/* Nothing is left, whatever went on. */
static void teardown(void)
{
	ck_assert_int_eq(population(&lock), 0);
	ck_assert_uint_eq(rl_load(&to_lock(&lock)->word, relaxed), WORD_IDLE);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
	rl_wait = &rl_wait_futex;
	for (struct waiter *w = waiters; w < waiters + 4; w++)
		fiber_destroy(&w->fiber);
}

static void hold(struct rangelock_req *req, enum rangelock_mode mode, uint64_t start, uint64_t end)
{
	ck_assert_int_eq(
	    (mode == WRITE ? rangelock_wrlock : rangelock_rdlock)(&lock, req, start, end), 0);
}

static void drop(struct rangelock_req *req)
{
	ck_assert_int_eq(rangelock_unlock(&lock, req), 0);
}

/* What a try says; nothing is held afterwards. */
static int try(enum rangelock_mode mode, uint64_t start, uint64_t end)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	int error =
	    (mode == WRITE ? rangelock_trywrlock : rangelock_tryrdlock)(&lock, &req, start, end);

	if (!error)
		drop(&req);
	return error;
}

/* ---- Who passes ---- */

START_TEST(arrivals_pass_those_that_wait)
{
	hold(&holder, WRITE, 0, 10);
	queue(first, WRITE, 0, 20);
	hold(&passer, WRITE, 12, 14);
	hold(&other, READ, 14, 16);
	ck_assert_int_eq(try(WRITE, 16, 30), 0);
	ck_assert_int_eq(try(READ, 14, 20), 0);
	ck_assert_int_eq(try(READ, 9, 12), EBUSY); /* one holds */
	ck_assert_int_eq(try(WRITE, 14, 15), EBUSY);
	ck_assert_int_eq(look_at(&lock, &first->reqs[0]).blockers, 1); /* the holder */

	drop(&holder);
	ck_assert(is_ready(first));
	drop(&passer);
	ck_assert(is_ready(first));
	drop(&other);
	ck_assert(is_invited(first));
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
}
END_TEST

START_TEST(a_strict_lock_passes_nobody)
{
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
	make(0);
	hold(&holder, WRITE, 0, 10);
	queue(first, WRITE, 0, 20);
	ck_assert_int_eq(try(WRITE, 12, 14), EBUSY);
	ck_assert_int_eq(try(READ, 14, 16), EBUSY);
	queue(second, WRITE, 12, 14);
	drop(&holder);
	ck_assert(is_held(&lock, &first->reqs[0])); /* granted, before it comes */
	ck_assert_int_eq(try(READ, 0, 1), EBUSY);
	comes_and_gets(first, 0);
	ck_assert(!was_woken(second));
	drop(&first->reqs[0]);
	comes_and_gets(second, 0);
	drop(&second->reqs[0]);
}
END_TEST

START_TEST(the_engine_says_that_it_can)
{
	ck_assert(rangelock_engine_caps(RANGELOCK_TREE) & RANGELOCK_CAP_BARGING);
}
END_TEST

/* Readers pass a writer, and the last of them lets it in. */
START_TEST(reads_pass_a_write)
{
	hold(&holder, READ, 0, 10);
	queue(first, WRITE, 0, 10);
	hold(&passer, READ, 5, 15);
	drop(&holder);
	ck_assert(is_ready(first));
	hold(&other, READ, 9, 10);
	drop(&passer);
	ck_assert(is_ready(first));
	drop(&other);
	ck_assert(is_invited(first));
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
}
END_TEST

/* Who is in the way of those that were passed is so until it gives up what they want. */
/* Who is in the way of those that it has passed is so until it gives up what they want. */
START_TEST(one_that_passed_makes_way_by_what_it_gives_up)
{
	hold(&holder, WRITE, 0, 1);
	queue(first, READ, 0, 10);
	hold(&passer, WRITE, 5, 25);
	drop(&holder);
	ck_assert(is_ready(first));
	ck_assert_int_eq(rangelock_reduce(&lock, &passer, 6, 25), 0);
	ck_assert_int_eq(rangelock_split(&lock, &passer, 15, &other), 0);
	ck_assert(is_ready(first));
	ck_assert_int_eq(rangelock_reduce(&lock, &passer, 10, 15), 0);
	ck_assert(is_invited(first));
	drop(&passer);
	drop(&other);
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
}
END_TEST

START_TEST(a_write_that_passed_makes_way_for_reads_by_a_downgrade)
{
	hold(&holder, WRITE, 0, 1);
	queue(first, READ, 0, 10);
	queue(second, WRITE, 0, 10);
	hold(&passer, WRITE, 5, 25);
	drop(&holder);
	ck_assert(is_ready(first));
	ck_assert_int_eq(rangelock_downgrade(&lock, &passer), 0);
	ck_assert(is_invited(first));
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
	ck_assert(is_ready(second));
	drop(&passer);
	comes_and_gets(second, 0);
	drop(&second->reqs[0]);
}
END_TEST

/* An upgrade goes before those that the read has passed, invited or not. */
START_TEST(one_that_passed_may_upgrade)
{
	hold(&holder, WRITE, 0, 1);
	queue(first, READ, 0, 10);
	hold(&passer, READ, 5, 6);
	drop(&holder);
	ck_assert(is_invited(first));
	ck_assert_int_eq(rangelock_tryupgrade(&lock, &passer), EBUSY);
	ck_assert_int_eq(rangelock_upgrade(&lock, &passer), 0);
	ck_assert_int_eq(look_at(&lock, &first->reqs[0]).blockers, 1);
	comes_and_waits(first);
	ck_assert(!was_woken(first));
	drop(&passer);
	ck_assert(is_invited(first));
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
}
END_TEST

/* So does one that waits for others: they are before those whose turn had come. */
START_TEST(an_upgrade_goes_before_those_whose_turn_had_come)
{
	for (int invited = 0; invited < 2; invited++) {
		hold(&holder, WRITE, 0, 1);
		queue(first, READ, 0, 10);
		if (!invited)
			hold(&passer, WRITE, 5, 6);
		hold(&second->reqs[0], READ, 7, 8);
		hold(&other, READ, 7, 9);
		drop(&holder);
		ck_assert(invited ? is_invited(first) : is_ready(first));
		begin(second, call_upgrade, WRITE, 7, 8);
		ck_assert_int_eq(look_at(&lock, &first->reqs[0]).blockers, 1);
		if (invited)
			comes_and_waits(first);
		else
			drop(&passer);
		ck_assert(!was_woken(first));
		drop(&other);
		comes_and_gets(second, 0);
		ck_assert(!was_woken(first));
		drop(&second->reqs[0]);
		comes_and_gets(first, 0);
		drop(&first->reqs[0]);
	}
}
END_TEST

START_TEST(nested_reads_upgrades_and_vectors_are_not_passed)
{
	/* A vector, of which the second part waits only for the first. */
	hold(&holder, WRITE, 0, 1);
	begin(first, call_vector, READ, 0, 10);
	ck_assert_int_eq(try(WRITE, 9, 10), EBUSY);
	ck_assert_int_eq(try(READ, 9, 10), 0);
	ck_assert_int_eq(try(WRITE, 1, 9), 0);
	drop(&holder);
	ck_assert(is_held(&lock, &first->reqs[1]));
	comes_and_gets(first, 0);
	ck_assert_int_eq(rangelock_unlockv(&lock, first->reqs, 2), 0);

	/* An upgrade, of whatever others read. */
	hold(&first->reqs[0], READ, 0, 10);
	hold(&holder, READ, 9, 20);
	begin(first, call_upgrade, WRITE, 0, 10);
	ck_assert_int_eq(try(READ, 0, 1), EBUSY);
	ck_assert_int_eq(try(READ, 10, 11), 0);
	drop(&holder);
	ck_assert(was_woken(first) && rangelock_is_locked(&lock, 0, 10, WRITE));
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);

	/* A nested read. */
	hold(&other, READ, 0, 1);
	hold(&holder, WRITE, 1, 2);
	first->outer = &other;
	begin(first, call_nested, READ, 0, 10);
	queue(second, WRITE, 9, 20);
	ck_assert_int_eq(try(WRITE, 9, 10), EBUSY);
	ck_assert_int_eq(try(READ, 9, 10), 0);
	drop(&holder);
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
	drop(&other);
	comes_and_gets(second, 0);
	drop(&second->reqs[0]);
}
END_TEST

/* ---- How often ---- */

/* Of `mode`, until the next one is refused. */
static unsigned passed_before_refusal(enum rangelock_mode mode)
{
	unsigned n = 0;

	while (!try(mode, 50, 51)) {
		n++;
		must(n <= 2 * RANGELOCK_MAX_BYPASS);
	}
	return n;
}

/* Wherever the count of arrivals stands. */
START_TEST(the_bypass_is_bounded)
{
	static const uint64_t phases[] = { 0,
					   1,
					   RANGELOCK_MAX_BYPASS / 4 - 2,
					   RANGELOCK_MAX_BYPASS / 4 - 1,
					   RANGELOCK_MAX_BYPASS / 4,
					   RANGELOCK_MAX_BYPASS - 1,
					   UINT32_MAX };

	for (size_t i = 0; i < sizeof(phases) / sizeof(*phases); i++) {
		to_lock(&lock)->arrivals = phases[i];
		hold(&holder, WRITE, 0, 1);
		queue(first, WRITE, 0, 100);
		unsigned n = passed_before_refusal(i % 2 ? WRITE : READ);
		ck_assert_uint_le(n, RANGELOCK_MAX_BYPASS);
		ck_assert_uint_ge(n, RANGELOCK_MAX_BYPASS / 4 * 3 - 1);

		/* And it is served next. */
		drop(&holder);
		ck_assert(is_invited(first));
		ck_assert_int_eq(try(READ, 50, 51), EBUSY);
		comes_and_gets(first, 0);
		drop(&first->reqs[0]);
	}
}
END_TEST

/* Who is passed no more may still have one in its way that has passed it. */
START_TEST(one_that_is_passed_no_more_waits_for_who_has_passed)
{
	hold(&holder, WRITE, 0, 1);
	queue(first, WRITE, 0, 100);
	queue(second, READ, 0, 100);
	hold(&passer, WRITE, 60, 61);
	passed_before_refusal(WRITE);
	drop(&holder);
	ck_assert(is_ready(first));
	ck_assert_int_eq(try(READ, 50, 51), EBUSY);
	drop(&passer);
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
	comes_and_gets(second, 0);
	drop(&second->reqs[0]);
}
END_TEST

/* ---- Invitations ---- */

START_TEST(those_that_wait_keep_their_order)
{
	hold(&holder, WRITE, 0, 10);
	queue(first, WRITE, 0, 10);
	queue(second, WRITE, 5, 10);
	queue(third, READ, 0, 10);
	drop(&holder);
	ck_assert(is_invited(first));
	ck_assert(!was_woken(second) && !was_woken(third));

	/* Too late: another one has come before it. */
	hold(&passer, WRITE, 0, 1);
	comes_and_waits(first);
	ck_assert(is_ready(first));
	ck_assert_int_eq(look_at(&lock, &second->reqs[0]).blockers, 1);
	drop(&passer);
	ck_assert(is_invited(first));

	/* Once invited it is told nothing more before it has come. */
	hold(&passer, WRITE, 0, 1);
	drop(&passer);
	ck_assert(is_invited(first));
	ck_assert(!was_woken(second));
	comes_and_gets(first, 0);

	drop(&first->reqs[0]);
	ck_assert(is_invited(second) && !was_woken(third));
	comes_and_gets(second, 0);
	drop(&second->reqs[0]);
	comes_and_gets(third, 0);
	drop(&third->reqs[0]);
}
END_TEST

START_TEST(reads_are_invited_together)
{
	hold(&holder, WRITE, 0, 10);
	queue(first, READ, 0, 10);
	queue(second, READ, 5, 10);
	queue(third, WRITE, 0, 10);
	drop(&holder);
	ck_assert(is_invited(first) && is_invited(second) && !was_woken(third));
	comes_and_gets(second, 0);
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
	drop(&second->reqs[0]);
	comes_and_gets(third, 0);
	drop(&third->reqs[0]);
}
END_TEST

/* What it is granted is so when it comes. */
START_TEST(an_invited_write_revokes_when_it_comes)
{
	ck_assert_int_eq(rangelock_reserve(&lock, &other, 0, 10), 0);
	hold(&holder, READ, 0, 1);
	queue(first, WRITE, 0, 10);
	drop(&holder);
	ck_assert(is_invited(first));
	ck_assert(rangelock_is_reserved(&lock, &other));
	comes_and_gets(first, 0);
	ck_assert(!rangelock_is_reserved(&lock, &other));
	ck_assert_int_eq(rangelock_unreserve(&lock, &other), ECANCELED);
	drop(&first->reqs[0]);
}
END_TEST

/* It is the lock's only request, and holds nothing. */
START_TEST(an_invited_one_keeps_the_lock_in_use)
{
	hold(&holder, WRITE, 0, 10);
	queue(first, WRITE, 0, 20);
	drop(&holder);
	ck_assert_int_eq(rangelock_destroy(&lock), EBUSY);
	ck_assert_int_eq(population(&lock), 1);
	ck_assert(is_invited(first));
	ck_assert(!rangelock_is_locked(&lock, 0, 1, READ));
	ck_assert_int_eq(rangelock_unlock(&lock, &first->reqs[0]), EPERM);
	comes_and_gets(first, 0);
	ck_assert(rangelock_is_locked(&lock, 0, 20, WRITE));
	drop(&first->reqs[0]);
}
END_TEST

START_TEST(one_that_is_woken_for_nothing_sleeps_on)
{
	hold(&holder, WRITE, 0, 10);
	queue(first, WRITE, 0, 20);
	let_run(first);
	ck_assert(!first->fiber.ended && first->sleeps_on);
	drop(&holder);
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
}
END_TEST

/* ---- Those that are granted, since nobody would come ---- */

static int callbacks, callback_error;

static void granted(struct rangelock_req *req, int error, void *arg)
{
	must(req == arg);
	callbacks++;
	callback_error = error;
}

static void submit(enum rangelock_mode mode, uint64_t start, uint64_t end)
{
	const struct rangelock_range range = { start, end, mode };

	callbacks = 0;
	ck_assert_int_eq(rangelock_submit(&lock, &other, &range, granted, &other), EINPROGRESS);
}

START_TEST(a_submitted_one_is_granted_when_it_is_free)
{
	hold(&holder, WRITE, 0, 1);
	submit(WRITE, 0, 10);
	hold(&passer, READ, 5, 6);
	drop(&holder);
	ck_assert(callbacks == 0 && !is_held(&lock, &other));
	drop(&passer);
	ck_assert(callbacks == 1 && callback_error == 0 && is_held(&lock, &other));
	drop(&other);

	hold(&holder, WRITE, 0, 1);
	submit(WRITE, 0, 10);
	drop(&holder); /* nobody has passed */
	ck_assert(callbacks == 1 && callback_error == 0 && is_held(&lock, &other));
	drop(&other);

	hold(&holder, WRITE, 0, 1);
	submit(WRITE, 0, 10);
	hold(&passer, READ, 5, 6);
	drop(&holder);
	ck_assert_int_eq(rangelock_cancel(&lock, &other), 0);
	ck_assert(callbacks == 1 && callback_error == ECANCELED);
	drop(&passer);
	ck_assert_int_eq(callbacks, 1);
}
END_TEST

START_TEST(a_submitted_one_may_pass)
{
	const struct rangelock_range range = { 10, 20, WRITE };

	hold(&holder, WRITE, 0, 10);
	queue(first, WRITE, 0, 20);
	ck_assert_int_eq(rangelock_submit(&lock, &other, &range, granted, &other), 0);
	drop(&holder);
	ck_assert(is_ready(first));
	drop(&other);
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
}
END_TEST

static void reserve_and_commit(struct waiter *w, uint64_t start, uint64_t end)
{
	ck_assert_int_eq(rangelock_reserve(&lock, &w->reqs[0], start, end), 0);
	begin(w, call_commit, WRITE, start, end);
}

START_TEST(a_commit_is_granted_when_it_is_free)
{
	hold(&holder, READ, 0, 1);
	reserve_and_commit(first, 0, 10);
	hold(&passer, READ, 5, 6);
	drop(&holder);
	ck_assert(is_ready(first));
	ck_assert(rangelock_is_reserved(&lock, &first->reqs[0]));
	drop(&passer);
	ck_assert(is_held(&lock, &first->reqs[0]));
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
}
END_TEST

START_TEST(a_commit_may_pass)
{
	ck_assert_int_eq(rangelock_reserve(&lock, &passer, 1, 2), 0);
	hold(&holder, READ, 0, 1);
	queue(first, WRITE, 0, 10);
	ck_assert_int_eq(rangelock_commit(&lock, &passer, NULL), 0);
	drop(&holder);
	ck_assert(is_ready(first));
	drop(&passer);
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
}
END_TEST

START_TEST(a_write_that_passes_a_commit_revokes_it)
{
	hold(&holder, READ, 0, 1);
	hold(&other, WRITE, 11, 12);
	reserve_and_commit(first, 0, 10);
	queue(second, READ, 8, 12); /* behind the commit, too */
	drop(&other);
	ck_assert_int_eq(look_at(&lock, &second->reqs[0]).blockers, 1);
	hold(&passer, WRITE, 5, 6);
	comes_and_gets(first, ECANCELED);
	ck_assert(is_invited(second));
	drop(&holder);
	drop(&passer);
	comes_and_gets(second, 0);
	drop(&second->reqs[0]);
}
END_TEST

/* Which leaves the mutex to tell so: a callback could be among those that are told. */
START_TEST(a_write_that_passes_a_commit_inside_the_mutex_revokes_it)
{
	const struct rangelock_range range = { 5, 6, WRITE };

	hold(&holder, READ, 0, 1);
	hold(&passer, WRITE, 11, 12);
	reserve_and_commit(first, 0, 10);
	submit(READ, 8, 12); /* behind the commit, too */
	drop(&passer);
	rangelock_enter(&lock);
	ck_assert_int_eq(rangelock_wait_entered(&lock, &passer, &range, NULL), 0);
	ck_assert(rl_load(&to_lock(&lock)->word, relaxed) & WORD_LOCKED);
	rangelock_leave(&lock);
	ck_assert(callbacks == 1 && callback_error == 0);
	comes_and_gets(first, ECANCELED);
	drop(&other);
	drop(&holder);
	drop(&passer);
}
END_TEST

/* ---- Giving up ---- */

START_TEST(one_that_was_passed_may_time_out)
{
	for (int ready = 0; ready < 2; ready++) {
		hold(&holder, WRITE, 0, 10);
		queue(first, WRITE, 0, 20);
		queue(second, WRITE, 0, 30);
		hold(&passer, WRITE, 15, 16);
		if (ready)
			drop(&holder);
		expire(first);
		ck_assert(first->fiber.ended && first->result == ETIMEDOUT);
		ck_assert_int_eq(look_at(&lock, &first->reqs[0]).blockers, -1);
		if (!ready)
			drop(&holder);
		ck_assert(is_ready(second));
		drop(&passer);
		comes_and_gets(second, 0);
		drop(&second->reqs[0]);
	}
}
END_TEST

/* An invited one whose time is over holds, if nobody is in its way. */
START_TEST(one_that_was_invited_may_time_out)
{
	hold(&holder, WRITE, 0, 10);
	queue(first, WRITE, 0, 20);
	drop(&holder);
	ck_assert(is_invited(first));
	expire(first);
	ck_assert(first->fiber.ended && first->result == 0 && is_held(&lock, &first->reqs[0]));

	queue(second, WRITE, 0, 20);
	queue(third, WRITE, 0, 20);
	drop(&first->reqs[0]);
	ck_assert(is_invited(second));
	hold(&passer, WRITE, 0, 1);
	expire(second);
	ck_assert(second->fiber.ended && second->result == ETIMEDOUT);
	ck_assert(is_ready(third));
	drop(&passer);
	comes_and_gets(third, 0);
	drop(&third->reqs[0]);
}
END_TEST

/* A1: what is on its way would reach a request that has another use by then. */
START_TEST(one_that_times_out_waits_for_its_invitation)
{
	for (int in_vain = 0; in_vain < 2; in_vain++) {
		hold(&holder, WRITE, 0, 20);
		queue(first, WRITE, 0, 10);
		queue(second, WRITE, 10, 20);
		if (in_vain)
			queue(third, READ, 10, 20);
		first->expires = second; /* before that one is told */
		drop(&holder);
		ck_assert(first->wakes == 1 && second->wakes == 1);
		ck_assert(!second->fiber.ended);
		comes_and_gets(second, 0);
		comes_and_gets(first, 0);
		drop(&first->reqs[0]);
		drop(&second->reqs[0]);
		if (in_vain) {
			comes_and_gets(third, 0);
			drop(&third->reqs[0]);
		}
	}
}
END_TEST

START_TEST(one_that_was_passed_can_be_cancelled)
{
	for (int ready = 0; ready < 2; ready++) {
		hold(&holder, WRITE, 0, 10);
		queue(first, WRITE, 0, 20);
		hold(&passer, WRITE, 15, 16);
		if (ready)
			drop(&holder);
		ck_assert_int_eq(rangelock_cancel(&lock, &first->reqs[0]), 0);
		comes_and_gets(first, ECANCELED);
		if (!ready)
			drop(&holder);
		drop(&passer);
	}
}
END_TEST

/* It is on its way, and is not told again. */
START_TEST(one_that_was_invited_can_be_cancelled)
{
	for (int expires = 0; expires < 2; expires++) {
		hold(&holder, WRITE, 0, 10);
		queue(first, WRITE, 0, 20);
		queue(second, WRITE, 0, 20);
		drop(&holder);
		ck_assert(is_invited(first));
		ck_assert_int_eq(rangelock_cancel(&lock, &first->reqs[0]), 0);
		ck_assert_int_eq(rangelock_cancel(&lock, &first->reqs[0]), EBUSY);
		ck_assert_uint_eq(rl_load(&to_req(&first->reqs[0])->park, relaxed), PARK_INVITED);
		ck_assert(is_invited(second));
		if (expires)
			expire(first);
		else
			ck_assert(comes(first));
		ck_assert(first->fiber.ended && first->result == ECANCELED);
		comes_and_gets(second, 0);
		drop(&second->reqs[0]);
	}
}
END_TEST

/* ---- Under the mutex ---- */

START_TEST(one_that_waits_entered_is_passed_and_invited)
{
	hold(&holder, WRITE, 0, 10);
	begin(first, call_entered, WRITE, 0, 20);
	hold(&passer, READ, 15, 16);
	drop(&holder);
	ck_assert(is_ready(first));
	drop(&passer);
	ck_assert(is_invited(first));
	hold(&passer, READ, 15, 16);
	comes_and_waits(first);
	drop(&passer);
	comes_and_gets(first, 0);
	drop(&first->reqs[0]);
}
END_TEST

START_TEST(one_that_chose_is_passed_and_chooses_again)
{
	hold(&holder, WRITE, 0, 10);
	begin(first, call_chosen, WRITE, 0, 20);
	ck_assert_int_eq(first->chosen, 1);
	hold(&passer, READ, 15, 16);
	drop(&holder);
	ck_assert(is_ready(first));
	drop(&passer);
	ck_assert(is_invited(first));
	ck_assert_int_eq(first->chosen, 1);

	/* Another choice is a new arrival; it may pass as well. */
	hold(&holder, WRITE, 100, 110);
	queue(second, WRITE, 100, 130);
	first->range = (struct rangelock_range){ 120, 125, READ };
	comes_and_gets(first, 0);
	ck_assert_int_eq(first->chosen, 2);
	drop(&holder);
	ck_assert(is_ready(second));
	drop(&first->reqs[0]);
	comes_and_gets(second, 0);
	drop(&second->reqs[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("barging");
	TCase *tc = tcase_create("barging");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, arrivals_pass_those_that_wait);
	tcase_add_test(tc, a_strict_lock_passes_nobody);
	tcase_add_test(tc, the_engine_says_that_it_can);
	tcase_add_test(tc, reads_pass_a_write);
	tcase_add_test(tc, one_that_passed_makes_way_by_what_it_gives_up);
	tcase_add_test(tc, a_write_that_passed_makes_way_for_reads_by_a_downgrade);
	tcase_add_test(tc, one_that_passed_may_upgrade);
	tcase_add_test(tc, an_upgrade_goes_before_those_whose_turn_had_come);
	tcase_add_test(tc, nested_reads_upgrades_and_vectors_are_not_passed);
	tcase_add_test(tc, the_bypass_is_bounded);
	tcase_add_test(tc, one_that_is_passed_no_more_waits_for_who_has_passed);
	tcase_add_test(tc, those_that_wait_keep_their_order);
	tcase_add_test(tc, reads_are_invited_together);
	tcase_add_test(tc, an_invited_write_revokes_when_it_comes);
	tcase_add_test(tc, an_invited_one_keeps_the_lock_in_use);
	tcase_add_test(tc, one_that_is_woken_for_nothing_sleeps_on);
	tcase_add_test(tc, a_submitted_one_is_granted_when_it_is_free);
	tcase_add_test(tc, a_submitted_one_may_pass);
	tcase_add_test(tc, a_commit_is_granted_when_it_is_free);
	tcase_add_test(tc, a_commit_may_pass);
	tcase_add_test(tc, a_write_that_passes_a_commit_revokes_it);
	tcase_add_test(tc, a_write_that_passes_a_commit_inside_the_mutex_revokes_it);
	tcase_add_test(tc, one_that_was_passed_may_time_out);
	tcase_add_test(tc, one_that_was_invited_may_time_out);
	tcase_add_test(tc, one_that_times_out_waits_for_its_invitation);
	tcase_add_test(tc, one_that_was_passed_can_be_cancelled);
	tcase_add_test(tc, one_that_was_invited_can_be_cancelled);
	tcase_add_test(tc, one_that_waits_entered_is_passed_and_invited);
	tcase_add_test(tc, one_that_chose_is_passed_and_chooses_again);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
