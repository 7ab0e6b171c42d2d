/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Little programs with a classic fault each: the explorer must find it, say what
 * kind it is, and name a schedule that shows it again.
 */
#include <string.h>

#include "base/atomic.h"
#include "explore/scenarios.h"
#include "wait/wait.h"

/* ---- A lost wake-up: going to sleep overwrites the answer ---- */

enum { WAITING, ASLEEP, ANSWERED };

static _Atomic uint32_t word;

static void word_setup(void)
{
	rl_store(&word, WAITING, relaxed);
}

static void lost_wake_up(unsigned i)
{
	if (i == 0) {
		if (rl_load(&word, acquire) == WAITING) {
			rl_store(&word, ASLEEP, relaxed);
			while (rl_load(&word, acquire) == ASLEEP)
				rl_wait->sleep(&word, ASLEEP, NULL);
		}
	} else if (rl_exchange(&word, ANSWERED, release) == ASLEEP) {
		rl_wait->wake(&word);
	}
}

/* ---- The same between two words, where only a weak memory shows it ---- */

static _Atomic uint32_t asleep;

static void store_buffer_setup(void)
{
	word_setup();
	rl_store(&asleep, 0, relaxed);
}

static void store_buffer(unsigned i)
{
	if (i == 0) {
		rl_store(&asleep, 1, release); /* should be seq_cst, both */
		if (rl_load(&word, acquire) == WAITING)
			rl_wait->sleep(&asleep, 1, NULL);
	} else {
		rl_store(&word, ANSWERED, release);
		if (rl_load(&asleep, acquire)) {
			rl_store(&asleep, 0, relaxed);
			rl_wait->wake(&asleep);
		}
	}
}

/* ---- Woken before all is done that it was to wait for ---- */

static void woken_early(unsigned i)
{
	if (i == 0) {
		if (rl_load(&word, acquire) != WAITING)
			return;
		rl_wait->sleep(&word, WAITING, NULL);
		if (rl_load(&word, acquire) == ANSWERED && !rl_load(&asleep, acquire))
			explore_fail("early: woken too early");
	} else {
		rl_store(&word, ANSWERED, release);
		rl_wait->wake(&word);
		rl_store(&asleep, 1, release);
	}
}

/* ---- ABA: a stack whose nodes are used again ---- */

static struct node {
	_Atomic(struct node *) next;
	_Atomic uint32_t owners;
} nodes[3];
static _Atomic(struct node *) top;

static void stack_setup(void)
{
	for (int i = 0; i < 3; i++) {
		rl_store(&nodes[i].next, i < 2 ? &nodes[i + 1] : NULL, relaxed);
		rl_store(&nodes[i].owners, 0, relaxed);
	}
	rl_store(&top, &nodes[0], relaxed);
}

static struct node *pop(void)
{
	struct node *n = rl_load(&top, acquire);

	while (n && !rl_cas(&top, &n, rl_load(&n->next, relaxed), acq_rel, acquire))
		continue;
	if (n && rl_exchange(&n->owners, 1, acq_rel))
		explore_fail("exclusion: a node was taken twice");
	return n;
}

static void push(struct node *n)
{
	struct node *old = rl_load(&top, relaxed);

	rl_store(&n->owners, 0, relaxed);
	do
		rl_store(&n->next, old, relaxed);
	while (!rl_cas(&top, &old, n, acq_rel, relaxed));
}

static void aba(unsigned i)
{
	struct node *first = pop();

	if (i == 0)
		return;
	pop();
	if (first)
		push(first);
	pop();
}

/* ---- A message without a release, and one without an acquire ---- */

static uint64_t message;

static void message_setup(void)
{
	word_setup();
	message = 0;
}

static void no_release(unsigned i)
{
	if (i == 0) {
		message = 42;
		rl_store(&word, ANSWERED, relaxed);
	} else if (rl_load(&word, acquire) == ANSWERED) {
		explore_assert(message == 42);
	}
}

static void no_acquire(unsigned i)
{
	if (i == 0) {
		message = 42;
		rl_store(&word, ANSWERED, release);
	} else if (rl_load(&word, relaxed) == ANSWERED) {
		explore_assert(message == 42);
	}
}

