/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle's own notes are no part of what is explored: NOTES marks what the
 * explorer is not to see.
 */
#include "explore/oracle.h"

#include <errno.h>
#include <string.h>

#include "front/word.h"
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
	struct want want;
	bool alive; /* from before the lock call until after the unlock */
	int result;
	uint32_t met; /* conflicting calls that were alive with it */
} calls[MAX_CALLS];
static unsigned n_calls;
static struct call *call_of[REQS];
static unsigned cancels, canceled;

NOTES static bool conflict(const struct want *a, const struct want *b)
{
	return a->start < b->end && b->start < a->end &&
	       (a->mode == RANGELOCK_WRITE || b->mode == RANGELOCK_WRITE);
}

NOTES static void begin_call(unsigned req, const struct want *want)
{
	struct call *call = &calls[n_calls];

	if (n_calls == MAX_CALLS)
		explore_fail("scenario: too many calls");
	call->want = *want;
	call->alive = true;
	call->result = -1;
	call->met = 0;
	for (unsigned i = 0; i < n_calls; i++)
		if (calls[i].alive && conflict(&calls[i].want, want)) {
			call->met |= 1u << i;
			calls[i].met |= 1u << n_calls;
		}
	call_of[req] = call;
	n_calls++;
}

NOTES static void end_call(unsigned req, int result)
{
	struct call *call = call_of[req];
	enum patience p = call->want.patience;

	call->result = result;
	call->alive = result == 0;
	canceled += result == ECANCELED;
	if (result && !(result == EBUSY && p == TRIES) &&
	    !(result == ETIMEDOUT && p == WAITS_FOR_A_TIME) && !(result == ECANCELED && p != TRIES))
		explore_fail("answer: a lock call answered errno %d", result);
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
	if (cancels != canceled)
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

int o_take(unsigned req, const struct want *want)
{
	begin_call(req, want);
	int result = call_lock(req, want);
	end_call(req, result);
	if (!result)
		hold(&call_of[req]->want);
	return result;
}

NOTES static const struct want *want_of(unsigned req)
{
	return &call_of[req]->want;
}

NOTES static void end_life(struct call *call)
{
	call->alive = false;
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

NOTES static void count_cancel(void)
{
	cancels++;
}

/* The call that waits with req in o_lock, not elsewhere; or NULL. */
NOTES static const struct call *waiting_call(unsigned req)
{
	const struct req *r = to_req(&o_reqs[req]);

	return r->state == REQ_WAITING && r->lock == to_lock(&o_lock) ? call_of[req] : NULL;
}

void o_cancel(unsigned req)
{
	const struct call *waited = waiting_call(req);
	int error = rangelock_cancel(&o_lock, &o_reqs[req]);

	if (error == 0)
		count_cancel();
	else if (error != EBUSY)
		explore_fail("answer: cancel answered errno %d", error);
	else if (waited && waiting_call(req) == waited)
		explore_fail("answer: cancel does not find one who waits");
}

/* ---- Looks ---- */

struct picture {
	struct rangelock_info all[REQS];
	unsigned n;
};

NOTES static int collect(const struct rangelock_info *info, void *arg)
{
	struct picture *p = arg;

	if (p->n == REQS)
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
	unsigned drops, calls;
};

NOTES static struct knowledge know(unsigned unit)
{
	struct knowledge k = { holders[unit] != 0, true, drops, n_calls };

	for (unsigned i = 0; i < n_calls; i++)
		if (calls[i].alive && calls[i].want.start <= unit && unit < calls[i].want.end)
			k.free = false;
	return k;
}

/* One has looked, and seen it held or not: was it the other all the time? */
NOTES static void judge_look(const char *how, unsigned unit, bool seen, struct knowledge before)
{
	struct knowledge after = know(unit);

	if (seen && before.free && after.free && before.calls == after.calls)
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
	judge_picture(&picture);
	judge_look("walk", unit, shows(&picture, unit), before);
}

NOTES bool o_waits(unsigned req)
{
	return to_req(&o_reqs[req])->state == REQ_WAITING;
}

bool o_idle(void)
{
	return rl_load(&to_lock(&o_lock)->word, relaxed) == WORD_IDLE;
}

/* ---- Inside ---- */

static uintptr_t last_word;
static bool buried;

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
	return max_end;
}

static bool reqs_conflict(const struct req *a, const struct req *b)
{
	return a->node.start < b->node.end && b->node.start < a->node.end &&
	       modes_conflict(a->mode, b->mode);
}

static void check_engine(struct lock *lock)
{
	struct census c = { .n = 0 };

	check_subtree(lock->tree.root, NULL, &c);
	if (c.n < 2)
		explore_fail("invariant F1: one request in the engine, alone");
	for (unsigned i = 0; i < c.n; i++) {
		const struct req *r = c.all[i];
		uint32_t blockers = 0;

		if (i && r->node.start < c.all[i - 1]->node.start)
			explore_fail("invariant T1: out of order");
		for (unsigned k = 0; k < c.n; k++)
			blockers += k != i && c.all[k]->arrival < r->arrival &&
				    reqs_conflict(c.all[k], r);
		if (r->blockers != blockers)
			explore_fail("invariant E1: a request counts %u blockers, and has %u",
				     r->blockers, blockers);
		if ((r->state == REQ_HELD) != (blockers == 0))
			explore_fail("invariant E2: %u blockers, state %u", blockers, r->state);
		if ((rl_load(&r->waits_on, relaxed) == lock) != (r->state == REQ_WAITING))
			explore_fail("invariant E4: waits_on is wrong");
	}
}

void o_step(void)
{
	struct lock *lock = to_lock(&o_lock);
	uintptr_t word = buried ? WORD_DEAD : rl_load(&lock->word, relaxed);

	if (word == last_word)
		return;
	last_word = word;
	if (word == WORD_DEAD || (!(word & WORD_FAST) && (word & WORD_LOCKED)))
		return;
	if ((word == WORD_ENGINE) == itree_empty(&lock->tree))
		explore_fail("invariant F1: word %#lx, and the engine is %s", (unsigned long)word,
			     itree_empty(&lock->tree) ? "empty" : "not empty");
	else if (word == WORD_ENGINE)
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
	n_calls = cancels = canceled = drops = 0;
	last_word = 0;
	buried = false;
	explore_name(&o_lock, sizeof(o_lock), "lock");
	for (unsigned i = 0; i < REQS; i++)
		explore_name(&o_reqs[i], sizeof(o_reqs[i]), names[i]);
}

void o_bury(void)
{
	buried = true;
	explore_free(&o_lock, sizeof(o_lock));
}

void o_check(void)
{
	judge_answers();
	if (buried)
		return;
	if (!o_idle())
		explore_fail("the end: the lock word is not idle");
	if (rangelock_destroy(&o_lock))
		explore_fail("the end: something is left in the lock");
}
