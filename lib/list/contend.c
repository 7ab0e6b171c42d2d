/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a node that is in the list: contend.h; list.c has the invariants. */
#include "list/contend.h"

#include <errno.h>

#include "base/rcu.h"
#include "list/fork.h"
#include "list/reserve.h"
#include "wait/wait.h"

_Static_assert(RL_MAX_BYPASS <= UINT32_MAX / STATE_BYPASS, "a state counts bypasses");

/* How many may have given up and stand behind one node still; tests make it small. */
#ifndef RL_LEFT_MAX
#define RL_LEFT_MAX 31
#endif

/* ---- Who waits for whom ---- */

static struct list_node *first_of(uintptr_t waiters)
{
	return (struct list_node *)(waiters & ~(uintptr_t)WAITERS_MASK);
}

static void wake(struct list_node *n)
{
	if (rl_load(&n->state, relaxed) & STATE_SUBMITTED)
		rl_list_owe(n);
	else if (rl_unpark(&n->park, PARK_INVITED) == PARK_ABANDONED) /* O5 */
		rl_pool_retire(n);
}

static void wake_all(uintptr_t waiters)
{
	struct list_node *n = first_of(waiters);

	while (n) {
		struct list_node *next = n->link; /* before it may be gone */

		wake(n);
		n = next;
	}
}

void rl_list_kick(struct list_node *q)
{
	uintptr_t waiters = rl_load(&q->waiters, seq_cst); /* N3 */

	while (!(waiters & WAITERS_CLOSED) && waiters)
		if (rl_cas(&q->waiters, &waiters, 0, acq_rel, relaxed)) { /* O4 */
			wake_all(waiters);
			return;
		}
}

/* Those who wait for x, which goes on. */
static void kick_all(struct list_node *x)
{
	for (struct list_node *m = first_member(x); m; m = next_member(x, m))
		rl_list_kick(m);
}

bool rl_list_wake_all(struct list_node *x)
{
	if (!rl_load(&x->waiters, seq_cst)) /* L14 */
		return false;
	wake_all(rl_exchange(&x->waiters, WAITERS_CLOSED, acq_rel)); /* O4 */
	return true;
}

/* Is it KEPT, or has it just been? */
static bool is_nobodys(struct list_node *q)
{
	uint32_t phase = state_of(q) & STATE_PHASE;

	return phase == STATE_KEPT || phase == STATE_GONE;
}

/* Have x woken when q stops being in its way.  False: it has left. */
static bool stand_behind(struct list_node *x, struct list_node *q)
{
	uintptr_t waiters = rl_load(&q->waiters, acquire); /* O4 */

	do {
		if (waiters & WAITERS_CLOSED)
			return false;
		x->link = first_of(waiters);
	} while (!rl_cas(&q->waiters, &waiters, (uintptr_t)x | (waiters & WAITERS_MASK), seq_cst,
			 acquire));		    /* O4 */
	if (rl_load(&q->next, seq_cst) & NEXT_MARK) /* L14 */
		rl_list_wake_all(q);
	else if (is_nobodys(q)) /* N3 */
		rl_list_kick(q);
	return true;
}

/* One that stands behind q has given up.  Once many have, q lets go of them. */
static void count_left(struct list_node *q)
{
	uintptr_t waiters = rl_load(&q->waiters, relaxed);

	while (!(waiters & WAITERS_CLOSED)) {
		if ((waiters & WAITERS_MASK) / WAITERS_LEFT >= RL_LEFT_MAX) {
			rl_list_kick(q);
			return;
		}
		if (rl_cas(&q->waiters, &waiters, waiters + WAITERS_LEFT, relaxed, relaxed))
			return;
	}
}

void rl_list_count_left(struct lock *lock, const struct list_node *x, const struct list_node *q)
{
	uintptr_t at = rl_load(&lock->word, acquire); /* O2 */

	if (!is_node(at))
		return;
	for (struct list_node *n = to_node(at); n; n = to_node(rl_load(&n->next, acquire)))
		if (q ? n == q : n->start < x->end && x->start < n->end)
			count_left(n);
}

void rl_list_part(struct lock *lock, struct list_node *x)
{
	struct list_node *next = to_node(mark_node(x, NEXT_MARK | NEXT_LEFT));

	if (rl_list_wake_all(x))
		rl_list_unlink(lock, x);
	else
		tidy_up(lock, next);
}

void rl_list_leave(struct lock *lock, struct list_node *x)
{
	mark_node(x, NEXT_MARK);
	rl_list_wake_all(x);
	rl_list_unlink(lock, x);
}

