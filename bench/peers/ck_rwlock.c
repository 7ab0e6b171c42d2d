/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole object under Concurrency Kit's ck_rwlock: spinning, writers first. */
#include <ck_rwlock.h>

#include "bench/peers/peers.h"

#define handle nothing

static inline int take(void *lock, struct handle *h, const struct op *op)
{
	(void)h;
	if (op->write)
		ck_rwlock_write_lock(lock);
	else
		ck_rwlock_read_lock(lock);
	return 0;
}

static inline int give(void *lock, struct handle *h, const struct op *op)
{
	(void)h;
	if (op->write)
		ck_rwlock_write_unlock(lock);
	else
		ck_rwlock_read_unlock(lock);
	return 0;
}

#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	ck_rwlock_t *lock = new_lock(sizeof(*lock));

	(void)setting;
	ck_rwlock_init(lock);
	return lock;
}

const struct bench_lock lock_ck_rwlock = {
	.name = "ck_rwlock",
	.what = "Concurrency Kit's reader/writer lock for the whole object, spinning",
	.guards = true,
	.whole = true,
	.available = always_available,
	.create = create,
	.destroy = free,
	LOCK_CALLS,
};
