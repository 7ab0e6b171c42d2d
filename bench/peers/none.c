/* SPDX-License-Identifier: BSD-2-Clause */
/* No lock at all: what the loop itself costs, and the control of `file`. */
#include "bench/peers/peers.h"

#define handle nothing

static inline int take(void *lock, struct handle *h, const struct op *op)
{
	(void)lock, (void)h, (void)op;
	return 0;
}

static inline int give(void *lock, struct handle *h, const struct op *op)
{
	(void)lock, (void)h, (void)op;
	return 0;
}

#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	(void)setting;
	return new_lock(1);
}

const struct bench_lock lock_none = {
	.name = "none",
	.what = "no lock at all: a control",
	.available = always_available,
	.create = create,
	.destroy = free,
	LOCK_CALLS,
};
