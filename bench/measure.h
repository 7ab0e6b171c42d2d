/* SPDX-License-Identifier: BSD-2-Clause */
/* One measurement, and what a series of them says. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <pthread.h>

#include "bench/counts.h"
#include "bench/histogram.h"
#include "bench/workload.h"

/* What is to be measured, and where. */
struct measurement {
	const struct bench_lock *lock;
	const struct workload *workload;
	const struct variant *variant;
	unsigned threads;
	int64_t ns, warm_up_ns;
	struct record_file *file;
	const unsigned *processors; /* for the threads in turn; NULL: wherever */
	unsigned n_processors;
};

/* Figures of one cell over all rounds; those in arrays in the order of the rounds. */
struct series {
	double *ops_per_s, *fairness, *vs_raw; /* vs_raw: what it takes / a raw futex; or 0 */
	unsigned n;
	uint64_t *per_thread; /* ops, over all rounds */
	struct counts counts;
	/* Nanoseconds; how often passed.  Empty where the workload has none. */
	struct histogram latency, raw, bypass, bypass_disturbed;
	uint64_t torn; /* records, over all rounds */
	uint64_t lost; /* counts in slots */
};

struct spread {
	double min, median, max;
};

struct series *series_make(unsigned rounds, unsigned threads);
void series_free(struct series *s);

/* Add one measurement to the series. */
void measure(const struct measurement *m, struct series *into);

/* Start a thread on its processor, if it has one. */
void start_thread(const struct measurement *m, unsigned n, pthread_t *ret_id, void *(*fn)(void *),
		  void *arg);

/* A handle of the lock's, prepared for that thread; free() ends it. */
void *new_handle(const struct bench_lock *lock, void *object, unsigned thread);

struct spread spread_of(const double *values, unsigned n);

/* Nanoseconds of one thread's time per op. */
struct spread ns_per_op(const struct series *s, unsigned threads);

/* How many times as fast as the other, compared round by round. */
struct spread speed_ratio(const struct series *s, const struct series *other);

/* Jain's index of what each of them did: 1 all the same, 1/n one alone. */
double fairness(const uint64_t *ops, unsigned n);

#endif
