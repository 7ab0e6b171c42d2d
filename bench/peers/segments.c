/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The segment lock of pNOVA: June-Hyung Kim and others, "pNOVA: Optimizing Shared File I/O
 * Operations of NVM File System on Manycore Servers", APSys 2019.
 *
 * The object is cut into segments of one size, each with a reader/writer lock of its own in
 * a cache line of its own.  A request takes the locks of all segments that it touches, in
 * ascending order.  The segments are as large as the ranges are aligned, so that none is in
 * anybody's way for nothing, as their authors would choose them.
 */
#include <pthread.h>

#include "bench/peers/peers.h"

#define handle nothing

struct segment {
	_Alignas(64) pthread_rwlock_t lock;
};

struct segment_lock {
	uint64_t grain, n;
	struct segment segments[];
};

static uint64_t segments_end(const struct segment_lock *lock, uint64_t end)
{
	uint64_t n = end / lock->grain + (end % lock->grain != 0);

	return n < lock->n ? n : lock->n;
}

static inline int take(void *arg, struct handle *h, const struct op *op)
{
	struct segment_lock *lock = arg;
	uint64_t end = segments_end(lock, op->end);
	int error = 0;

	(void)h;
	for (uint64_t i = op->start / lock->grain; i < end; i++)
		error |= op->write ? pthread_rwlock_wrlock(&lock->segments[i].lock)
				   : pthread_rwlock_rdlock(&lock->segments[i].lock);
	return error;
}

static inline int give(void *arg, struct handle *h, const struct op *op)
{
	struct segment_lock *lock = arg;
	uint64_t end = segments_end(lock, op->end);
	int error = 0;

	(void)h;
	for (uint64_t i = op->start / lock->grain; i < end; i++)
		error |= pthread_rwlock_unlock(&lock->segments[i].lock);
	return error;
}

#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	uint64_t n = setting->span / setting->grain;
	struct segment_lock *lock = new_lock(sizeof(*lock) + n * sizeof(lock->segments[0]));

	lock->grain = setting->grain;
	lock->n = n;
	for (uint64_t i = 0; i < n; i++)
		must_succeed(pthread_rwlock_init(&lock->segments[i].lock, NULL),
			     "pthread_rwlock_init");
	return lock;
}

const struct bench_lock lock_segments = {
	.name = "segments",
	.what = "an array of reader/writer locks, as pNOVA",
	.guards = true,
	.available = always_available,
	.create = create,
	.destroy = free,
	LOCK_CALLS,
};
