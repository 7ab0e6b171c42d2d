/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings: the index of VMAs, how it is searched, and the one way in which it changes.
 *
 * The index is a sorted array that is replaced whole, so that readers need no lock and see
 * the mappings of one moment, and so that several mappings change in one step.  A change costs
 * O(VMAs), eight bytes each: it is for thousands of them.  VMAs never change: one that
 * loses a part, or grows, is replaced.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/annotate.h"
#include "mm/mm.h"
#include "mm/oracle.h"

/* Memory of VMAs is never freed, so AddressSanitizer has to be told what is not to be read. */
#if defined(__SANITIZE_ADDRESS__) || RL_HAS_FEATURE(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(p)   __asan_poison_memory_region(p, sizeof(*(p)))
#define UNPOISON(p) __asan_unpoison_memory_region(p, sizeof(*(p)))
#else
#define POISON(p)   ((void)(p))
#define UNPOISON(p) ((void)(p))
#endif

enum { SLAB = 64 };

struct vma_slab {
	struct vma_slab *next;
	struct vma vmas[SLAB];
};

/* ---- VMAs ---- */

static bool fill_pool(struct machine *m)
{
	struct vma_slab *slab = calloc(1, sizeof(*slab));

	if (!slab)
		return false;
	slab->next = m->slabs;
	m->slabs = slab;
	for (int i = 0; i < SLAB; i++) {
		slab->vmas[i].machine = m;
		slab->vmas[i].next_free = m->free_vmas;
		m->free_vmas = &slab->vmas[i];
	}
	return true;
}

static struct vma *vma_new(struct machine *m, const struct vma_attr *a)
{
	pthread_mutex_lock(&m->pool_lock);
	struct vma *v = m->free_vmas || fill_pool(m) ? m->free_vmas : NULL;
	if (v)
		m->free_vmas = v->next_free;
	pthread_mutex_unlock(&m->pool_lock);

	if (v) {
		UNPOISON(&v->a);
		v->a = *a;
		rl_store(&v->state, VMA_LIVE, release);
	}
	return v;
}

static void vma_free(struct vma *v)
{
	struct machine *m = v->machine;

	rl_store(&v->state, VMA_FREE, relaxed);
	memset(&v->a, 0xa5, sizeof(v->a));
	POISON(&v->a);
	pthread_mutex_lock(&m->pool_lock);
	v->next_free = m->free_vmas;
	m->free_vmas = v;
	pthread_mutex_unlock(&m->pool_lock);
}

static void vma_reclaim(struct retired *r)
{
	vma_free((struct vma *)r); /* its first member */
}

static void vma_retire(struct mmshim *mm, struct vma *v)
{
	rl_store(&v->state, VMA_RETIRED, release);
	rl_mm_retire(&mm->retirement, &v->retired, vma_reclaim);
}

void rl_mm_pool_end(struct machine *m)
{
	while (m->slabs) {
		struct vma_slab *next = m->slabs->next;

		free(m->slabs);
		m->slabs = next;
	}
}

/* Outside of a read section only what is in the index may be looked at. */
void rl_mm_vma_used(struct mmshim *mm, const struct vma *v, uint64_t address)
{
	unsigned state = rl_load(&v->state, acquire);

	if (state == VMA_FREE || (state == VMA_RETIRED && !rl_mm_in_read_section()))
		rl_mm_violation(mm, "a VMA is used for %#llx that has been %s",
				(unsigned long long)address,
				state == VMA_FREE ? "freed" : "replaced");
}

/* ---- Searching ---- */

const struct index *rl_mm_index(struct mmshim *mm)
{
	return rl_load(&mm->index, acquire); /* M1 */
}

