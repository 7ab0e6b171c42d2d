/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judge of a history: history.h.
 *
 * It goes through the lives in the order of their calls or of their returns,
 * with the few that are alive at that time beside it; so it takes
 * O(n (log t + a)) for n lives of t threads, a of them alive at a time.
 */
#include "stress/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/*
 * A call that has nobody to wait for returns within this time.  It is to be
 * more than noise: with 256 threads on two processors a thread's turn comes
 * after 128 slices of some 3 ms each, which is 0.4 s; and to be less than the
 * watchdog's 10 s, which takes the calls that never return.
 */
static const int64_t LATE = (int64_t)2 * NS_PER_S;

/* ---- Reports ---- */

struct judge {
	struct history *h;
	struct verdict *v;
	size_t n; /* lives */
	int64_t origin;
};

/* Times are in microseconds since the first call. */
static double us(const struct judge *j, int64_t stamp)
{
	return (double)(stamp - j->origin) / 1000;
}

static const char *answer(const struct life *l)
{
	return l->result == 0		   ? "0"
	       : l->call == CALL_IS_LOCKED ? "true"
	       : l->result == EBUSY	   ? "EBUSY"
	       : l->result == ETIMEDOUT	   ? "ETIMEDOUT"
	       : l->result == ECANCELED	   ? "ECANCELED"
	       : l->result == EDEADLK	   ? "EDEADLK"
					   : "an error";
}

static void describe(const struct judge *j, const struct life *l, char *text, size_t size)
{
	int n = snprintf(
	    text, size, "\n  thread %u: %s [%u, %u) called at %.3f us, answered %s at %.3f", l->who,
	    call_names[l->call], l->start, l->end, us(j, l->called), answer(l), us(j, l->returned));

	if (l->result == 0)
		n += snprintf(text + n, size - (size_t)n,
			      ", unlocked by thread %u from %.3f to %.3f", l->unlocked_by,
			      us(j, l->dropped), us(j, l->gone));
	if (l->seen != INT64_MAX)
		snprintf(text + n, size - (size_t)n, ", seen in the lock at %.3f", us(j, l->seen));
}

/* What is wrong, and the one or two lives that show it.  The first one counts. */
__attribute__((format(printf, 4, 5))) static void fault(struct judge *j, const struct life *a,
							const struct life *b, const char *fmt, ...)
{
	char text[2][320] = { "", "" };
	char *to = j->v->fault;
	va_list ap;

	if (*to)
		return;
	if (a)
		describe(j, a, text[0], sizeof(text[0]));
	if (b)
		describe(j, b, text[1], sizeof(text[1]));
	va_start(ap, fmt);
	int n = vsnprintf(to, sizeof(j->v->fault), fmt, ap);
	va_end(ap);
	snprintf(to + n, sizeof(j->v->fault) - (size_t)n, "%s%s", text[0], text[1]);
}

/* ---- Rules ---- */

static bool is_reservation(const struct life *l)
{
	return l->call == CALL_RESERVE || l->call == CALL_RESERVE_GAP;
}

static bool is_same_request(const struct life *a, const struct life *b)
{
	return a->who == b->who && a->slot == b->slot;
}

/* Surely. */
static bool conflict(const struct life *a, const struct life *b)
{
	return a->start < b->end && b->start < a->end &&
	       (a->mode == RANGELOCK_WRITE || b->mode == RANGELOCK_WRITE ||
		(is_reservation(a) && is_reservation(b)));
}

static bool may_overlap(const struct life *a, const struct life *b)
{
	return a->may_start < b->may_end && b->may_start < a->may_end;
}

static bool may_conflict(const struct life *a, const struct life *b)
{
	return may_overlap(a, b) &&
	       (a->may_mode == RANGELOCK_WRITE || b->may_mode == RANGELOCK_WRITE ||
		(is_reservation(a) && is_reservation(b)));
}

/* Some hold what they claim for a while, and fail nevertheless. */
static bool may_have_held(const struct life *l)
{
	return l->result == 0 || l->call == CALL_LOCKV || l->call == CALL_LOCK_CHOSEN;
}

/* Could l, at some time, have been in w's way? */
static bool could_block(const struct history *h, const struct life *l, const struct life *w)
{
	if (is_same_request(l, w) || l->result == EBUSY || l->result == EDEADLK)
		return false; /* a failed try is in nobody's way */
	if (is_reservation(l) && !is_reservation(w))
		return false;
	if (w->result == EDEADLK)
		return l->call == CALL_UPGRADE && may_overlap(l, w) && l->returned >= w->called;
	if (!may_conflict(l, w))
		return false;
	if (w->call == CALL_IS_LOCKED)
		return may_have_held(l);
	if (!h->fifo)
		return true;
	/* Not if l arrived later; nor if l was granted after w, which it conflicts with. */
	return (l->ahead || l->called <= w->seen) &&
	       !(l->result == 0 && w->result == 0 && l->returned > w->returned && !l->moved &&
		 !w->moved && conflict(l, w));
}