/* q holds, and w, which waits for what it holds in place of, is to wait for it as well. */
static bool moves_behind(struct list_node *w, struct list_node *q)
{
	uint32_t s = rl_load(&w->state, relaxed);

	if ((s & STATE_PHASE) != STATE_PENDING ||
	    !nodes_conflict(w, s, q, rl_load(&q->state, relaxed)))
		return false;
	stand_behind(w, q); /* which does not leave before this call returns */
	return true;
}

/* Before the old node leaves. */
static void count_growth(struct lock *lock)
{
	uint32_t growths = rl_load(&lock->growths, relaxed);

	while (!rl_cas(&lock->growths, &growths, growths + 1, acq_rel, relaxed)) /* L10, O9 */
		;
}

void rl_list_replace(struct lock *lock, struct list_node *x, struct list_node *y,
		     struct list_node *tail)
{
	if (y->start < x->start)
		count_growth(lock);
	mark_node(x, NEXT_MARK);
	struct list_node *w = first_of(rl_exchange(&x->waiters, WAITERS_CLOSED, acq_rel)); /* O4 */
	while (w) {
		struct list_node *next = w->link; /* before it may be gone */

		if (!moves_behind(w, y) && !(tail && moves_behind(w, tail)))
			wake(w);
		w = next;
	}
	rl_list_unlink(lock, x);
}

/* ---- Conflicts ---- */

/* Where they overlap.  Reservations leave readers alone. */
static bool conflict(uint32_t a, uint32_t b)
{
	uint32_t write = (a | b) & STATE_RESERVE ? a & b : a | b;

	return write & STATE_WRITE;
}

/* Both are TRYING. */
static bool goes_first(const struct list_node *x, uint32_t x_state, const struct list_node *q,
		       uint32_t q_state)
{
	bool x_has_ticket = x_state & STATE_TICKET, q_has_ticket = q_state & STATE_TICKET;

	if ((x_state ^ q_state) & STATE_RESERVE)
		return q_state & STATE_RESERVE;
	if (rank(x_state) != rank(q_state))
		return rank(x_state) > rank(q_state);
	if (x_has_ticket != q_has_ticket)
		return x_has_ticket;
	return x_has_ticket ? x->ticket < q->ticket : x < q;
}

/* How x looks at others. */
struct look {
	struct lock *lock;
	uint32_t mine;		      /* its state */
	uint32_t mode;		      /* the state of that member of it which looks */
	const struct list_node *held; /* NULL, or what x, a try, is to grow out of */
	bool passing;		      /* count it, where it passes one that waits */
	bool passed;		      /* there is one that it has passed without counting */
	bool reserved;		      /* there is a reservation */
	bool met;		      /* there is anybody who conflicts */
	/* What is in its way last, and best to wait for: the state, and whose that is. */
	uint32_t theirs, best_state;
	const struct list_node *head, *best_head;
	struct list_node *best;
};

/* Two upgrades, each of which holds what the other waits for. */
static bool is_deadlock(uint32_t mine, uint32_t theirs)
{
	return mine & theirs & STATE_UPGRADE; /* neither is HELD while the other's read is */
}

/* x, a try, is to take the place of held.  q overlaps x, but nothing of it that is new, and
 * waits for held anyway: so x does not pass it. */
static bool waits_anyway(const struct list_node *q, uint32_t theirs, const struct list_node *x,
			 const struct list_node *held)
{
	return (held->start <= q->start || held->start == x->start) &&
	       (q->end <= held->end || x->end == held->end) &&
	       nodes_conflict(q, theirs, held, rl_load(&held->state, relaxed));
}

