/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the ranges of a workload are of: slots, each in cache lines of its own, that
 * readers read and writers count up, not atomically.  So a lock that lets two of them meet
 * loses counts.
 */
#ifndef BENCH_SLOTS_H
#define BENCH_SLOTS_H

#include "bench/lock.h"
#include "bench/workload.h"

struct slot {
	_Alignas(128) volatile uint64_t writes;
};

/* Do what op is for.  Returns how many slots were written. */
static inline uint64_t slots_use(struct slot *slots, const struct op *op)
{
	uint64_t end = op->end / SLOT_SIZE < SLOTS ? op->end / SLOT_SIZE : SLOTS;
	uint64_t start = op->start / SLOT_SIZE;

	for (uint64_t i = start; i < end; i++)
		if (op->write)
			slots[i].writes = slots[i].writes + 1;
		else
			(void)slots[i].writes;
	return op->write ? end - start : 0;
}

#endif
