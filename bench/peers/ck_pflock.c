/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole object under Concurrency Kit's ck_pflock: phase-fair (Brandenburg and Anderson, 2010),
 * spinning on tickets. */
#include <ck_pflock.h>

#include "bench/peers/peers.h"

#define handle nothing

static inline int take(void *lock, struct handle *h, const struct op *op)
{
	(void)h;
	if (op->write)
		ck_pflock_write_lock(lock);
	else
		ck_pflock_read_lock(lock);
	return 0;
}

static inline int give(void *lock, struct handle *h, const struct op *op)
{
	(void)h;
	if (op->write)
		ck_pflock_write_unlock(lock);
	else
		ck_pflock_read_unlock(lock);
	return 0;
}

#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	ck_pflock_t *lock = new_lock(sizeof(*lock));

	(void)setting;
	ck_pflock_init(lock);
	return lock;
}

const struct bench_lock lock_ck_pflock = {
	.name = "ck_pflock",
	.what = "Concurrency Kit's phase-fair lock for the whole object, spinning",
	.guards = true,
	.whole = true,
	.available = always_available,
	.create = create,
	.destroy = free,
	LOCK_CALLS,
};