/* Is n, which overlaps a member of x, in the way of x, which is TRYING? */
static bool is_in_the_way(struct list_node *x, struct list_node *n, struct look *look)
{
	uint32_t own = rl_load(&n->state, seq_cst), s = own; /* L4 */
	struct list_node *q = n, *next;

	if (!conflict(own, look->mode))
		return false;
	if (own & STATE_FOLLOWER) {
		q = n->head;
		s = rl_load(&q->state, seq_cst); /* L4, V2 */
	}
	look->head = q;
	for (;;) {
		uint32_t phase = s & STATE_PHASE;

		look->theirs = s;
		look->met = look->met || (phase != STATE_GONE && phase != STATE_KEPT);
		switch (phase) {
		case STATE_HELD:
			return true;
		case STATE_GONE:
			return false;
		case STATE_KEPT:
			if (give_notice(q, &next)) {
				tidy_up(look->lock, next);
				return false;
			}
			s = rl_load(&q->state, seq_cst);
			break;
		case STATE_RESERVED:
			look->reserved = true;
			return look->mine & STATE_RESERVE;
		case STATE_TRYING:
			if (!goes_first(x, look->mine, q, s))
				return true;
			if (s & STATE_BEATEN ||
			    rl_cas(&q->state, &s, s | STATE_BEATEN, seq_cst, seq_cst)) /* L4 */
				return false;
			break;
		default: /* PENDING */
			if (s & STATE_CANCELED ||
			    (look->held && waits_anyway(n, own, x, look->held)))
				return false;
			if (look->mine & STATE_RESERVE)
				return true;
			if (rank(s) && rank(s) >= rank(look->mine))
				return true;
			if (look->mine & STATE_TICKET && !rank(look->mine))
				return q->ticket < x->ticket;
			if (s / STATE_BYPASS >= RL_MAX_BYPASS)
				return !rank(look->mine);
			if (!look->passing) {
				look->passed = true;
				return false;
			}
			if (rl_cas(&q->state, &s, s + STATE_BYPASS, seq_cst, seq_cst))
				return false;
		}
	}
}

/* Of those in its way the one to wait for: the last before it that has a ticket itself, since
 * all who wait for the same one are woken at once. */
static void choose(struct look *look, struct list_node *q)
{
	bool holds = (look->theirs & STATE_PHASE) == STATE_HELD;

	if (!look->best || (!holds && look->theirs & STATE_TICKET &&
			    (!(look->best_state & STATE_TICKET) ||
			     look->best_head->ticket < look->head->ticket))) {
		look->best = q;
		look->best_head = look->head;
		look->best_state = holds ? look->theirs & ~(uint32_t)STATE_TICKET : look->theirs;
	}
}

/* What is in the way of member m of x?  False: there is no need to look further. */
static bool look_along(struct lock *lock, struct list_node *x, struct list_node *m,
		       struct look *look)
{
	uintptr_t at = rl_load(&lock->word, seq_cst); /* L4: a node, since m is one */

	look->mode = rl_load(&m->state, relaxed);
	for (struct list_node *n = to_node(at); n && n->start < m->end; n = to_node(at)) {
		at = rl_load(&n->next, seq_cst); /* L4 */
		if (n->owner == m->owner && !is_kept(n))
			continue;
		if (at & NEXT_MARK || n->end <= m->start || !is_in_the_way(x, n, look))
			continue;
		/* Who has no ticket does not choose. */
		if (is_deadlock(look->mine, look->theirs) ||
		    (!(look->mine & (STATE_TICKET | STATE_UPGRADE)) &&
		     (look->theirs & STATE_PHASE) != STATE_TRYING)) {
			look->best = n;
			look->best_state = look->theirs;
			return false;
		}
		choose(look, n);
	}
	return true;
}

static void look_around(struct lock *lock, struct list_node *x, struct look *look)
{
	for (struct list_node *m = first_member(x); m; m = next_member(x, m))
		if (!look_along(lock, x, m, look))
			return;
}

/* NULL: nothing is in the way of x, which is to grow out of held, unless that is NULL. */
static struct list_node *obstacle(struct lock *lock, struct list_node *x,
				  const struct list_node *held, struct look *look)
{
	*look = (struct look){ .lock = lock, .mine = rl_load(&x->state, relaxed), .held = held };
	look_around(lock, x, look);
	if (!look->best && look->passed) {
		look->passing = true;
		look_around(lock, x, look);
	}
	return look->best;
}

/* ---- One request ---- */

/* Where a lock is not aligned for a word of 64 bits all locks share one. */
_Atomic uint64_t *rl_list_tickets(struct lock *lock)
{
#if UINTPTR_MAX > UINT32_MAX
	return &lock->tickets;
#else
	static _Atomic uint64_t tickets;

	(void)lock;
	return &tickets;
#endif
}

bool rl_list_cancel_one(struct list_node *x, uint32_t kind)
{
	uint32_t s = rl_load(&x->state, seq_cst);

	while (s & kind && !(s & STATE_CANCELED) && (s & STATE_PHASE) <= STATE_PENDING)
		if (rl_cas(&x->state, &s, s | STATE_CANCELED, seq_cst, seq_cst)) {
			rl_interrupt(&x->park);
			return true;
		}
	return false;
}

enum verdict { DECIDED, BEATEN, CANCELED };

