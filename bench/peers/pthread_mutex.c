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

static void *create(unsigned threads)
{
	pthread_mutex_t *lock = new_lock(sizeof(*lock));

	(void)threads;
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
	.available = always_available,
	.create = create,
	.destroy = destroy,
	.run = run,
};
