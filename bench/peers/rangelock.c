/* SPDX-License-Identifier: BSD-2-Clause */
/* Ours: the tree engine through the public calls. */
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

static void *create_tree(unsigned threads)
{
	struct rangelock *lock = new_lock(sizeof(*lock));
	struct rangelock_attr attr = { .engine = RANGELOCK_TREE };

	(void)threads;
	must_succeed(rangelock_init(lock, &attr), "rangelock_init");
	return lock;
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

const struct bench_lock lock_tree = {
	.name = "tree",
	.what = "rangelock, interval tree, strict FIFO",
	.guards = true,
	.available = tree_available,
	.create = create_tree,
	.destroy = destroy,
	.run = run,
};