/* Could a grant to l have revoked r? */
static bool could_revoke(const struct life *l, const struct life *r)
{
	return !is_same_request(l, r) && l->may_mode == RANGELOCK_WRITE && may_overlap(l, r) &&
	       may_have_held(l) && l->returned >= r->called;
}

/* Each reservation that is found revoked was so by a write that was granted, or by a cancel. */
static void judge_revocation(struct judge *j, const struct life *r, struct life *const *alive,
			     size_t n_alive, size_t next)
{
	struct life **lives = j->h->by_call;
	const struct events *cancels = &j->h->cancels;

	for (size_t k = 0; k < n_alive; k++)
		if (could_revoke(alive[k], r))
			return;
	for (size_t k = next; k < j->n && lives[k]->called <= r->gone; k++)
		if (could_revoke(lives[k], r))
			return;
	for (const struct event *c = cancels->all; c < cancels->all + cancels->n; c++)
		if (c->who == r->who && c->slot == r->slot && c->began <= r->gone &&
		    c->ended >= r->called)
			return;
	fault(j, r, NULL, "revocation: no write was granted, and nobody cancelled");
}

/* Exact failures: while a call decided to fail, somebody was in its way. */
static void judge_failures(struct judge *j, struct life **alive)
{
	struct life **lives = j->h->by_call;
	size_t n_alive = 0;

	for (size_t i = 0; i < j->n; i++) {
		struct life *f = lives[i];

		if (f->revoked)
			judge_revocation(j, f, alive, n_alive, i + 1);
		if (f->result == EBUSY || f->result == ETIMEDOUT || f->result == EDEADLK) {
			bool timed_out = f->result == ETIMEDOUT, excused = false;
			int64_t from = f->called;
			size_t kept = 0;

			if (timed_out && f->returned < f->deadline)
				fault(j, f, NULL, "time-out: %.3f us before the deadline",
				      us(j, f->deadline) - us(j, f->returned));
			/* A lock that keeps a queue decides after the deadline. */
			if (timed_out && (j->h->fifo || j->h->barging) && from < f->deadline)
				from = f->deadline;
			for (size_t k = 0; k < n_alive; k++)
				if (alive[k]->gone >= f->called) {
					excused |= alive[k]->gone >= from &&
						   could_block(j->h, alive[k], f);
					alive[kept++] = alive[k];
				}
			n_alive = kept;
			for (size_t k = i + 1;
			     k < j->n && !excused && lives[k]->called <= f->returned; k++)
				excused = lives[k]->gone >= from && could_block(j->h, lives[k], f);
			if (!excused && f->call == CALL_IS_LOCKED)
				fault(j, f, NULL, "is_locked: nobody can have held unit %u",
				      f->start);
			else if (!excused)
				fault(j, f, NULL,
				      "false conflict: nothing was in the way from %.3f us",
				      us(j, from));
		}
		if (f->result != EBUSY && f->result != EDEADLK)
			alive[n_alive++] = f;
	}
}

/* No late grant: whoever waits long has somebody in his way all that time. */
static void judge_delays(struct judge *j)
{
	struct life **lives = j->h->by_call;

	for (size_t i = 0; i < j->n; i++) {
		const struct life *w = lives[i];
		int64_t excused = w->called; /* up to here */

		if (w->returned - w->called <= LATE)
			continue;
		for (size_t k = 0; k < j->n && lives[k]->called - excused <= LATE; k++)
			if (lives[k]->gone > excused && could_block(j->h, lives[k], w))
				excused = lives[k]->gone;
		if (w->returned - excused > LATE)
			fault(j, w, NULL,
			      "late grant: nothing was in the way for %.1f s, from %.3f us",
			      (double)(w->returned - excused) / NS_PER_S, us(j, excused));
	}
}

/* Of two who conflict and were shown together, the earlier is granted first; with barging,
 * if both wait. */
static void judge_pictures(struct judge *j)
{
	struct events *s = &j->h->sightings;

	for (uint32_t i = 0; (j->h->fifo || j->h->barging) && i < s->n; i++) {
		for (uint32_t k = i + 1; k < s->n && s->all[k].picture == s->all[i].picture; k++) {
			bool in_order = s->all[i].arrival < s->all[k].arrival;
			const struct event *a = &s->all[in_order ? i : k];
			const struct event *b = &s->all[in_order ? k : i];

			if (j->h->barging && !(a->waits && b->waits))
				continue;
			if (a->life && b->life && !b->life->ahead && conflict(a->life, b->life) &&
			    !a->life->result && !b->life->result &&
			    b->life->returned < a->life->returned)
				fault(j, a->life, b->life,
				      "fifo: the second (arrival %" PRIu64
				      ") overtook the first (%" PRIu64 ")",
				      b->arrival, a->arrival);
		}
	}
}

