/* SPDX-License-Identifier: BSD-2-Clause */
/* One measurement, and what a series of them says. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench/workload.h"

/* Figures of one cell over all rounds; in the order of the rounds. */
struct series {
	double *ops_per_s;
	unsigned n;
	uint64_t torn; /* records, over all rounds */
};

struct spread {
	double min, median, max;
};

/* Run the workload for ns with that many threads; add the figure to the series. */
void measure(const struct bench_lock *lock, const struct workload *w, const struct variant *v,
	     unsigned threads, int64_t ns, struct record_file *file, struct series *into);

struct spread spread_of(const double *values, unsigned n);

/* Nanoseconds of one thread's time per op. */
struct spread ns_per_op(const struct series *s, unsigned threads);

/* How many times as fast as the other, compared round by round. */
struct spread speed_ratio(const struct series *s, const struct series *other);

#endif