/* x is TRYING, and becomes what it has found out. */
static enum verdict decide(struct list_node *x, uint32_t phase, bool familiar)
{
	uint32_t s = rl_load(&x->state, relaxed);
	const uint32_t cleared = STATE_PHASE | STATE_BEATEN | STATE_ASKED |
				 (familiar ? 0 : STATE_FAMILIAR);

	for (;;) {
		if (s & STATE_CANCELED)
			return CANCELED;
		if ((phase == STATE_HELD || phase == STATE_RESERVED) && s & STATE_BEATEN) {
			if (rl_cas(&x->state, &s, s & ~(uint32_t)STATE_BEATEN, seq_cst, seq_cst))
				return BEATEN; /* L4 */
		} else if (rl_cas(&x->state, &s, (s & ~cleared) | phase, seq_cst,
				  seq_cst)) { /* L4 */
			if (s & STATE_ASKED)
				kick_all(x);
			return DECIDED;
		}
	}
}

/* x is TRYING, and nothing is in its way.  Every grant is made here, and a write ends the
 * reservations that were in its last look, a commit its own: no other can have come since
 * (M2). */
static inline enum verdict take(struct lock *lock, struct list_node *x, const struct look *look)
{
	bool reserves = look->mine & STATE_RESERVE;
	enum verdict verdict = decide(x, reserves ? STATE_RESERVED : STATE_HELD, !look->met);

	if (verdict == DECIDED && (look->reserved || look->mine & STATE_COMMIT))
		for (struct list_node *m = first_member(x); m; m = next_member(x, m))
			if (rl_load(&m->state, relaxed) & STATE_WRITE)
				rl_list_revoke(lock, m);
	return verdict;
}

/* False: it has to look again before. */
static bool take_ticket(struct lock *lock, struct list_node *x)
{
	uint64_t tickets = rl_load(rl_list_tickets(lock), relaxed);
	uint32_t s = rl_load(&x->state, relaxed);
	bool beaten;

	while (!rl_cas(rl_list_tickets(lock), &tickets, tickets + 1, seq_cst, relaxed)) /* N2 */
		;
	x->ticket = tickets;
	for (struct list_node *m = first_member(x); m; m = next_member(x, m))
		set_waiting(lock, m->owner, m);
	do
		beaten = s & STATE_UPGRADE && s & STATE_BEATEN; /* L11 */
	while (!rl_cas(&x->state, &s, (s & ~(uint32_t)STATE_BEATEN) | (beaten ? 0 : STATE_TICKET),
		       seq_cst, seq_cst)); /* L4 */
	return !beaten;
}

/* PENDING -> TRYING.  False: it is canceled. */
static bool try_again(struct list_node *x)
{
	uint32_t s = rl_load(&x->state, relaxed);

	do {
		if (s & STATE_CANCELED)
			return false;
	} while (
	    !rl_cas(&x->state, &s, s - STATE_PENDING + STATE_TRYING, seq_cst, seq_cst)); /* L4 */
	return true;
}

/* Those behind q want to know what it decides. */
static void ask(struct list_node *q)
{
	uint32_t s = rl_load(&q->state, seq_cst);
	struct list_node *head = q;

	if (s & STATE_FOLLOWER) {
		head = q->head;
		s = rl_load(&head->state, seq_cst);
	}
	while ((s & STATE_PHASE) == STATE_TRYING)
		if (s & STATE_ASKED || rl_cas(&head->state, &s, s | STATE_ASKED, seq_cst, seq_cst))
			return;
	rl_list_kick(q);
}

void rl_list_accept(struct lock *lock, struct list_node *x)
{
	uint32_t s = rl_load(&x->state, relaxed);

	for (struct list_node *m = first_member(x); m; m = next_member(x, m)) {
		set_range(m->owner, m);
		if (s & STATE_VECTOR)
			rl_store(&m->state,
				 STATE_HELD | (rl_load(&m->state, relaxed) & STATE_WRITE),
				 relaxed); /* V2 */
		set_held(lock, m->owner, m);
	}
}

void rl_list_withdraw(struct lock *lock, struct list_node *x, struct list_node *held)
{
	uint32_t s = rl_load(&x->state, relaxed);

	rl_store(&x->state, STATE_GONE | (s & (STATE_VECTOR | STATE_COMMIT)), release);
	for (struct list_node *m = first_member(x); m; m = next_member(x, m))
		if (held)
			set_node(lock, m->owner, held);
		else if (s & STATE_COMMIT)
			rl_list_uncommit(lock, m->owner);
		else if (waits_here(lock, m->owner))
			set_idle(m->owner);
}

