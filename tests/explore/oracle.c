/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle's own notes are no part of what is explored: NOTES marks what the
 * explorer is not to see.
 */
#include "explore/oracle.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "front/word.h"
#include "list/chain.h"
#include "support/fiber.h"

#define NOTES NOT_FOR_TSAN

struct rangelock o_lock;
struct rangelock_req o_reqs[REQS];

/* ---- Owners ---- */

static uint64_t data[UNITS]; /* plain, guarded by o_lock */
static int holders[UNITS];   /* readers, or -1 */
static unsigned drops;	     /* how many holders have let go */

NOTES static void hold(const struct want *w)
{
	for (unsigned u = w->start; u < w->end; u++) {
		if (holders[u] < 0 || (w->mode == RANGELOCK_WRITE && holders[u]))
			explore_fail("exclusion: %s [%u, %u) is granted, and unit %u is held",
				     w->mode ? "write" : "read", w->start, w->end, u);
		holders[u] = w->mode == RANGELOCK_WRITE ? -1 : holders[u] + 1;
	}
}

NOTES static void let_go(const struct want *w)
{
	drops++;
	for (unsigned u = w->start; u < w->end; u++)
		holders[u] = w->mode == RANGELOCK_WRITE ? 0 : holders[u] - 1;
}

static uint64_t touch(const struct want *w)
{
	uint64_t sum = 0;

	for (unsigned u = w->start; u < w->end; u++)
		sum += w->mode == RANGELOCK_WRITE ? ++data[u] : data[u];
	return sum;
}

/* ---- Answers ---- */

enum { MAX_CALLS = 32 };

static struct call {
	struct want want; /* what others may meet */
	struct want held; /* what its owner uses; less, while that changes */
	struct want most; /* all that it has ever wanted */
	unsigned req;
	bool alive; /* from before the lock call until after the unlock */
	int result;
	unsigned began, ended; /* when: explore_now() */
	uint32_t met;	       /* conflicting calls that were alive with it */
	uint32_t after;	       /* those that waited already when it began */
	unsigned bypassed;
	unsigned claim; /* its last, by number: a lock call, or the upgrade of it */
} calls[MAX_CALLS];
static unsigned n_calls;
static struct call *call_of[REQS];
static unsigned cancels, canceled, perhaps_canceled;
static bool barging, on_list, next_on_list, next_keeps;
bool seam_keeps;
static uintptr_t last_word;
static bool buried;
static unsigned moves; /* how often somebody has claimed more: the number of the last claim */

static struct reservation {
	unsigned start, end;
	unsigned began, ended;
	uint64_t sum;
	int result; /* EBUSY, or how it ended; -1: it has not */
} reservations[MAX_CALLS];
static unsigned n_reservations;
static struct reservation *reservation_of[REQS];

NOTES static bool conflict(const struct want *a, const struct want *b)
{
	return a->start < b->end && b->start < a->end &&
	       (a->mode == RANGELOCK_WRITE || b->mode == RANGELOCK_WRITE);
}

NOTES static bool still_waits(const struct call *call)
{
	return call->alive && call->result == -1 && o_waits(call->req);
}

/* It has been granted: what those say that it conflicts with, and that it came after. */
NOTES static void judge_bypass(const struct call *call)
{
	for (unsigned i = 0; i < n_calls; i++)
		if (call->after >> i & 1 && still_waits(&calls[i]) &&
		    ++calls[i].bypassed > (barging || on_list ? RL_MAX_BYPASS : 0))
			explore_fail("bypass: call %u waits, and %u that came later are granted", i,
				     calls[i].bypassed);
}

NOTES static void begin_call(unsigned req, const struct want *want)
{
	struct call *call = &calls[n_calls];

	if (n_calls == MAX_CALLS)
		explore_fail("scenario: too many calls");
	call->want = call->held = call->most = *want;
	call->alive = true;
	call->result = -1;
	call->met = call->after = 0;
	call->req = req;
	call->bypassed = 0;
	call->began = explore_now();
	call->ended = UINT_MAX;
	for (unsigned i = 0; i < n_calls; i++)
		if (calls[i].alive && conflict(&calls[i].want, want)) {
			call->met |= 1u << i;
			calls[i].met |= 1u << n_calls;
			call->after |= (unsigned)still_waits(&calls[i]) << i;
		}
	call_of[req] = call;
	n_calls++;
	call->claim = ++moves;
}

/* It may go before all that wait, or is no new claim. */
NOTES static void goes_first(unsigned req)
{
	call_of[req]->after = 0;
}

NOTES static void note_canceled(void)
{
	canceled++;
}

/* By a cancel, or because a write has revoked the reservation. */
NOTES static void note_perhaps_canceled(int error)
{
	perhaps_canceled += error == ECANCELED;
}

