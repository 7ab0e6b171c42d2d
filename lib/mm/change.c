/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes: what munmap, mmap, mprotect, mremap and fork do, once the protocol has locked.
 *
 * First the index is changed, so that no new fault finds what goes away; then the entries are
 * cleared and shot down; then what they mapped is given back.
 */
#include <errno.h>
#include <stdlib.h>

#include "mm/mm.h"
#include "mm/oracle.h"

/* ---- Zapping ---- */

static void give_back(struct mmshim *mm, uint64_t entry)
{
	if (entry & E_SWAPPED) {
		rl_mm_slot_put(mm->machine, entry_frame(entry));
		return;
	}
	struct frame *f = rl_mm_frame(mm->machine, entry_frame(entry));
	if (entry & E_DIRTY && rl_load(&f->file, relaxed))
		rl_store(&f->dirty, 1, release);
	rl_mm_add(&f->maps, -1, relaxed);
	rl_mm_frame_put(mm, entry_frame(entry));
}

/* A leaf's part.  It stays locked over the shoot-down, so that whoever finds an entry clear
 * knows that no TLB has it any more. */
static int zap_leaf(struct mmshim *mm, struct table *leaf, uint64_t start, uint64_t end, void *arg)
{
	const uint32_t *before = arg;
	uint64_t cleared[ENTRIES];
	unsigned n = 0;
	bool was_present = false;

	for (uint64_t at = start; at < end; at += MMSHIM_PAGE) {
		_Atomic uint64_t *e = &leaf->e[slot_of(0, at)];
		uint64_t entry = rl_load(e, relaxed);

		if (entry == 0 || entry_seq(entry) >= *before)
			continue;
		entry = rl_exchange(e, 0, acq_rel); /* with the marks of the last walk */
		was_present = was_present || entry & E_PRESENT;
		cleared[n++] = entry;
	}
	if (was_present)
		rl_mm_shoot_down(mm, start, end);
	for (unsigned i = 0; i < n; i++)
		give_back(mm, cleared[i]);
	return 0;
}

void rl_mm_zap(struct mmshim *mm, uint64_t start, uint64_t end, uint32_t before)
{
	rl_mm_each_leaf(mm, start, end, zap_leaf, &before);
}

/* ---- munmap ---- */

static int remove_mappings(struct mmshim *mm, struct edit *e)
{
	e->kind = EDIT_UNMAP;
	e->with = NULL;
	e->n = 0;
	return rl_mm_edit(mm, e);
}

/* Tables that lie within what is held map nothing but what is unmapped; what is
 * outside of it may change any time. */
static void zap_and_free(struct mmshim *mm, const struct hold *held, const struct edit *e)
{
	rl_mm_zap(mm, e->start, e->end, UINT32_MAX);
	rl_mm_free_tables(mm, e->start, e->end, e->floor > held->start ? e->floor : held->start,
			  e->ceiling < held->end ? e->ceiling : held->end);
}

/* What is held for write is measured until it is shared or given up. */
static void begin_hold(struct mmshim *mm, struct hold *hold)
{
	hold->since = mm->config.flags & MMSHIM_TIMES ? rl_mm_now() : 0;
}

static void end_hold(struct mmshim *mm, struct hold *hold,
		     void (*how)(struct mmshim *, struct hold *))
{
	if (hold->since)
		rl_mm_note_duration(&mm->unmaps, hold->since);
	hold->since = 0;
	how(mm, hold);
}

static int unmap_exclusive(struct mmshim *mm, struct hold *hold, struct edit *e)
{
	int error = remove_mappings(mm, e);

	if (!error)
		zap_and_free(mm, hold, e);
	end_hold(mm, hold, mm->protocol->unlock);
	return error;
}

/*
 * Shutemov's: once the mappings are out of the index, nobody faults there, and nobody maps there
 * while we hold for read.  But a stack grows by a fault, under the read lock, and into tables
 * that are being freed: beside one there is no downgrade.
 */
static int unmap_detached(struct mmshim *mm, struct hold *hold, struct edit *e)
{
	int error = remove_mappings(mm, e);

	if (!error) {
		rl_mm_point(mm, MMSHIM_AFTER_DETACH, e->start);
		if (!e->beside_stack || mm->mutant == MUTANT_DOWNGRADE_BESIDE_STACK) {
			end_hold(mm, hold, mm->protocol->downgrade);
			rl_mm_point(mm, MMSHIM_AFTER_DOWNGRADE, e->start);
		} else {
			rl_mm_count(mm, C_NO_DOWNGRADE);
		}
		zap_and_free(mm, hold, e);
	}
	end_hold(mm, hold, mm->protocol->unlock);
	return error;
}

