/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables: four levels of 512 entries.  Tables are added without a lock, by
 * compare-and-swap; a leaf's entries change under its lock.  Who takes tables out
 * has made sure that nobody is about to use them: what is being unmapped is locked, and so
 * is all that they map.  Walks that rely on nothing (a TLB miss, reclaim) are in a read
 * section, and tables are freed a grace period later.
 */
#include <errno.h>
#include <stdlib.h>

#include "mm/mm.h"
#include "mm/oracle.h"

static struct table *table_new(struct mmshim *mm, unsigned level, uint64_t base)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t) {
		t->mm = mm;
		t->level = level;
		t->base = base;
		pthread_mutex_init(&t->lock, NULL);
		rl_mm_add(&mm->n_tables, 1, relaxed);
	}
	return t;
}

static void table_free(struct table *t)
{
	rl_mm_add(&t->mm->n_tables, -1, relaxed);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void table_reclaim(struct retired *r)
{
	table_free((struct table *)r); /* its first member */
}

static struct table *child_of(struct table *t, unsigned slot)
{
	return (struct table *)(uintptr_t)rl_load(&t->e[slot], acquire);
}

static struct table *make_child(struct mmshim *mm, struct table *t, unsigned slot)
{
	uint64_t expected = 0;
	struct table *child =
	    table_new(mm, t->level - 1, t->base + slot * table_span(t->level - 1));

	if (!child)
		return NULL;
	/* release: with the acquire of child_of(), the table is seen empty */
	if (rl_cas(&t->e[slot], &expected, (uintptr_t)child, release, acquire))
		return child;
	table_free(child);
	return (struct table *)(uintptr_t)expected;
}

struct table *rl_mm_leaf(struct mmshim *mm, uint64_t address, bool make)
{
	struct table *t = mm->root;

	while (t && t->level > 0) {
		unsigned slot = slot_of(t->level, address);
		struct table *child = child_of(t, slot);

		if (!child && make)
			child = make_child(mm, t, slot);
		t = child;
	}
	return t;
}

/* The part of [start, end) that slot i of t maps. */
static void part_of(const struct table *t, unsigned i, uint64_t *start, uint64_t *end)
{
	uint64_t span = table_span(t->level) / ENTRIES, base = t->base + i * span;

	if (*start < base)
		*start = base;
	if (*end > base + span)
		*end = base + span;
}

static int each_leaf(struct mmshim *mm, struct table *t, uint64_t start, uint64_t end,
		     rl_mm_leaf_fn *fn, void *arg)
{
	int result = 0;

	if (t->level == 0) {
		pthread_mutex_lock(&t->lock);
		result = fn(mm, t, start, end, arg);
		pthread_mutex_unlock(&t->lock);
		return result;
	}
	for (unsigned i = slot_of(t->level, start); !result && i <= slot_of(t->level, end - 1);
	     i++) {
		struct table *child = child_of(t, i);
		uint64_t from = start, to = end;

		part_of(t, i, &from, &to);
		if (child)
			result = each_leaf(mm, child, from, to, fn, arg);
	}
	return result;
}

int rl_mm_each_leaf(struct mmshim *mm, uint64_t start, uint64_t end, rl_mm_leaf_fn *fn, void *arg)
{
	return each_leaf(mm, mm->root, start, end, fn, arg);
}

/* ---- Taking tables out ---- */

/* Whole subtrees: the leaves are marked, so that an entry which is set there after all
 * is found out. */
static void retire(struct mmshim *mm, struct table *t)
{
	if (t->level == 0) {
		pthread_mutex_lock(&t->lock);
		t->dead = true;
		pthread_mutex_unlock(&t->lock);
	} else {
		for (unsigned i = 0; i < ENTRIES; i++)
			if (child_of(t, i))
				retire(mm, child_of(t, i));
	}
	rl_mm_retire(&mm->retirement, &t->retired, table_reclaim);
}

static void take_out(struct mmshim *mm, struct table *t, uint64_t start, uint64_t end,
		     uint64_t floor, uint64_t ceiling)
{
	uint64_t span = table_span(t->level) / ENTRIES;

	for (unsigned i = slot_of(t->level, start); i <= slot_of(t->level, end - 1); i++) {
		struct table *child = child_of(t, i);
		uint64_t from = start, to = end, base = t->base + i * span;

		part_of(t, i, &from, &to);
		if (!child)
			continue;
		if (base >= floor && base + span <= ceiling) {
			rl_store(&t->e[i], 0, relaxed); /* nobody comes by; walks do not mind */
			retire(mm, child);
		} else if (child->level > 0) {
			take_out(mm, child, from, to, floor, ceiling);
		}
	}
}

void rl_mm_free_tables(struct mmshim *mm, uint64_t start, uint64_t end, uint64_t floor,
		       uint64_t ceiling)
{
	if (mm->mutant == MUTANT_FREE_SHARED_TABLE) {
		floor = 0;
		ceiling = MMSHIM_TOP;
	}
	take_out(mm, mm->root, start, end, floor, ceiling);
	rl_mm_point(mm, MMSHIM_BEFORE_GRACE, start);
}

/* ---- Life ---- */

int rl_mm_tables_init(struct mmshim *mm)
{
	mm->root = table_new(mm, LEVELS - 1, 0);
	return mm->root ? 0 : ENOMEM;
}

static void free_all(struct table *t)
{
	for (unsigned i = 0; t->level > 0 && i < ENTRIES; i++)
		if (child_of(t, i))
			free_all(child_of(t, i));
	table_free(t);
}

void rl_mm_tables_end(struct mmshim *mm)
{
	if (mm->root)
		free_all(mm->root);
	mm->root = NULL;
}