NOTES static void end_call(unsigned req, int result)
{
	struct call *call = call_of[req];
	enum patience p = call->want.patience;

	call->result = result;
	call->alive = result == 0;
	if (result)
		call->ended = explore_now();
	canceled += result == ECANCELED;
	if (!result)
		judge_bypass(call);
	if (result && !(result == ENOMEM && on_list) && !(result == EBUSY && p == TRIES) &&
	    !(result == ETIMEDOUT && p == WAITS_FOR_A_TIME) && !(result == ECANCELED && p != TRIES))
		explore_fail("answer: a lock call answered errno %d", result);
}

NOTES static void end_life(struct call *call)
{
	call->alive = false;
	call->ended = explore_now();
}

/* It has failed, for a reason that is not its own. */
NOTES static void end_in_silence(unsigned req)
{
	call_of[req]->result = EINTR;
	end_life(call_of[req]);
}

/* Was there a write, granted or at least waiting, while r was? */
NOTES static bool meets_write(const struct reservation *r, bool granted)
{
	for (const struct call *c = calls; c < calls + n_calls; c++)
		if (c->most.mode == RANGELOCK_WRITE && c->most.start < r->end &&
		    r->start < c->most.end && c->began <= r->ended && r->began <= c->ended &&
		    (granted ? c->result == 0 : c->result != EBUSY))
			return true;
	return false;
}

NOTES static bool meets_reservation(const struct reservation *r)
{
	for (const struct reservation *q = reservations; q < reservations + n_reservations; q++)
		if (q != r && q->result != EBUSY && q->result != ENOMEM && q->start < r->end &&
		    r->start < q->end && q->began <= r->ended && r->began <= q->ended)
			return true;
	return false;
}

NOTES static void judge_reservations(void)
{
	if (!on_list) /* where a write may come by enter, which is no call here */
		return;
	for (const struct reservation *r = reservations; r < reservations + n_reservations; r++) {
		if (r->result == EBUSY && !meets_reservation(r) && !meets_write(r, false))
			explore_fail("reserve: [%u, %u) is refused for nothing", r->start, r->end);
		if (r->result == ECANCELED && !cancels && !meets_write(r, true))
			explore_fail("reservation: [%u, %u) is revoked for nothing", r->start,
				     r->end);
	}
}

/* Now it is known how all calls ended. */
NOTES static void judge_answers(void)
{
	for (unsigned i = 0; i < n_calls; i++) {
		bool excused = false;

		if (calls[i].result != EBUSY && calls[i].result != ETIMEDOUT)
			continue;
		for (unsigned k = 0; k < n_calls; k++)
			excused |= calls[i].met >> k & 1 && calls[k].result != EBUSY;
		if (!excused)
			explore_fail("false conflict: call %u, [%u, %u), failed for nothing", i,
				     calls[i].want.start, calls[i].want.end);
	}
	if (cancels < canceled || cancels > canceled + perhaps_canceled)
		explore_fail("cancel: %u calls answered 0, and %u waits ECANCELED", cancels,
			     canceled);
}

/* ---- Calls ---- */

static int call_lock(unsigned req, const struct want *w)
{
	static const struct timespec some_time = { 1, 0 };
	static int (*const timed[])(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t,
				    const struct timespec *) = { rangelock_timedrdlock,
								 rangelock_timedwrlock };
	static int (*const others[][2])(struct rangelock *, struct rangelock_req *, uint64_t,
					uint64_t) = { { rangelock_tryrdlock, rangelock_trywrlock },
						      { rangelock_rdlock, rangelock_wrlock } };
	uint64_t end = w->no_bound ? RANGELOCK_MAX : w->end;

	if (w->patience == WAITS_FOR_A_TIME)
		return timed[w->mode](&o_lock, &o_reqs[req], w->start, end, &some_time);
	return others[w->patience][w->mode](&o_lock, &o_reqs[req], w->start, end);
}

/* Of atomic words as they are, unseen. */
#define PEEK(p) (*(volatile __typeof__(((void)0, *(p))) *)(p))

/* req has been granted: of a list, no reservation stands there. */
NOTES static void judge_revocations(unsigned req)
{
	const struct want *w = &call_of[req]->held;
	uintptr_t at = PEEK(&to_lock(&o_lock)->word);

	if (!on_list || w->mode != RANGELOCK_WRITE || at & 63)
		return;
	for (const struct list_node *n; (n = (const void *)(at & ~(uintptr_t)63));) {
		at = PEEK(&n->next);
		if (!(at & NEXT_MARK) && n->start < w->end && w->start < n->end &&
		    (PEEK(&n->state) & STATE_PHASE) == STATE_RESERVED)
			explore_fail("grant: a write is granted, and a reservation stands");
	}
}