/* In order, but too late: what a release publishes is what came before it. */
static void written_late(unsigned i)
{
	if (i == 0) {
		rl_store(&word, ANSWERED, release);
		message = 42;
	} else if (rl_load(&word, acquire) == ANSWERED) {
		explore_assert(message == 42);
	}
}

/* By way of a function that no compiler looks into. */
static char text[64];

static void text_setup(void)
{
	word_setup();
	memset(text, 0, sizeof(text));
}

static void cleared_late(unsigned i)
{
	if (i == 0) {
		rl_store(&word, ANSWERED, release);
		memset(text, 42, sizeof(text));
	} else if (rl_load(&word, acquire) == ANSWERED) {
		explore_assert(text[7] == 42);
	}
}

/* ---- A granter that looks at a waiter which may be gone, or is gone ---- */

static void gone_setup(void)
{
	explore_renew(&word, sizeof(word));
	store_buffer_setup();
}

static void wait_and_go(void)
{
	while (rl_load(&word, acquire) != ANSWERED)
		rl_relax();
	explore_free(&word, sizeof(word));
	rl_store(&asleep, 1, release);
}

static void may_be_gone(unsigned i)
{
	if (i == 0) {
		rl_store(&word, ANSWERED, release);
		(void)rl_load(&word, relaxed);
	} else {
		wait_and_go();
	}
}

static void is_gone(unsigned i)
{
	if (i == 0) {
		rl_store(&word, ANSWERED, release);
		while (!rl_load(&asleep, acquire))
			rl_relax();
		(void)rl_load(&word, relaxed);
	} else {
		wait_and_go();
	}
}

/* ---- Spinning for what never comes, and a plain deadlock ---- */

static void spin_for_ever(unsigned i)
{
	while (i == 0 && rl_load(&word, acquire) != ANSWERED)
		rl_relax();
}

static void wait_for_each_other(unsigned i)
{
	if (i == 0 || rl_load(&word, relaxed) == WAITING)
		rl_wait->sleep(&word, WAITING, NULL);
}

static const struct scenario seeded[] = {
	{ .name = "seeded-lost-wake-up",
	  .threads = 2,
	  .setup = word_setup,
	  .run = lost_wake_up,
	  .fault = "deadlock or lost wake-up" },
	{ .name = "seeded-store-buffer",
	  .threads = 2,
	  .setup = store_buffer_setup,
	  .run = store_buffer,
	  .fault = "deadlock or lost wake-up",
	  .not_by_tsan = true },
	{ .name = "seeded-woken-early",
	  .threads = 2,
	  .setup = store_buffer_setup,
	  .run = woken_early,
	  .fault = "early" },
	{ .name = "seeded-aba",
	  .threads = 2,
	  .setup = stack_setup,
	  .run = aba,
	  .fault = "exclusion" },
	{ .name = "seeded-missing-release",
	  .threads = 2,
	  .setup = message_setup,
	  .run = no_release,
	  .fault = "data race" },
	{ .name = "seeded-missing-acquire",
	  .threads = 2,
	  .setup = message_setup,
	  .run = no_acquire,
	  .fault = "data race" },
	{ .name = "seeded-written-late",
	  .threads = 2,
	  .setup = message_setup,
	  .run = written_late,
	  .fault = "data race" },
	{ .name = "seeded-cleared-late",
	  .threads = 2,
	  .setup = text_setup,
	  .run = cleared_late,
	  .fault = "data race",
	  .not_by_tsan = true }, /* where the compiler does it in line */
	{ .name = "seeded-free-race",
	  .threads = 2,
	  .setup = gone_setup,
	  .run = may_be_gone,
	  .fault = "data race" },
	{ .name = "seeded-use-after-free",
	  .threads = 2,
	  .setup = gone_setup,
	  .run = is_gone,
	  .fault = "use after free",
	  .not_by_tsan = true },
	{ .name = "seeded-livelock",
	  .threads = 2,
	  .setup = word_setup,
	  .run = spin_for_ever,
	  .fault = "livelock" },
	{ .name = "seeded-deadlock",
	  .threads = 2,
	  .setup = word_setup,
	  .run = wait_for_each_other,
	  .fault = "deadlock or lost wake-up" },
};

const struct scenario *scenario_seeded(unsigned i)
{
	return i < sizeof(seeded) / sizeof(seeded[0]) ? &seeded[i] : NULL;
}
