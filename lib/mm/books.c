/* SPDX-License-Identifier: BSD-2-Clause */
/* The books, at rest: what entries, frames, swap, files, mappings and ranges say of each other. */
#include <errno.h>
#include <stdlib.h>

#include "mm/mm.h"
#include "mm/oracle.h"

/* What all spaces of the machine refer to. */
struct books {
	struct mmshim *reporter;
	int32_t *maps;	/* by frame */
	int32_t *refs;	/* by frame */
	int32_t *slots; /* by swap slot */
};

static void count_entry(struct books *b, uint64_t entry)
{
	if (entry & E_SWAPPED) {
		b->slots[entry_frame(entry)]++;
	} else if (entry) {
		b->maps[entry_frame(entry)]++;
		b->refs[entry_frame(entry)]++;
	}
}

static int count_leaf(struct mmshim *mm, struct table *leaf, uint64_t start, uint64_t end,
		      void *arg)
{
	struct books *b = arg;

	for (uint64_t at = start; at < end; at += MMSHIM_PAGE) {
		uint64_t entry = rl_load(&leaf->e[slot_of(0, at)], relaxed);
		struct vma_attr a;

		count_entry(b, entry);
		if (entry && !rl_mm_lookup(mm, at, &a))
			rl_mm_violation(b->reporter, "page %#llx has an entry, and no mapping",
					(unsigned long long)page_of(at));
	}
	return 0;
}

static void check_index(struct mmshim *mm, struct mmshim *reporter)
{
	const struct index *ix = rl_mm_index(mm);

	for (size_t i = 0; i < ix->n; i++) {
		const struct vma_attr *a = &ix->v[i]->a;

		if (a->start >= a->end || (i > 0 && ix->v[i - 1]->a.end > a->start))
			rl_mm_violation(reporter, "mappings overlap at %#llx",
					(unsigned long long)a->start);
		if (rl_load(&ix->v[i]->state, relaxed) != VMA_LIVE)
			rl_mm_violation(reporter, "the mapping at %#llx is not alive",
					(unsigned long long)a->start);
		if (a->flags & VMA_DEAD)
			rl_mm_violation(reporter, "the mapping at %#llx is still being unmapped",
					(unsigned long long)a->start);
	}
}

static void count_files(struct machine *m, struct books *b)
{
	for (struct mmshim_file *f = m->files; f; f = f->next)
		for (uint64_t i = 0; i < f->n; i++)
			if (f->pages[i].frame)
				b->refs[f->pages[i].frame]++;
}

static void compare_frames(struct machine *m, struct books *b)
{
	uint32_t free_frames = 0;

	for (uint32_t i = m->first_free; i; i = m->frames[i].next_free)
		free_frames++;
	if (free_frames != rl_load(&m->n_free, relaxed))
		rl_mm_violation(b->reporter, "%u frames are free, and %u are counted", free_frames,
				rl_load(&m->n_free, relaxed));
	for (uint32_t i = 1; i <= m->n_frames; i++) {
		struct frame *f = &m->frames[i];
		bool used = rl_load(&f->state, relaxed) == FRAME_USED;

		if (rl_load(&f->maps, relaxed) != b->maps[i] ||
		    (used && rl_load(&f->refs, relaxed) != b->refs[i]) || used != (b->refs[i] > 0))
			rl_mm_violation(b->reporter,
					"frame %u is %s, mapped %d times with %d references; "
					"%d entries map it, %d refer to it",
					i, used ? "used" : "free", rl_load(&f->maps, relaxed),
					rl_load(&f->refs, relaxed), b->maps[i], b->refs[i]);
	}
}

static void compare_slots(struct machine *m, struct books *b)
{
	for (uint32_t i = 1; i <= m->n_slots; i++)
		if (m->slots[i].refs != b->slots[i])
			rl_mm_violation(b->reporter,
					"swap slot %u has %d references, and %d entries say so", i,
					m->slots[i].refs, b->slots[i]);
}

static int nobody(const struct rangelock_info *info, void *arg)
{
	rl_mm_violation(arg, "[%#llx, %#llx) is still %s", (unsigned long long)info->start,
			(unsigned long long)info->end,
			info->state == RANGELOCK_HELD	   ? "held"
			: info->state == RANGELOCK_WAITING ? "waited for"
							   : "reserved");
	return 0;
}

int rl_mm_check_books(struct mmshim *mm)
{
	struct machine *m = mm->machine;
	struct books b = { .reporter = mm };

	b.maps = calloc((size_t)m->n_frames + 1, sizeof(*b.maps));
	b.refs = calloc((size_t)m->n_frames + 1, sizeof(*b.refs));
	b.slots = calloc((size_t)m->n_slots + 1, sizeof(*b.slots));
	int error = b.maps && b.refs && b.slots ? 0 : ENOMEM;
	if (!error) {
		pthread_mutex_lock(&m->spaces_lock); /* the background's reclaim rests */
		for (struct mmshim *each = m->spaces; each; each = each->next) {
			check_index(each, mm);
			rl_mm_each_leaf(each, 0, MMSHIM_TOP, count_leaf, &b);
		}
		count_files(m, &b);
		compare_frames(m, &b);
		compare_slots(m, &b);
		if (mm->protocol->needs)
			rangelock_walk(&mm->range, nobody, mm);
		pthread_mutex_unlock(&m->spaces_lock);
	}
	free(b.maps);
	free(b.refs);
	free(b.slots);
	return error;
}

int mmshim_check(struct mmshim *mm, struct mmshim_verdict *ret)
{
	uint64_t checked = 0;

	if (!mm || !ret)
		return EINVAL;
	int error = rl_mm_check_books(mm);
	if (!error && mm->history)
		error = rl_mm_judge(mm, &checked);
	if (error)
		return error;
	ret->violations = rl_load(&mm->violations, relaxed);
	ret->checked = checked;
	for (size_t i = 0; i < sizeof(ret->report); i++)
		ret->report[i] = mm->report[i];
	return 0;
}