/* Special mappings lose what makes them so, before the lock is shared. */
static int mark_dead(struct mmshim *mm, uint64_t start, uint64_t end)
{
	struct edit e = { .kind = EDIT_MARK, .start = start, .end = end };
	struct vma_attr *with;

	if (!rl_mm_copy_of(mm, start, end, &with, &e.n))
		return ENOMEM;
	for (size_t i = 0; i < e.n; i++) {
		with[i].flags = (with[i].flags & ~MMSHIM_LOCKED) | VMA_DEAD;
		if (mm->mutant == MUTANT_NO_VM_DEAD)
			with[i].flags &= ~VMA_DEAD;
	}
	e.with = with;
	int error = rl_mm_edit(mm, &e);
	free(with);
	return error;
}

/* Yang Shi's: nothing is carried over from the first phase to the second, since the
 * address space may be another by then. */
static int unmap_marked(struct mmshim *mm, struct hold *hold, struct edit *e)
{
	int error = mark_dead(mm, e->start, e->end);

	if (error) {
		end_hold(mm, hold, mm->protocol->unlock);
		return error;
	}
	end_hold(mm, hold, mm->protocol->downgrade);
	rl_mm_point(mm, MMSHIM_AFTER_DOWNGRADE, e->start);
	rl_mm_zap(mm, e->start, e->end, UINT32_MAX);
	mm->protocol->unlock(mm, hold);
	rl_mm_point(mm, MMSHIM_BETWEEN_PHASES, e->start);
	mm->protocol->lock_again(mm, hold);
	begin_hold(mm, hold);
	return unmap_exclusive(mm, hold, e);
}

int rl_mm_unmap_held(struct mmshim *mm, struct hold *hold, uint64_t start, uint64_t end)
{
	struct edit e = { .start = start, .end = end };

	begin_hold(mm, hold);
	if (mm->config.unmap == MMSHIM_UNMAP_DETACH)
		return unmap_detached(mm, hold, &e);
	if (mm->config.unmap == MMSHIM_UNMAP_VM_DEAD && end - start >= mm->config.large_unmap)
		return unmap_marked(mm, hold, &e);
	return unmap_exclusive(mm, hold, &e);
}

/* ---- mmap ---- */

int rl_mm_map_held(struct mmshim *mm, struct map *map, struct edit *e)
{
	map->attr.end = map->attr.start + map->length;
	e->kind = EDIT_MAP;
	e->start = map->attr.start;
	e->end = map->attr.end;
	e->with = &map->attr;
	e->n = 1;
	int error = rl_mm_edit(mm, e);
	if (error)
		return error;
	map->attr.birth = e->seq;
	if (e->dead)
		rl_mm_count(mm, C_SLIPPED_IN);
	if (!e->only_if_empty && !e->claims_empty)
		rl_mm_zap(mm, e->start, e->end, UINT32_MAX);
	return 0;
}

int rl_mm_map_all(struct mmshim *mm, struct map *map)
{
	struct edit e = { .only_if_empty = !(map->flags & MMSHIM_FIXED) };
	uint64_t end;

	if (!map->known) {
		rl_mm_index_lock(mm);
		bool found = rl_mm_hole(mm, map->length, mm->config.low, mm->config.high,
					&map->attr.start, &end);
		rl_mm_index_unlock(mm);
		if (!found)
			return ENOMEM;
	}
	return rl_mm_map_held(mm, map, &e);
}

/* ---- mprotect ---- */

static int protect_leaf(struct mmshim *mm, struct table *leaf, uint64_t start, uint64_t end,
			void *arg)
{
	const unsigned *prot = arg;
	uint64_t forbid = *prot & MMSHIM_READ ? E_WRITABLE : E_WRITABLE | E_PRESENT;
	bool changed = false;

	for (uint64_t at = start; at < end; at += MMSHIM_PAGE) {
		_Atomic uint64_t *e = &leaf->e[slot_of(0, at)];
		uint64_t entry = rl_load(e, relaxed), set;

		do {
			set = entry & ~forbid;
			if (entry & E_PRESENT && !(set & E_PRESENT))
				set |= E_FORBIDDEN;
		} while (set != entry && !rl_cas(e, &entry, set, acq_rel, relaxed));
		changed = changed || set != entry;
	}
	if (changed)
		rl_mm_shoot_down(mm, start, end);
	return 0;
}