/* The next that was cancelled, but for commits that ended before `began`: they were revoked. */
static struct life *next_canceled(struct log *log, unsigned slot, int64_t began, uint32_t *at)
{
	while (*at < log->n) {
		struct life *l = &log->lives[(*at)++];

		if (l->slot == slot && l->result == ECANCELED &&
		    !(l->call == CALL_COMMIT && l->returned < began))
			return l;
	}
	return NULL;
}

/* Each cancel that answered 0 ended one call, and nothing else did. */
static void judge_cancels(struct judge *j)
{
	uint32_t at[MAX_THREADS][PER_THREAD] = { 0 };
	struct events *cancels = &j->h->cancels;
	struct life *l;

	for (struct event *c = cancels->all; c < cancels->all + cancels->n; c++) {
		l = next_canceled(log_of(j->h, c->who, c->slot), c->slot, c->began,
				  &at[c->who][c->slot]);
		if (!l || l->returned < c->began || c->ended < l->called)
			fault(j, l, NULL,
			      "cancel: answered 0 from %.3f to %.3f us for request %u of "
			      "thread %u, and the call that answered ECANCELED is %s",
			      us(j, c->began), us(j, c->ended), c->slot, c->who,
			      l ? "this" : "missing");
	}
	/* Of a vector only the first request counts. */
	for (unsigned who = 0; who < j->h->n_workers; who++)
		for (unsigned slot = 0; slot <= VECTOR_SLOT; slot++)
			if ((l = next_canceled(log_of(j->h, who, slot), slot, INT64_MAX,
					       &at[who][slot])))
				fault(j, l, NULL, "cancel: ECANCELED, and nobody cancelled");
}

/* Those who are held, or were seen waiting, and have not ended yet. */
struct crowd {
	struct life **lives;
	size_t n;
};

/* A reservation may have been made, and revoked by h, before the call returned; unless h was
 * granted before the call. */
static bool perhaps_revoked(const struct life *g, const struct life *h)
{
	return is_reservation(g) && g->dropped == g->returned && h->returned > g->called;
}

/* g was granted: surely held with it is nobody whom it conflicts with. */
static void judge_exclusion(struct judge *j, struct crowd *held, struct life *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < held->n; i++) {
		struct life *h = held->lives[i];

		if (h->dropped <= g->returned)
			continue;
		held->lives[kept++] = h;
		if (conflict(h, g) && g->dropped > h->returned && !perhaps_revoked(g, h))
			fault(j, h, g, "exclusion: both were held at %.3f us", us(j, g->returned));
	}
	held->n = kept;
	held->lives[held->n++] = g;
}

/* g was granted: whoever is still waiting and arrived before g did was overtaken.  (One that
 * was granted in time returned before it was unlocked, and so before g did.) */
static void judge_bypass(struct judge *j, struct crowd *waiting, struct life *g)
{
	size_t kept = 0;

	if (g->ahead)
		return;
	for (size_t i = 0; i < waiting->n; i++) {
		struct life *w = waiting->lives[i];

		if (w->returned <= g->returned)
			continue;
		waiting->lives[kept++] = w;
		if (w->result || w->seen >= g->called || !conflict(w, g))
			continue;
		if (++w->bypass > j->v->max_bypass)
			j->v->max_bypass = w->bypass;
		if (j->h->fifo)
			fault(j, w, g, "fifo: the second overtook the first");
		else if (w->bypass > RANGELOCK_MAX_BYPASS)
			fault(j, w, g, "bypass: the first was overtaken %" PRIu32 " times",
			      w->bypass);
	}
	waiting->n = kept;
}

void history_judge(struct history *h, struct verdict *v)
{
	struct judge j = { .h = h, .v = v, .n = history_sort(h, false, h->by_call) };

	if (!j.n)
		return;
	v->judged += j.n;
	j.origin = h->by_call[0]->called;
	size_t n_sighted = history_attribute(h), next = 0;
	judge_failures(&j, h->scratch);
	judge_delays(&j);
	judge_pictures(&j);
	judge_cancels(&j);

	/* Grant by grant. */
	history_sort(h, true, h->by_return);
	struct crowd held = { h->by_call, 0 }, waiting = { h->scratch, 0 };
	for (size_t i = 0; i < j.n; i++) {
		struct life *g = h->by_return[i];

		while (next < n_sighted && h->sighted[next]->seen < g->returned)
			waiting.lives[waiting.n++] = h->sighted[next++];
		if (g->result == 0) {
			judge_bypass(&j, &waiting, g);
			judge_exclusion(&j, &held, g);
		}
	}
}
