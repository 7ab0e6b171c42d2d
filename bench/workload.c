/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/workload.h"

#include <rangelock/rangelock.h>

#include "bench/file.h"
#include "bench/work.h"

/* Objects are of that many slots, but for more threads than half of it. */
enum { SLOTS = 256, SLOT_SIZE = 4096 };
_Static_assert((int)FILE_RECORDS == SLOTS && (int)RECORD_SIZE == SLOT_SIZE, "records are slots");

static bool is_write(const struct variant *v, struct rng *rng)
{
	return rng_below(rng, 100) >= v->reads;
}

/* Each thread its own 4 KiB of one object; neighbours do not touch. */
static struct op own_range(unsigned thread, const struct variant *v, struct rng *rng)
{
	uint64_t start = (uint64_t)thread * 2 * SLOT_SIZE;

	return (struct op){ start, start + SLOT_SIZE, is_write(v, rng) };
}

static struct op full_range(unsigned thread, const struct variant *v, struct rng *rng)
{
	(void)thread;
	return (struct op){ RANGELOCK_FULL, is_write(v, rng) };
}

static struct op random_record(unsigned thread, const struct variant *v, struct rng *rng)
{
	uint64_t start = rng_below(rng, FILE_RECORDS) * RECORD_SIZE;

	(void)thread;
	return (struct op){ start, start + RECORD_SIZE, is_write(v, rng) };
}

#define VARIANTS(...)                                        \
	.variants = (const struct variant[]){ __VA_ARGS__ }, \
	.n_variants = sizeof((const struct variant[]){ __VA_ARGS__ }) / sizeof(struct variant)

static const struct workload pair_write = {
	.name = "pair-write",
	.what = "one range, one thread: the cost of having it",
	.one_thread = true,
	.op = own_range,
	VARIANTS({ "", 0, 0, 0, 0 }),
};
static const struct workload pair_read = {
	.name = "pair-read",
	.what = "the same for read",
	.one_thread = true,
	.op = own_range,
	VARIANTS({ "", 100, 0, 0, 0 }),
};
static const struct workload disjoint_write = {
	.name = "disjoint-write",
	.what = "each thread its own range of one lock",
	.op = own_range,
	VARIANTS({ "section=0ns", 0, 0, 0, 0 }, { "section=400ns", 0, 400, 0, 0 }),
};
static const struct workload full_write = {
	.name = "full-write",
	.what = "every thread the full range, for write",
	.op = full_range,
	VARIANTS({ "section=0ns", 0, 0, 0, 0 }, { "section=150ns", 0, 150, 150, 0 }),
};
static const struct workload full_mix = {
	.name = "full-mix",
	.what = "the full range, read and write, 150 ns inside and outside",
	.op = full_range,
	VARIANTS({ "reads=0%", 0, 150, 150, 0 }, { "reads=50%", 50, 150, 150, 0 },
		 { "reads=90%", 90, 150, 150, 0 }, { "reads=99%", 99, 150, 150, 0 },
		 { "reads=100%", 100, 150, 150, 0 }),
};
static const struct workload oversub = {
	.name = "oversub",
	.what = "full-write by more threads than there are processors",
	.op = full_range,
	VARIANTS({ "2x", 0, 150, 150, 2 }, { "4x", 0, 150, 150, 4 }, { "8x", 0, 150, 150, 8 }),
};
static const struct workload file = {
	.name = "file",
	.what = "4 KiB records of one real file, half read, half written, verified",
	.on_file = true,
	.op = random_record,
	VARIANTS({ "reads=50%", 50, 0, 0, 0 }),
};

const struct workload *const workloads[] = { &pair_write, &pair_read, &disjoint_write, &full_write,
					     &full_mix,	  &oversub,   &file,	       NULL };

struct setting workload_setting(const struct workload *w, unsigned threads)
{
	uint64_t slots = 2 * (uint64_t)threads > SLOTS ? 2 * threads : SLOTS;

	(void)w;
	return (struct setting){ threads, slots * SLOT_SIZE, SLOT_SIZE };
}

void workload_fill(const struct workload *w, const struct variant *v, struct job *job)
{
	struct rng rng = rng_make(20201, job->thread); /* the same ops for every lock */

	job->all_write = v->reads == 0;
	job->all_read = v->reads == 100;
	job->inside = work_for_ns(v->inside_ns);
	job->outside = work_for_ns(v->outside_ns);
	for (unsigned i = 0; i < OPS; i++)
		job->ops[i] = w->op(job->thread, v, &rng);
}