/* End the wait of x, which is GONE or CANCELED; behind is on whose stack it may stand. */
static void give_up(struct lock *lock, struct list_node *x, const struct list_want *want,
		    const struct list_node *behind)
{
	struct list_node *next;

	rl_rcu_read_lock();
	rl_list_withdraw(lock, x, want->held);
	for (struct list_node *m = first_member(x); m; m = next_member(x, m))
		rl_list_leave(lock, m);
	if (behind)
		rl_list_count_left(lock, x, behind);
	rl_list_end(rl_load(&rl_rcu_record()->calls, relaxed)); /* K1 */
	rl_rcu_read_unlock();
	for (struct list_node *m = first_member(x); m && m != x; m = next) {
		next = next_member(x, m);
		rl_pool_retire(m);
	}
	/* Whoever comes for it afterwards retires it. */
	if (!behind || rl_exchange(&x->park, PARK_ABANDONED, acq_rel) == PARK_INVITED) /* O5 */
		rl_pool_retire(x);
}

int rl_list_contend(struct lock *lock, struct list_node *x, const struct list_want *want)
{
	const struct timespec *abstime = want->abstime;
	bool has_ticket = false;

	for (;;) {
		struct list_node *behind = NULL;
		enum verdict verdict;
		struct look look;
		int error = 0;

		struct list_node *q = obstacle(lock, x, want->try ? want->held : NULL, &look);
		if (!q) {
			verdict = take(lock, x, &look);
			rl_rcu_read_unlock();
			if (verdict == DECIDED)
				return 0;
			error = verdict == CANCELED ? ECANCELED : 0;
		} else if (is_deadlock(look.mine, look.best_state)) {
			rl_rcu_read_unlock();
			error = EDEADLK;
		} else if (want->try && (look.best_state & STATE_PHASE) == STATE_TRYING) {
			/* Not before it is known what comes of that one. */
			bool stands = stand_behind(x, q);
			if (stands)
				ask(q);
			rl_rcu_read_unlock();
			if (stands) {
				rl_park(&x->park, 0, NULL);
				rl_store(&x->park, PARK_WAITING, relaxed);
			}
			rl_rcu_read_lock();
			continue;
		} else if (want->try) {
			rl_rcu_read_unlock();
			error = EBUSY;
		} else if (!has_ticket) {
			rl_rcu_read_unlock();
			if (abstime && (abstime->tv_nsec < 0 || abstime->tv_nsec > 999999999))
				error = EINVAL;
		} else {
			uint32_t crowd = (look.best_state & STATE_PHASE) == STATE_HELD ? 1 : 2;

			verdict = decide(x, STATE_PENDING, false);
			bool stands = verdict == DECIDED && stand_behind(x, q);
			rl_rcu_read_unlock();
			if (verdict == CANCELED) {
				error = ECANCELED;
			} else if (stands) {
				rl_list_will_wait(lock);
				enum park answer = rl_park(&x->park, crowd, abstime);

				if (answer == PARK_INVITED)
					rl_store(&x->park, PARK_WAITING, relaxed);
				else
					behind = q;
				if (answer == PARK_TIMED_OUT)
					error = decide(x, STATE_GONE, false) == CANCELED
						    ? ECANCELED
						    : ETIMEDOUT;
			}
			if (!error && !try_again(x))
				error = ECANCELED;
		}
		if (error) {
			give_up(lock, x, want, behind);
			return error;
		}
		if (!has_ticket && !want->try)
			has_ticket = take_ticket(lock, x);
		rl_rcu_read_lock();
	}
}

enum outcome rl_list_pursue(struct lock *lock, struct list_node *x)
{
	if ((rl_load(&x->state, relaxed) & STATE_PHASE) != STATE_TRYING && !try_again(x))
		return ENDED;
	for (;;) {
		struct look look;
		struct list_node *q = obstacle(lock, x, NULL, &look);

		if (q && !(rl_load(&x->state, relaxed) & STATE_TICKET)) {
			take_ticket(lock, x);
			continue;
		}
		switch (q ? decide(x, STATE_PENDING, false) : take(lock, x, &look)) {
		case CANCELED:
			return ENDED;
		case BEATEN:
			break;
		case DECIDED:
			if (!q)
				return HOLDS;
			if (stand_behind(x, q))
				return WAITS;
			if (!try_again(x))
				return ENDED;
		}
	}
}
