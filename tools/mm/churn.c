/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn: every call at random on a few pages that all threads share, for the oracle.  Nothing is
 * known of what an access will find, and any call may be in another's way.
 */
#include <errno.h>
#include <sched.h>

#include "common/clock.h"
#include "mm/tool.h"

/* The window is within one leaf and a bit, so that tables are shared, too. */
enum { WINDOW = 640 };
static const uint64_t window = UINT64_C(1) << 33;

static uint64_t page_in(struct worker *w)
{
	return window + PAGES(rng_below(&w->rng, WINDOW));
}

static uint64_t some(struct worker *w, unsigned most)
{
	return PAGES(1 + rng_below(&w->rng, most));
}

static struct mmshim *space_of(struct worker *w)
{
	struct mmshim *child = w->index % 3 == 0 ? atomic_load(&w->run->child) : NULL;

	return child && rng_below(&w->rng, 2) ? child : w->run->mm;
}

static void access_some(struct worker *w)
{
	struct mmshim *mm = space_of(w);
	uint64_t at = page_in(w), word;

	for (uint64_t n = 1 + rng_below(&w->rng, 8); n > 0; n--, at += MMSHIM_PAGE)
		if (rng_below(&w->rng, 2))
			mmshim_store(mm, at, w->ops);
		else
			mmshim_load(mm, at, &word);
}

static void map_some(struct worker *w)
{
	struct mmshim_file *file = rng_below(&w->rng, 3) ? NULL : w->run->file;
	unsigned flags = file && rng_below(&w->rng, 2) ? MMSHIM_SHARED : 0;
	uint64_t offset = file ? PAGES(rng_below(&w->rng, 32)) : 0, hint = page_in(w), got;

	switch (rng_below(&w->rng, 4)) {
	case 0:
		flags |= MMSHIM_FIXED;
		break;
	case 1:
		flags |= MMSHIM_FIXED_NOREPLACE;
		break;
	default:
		hint = 0;
	}
	if (rng_below(&w->rng, 8) == 0)
		flags |= MMSHIM_POPULATE;
	if (rng_below(&w->rng, 16) == 0)
		flags |= MMSHIM_LOCKED;
	mmshim_mmap(space_of(w), hint, some(w, 32), RW, flags, file, offset, &got);
}

/* A leaf's worth of memory with a stack above it, which takes its place when it is unmapped. */
static void use_stack(struct worker *w)
{
	struct mmshim *mm = w->run->mm;
	uint64_t base = window + PAGES(1024), stack = base + PAGES(512), at;

	switch (rng_below(&w->rng, 6)) {
	case 0:
		mmshim_mmap(mm, stack, PAGES(8), RW, MMSHIM_FIXED_NOREPLACE | MMSHIM_GROWSDOWN,
			    NULL, 0, &at);
		mmshim_mmap(mm, base, PAGES(512), RW, MMSHIM_FIXED_NOREPLACE, NULL, 0, &at);
		break;
	case 1:
	case 2:
		mmshim_munmap(mm, base, PAGES(512));
		break;
	case 3:
		if (rng_below(&w->rng, 8) == 0)
			mmshim_munmap(mm, base, PAGES(520));
		break;
	}
	for (int i = 0; i < 8; i++) {
		at = stack - PAGES(1 + rng_below(&w->rng, 64));
		if (mmshim_store(mm, at, w->ops) == 0)
			mmshim_load(mm, at, &at);
	}
}

static void fork_once(struct worker *w)
{
	struct mmshim *child;

	if (w->index == 0 && !atomic_load(&w->run->child) && mmshim_fork(w->run->mm, &child) == 0)
		atomic_store(&w->run->child, child);
}

static void change_some(struct worker *w)
{
	static const unsigned prots[] = { 0, MMSHIM_READ, RW, RW };
	struct mmshim *mm = space_of(w);
	uint64_t at = page_in(w), got;

	switch (rng_below(&w->rng, 10)) {
	case 0:
	case 1:
		mmshim_mprotect(mm, at, some(w, 8), prots[rng_below(&w->rng, 4)]);
		break;
	case 2:
	case 3:
		mmshim_dontneed(mm, at, some(w, 8));
		break;
	case 4:
		got = some(w, 8);
		mmshim_mremap(mm, at, got, some(w, 16), &got);
		break;
	case 5:
		mmshim_populate(mm, at, some(w, 16));
		break;
	case 6:
		mmshim_remote_read(mm, at, &got);
		break;
	case 7:
		mmshim_file_write(mm, w->run->file, PAGES(rng_below(&w->rng, 32)), at, some(w, 4));
		break;
	case 8:
		if (mmshim_brk(w->run->mm, 0, &got) == 0)
			mmshim_brk(w->run->mm, (UINT64_C(1) << 32) + PAGES(rng_below(&w->rng, 8)),
				   NULL);
		mmshim_store(w->run->mm, (UINT64_C(1) << 32) + PAGES(rng_below(&w->rng, 8)), 1);
		break;
	case 9:
		fork_once(w);
		break;
	}
}

static void churn_step(struct worker *w)
{
	for (; !stopped(w); w->ops++)
		switch (rng_below(&w->rng, 8)) {
		case 0:
			map_some(w);
			break;
		case 1:
			mmshim_munmap(space_of(w), page_in(w), some(w, 40));
			break;
		case 2:
			change_some(w);
			break;
		case 3:
			use_stack(w);
			break;
		default:
			access_some(w);
		}
}

static void prepare(struct run *run)
{
	must(run, mmshim_file_open(run->mm, 64, rng_below(&run->workers[0].rng, 2), &run->file),
	     "open");
}

static void configure(struct mmshim_config *config)
{
	config->low = window;
	config->high = window + PAGES(WINDOW);
	config->large_unmap = PAGES(8);
	config->fault_range = PAGES(64);
}

const struct workload churn = {
	.name = "churn",
	.what = "every call at random on a few pages, for --check",
	.prepare = prepare,
	.step = churn_step,
	.configure = configure,
};

int stir(void *arg, enum mmshim_point point, uint64_t address)
{
	static _Thread_local struct rng rng;
	static _Thread_local bool is_made;
	static _Atomic unsigned threads;
	const struct stirring *how = arg;

	(void)address;
	if (!is_made) {
		rng = rng_make(how->seed, 1000 + atomic_fetch_add(&threads, 1));
		is_made = true;
	}
	if (point == MMSHIM_IN_ALLOC || point == MMSHIM_IN_IO)
		return how->fails && rng_below(&rng, 500) == 0 ? EIO : 0;
	switch (rng_below(&rng, 16)) {
	case 0:
		sleep_ns((int64_t)rng_below(&rng, 100000));
		break;
	case 1:
	case 2:
	case 3:
		sched_yield();
		break;
	}
	return 0;
}
