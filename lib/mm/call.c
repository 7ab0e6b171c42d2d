/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls: arguments are checked, the protocol is asked, what was replaced is given back. */
#include <errno.h>

#include "mm/mm.h"
#include "mm/oracle.h"

/* So much waits for a grace period before a call pays for one. */
enum { REAP_AT = 256 };

static void finish(struct mmshim *mm, struct call *call)
{
	rl_mm_call_end(mm, call);
	rl_mm_reap(&mm->retirement, REAP_AT);
}

/* Sets *length to whole pages. */
static int check_range(struct mmshim *mm, uint64_t address, uint64_t *length)
{
	if (!mm || !*length || *length > MMSHIM_TOP || address % MMSHIM_PAGE ||
	    address < MMSHIM_PAGE)
		return EINVAL;
	*length = (*length + MMSHIM_PAGE - 1) & ~(MMSHIM_PAGE - 1);
	if (address >= MMSHIM_TOP || *length > MMSHIM_TOP - address)
		return EINVAL;
	return rl_mm_self(mm) ? 0 : ENOMEM;
}

/* Who may write may read. */
static unsigned full_prot(unsigned prot)
{
	return prot & MMSHIM_WRITE ? prot | MMSHIM_READ : prot;
}

static int map_somewhere(struct mmshim *mm, struct map *map, uint64_t hint)
{
	int error = EEXIST;

	map->known = hint;
	map->attr.start = hint;
	if (map->known)
		error = mm->protocol->map(mm, map);
	if (error == EEXIST && !(map->flags & (MMSHIM_FIXED | MMSHIM_FIXED_NOREPLACE))) {
		map->known = false;
		error = mm->protocol->map(mm, map);
	}
	return error;
}

int mmshim_mmap(struct mmshim *mm, uint64_t hint, uint64_t length, unsigned prot, unsigned flags,
		struct mmshim_file *file, uint64_t offset, uint64_t *ret_address)
{
	const unsigned all_flags = MMSHIM_SHARED | MMSHIM_FIXED | MMSHIM_FIXED_NOREPLACE |
				   MMSHIM_POPULATE | MMSHIM_GROWSDOWN | MMSHIM_LOCKED;
	bool fixed = flags & (MMSHIM_FIXED | MMSHIM_FIXED_NOREPLACE);
	int error = check_range(mm, hint ? hint : MMSHIM_PAGE, &length);

	if (error)
		return error;
	if (!ret_address || prot & ~(MMSHIM_READ | MMSHIM_WRITE) || flags & ~all_flags ||
	    (fixed && !hint) || offset % MMSHIM_PAGE || (!file && offset) ||
	    (!file && flags & MMSHIM_SHARED) || (file && flags & MMSHIM_GROWSDOWN) ||
	    (file && file->machine != mm->machine))
		return EINVAL;
	if (flags & MMSHIM_FIXED_NOREPLACE)
		flags &= ~MMSHIM_FIXED;
	struct map map = {
		.flags = flags,
		.length = length,
		.attr = { .prot = full_prot(prot),
			  .flags = flags & (MMSHIM_SHARED | MMSHIM_GROWSDOWN | MMSHIM_LOCKED),
			  .file = file,
			  .offset = page_of(offset) },
	};
	struct call *call = rl_mm_call_begin(mm);
	error = map_somewhere(mm, &map, hint);
	rl_mm_call_end(mm, call);
	if (!error && flags & MMSHIM_POPULATE && !map.populated)
		mm->protocol->populate(mm, map.attr.start, map.attr.end, map.attr.birth);
	if (!error)
		*ret_address = map.attr.start;
	rl_mm_reap(&mm->retirement, REAP_AT);
	return error;
}

int mmshim_munmap(struct mmshim *mm, uint64_t address, uint64_t length)
{
	int error = check_range(mm, address, &length);

	if (error)
		return error;
	struct call *call = rl_mm_call_begin(mm);
	error = mm->protocol->unmap(mm, address, address + length);
	finish(mm, call);
	return error;
}

