/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the parts of the explorer:
 *
 *	search.c   chooses, remembers, replays, makes schedules short
 *	machine.c  runs one execution: threads, scheduling, sleep and wake
 *	memory.c   what a load may return; who has seen what; data races
 *	seam.c     how the library and the scenarios get here
 *
 * Each knows those below it; choices are asked for through a table (chooser).
 */
#ifndef EXPLORE_MACHINE_H
#define EXPLORE_MACHINE_H

#include <time.h>

#include "explore/explore.h"
#include "explore/seam.h"

#undef memset /* for those who are not seen themselves */
#undef memcpy

/* ---- Choices, which search.c makes ---- */

/* What an option costs, out of a bound. */
enum cost { COST_NONE, COST_PREEMPTION, COST_FAULT, COST_STALE, N_COSTS };

struct alternative {
	uint16_t value; /* what it means to who asks; the same in every execution */
	uint8_t cost;
	bool asleep; /* leads to nothing that has not been seen */
};

enum { MAX_OPTIONS = 32, PRUNED = -1 };

struct chooser {
	/* Choose among options, of which [0] is the plain one.  Returns an index, or
	 * PRUNED: give this execution up. */
	int (*choose)(const struct alternative *options, unsigned n);
	/* The same, for who goes on: values are thread * EVENTS + event. */
	int (*choose_thread)(const struct alternative *options, unsigned n);
	/* A thread has come to a place where others may as well go on. */
	void (*yielded)(unsigned thread);
};

enum { EVENT_STEP, EVENT_TIME_OUT, EVENT_WAKE_UP, EVENTS };

/* ---- machine.c ---- */

enum op_kind {
	OP_START,
	OP_LOAD,
	OP_STORE,
	OP_EXCHANGE,
	OP_CAS,
	OP_RELAX,
	OP_YIELD,
	OP_WAIT,
	OP_SLEEP,
	OP_WAKE,
	OP_WOKEN
};

struct op {
	enum op_kind kind;
	volatile void *p;
	unsigned size;
	enum order order, failure;
	uint64_t value, expected;
	bool (*pred)(void);
	bool timed;
	const char *site;

	uint64_t result; /* loaded; or of a sleep, an error */
	bool done;	 /* of a CAS */
};

/* Called within a thread of the scenario: stop here; op has its result when this
 * returns.  Outside of one it is done at once. */
void machine_op(struct op *op);

/* The thread that runs, or -1. */
int machine_self(void);

enum outcome { COMPLETE, PRUNED_AWAY, FAILED };

/* Run scenario once, as the chooser says. */
enum outcome machine_run(const struct scenario *scenario);
const char *machine_failure(void);
unsigned machine_steps(void);

void machine_init(const struct chooser *chooser, bool sleep_sets);
void machine_trace(bool on); /* print each step */

/* ---- seam.c ---- */

/* In a build for ThreadSanitizer the threads do their atomic operations
 * themselves, when they are given leave, and races are found by it. */
extern const bool seam_does_it;
/* Is anything told of plain accesses, so that data races are found? */
extern const bool seam_sees_plain;
extern bool seam_found_race;

/* ---- memory.c ---- */

void memory_init(const struct chooser *chooser, bool weak);
void memory_reset(void);
void memory_step(unsigned thread); /* before each operation, and after it */

/* Do a load, store, exchange or CAS.  False: pruned. */
bool memory_do(unsigned thread, struct op *op);

/* What the kernel sees when a thread goes to sleep, and that a wake came after
 * what the waker had done. */
bool memory_sleep_reads(unsigned thread, struct op *op);
void memory_wake(unsigned thread, struct op *op);

/* Plain accesses; thread -1 is setup and check, which nobody meets. */
void memory_plain(int thread, const volatile void *p, size_t size, bool write, const void *pc);

/* A read section begins or ends; a grace period has begun, or is over. */
void memory_section_begins(unsigned thread);
void memory_section_ends(unsigned thread);
void memory_grace_begins(unsigned thread);
void memory_grace_ends(unsigned thread);

/* explore_free() and explore_renew(). */
void memory_free(int thread, void *p, size_t size);
void memory_renew(int thread, void *p, size_t size);

/* What an address is called. */
const char *memory_name(const volatile void *p);

#endif
