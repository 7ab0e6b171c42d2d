/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of the contract that no engine offers yet.  Each checks its
 * arguments as it always will, and answers ENOTSUP; rangelock_engine_caps()
 * says the same beforehand.
 */
#include <rangelock/rangelock.h>

#include <errno.h>

#include "base/die.h"

static int absent(bool arguments_are_sound)
{
	return arguments_are_sound ? ENOTSUP : EINVAL;
}

static bool sound_range(const struct rangelock_range *range)
{
	return range && range->start < range->end && (unsigned)range->mode <= RANGELOCK_WRITE;
}

static bool conflict(const struct rangelock_range *a, const struct rangelock_range *b)
{
	return a->start < b->end && b->start < a->end &&
	       (a->mode == RANGELOCK_WRITE || b->mode == RANGELOCK_WRITE);
}

int rangelock_downgrade(struct rangelock *lock, struct rangelock_req *req)
{
	return absent(lock && req);
}

int rangelock_tryupgrade(struct rangelock *lock, struct rangelock_req *req)
{
	return absent(lock && req);
}

int rangelock_upgrade(struct rangelock *lock, struct rangelock_req *req)
{
	return absent(lock && req);
}

int rangelock_reduce(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
		     uint64_t end)
{
	return absent(lock && req && start < end);
}

int rangelock_split(struct rangelock *lock, struct rangelock_req *req, uint64_t at,
		    struct rangelock_req *tail)
{
	(void)at;
	return absent(lock && req && tail && req != tail);
}

int rangelock_tryextend(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			uint64_t end)
{
	return absent(lock && req && start < end);
}

int rangelock_rdlock_nested(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			    uint64_t end, const struct rangelock_req *outer)
{
	return absent(lock && req && outer && req != outer && start < end);
}

int rangelock_lockv(struct rangelock *lock, struct rangelock_req reqs[],
		    const struct rangelock_range ranges[], size_t n, const struct timespec *abstime)
{
	bool sound = lock && reqs && ranges && n > 0;

	(void)abstime;
	for (size_t i = 0; sound && i < n; i++) {
		sound = sound_range(&ranges[i]);
		for (size_t j = 0; sound && j < i; j++)
			sound = !conflict(&ranges[i], &ranges[j]);
	}
	return absent(sound);
}

int rangelock_unlockv(struct rangelock *lock, struct rangelock_req reqs[], size_t n)
{
	return absent(lock && reqs && n > 0);
}

int rangelock_submit(struct rangelock *lock, struct rangelock_req *req,
		     const struct rangelock_range *range, rangelock_granted_fn *granted, void *arg)
{
	(void)arg;
	return absent(lock && req && granted && sound_range(range));
}

int rangelock_reserve(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
		      uint64_t end)
{
	return absent(lock && req && start < end);
}

int rangelock_reserve_gap(struct rangelock *lock, struct rangelock_req *req, uint64_t size,
			  uint64_t align, uint64_t lo, uint64_t hi, uint64_t *ret_start)
{
	return absent(lock && req && ret_start && size > 0 && align > 0 && lo < hi);
}

int rangelock_commit(struct rangelock *lock, struct rangelock_req *req,
		     const struct timespec *abstime)
{
	(void)abstime;
	return absent(lock && req);
}

int rangelock_unreserve(struct rangelock *lock, struct rangelock_req *req)
{
	return absent(lock && req);
}

bool rangelock_is_reserved(struct rangelock *lock, const struct rangelock_req *req)
{
	(void)lock, (void)req;
	return false; /* nothing can be */
}

void rangelock_enter(struct rangelock *lock)
{
	rl_die("rangelock_enter(%p): this lock's engine does not offer it", (void *)lock);
}

void rangelock_leave(struct rangelock *lock)
{
	rl_die("rangelock_leave(%p): this lock's engine does not offer it", (void *)lock);
}

int rangelock_wait_entered(struct rangelock *lock, struct rangelock_req *req,
			   const struct rangelock_range *range, const struct timespec *abstime)
{
	(void)abstime;
	return absent(lock && req && sound_range(range));
}

int rangelock_lock_chosen(struct rangelock *lock, struct rangelock_req *req,
			  rangelock_choose_fn *choose, void *arg, const struct timespec *abstime)
{
	(void)arg, (void)abstime;
	return absent(lock && req && choose);
}
