/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fine-chosen: fine, with the range chosen under the range lock's own mutex at the moment of the
 * grant (Lespinasse's queued lock).  What the choice was made by holds for as long as the range
 * is held, so nothing is looked at twice, nothing is reserved, and the queue is FIFO.
 *
 * Why that is so: mappings are changed by those who hold the addresses for write.  At
 * the last choice our range is granted, so none of those who could change what we saw there
 * holds it any more, and those who come wait for us.
 */
#include <errno.h>

#include "mm/oracle.h"
#include "mm/protocols/fine.h"
#include "mm/protocols/whole.h"

struct choice {
	struct mmshim *mm;
	uint64_t address, length;
	struct map *map;
	struct vma_attr a;
	bool fine, grows;
};

static int lock_chosen(struct mmshim *mm, struct hold *hold, rangelock_choose_fn *choose,
		       struct choice *c)
{
	*hold = (struct hold){ 0 };
	int error = rangelock_lock_chosen(&mm->range, &hold->req, choose, c, NULL);
	if (!error)
		hold->end = UINT64_MAX; /* to be unlocked; the caller knows the range */
	return error;
}

/* ---- Faults ---- */

static int choose_fault(void *arg, struct rangelock_range *ret)
{
	struct choice *c = arg;

	if (!rl_mm_lookup(c->mm, c->address, &c->a)) {
		c->grows = rl_mm_growable(c->mm, c->address, &c->a);
		return EFAULT;
	}
	rl_mm_fault_range(c->mm, &c->a, c->address, ret);
	return 0;
}

static int one_fault(struct mmshim *mm, uint64_t address, unsigned prot, unsigned *attempts)
{
	struct choice c = { .mm = mm, .address = address };
	struct hold hold;
	int error = lock_chosen(mm, &hold, choose_fault, &c);

	if (error && c.grows)
		return rl_mm_coarse_fault(mm, address, prot, true, attempts);
	if (error) {
		rl_mm_count(mm, C_MISS);
		return error;
	}
	rl_mm_point(mm, MMSHIM_AFTER_LOOKUP, address);
	error = rl_mm_handle_fault(mm, &c.a, address, prot, 0);
	rl_mm_range_unlock(mm, &hold);
	rl_mm_count(mm, C_FINE);
	return error < 0 ? rl_mm_wait_for_fault(mm, &c.a, address, error, attempts) ?: RETRY_LOOKUP
			 : error;
}

static int fault(struct mmshim *mm, uint64_t address, unsigned prot)
{
	unsigned attempts = 0;
	int error = one_fault(mm, address, prot, &attempts);

	if (error == 0)
		rl_mm_count(mm, C_SUCCESS);
	while (error == RETRY_LOOKUP)
		error = one_fault(mm, address, prot, &attempts);
	return error;
}

/* ---- mmap and munmap ---- */

static void choose(struct rangelock_range *ret, struct choice *c, bool fine, uint64_t start)
{
	c->fine = fine;
	*ret = fine ? (struct rangelock_range){ start, start + c->length, RANGELOCK_WRITE }
		    : (struct rangelock_range){ RANGELOCK_FULL, RANGELOCK_WRITE };
}

static int choose_map(void *arg, struct rangelock_range *ret)
{
	struct choice *c = arg;
	struct map *map = c->map;
	bool converted = !map->attr.file || map->attr.file->flags & MMSHIM_CONVERTED;
	uint64_t start = map->attr.start, end;

	if (!map->known) {
		rl_mm_read_lock();
		bool found = rl_mm_hole(c->mm, map->length, c->mm->config.low, c->mm->config.high,
					&start, &end);
		rl_mm_read_unlock();
		if (!found)
			return ENOMEM;
		c->address = start;
	}
	choose(ret, c, converted && rl_mm_is_empty(c->mm, start, start + map->length), start);
	return 0;
}

static int map(struct mmshim *mm, struct map *map)
{
	struct choice c = { .mm = mm, .length = map->length, .map = map };
	struct hold hold;
	int error = lock_chosen(mm, &hold, choose_map, &c);

	if (error)
		return error;
	rl_mm_count(mm, c.fine ? C_FINE : C_COARSE);
	if (c.fine) {
		struct edit e = { .claims_empty = true };

		if (!map->known)
			map->attr.start = c.address;
		error = rl_mm_map_held(mm, map, &e);
	} else {
		error = rl_mm_map_all(mm, map);
	}
	rl_mm_range_unlock(mm, &hold);
	return error;
}

static int choose_unmap(void *arg, struct rangelock_range *ret)
{
	struct choice *c = arg;

	choose(ret, c, rl_mm_is_converted(c->mm, c->address, c->address + c->length), c->address);
	return 0;
}

static int unmap(struct mmshim *mm, uint64_t start, uint64_t end)
{
	struct choice c = { .mm = mm, .address = start, .length = end - start };
	struct hold hold;
	int error = lock_chosen(mm, &hold, choose_unmap, &c);

	if (error)
		return error;
	rl_mm_count(mm, c.fine ? C_FINE : C_COARSE);
	hold.start = c.fine ? start : 0;
	hold.end = c.fine ? end : UINT64_MAX;
	hold.write = true;
	return rl_mm_unmap_held(mm, &hold, start, end);
}

const struct protocol rl_mm_fine_chosen = {
	.name = "fine-chosen",
	.needs = RANGELOCK_CAP_LOCK | RANGELOCK_CAP_ENTER | RANGELOCK_CAP_NESTED,
	.needs_downgrade = true,
	.init = rl_mm_range_init,
	.end = rl_mm_range_end,
	.lock_all = rl_mm_range_lock_all,
	.lock_range = rl_mm_range_lock,
	.lock_again = rl_mm_range_lock_again,
	.downgrade = rl_mm_range_downgrade,
	.unlock = rl_mm_range_unlock,
	.try_page = rl_mm_fine_try_page,
	.lock_nested = rl_mm_fine_lock_nested,
	.map = map,
	.unmap = unmap,
	.fault = fault,
	.populate = rl_mm_populate_by_faults,
};
