/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fine: the slides' protocol.  Lockers that have been converted take the range that they need,
 * all others take everything; an arbitrary range, whatever the mappings are.
 *
 *	mmap, known address, nothing there,   that range, for write; then look again
 *	    or FIXED over converted mappings
 *	mmap, open address                    choose and reserve in one section of the short
 *	                                      mutex, then lock; the reservation tells
 *	                                      whether it was taken meanwhile
 *	munmap of converted mappings          that range, for write
 *	fault                                 look up and copy, lock for read, look again
 *	anything else                         everything, for write
 *
 * Converted are anonymous memory, and files whose driver said so.  A reservation is
 * revoked by any write over it: fixed mappings, and whoever takes everything.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "mm/oracle.h"
#include "mm/protocols/fine.h"
#include "mm/protocols/whole.h"

static bool is_converted(const struct vma_attr *a)
{
	return !a->file || a->file->flags & MMSHIM_CONVERTED;
}

bool rl_mm_is_converted(struct mmshim *mm, uint64_t start, uint64_t end)
{
	bool all = true;

	rl_mm_read_lock();
	const struct index *ix = rl_mm_index(mm);
	for (size_t i = rl_mm_below(ix, start); i < ix->n && ix->v[i]->a.start < end; i++)
		all = all && is_converted(&ix->v[i]->a);
	rl_mm_read_unlock();
	return all;
}

/* ---- Faults ---- */

void rl_mm_fault_range(struct mmshim *mm, const struct vma_attr *a, uint64_t address,
		       struct rangelock_range *ret)
{
	uint64_t size = mm->config.fault_range, start = address / size * size;
	uint64_t end = start + size;

	if (!is_converted(a)) {
		*ret = (struct rangelock_range){ RANGELOCK_FULL, RANGELOCK_READ };
		return;
	}
	/* Of others' mappings nothing: their owners would wait for us. */
	*ret = (struct rangelock_range){ start > a->start ? start : a->start,
					 end < a->end ? end : a->end, RANGELOCK_READ };
}

static bool is_same(const struct vma_attr *a, const struct vma_attr *b, uint64_t address)
{
	return a->prot == b->prot && a->flags == b->flags && a->file == b->file &&
	       (!a->file ||
		a->offset + page_of(address - a->start) == b->offset + page_of(address - b->start));
}

/* The mapping, by its pointer: a look-up as it was before attributes were copied. */
static const struct vma *remember(struct mmshim *mm, uint64_t address)
{
	rl_mm_read_lock();
	const struct vma *v = rl_mm_find(rl_mm_index(mm), address);
	rl_mm_read_unlock();
	return v;
}

int rl_mm_end_of_fault(struct mmshim *mm, const struct vma_attr *a, struct fault *f, int error)
{
	if (error < 0)
		error = rl_mm_wait_for_fault(mm, a, f, error) ?: RETRY_LOOKUP;
	return error;
}

int rl_mm_coarse_fault(struct mmshim *mm, struct fault *f, bool grows)
{
	struct hold hold = { 0 };
	struct vma_attr a;
	int error = EFAULT;

	rl_mm_range_lock(mm, &hold, RANGELOCK_FULL, grows);
	if (grows ? rl_mm_grow(mm, f->address, &a) : rl_mm_lookup(mm, f->address, &a))
		error = rl_mm_handle_fault(mm, &a, f);
	rl_mm_range_unlock(mm, &hold);
	return rl_mm_end_of_fault(mm, &a, f, error);
}

