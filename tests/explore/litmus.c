/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Litmus tests of the explorer itself: little programs of which it is known
 * what C11 allows them to see.  It must find every outcome that is allowed and
 * none that is not; with the weak part off, just those of an interleaving.
 *
 * Names are those of the literature (Alglave, Maranget, Tautschnig, "Herding
 * cats", 2014).
 */
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "explore/litmus.h"

static _Atomic uint32_t x, y;
static uint32_t r[MAX_THREADS];
static uint32_t outcomes; /* a bit for each that was seen */

static void reset(void)
{
	rl_store(&x, 0, relaxed);
	rl_store(&y, 0, relaxed);
	memset(r, 0, sizeof(r));
}

static void record(void)
{
	outcomes |= 1u << (r[0] | r[1] << 1 | r[2] << 2 | r[3] << 3);
}

/* Store buffering: may both loads miss the other's store? */
#define SB(name, store_order, load_order)                \
	static void name(unsigned i)                     \
	{                                                \
		rl_store(i ? &y : &x, 1, store_order);   \
		r[i] = rl_load(i ? &x : &y, load_order); \
	}
SB(sb_relaxed, relaxed, relaxed)
SB(sb_acq_rel, release, acquire)
SB(sb_seq_cst, seq_cst, seq_cst)

/* Load buffering: may both loads see the store that comes after the other?  In C11 they may;
 * here never, which is a limit of the explorer (memory.c). */
static void lb_relaxed(unsigned i)
{
	r[i] = rl_load(i ? &y : &x, relaxed);
	rl_store(i ? &x : &y, 1, relaxed);
}

/* With a read-modify-write to one word in between, it is ordered. */
static void sb_exchange(unsigned i)
{
	(void)rl_exchange(i ? &y : &x, 1, acq_rel);
	r[i] = rl_exchange(i ? &x : &y, 1, acq_rel);
}

/* Message passing: r[1] the flag, r[0] the data. */
#define MP(name, store_order, load_order)               \
	static void name(unsigned i)                    \
	{                                               \
		if (i == 0) {                           \
			rl_store(&x, 1, relaxed);       \
			rl_store(&y, 1, store_order);   \
		} else {                                \
			r[1] = rl_load(&y, load_order); \
			r[0] = rl_load(&x, relaxed);    \
		}                                       \
	}
MP(mp_relaxed, relaxed, relaxed)
MP(mp_no_acquire, release, relaxed)
MP(mp_no_release, relaxed, acquire)
MP(mp_acq_rel, release, acquire)

/* A release sequence: another thread's relaxed read-modify-write carries on what
 * the release has published; a relaxed store does not. */
static void mp_release_sequence(unsigned i)
{
	uint32_t one = 1;

	if (i == 0) {
		rl_store(&x, 1, relaxed);
		rl_store(&y, 1, release);
	} else if (i == 1) {
		rl_cas(&y, &one, 2, relaxed, relaxed);
	} else {
		r[1] = rl_load(&y, acquire) == 2;
		r[0] = rl_load(&x, relaxed);
	}
}

static void mp_broken_sequence(unsigned i)
{
	if (i == 0) {
		rl_store(&x, 1, relaxed);
		rl_store(&y, 1, release);
	} else if (i == 1) {
		if (rl_load(&y, relaxed) == 1)
			rl_store(&y, 2, relaxed);
	} else {
		r[1] = rl_load(&y, acquire) == 2;
		r[0] = rl_load(&x, relaxed);
	}
}

/* Coherence: two loads of one word by one thread do not go back in time. */
static void corr(unsigned i)
{
	if (i == 0) {
		rl_store(&x, 1, relaxed);
	} else {
		r[0] = rl_load(&x, relaxed);
		r[1] = rl_load(&x, relaxed);
	}
}

/* Two read-modify-writes never see the same value. */
static void rmw(unsigned i)
{
	r[i] = rl_exchange(&x, 1, relaxed);
}

/* Write to read causality: what was seen is passed on. */
static void wrc(unsigned i)
{
	if (i == 0) {
		rl_store(&x, 1, relaxed);
	} else if (i == 1) {
		r[0] = rl_load(&x, relaxed);
		rl_store(&y, 1, release);
	} else {
		r[1] = rl_load(&y, acquire);
		r[2] = rl_load(&x, relaxed);
	}
}

/* Independent reads of independent writes: do two readers agree on the order? */
#define IRIW(name, store_order, load_order)                                   \
	static void name(unsigned i)                                          \
	{                                                                     \
		if (i < 2) {                                                  \
			rl_store(i ? &y : &x, 1, store_order);                \
		} else {                                                      \
			r[2 * i - 4] = rl_load(i == 2 ? &x : &y, load_order); \
			r[2 * i - 3] = rl_load(i == 2 ? &y : &x, load_order); \
		}                                                             \
	}
IRIW(iriw_acq_rel, release, acquire)
IRIW(iriw_seq_cst, seq_cst, seq_cst)

#define BIT(r0, r1)	     (1u << ((r0) | (r1) << 1))
#define BIT4(r0, r1, r2, r3) (1u << ((r0) | (r1) << 1 | (r2) << 2 | (r3) << 3))
#define ALL		     (BIT(0, 0) | BIT(0, 1) | BIT(1, 0) | BIT(1, 1))

static const struct litmus {
	const char *name;
	unsigned threads;
	void (*run)(unsigned);
	uint32_t sc, weak; /* the outcomes */
} litmus[] = {
	{ "SB relaxed", 2, sb_relaxed, ALL & ~BIT(0, 0), ALL },
	{ "SB release/acquire", 2, sb_acq_rel, ALL & ~BIT(0, 0), ALL },
	{ "SB seq_cst", 2, sb_seq_cst, ALL & ~BIT(0, 0), ALL & ~BIT(0, 0) },
	{ "SB exchange", 2, sb_exchange, ALL & ~BIT(0, 0), ALL & ~BIT(0, 0) },
	{ "LB relaxed", 2, lb_relaxed, ALL & ~BIT(1, 1), ALL & ~BIT(1, 1) },
	{ "MP relaxed", 2, mp_relaxed, ALL & ~BIT(0, 1), ALL },
	{ "MP without acquire", 2, mp_no_acquire, ALL & ~BIT(0, 1), ALL },
	{ "MP without release", 2, mp_no_release, ALL & ~BIT(0, 1), ALL },
	{ "MP release/acquire", 2, mp_acq_rel, ALL & ~BIT(0, 1), ALL & ~BIT(0, 1) },
	{ "MP release sequence", 3, mp_release_sequence, ALL & ~BIT(0, 1), ALL & ~BIT(0, 1) },
	{ "MP broken sequence", 3, mp_broken_sequence, ALL & ~BIT(0, 1), ALL },
	{ "CoRR", 2, corr, ALL & ~BIT(1, 0), ALL & ~BIT(1, 0) },
	{ "RMW", 2, rmw, BIT(1, 0) | BIT(0, 1), BIT(1, 0) | BIT(0, 1) },
	{ "WRC", 3, wrc, 0xff & ~BIT4(1, 1, 0, 0), 0xff & ~BIT4(1, 1, 0, 0) },
	{ "IRIW release/acquire", 4, iriw_acq_rel, 0xffff & ~BIT4(1, 0, 1, 0), 0xffff },
	{ "IRIW seq_cst", 4, iriw_seq_cst, 0xffff & ~BIT4(1, 0, 1, 0), 0xffff & ~BIT4(1, 0, 1, 0) },
};

unsigned litmus_count(void)
{
	return sizeof(litmus) / sizeof(litmus[0]);
}

bool litmus_run(unsigned i, enum strategy strategy, bool weak, char *ret_text, size_t size)
{
	const struct litmus *l = &litmus[i];
	struct scenario scenario = { .name = l->name,
				     .threads = l->threads,
				     .setup = reset,
				     .run = l->run,
				     .check = record };
	struct search search = { .strategy = strategy,
				 .weak = weak,
				 .bound = { [COST_PREEMPTION] = 100, [COST_STALE] = 100 } };
	struct result result;
	uint32_t expected = weak ? l->weak : l->sc;

	outcomes = 0;
	search_run(&scenario, &search, &result);
	snprintf(ret_text, size, "%s, %s%s: %llu executions, outcomes %#x, expected %#x%s%s",
		 l->name, weak ? "weak" : "sc", strategy == SLEEP_SETS ? ", sleep sets" : "",
		 (unsigned long long)result.complete, outcomes, expected,
		 result.failed ? ", failed: " : "", result.failure);
	return !result.failed && result.exhausted && outcomes == expected;
}
