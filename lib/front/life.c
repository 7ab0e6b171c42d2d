/* SPDX-License-Identifier: BSD-2-Clause */
/* A lock's life, what it shows of itself, and what engines and version there are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/annotate.h"
#include "check/check.h"
#include "front/word.h"
#include "list/list.h"
#include "tree/tree.h"

/*
 * A list that is CHECKED or has STATS.  What sees every request has to have them in one
 * place, under one mutex: that is the tree, and a tree that barges promises what a list
 * does.  So such a list is one.
 */

#define KNOWN_FLAGS (RANGELOCK_CHECKED | RANGELOCK_STATS | RANGELOCK_BARGING)

static bool attr_is_known(const struct rangelock_attr *attr)
{
	static const struct rangelock_attr zero;

	return (unsigned)attr->engine <= RANGELOCK_SHARDED && !(attr->flags & ~KNOWN_FLAGS) &&
	       memcmp(attr->reserved_, zero.reserved_, sizeof(zero.reserved_)) == 0;
}

int rangelock_init(struct rangelock *public_lock, const struct rangelock_attr *attr)
{
	static const struct rangelock_attr defaults;
	struct lock *lock = to_lock(public_lock);

	if (!attr)
		attr = &defaults;
	if (!lock || !attr_is_known(attr))
		return EINVAL;
	if (attr->engine == RANGELOCK_SHARDED)
		return ENOTSUP;

	struct rangelock_stats *stats = NULL;
	if (attr->flags & RANGELOCK_STATS) {
		stats = calloc(1, sizeof(*stats));
		if (!stats)
			return ENOMEM;
		if (rl_watched)
			rl_annotate_private(stats, sizeof(*stats));
	}

	memset(public_lock, 0, sizeof(*public_lock));
	lock->engine = (uint16_t)attr->engine;
	lock->flags = (uint16_t)attr->flags;
	lock->name = attr->name;
	if (attr->engine == RANGELOCK_LIST && sees_all(lock)) {
		lock->engine = RANGELOCK_TREE;
		lock->flags |= RANGELOCK_BARGING | LOCK_STANDS_FOR_LIST;
	}
	lock->stats = stats;
	rl_store(&lock->word, first_word(lock), relaxed);
	return 0;
}

static int refuse_destroy(struct lock *lock)
{
	struct report report;
	bool checked = is_checked(lock);

	if (checked)
		rl_check_in_use(lock, &report);
	rl_leave(lock);
	if (checked)
		rl_check_say(&report);
	return EBUSY;
}

static int destroy_tree(struct lock *lock)
{
	int error = rl_enter(lock);

	if (error)
		return error;
	if (!rl_tree_is_empty(lock))
		return refuse_destroy(lock);
	struct rangelock_stats *stats = lock->stats;
	rl_leave_dead(lock);
	if (stats)
		free(stats); /* whoever is late finds the lock dead */
	return 0;
}

int rangelock_destroy(struct rangelock *public_lock)
{
	struct lock *lock = to_lock(public_lock);

	if (!lock)
		return EINVAL;

	int error = lock->engine == RANGELOCK_LIST ? rl_list_destroy(lock) : destroy_tree(lock);
	if (error)
		return error;
	if (rl_watched) /* all that was done under this lock is over */
		rl_annotate_acquired(lock, RANGELOCK_FULL, RANGELOCK_WRITE);
	return 0;
}

bool rangelock_is_locked(struct rangelock *public_lock, uint64_t start, uint64_t end,
			 enum rangelock_mode mode)
{
	struct lock *lock = to_lock(public_lock);

	if (!lock || start >= end || (unsigned)mode > RANGELOCK_WRITE)
		return false;
	if (lock->engine == RANGELOCK_LIST)
		return rl_list_is_locked(lock, start, end, mode);
	if (rl_enter(lock))
		return false;
	bool locked = rl_tree_is_locked(lock, start, end, mode);
	rl_leave(lock);
	return locked;
}

int rangelock_walk(struct rangelock *public_lock, rangelock_walk_fn *fn, void *arg)
{
	struct lock *lock = to_lock(public_lock);

	if (!lock || !fn)
		return EINVAL;
	if (lock->engine == RANGELOCK_LIST)
		return rl_list_walk(lock, fn, arg);

	int error = rl_enter(lock);
	if (error)
		return error;
	int stop = rl_tree_walk(lock, fn, arg);
	rl_leave(lock);
	return stop;
}

int rangelock_stats(struct rangelock *public_lock, struct rangelock_stats *ret_stats)
{
	struct lock *lock = to_lock(public_lock);

	if (!lock || !ret_stats)
		return EINVAL;

	int error = rl_enter(lock);
	if (error)
		return error;
	if (lock->stats)
		*ret_stats = *lock->stats;
	else
		error = ENOTSUP;
	rl_leave(lock);
	return error;
}

unsigned rangelock_engine_caps(enum rangelock_engine engine)
{
	switch (engine) {
	case RANGELOCK_TREE:
		return RANGELOCK_CAP_LOCK | RANGELOCK_CAP_FIFO | RANGELOCK_CAP_CONVERT |
		       RANGELOCK_CAP_RESIZE | RANGELOCK_CAP_NESTED | RANGELOCK_CAP_VECTOR |
		       RANGELOCK_CAP_SUBMIT | RANGELOCK_CAP_RESERVE | RANGELOCK_CAP_ENTER |
		       RANGELOCK_CAP_BARGING | RANGELOCK_CAP_CHECKED | RANGELOCK_CAP_STATS;
	case RANGELOCK_LIST:
		return RANGELOCK_CAP_LOCK | RANGELOCK_CAP_CONVERT | RANGELOCK_CAP_RESIZE |
		       RANGELOCK_CAP_NESTED | RANGELOCK_CAP_VECTOR | RANGELOCK_CAP_SUBMIT |
		       RANGELOCK_CAP_RESERVE | RANGELOCK_CAP_BARGING | RANGELOCK_CAP_CHECKED |
		       RANGELOCK_CAP_STATS;
	default:
		return 0;
	}
}

const char *rangelock_version(void)
{
	return RANGELOCK_VERSION_STRING;
}
