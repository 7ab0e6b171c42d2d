/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handling a fault: from a copy of the mapping's attributes to an entry.
 *
 * What takes time (a frame, a page from the disk) is got first, with nothing locked but what the
 * protocol holds.  Then the leaf is locked, and if its entry is still the one that was looked
 * at, the new one is set.  No VMA is looked at anywhere here.
 */
#include <errno.h>

#include "mm/mm.h"
#include "mm/oracle.h"

bool rl_mm_allows(const struct vma_attr *a, unsigned prot)
{
	return !(a->flags & VMA_DEAD) && (a->prot & prot) == prot;
}

/* What was got beforehand. */
struct supplies {
	uint32_t fresh;	 /* a zeroed frame */
	uint32_t cached; /* the file's page */
};

static void give_back(struct mmshim *mm, struct supplies *s)
{
	if (s->fresh)
		rl_mm_frame_put(mm, s->fresh);
	if (s->cached)
		rl_mm_frame_put(mm, s->cached);
	*s = (struct supplies){ 0 };
}

static bool is_cached(struct mmshim *mm, uint64_t entry)
{
	return rl_load(&rl_mm_frame(mm->machine, entry_frame(entry))->file, acquire);
}

/* Does nothing else refer to what this entry maps?  Sure under the leaf's lock only. */
static bool is_alone(struct mmshim *mm, uint64_t entry)
{
	return !is_cached(mm, entry) &&
	       rl_load(&rl_mm_frame(mm->machine, entry_frame(entry))->refs, acquire) == 1;
}

static bool is_shared(const struct vma_attr *a)
{
	return a->file && a->flags & MMSHIM_SHARED;
}

/* Would this entry do? */
static bool suffices(uint64_t entry, unsigned prot)
{
	return entry & E_PRESENT && (prot != MMSHIM_WRITE || entry & E_WRITABLE);
}

static int get_fresh(struct mmshim *mm, uint64_t address, struct supplies *s)
{
	s->fresh = rl_mm_frame_get(mm, address);
	if (!s->fresh &&
	    rl_mm_reclaim(mm, 1) == RECLAIM_DONE) /* only tries; more, when nothing is held */
		s->fresh = rl_mm_frame_get(mm, address);
	return s->fresh ? 0 : RETRY_MEMORY;
}

static uint64_t file_page_of(const struct vma_attr *a, uint64_t address)
{
	return a->offset + page_of(address - a->start);
}

static int get_supplies(struct mmshim *mm, const struct vma_attr *a, const struct fault *f,
			uint64_t entry, struct supplies *s)
{
	int error = 0;

	if (entry == 0 && a->file) {
		error = rl_mm_file_get(mm, a->file, file_page_of(a, f->address), !f->may_drop,
				       &s->cached);
		if (error || is_shared(a) || f->prot != MMSHIM_WRITE)
			return error;
		error = get_fresh(mm, f->address, s);
	} else if (entry == 0 || entry & E_SWAPPED ||
		   (entry & E_PRESENT && f->prot == MMSHIM_WRITE && !is_shared(a) &&
		    !is_alone(mm, entry))) {
		error = get_fresh(mm, f->address, s);
	}
	if (error)
		give_back(mm, s);
	return error;
}

/* ---- Under the leaf's lock ---- */

static void map_frame(struct mmshim *mm, uint32_t frame, uint64_t address)
{
	struct frame *f = rl_mm_frame(mm->machine, frame);

	rl_mm_add(&f->maps, 1, relaxed);
	if (!rl_load(&f->file, relaxed))
		rl_store(&f->owner, rl_mm_owner(mm, address), release);
}

/* Take one of the supplies: its reference is now the entry's. */
static uint32_t take(uint32_t *supply)
{
	uint32_t frame = *supply;

	*supply = 0;
	return frame;
}

static uint64_t unmapped_page(struct mmshim *mm, const struct vma_attr *a, struct supplies *s)
{
	unsigned writable = a->prot & MMSHIM_WRITE ? E_WRITABLE : 0;

	if (s->cached && s->fresh) /* private, and about to be written */
		rl_mm_frame_copy(mm->machine, s->fresh, s->cached);
	if (s->fresh)
		return entry_of(take(&s->fresh), a->seq, E_PRESENT | writable);
	return entry_of(take(&s->cached), a->seq, E_PRESENT | (is_shared(a) ? writable : 0));
}

static uint64_t swapped_page(struct mmshim *mm, const struct vma_attr *a, uint64_t entry,
			     struct supplies *s)
{
	/* Read and given back under the lock: else the slot could be another's by now. */
	rl_mm_slot_read(mm->machine, entry_frame(entry), s->fresh);
	rl_mm_slot_put(mm->machine, entry_frame(entry));
	rl_mm_count(mm, C_SWAPPED_IN);
	return entry_of(take(&s->fresh), a->seq,
			E_PRESENT | E_DIRTY | (a->prot & MMSHIM_WRITE ? E_WRITABLE : 0));
}

/* Present, not writable, to be written.  The old translation must be gone from all
 * TLBs before anybody can see the new.  0: it takes a frame that was not got. */