/* One attempt: RETRY_LOOKUP to begin again. */
static int fine_fault(struct mmshim *mm, struct fault *f)
{
	const uint64_t address = f->address;
	struct rangelock_range range;
	struct hold hold = { 0 };
	struct vma_attr a, now;
	const struct vma *kept = NULL;

	if (mm->mutant == MUTANT_USE_AFTER_MERGE)
		kept = remember(mm, address);
	if (!rl_mm_lookup(mm, address, &a)) {
		if (rl_mm_growable(mm, address, &a))
			return rl_mm_coarse_fault(mm, f, true);
		rl_mm_count(mm, C_MISS); /* at that moment nothing was mapped */
		return EFAULT;
	}
	rl_mm_point(mm, MMSHIM_AFTER_LOOKUP, address);
	rl_mm_fault_range(mm, &a, address, &range);
	rl_mm_range_lock(mm, &hold, range.start, range.end, false);
	if (kept)
		rl_mm_vma_used(mm, kept, address);
	if (mm->mutant == MUTANT_NO_RECHECK) {
		now = a;
	} else if (!rl_mm_lookup(mm, address, &now) || !is_same(&a, &now, address)) {
		rl_mm_range_unlock(mm, &hold);
		rl_mm_count(mm, C_ABORT);
		return rl_mm_coarse_fault(mm, f, false);
	}
	/* What we hold keeps the attributes as they were copied; the VMA may be merged away. */
	int error = rl_mm_handle_fault(mm, &now, f);
	rl_mm_range_unlock(mm, &hold);
	return rl_mm_end_of_fault(mm, &now, f, error);
}

static int fault(struct mmshim *mm, struct fault *f)
{
	int error = fine_fault(mm, f);

	if (error == 0)
		rl_mm_count(mm, C_SUCCESS);
	while (error == RETRY_LOOKUP)
		error = fine_fault(mm, f);
	return error;
}

/* ---- mmap ---- */

static int map_coarsely(struct mmshim *mm, struct map *map)
{
	struct hold hold = { 0 };

	rl_mm_range_lock_all(mm, &hold);
	int error = rl_mm_map_all(mm, map);
	rl_mm_range_unlock(mm, &hold);
	return error;
}

bool rl_mm_map_is_fine(struct mmshim *mm, const struct map *map)
{
	uint64_t start = map->attr.start, end = start + map->length;

	return is_converted(&map->attr) &&
	       (map->flags & MMSHIM_FIXED ? rl_mm_is_converted(mm, start, end)
					  : rl_mm_is_empty(mm, start, end));
}

static int map_known(struct mmshim *mm, struct map *map)
{
	struct edit e = { .only_if_empty = !(map->flags & MMSHIM_FIXED) };
	struct hold hold = { 0 };
	int error = EEXIST;

	rl_mm_range_lock(mm, &hold, map->attr.start, map->attr.start + map->length, true);
	if (rl_mm_map_is_fine(mm, map))
		error = rl_mm_map_held(mm, map, &e);
	rl_mm_range_unlock(mm, &hold);
	return error;
}

/* A hole that is nobody's and that nobody has chosen. */
static int reserve_hole(struct mmshim *mm, struct hold *hold, uint64_t length, uint64_t *ret_start)
{
	uint64_t lo = mm->config.low, start, end;
	int error = ENOSPC;

	rl_mm_index_lock(mm);
	while (error == ENOSPC && rl_mm_hole(mm, length, lo, mm->config.high, &start, &end)) {
		error = rangelock_reserve_gap(&mm->range, &hold->req, length, MMSHIM_PAGE, start,
					      end, ret_start);
		lo = end;
	}
	rl_mm_index_unlock(mm);
	return error;
}

static int map_open(struct mmshim *mm, struct map *map)
{
	struct edit e = { .claims_empty = true };
	struct hold hold = { 0 };
	uint64_t start;
	int error = reserve_hole(mm, &hold, map->length, &start);

	if (error)
		return error;
	rl_mm_point(mm, MMSHIM_AFTER_RESERVE, start);
	error = rangelock_commit(&mm->range, &hold.req, NULL);
	if (!error)
		rl_mm_count(mm, C_COMMITTED);
	if (error == ECANCELED) {
		rl_mm_count(mm, C_REVOKED);
		if (mm->mutant != MUTANT_NO_RESERVATION_CHECK)
			return error;
		error = rangelock_wrlock(&mm->range, &hold.req, start, start + map->length);
	}
	if (error) { /* ENOMEM: the reservation stands, or there is none */
		rangelock_unreserve(&mm->range, &hold.req);
		rl_mm_count(mm, C_GIVEN_UP);
		return error;
	}
	hold.start = start;
	hold.end = start + map->length;
	rl_mm_range_count(mm, &hold);
	map->attr.start = start;
	error = rl_mm_map_held(mm, map, &e);
	rl_mm_range_unlock(mm, &hold);
	return error;
}

