/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done with a lock: which ranges, which modes, how long. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/lock.h"
#include "common/random.h"

struct measurement;
struct series;

/* One setting of a workload. */
struct variant {
	const char *param; /* as in tables and JSON; "" where there is just one */
	unsigned reads;	   /* percent */
	unsigned inside_ns, outside_ns;
	unsigned per_processor; /* so many threads for each, whatever --threads says; or 0 */
	unsigned n;		/* of what the workload has many of: holders, sleepers, slots */
	bool cancel;		/* by cancel, not by time-out */
};

/* What a lock must be able to do to take part. */
enum need {
	NEEDS_NOTHING,
	NEEDS_RANGES,
	NEEDS_PASSING, /* who has a range takes another while variant.n wait for others */
	NEEDS_GIVING_UP,
};

struct workload {
	const char *name;
	const char *what; /* one line for --list */
	enum need need;
	bool one_thread;  /* whatever --threads says */
	bool own_threads; /* variant.n of them and one more */
	bool one_by_one;  /* an op's time is the time of all */
	bool on_file;	  /* every op is a record of a file */
	bool on_slots;	  /* every op uses what lies in its range (slots.h) */
	const struct variant *variants;
	unsigned n_variants;
	/* The object, where it is not of 256 slots. */
	struct setting (*setting)(const struct variant *);
	/* The n-th op of a thread. */
	struct op (*op)(unsigned thread, unsigned threads, const struct variant *, struct rng *);
	/* The n-th range that is held meanwhile, of variant.n; or NULL. */
	struct op (*held)(unsigned n);
	/* How it is measured, where threads in loops are not the way. */
	void (*measure)(const struct measurement *, struct series *into);
};

/* All there are; NULL-terminated. */
extern const struct workload *const workloads[];

/* Objects are of that many slots, but for more threads than half of it. */
enum { SLOTS = 256, SLOT_SIZE = 4096 };

/* Can it be done with that lock? */
bool workload_fits(const struct workload *w, const struct variant *v, const struct bench_lock *);

/* What a lock for that many threads of it has to cover. */
struct setting workload_setting(const struct workload *w, const struct variant *v,
				unsigned threads);

/* Fill in what a thread, one of so many, does. */
void workload_fill(const struct workload *w, const struct variant *v, unsigned threads,
		   struct job *job);

/* Those with a measure of their own, in workloads/. */
extern const struct workload workload_wake, workload_wide_writer, workload_burst_timeout;

#define VARIANTS(...)                                        \
	.variants = (const struct variant[]){ __VA_ARGS__ }, \
	.n_variants = sizeof((const struct variant[]){ __VA_ARGS__ }) / sizeof(struct variant)

#endif
