/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole calls of the protocols that lock all or nothing: faults read, changes write. */
#include <errno.h>

#include "mm/protocols/whole.h"

static int populate_held(struct mmshim *mm, uint64_t start, uint64_t end)
{
	struct fault f = { .address = start, .birth = UINT32_MAX };
	struct vma_attr a;
	int missing = 0;

	for (; rl_mm_populate_next(mm, &f, end, &a, &missing); f.address += MMSHIM_PAGE) {
		int error = rl_mm_handle_fault(mm, &a, &f);
		if (error)
			return error < 0 ? ENOMEM : error;
	}
	return missing;
}

int rl_mm_whole_map(struct mmshim *mm, struct map *map)
{
	struct hold hold = { 0 };

	mm->protocol->lock_all(mm, &hold);
	int error = rl_mm_map_all(mm, map);
	if (!error && map->flags & MMSHIM_POPULATE &&
	    mm->protocol->populate == rl_mm_whole_populate) {
		populate_held(mm, map->attr.start, map->attr.end);
		map->populated = true;
	}
	mm->protocol->unlock(mm, &hold);
	return error;
}

int rl_mm_whole_unmap(struct mmshim *mm, uint64_t start, uint64_t end)
{
	struct hold hold = { 0 };

	mm->protocol->lock_all(mm, &hold);
	return rl_mm_unmap_held(mm, &hold, start, end);
}

int rl_mm_whole_fault(struct mmshim *mm, struct fault *f)
{
	for (bool first = true;; first = false) {
		struct hold hold = { 0 };
		struct vma_attr a;
		int error = EFAULT;

		mm->protocol->lock_range(mm, &hold, 0, MMSHIM_TOP, false);
		if (rl_mm_lookup(mm, f->address, &a) || rl_mm_grow(mm, f->address, &a)) {
			rl_mm_point(mm, MMSHIM_AFTER_LOOKUP, f->address);
			error = rl_mm_handle_fault(mm, &a, f);
		} else {
			rl_mm_count(mm, C_MISS);
		}
		mm->protocol->unlock(mm, &hold);
		if (error == 0 && first)
			rl_mm_count(mm, C_SUCCESS);
		if (error >= 0)
			return error;
		/* The mapping may be another when we are back; the second try waits with the lock. */
		if (error == RETRY_IO)
			f->may_drop = false;
		error = rl_mm_wait_for_fault(mm, &a, f, error);
		if (error)
			return error;
	}
}

int rl_mm_whole_fault_retrying(struct mmshim *mm, struct fault *f)
{
	f->may_drop = true;
	return rl_mm_whole_fault(mm, f);
}

int rl_mm_whole_populate(struct mmshim *mm, uint64_t start, uint64_t end, uint32_t birth)
{
	struct hold hold = { 0 };

	(void)birth;
	mm->protocol->lock_all(mm, &hold);
	int error = populate_held(mm, start, end);
	mm->protocol->unlock(mm, &hold);
	return error;
}

bool rl_mm_whole_try_page(struct mmshim *mm, struct hold *hold, uint64_t address)
{
	(void)mm, (void)hold, (void)address;
	hold->start = hold->end = 0;
	return true;
}
