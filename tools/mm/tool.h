/* SPDX-License-Identifier: BSD-2-Clause */
/* rangelock-mm: workloads on the model of an address space. */
#ifndef MM_TOOL_H
#define MM_TOOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rangelock/mm.h>

#include "common/random.h"

#define PAGES(n) ((uint64_t)(n)*MMSHIM_PAGE)
#define KB(n)	 ((uint64_t)(n) << 10)
#define MB(n)	 ((uint64_t)(n) << 20)
#define RW	 (MMSHIM_READ | MMSHIM_WRITE)

enum { MAX_THREADS = 256, SAMPLES = 1 << 18, SIZES = 6, MAX_SPANS = 4096 };

/* How late a store was, that was due then. */
struct sample {
	int64_t due, late;
};

/* When a thread was at it. */
struct spans {
	struct {
		int64_t start, end;
	} s[MAX_SPANS];
	unsigned n;
};

struct worker {
	struct run *run;
	unsigned index;
	struct rng rng;
	pthread_t thread;
	uint64_t ops;
	struct mmshim_file *file;
	uint64_t area;		/* what it has mapped for itself */
	struct sample *samples; /* where the workload takes its own */
	uint32_t n_samples;
};

/* One address space and those who work on it. */
struct run {
	const struct workload *workload;
	struct mmshim *mm;
	struct mmshim *_Atomic child;
	struct mmshim_file *file;
	struct worker workers[MAX_THREADS];
	unsigned n_workers;
	atomic_bool stop;
	pthread_barrier_t start;
	uint64_t area; /* what all share */
	uint64_t size; /* that munmap is to keep to; 0: all sizes in turn */
	uint64_t munmap_ns[SIZES], munmaps[SIZES]; /* by size: 1 MB and up, fourfold each */
	struct spans populates, unmaps;		   /* of one thread */
	_Atomic int failed;			   /* an errno that should not have been */
	const char *_Atomic failed_in;
};

struct workload {
	const char *name, *what;
	void (*prepare)(struct run *);		   /* may be NULL */
	void (*step)(struct worker *);		   /* until told to stop; counts its operations */
	void (*configure)(struct mmshim_config *); /* may be NULL */
	bool own_latency;			   /* fault_ns is of the samples */
	unsigned threads;			   /* least */
};

extern const struct workload *const workloads[]; /* NULL-terminated */
extern const struct workload churn;

bool stopped(const struct worker *);
/* Note that a call failed that cannot fail. */
void must(struct run *, int error, const char *call);
uint64_t map_area(struct run *, uint64_t length, unsigned flags, struct mmshim_file *);
void unmap_area(struct run *, uint64_t address, uint64_t length);
void touch(struct run *, uint64_t address, uint64_t length);
void sample(struct worker *, int64_t due);

/* Delays at the points, at random, so that what is rare gets likely; and failures, where
 * the workload can do with them. */
struct stirring {
	uint64_t seed;
	bool fails;
};
int stir(void *arg, enum mmshim_point, uint64_t address);

#endif
