/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The range lock of FreeBSD 8.2 to 14 (Konstantin Belousov, 2009), which orders the reads and
 * writes of a file: one queue of requests under a mutex.
 *
 * A request enters at the tail.  Those before the first one that cannot be granted hold their
 * ranges, those from there on wait in order, whatever their ranges: so a request waits also
 * behind one that it does not conflict with.  Granted writes stand first in the queue, so
 * that a read looks at no others.  Who leaves grants those whom it was in the way of.
 *
 * There a waiter sleeps on its entry with msleep(), which drops the mutex; here on a condition
 * variable in it.
 */
#include <pthread.h>
#include <sys/queue.h>

#include "bench/peers/peers.h"

struct handle {
	TAILQ_ENTRY(handle) link;
	uint64_t start, end;
	bool write, granted;
	pthread_cond_t wakeup;
};

struct queue_lock {
	pthread_mutex_t mutex;
	TAILQ_HEAD(, handle) queue;
	struct handle *first_waiting;
};

static bool overlap(const struct handle *a, const struct handle *b)
{
	return a->start < b->end && b->start < a->end;
}

/* Can the first of those that wait be granted? */
static bool is_free(const struct queue_lock *lock, const struct handle *entry)
{
	const struct handle *other;

	TAILQ_FOREACH(other, &lock->queue, link)
	{
		if (entry->write ? other == entry : !other->write)
			return true; /* a read: behind the granted writes */
		if (overlap(entry, other))
			return false;
	}
	return true;
}

static void grant_all(struct queue_lock *lock, const struct handle *self)
{
	struct handle *entry = lock->first_waiting;

	while (entry && is_free(lock, entry)) {
		struct handle *next = TAILQ_NEXT(entry, link);

		if (entry->write) {
			TAILQ_REMOVE(&lock->queue, entry, link);
			TAILQ_INSERT_HEAD(&lock->queue, entry, link);
		}
		entry->granted = true;
		if (entry != self)
			pthread_cond_signal(&entry->wakeup);
		entry = next;
	}
	lock->first_waiting = entry;
}

static inline int take(void *arg, struct handle *h, const struct op *op)
{
	struct queue_lock *lock = arg;

	h->start = op->start;
	h->end = op->end;
	h->write = op->write;
	h->granted = false;

	pthread_mutex_lock(&lock->mutex);
	TAILQ_INSERT_TAIL(&lock->queue, h, link);
	if (!lock->first_waiting)
		lock->first_waiting = h;
	grant_all(lock, h);
	while (!h->granted)
		pthread_cond_wait(&h->wakeup, &lock->mutex);
	pthread_mutex_unlock(&lock->mutex);
	return 0;
}

static inline int give(void *arg, struct handle *h, const struct op *op)
{
	struct queue_lock *lock = arg;

	(void)op;
	pthread_mutex_lock(&lock->mutex);
	TAILQ_REMOVE(&lock->queue, h, link);
	grant_all(lock, NULL);
	pthread_mutex_unlock(&lock->mutex);
	return 0;
}

static void prepare(void *lock, struct handle *h, unsigned thread)
{
	(void)lock, (void)thread;
	pthread_cond_init(&h->wakeup, NULL);
}

#define PREPARE
#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	struct queue_lock *lock = new_lock(sizeof(*lock));

	(void)setting;
	pthread_mutex_init(&lock->mutex, NULL);
	TAILQ_INIT(&lock->queue);
	return lock;
}

const struct bench_lock lock_freebsd_queue = {
	.name = "freebsd-queue",
	.what = "one queue under a mutex, as FreeBSD's before 15",
	.guards = true,
	.in_line = true,
	.most_held = 10000,
	.available = always_available,
	.create = create,
	.destroy = free,
	LOCK_CALLS,
};
