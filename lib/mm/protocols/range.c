/* SPDX-License-Identifier: BSD-2-Clause */
/* mmap-sem-range: mmap-sem over a range lock's full range; and how all others take ranges. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/oracle.h"
#include "mm/protocols/whole.h"

int mm_range_init(struct mmshim *mm)
{
	const struct rangelock_attr attr = { .engine = mm->config.engine, .name = "mmshim" };

	return rangelock_init(&mm->range, &attr);
}

void mm_range_end(struct mmshim *mm)
{
	if (rangelock_destroy(&mm->range))
		mm_violation(mm, "a range is held or reserved at the end");
}

/* What cannot fail by our use of it; but for memory, which comes back. */
static void must(struct mmshim *mm, int error, const char *what)
{
	if (error)
		mm_violation(mm, "%s answered errno %d", what, error);
}

void mm_range_lock(struct mmshim *mm, struct hold *hold, uint64_t start, uint64_t end, bool write)
{
	int error;

	*hold = (struct hold){ .start = start, .end = end, .write = write };
	while ((error = (write ? rangelock_wrlock : rangelock_rdlock)(&mm->range, &hold->req, start,
								      end)) == ENOMEM)
		sched_yield();
	must(mm, error, "the lock of a range");
}

void mm_range_lock_all(struct mmshim *mm, struct hold *hold)
{
	mm_range_lock(mm, hold, RANGELOCK_FULL, true);
}

void mm_range_lock_full(struct mmshim *mm, struct hold *hold, uint64_t start, uint64_t end,
			bool write)
{
	(void)start, (void)end;
	mm_range_lock(mm, hold, RANGELOCK_FULL, write);
}

void mm_range_lock_again(struct mmshim *mm, struct hold *hold)
{
	mm_range_lock(mm, hold, hold->start, hold->end, true);
}

void mm_range_downgrade(struct mmshim *mm, struct hold *hold)
{
	must(mm, rangelock_downgrade(&mm->range, &hold->req), "downgrade");
	hold->write = false;
}

void mm_range_unlock(struct mmshim *mm, struct hold *hold)
{
	if (hold->end) /* else reclaim's, of nothing */
		must(mm, rangelock_unlock(&mm->range, &hold->req), "unlock");
}

const struct protocol protocol_mmap_sem_range = { .name = "mmap-sem-range",
						  .needs = RANGELOCK_CAP_LOCK,
						  .needs_downgrade = true,
						  .init = mm_range_init,
						  .end = mm_range_end,
						  .lock_all = mm_range_lock_all,
						  .lock_range = mm_range_lock_full,
						  .lock_again = mm_range_lock_again,
						  .downgrade = mm_range_downgrade,
						  .unlock = mm_range_unlock,
						  .try_page = mm_whole_try_page,
						  .map = mm_whole_map,
						  .unmap = mm_whole_unmap,
						  .fault = mm_whole_fault,
						  .populate = mm_whole_populate };
