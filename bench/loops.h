/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The measured loops, made anew in each peer's file.  Before including this it
 * defines
 *
 *	struct handle { ... };        what one acquisition needs; all-zero at first
 *	static inline int take(void *lock, struct handle *, const struct op *);
 *	static inline int give(void *lock, struct handle *, const struct op *);
 *
 * (0 or an errno, which ends the run once the loop has ended),
 *
 * and, with PREPARE defined, what a thread does once before it starts:
 *
 *	static void prepare(void *lock, struct handle *, unsigned thread);
 *
 * After it, LOCK_CALLS is part of the initializer of its struct bench_lock.
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include <string.h>

#include "bench/file.h"
#include "bench/histogram.h"
#include "bench/lock.h"
#include "bench/peers/peers.h"
#include "bench/slots.h"
#include "bench/work.h"
#include "common/clock.h"

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* One loop for all; what is constant at the call is folded away. */
ALWAYS_INLINE void loop(struct job *job, struct handle *handle, bool mixed, bool write, bool busy,
			struct record_file *file, struct slot *slots)
{
	struct op fixed = job->ops[0];
	uint64_t done = 0;
	int errors = 0;

	fixed.write = write;
	do {
		const struct op *op = mixed ? &job->ops[done % OPS] : &fixed;

		errors |= take(job->lock, handle, op);
		if (file)
			record_access(file, job, op);
		if (slots)
			job->written += slots_use(slots, op);
		if (busy)
			work(job->inside);
		errors |= give(job->lock, handle, op);
		if (busy)
			work(job->outside);
		atomic_store_explicit(&job->done, ++done, memory_order_relaxed);
	} while (!atomic_load_explicit(job->stop, memory_order_relaxed));
	must_succeed(errors, "a lock or unlock call");
}

/* The same, and how it goes. */
static void observe(struct job *job, struct handle *handle)
{
	struct counter counter;
	uint64_t n = 0;
	int errors = 0;

	counter_begin(&counter);
	atomic_fetch_add(job->observing, 1);
	do {
		const struct op *op = &job->ops[n++ % OPS];
		int64_t before = clock_ns();

		errors |= take(job->lock, handle, op);
		histogram_add(job->latency, (uint64_t)(clock_ns() - before));
		if (job->file)
			record_access(job->file, job, op);
		if (job->slots)
			job->written += slots_use(job->slots, op);
		work(job->inside);
		errors |= give(job->lock, handle, op);
		work(job->outside);
	} while (!atomic_load_explicit(job->end, memory_order_relaxed));
	counter_end(&counter, n, &job->counts);
	must_succeed(errors, "a lock or unlock call");
}

static void prepare_one(void *lock, void *handle, unsigned thread)
{
	(void)lock, (void)thread;
	memset(handle, 0, sizeof(struct handle));
#ifdef PREPARE
	prepare(lock, handle, thread);
#endif
}

static int take_one(void *lock, void *handle, const struct op *op)
{
	return take(lock, handle, op);
}

static int give_one(void *lock, void *handle, const struct op *op)
{
	return give(lock, handle, op);
}

static void run(struct job *job)
{
	_Alignas(128) struct handle handle;

	prepare_one(job->lock, &handle, job->thread);
	bool busy = job->inside || job->outside;

	if (job->file)
		loop(job, &handle, true, false, false, job->file, NULL);
	else if (job->slots)
		loop(job, &handle, true, false, true, NULL, job->slots);
	else if (!job->same && busy)
		loop(job, &handle, true, false, true, NULL, NULL);
	else if (!job->same)
		loop(job, &handle, true, false, false, NULL, NULL);
	else if (busy)
		loop(job, &handle, false, job->ops[0].write, true, NULL, NULL);
	else if (job->ops[0].write)
		loop(job, &handle, false, true, false, NULL, NULL);
	else
		loop(job, &handle, false, false, false, NULL, NULL);
	if (job->latency)
		observe(job, &handle);
}

#define LOCK_CALLS                                                                \
	.run = run, .handle_size = sizeof(struct handle), .prepare = prepare_one, \
	.take = take_one, .give = give_one

#endif
