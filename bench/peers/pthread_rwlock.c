/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole object under one pthread_rwlock_t. */
#include <pthread.h>

#include "bench/peers/peers.h"

#define handle nothing

static inline int take(void *lock, struct handle *h, const struct op *op)
{
	(void)h;
	return op->write ? pthread_rwlock_wrlock(lock) : pthread_rwlock_rdlock(lock);
}

static inline int give(void *lock, struct handle *h, const struct op *op)
{
	(void)h, (void)op;
	return pthread_rwlock_unlock(lock);
}

#include "bench/loops.h"

static int timed(void *lock, void *handle, const struct op *op, const struct timespec *abstime)
{
	(void)handle;
	return (op->write ? pthread_rwlock_clockwrlock
			  : pthread_rwlock_clockrdlock)(lock, CLOCK_MONOTONIC, abstime);
}

static void *create(const struct setting *setting)
{
	pthread_rwlock_t *lock = new_lock(sizeof(*lock));

	(void)setting;
	must_succeed(pthread_rwlock_init(lock, NULL), "pthread_rwlock_init");
	return lock;
}

static void destroy(void *lock)
{
	pthread_rwlock_destroy(lock);
	free(lock);
}

const struct bench_lock lock_pthread_rwlock = {
	.name = "pthread_rwlock",
	.what = "one pthread_rwlock_t for the whole object",
	.guards = true,
	.whole = true,
	.available = always_available,
	.create = create,
	.destroy = destroy,
	LOCK_CALLS,
	.timed = timed,
};