static uint64_t written_page(struct mmshim *mm, const struct vma_attr *a, _Atomic uint64_t *e,
			     uint64_t address, struct supplies *s)
{
	uint64_t entry = rl_load(e, relaxed), start = address & ~(MMSHIM_PAGE - 1);
	struct frame *f = rl_mm_frame(mm->machine, entry_frame(entry));

	if (is_shared(a))
		return entry | E_WRITABLE;
	if (is_alone(mm, entry)) {
		rl_store(&f->owner, rl_mm_owner(mm, address), release); /* who forked has gone */
		return entry | E_WRITABLE;
	}
	if (!s->fresh) /* it was alone when supplies were got */
		return 0;
	rl_exchange(e, 0, acq_rel);
	rl_mm_shoot_down(mm, start, start + MMSHIM_PAGE);
	rl_mm_frame_copy(mm->machine, s->fresh, entry_frame(entry));
	rl_mm_add(&f->maps, -1, relaxed);
	rl_mm_frame_put(mm, entry_frame(entry));
	rl_mm_count(mm, C_COPIED);
	return entry_of(take(&s->fresh), a->seq, E_PRESENT | E_WRITABLE | E_DIRTY);
}

/* False: the entry is not what it was. */
static bool install(struct mmshim *mm, const struct vma_attr *a, struct table *leaf,
		    uint64_t address, uint64_t seen, struct supplies *s)
{
	_Atomic uint64_t *e = &leaf->e[slot_of(0, address)];
	uint64_t entry = rl_load(e, acquire), set;
	const uint64_t marks = E_ACCESSED | E_DIRTY; /* which walks add */

	if ((entry & ~marks) != (seen & ~marks))
		return false;
	if (leaf->dead) {
		rl_mm_violation(mm, "an entry for page %#llx is set in a table that was taken out",
				(unsigned long long)page_of(address));
		return true;
	}
	if (entry == 0 || entry & E_SWAPPED) {
		set = entry ? swapped_page(mm, a, entry, s) : unmapped_page(mm, a, s);
		map_frame(mm, entry_frame(set), address);
	} else if (entry & E_FORBIDDEN) { /* PROT_NONE no more; to write is another fault */
		set = (entry & ~(uint64_t)(E_FORBIDDEN | E_WRITABLE)) | E_PRESENT;
	} else {
		set = written_page(mm, a, e, address, s);
		if (!set)
			return false;
		if (entry_frame(set) != entry_frame(entry))
			map_frame(mm, entry_frame(set), address);
	}
	/* M2.  Walks add marks meanwhile, and written_page() may have cleared it. */
	while (!rl_cas(e, &entry, set | (entry & marks), release, relaxed))
		;
	return true;
}

int rl_mm_handle_fault(struct mmshim *mm, const struct vma_attr *a, const struct fault *f)
{
	const uint64_t address = f->address;
	struct supplies s = { 0 };
	bool done = false;

	if (!rl_mm_allows(a, f->prot) || a->birth > f->birth)
		return EFAULT;
	while (!done) {
		uint64_t seen = 0;

		rl_mm_read_lock();
		struct table *leaf = rl_mm_leaf(mm, address, false);
		if (leaf)
			seen = rl_load(&leaf->e[slot_of(0, address)], acquire);
		rl_mm_read_unlock();
		if (suffices(seen, f->prot))
			return 0;
		int error = get_supplies(mm, a, f, seen, &s);
		if (error)
			return error;
		rl_mm_point(mm, MMSHIM_BEFORE_INSTALL, address);

		rl_mm_read_lock(); /* a lock is all that is waited for in here, and briefly */
		leaf = rl_mm_leaf(mm, address, true);
		if (leaf) {
			pthread_mutex_lock(&leaf->lock);
			done = install(mm, a, leaf, address, seen, &s);
			pthread_mutex_unlock(&leaf->lock);
		}
		rl_mm_read_unlock();
		give_back(mm, &s);
		if (!leaf)
			return RETRY_MEMORY;
		/* What was forbidden is present now; to be written it takes another round. */
		done = done && !(seen & E_FORBIDDEN && f->prot == MMSHIM_WRITE);
	}
	return 0;
}

int rl_mm_wait_for_fault(struct mmshim *mm, const struct vma_attr *a, struct fault *f, int why)
{
	uint32_t frame;

	rl_mm_count(mm, C_RETRY);
	if (why == RETRY_IO) {
		int error = rl_mm_file_get(mm, a->file, file_page_of(a, f->address), true, &frame);
		if (!error)
			rl_mm_frame_put(mm, frame);
		if (error != RETRY_MEMORY)
			return error;
	}
	return rl_mm_wait_for_memory(mm, &f->attempts);
}

bool rl_mm_grow(struct mmshim *mm, uint64_t address, struct vma_attr *ret)
{
	struct call *call = rl_mm_call_begin(mm);
	struct vma_attr a;

	if (rl_mm_growable(mm, address, &a)) {
		struct edit e = { .kind = EDIT_MAP,
				  .start = a.start,
				  .end = a.end,
				  .with = &a,
				  .n = 1,
				  .only_if_empty = true }; /* or another thread has */

		if (rl_mm_edit(mm, &e) == 0)
			rl_mm_count(mm, C_GROWN);
	}
	rl_mm_call_end(mm, call);
	return rl_mm_lookup(mm, address, ret);
}
