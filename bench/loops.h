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
#include "bench/lock.h"
#include "bench/peers/peers.h"
#include "bench/work.h"

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* One loop for all; what is constant at the call is folded away. */
ALWAYS_INLINE void loop(struct job *job, struct handle *handle, bool mixed, bool write, bool busy,
			struct record_file *file)
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
		if (busy)
			work(job->inside);
		errors |= give(job->lock, handle, op);
		if (busy)
			work(job->outside);
		atomic_store_explicit(&job->done, ++done, memory_order_relaxed);
	} while (!atomic_load_explicit(job->stop, memory_order_relaxed));
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
	if (job->file)
		loop(job, &handle, true, false, false, job->file);
	else if (!job->all_write && !job->all_read)
		loop(job, &handle, true, false, true, NULL);
	else if (job->inside || job->outside)
		loop(job, &handle, false, job->all_write, true, NULL);
	else if (job->all_write)
		loop(job, &handle, false, true, false, NULL);
	else
		loop(job, &handle, false, false, false, NULL);
}

#define LOCK_CALLS                                                                \
	.run = run, .handle_size = sizeof(struct handle), .prepare = prepare_one, \
	.take = take_one, .give = give_one

#endif
