/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a thread costs the system: allocations, system calls, and how often it slept, which is
 * how often it was woken.
 *
 * Allocations are counted by malloc() and its kin, which the program has of its own (not
 * under a sanitizer, which has its own too); sleeps by the kernel, as voluntary context
 * switches; system calls by a tracepoint, where the kernel lets us have one.
 */
#ifndef BENCH_COUNTS_H
#define BENCH_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct counts {
	uint64_t ops;
	uint64_t allocations, system_calls, wakeups;
	bool no_allocations, no_system_calls; /* they could not be counted */
};

/* Of one thread, from begin to end, by itself. */
struct counter {
	uint64_t allocations, wakeups;
	int tracepoint;
};

void counter_begin(struct counter *c);
/* Add what has been since, for so many ops. */
void counter_end(struct counter *c, uint64_t ops, struct counts *into);

/* How often this thread has slept. */
uint64_t wakeups_of_thread(void);

void counts_merge(struct counts *into, const struct counts *from);

#endif
