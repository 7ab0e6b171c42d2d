/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/histogram.h"

#include <math.h>

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count += from->count;
	into->sum += from->sum;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned i = 0; i < HISTOGRAM_CELLS; i++)
		into->cells[i] += from->cells[i];
}

/* The middle of the values that are counted there. */
static double value_of(unsigned cell)
{
	unsigned shift = cell < 2 * HISTOGRAM_PARTS ? 0 : cell / HISTOGRAM_PARTS - 1;
	uint64_t low = (uint64_t)(cell - shift * HISTOGRAM_PARTS) << shift;

	return (double)low + (double)(((uint64_t)1 << shift) - 1) / 2;
}

double histogram_quantile(const struct histogram *h, double q)
{
	uint64_t wanted = (uint64_t)ceil(q * (double)h->count), seen = 0;

	if (h->count == 0)
		return 0;
	if (wanted >= h->count)
		return (double)h->max;
	for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
		seen += h->cells[i];
		if (seen && seen >= wanted) {
			double value = value_of(i);
			return value < (double)h->max ? value : (double)h->max;
		}
	}
	return (double)h->max;
}
