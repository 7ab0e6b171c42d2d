/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The busted lock: the negative control of the stress.  A list under a mutex,
 * as simple as can be, with two classic faults:
 *
 *   - it looks for conflicts and enters the list in two critical sections, so
 *     that two who look at the same time both get in;
 *   - it compares a half-open range as if its last unit did not belong to it.
 *
 * Never use it for anything.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "stress/subject.h"

struct holder { /* inside struct rangelock_req */
	struct holder *next;
	uint64_t start, end;
	enum rangelock_mode mode;
};
_Static_assert(sizeof(struct holder) <= sizeof(struct rangelock_req), "fits");

struct busted_lock { /* what struct rangelock points to */
	pthread_mutex_t mutex;
	struct holder *holders;
};

static struct busted_lock *open_lock(struct rangelock *lock)
{
	struct busted_lock *b;

	memcpy(&b, lock, sizeof(b));
	return b;
}

static int busted_init(struct rangelock *lock, const struct rangelock_attr *attr)
{
	struct busted_lock *b = calloc(1, sizeof(*b));

	(void)attr;
	if (!b)
		return ENOMEM;
	pthread_mutex_init(&b->mutex, NULL);
	memcpy(lock, &b, sizeof(b));
	return 0;
}

static int busted_destroy(struct rangelock *lock)
{
	struct busted_lock *b = open_lock(lock);

	if (b->holders)
		return EBUSY;
	pthread_mutex_destroy(&b->mutex);
	free(b);
	return 0;
}

static bool is_free(struct busted_lock *b, uint64_t start, uint64_t end, enum rangelock_mode mode)
{
	bool free = true;

	pthread_mutex_lock(&b->mutex);
	for (struct holder *h = b->holders; h; h = h->next)
		if (h->start < end - 1 && start < h->end - 1 && (h->mode || mode)) /* fault */
			free = false;
	pthread_mutex_unlock(&b->mutex);
	return free;
}

static int acquire(struct rangelock *lock, struct rangelock_req *req, uint64_t start, uint64_t end,
		   enum rangelock_mode mode, int64_t until)
{
	struct busted_lock *b = open_lock(lock);
	struct holder *me = (struct holder *)req;

	*me = (struct holder){ .start = start, .end = end, .mode = mode };
	while (!is_free(b, start, end, mode)) {
		if (clock_ns() >= until)
			return until ? ETIMEDOUT : EBUSY;
		sched_yield();
	}
	/* Fault: the answer may be out of date by now. */
	pthread_mutex_lock(&b->mutex);
	me->next = b->holders;
	b->holders = me;
	pthread_mutex_unlock(&b->mutex);
	return 0;
}

static int busted_rdlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			 uint64_t end)
{
	return acquire(lock, req, start, end, RANGELOCK_READ, INT64_MAX);
}

static int busted_wrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			 uint64_t end)
{
	return acquire(lock, req, start, end, RANGELOCK_WRITE, INT64_MAX);
}

static int busted_tryrdlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			    uint64_t end)
{
	return acquire(lock, req, start, end, RANGELOCK_READ, 0);
}

static int busted_trywrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			    uint64_t end)
{
	return acquire(lock, req, start, end, RANGELOCK_WRITE, 0);
}

static int64_t as_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec;
}

static int busted_timedrdlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			      uint64_t end, const struct timespec *abstime)
{
	return acquire(lock, req, start, end, RANGELOCK_READ, as_ns(abstime));
}

static int busted_timedwrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			      uint64_t end, const struct timespec *abstime)
{
	return acquire(lock, req, start, end, RANGELOCK_WRITE, as_ns(abstime));
}

static int busted_unlock(struct rangelock *lock, struct rangelock_req *req)
{
	struct busted_lock *b = open_lock(lock);
	struct holder *me = (struct holder *)req;

	pthread_mutex_lock(&b->mutex);
	for (struct holder **h = &b->holders; *h; h = &(*h)->next)
		if (*h == me) {
			*h = me->next;
			break;
		}
	pthread_mutex_unlock(&b->mutex);
	return 0;
}

static int busted_cancel(struct rangelock *lock, struct rangelock_req *req)
{
	(void)lock, (void)req;
	return EBUSY;
}

static int busted_walk(struct rangelock *lock, rangelock_walk_fn *fn, void *arg)
{
	struct busted_lock *b = open_lock(lock);
	int stop = 0;

	pthread_mutex_lock(&b->mutex);
	for (struct holder *h = b->holders; h && !stop; h = h->next) {
		struct rangelock_info info = { .start = h->start,
					       .end = h->end,
					       .mode = h->mode,
					       .state = RANGELOCK_HELD,
					       .req = (struct rangelock_req *)h };
		stop = fn(&info, arg);
	}
	pthread_mutex_unlock(&b->mutex);
	return stop;
}

static bool busted_is_locked(struct rangelock *lock, uint64_t start, uint64_t end,
			     enum rangelock_mode mode)
{
	(void)lock, (void)start, (void)end, (void)mode;
	return true;
}

const struct subject busted = {
	.name = "busted",
	.init = busted_init,
	.destroy = busted_destroy,
	.rdlock = busted_rdlock,
	.wrlock = busted_wrlock,
	.tryrdlock = busted_tryrdlock,
	.trywrlock = busted_trywrlock,
	.timedrdlock = busted_timedrdlock,
	.timedwrlock = busted_timedwrlock,
	.unlock = busted_unlock,
	.cancel = busted_cancel,
	.walk = busted_walk,
	.is_locked = busted_is_locked,
};
