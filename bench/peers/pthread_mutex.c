/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole object under one pthread_mutex_t. */
#include <pthread.h>

#include "bench/peers/peers.h"

#define handle nothing

static inline int take(void *lock, struct handle *h, const struct op *op)
{
	(void)h, (void)op;
	return pthread_mutex_lock(lock);
}

static inline int give(void *lock, struct handle *h, const struct op *op)
{
	(void)h, (void)op;
	return pthread_mutex_unlock(lock);
}

#include "bench/loops.h"

static int timed(void *lock, void *handle, const struct op *op, const struct timespec *abstime)
{
	(void)handle, (void)op;
	return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, abstime);
}

static void *create(const struct setting *setting)
{
	pthread_mutex_t *lock = new_lock(sizeof(*lock));

	(void)setting;
	must_succeed(pthread_mutex_init(lock, NULL), "pthread_mutex_init");
	return lock;
}

static void destroy(void *lock)
{
	pthread_mutex_destroy(lock);
	free(lock);
}

const struct bench_lock lock_pthread_mutex = {
	.name = "pthread_mutex",
	.what = "one pthread_mutex_t for the whole object",
	.guards = true,
	.whole = true,
	.no_readers = true,
	.available = always_available,
	.create = create,
	.destroy = destroy,
	LOCK_CALLS,
	.timed = timed,
};
