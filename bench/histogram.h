/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many values, none of them negative, of any size: how many there were of about each.
 *
 * Log-linear, as HdrHistogram (Gil Tene) is: below 2^6 each value by itself, and from there
 * each power of two in 64 equal parts, so that a percentile is within 1.6 % of the
 * truth whatever its size.  Adding takes a few instructions and never allocates.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BITS = 6, HISTOGRAM_MOST = 40, HISTOGRAM_PARTS = 1 << HISTOGRAM_BITS };
enum { HISTOGRAM_CELLS = (HISTOGRAM_MOST - HISTOGRAM_BITS + 1) * HISTOGRAM_PARTS };

struct histogram {
	uint64_t count, sum, max;
	uint64_t cells[HISTOGRAM_CELLS];
};

/* What is 2^40 or more is counted as that, but for max and sum. */
static inline void histogram_add(struct histogram *h, uint64_t value)
{
	uint64_t v = value < (uint64_t)1 << HISTOGRAM_MOST ? value
							   : ((uint64_t)1 << HISTOGRAM_MOST) - 1;
	unsigned shift = 0;

	if (v >= 2 * HISTOGRAM_PARTS)
		shift = 63 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(v);
	h->cells[(uint64_t)shift * HISTOGRAM_PARTS + (v >> shift)]++;
	h->count++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that so many of all, 0 to 1, do not exceed; 0 of none. */
double histogram_quantile(const struct histogram *h, double q);

#endif
