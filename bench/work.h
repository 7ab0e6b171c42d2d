/* SPDX-License-Identifier: BSD-2-Clause */
/* What a thread does besides locking: keep its processor busy. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stdint.h>

/* Without touching memory. */
static inline void work(uint32_t rounds)
{
	for (uint32_t i = 0; i < rounds; i++)
		__asm__ volatile("");
}

/* How many rounds take so long; measured at the first call, by one thread. */
uint32_t work_for_ns(unsigned ns);

#endif
