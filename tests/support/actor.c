/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/actor.h"

#include <sched.h>

#include "common/clock.h"
#include "support/suite.h"

static int lock_range(struct actor *a)
{
	const struct timespec *abstime = a->abstime.tv_nsec < 0 ? NULL : &a->abstime;

	if (a->mode == RANGELOCK_READ)
		return rangelock_timedrdlock(a->lock, &a->req, a->start, a->end, abstime);
	return rangelock_timedwrlock(a->lock, &a->req, a->start, a->end, abstime);
}

static void *act(void *arg)
{
	struct actor *a = arg;

	a->result = a->call(a);
	return NULL;
}

struct look {
	const struct rangelock_req *req;
	struct seen seen;
};

static int compare(const struct rangelock_info *info, void *arg)
{
	struct look *look = arg;

	if (info->req != look->req)
		return 0;
	look->seen.blockers = (int)info->blockers;
	look->seen.state = info->state;
	return 1;
}

struct seen look_at(struct rangelock *lock, const struct rangelock_req *req)
{
	struct look look = { .req = req, .seen = { .blockers = -1 } };

	rangelock_walk(lock, compare, &look);
	return look.seen;
}

bool is_held(struct rangelock *lock, const struct rangelock_req *req)
{
	struct seen seen = look_at(lock, req);

	return seen.blockers == 0 && seen.state == RANGELOCK_HELD;
}

bool is_waiting(struct rangelock *lock, const struct rangelock_req *req)
{
	struct seen seen = look_at(lock, req);

	return seen.blockers > 0 && seen.state == RANGELOCK_WAITING;
}

static int count(const struct rangelock_info *info, void *arg)
{
	(void)info;
	++*(int *)arg;
	return 0;
}

int population(struct rangelock *lock)
{
	int n = 0;

	ck_assert_int_eq(rangelock_walk(lock, count, &n), 0);
	return n;
}

void actor_call(struct actor *a, struct rangelock *lock, int (*call)(struct actor *),
		const struct rangelock_req *shown)
{
	int64_t limit = clock_ns() + (int64_t)20 * NS_PER_S;

	a->lock = lock;
	a->call = call;
	ck_assert_int_eq(pthread_create(&a->thread, NULL, act, a), 0);
	while (look_at(lock, shown).blockers <= 0) { /* an upgrade is held, and waits */
		ck_assert_msg(clock_ns() < limit, "the actor does not wait");
		sched_yield();
	}
}

void actor_queue_until(struct actor *a, struct rangelock *lock, enum rangelock_mode mode,
		       uint64_t start, uint64_t end, struct timespec abstime)
{
	*a = (struct actor){ .lock = lock,
			     .mode = mode,
			     .start = start,
			     .end = end,
			     .abstime = abstime,
			     .req = RANGELOCK_REQ_INITIALIZER };
	actor_call(a, lock, lock_range, &a->req);
}

void actor_queue(struct actor *a, struct rangelock *lock, enum rangelock_mode mode, uint64_t start,
		 uint64_t end)
{
	actor_queue_until(a, lock, mode, start, end, (struct timespec){ .tv_nsec = -1 });
}

int actor_join(struct actor *a)
{
	ck_assert_int_eq(pthread_join(a->thread, NULL), 0);
	return a->result;
}

void actor_finish(struct actor *a)
{
	ck_assert_int_eq(actor_join(a), 0);
	ck_assert_int_eq(rangelock_unlock(a->lock, &a->req), 0);
}
