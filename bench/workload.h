/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done with a lock: which ranges, which modes, how long. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/lock.h"
#include "common/random.h"

/* One setting of a workload. */
struct variant {
	const char *param; /* as in tables and JSON; "" where there is just one */
	unsigned reads;	   /* percent */
	unsigned inside_ns, outside_ns;
	unsigned per_processor; /* so many threads for each, whatever --threads says; or 0 */
};

struct workload {
	const char *name;
	const char *what; /* one line for --list */
	bool one_thread;  /* whatever --threads says */
	bool on_file;	  /* every op is a record of a file */
	const struct variant *variants;
	unsigned n_variants;
	/* The n-th op of a thread. */
	struct op (*op)(unsigned thread, const struct variant *, struct rng *);
};

/* All there are; NULL-terminated. */
extern const struct workload *const workloads[];

enum { FILE_RECORDS = 256 };

/* What a lock for that many threads of it has to cover. */
struct setting workload_setting(const struct workload *w, unsigned threads);

/* Fill in what a thread does. */
void workload_fill(const struct workload *w, const struct variant *v, struct job *job);

#endif