int o_take(unsigned req, const struct want *want)
{
	begin_call(req, want);
	int result = call_lock(req, want);
	end_call(req, result);
	if (!result) {
		hold(&call_of[req]->held);
		judge_revocations(req);
	}
	return result;
}

NOTES static const struct want *want_of(unsigned req)
{
	return &call_of[req]->held;
}

NOTES static struct call *call_to_end(unsigned req)
{
	return call_of[req];
}

void o_use(unsigned req)
{
	uint64_t before = touch(want_of(req));

	explore_yield();
	if (want_of(req)->mode == RANGELOCK_READ && touch(want_of(req)) != before)
		explore_fail("exclusion: what a reader holds has changed");
}

void o_drop(unsigned req)
{
	/* Once it is unlocked the request may be taken anew by another thread. */
	struct call *call = call_to_end(req);

	let_go(want_of(req));
	int error = rangelock_unlock(&o_lock, &o_reqs[req]);
	if (error)
		explore_fail("answer: unlock answered errno %d", error);
	end_life(call);
}

int o_visit(unsigned req, const struct want *want)
{
	int result = o_take(req, want);

	if (!result) {
		o_use(req);
		o_drop(req);
	}
	return result;
}

/* ---- Changes ---- */

/* What request req holds is now this. */
NOTES static void holds_now(unsigned req, unsigned start, unsigned end, enum rangelock_mode mode)
{
	struct want *held = &call_of[req]->held;

	let_go(held);
	held->start = start;
	held->end = end;
	held->mode = mode;
	hold(held);
}

/* What others meet is what is held. */
NOTES static void settle_claim(unsigned req)
{
	call_of[req]->want = call_of[req]->held;
}

static void must_be(int error, int expected, const char *what)
{
	if (error != expected)
		explore_fail("answer: %s answered errno %d", what, error);
}

void o_downgrade(unsigned req)
{
	const struct want *w = want_of(req);

	/* From then on readers may be in, before the call returns. */
	holds_now(req, w->start, w->end, RANGELOCK_READ);
	must_be(rangelock_downgrade(&o_lock, &o_reqs[req]), 0, "downgrade");
	settle_claim(req);
}

/* While more is tried for, others may meet it, and it them. */
NOTES static void claim_more(unsigned req, unsigned start, unsigned end, enum rangelock_mode mode)
{
	struct want *want = &call_of[req]->want, *most = &call_of[req]->most;

	call_of[req]->claim = ++moves;
	most->start = start < most->start ? start : most->start;
	most->end = end > most->end ? end : most->end;
	most->mode |= mode;
	want->start = start;
	want->end = end;
	want->mode = mode;
	for (struct call *c = calls; c < calls + n_calls; c++)
		if (c->alive && c != call_of[req] && conflict(&c->want, want))
			c->met |= 1u << (call_of[req] - calls);
}

/* What has failed for this reason leaves all as it was. */
static bool lacks_memory(int error)
{
	return error == ENOMEM && on_list;
}

static int end_upgrade(unsigned req, int error)
{
	const struct want *w = want_of(req);

	if (!error)
		holds_now(req, w->start, w->end, RANGELOCK_WRITE);
	settle_claim(req);
	if (!error)
		judge_revocations(req);
	return error;
}

int o_upgrade(unsigned req)
{
	const struct want *w = want_of(req);
	uint64_t before = touch(w);

	claim_more(req, w->start, w->end, RANGELOCK_WRITE);
	int error = rangelock_upgrade(&o_lock, &o_reqs[req]);
	if (error == ECANCELED)
		note_canceled();
	else if (error && error != EDEADLK && !lacks_memory(error))
		must_be(error, 0, "upgrade");
	if (touch(w) != before)
		explore_fail("upgrade: a writer came in between");
	return end_upgrade(req, error);
}

int o_try_upgrade(unsigned req)
{
	const struct want *w = want_of(req);

	claim_more(req, w->start, w->end, RANGELOCK_WRITE);
	int error = rangelock_tryupgrade(&o_lock, &o_reqs[req]);
	if (error && error != EBUSY && !lacks_memory(error))
		must_be(error, 0, "tryupgrade");
	return end_upgrade(req, error);
}

void o_reduce(unsigned req, unsigned start, unsigned end)
{
	holds_now(req, start, end, want_of(req)->mode);
	must_be(rangelock_reduce(&o_lock, &o_reqs[req], start, end), 0, "reduce");
	settle_claim(req);
}

