/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list engine: calls of the public names, on locks with RANGELOCK_LIST, where the
 * fast way of the front (front/lock.c) did not lead to the end.  The arguments are sound,
 * but for abstime.
 */
#ifndef RL_LIST_LIST_H
#define RL_LIST_LIST_H

#include <time.h>

#include "base/lock.h"

struct list_want {
	uint64_t start, end;
	enum rangelock_mode mode;
	bool try;
	bool nested;
	bool reserve; /* a write that nobody holds: a reservation */
	const struct timespec *abstime;
	struct list_node *held; /* a change: what its owner holds, whatever comes of it */
};

int rl_list_lock(struct lock *lock, struct req *req, const struct list_want *want);
int rl_list_lock_nested(struct lock *lock, struct req *req, uint64_t start, uint64_t end,
			const struct req *outer);
int rl_list_unlock(struct lock *lock, struct req *req);
/* The same, if a node holds for req there (PLACE_NODE): nothing of the lock is looked at. */
int rl_list_let_go(struct lock *lock, struct req *req);
int rl_list_downgrade(struct lock *lock, struct req *req);
int rl_list_try_upgrade(struct lock *lock, struct req *req);
int rl_list_upgrade(struct lock *lock, struct req *req);
int rl_list_reduce(struct lock *lock, struct req *req, uint64_t start, uint64_t end);
int rl_list_split(struct lock *lock, struct req *req, uint64_t at, struct req *tail);
int rl_list_try_extend(struct lock *lock, struct req *req, uint64_t start, uint64_t end);
int rl_list_lockv(struct lock *lock, struct req *first, const struct rangelock_range ranges[],
		  size_t n, const struct timespec *abstime);
int rl_list_submit(struct lock *lock, struct req *req, const struct rangelock_range *range,
		   rangelock_granted_fn *granted, void *arg);
/* Whose callback is to run, is in answers. */
int rl_list_cancel(struct lock *lock, struct req *req, struct answers *answers);
int rl_list_destroy(struct lock *lock);
bool rl_list_is_locked(struct lock *lock, uint64_t start, uint64_t end, unsigned mode);
int rl_list_walk(struct lock *lock, rangelock_walk_fn *fn, void *arg);

int rl_list_reserve(struct lock *lock, struct req *req, uint64_t start, uint64_t end);
int rl_list_reserve_gap(struct lock *lock, struct req *req, uint64_t size, uint64_t align,
			uint64_t lo, uint64_t hi, uint64_t *ret_start);
int rl_list_commit(struct lock *lock, struct req *req, const struct timespec *abstime);
int rl_list_unreserve(struct lock *lock, struct req *req);
bool rl_list_is_reserved(const struct lock *lock, const struct req *req);
/* 0: it holds a range of this lock.  EPERM, EINVAL: as unlock would say. */
int rl_list_holds(struct lock *lock, const struct req *req);

/* Is there anything to go on with?  A call that has woken submitted requests ends with that;
 * those that are granted are in answers. */
bool rl_list_owes(void);
void rl_list_go_on(struct lock *lock, struct answers *answers);

/* What the front does for a call that is about to wait: go on with what it has woken, and
 * run the callbacks that the thread owes (front/answer.c). */
void rl_list_will_wait(struct lock *lock);

#endif
