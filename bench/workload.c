/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/workload.h"

#include <rangelock/rangelock.h>

#include "bench/file.h"
#include "bench/work.h"

_Static_assert((int)RECORD_SIZE == SLOT_SIZE, "records are slots");

/* What is held, and the gaps: 8 KiB each 64 KiB. */
enum { HELD_SIZE = 8192, HELD_EVERY = 65536 };

static bool is_write(const struct variant *v, struct rng *rng)
{
	return rng_below(rng, 100) >= v->reads;
}

/* Each thread its own 4 KiB of one object; neighbours do not touch. */
static struct op own_range(unsigned thread, unsigned threads, const struct variant *v,
			   struct rng *rng)
{
	uint64_t start = (uint64_t)thread * 2 * SLOT_SIZE;

	(void)threads;
	return (struct op){ start, start + SLOT_SIZE, is_write(v, rng) };
}

static struct op full_range(unsigned thread, unsigned threads, const struct variant *v,
			    struct rng *rng)
{
	(void)thread, (void)threads;
	return (struct op){ RANGELOCK_FULL, is_write(v, rng) };
}

static struct op slots(uint64_t first, uint64_t n, const struct variant *v, struct rng *rng)
{
	return (struct op){ first * SLOT_SIZE, (first + n) * SLOT_SIZE, is_write(v, rng) };
}

static struct op random_slots(unsigned thread, unsigned threads, const struct variant *v,
			      struct rng *rng)
{
	(void)thread, (void)threads;
	return slots(rng_below(rng, SLOTS - v->n + 1), v->n, v, rng);
}

/* ---- ArrBench ---- */

/* Each thread its part of the array. */
static struct op own_slots(unsigned thread, unsigned threads, const struct variant *v,
			   struct rng *rng)
{
	uint64_t n = threads < SLOTS ? SLOTS / threads : 1;

	return slots(thread % SLOTS * n % SLOTS, n, v, rng);
}

/* From any to any. */
static struct op any_slots(unsigned thread, unsigned threads, const struct variant *v,
			   struct rng *rng)
{
	uint64_t a = rng_below(rng, SLOTS), b = rng_below(rng, SLOTS);

	(void)thread, (void)threads;
	return slots(a < b ? a : b, (a < b ? b - a : a - b) + 1, v, rng);
}

enum { ALL = SLOTS, OWN = 0, ANY = SLOTS + 1 };

static struct op arrbench(unsigned thread, unsigned threads, const struct variant *v,
			  struct rng *rng)
{
	return (v->n == OWN   ? own_slots
		: v->n == ANY ? any_slots
			      : random_slots)(thread, threads, v, rng);
}

/* ---- Held ---- */

static struct op nth_held(unsigned n)
{
	uint64_t start = (uint64_t)n * HELD_EVERY;

	return (struct op){ start, start + HELD_SIZE, true };
}

static struct op in_a_gap(unsigned thread, unsigned threads, const struct variant *v,
			  struct rng *rng)
{
	uint64_t start = rng_below(rng, v->n + 1) * HELD_EVERY + HELD_EVERY / 2;

	(void)thread, (void)threads;
	return (struct op){ start, start + HELD_SIZE, true };
}

static struct setting held_setting(const struct variant *v)
{
	return (struct setting){ .span = (v->n + (uint64_t)1) * HELD_EVERY, .grain = HELD_SIZE };
}

/* ---- All ---- */

static const struct workload pair_write = {
	.name = "pair-write",
	.what = "one range, one thread: the cost of having it",
	.one_thread = true,
	.op = own_range,
	VARIANTS({ .param = "" }),
};
static const struct workload pair_read = {
	.name = "pair-read",
	.what = "the same for read",
	.one_thread = true,
	.op = own_range,
	VARIANTS({ .param = "", .reads = 100 }),
};
static const struct workload disjoint_write = {
	.name = "disjoint-write",
	.what = "each thread its own range of one lock",
	.op = own_range,
	VARIANTS({ .param = "section=0ns" }, { .param = "section=400ns", .inside_ns = 400 }),
};
static const struct workload disjoint_read = {
	.name = "disjoint-read",
	.what = "the same for read",
	.op = own_range,
	VARIANTS({ .param = "section=0ns", .reads = 100 },
		 { .param = "section=400ns", .reads = 100, .inside_ns = 400 }),
};
static const struct workload full_write = {
	.name = "full-write",
	.what = "every thread the full range, for write",
	.op = full_range,
	VARIANTS({ .param = "section=0ns" },
		 { .param = "section=150ns", .inside_ns = 150, .outside_ns = 150 }),
};

