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
			    "exclusion: thread %u was granted %s [%u, %u) while unit %u was held "
			    "by %s",
			    who, mode_name(span->mode), span->start, span->end, u,
			    old == WRITER ? "a writer" : "readers");
		if (span->mode == RANGELOCK_WRITE)
			atomic_fetch_add_explicit(&o->units[u].writes, 1, memory_order_relaxed);
	}
}

uint64_t oracle_sum(struct oracle *o, const struct span *span)
{
	uint64_t sum = 0;

	for (unsigned u = span->start; u < span->end; u++)
		sum += o->units[u].first;
	return sum;
}

uint32_t oracle_writes(struct oracle *o, const struct span *span)
{
	uint32_t sum = 0;

	for (unsigned u = span->start; u < span->end; u++)
		sum += atomic_load_explicit(&o->units[u].writes, memory_order_relaxed);
	return sum;
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
			violation(o,
				  "exclusion: thread %u held %s [%u, %u), and unit %u was taken "
				  "meanwhile",
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

static bool overlap(const struct rangelock_info *a, const struct rangelock_info *b)
{
	return a->start < b->end && b->start < a->end;
}

/* Shown is the read that it holds meanwhile. */
static bool is_upgrading(const struct rangelock_info *a)
{
	return a->state == RANGELOCK_HELD && a->blockers;
}

void take_picture(struct oracle *o, const struct subject *s, struct rangelock *lock,
		  struct picture *ret_picture)
{
	ret_picture->n = 0;
	int error = s->walk(lock, collect, ret_picture);
	if (error)
		violation(o, "walk answered %d", error);
}

/*
 * Who blocks a, as far as that can be told: a read that waits may be nested, and
 * so go before all that wait; an upgrade goes before all others.
 */
static void count_blockers(const struct subject *s, const struct picture *p,
			   const struct rangelock_info *a, uint64_t *ret_surely,
			   uint64_t *ret_perhaps)
{
	bool writes = a->mode == RANGELOCK_WRITE || is_upgrading(a);

	*ret_surely = *ret_perhaps = 0;
	for (const struct rangelock_info *b = p->all; b < p->all + p->n; b++) {
		bool b_writes = b->mode == RANGELOCK_WRITE || is_upgrading(b);
		bool b_held = b->state == RANGELOCK_HELD && !is_upgrading(b);
		bool b_read_waits = b->state == RANGELOCK_WAITING && b->mode == RANGELOCK_READ;

		if (a == b || b->state == RANGELOCK_RESERVED || !overlap(a, b) ||
		    !(writes || b_writes))
			continue;
		if (b_held && s->barging && !is_upgrading(a) && b->arrival > a->arrival)
			++*ret_perhaps; /* no, if it has passed; but one that was upgraded */
		else if (b_held)
			++*ret_surely;
		else if (is_upgrading(a)) /* a nested read, or one behind it */
			*ret_perhaps += b_read_waits;
		else if (!writes)
			*ret_perhaps += is_upgrading(b) || b->arrival < a->arrival;
		else if (is_upgrading(b) || b->arrival < a->arrival)
			++*ret_surely;
		else
			*ret_perhaps += b_read_waits;
	}
}

/* Nothing is in its way but in that of another of its vector, which arrived with it. */
static bool waits_for_its_vector(const struct picture *p, const struct rangelock_info *a)
{
	for (const struct rangelock_info *b = p->all; b < p->all + p->n; b++)
		if (b->state == RANGELOCK_WAITING && b->arrival == a->arrival && b->blockers)
			return true;
	return false;
}

static void judge_blockers(struct oracle *o, const struct subject *s, const struct picture *p,
			   const struct rangelock_info *a)
{
	uint64_t surely, perhaps;

	if (a->state == RANGELOCK_HELD && !a->blockers)
		return;
	count_blockers(s, p, a, &surely, &perhaps);
	bool right = a->blockers >= surely && a->blockers <= surely + perhaps;
	if (s->fifo && a->mode == RANGELOCK_READ &&
	    a->state == RANGELOCK_WAITING) /* nested, or not */
		right = a->blockers == surely || a->blockers == surely + perhaps;
	if (!right || (s->fifo && !a->blockers && !waits_for_its_vector(p, a)) ||
	    (is_upgrading(a) && a->mode == RANGELOCK_WRITE))
		violation(o,
			  "fifo: %s [%" PRIu64 ", %" PRIu64 ") is %s, counts %" PRIu64
			  " blockers, and has %" PRIu64 " to %" PRIu64,
			  mode_name(a->mode), a->start, a->end,
			  a->state == RANGELOCK_HELD ? "held" : "waiting", a->blockers, surely,
			  surely + perhaps);
}

/* May they be there together? */
static bool are_compatible(const struct rangelock_info *a, const struct rangelock_info *b)
{
	bool reserved = a->state == RANGELOCK_RESERVED, b_reserved = b->state == RANGELOCK_RESERVED;

	if (a->state == RANGELOCK_WAITING || b->state == RANGELOCK_WAITING || !overlap(a, b))
		return true;
	if (reserved || b_reserved) {
		const struct rangelock_info *held = reserved ? b : a;

		/* A write as long as those of lock_chosen may yet be given up again. */
		return reserved != b_reserved &&
		       (held->mode == RANGELOCK_READ || held->end - held->start == CHOSEN_LENGTH);
	}
	return a->mode == RANGELOCK_READ && b->mode == RANGELOCK_READ;
}

static const char *state_name(enum rangelock_state state)
{
	return state == RANGELOCK_RESERVED ? "reserved" : "held";
}

static bool is_shown_again(const struct picture *p, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (p->all[k].req == p->all[i].req)
			return true;
	return false;
}

void judge_picture(struct oracle *o, const struct subject *s, const struct picture *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		const struct rangelock_info *a = &p->all[i];

		if ((s->fifo || s->barging || s->torn) && i > 0 && a->start < a[-1].start &&
		    !(s->torn && is_shown_again(p, i)))
			violation(o, "walk: [%" PRIu64 ", ...) is shown after [%" PRIu64 ", ...)",
				  a->start, a[-1].start);
		for (const struct rangelock_info *b = p->all; b < a; b++)
			if (!s->torn && !are_compatible(a, b))
				violation(o,
					  "walk: [%" PRIu64 ", %" PRIu64 ") is %s and [%" PRIu64
					  ", %" PRIu64 ") is %s, and they conflict",
					  a->start, a->end, state_name(a->state), b->start, b->end,
					  state_name(b->state));
		if ((s->fifo || s->barging) && a->state != RANGELOCK_RESERVED)
			judge_blockers(o, s, p, a);
	}
}
