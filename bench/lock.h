/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is measured: a lock, ours or a peer's, behind one interface.
 *
 * Each peer is one small file that defines how a range is taken and given
 * back, inline, and includes loops.h, which makes the measured loops around
 * them.  So nobody pays for an indirect call that his users would not pay for.
 */
#ifndef BENCH_LOCK_H
#define BENCH_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct job;

struct bench_lock {
	const char *name;
	const char *what; /* one line for --list */
	bool guards;	  /* false: a control that excludes nobody */
	bool (*available)(void);
	/* A lock for that many threads; exits with a message where it cannot. */
	void *(*create)(unsigned threads);
	void (*destroy)(void *lock);
	/* Run a thread's part until job->stop. */
	void (*run)(struct job *job);
};

/* All there are; NULL-terminated. */
extern const struct bench_lock *const bench_locks[];

/* One acquisition in a thread's round of them. */
struct op {
	uint64_t start, end;
	bool write;
};

enum { OPS = 256 }; /* a power of two */

/* What one thread does. */
struct job {
	_Alignas(128) void *lock;
	unsigned thread;
	struct op ops[OPS];
	bool all_write, all_read;
	uint32_t inside, outside; /* rounds of work() */

	/* With a file: every op is a record (file.h). */
	struct record_file *file;

	const atomic_bool *stop;

	/* Written by the thread, read by the driver while it runs. */
	_Alignas(128) _Atomic uint64_t done;
	uint64_t torn;
};

#endif