#define FULL_MIX(percent)                                                           \
	{                                                                           \
		.param = "reads=" #percent "%", .reads = percent, .inside_ns = 150, \
		.outside_ns = 150                                                   \
	}
static const struct workload full_mix = {
	.name = "full-mix",
	.what = "the full range, read and write, 150 ns inside and outside",
	.op = full_range,
	VARIANTS(FULL_MIX(0), FULL_MIX(50), FULL_MIX(90), FULL_MIX(99), FULL_MIX(100)),
};

/* ArrBench of the paper of 2020 has the first three lengths and, outside, up to 2048 no-ops. */
#define RANDOM(name, length, percent)                                                       \
	{                                                                                   \
		.param = "slots=256 length=" name " reads=" #percent "%", .reads = percent, \
		.outside_ns = 250, .n = length                                              \
	}
static const struct workload random_ranges = {
	.name = "random",
	.what = "ranges of 256 slots, which are read or written inside",
	.on_slots = true,
	.op = arrbench,
	VARIANTS(RANDOM("full", ALL, 100), RANDOM("full", ALL, 60), RANDOM("own", OWN, 100),
		 RANDOM("own", OWN, 60), RANDOM("own", OWN, 0), RANDOM("any", ANY, 100),
		 RANDOM("any", ANY, 60), RANDOM("any", ANY, 0), RANDOM("1", 1, 90),
		 RANDOM("1", 1, 0), RANDOM("16", 16, 90), RANDOM("16", 16, 60),
		 RANDOM("16", 16, 0)),
};

#define HELD(number)                                  \
	{                                             \
		.param = "held=" #number, .n = number \
	}
static const struct workload held = {
	.name = "held",
	.what = "a pair among other ranges that are held",
	.need = NEEDS_RANGES,
	.one_thread = true,
	.op = in_a_gap,
	.held = nth_held,
	.setting = held_setting,
	VARIANTS(HELD(0), HELD(10), HELD(100), HELD(1000), HELD(10000), HELD(50000)),
};

#define OVERSUB(factor)                                                                   \
	{                                                                                 \
#factor "x", .inside_ns = 150, .outside_ns = 150, .per_processor = factor \
	}
static const struct workload oversub = {
	.name = "oversub",
	.what = "full-write by more threads than there are processors",
	.op = full_range,
	VARIANTS(OVERSUB(2), OVERSUB(4), OVERSUB(8)),
};
static const struct workload file = {
	.name = "file",
	.what = "4 KiB records of one real file, half read, half written, verified",
	.on_file = true,
	.op = random_slots,
	VARIANTS({ .param = "reads=50%", .reads = 50, .n = 1 }),
};

const struct workload *const workloads[] = {
	&pair_write,
	&pair_read,
	&disjoint_write,
	&disjoint_read,
	&full_write,
	&full_mix,
	&random_ranges,
	&held,
	&workload_wake,
	&workload_wide_writer,
	&workload_burst_timeout,
	&oversub,
	&file,
	NULL,
};

bool workload_fits(const struct workload *w, const struct variant *v, const struct bench_lock *lock)
{
	bool ranges = !lock->whole && lock->guards;

	switch (w->need) {
	case NEEDS_RANGES:
		return ranges && (!lock->most_held || v->n <= lock->most_held);
	case NEEDS_PASSING:
		return ranges && (!lock->in_line || v->n == 1);
	case NEEDS_GIVING_UP:
		return v->cancel ? lock->cancel != NULL : lock->timed != NULL;
	default:
		return true;
	}
}

struct setting workload_setting(const struct workload *w, const struct variant *v, unsigned threads)
{
	uint64_t n = 2 * (uint64_t)threads > SLOTS ? 2 * (uint64_t)threads : SLOTS;
	struct setting setting = { .span = n * SLOT_SIZE, .grain = SLOT_SIZE };

	if (w->setting)
		setting = w->setting(v);
	setting.threads = threads;
	return setting;
}

static bool all_the_same(const struct op *ops)
{
	for (unsigned i = 1; i < OPS; i++)
		if (ops[i].start != ops[0].start || ops[i].end != ops[0].end ||
		    ops[i].write != ops[0].write)
			return false;
	return true;
}

void workload_fill(const struct workload *w, const struct variant *v, unsigned threads,
		   struct job *job)
{
	struct rng rng = rng_make(20201, job->thread); /* the same ops for every lock */

	job->inside = work_for_ns(v->inside_ns);
	job->outside = work_for_ns(v->outside_ns);
	for (unsigned i = 0; i < OPS; i++)
		job->ops[i] = w->op(job->thread, threads, v, &rng);
	job->same = all_the_same(job->ops);
}
