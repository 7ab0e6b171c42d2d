/* SPDX-License-Identifier: BSD-2-Clause */
#include "stress/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { WRITER = -1 };

void violation(struct oracle *o, const char *fmt, ...)
{
	static atomic_flag first = ATOMIC_FLAG_INIT;

	if (atomic_flag_test_and_set(&first))
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(o->report, sizeof(o->report), fmt, ap);
	va_end(ap);
	atomic_store(&o->violated, true);
}

static const char *mode_name(enum rangelock_mode mode)
{
	return mode == RANGELOCK_WRITE ? "write" : "read";
}

/* ---- Owners ---- */

void oracle_hold(struct oracle *o, const struct span *span, unsigned who)
{
	for (unsigned u = span->start; u < span->end; u++) {
		int32_t old;

		if (span->mode == RANGELOCK_WRITE)
			old = atomic_exchange_explicit(&o->units[u].holders, WRITER,
						       memory_order_relaxed);
		else
			old = atomic_fetch_add_explicit(&o->units[u].holders, 1,
							memory_order_relaxed);
		if (old == WRITER || (old && span->mode == RANGELOCK_WRITE))
			violation(
			    o,
			    "exclusion: thread %u was granted %s [%u, %u) while unit %u was held by "
			    "%s",
			    who, mode_name(span->mode), span->start, span->end, u,
			    old == WRITER ? "a writer" : "readers");
	}
}

void oracle_use(struct oracle *o, const struct span *span, unsigned who)
{
	for (unsigned u = span->start; u < span->end; u++) {
		struct owners *unit = &o->units[u];

		if (unit->first != unit->second)
			violation(
			    o,
			    "exclusion: thread %u holds %s [%u, %u) and sees unit %u half written",
			    who, mode_name(span->mode), span->start, span->end, u);
		if (span->mode == RANGELOCK_WRITE) {
			unit->first++;
			unit->second++;
		}
	}
}

void oracle_drop(struct oracle *o, const struct span *span, unsigned who)
{
	for (unsigned u = span->start; u < span->end; u++) {
		int32_t old;

		if (span->mode == RANGELOCK_WRITE)
			old =
			    atomic_exchange_explicit(&o->units[u].holders, 0, memory_order_relaxed);
		else
			old = atomic_fetch_sub_explicit(&o->units[u].holders, 1,
							memory_order_relaxed);
		if (span->mode == RANGELOCK_WRITE ? old != WRITER : old <= 0)
			violation(
			    o,
			    "exclusion: thread %u held %s [%u, %u), and unit %u was taken meanwhile",
			    who, mode_name(span->mode), span->start, span->end, u);
	}
}

/* ---- Pictures ---- */

static int collect(const struct rangelock_info *info, void *arg)
{
	struct picture *p = arg;

	p->all[p->n++] = *info;
	return p->n == MAX_REQUESTS; /* there cannot be more */
}

static bool infos_conflict(const struct rangelock_info *a, const struct rangelock_info *b)
{
	return a->start < b->end && b->start < a->end &&
	       (a->mode == RANGELOCK_WRITE || b->mode == RANGELOCK_WRITE);
}

void take_picture(struct oracle *o, const struct subject *s, struct rangelock *lock,
		  struct picture *ret_picture)
{
	ret_picture->n = 0;
	int error = s->walk(lock, collect, ret_picture);
	if (error)
		violation(o, "walk answered %d", error);
}

void judge_picture(struct oracle *o, const struct subject *s, const struct picture *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct rangelock_info *a = &p->all[i];
		uint64_t blockers = 0;

		if (s->fifo && i > 0 && a->start < a[-1].start)
			violation(o, "walk: [%" PRIu64 ", ...) is shown after [%" PRIu64 ", ...)",
				  a->start, a[-1].start);
		for (unsigned j = 0; j < p->n; j++) {
			const struct rangelock_info *b = &p->all[j];

			if (i == j || !infos_conflict(a, b))
				continue;
			blockers += b->arrival < a->arrival;
			if (a->state == RANGELOCK_HELD && b->state == RANGELOCK_HELD)
				violation(o,
					  "walk: [%" PRIu64 ", %" PRIu64 ") and [%" PRIu64
					  ", %" PRIu64 ") are held together and conflict",
					  a->start, a->end, b->start, b->end);
		}
		if (s->fifo &&
		    (blockers != a->blockers || (blockers == 0) != (a->state == RANGELOCK_HELD)))
			violation(o,
				  "fifo: %s [%" PRIu64 ", %" PRIu64 ") is %s, counts %" PRIu64
				  " blockers, and has %" PRIu64,
				  mode_name(a->mode), a->start, a->end,
				  a->state == RANGELOCK_HELD ? "held" : "waiting", a->blockers,
				  blockers);
	}
}