static int map(struct mmshim *mm, struct map *map)
{
	int error = EEXIST;

	if (is_converted(&map->attr)) {
		if (!map->known)
			error = map_open(mm, map);
		else if (rl_mm_map_is_fine(mm, map))
			error = map_known(mm, map);
	}
	return error == 0 || (error == ENOMEM && map->known) ? error : map_coarsely(mm, map);
}

/* ---- munmap ---- */

static void lock_to_unmap(struct mmshim *mm, struct hold *hold, uint64_t start, uint64_t end)
{
	if (rl_mm_is_converted(mm, start, end)) {
		rl_mm_range_lock(mm, hold, start, end, true);
		if (rl_mm_is_converted(mm, start, end))
			return;
		rl_mm_range_unlock(mm, hold);
	}
	rl_mm_range_lock_all(mm, hold);
}

static int unmap(struct mmshim *mm, uint64_t start, uint64_t end)
{
	struct hold hold = { 0 };

	lock_to_unmap(mm, &hold, start, end);
	return rl_mm_unmap_held(mm, &hold, start, end);
}

/* Between the phases of vm-dead a mapping may have come that is not converted. */
static void lock_again(struct mmshim *mm, struct hold *hold)
{
	lock_to_unmap(mm, hold, hold->start, hold->end);
}

/* ---- Reclaim and nested reads ---- */

/* A reclaim that waits: for the range that its own thread holds, as like as not. */
static bool wait_for_page(struct mmshim *mm, struct hold *hold, uint64_t start)
{
	int64_t then = rl_mm_now() + 100000000;
	struct timespec until = { .tv_sec = (time_t)(then / 1000000000),
				  .tv_nsec = (long)(then % 1000000000) };
	int error =
	    rangelock_timedwrlock(&mm->range, &hold->req, start, start + MMSHIM_PAGE, &until);
	if (error)
		rl_mm_violation(mm, "reclaim has waited for page %#llx for 0.1 s",
				(unsigned long long)page_of(start));
	return error == 0;
}

bool rl_mm_fine_try_page(struct mmshim *mm, struct hold *hold, uint64_t address)
{
	uint64_t start = address & ~(MMSHIM_PAGE - 1);

	*hold = (struct hold){ .start = start, .end = start + MMSHIM_PAGE, .write = true };
	/* once found out is enough */
	if (mm->mutant == MUTANT_BLOCKING_RECLAIM && !rl_load(&mm->violations, relaxed))
		return wait_for_page(mm, hold, start);
	return rangelock_trywrlock(&mm->range, &hold->req, start, start + MMSHIM_PAGE) == 0;
}

void rl_mm_fine_lock_nested(struct mmshim *mm, struct hold *hold, uint64_t start, uint64_t end,
			    const struct hold *outer)
{
	int error;

	*hold = (struct hold){ .start = start, .end = end };
	while ((error = rangelock_rdlock_nested(&mm->range, &hold->req, start, end, &outer->req)) ==
	       ENOMEM)
		sched_yield();
	if (error)
		rl_mm_violation(mm, "a nested read answered errno %d", error);
}

const struct protocol rl_mm_fine = {
	.name = "fine",
	.needs = RANGELOCK_CAP_LOCK | RANGELOCK_CAP_RESERVE | RANGELOCK_CAP_NESTED,
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