NOTES static void split_claim(unsigned req, unsigned at, unsigned tail)
{
	struct want whole = *want_of(req), rest = whole;

	let_go(&whole);
	call_of[req]->held.end = rest.start = at;
	hold(&call_of[req]->held);
	begin_call(tail, &rest);
	goes_first(tail);
	end_call(tail, 0);
	hold(&rest);
}

void o_split(unsigned req, unsigned at, unsigned tail)
{
	split_claim(req, at, tail);
	must_be(rangelock_split(&o_lock, &o_reqs[req], at, &o_reqs[tail]), 0, "split");
	settle_claim(req);
}

int o_try_extend(unsigned req, unsigned start, unsigned end)
{
	claim_more(req, start, end, want_of(req)->mode);
	int error = rangelock_tryextend(&o_lock, &o_reqs[req], start, end);

	if (!error)
		holds_now(req, start, end, want_of(req)->mode);
	else if (error != EBUSY && !lacks_memory(error))
		must_be(error, 0, "tryextend");
	settle_claim(req);
	if (!error)
		judge_revocations(req);
	return error;
}

void o_visit_nested(unsigned req, unsigned outer, unsigned start, unsigned end)
{
	struct want want = *RD(start, end);

	begin_call(req, &want);
	goes_first(req);
	int error = rangelock_rdlock_nested(&o_lock, &o_reqs[req], start, end, &o_reqs[outer]);
	end_call(req, error);
	if (!error) {
		hold(&want);
		o_use(req);
		o_drop(req);
	}
}

/* Two calls are one, which has failed for what either met. */
NOTES static void end_both(unsigned req, int error)
{
	call_of[req]->met |= call_of[req + 1]->met;
	end_call(req, error);
	end_in_silence(req + 1);
}

int o_take_both(unsigned req, const struct want *a, const struct want *b)
{
	static const struct timespec some_time = { 1, 0 };
	const struct rangelock_range ranges[] = { { a->start, a->end, a->mode },
						  { b->start, b->end, b->mode } };

	begin_call(req, a);
	begin_call(req + 1, b);
	int error = rangelock_lockv(&o_lock, &o_reqs[req], ranges, 2,
				    a->patience == WAITS_FOR_A_TIME ? &some_time : NULL);
	if (error) {
		end_both(req, error);
		return error;
	}
	end_call(req, 0);
	end_call(req + 1, 0);
	hold(a);
	hold(b);
	return 0;
}

int o_visit_both(unsigned req, const struct want *a, const struct want *b)
{
	int error = o_take_both(req, a, b);

	if (error)
		return error;
	o_use(req);
	o_use(req + 1);
	let_go(a);
	let_go(b);
	must_be(rangelock_unlockv(&o_lock, &o_reqs[req], 2), 0, "unlockv");
	end_life(call_to_end(req));
	end_life(call_to_end(req + 1));
	return 0;
}

/* What is submitted when this request has been dropped. */
static struct next {
	bool is_due;
	unsigned req;
	struct want want;
} next_of[REQS];

NOTES static struct next take_next(unsigned req)
{
	struct next next = next_of[req];

	next_of[req].is_due = false;
	return next;
}

static void granted(struct rangelock_req *r, int error, void *arg)
{
	unsigned req = (unsigned)(r - o_reqs);

	if (arg != &o_reqs[req])
		explore_fail("submit: a callback with another's argument");
	if (call_of[req]->result >= 0)
		explore_fail("submit: a second callback");
	struct next next = take_next(req);

	end_call(req, error);
	if (error)
		return;
	hold(&call_of[req]->held);
	o_use(req);
	o_drop(req);
	if (next.is_due)
		o_submit(next.req, &next.want);
}

NOTES static void set_next(unsigned req, unsigned then, const struct want *want)
{
	next_of[req].is_due = true;
	next_of[req].req = then;
	next_of[req].want = *want;
}

void o_submit_two(unsigned req, const struct want *want, unsigned then,
		  const struct want *then_want)
{
	set_next(req, then, then_want);
	o_submit(req, want);
}

void o_submit(unsigned req, const struct want *want)
{
	const struct rangelock_range range = { want->start, want->end, want->mode };

	begin_call(req, want);
	int error = rangelock_submit(&o_lock, &o_reqs[req], &range, granted, &o_reqs[req]);
	if (error == EINPROGRESS)
		return;
	must_be(error, 0, "submit");
	granted(&o_reqs[req], 0, &o_reqs[req]);
}

/* ---- Reservations ---- */

NOTES static uint64_t sum_data(unsigned start, unsigned end)
{
	uint64_t sum = 0;

	for (unsigned u = start; u < end; u++)
		sum += data[u];
	return sum;
}