size_t rl_mm_below(const struct index *ix, uint64_t address)
{
	size_t lo = 0, hi = ix->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (ix->v[mid]->a.end <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct vma *rl_mm_find(const struct index *ix, uint64_t address)
{
	size_t i = rl_mm_below(ix, address);

	return i < ix->n && ix->v[i]->a.start <= address ? ix->v[i] : NULL;
}

bool rl_mm_lookup(struct mmshim *mm, uint64_t address, struct vma_attr *ret)
{
	rl_mm_read_lock();
	const struct vma *v = rl_mm_find(rl_mm_index(mm), address);
	if (v) {
		rl_mm_vma_used(mm, v, address);
		*ret = v->a;
	}
	rl_mm_read_unlock();
	return v;
}

bool rl_mm_lookup_above(struct mmshim *mm, uint64_t address, struct vma_attr *ret)
{
	rl_mm_read_lock();
	const struct index *ix = rl_mm_index(mm);
	size_t i = rl_mm_below(ix, address);
	bool found = i < ix->n;
	if (found)
		*ret = ix->v[i]->a;
	rl_mm_read_unlock();
	return found;
}

bool rl_mm_is_empty(struct mmshim *mm, uint64_t start, uint64_t end)
{
	rl_mm_read_lock();
	const struct index *ix = rl_mm_index(mm);
	size_t i = rl_mm_below(ix, start);
	bool empty = i == ix->n || ix->v[i]->a.start >= end;
	rl_mm_read_unlock();
	return empty;
}

bool rl_mm_is_covered(struct mmshim *mm, uint64_t start, uint64_t end)
{
	rl_mm_read_lock();
	const struct index *ix = rl_mm_index(mm);
	for (size_t i = rl_mm_below(ix, start);
	     start < end && i < ix->n && ix->v[i]->a.start <= start &&
	     !(ix->v[i]->a.flags & VMA_DEAD);
	     i++)
		start = ix->v[i]->a.end;
	rl_mm_read_unlock();
	return start >= end;
}

/* a, but what lies outside of [start, end). */
static struct vma_attr trimmed(struct vma_attr a, uint64_t start, uint64_t end)
{
	if (a.start < start) {
		a.offset += page_of(start - a.start);
		a.start = start;
	}
	if (a.end > end)
		a.end = end;
	return a;
}

bool rl_mm_copy_of(struct mmshim *mm, uint64_t start, uint64_t end, struct vma_attr **ret,
		   size_t *ret_n)
{
	rl_mm_read_lock();
	const struct index *ix = rl_mm_index(mm);
	size_t first = rl_mm_below(ix, start), n = 0;
	while (first + n < ix->n && ix->v[first + n]->a.start < end)
		n++;
	struct vma_attr *copy = malloc((n + 1) * sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++)
		copy[i] = trimmed(ix->v[first + i]->a, start, end);
	rl_mm_read_unlock();
	*ret = copy;
	*ret_n = n;
	return copy;
}

bool rl_mm_hole(struct mmshim *mm, uint64_t size, uint64_t lo, uint64_t hi, uint64_t *ret_start,
		uint64_t *ret_end)
{
	const struct index *ix = rl_mm_index(mm);

	for (size_t i = rl_mm_below(ix, lo); lo < hi && size <= hi - lo; i++) {
		uint64_t end = i < ix->n && ix->v[i]->a.start < hi ? ix->v[i]->a.start : hi;

		if (end > lo && end - lo >= size) {
			*ret_start = lo;
			*ret_end = end;
			return true;
		}
		if (i >= ix->n)
			return false;
		lo = ix->v[i]->a.end;
	}
	return false;
}

/* How far below its start a stack is extended by a fault, and what stays free below that. */
enum { GROW_PAGES = 256, GUARD_PAGES = 16 };

bool rl_mm_growable(struct mmshim *mm, uint64_t address, struct vma_attr *ret)
{
	uint64_t start = address & ~(MMSHIM_PAGE - 1);
	bool can = false;

	rl_mm_read_lock();
	const struct index *ix = rl_mm_index(mm);
	size_t i = rl_mm_below(ix, address);
	if (i < ix->n && ix->v[i]->a.flags & MMSHIM_GROWSDOWN && !(ix->v[i]->a.flags & VMA_DEAD) &&
	    ix->v[i]->a.start > address && ix->v[i]->a.start - start <= GROW_PAGES * MMSHIM_PAGE &&
	    start > GUARD_PAGES * MMSHIM_PAGE &&
	    (i == 0 || ix->v[i - 1]->a.end + GUARD_PAGES * MMSHIM_PAGE <= start)) {
		*ret = ix->v[i]->a;
		ret->end = ret->start;
		ret->start = start;
		ret->birth = 0;
		can = true;
	}
	rl_mm_read_unlock();
	return can;
}

/* ---- The short mutex ---- */

void rl_mm_index_lock(struct mmshim *mm)
{
	pthread_mutex_lock(&mm->index_lock);
	if (mm->config.flags & MMSHIM_TIMES)
		mm->index_since = rl_mm_now();
}

void rl_mm_index_unlock(struct mmshim *mm)
{
	if (mm->config.flags & MMSHIM_TIMES)
		rl_mm_note_duration(&mm->short_mutex, mm->index_since);
	pthread_mutex_unlock(&mm->index_lock);
}

/* ---- Changing ---- */

static bool are_one(const struct vma_attr *a, const struct vma_attr *b)
{
	return a->end == b->start && a->prot == b->prot && a->flags == b->flags &&
	       !(a->flags & VMA_DEAD) && a->file == b->file &&
	       (!a->file || a->offset + page_of(a->end - a->start) == b->offset);
}

/* The VMAs of an edit's surroundings as they are to be. */
struct parts {
	struct {
		struct vma_attr a;
		struct vma *old; /* unchanged */
	} * p;
	size_t n;
};

static void add_part(struct mmshim *mm, struct parts *parts, struct vma_attr a, struct vma *old)
{
	if (parts->n && are_one(&parts->p[parts->n - 1].a, &a)) {
		parts->p[parts->n - 1].a.end = a.end;
		if (a.birth > parts->p[parts->n - 1].a.birth)
			parts->p[parts->n - 1].a.birth = a.birth;
		parts->p[parts->n - 1].old = NULL;
		rl_mm_count(mm, C_MERGES);
		return;
	}
	parts->p[parts->n].a = a;
	parts->p[parts->n].old = old;
	parts->n++;
}

/* [first, last) of the old index are replaced; the neighbours are among them, so that they
 * can be grown. */
static bool plan(struct mmshim *mm, const struct edit *e, const struct index *ix, size_t first,
		 size_t last, struct parts *parts)
{
	parts->n = 0;
	parts->p = malloc((2 * (last - first) + e->n + 1) * sizeof(*parts->p));
	if (!parts->p)
		return false;
	for (size_t i = first; i < last; i++) { /* what lies below */
		struct vma *v = ix->v[i];

		if (v->a.start < e->start)
			add_part(mm, parts, trimmed(v->a, 0, e->start),
				 v->a.end <= e->start ? v : NULL);
	}
	for (size_t i = 0; i < e->n; i++) {
		struct vma_attr a = e->with[i];

		if (!a.birth)
			a.birth = e->seq;
		add_part(mm, parts, a, NULL);
	}
	for (size_t i = first; i < last; i++) { /* and above */
		struct vma *v = ix->v[i];

		if (v->a.end > e->end)
			add_part(mm, parts, trimmed(v->a, e->end, UINT64_MAX),
				 v->a.start >= e->end ? v : NULL);
	}
	return true;
}

static void index_free(struct retired *r)
{
	free(r); /* its first member */
}

/* The new index, with VMAs for the parts that are not old ones. */
static struct index *build(struct mmshim *mm, const struct index *ix, size_t first, size_t last,
			   struct parts *parts, uint32_t seq)
{
	size_t n = ix->n - (last - first) + parts->n;
	struct index *to = malloc(sizeof(*to) + n * sizeof(to->v[0]));

	if (!to)
		return NULL;
	to->n = n;
	memcpy(to->v, ix->v, first * sizeof(to->v[0]));
	memcpy(to->v + first + parts->n, ix->v + last, (ix->n - last) * sizeof(to->v[0]));
	for (size_t i = 0; i < parts->n; i++) {
		struct vma *v = parts->p[i].old;

		if (!v) {
			parts->p[i].a.seq = seq;
			v = vma_new(mm->machine, &parts->p[i].a);
		}
		if (!v) { /* nobody has seen those before it */
			while (i-- > 0)
				if (!parts->p[i].old)
					vma_free(to->v[first + i]);
			free(to);
			return NULL;
		}
		to->v[first + i] = v;
	}
	return to;
}

static bool is_kept(const struct parts *parts, const struct vma *v)
{
	for (size_t i = 0; i < parts->n; i++)
		if (parts->p[i].old == v)
			return true;
	return false;
}

/* What borders on [start, end); what reaches into it does, too, with what is left of it. */
static void look_around(struct edit *e, const struct index *ix)
{
	size_t i = rl_mm_below(ix, e->start);
	const struct vma_attr *above = NULL;

	e->dead = 0;
	e->floor = i > 0 ? ix->v[i - 1]->a.end : 0;
	if (i < ix->n && ix->v[i]->a.start < e->start)
		e->floor = e->start;
	for (; i < ix->n && ix->v[i]->a.start < e->end; i++) {
		e->dead += ix->v[i]->a.flags & VMA_DEAD ? 1 : 0;
		if (ix->v[i]->a.end > e->end)
			above = &ix->v[i]->a;
	}
	if (!above && i < ix->n)
		above = &ix->v[i]->a;
	e->ceiling = !above ? MMSHIM_TOP : above->start > e->end ? above->start : e->end;
	e->beside_stack = above && above->flags & MMSHIM_GROWSDOWN;
}

/* [first, last) of one index are replaced by the parts, in another. */
struct replacement {
	struct index *from, *to;
	size_t first, last;
	struct parts parts;
};

/* Under the index lock. */
static int prepare(struct mmshim *mm, struct edit *e, struct replacement *r)
{
	struct index *ix = r->from = rl_load(&mm->index, relaxed);
	size_t first = rl_mm_below(ix, e->start), last = first;

	while (last < ix->n && ix->v[last]->a.start < e->end)
		last++;
	if (last > first && e->only_if_empty)
		return EEXIST;
	if (last > first && e->claims_empty)
		rl_mm_violation(mm, "mmap publishes [%#llx, %#llx), where [%#llx, %#llx) is mapped",
				(unsigned long long)e->start, (unsigned long long)e->end,
				(unsigned long long)ix->v[first]->a.start,
				(unsigned long long)ix->v[first]->a.end);
	look_around(e, ix);
	r->first = first - (first > 0);
	r->last = last + (last < ix->n);
	e->seq = rl_load(&mm->seq, relaxed) + 1;
	if (!plan(mm, e, ix, r->first, r->last, &r->parts))
		return ENOMEM;
	r->to = build(mm, ix, r->first, r->last, &r->parts, e->seq);
	return r->to && rl_mm_note_change(mm, e) ? 0 : ENOMEM;
}

static void retire_old(struct mmshim *mm, const struct replacement *r)
{
	for (size_t i = r->first; i < r->last; i++)
		if (!is_kept(&r->parts, r->from->v[i]))
			vma_retire(mm, r->from->v[i]);
	rl_mm_retire(&mm->retirement, &r->from->retired, index_free);
}

static void discard_new(const struct replacement *r)
{
	for (size_t i = 0; r->to && i < r->parts.n; i++)
		if (!r->parts.p[i].old)
			vma_free(r->to->v[r->first + i]);
	free(r->to);
}

int rl_mm_edit(struct mmshim *mm, struct edit *e)
{
	struct replacement r = { 0 };
	int error = rl_mm_point(mm, MMSHIM_BEFORE_COMMIT, e->start);

	if (error)
		return error;
	rl_mm_index_lock(mm);
	error = prepare(mm, e, &r);
	if (!error) {
		rl_store(&mm->seq, e->seq, relaxed);
		rl_store(&mm->index, r.to, release); /* M1 */
	}
	rl_mm_index_unlock(mm);

	if (error)
		discard_new(&r);
	else
		retire_old(mm, &r);
	free(r.parts.p);
	return error;
}

/* ---- Life ---- */

int rl_mm_index_init(struct mmshim *mm)
{
	struct index *ix = calloc(1, sizeof(*ix));

	rl_store(&mm->index, ix, release);
	return ix ? 0 : ENOMEM;
}

/* A child's: the parent's, but what is being unmapped.  Nobody else knows the child yet. */
int rl_mm_index_copy(struct mmshim *child, struct mmshim *parent)
{
	struct index *from = rl_load(&parent->index, relaxed);
	int error = 0;

	for (size_t i = 0; !error && i < from->n; i++) {
		struct vma_attr a = from->v[i]->a;
		struct edit e = {
			.kind = EDIT_MAP, .start = a.start, .end = a.end, .with = &a, .n = 1
		};

		a.birth = 0;
		if (!(a.flags & VMA_DEAD))
			error = rl_mm_edit(child, &e);
	}
	return error;
}

void rl_mm_index_end(struct mmshim *mm)
{
	struct index *ix = rl_load(&mm->index, relaxed);

	for (size_t i = 0; ix && i < ix->n; i++)
		vma_free(ix->v[i]);
	free(ix);
	rl_store(&mm->index, NULL, relaxed);
}
