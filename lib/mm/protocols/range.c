/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap-sem-range: mmap-sem over a range lock's full range; coarse, the first step of a
 * conversion: the same, with populate as a fault for each page; and how all others take ranges.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/oracle.h"
#include "mm/protocols/whole.h"

int rl_mm_range_init(struct mmshim *mm)
{
	bool barges = mm->protocol->barges && mm->caps & RANGELOCK_CAP_BARGING;
	const struct rangelock_attr attr = { .engine = mm->config.engine,
					     .flags = barges ? RANGELOCK_BARGING : 0,
					     .name = "mmshim" };

	return rangelock_init(&mm->range, &attr);
}

void rl_mm_range_end(struct mmshim *mm)
{
	if (rangelock_destroy(&mm->range))
		rl_mm_violation(mm, "a range is held or reserved at the end");
}

/* What cannot fail by our use of it; but for memory, which comes back. */
static void must(struct mmshim *mm, int error, const char *what)
{
	if (error)
		rl_mm_violation(mm, "%s answered errno %d", what, error);
}

void rl_mm_range_count(struct mmshim *mm, const struct hold *hold)
{
	rl_mm_count(mm, hold->start == 0 && hold->end == UINT64_MAX ? C_COARSE : C_FINE);
}

void rl_mm_range_lock(struct mmshim *mm, struct hold *hold, uint64_t start, uint64_t end,
		      bool write)
{
	int error;

	*hold = (struct hold){ .start = start, .end = end, .write = write };
	while ((error = (write ? rangelock_wrlock : rangelock_rdlock)(&mm->range, &hold->req, start,
								      end)) == ENOMEM)
		sched_yield();
	must(mm, error, "the lock of a range");
	rl_mm_range_count(mm, hold);
}

void rl_mm_range_lock_all(struct mmshim *mm, struct hold *hold)
{
	rl_mm_range_lock(mm, hold, RANGELOCK_FULL, true);
}

void rl_mm_range_lock_full(struct mmshim *mm, struct hold *hold, uint64_t start, uint64_t end,
			   bool write)
{
	(void)start, (void)end;
	rl_mm_range_lock(mm, hold, RANGELOCK_FULL, write);
}

void rl_mm_range_lock_again(struct mmshim *mm, struct hold *hold)
{
	rl_mm_range_lock(mm, hold, hold->start, hold->end, true);
}

void rl_mm_range_downgrade(struct mmshim *mm, struct hold *hold)
{
	must(mm, rangelock_downgrade(&mm->range, &hold->req), "downgrade");
	hold->write = false;
}

void rl_mm_range_unlock(struct mmshim *mm, struct hold *hold)
{
	if (hold->end) /* else reclaim's, of nothing */
		must(mm, rangelock_unlock(&mm->range, &hold->req), "unlock");
}

#define WHOLE                                                                                 \
	.needs = RANGELOCK_CAP_LOCK, .needs_downgrade = true, .barges = true,                 \
	.init = rl_mm_range_init, .end = rl_mm_range_end, .lock_all = rl_mm_range_lock_all,   \
	.lock_range = rl_mm_range_lock_full, .lock_again = rl_mm_range_lock_again,            \
	.downgrade = rl_mm_range_downgrade, .unlock = rl_mm_range_unlock,                     \
	.try_page = rl_mm_whole_try_page, .map = rl_mm_whole_map, .unmap = rl_mm_whole_unmap, \
	.fault = rl_mm_whole_fault

const struct protocol rl_mm_mmap_sem_range = { .name = "mmap-sem-range",
					       WHOLE,
					       .populate = rl_mm_whole_populate };
const struct protocol rl_mm_coarse = { .name = "coarse",
				       WHOLE,
				       .populate = rl_mm_populate_by_faults };
