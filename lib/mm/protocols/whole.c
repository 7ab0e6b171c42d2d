/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole calls of the protocols that lock all or nothing: faults read, changes write. */
#include <errno.h>

#include "mm/protocols/whole.h"

static void populate_held(struct mmshim *mm, uint64_t start, uint64_t end)
{
	struct vma_attr a;

	for (uint64_t at = start; at < end; at += MMSHIM_PAGE)
		if (!rl_mm_lookup(mm, at, &a) || !rl_mm_allows(&a, MMSHIM_READ) ||
		    rl_mm_handle_fault(mm, &a, at,
				       a.prot & MMSHIM_WRITE ? MMSHIM_WRITE : MMSHIM_READ, 0))
			return;
}

int rl_mm_whole_map(struct mmshim *mm, struct map *map)
{
	struct hold hold = { 0 };

	mm->protocol->lock_all(mm, &hold);
	rl_mm_count(mm, C_COARSE);
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
	rl_mm_count(mm, C_COARSE);
	return rl_mm_unmap_held(mm, &hold, start, end);
}

static int fault(struct mmshim *mm, uint64_t address, unsigned prot, unsigned flags)
{
	unsigned attempts = 0;
	bool first = true;

	for (;;) {
		struct hold hold = { 0 };
		struct vma_attr a;
		int error = EFAULT;

		mm->protocol->lock_range(mm, &hold, 0, MMSHIM_TOP, false);
		if (rl_mm_lookup(mm, address, &a) || rl_mm_grow(mm, address, &a)) {
			rl_mm_point(mm, MMSHIM_AFTER_LOOKUP, address);
			error = rl_mm_handle_fault(mm, &a, address, prot, flags);
		} else {
			rl_mm_count(mm, C_MISS);
		}
		mm->protocol->unlock(mm, &hold);
		if (error >= 0) {
			rl_mm_count(mm, first ? C_SUCCESS : C_COARSE);
			return error;
		}
		/* The mapping may be another when we are back; the second try waits with the lock. */
		if (error == RETRY_IO)
			flags &= ~FAULT_MAY_DROP;
		error = rl_mm_wait_for_fault(mm, &a, address, error, &attempts);
		if (error)
			return error;
		first = false;
	}
}

int rl_mm_whole_fault(struct mmshim *mm, uint64_t address, unsigned prot)
{
	return fault(mm, address, prot, 0);
}

int rl_mm_whole_fault_retrying(struct mmshim *mm, uint64_t address, unsigned prot)
{
	return fault(mm, address, prot, FAULT_MAY_DROP);
}

int rl_mm_whole_populate(struct mmshim *mm, uint64_t start, uint64_t end, uint32_t birth)
{
	struct hold hold = { 0 };

	(void)birth;
	mm->protocol->lock_all(mm, &hold);
	int error = rl_mm_is_covered(mm, start, end) ? 0 : ENOMEM;
	populate_held(mm, start, end);
	mm->protocol->unlock(mm, &hold);
	return error;
}

bool rl_mm_whole_try_page(struct mmshim *mm, struct hold *hold, uint64_t address)
{
	(void)mm, (void)hold, (void)address;
	hold->start = hold->end = 0;
	return true;
}
