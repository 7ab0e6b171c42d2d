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

#include "mm/protocols/fine.h"
#include "mm/protocols/whole.h"

struct choice {
	struct mmshim *mm;
	uint64_t address, length;
	struct map *map;
	struct vma_attr a;
	struct rangelock_range range;
	bool fine, grows;
};

static int lock_chosen(struct choice *c, struct hold *hold, rangelock_choose_fn *choose)
{
	*hold = (struct hold){ 0 };
	int error = rangelock_lock_chosen(&c->mm->range, &hold->req, choose, c, NULL);
	if (!error) {
		hold->start = c->range.start;
		hold->end = c->range.end;
		hold->write = c->range.mode == RANGELOCK_WRITE;
		rl_mm_range_count(c->mm, hold);
	}
	return error;
}

/* ---- Faults ---- */

static int choose_fault(void *arg, struct rangelock_range *ret)
{
	struct choice *c = arg;

	c->grows = false;
	if (!rl_mm_lookup(c->mm, c->address, &c->a)) {
		c->grows = rl_mm_growable(c->mm, c->address, &c->a);
		return EFAULT;
	}
	rl_mm_fault_range(c->mm, &c->a, c->address, &c->range);
	*ret = c->range;
	return 0;
}

static int one_fault(struct mmshim *mm, struct fault *f)
{
	struct choice c = { .mm = mm, .address = f->address };
	struct hold hold;
	int error = lock_chosen(&c, &hold, choose_fault);

	if (error && c.grows)
		return rl_mm_coarse_fault(mm, f, true);
	if (error) {
		rl_mm_count(mm, C_MISS);
		return error;
	}
	rl_mm_point(mm, MMSHIM_AFTER_LOOKUP, f->address);
	error = rl_mm_handle_fault(mm, &c.a, f);
	rl_mm_range_unlock(mm, &hold);
	return rl_mm_end_of_fault(mm, &c.a, f, error);
}

static int fault(struct mmshim *mm, struct fault *f)
{
	int error = one_fault(mm, f);

	if (error == 0)
		rl_mm_count(mm, C_SUCCESS);
	while (error == RETRY_LOOKUP)
		error = one_fault(mm, f);
	return error;
}

/* ---- mmap and munmap ---- */

static void choose(struct choice *c, bool fine, uint64_t start, struct rangelock_range *ret)
{
	c->fine = fine;
	c->range = fine ? (struct rangelock_range){ start, start + c->length, RANGELOCK_WRITE }
			: (struct rangelock_range){ RANGELOCK_FULL, RANGELOCK_WRITE };
	*ret = c->range;
}

static int choose_map(void *arg, struct rangelock_range *ret)
{
	struct choice *c = arg;
	struct map *map = c->map;
	uint64_t end;

	if (!map->known) {
		rl_mm_read_lock();
		bool found = rl_mm_hole(c->mm, map->length, c->mm->config.low, c->mm->config.high,
					&map->attr.start, &end);
		rl_mm_read_unlock();
		if (!found)
			return ENOMEM;
	}
	choose(c, rl_mm_map_is_fine(c->mm, map), map->attr.start, ret);
	return 0;
}

static int map(struct mmshim *mm, struct map *map)
{
	struct choice c = { .mm = mm, .length = map->length, .map = map };
	struct edit e = { .claims_empty = !map->known || !(map->flags & MMSHIM_FIXED) };
	struct hold hold;
	int error = lock_chosen(&c, &hold, choose_map);

	if (error)
		return error;
	error = c.fine ? rl_mm_map_held(mm, map, &e) : rl_mm_map_all(mm, map);
	rl_mm_range_unlock(mm, &hold);
	return error;
}

static int choose_unmap(void *arg, struct rangelock_range *ret)
{
	struct choice *c = arg;

	choose(c, rl_mm_is_converted(c->mm, c->address, c->address + c->length), c->address, ret);
	return 0;
}

static int unmap(struct mmshim *mm, uint64_t start, uint64_t end)
{
	struct choice c = { .mm = mm, .address = start, .length = end - start };
	struct hold hold;
	int error = lock_chosen(&c, &hold, choose_unmap);

	return error ? error : rl_mm_unmap_held(mm, &hold, start, end);
}

/* Between the phases of vm-dead a mapping may have come that is not converted. */
static void lock_again(struct mmshim *mm, struct hold *hold)
{
	struct choice c = { .mm = mm, .address = hold->start, .length = hold->end - hold->start };

	if (lock_chosen(&c, hold, choose_unmap))
		rl_mm_range_lock_all(mm, hold);
}

const struct protocol rl_mm_fine_chosen = {
	.name = "fine-chosen",
	.needs = RANGELOCK_CAP_LOCK | RANGELOCK_CAP_ENTER | RANGELOCK_CAP_NESTED,
	.needs_downgrade = true,
	.init = rl_mm_range_init,
	.end = rl_mm_range_end,
	.lock_all = rl_mm_range_lock_all,
	.lock_range = rl_mm_range_lock,
	.lock_again = lock_again,
	.downgrade = rl_mm_range_downgrade,
	.unlock = rl_mm_range_unlock,
	.try_page = rl_mm_fine_try_page,
	.lock_nested = rl_mm_fine_lock_nested,
	.map = map,
	.unmap = unmap,
	.fault = fault,
	.populate = rl_mm_populate_by_faults,
};