NOTES static struct reservation *begin_reservation(unsigned req, unsigned start, unsigned end)
{
	struct reservation *r = &reservations[n_reservations];

	if (n_reservations++ == MAX_CALLS)
		explore_fail("scenario: too many reservations");
	*r = (struct reservation){ .start = start, .end = end, .began = explore_now() };
	r->result = -1;
	reservation_of[req] = r;
	return r;
}

NOTES static int note_reserved(unsigned req, int error)
{
	struct reservation *r = reservation_of[req];

	if (error && error != EBUSY && !(error == ENOMEM && on_list))
		explore_fail("answer: reserve answered errno %d", error);
	/* What it covers is to be free of writes from now on. */
	r->sum = sum_data(r->start, r->end);
	if (error)
		r->result = error;
	r->ended = error ? explore_now() : UINT_MAX;
	return error;
}

/* It ends, by a commit or a revocation; once. */
NOTES static void end_reservation(unsigned req, int result)
{
	struct reservation *r = reservation_of[req];

	if (r->result != -1)
		explore_fail("reservation: it ends again");
	r->result = result;
	r->ended = explore_now();
}

NOTES static void judge_commit(unsigned req)
{
	struct reservation *r = reservation_of[req];

	if (sum_data(r->start, r->end) != r->sum)
		explore_fail("commit: a write was granted in between");
}

NOTES static struct want reserved_range(unsigned req, bool timed)
{
	const struct reservation *r = reservation_of[req];

	return (struct want){ r->start, r->end, RANGELOCK_WRITE, timed ? WAITS_FOR_A_TIME : WAITS,
			      false };
}

int o_reserve(unsigned req, unsigned start, unsigned end)
{
	begin_reservation(req, start, end);
	return note_reserved(req, rangelock_reserve(&o_lock, &o_reqs[req], start, end));
}

NOTES static void note_gap(unsigned req, uint64_t start, unsigned size)
{
	reservation_of[req]->start = (unsigned)start;
	reservation_of[req]->end = (unsigned)start + size;
}

int o_reserve_gap(unsigned req, unsigned size)
{
	uint64_t start = 0;

	begin_reservation(req, 0, UNITS);
	int error = rangelock_reserve_gap(&o_lock, &o_reqs[req], size, 1, 0, UNITS, &start);
	if (!error)
		note_gap(req, start, size);
	return note_reserved(req, error == ENOSPC ? EBUSY : error);
}

int o_unreserve(unsigned req)
{
	int error = rangelock_unreserve(&o_lock, &o_reqs[req]);

	if (error && error != ECANCELED)
		explore_fail("answer: unreserve answered errno %d", error);
	end_reservation(req, error ? ECANCELED : 0);
	return error;
}

void o_revoked(unsigned req)
{
	end_reservation(req, ECANCELED);
}

int o_commit(unsigned req, bool timed)
{
	static const struct timespec some_time = { 1, 0 };
	struct want want = reserved_range(req, timed);

	begin_call(req, &want);
	int error = rangelock_commit(&o_lock, &o_reqs[req], timed ? &some_time : NULL);
	if (error) {
		end_in_silence(req);
		note_perhaps_canceled(error);
		if (error == ECANCELED)
			end_reservation(req, ECANCELED);
		else if (error != ENOMEM && !(error == ETIMEDOUT && timed))
			explore_fail("answer: commit answered errno %d", error);
		return error;
	}
	end_reservation(req, 0);
	end_call(req, 0);
	hold(&want);
	judge_commit(req);
	judge_revocations(req);
	return 0;
}

int o_reserve_and_commit(unsigned req, unsigned start, unsigned end, bool timed)
{
	int error = o_reserve(req, start, end);

	if (error)
		return error;
	explore_yield();
	error = o_commit(req, timed);
	if (!error) {
		o_use(req);
		o_drop(req);
	} else if (error != ECANCELED) {
		error = o_unreserve(req) ? ECANCELED : error;
	}
	return error;
}

NOTES static void count_cancel(void)
{
	cancels++;
}

/* The claim that waits with req in o_lock, not elsewhere; or 0. */
NOTES static unsigned waiting_claim(unsigned req)
{
	const struct req *r = to_req(&o_reqs[req]);
	bool waits = on_list ? o_waits(req)
			     : r->state == REQ_WAITING && lock_of(r) == to_lock(&o_lock);

	return waits ? call_of[req]->claim : 0;
}

int o_cancel(unsigned req)
{
	unsigned waited = waiting_claim(req);
	int error = rangelock_cancel(&o_lock, &o_reqs[req]);

	if (error == 0)
		count_cancel();
	else if (error != EBUSY)
		explore_fail("answer: cancel answered errno %d", error);
	else if (waited && waiting_claim(req) == waited)
		explore_fail("answer: cancel does not find one who waits");
	return error;
}

