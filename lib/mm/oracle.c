/* SPDX-License-Identifier: BSD-2-Clause */
/* oracle.h: what is noted while threads run. */
#include "mm/oracle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t rl_mm_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void rl_mm_violation(struct mmshim *mm, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&mm->report_lock);
	if (rl_mm_add(&mm->violations, 1, relaxed) == 0) {
		va_start(ap, fmt);
		vsnprintf(mm->report, sizeof(mm->report), fmt, ap);
		va_end(ap);
	}
	pthread_mutex_unlock(&mm->report_lock);
}

/* ---- Calls and changes ---- */

struct call *rl_mm_call_begin(struct mmshim *mm)
{
	struct thread *me = mm->history ? rl_mm_self(mm) : NULL;

	if (!me || me->call)
		return NULL;
	struct call *call = malloc(sizeof(*call));
	if (!call)
		return NULL;
	call->end = INT64_MAX;
	call->start = rl_mm_now();
	pthread_mutex_lock(&mm->history->lock);
	call->next = mm->history->calls;
	mm->history->calls = call;
	pthread_mutex_unlock(&mm->history->lock);
	me->call = call;
	return call;
}

void rl_mm_call_end(struct mmshim *mm, struct call *outermost)
{
	if (!outermost)
		return;
	outermost->end = rl_mm_now();
	rl_mm_self(mm)->call = NULL;
}

static bool note(struct mmshim *mm, const struct change *c)
{
	struct history *h = mm->history;

	if (h->n == h->room) {
		size_t room = h->room ? 2 * h->room : 256;
		struct change *changes = realloc(h->changes, room * sizeof(*changes));

		if (!changes)
			return false;
		h->changes = changes;
		h->room = room;
	}
	h->changes[h->n++] = *c;
	return true;
}

bool rl_mm_note_change(struct mmshim *mm, const struct edit *e)
{
	static const enum change_kind kinds[] = { [EDIT_MAP] = CHANGE_MAP,
						  [EDIT_UNMAP] = CHANGE_UNMAP,
						  [EDIT_PROTECT] = CHANGE_PROTECT,
						  [EDIT_MOVE] = CHANGE_MOVE,
						  [EDIT_MARK] = CHANGE_MARK };
	struct thread *me = mm->history ? rl_mm_self(mm) : NULL;
	struct change c = { .seq = e->seq,
			    .start = page_of(e->start),
			    .end = page_of(e->end),
			    .from = page_of(e->from) };

	if (!mm->history)
		return true;
	if (!me || !me->call)
		return false;
	c.kind = kinds[e->kind];
	c.call = me->call;
	if (e->n) {
		c.prot = e->kind == EDIT_MARK ? 0 : e->with[0].prot;
		c.flags = e->with[0].flags;
		c.file = e->with[0].file;
		c.offset = e->with[0].offset;
	}
	return note(mm, &c);
}

bool rl_mm_note_discard(struct mmshim *mm, uint64_t start, uint64_t end)
{
	bool noted = true;

	if (!mm->history)
		return true;
	pthread_mutex_lock(&mm->index_lock);
	struct change c = { .kind = CHANGE_DISCARD,
			    .seq = rl_load(&mm->seq, relaxed),
			    .start = page_of(start),
			    .end = page_of(end),
			    .call = rl_mm_self(mm)->call };
	noted = c.call && note(mm, &c);
	pthread_mutex_unlock(&mm->index_lock);
	return noted;
}

/* ---- Accesses ---- */

static struct access *next_place(struct log *log)
{
	uint32_t chunk = log->n / CHUNK;

	if (chunk == CHUNKS)
		return NULL;
	if (!log->chunks[chunk] && !(log->chunks[chunk] = malloc(CHUNK * sizeof(struct access))))
		return NULL;
	return &log->chunks[chunk][log->n++ % CHUNK];
}

struct access *rl_mm_access_begin(struct mmshim *mm, struct thread *me, enum access_op op,
				  uint64_t page, uint64_t *ret_tag)
{
	struct access *a = NULL;

	if (!mm->history)
		return NULL;
	if (me->log || (me->log = calloc(1, sizeof(*me->log))))
		a = next_place(me->log);
	if (!a) {
		*ret_tag = TAG_UNLOGGED;
		return NULL;
	}
	*a = (struct access){ .page = page, .op = (uint8_t)op, .end = INT64_MAX };
	*ret_tag = tag_of(me->writer, me->log->n - 1);
	a->start = rl_mm_now();
	return a;
}

void rl_mm_access_end(struct access *a, int error, uint64_t tag, uint64_t entry)
{
	if (!a)
		return;
	a->tag = tag;
	a->seq = entry_seq(entry);
	a->error = (uint8_t)error;
	a->end = rl_mm_now();
}

/* ---- Life ---- */

int rl_mm_oracle_init(struct mmshim *mm)
{
	pthread_mutex_init(&mm->report_lock, NULL);
	if (!(mm->config.flags & MMSHIM_CHECK))
		return 0;
	mm->history = calloc(1, sizeof(*mm->history));
	if (!mm->history)
		return ENOMEM;
	pthread_mutex_init(&mm->history->lock, NULL);
	return 0;
}

void rl_mm_oracle_end(struct mmshim *mm)
{
	struct history *h = mm->history;

	pthread_mutex_destroy(&mm->report_lock);
	if (!h)
		return;
	while (h->calls) {
		struct call *next = h->calls->next;

		free(h->calls);
		h->calls = next;
	}
	pthread_mutex_destroy(&h->lock);
	free(h->changes);
	free(h);
}

void rl_mm_log_free(struct log *log)
{
	for (int i = 0; log && i < CHUNKS; i++)
		free(log->chunks[i]);
	free(log);
}
