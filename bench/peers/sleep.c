/* SPDX-License-Identifier: BSD-2-Clause */
/* No lock, but a sleep of 100 us: a control of the benchmark, which must find just that. */
#include "bench/peers/peers.h"
#include "common/clock.h"

#define handle nothing

static inline int take(void *lock, struct handle *h, const struct op *op)
{
	(void)lock, (void)h, (void)op;
	sleep_ns(100000);
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

const struct bench_lock lock_sleep = {
	.name = "sleep",
	.what = "no lock, but a sleep of 100 us: a control",
	.available = always_available,
	.create = create,
	.destroy = free,
	LOCK_CALLS,
};
