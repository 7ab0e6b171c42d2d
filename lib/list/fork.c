/* SPDX-License-Identifier: BSD-2-Clause */
/* The child of a fork: fork.h; list.c has the invariants, K1 to K4. */
#include "list/fork.h"

#include "list/contend.h"
#include "list/list.h"
#include "list/reserve.h"
#include "wait/wait.h"

/* The child has its forking thread alone. */
static bool is_gone(const struct record *r)
{
	return r != rl_rcu_record();
}

static uint32_t phase_of(const struct list_node *n)
{
	return rl_load(&n->state, relaxed) & STATE_PHASE;
}

static bool has_left(const struct list_node *n)
{
	return rl_load(&n->next, relaxed) & NEXT_MARK;
}

/* Who locked the word is gone: as it was, or a list.  Its holder may have let go of what was made,
 * and be gone as well; in the middle of that it is in a call of its own. */
static void unlock_word(struct lock *lock)
{
	uintptr_t word = rl_load(&lock->word, relaxed);

	if (!is_taken(word))
		return;
	const struct call *c = call_in(word);
	struct list_node *x = c->made;
	if (x && !has_left(x) && phase_of(x) != STATE_GONE)
		set_held(lock, c->holder, x);
	rl_store(&lock->word, x ? (uintptr_t)x : fast_word(c->holder), relaxed);
}

/* x holds: so does its owner. */
static void finish_arrival(const struct call *c)
{
	struct call call = { .lock = c->lock };

	rl_list_begin(&call);
	rl_rcu_read_lock();
	for (struct list_node *m = first_member(c->x); m; m = next_member(c->x, m))
		if (rl_load(&m->state, relaxed) & STATE_WRITE)
			rl_list_revoke(c->lock, m);
	rl_rcu_read_unlock();
	rl_list_end(&call);
	rl_list_accept(c->lock, c->x);
}

static void finish_reservation(const struct call *c)
{
	set_range(c->x->owner, c->x);
	set_reserved(c->lock, c->x->owner, c->x);
}

/* old leaves. */
static void finish_departure(const struct call *c)
{
	if (c->x)
		rl_list_move_to(c->lock, c->x);
	else
		set_idle(c->old->owner);
	rl_store(&c->old->state, STATE_GONE, relaxed);
}

/* Neither x nor tail comes. */
static void take_back(const struct call *c)
{
	rl_list_withdraw(c->lock, c->x, c->old);
	if (c->tail) {
		set_idle(c->tail->owner);
		rl_store(&c->tail->state, STATE_GONE, relaxed);
	}
}

/* K2 */
static void resolve(const struct call *c)
{
	unlock_word(c->lock);
	if (c->old && (!c->x || has_left(c->old)))
		finish_departure(c);
	else if (!c->x || c->x->owner != c->req)
		return;
	else if (phase_of(c->x) == STATE_RESERVED)
		finish_reservation(c);
	else if (phase_of(c->x) == STATE_HELD && !c->old)
		finish_arrival(c);
	else
		take_back(c);
}

/* Does the owner of n, which holds, know? */
static bool is_told(const struct lock *lock, const struct list_node *n)
{
	return holds_here(lock, n->owner) || /* or it waits already for more */
	       (waits_here(lock, n->owner) && rl_load(&n->owner->list_node, relaxed) != n);
}

/* n was submitted, has not left, and may have been in the hands of one who is gone. */
static void adopt(struct lock *lock, struct list_node *n)
{
	if (phase_of(n) <= STATE_PENDING)
		rl_list_owe(n);
	else if (phase_of(n) == STATE_HELD && !is_told(lock, n))
		set_held(lock, n->owner, n);
	else if (phase_of(n) == STATE_GONE && waits_here(lock, n->owner))
		set_idle(n->owner);
}

/* K4: this thread's own calls that are about to wait, and run a callback before, look again. */
static void wake_own(const struct lock *lock)
{
	const struct call *c = rl_load(&rl_rcu_record()->calls, relaxed);

	for (; c; c = c->outer)
		if (c->lock == lock && c->x && phase_of(c->x) == STATE_PENDING)
			rl_unpark(&c->x->park, PARK_INVITED);
}

/* K3: all who are GONE leave, nobody stands on a stack, and what was submitted is gone on with. */
static void mend(struct lock *lock)
{
	struct call call = { .lock = lock };
	struct answers answers;
	uintptr_t at = rl_load(&lock->word, relaxed);

	rl_list_begin(&call);
	rl_rcu_read_lock();
	for (struct list_node *n = is_node(at) ? to_node(at) : NULL; n; n = to_node(at)) {
		if (!has_left(n)) {
			if (rl_load(&n->state, relaxed) & STATE_SUBMITTED)
				adopt(lock, n);
			if ((state_of(n) & STATE_PHASE) == STATE_GONE)
				mark_node(n, NEXT_MARK);
		}
		rl_store(&n->waiters, has_left(n) ? WAITERS_CLOSED : 0, relaxed);
		at = rl_load(&n->next, relaxed);
	}
	rl_list_sweep(lock);
	rl_rcu_read_unlock();
	answers_init(&answers);
	rl_list_go_on(lock, &answers); /* callbacks are for those who are gone */
	rl_list_end(&call);
	wake_own(lock);
}

/* The lock is there still, where one of what r has woken, and is to go on with, has not ended (S3). */
static bool owes(const struct record *r)
{
	const struct list_node *n = rl_load(&r->pursued, relaxed);

	if (n && phase_of(n) != STATE_GONE)
		return true;
	for (n = rl_load(&r->due, relaxed); n; n = n->link)
		if (phase_of(n) != STATE_GONE)
			return true;
	return false;
}

static void mend_locks(const struct record *r)
{
	for (const struct call *c = rl_load(&r->calls, relaxed); c; c = c->outer)
		mend(c->lock);
	if (owes(r))
		mend(rl_load(&r->due_lock, relaxed));
}

static void forget(struct record *r)
{
	rl_store(&r->calls, NULL, relaxed);
	rl_store(&r->due, NULL, relaxed);
	rl_store(&r->pursued, NULL, relaxed);
	rl_store(&r->taken, 0, relaxed);
}

void rl_list_live_on(struct record *first)
{
	for (struct record *r = first; r; r = r->next)
		if (is_gone(r))
			for (struct call *c = rl_load(&r->calls, relaxed); c; c = c->outer)
				resolve(c);
	if (first) /* whom that has woken is found again */
		rl_store(&rl_rcu_record()->due, NULL, relaxed);
	for (struct record *r = first; r; r = r->next)
		if (is_gone(r)) {
			mend_locks(r);
			forget(r);
		}
}