/* ---- Looks ---- */

struct picture {
	struct rangelock_info all[2 * REQS]; /* a list may show one again */
	unsigned n;
};

NOTES static int collect(const struct rangelock_info *info, void *arg)
{
	struct picture *p = arg;

	if (p->n == (on_list ? 2 : 1) * REQS)
		explore_fail("walk: more than there are");
	p->all[p->n++] = *info;
	return 0;
}

NOTES static void judge_picture(const struct picture *p)
{
	for (unsigned i = 0; i < p->n; i++)
		for (unsigned k = 0; k < p->n; k++) {
			const struct rangelock_info *a = &p->all[i], *b = &p->all[k];

			if (a != b && a->state == RANGELOCK_HELD && b->state == RANGELOCK_HELD &&
			    a->start < b->end && b->start < a->end && (a->mode || b->mode))
				explore_fail("walk: two holders conflict");
		}
}

NOTES static bool shows(const struct picture *p, unsigned unit)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->all[i].state == RANGELOCK_HELD && p->all[i].start <= unit &&
		    unit < p->all[i].end)
			return true;
	return false;
}

/* What is known of a unit. */
struct knowledge {
	bool held, free;
	unsigned drops, moves;
};

NOTES static struct knowledge know(unsigned unit)
{
	struct knowledge k = { holders[unit] != 0, true, drops, moves };

	for (unsigned i = 0; i < n_calls; i++)
		if (calls[i].alive && calls[i].want.start <= unit && unit < calls[i].want.end)
			k.free = false;
	return k;
}

/* One has looked, and seen it held or not: was it the other all the time? */
NOTES static void judge_look(const char *how, unsigned unit, bool seen, struct knowledge before)
{
	struct knowledge after = know(unit);

	if (seen && before.free && after.free && before.moves == after.moves)
		explore_fail("%s: unit %u is free, and is said to be held", how, unit);
	if (!seen && before.held && before.drops == after.drops)
		explore_fail("%s: unit %u is held, and is said to be free", how, unit);
}

void o_look(unsigned unit)
{
	struct picture picture = { .n = 0 };
	struct knowledge before = know(unit);

	judge_look("is_locked", unit, rangelock_is_locked(&o_lock, unit, unit + 1, RANGELOCK_READ),
		   before);
	before = know(unit);
	rangelock_walk(&o_lock, collect, &picture);
	if (!on_list) /* there it is not one of one moment */
		judge_picture(&picture);
	judge_look("walk", unit, shows(&picture, unit), before);
}

NOTES static uint32_t whole_state(const struct list_node *n)
{
	uint32_t s = PEEK(&n->state);

	return s & STATE_FOLLOWER ? s | (PEEK(&n->head->state) & ~(uint32_t)STATE_WRITE) : s;
}

NOTES static bool waits_in_list(const struct req *r)
{
	if (PEEK(&r->place) != ((uintptr_t)to_lock(&o_lock) | PLACE_WAITS))
		return false;
	uint32_t state = whole_state(PEEK(&r->list_node));

	return state & STATE_TICKET && !(state & STATE_CANCELED) &&
	       (state & STATE_PHASE) <= STATE_PENDING;
}

NOTES bool o_waits(unsigned req)
{
	if (on_list)
		return waits_in_list(to_req(&o_reqs[req]));
	return to_req(&o_reqs[req])->state == REQ_WAITING;
}

NOTES bool o_idle(void)
{
	uintptr_t word = PEEK(&to_lock(&o_lock)->word);

	while (on_list && is_node(word)) {
		bool kept = (PEEK(&to_node(word)->state) & STATE_PHASE) == STATE_KEPT;
		word = PEEK(&to_node(word)->next);
		if (!(word & NEXT_MARK) && !kept)
			return false;
		word &= ~(uintptr_t)NEXT_MASK;
	}
	return on_list ? is_empty_list(word) : word == WORD_IDLE;
}

/* ---- Inside ---- */

struct census {
	const struct req *all[REQS];
	unsigned n;
};

static unsigned height(const struct itree_node *n)
{
	return n ? n->height : 0;
}

static uint64_t check_subtree(const struct itree_node *n, const struct itree_node *parent,
			      struct census *census)
{
	uint64_t max_end = n->end, below;
	unsigned l = height(n->left), r = height(n->right);

