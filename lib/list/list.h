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
	const struct timespec *abstime;
};

int rl_list_lock(struct lock *lock, struct req *req, const struct list_want *want);
int rl_list_unlock(struct lock *lock, struct req *req);
int rl_list_downgrade(struct lock *lock, struct req *req);
int rl_list_cancel(struct lock *lock, struct req *req);
int rl_list_destroy(struct lock *lock);
bool rl_list_is_locked(struct lock *lock, uint64_t start, uint64_t end, unsigned mode);
int rl_list_walk(struct lock *lock, rangelock_walk_fn *fn, void *arg);

#endif
