/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each thread has of an address space: its TLB, counters and log; and how entries are
 * taken out of the TLBs of all.
 *
 * A thread finds its own by a token that lasts as long as the thread does; when it
 * ends, what it had is free for another.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mm.h"
#include "mm/oracle.h"

/* All address spaces there are, for threads that end. */
static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mmshim *live;

static pthread_key_t key;
static bool key_is_made;
static _Thread_local char *token;
static _Thread_local struct {
	uint64_t space; /* ids are never used again */
	struct thread *thread;
} last;

static void end_of_thread(void *ended)
{
	pthread_mutex_lock(&live_lock);
	for (struct mmshim *mm = live; mm; mm = mm->next_live) {
		pthread_mutex_lock(&mm->threads_lock);
		for (struct thread *t = mm->threads; t; t = t->next)
			if (t->owner == ended)
				t->owner = NULL;
		pthread_mutex_unlock(&mm->threads_lock);
	}
	pthread_mutex_unlock(&live_lock);
	free(ended);
	token = NULL; /* other destructors may call us */
	last.space = 0;
}

static void make_key(void)
{
	key_is_made = pthread_key_create(&key, end_of_thread) == 0;
}

static bool have_token(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (token)
		return true;
	pthread_once(&once, make_key);
	token = key_is_made ? malloc(1) : NULL;
	if (token && pthread_setspecific(key, token)) {
		free(token);
		token = NULL;
	}
	return token;
}

/* The list is locked. */
static struct thread *take_or_make(struct mmshim *mm)
{
	struct thread *spare = NULL;

	for (struct thread *t = mm->threads; t; t = t->next) {
		if (t->owner == token)
			return t;
		if (!t->owner)
			spare = t;
	}
	if (!spare && (spare = calloc(1, sizeof(*spare)))) {
		pthread_mutex_init(&spare->tlb_lock, NULL);
		spare->writer = rl_mm_add(&mm->machine->n_writers, 1, relaxed);
		spare->next = mm->threads;
		mm->threads = spare;
	}
	if (spare)
		spare->owner = token;
	return spare;
}

struct thread *rl_mm_self(struct mmshim *mm)
{
	if (rl_likely(last.space == mm->id))
		return last.thread;
	if (!have_token())
		return NULL;
	pthread_mutex_lock(&mm->threads_lock);
	struct thread *t = take_or_make(mm);
	pthread_mutex_unlock(&mm->threads_lock);
	if (t) {
		last.space = mm->id;
		last.thread = t;
	}
	return t;
}

void rl_mm_count(struct mmshim *mm, enum counter c)
{
	struct thread *me = rl_mm_self(mm);

	if (me)
		rl_store(&me->counts[c], rl_load(&me->counts[c], relaxed) + 1, relaxed);
}

void rl_mm_note_duration(struct durations *d, int64_t since)
{
	uint64_t ns = (uint64_t)(rl_mm_now() - since), max = rl_load(&d->max, relaxed);

	rl_mm_add(&d->n, 1, relaxed);
	rl_mm_add(&d->ns, ns, relaxed);
	while (ns > max && !rl_cas(&d->max, &max, ns, relaxed, relaxed))
		;
}

/* ---- Shoot-down ---- */

static void flush_one(struct thread *t, uint64_t first, uint64_t last_page)
{
	pthread_mutex_lock(&t->tlb_lock); /* M3 */
	if (last_page - first >= TLB_SIZE)
		memset(t->tlb, 0, sizeof(t->tlb));
	else
		for (uint64_t page = first; page <= last_page; page++)
			if (t->tlb[page % TLB_SIZE].page == page)
				t->tlb[page % TLB_SIZE].page = 0;
	pthread_mutex_unlock(&t->tlb_lock);
}

void rl_mm_shoot_down(struct mmshim *mm, uint64_t start, uint64_t end)
{
	rl_mm_count(mm, C_SHOOTDOWNS);
	rl_mm_point(mm, MMSHIM_AFTER_ZAP, start);
	if (mm->mutant == MUTANT_NO_SHOOTDOWN)
		return;
	pthread_mutex_lock(&mm->threads_lock);
	for (struct thread *t = mm->threads; t; t = t->next)
		flush_one(t, page_of(start), page_of(end - 1));
	pthread_mutex_unlock(&mm->threads_lock);
}

/* ---- Life ---- */

void rl_mm_thread_space_is_born(struct mmshim *mm)
{
	static uint64_t ids;

	pthread_mutex_init(&mm->threads_lock, NULL);
	pthread_mutex_lock(&live_lock);
	mm->id = ++ids;
	mm->next_live = live;
	live = mm;
	pthread_mutex_unlock(&live_lock);
}

void rl_mm_thread_space_goes(struct mmshim *mm)
{
	pthread_mutex_lock(&live_lock);
	struct mmshim **at = &live;
	while (*at != mm)
		at = &(*at)->next_live;
	*at = mm->next_live;
	pthread_mutex_unlock(&live_lock);
}

void rl_mm_threads_end(struct mmshim *mm)
{
	while (mm->threads) {
		struct thread *t = mm->threads;

		mm->threads = t->next;
		rl_mm_log_free(t->log);
		pthread_mutex_destroy(&t->tlb_lock);
		free(t);
	}
	pthread_mutex_destroy(&mm->threads_lock);
}