	if (n->parent != parent || n->height != 1 + (l > r ? l : r) || l > r + 1 || r > l + 1)
		explore_fail("invariant T2/T3: the tree is out of shape");
	if (census->n == REQS) {
		explore_fail("invariant T1: a tree with more nodes than there are");
		return 0;
	}
	if (n->left && (below = check_subtree(n->left, n, census)) > max_end)
		max_end = below;
	census->all[census->n++] = node_req(n);
	if (n->right && (below = check_subtree(n->right, n, census)) > max_end)
		max_end = below;
	if (n->max_end != max_end)
		explore_fail("invariant T4: max_end is wrong");
	if (n->marks !=
	    (n->mark | (n->left ? n->left->marks : 0) | (n->right ? n->right->marks : 0)))
		explore_fail("invariant T5: marks are wrong");
	return max_end;
}

/* A nested read, an upgrade, any other that waits. */
static int turn(const struct req *r)
{
	return r->state == REQ_UPGRADING ? 1 : r->flags & REQ_FIRST ? 0 : 2;
}

/* Does a come before b, which waits? */
static bool comes_before(const struct req *a, const struct req *b)
{
	if (a->node.start >= b->node.end || b->node.start >= a->node.end ||
	    !modes_conflict(a->mode, b->mode) || b->state == REQ_HELD)
		return false;
	if (a->state == REQ_HELD && (turn(b) < 2 || a->flags & REQ_FIRST))
		return true;
	if (a->state != REQ_HELD && turn(a) != turn(b))
		return turn(a) < turn(b);
	return a->arrival < b->arrival;
}

/* Of a vector all wait while one has to. */
static bool vector_waits(const struct req *r)
{
	if (!(r->flags & REQ_VECTOR) || r->state == REQ_HELD)
		return false;
	for (uint32_t i = 0; i < r->vector.leader->vector.n; i++)
		if (nth_req(r->vector.leader, i)->blockers)
			return true;
	return false;
}

/* E6: bits 0 and 1 are what it holds, 2 and 3 what it wants. */
static unsigned mark(const struct req *r)
{
	unsigned write = r->mode == RANGELOCK_WRITE;

	if (r->state == REQ_UPGRADING)
		return 1 | 8;
	return (r->state == REQ_HELD ? 1u : 4u) << write;
}

/* Does one that has passed hold what r waits for? */
static bool obstructed(const struct census *c, const struct req *r)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->all[i]->state == REQ_HELD && c->all[i] != r &&
		    c->all[i]->node.start < r->node.end && r->node.start < c->all[i]->node.end &&
		    modes_conflict(c->all[i]->mode, r->mode))
			return true;
	return false;
}

static void check_engine(struct lock *lock)
{
	struct census c = { .n = 0 };

	check_subtree(lock->tree.root, NULL, &c);
	if (c.n < 2 && itree_empty(&lock->reserved) && !sees_all(lock) &&
	    !(c.all[0]->flags & REQ_INVITED))
		explore_fail("invariant F1: one request in the engine, alone");
	for (unsigned i = 0; i < c.n; i++) {
		const struct req *r = c.all[i];
		uint32_t blockers = 0;

		if (i && r->node.start < c.all[i - 1]->node.start)
			explore_fail("invariant T1: out of order");
		for (unsigned k = 0; k < c.n; k++)
			blockers += k != i && comes_before(c.all[k], r);
		if (r->blockers != blockers)
			explore_fail("invariant E1: a request counts %u blockers, and has %u",
				     r->blockers, blockers);
		bool invited = r->state == REQ_WAITING && r->flags & REQ_INVITED;
		bool ready = r->node.mark & 32;
		if ((r->state == REQ_HELD) !=
		    (blockers == 0 && !vector_waits(r) && !invited && !ready))
			explore_fail("invariant E2: %u blockers, state %u", blockers, r->state);
		if ((r->node.mark & 15) != mark(r))
			explore_fail("invariant E6: mark %u of state %u", r->node.mark, r->state);
		if (ready && (invited || blockers || !obstructed(&c, r)))
			explore_fail("invariant B3: ready, but nothing is in its way");
		if ((invited || ready) && !barging)
			explore_fail("invariant B4: a grant is due, not an invitation");
		for (unsigned k = 0; k < i; k++)
			if (r->state == REQ_HELD && c.all[k]->state == REQ_HELD &&
			    r->node.start < c.all[k]->node.end &&
			    modes_conflict(r->mode, c.all[k]->mode) &&
			    c.all[k]->node.start < r->node.end)
				explore_fail("exclusion: two holders in the tree conflict");
		if (waits_in(lock, r) != (r->state != REQ_HELD))
			explore_fail("invariant E4: its place is wrong");
	}
}

/* Who changes what it holds holds both for a while; a tail is there before the whole leaves. */
NOTES static bool is_changing(const struct list_node *const all[], unsigned count, unsigned i)
{
	unsigned held = 0;

	for (unsigned k = 0; k < count; k++)
		held += all[k]->owner == all[i]->owner &&
			(PEEK(&all[k]->state) & STATE_PHASE) == STATE_HELD;
	return held > 1;
}