/* What is allowed now is set by faults, which know what is to be copied first. */
int rl_mm_protect_all(struct mmshim *mm, uint64_t start, uint64_t end, unsigned prot)
{
	struct edit e = { .kind = EDIT_PROTECT, .start = start, .end = end };
	struct vma_attr *with;

	if (!rl_mm_is_covered(mm, start, end))
		return ENOMEM;
	if (!rl_mm_copy_of(mm, start, end, &with, &e.n))
		return ENOMEM;
	for (size_t i = 0; i < e.n; i++)
		with[i].prot = prot;
	e.with = with;
	int error = rl_mm_edit(mm, &e);
	free(with);
	if (!error && !(prot & MMSHIM_WRITE))
		rl_mm_each_leaf(mm, start, end, protect_leaf, &prot);
	return error;
}

/* ---- mremap ---- */

struct move {
	uint64_t from, to;
	uint32_t seq;
};

/* The tables of the new place, so that nothing can fail half-way. */
static int make_place(struct mmshim *mm, struct table *leaf, uint64_t start, uint64_t end,
		      void *arg)
{
	const struct move *m = arg;

	(void)leaf;
	return rl_mm_leaf(mm, start - m->from + m->to, true) &&
		       rl_mm_leaf(mm, end - MMSHIM_PAGE - m->from + m->to, true)
		   ? 0
		   : ENOMEM;
}

static int move_leaf(struct mmshim *mm, struct table *leaf, uint64_t start, uint64_t end, void *arg)
{
	const struct move *m = arg;

	for (uint64_t at = start; at < end; at += MMSHIM_PAGE) {
		uint64_t to = at - m->from + m->to;
		uint64_t entry = rl_exchange(&leaf->e[slot_of(0, at)], 0, acq_rel);

		if (!entry)
			continue;
		if (entry & E_PRESENT)
			rl_mm_shoot_down(mm, at, at + MMSHIM_PAGE);
		entry = entry_of(entry_frame(entry), m->seq, entry & E_FLAGS);
		struct frame *f =
		    entry_has_frame(entry) ? rl_mm_frame(mm->machine, entry_frame(entry)) : NULL;
		if (f && !rl_load(&f->file, relaxed))
			rl_store(&f->owner, rl_mm_owner(mm, to), release);
		/* all is locked: nobody but walks and reclaim, which does not find it yet */
		rl_store(&rl_mm_leaf(mm, to, false)->e[slot_of(0, to)], entry, release);
	}
	return 0;
}

static int move_mapping(struct mmshim *mm, const struct hold *hold, const struct vma_attr *old,
			uint64_t new_length, uint64_t *ret_address)
{
	uint64_t length = old->end - old->start, end;
	struct vma_attr a = *old, more = *old;
	struct move m = { .from = old->start };

	rl_mm_index_lock(mm);
	bool found = rl_mm_hole(mm, new_length, mm->config.low, mm->config.high, &m.to, &end);
	rl_mm_index_unlock(mm);
	if (!found || rl_mm_each_leaf(mm, old->start, old->end, make_place, &m))
		return ENOMEM;

	a.start = m.to;
	a.end = m.to + length;
	struct edit e = { .kind = EDIT_MOVE,
			  .start = a.start,
			  .end = a.end,
			  .with = &a,
			  .n = 1,
			  .from = old->start };
	int error = rl_mm_edit(mm, &e);
	if (error)
		return error;
	m.seq = e.seq;
	if (new_length > length) {
		more.start = a.end;
		more.end = m.to + new_length;
		more.offset = old->offset + page_of(length);
		more.birth = 0;
		struct edit grow = { .kind = EDIT_MAP,
				     .start = more.start,
				     .end = more.end,
				     .with = &more,
				     .n = 1 };
		error = rl_mm_edit(mm, &grow);
	}
	struct edit out = { .start = old->start, .end = old->end };
	if (!error)
		error = remove_mappings(mm, &out);
	if (error) { /* nothing has been moved there yet */
		struct edit undo = { .start = m.to, .end = m.to + new_length };

		remove_mappings(mm, &undo);
		return error;
	}
	rl_mm_each_leaf(mm, old->start, old->end, move_leaf, &m);
	zap_and_free(mm, hold, &out);
	*ret_address = m.to;
	return 0;
}

