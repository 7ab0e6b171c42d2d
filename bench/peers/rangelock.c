/* SPDX-License-Identifier: BSD-2-Clause */
/* Ours through the public calls: the tree engine, strict and with barging, the list, and the
 * sharded engine, where there is one. */
#include <rangelock/rangelock.h>

#include "bench/peers/peers.h"

struct handle {
	struct rangelock_req req;
};

static inline int take(void *lock, struct handle *h, const struct op *op)
{
	return op->write ? rangelock_wrlock(lock, &h->req, op->start, op->end)
			 : rangelock_rdlock(lock, &h->req, op->start, op->end);
}

static inline int give(void *lock, struct handle *h, const struct op *op)
{
	(void)op;
	return rangelock_unlock(lock, &h->req);
}

#include "bench/loops.h"

static int timed(void *lock, void *handle, const struct op *op, const struct timespec *abstime)
{
	struct handle *h = handle;

	return (op->write ? rangelock_timedwrlock : rangelock_timedrdlock)(lock, &h->req, op->start,
									   op->end, abstime);
}

static int cancel(void *lock, void *handle)
{
	return rangelock_cancel(lock, &((struct handle *)handle)->req);
}

static void *create(enum rangelock_engine engine, unsigned flags)
{
	struct rangelock *lock = new_lock(sizeof(*lock));
	struct rangelock_attr attr = { .engine = engine, .flags = flags };

	must_succeed(rangelock_init(lock, &attr), "rangelock_init");
	return lock;
}

static void *create_tree(const struct setting *setting)
{
	(void)setting;
	return create(RANGELOCK_TREE, 0);
}

static void *create_tree_barging(const struct setting *setting)
{
	(void)setting;
	return create(RANGELOCK_TREE, RANGELOCK_BARGING);
}

static void *create_list(const struct setting *setting)
{
	(void)setting;
	return create(RANGELOCK_LIST, 0);
}

static void *create_sharded(const struct setting *setting)
{
	(void)setting;
	return create(RANGELOCK_SHARDED, 0);
}

static void destroy(void *lock)
{
	must_succeed(rangelock_destroy(lock), "rangelock_destroy");
	free(lock);
}

static bool tree_available(void)
{
	return rangelock_engine_caps(RANGELOCK_TREE) & RANGELOCK_CAP_LOCK;
}

static bool list_available(void)
{
	return rangelock_engine_caps(RANGELOCK_LIST) & RANGELOCK_CAP_LOCK;
}

static bool sharded_available(void)
{
	return rangelock_engine_caps(RANGELOCK_SHARDED) & RANGELOCK_CAP_LOCK;
}

const struct bench_lock lock_tree = {
	.name = "tree",
	.what = "rangelock, interval tree, strict FIFO",
	.guards = true,
	.available = tree_available,
	.create = create_tree,
	.destroy = destroy,
	LOCK_CALLS,
	.timed = timed,
	.cancel = cancel,
};

const struct bench_lock lock_tree_barging = {
	.name = "tree-barging",
	.what = "rangelock, interval tree, bounded bypass",
	.guards = true,
	.available = tree_available,
	.create = create_tree_barging,
	.destroy = destroy,
	LOCK_CALLS,
	.timed = timed,
	.cancel = cancel,
};

const struct bench_lock lock_list = {
	.name = "list",
	.what = "rangelock, lockless list, bounded bypass",
	.guards = true,
	.available = list_available,
	.create = create_list,
	.destroy = destroy,
	LOCK_CALLS,
	.timed = timed,
	.cancel = cancel,
};

const struct bench_lock lock_sharded = {
	.name = "sharded",
	.what = "rangelock, for many cores, bounded bypass",
	.guards = true,
	.available = sharded_available,
	.create = create_sharded,
	.destroy = destroy,
	LOCK_CALLS,
	.timed = timed,
	.cancel = cancel,
};