int mmshim_mprotect(struct mmshim *mm, uint64_t address, uint64_t length, unsigned prot)
{
	struct hold hold = { 0 };
	int error = check_range(mm, address, &length);

	if (error)
		return error;
	if (prot & ~(MMSHIM_READ | MMSHIM_WRITE))
		return EINVAL;
	struct call *call = rl_mm_call_begin(mm);
	mm->protocol->lock_all(mm, &hold);
	error = rl_mm_protect_all(mm, address, address + length, full_prot(prot));
	mm->protocol->unlock(mm, &hold);
	finish(mm, call);
	return error;
}

int mmshim_mremap(struct mmshim *mm, uint64_t address, uint64_t old_length, uint64_t new_length,
		  uint64_t *ret_address)
{
	struct hold hold = { 0 };
	int error = check_range(mm, address, &old_length);

	if (!error && (!ret_address || !new_length || new_length > MMSHIM_TOP))
		error = EINVAL;
	if (error)
		return error;
	new_length = (new_length + MMSHIM_PAGE - 1) & ~(MMSHIM_PAGE - 1);
	struct call *call = rl_mm_call_begin(mm);
	mm->protocol->lock_all(mm, &hold);
	error = rl_mm_remap_all(mm, &hold, address, old_length, new_length, ret_address);
	mm->protocol->unlock(mm, &hold);
	finish(mm, call);
	return error;
}

int mmshim_dontneed(struct mmshim *mm, uint64_t address, uint64_t length)
{
	struct hold hold = { 0 };
	int error = check_range(mm, address, &length);

	if (error)
		return error;
	struct call *call = rl_mm_call_begin(mm);
	mm->protocol->lock_range(mm, &hold, address, address + length, false);
	if (!rl_mm_is_covered(mm, address, address + length) ||
	    !rl_mm_note_discard(mm, address, address + length))
		error = ENOMEM;
	else
		rl_mm_zap(mm, address, address + length, UINT32_MAX);
	mm->protocol->unlock(mm, &hold);
	rl_mm_call_end(mm, call);
	return error;
}

static int grow_heap(struct mmshim *mm, uint64_t old, uint64_t new)
{
	struct map more = {
		.attr = { .start = old, .prot = MMSHIM_READ | MMSHIM_WRITE, .flags = VMA_HEAP },
		.length = new - old
	};
	struct edit e = { .only_if_empty = true };
	int error = rl_mm_map_held(mm, &more, &e);

	return error == EEXIST ? ENOMEM : error;
}

/* Gives the hold up. */
static int move_heap(struct mmshim *mm, struct hold *hold, uint64_t end)
{
	const uint64_t before = mm->heap_end;
	uint64_t old = (before + MMSHIM_PAGE - 1) & ~(MMSHIM_PAGE - 1);
	uint64_t new = (end + MMSHIM_PAGE - 1) & ~(MMSHIM_PAGE - 1);
	int error = 0;

	if (end < mm->heap_start || end > MMSHIM_TOP)
		error = ENOMEM;
	else if (new > old)
		error = grow_heap(mm, old, new);
	if (!error)
		mm->heap_end = end;
	if (error || new >= old) {
		mm->protocol->unlock(mm, hold);
		return error;
	}
	error = rl_mm_unmap_held(mm, hold, new, old);
	if (error) { /* the heap is where it was, unless another has moved it since */
		mm->protocol->lock_all(mm, hold);
		if (mm->heap_end == end)
			mm->heap_end = before;
		mm->protocol->unlock(mm, hold);
	}
	return error;
}

int mmshim_brk(struct mmshim *mm, uint64_t end, uint64_t *ret_end)
{
	struct hold hold = { 0 };
	int error = 0;

	if (!mm)
		return EINVAL;
	if (!rl_mm_self(mm))
		return ENOMEM;
	struct call *call = rl_mm_call_begin(mm);
	mm->protocol->lock_all(mm, &hold);
	uint64_t now = mm->heap_end;
	if (end) {
		error = move_heap(mm, &hold, end);
		now = end;
	} else {
		mm->protocol->unlock(mm, &hold);
	}
	if (!error && ret_end)
		*ret_end = now;
	finish(mm, call);
	return error;
}

int mmshim_populate(struct mmshim *mm, uint64_t address, uint64_t length)
{
	int error = check_range(mm, address, &length);

	return error ? error : mm->protocol->populate(mm, address, address + length, UINT32_MAX);
}
