/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is measured: a lock, ours or a peer's, behind one interface.
 *
 * Each peer is one small file that defines how a range is taken and given
 * back, inline, and includes loops.h, which makes the measured loops around
 * them.  So nobody pays for an indirect call that his users would not pay for.
 * Where a thread sleeps anyway, or only sets the scene, the same calls are had one by one.
 */
#ifndef BENCH_LOCK_H
#define BENCH_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "bench/counts.h"

struct histogram;
struct job;
struct slot;

/* What a lock is made for. */
struct setting {
	unsigned threads; /* all that will use it, numbered from 0 */
	/* Ranges lie in [0, span) on multiples of grain, but for the full range. */
	uint64_t span, grain;
};

/* One acquisition in a thread's round of them. */
struct op {
	uint64_t start, end;
	bool write;
};

struct bench_lock {
	const char *name;
	const char *what; /* one line for --list */
	bool guards;	  /* false: a control that excludes nobody */
	bool whole;	  /* whatever the range: the whole object */
	bool no_readers;  /* reads exclude each other as well */
	bool in_line; /* who waits is in the way of all that come after, whatever their ranges */
	unsigned most_held; /* with more held it takes minutes to get so far; 0: with none */
	bool (*available)(void);
	/* Exits with a message where it cannot. */
	void *(*create)(const struct setting *);
	void (*destroy)(void *lock);
	/* Run a thread's part until job->stop, then observe itself until job->end. */
	void (*run)(struct job *job);

	/*
	 * One by one.  A handle is what one acquisition needs, aligned to 128 bytes: all-zero,
	 * then prepared for the thread that will use it.  0 or an errno.
	 */
	size_t handle_size;
	void (*prepare)(void *lock, void *handle, unsigned thread);
	int (*take)(void *lock, void *handle, const struct op *);
	int (*give)(void *lock, void *handle, const struct op *);
	/* NULL where it has none.  timed: until an absolute time of CLOCK_MONOTONIC. */
	int (*timed)(void *lock, void *handle, const struct op *, const struct timespec *);
	int (*cancel)(void *lock, void *handle);
};

/* All there are; NULL-terminated. */
extern const struct bench_lock *const bench_locks[];

enum { OPS = 256 }; /* a power of two */

/* What one thread does. */
struct job {
	_Alignas(128) void *lock;
	unsigned thread;
	struct op ops[OPS];
	bool same;		  /* all ops are */
	uint32_t inside, outside; /* rounds of work() */

	/* With a file: every op is a record (file.h). */
	struct record_file *file;

	/* With slots: every op uses those in its range (slots.h). */
	struct slot *slots;

	const atomic_bool *stop, *end;
	struct histogram *latency; /* of the calls that take, from stop to end; or NULL */
	atomic_uint *observing;	   /* how many have begun with that */

	/* Written by the thread, read by the driver while it runs. */
	_Alignas(128) _Atomic uint64_t done;
	uint64_t torn;
	uint64_t written;     /* slots */
	struct counts counts; /* of what was done from stop to end */
};

#endif