int rl_mm_remap_all(struct mmshim *mm, struct hold *hold, uint64_t address, uint64_t old_length,
		    uint64_t new_length, uint64_t *ret_address)
{
	struct vma_attr a;
	struct edit e = { .start = address + new_length, .end = address + old_length };

	if (!rl_mm_lookup(mm, address, &a) || a.flags & VMA_DEAD || address + old_length > a.end)
		return EFAULT;
	if (new_length <= old_length) {
		int error = new_length < old_length ? remove_mappings(mm, &e) : 0;

		if (!error && new_length < old_length)
			zap_and_free(mm, hold, &e);
		if (!error)
			*ret_address = address;
		return error;
	}
	a.offset += page_of(address - a.start);
	a.start = address;
	a.end = address + old_length;
	struct vma_attr more = a;
	more.start = a.end;
	more.end = address + new_length;
	more.offset += page_of(old_length);
	more.birth = 0;
	struct edit grow = { .kind = EDIT_MAP,
			     .start = more.start,
			     .end = more.end,
			     .with = &more,
			     .n = 1,
			     .only_if_empty = true };
	int error = more.end <= MMSHIM_TOP ? rl_mm_edit(mm, &grow) : EEXIST;
	if (!error)
		*ret_address = address;
	return error == EEXIST ? move_mapping(mm, hold, &a, new_length, ret_address) : error;
}

/* ---- fork ---- */

struct copy {
	struct mmshim *child;
	const struct vma_attr *a;
	uint32_t seq;
};

/* Private pages lose the right to be written on both sides: who writes first copies. */
static uint64_t share_entry(struct mmshim *mm, const struct copy *c, _Atomic uint64_t *e)
{
	uint64_t entry = rl_load(e, relaxed), keep = ~UINT64_C(0);

	if (!(c->a->flags & MMSHIM_SHARED))
		keep = ~(uint64_t)E_WRITABLE;
	while (entry && !rl_cas(e, &entry, entry & keep, acq_rel, relaxed))
		;
	if (entry & E_SWAPPED) {
		rl_mm_slot_share(mm->machine, entry_frame(entry));
	} else if (entry) {
		rl_mm_add(&rl_mm_frame(mm->machine, entry_frame(entry))->refs, 1, relaxed);
		rl_mm_add(&rl_mm_frame(mm->machine, entry_frame(entry))->maps, 1, relaxed);
	}
	return entry ? entry_of(entry_frame(entry), c->seq, entry & keep & E_FLAGS) : 0;
}

static int fork_leaf(struct mmshim *mm, struct table *leaf, uint64_t start, uint64_t end, void *arg)
{
	const struct copy *c = arg;
	struct table *to = rl_mm_leaf(c->child, start, true);

	if (!to)
		return ENOMEM;
	for (uint64_t at = start; at < end; at += MMSHIM_PAGE)
		rl_store(&to->e[slot_of(0, at)], share_entry(mm, c, &leaf->e[slot_of(0, at)]),
			 release);
	rl_mm_shoot_down(mm, start, end);
	return 0;
}

int rl_mm_fork_tables(struct mmshim *parent, struct mmshim *child)
{
	const struct index *ix = rl_mm_index(parent);
	int error = 0;

	for (size_t i = 0; !error && i < ix->n; i++) {
		const struct vma_attr *a = &ix->v[i]->a;
		struct copy c = { child, a, rl_load(&child->seq, relaxed) };

		if (!(a->flags & VMA_DEAD))
			error = rl_mm_each_leaf(parent, a->start, a->end, fork_leaf, &c);
	}
	return error;
}

/* ---- populate ---- */

bool rl_mm_populate_next(struct mmshim *mm, struct fault *f, uint64_t end, struct vma_attr *ret,
			 int *missing)
{
	for (; f->address < end; f->address = ret->end) {
		if (!rl_mm_lookup_above(mm, f->address, ret))
			ret->start = ret->end = end;
		if (ret->start > f->address) {
			*missing = ENOMEM;
			f->address = ret->start;
		}
		if (f->address >= end)
			return false;
		if (ret->flags & VMA_DEAD) {
			*missing = ENOMEM;
		} else if (rl_mm_allows(ret, MMSHIM_READ)) {
			f->prot = ret->prot & MMSHIM_WRITE ? MMSHIM_WRITE : MMSHIM_READ;
			return true;
		}
	}
	return false;
}

int rl_mm_populate_by_faults(struct mmshim *mm, uint64_t start, uint64_t end, uint32_t birth)
{
	struct fault f = { .address = start, .birth = birth };
	struct vma_attr a;
	int missing = 0;

	for (; rl_mm_populate_next(mm, &f, end, &a, &missing); f.address += MMSHIM_PAGE) {
		if (page_of(f.address - start) % 64 == 0)
			rl_mm_point(mm, MMSHIM_IN_POPULATE, f.address);
		f.attempts = 0;
		int error = mm->protocol->fault(mm, &f);
		if (error == EFAULT) /* it is gone, or another's, since we looked */
			missing = ENOMEM;
		else if (error)
			return error;
	}
	return missing;
}