/* Of a list all that can be found and is not marked. */
NOTES static void check_list(uintptr_t word)
{
	const struct list_node *all[2 * REQS], *n = to_node(word);
	unsigned count = 0;

	for (unsigned length = 0; n; length++) {
		uintptr_t next = PEEK(&n->next);

		if (length == 64)
			explore_fail("list: it has no end");
		if (!(next & NEXT_MARK) && count < 2 * REQS)
			all[count++] = n;
		n = to_node(next);
	}
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < i; k++) {
			uint32_t a = whole_state(all[i]), b = whole_state(all[k]);

			if (all[k]->start > all[i]->start)
				explore_fail("list: out of order");
			if (all[i]->start >= all[k]->end || all[k]->start >= all[i]->end)
				continue;
			if ((a & STATE_PHASE) == STATE_HELD && (b & STATE_PHASE) == STATE_HELD &&
			    !is_changing(all, count, i) && !is_changing(all, count, k) &&
			    (a | b) & STATE_WRITE)
				explore_fail("list: two holders conflict");
			if ((a & STATE_PHASE) == STATE_RESERVED &&
			    (b & STATE_PHASE) == STATE_RESERVED)
				explore_fail("list: two reservations overlap");
		}
}

NOTES static void step_on_list(void)
{
	uintptr_t word = buried ? WORD_DEAD : PEEK(&to_lock(&o_lock)->word);

	if (is_node(word))
		check_list(word);
}

void o_step(void)
{
	struct lock *lock = to_lock(&o_lock);

	if (on_list) {
		step_on_list();
		return;
	}
	uintptr_t word = buried ? WORD_DEAD : rl_load(&lock->word, relaxed);

	if (word == last_word)
		return;
	last_word = word;
	if (word == WORD_DEAD || (!(word & WORD_FAST) && (word & WORD_LOCKED)))
		return;
	bool empty = itree_empty(&lock->tree) && itree_empty(&lock->reserved);

	if (sees_all(lock) ? word != WORD_ENGINE : (word == WORD_ENGINE) == empty)
		explore_fail("invariant F1: word %#lx, and the engine is %s", (unsigned long)word,
			     empty ? "empty" : "not empty");
	else if (word == WORD_ENGINE && !itree_empty(&lock->tree))
		check_engine(lock);
}

/* ---- Beginning and end ---- */

void o_setup(void)
{
	static const char *const names[REQS] = { "req 0", "req 1", "req 2", "req 3",
						 "req 4", "req 5", "req 6", "req 7" };

	explore_renew(&o_lock, sizeof(o_lock));
	explore_renew(o_reqs, sizeof(o_reqs));
	memset(&o_lock, 0, sizeof(o_lock));
	memset(o_reqs, 0, sizeof(o_reqs));
	memset(data, 0, sizeof(data));
	memset(holders, 0, sizeof(holders));
	memset(call_of, 0, sizeof(call_of));
	memset(next_of, 0, sizeof(next_of));
	barging = false;
	on_list = next_on_list;
	seam_keeps = next_keeps;
	to_lock(&o_lock)->engine = on_list ? RANGELOCK_LIST : RANGELOCK_TREE;
	rl_pool_forget();
	n_reservations = 0;
	n_calls = cancels = canceled = perhaps_canceled = moves = drops = 0;
	last_word = 0;
	buried = false;
	explore_name(&o_lock, sizeof(o_lock), "lock");
	for (unsigned i = 0; i < REQS; i++)
		explore_name(&o_reqs[i], sizeof(o_reqs[i]), names[i]);
}

void o_setup_barging(void)
{
	static const struct rangelock_attr attr = { .flags = RANGELOCK_BARGING };

	o_setup();
	barging = true;
	rangelock_init(&o_lock, &attr);
}

void o_put_on_list(void (*setup)(void))
{
	next_on_list = true;
	setup();
	next_on_list = false;
}

void o_keep_on_list(void (*setup)(void))
{
	next_keeps = true;
	o_put_on_list(setup);
	next_keeps = false;
}

void o_bury(void)
{
	buried = true;
	explore_free(&o_lock, sizeof(o_lock));
}

void o_check(void)
{
	judge_answers();
	judge_reservations();
	if (!buried &&
	    !(on_list ? o_idle() : PEEK(&to_lock(&o_lock)->word) == first_word(to_lock(&o_lock))))
		explore_fail("the end: the lock word is not idle");
	if (!buried && rangelock_destroy(&o_lock)) /* which takes nodes out of it */
		explore_fail("the end: something is left in the lock");
	if (explore_nodes())
		explore_fail("the end: %d nodes of lists are in use", explore_nodes());
}
