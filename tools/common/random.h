/* SPDX-License-Identifier: BSD-2-Clause */
/* Reproducible random numbers for tests and tools: SplitMix64 (Steele, Lea and
 * Flood, 2014).  A generator belongs to one thread. */
#ifndef COMMON_RANDOM_H
#define COMMON_RANDOM_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 .. n-1, n > 0.  The bias of the modulo is far below what tests can see. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

/* True once in n times. */
static inline int rng_one_in(struct rng *r, uint64_t n)
{
	return rng_below(r, n) == 0;
}

/* The n-th of many generators that share one seed. */
static inline struct rng rng_make(uint64_t seed, uint64_t n)
{
	struct rng r = { seed ^ (n * 0xd1342543de82ef95u) };

	rng_next(&r);
	return r;
}

#endif
