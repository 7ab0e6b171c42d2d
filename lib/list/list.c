/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list engine.
 *
 * Interface.  list.h.  The front calls it where its fast way has failed.
 *
 * Structure.  A sorted list of nodes, by start, without a lock.  The lock word is its
 * head (front/word.h): IDLE is the empty list, and one request alone is no node but the
 * word itself.  Every request that contends is a node of the list from its arrival to
 * its departure, those that wait included.  A node leaves when its `next` is marked;
 * it is unlinked by whoever comes by, and at the latest by its owner, who retires it.
 *
 * Common case.  Two compare-and-swaps to lock, to insert and to hold, and two to unlock,
 * to mark and to unlink, and nobody is told.  A request alone: one each, in the front.
 *
 * Conflict.  A node comes in TRYING, looks at all that overlap, and then holds, waits or
 * fails.  What it makes of those it meets:
 *
 *   HELD      is in the way.
 *   TRYING    one of the two goes first: one that has a ticket; of two the smaller ticket;
 *             without, the smaller address.  Whoever goes first tells the other that it
 *             is BEATEN, whose decision then fails, so that it looks again.
 *   PENDING   waits.  Who has no ticket passes it, and counts that, up to
 *             RANGELOCK_MAX_BYPASS times; who has one waits for smaller ones only.
 *   GONE      is nothing.
 *
 * Waiting.  Who cannot go on takes a ticket, looks once more as one who has it, and
 * pushes itself on the stack of one node that is in its way and goes before it
 * until that leaves: one that holds, or the last before it that waits too, so that a
 * release wakes one of many writers.  Who leaves closes its stack, and wakes all that stand
 * there; they look again.  So nobody is handed a range: it is free for whoever comes
 * first, within the bound.  A try waits for nobody's range, but for the decision of one
 * TRYING node that goes first, since that may fail itself.
 *
 * Reclamation.  Who follows links is in a read section, and a retired node is used again
 * after a grace period (base/rcu.h).  So addresses do not come back under anybody's hands.
 *
 * Invariants:
 *
 *   L1  A request is dereferenced on its address in the word only by a thread whose CAS
 *       replaced that word by LOCKED: its unlock then waits until the word is
 *       something else, so the memory lives.  LOCKED is for that alone: no call that finds a
 *       list ever waits for it.
 *   L2  A node that was in the list when somebody began to go through it from the word, and
 *       is not marked when he comes to its place, is seen.  For it can be reached from
 *       every node before it that he may stand on: to insert keeps that; a marked node's
 *       link does not change; and to unlink one leads around that one alone.
 *   L3  A node is unlinked only from a link that is not marked, so it never comes back.  Where
 *       unlinking fails the way begins anew at the word: not at a predecessor that may
 *       have left.
 *   L4  Two nodes that conflict do not both hold.  Each is inserted, or becomes TRYING
 *       again, before it looks, and all of that is seq_cst.  Of the last looks of the two
 *       say that B began to try after A.  B sees A (L2), not GONE and not waiting, since
 *       this was A's last look: if it holds, B does not; if A goes first, B does not before
 *       A has left; if B goes first, it has made A look again.  The same order lets a waiting
 *       node that is passed, or is ignored for its larger ticket, see who did that when it looks
 *       again.
 *   L5  Who sleeps stands on the stack of a node that goes before it until it leaves: it holds,
 *       or has a smaller ticket, whatever its state.  Or it is a try, and that node is ASKED,
 *       and wakes it when it has decided.  Who has pushed itself before the stack is closed
 *       is woken, and nobody pushes himself afterwards.
 *   L6  Whoever has been pushed is answered once, by whoever takes the stack, to whom its node
 *       belongs if its owner has ABANDONED it meanwhile.  Behind one node at most
 *       RL_LEFT_MAX such nodes stand, and one for each thread.
 *   L7  The mark of a node is what frees its range; it may be followed at once by another
 *       thread's lock, unlock and destroy.  So unlock touches the lock after it only in a
 *       read section that has begun before it, and destroy waits for a grace period.
 *   L8  What cancel, walk, is_locked and destroy find is no older than their call: they use
 *       seq_cst where what they look for is written so, or a read-modify-write.
 *   L9  Of grant, time-out and cancel one wins, by the state: from PENDING its owner goes to
 *       TRYING or GONE, unless it is CANCELED first.
 *
 *   #   release                               acquire
 *   O1  the word: fast lock and unlock,       fast lock and unlock, settled_word()
 *       inflation, unlinking of the last
 *   O2  a link: insertion, unlinking (CAS)    whoever follows it: the node's range; and what
 *                                             holders did whose nodes are not there any more
 *   O3  mark (CAS)                            whoever finds the mark: what the holder did
 *   O4  a stack: push (CAS)                   exchange or CAS that takes it: links
 *       the same that closes it               push that fails: the mark
 *   O5  park: answer (exchange)               rl_park(), or the exchange to ABANDONED: it is
 *       the exchange to ABANDONED             on no stack; answer: the node is not used
 *
 * Progress.  Lock-free, but for L1, while nobody waits: who fails to insert, mark or unlink,
 * or is beaten, has been overtaken by one who did not.  Who waits is passed
 * RANGELOCK_MAX_BYPASS times at most, and then by nobody.  A call goes through all nodes below
 * its end three times: with n others in the list it takes O(n).
 *
 * After Kogan, Dice and Issa, "Scalable Range Locks for Scalable Address Spaces and Beyond"
 * (EuroSys 2020); the list is Harris, "A pragmatic implementation of non-blocking
 * linked-lists" (DISC 2001), with Michael, "High performance dynamic lock-free hash tables and
 * list-based sets" (SPAA 2002).  Waiting, tickets and the bound are not in the paper.
 */
#include "list/list.h"

#include <errno.h>
#include <stddef.h>

#include "base/rcu.h"
#include "list/pool.h"
#include "list/state.h"
#include "wait/wait.h"

_Static_assert(RL_MAX_BYPASS < 1 << 23, "a state counts bypasses");

/* How many may have given up and stand behind one node still; tests make it small. */
#ifndef RL_LEFT_MAX
#define RL_LEFT_MAX 31
#endif

/* ---- What a request knows of its node ---- */

/* It waits in lock, where a cancel finds it. */
static bool waits_here(const struct lock *lock, const struct req *req)
{
	return rl_load(&req->place, seq_cst) == ((uintptr_t)lock | PLACE_WAITS); /* L8 */
}

static void set_waiting(const struct lock *lock, struct req *req, struct list_node *x)
{
	rl_store(&req->list_node, x, relaxed);
	rl_store(&req->place, (uintptr_t)lock | PLACE_WAITS, seq_cst); /* L8 */
}

static void set_idle(struct req *req)
{
	rl_store(&req->place, 0, release);
	req->state = REQ_IDLE;
}

static void set_held(const struct lock *lock, struct req *req, struct list_node *x)
{
	rl_store(&req->list_node, x, relaxed);
	rl_store(&req->place, (uintptr_t)lock, release);
	req->state = REQ_HELD;
}

static bool holds_here(const struct lock *lock, const struct req *req)
{
	return req->state == REQ_HELD && lock_of(req) == lock;
}

/* ---- The word ---- */

static bool is_node(uintptr_t word)
{
	return word && !(word & (_Alignof(struct list_node) - 1));
}

static struct list_node *to_node(uintptr_t link)
{
	return (struct list_node *)(link & ~(uintptr_t)NEXT_MARK);
}

/* The word, once it is not LOCKED.  Whoever has slept wakes the next one. */
static uintptr_t settled_word(struct lock *lock)
{
	uintptr_t word = rl_load(&lock->word, acquire); /* O1 */
	unsigned spins = 0;
	bool slept = false;

	while (is_locked_word(word)) {
		if (spins < rl_short_spins()) {
			spins++;
			rl_relax();
		} else if ((word & WORD_CONTENDED) ||
			   rl_cas(&lock->word, &word, WORD_LOCKED | WORD_CONTENDED, relaxed,
				  relaxed)) {
			rl_wait->sleep(low_half(lock), WORD_LOCKED | WORD_CONTENDED, NULL);
			slept = true;
			spins = 0;
		}
		word = rl_load(&lock->word, acquire);
	}
	if (slept)
		rl_wait->wake(low_half(lock));
	return word;
}

/* The same, and no old value: by what the caller knows it may be about to judge. */
static uintptr_t newest_word(struct lock *lock)
{
	for (;;) {
		uintptr_t word = settled_word(lock);

		if (rl_cas(&lock->word, &word, word, acq_rel, relaxed))
			return word;
	}
}

static void unlock_word(struct lock *lock, uintptr_t word)
{
	if (rl_exchange(&lock->word, word, acq_rel) & WORD_CONTENDED) /* O1 */
		rl_wait->wake(low_half(lock));
}

static void describe_node(struct list_node *x, struct req *owner, uint64_t start, uint64_t end,
			  uint32_t state)
{
	x->start = start;
	x->end = end;
	x->owner = owner;
	rl_store(&x->next, 0, relaxed);
	rl_store(&x->state, state, relaxed);
	rl_store(&x->park, PARK_WAITING, relaxed);
	rl_store(&x->waiters, 0, relaxed);
}

static uint32_t mode_bit(unsigned mode)
{
	return mode == RANGELOCK_WRITE ? STATE_WRITE : 0;
}

static unsigned mode_of(uint32_t state)
{
	return state & STATE_WRITE ? RANGELOCK_WRITE : RANGELOCK_READ;
}

/* Make a list of x, which is to stand for the holder in the word.  False: it has changed. */
static bool inflate(struct lock *lock, uintptr_t word, struct list_node *x)
{
	struct req *holder = (struct req *)(word - WORD_FAST);

	if (!rl_cas(&lock->word, &word, WORD_LOCKED, acquire, relaxed)) /* L1 */
		return false;
	describe_node(x, holder, holder->node.start, holder->node.end,
		      STATE_HELD | mode_bit(holder->mode));
	set_held(lock, holder, x);
	rl_store(&lock->has_been_list, 1, relaxed);
	unlock_word(lock, (uintptr_t)x);
	return true;
}

/* ---- The list ---- */

/* A place between two nodes: *link leads to next. */
struct place {
	_Atomic uintptr_t *link;
	uintptr_t next;
};

/* The place before the first node that does not start below start, while all that are
 * marked on the way are unlinked.  False: there is no list in the word. */
static bool find(struct lock *lock, uint64_t start, struct place *ret_place)
{
	_Atomic uintptr_t *link;
	uintptr_t at;

again:
	link = &lock->word;
	at = rl_load(link, acquire); /* O2 */
	if (at != WORD_IDLE && !is_node(at))
		return false;
	while (at) {
		struct list_node *n = to_node(at);
		uintptr_t next = rl_load(&n->next, seq_cst); /* O2, O3, L8 */

		if (next & NEXT_MARK) {
			next -= NEXT_MARK;
			if (!rl_cas(link, &at, next, acq_rel, relaxed)) /* L3 */
				goto again;
		} else {
			if (n->start >= start)
				break;
			link = &n->next;
		}
		at = next;
	}
	ret_place->link = link;
	ret_place->next = at;
	return true;
}

static bool try_insert(struct lock *lock, struct list_node *x)
{
	struct place place;

	while (find(lock, x->start, &place)) {
		rl_store(&x->next, place.next, relaxed);
		if (rl_cas(place.link, &place.next, (uintptr_t)x, seq_cst, relaxed)) /* L4 */
			return true;
	}
	return false;
}

/* From here on x is not in the list. */
static void mark(struct list_node *x)
{
	uintptr_t next = rl_load(&x->next, relaxed);

	while (!rl_cas(&x->next, &next, next | NEXT_MARK, seq_cst, relaxed)) /* O3, L8 */
		;
}

/* See to it that x, which is marked, cannot be found any more. */
static void unlink_node(struct lock *lock, const struct list_node *x)
{
	struct place place;

	find(lock, x->start + 1, &place);
}

/* ---- Who waits for whom ---- */

static void wake_all(uintptr_t waiters)
{
	struct list_node *n = (struct list_node *)(waiters & ~(uintptr_t)WAITERS_MASK);

	while (n) {
		struct list_node *next = n->link; /* before it may be gone */

		if (rl_unpark(&n->park, PARK_INVITED) == PARK_ABANDONED) /* O5 */
			rl_pool_retire(n);
		n = next;
	}
}

/* Wake those who wait for q, which itself goes on. */
static void kick(struct list_node *q)
{
	uintptr_t waiters = rl_load(&q->waiters, relaxed);

	while (!(waiters & WAITERS_CLOSED) && waiters)
		if (rl_cas(&q->waiters, &waiters, 0, acq_rel, relaxed)) { /* O4 */
			wake_all(waiters);
			return;
		}
}

/* Have x woken when q stops being in its way.  False: it has left. */
static bool stand_behind(struct list_node *x, struct list_node *q)
{
	uintptr_t waiters = rl_load(&q->waiters, acquire); /* O4 */

	do {
		if (waiters & WAITERS_CLOSED)
			return false;
		x->link = (struct list_node *)(waiters & ~(uintptr_t)WAITERS_MASK);
	} while (!rl_cas(&q->waiters, &waiters, (uintptr_t)x | (waiters & WAITERS_MASK), acq_rel,
			 acquire)); /* O4 */
	return true;
}

/* x, which stood behind q, has given up.  Once many have, q lets go of them. */
static void count_left(struct lock *lock, const struct list_node *x, const struct list_node *q)
{
	uintptr_t at = rl_load(&lock->word, acquire); /* O2 */

	if (!is_node(at))
		return;
	for (struct list_node *n = to_node(at); n && n->start < x->end;
	     n = to_node(rl_load(&n->next, acquire))) {
		if (n != q)
			continue;
		uintptr_t waiters = rl_load(&n->waiters, relaxed);
		while (!(waiters & WAITERS_CLOSED)) {
			if ((waiters & WAITERS_MASK) / WAITERS_LEFT >= RL_LEFT_MAX) {
				kick(n);
				return;
			}
			if (rl_cas(&n->waiters, &waiters, waiters + WAITERS_LEFT, relaxed, relaxed))
				return;
		}
		return;
	}
}

/* Let everybody know that x, which nobody counts with any more, has left. */
static void leave(struct lock *lock, struct list_node *x)
{
	mark(x);
	wake_all(rl_exchange(&x->waiters, WAITERS_CLOSED, acq_rel)); /* O4 */
	unlink_node(lock, x);
}

/* ---- Conflicts ---- */

/* Both are TRYING. */
static bool goes_first(const struct list_node *x, bool x_has_ticket, const struct list_node *q,
		       uint32_t q_state)
{
	bool q_has_ticket = q_state & STATE_TICKET;

	if (x_has_ticket != q_has_ticket)
		return x_has_ticket;
	return x_has_ticket ? x->ticket < q->ticket : x < q;
}

/* How x looks at others. */
struct look {
	uint32_t mine;	 /* its state */
	bool passing;	 /* count it, where it passes one that waits */
	bool passed;	 /* there is one that it has passed without counting */
	uint32_t theirs; /* the state of what is in its way */
};

/* Is q, which overlaps, in the way of x, which is TRYING? */
static bool is_in_the_way(struct list_node *x, struct list_node *q, struct look *look)
{
	uint32_t s = rl_load(&q->state, seq_cst); /* L4 */
	bool has_ticket = look->mine & STATE_TICKET;

	if (!((s | look->mine) & STATE_WRITE))
		return false;
	for (;;) {
		look->theirs = s;
		switch (s & STATE_PHASE) {
		case STATE_HELD:
			return true;
		case STATE_GONE:
			return false;
		case STATE_TRYING:
			if (!goes_first(x, has_ticket, q, s))
				return true;
			if (s & STATE_BEATEN ||
			    rl_cas(&q->state, &s, s | STATE_BEATEN, seq_cst, seq_cst)) /* L4 */
				return false;
			break;
		default: /* PENDING */
			if (s & STATE_CANCELED)
				return false;
			if (has_ticket)
				return q->ticket < x->ticket;
			if (s / STATE_BYPASS >= RL_MAX_BYPASS)
				return true;
			if (!look->passing) {
				look->passed = true;
				return false;
			}
			if (rl_cas(&q->state, &s, s + STATE_BYPASS, seq_cst, seq_cst))
				return false;
		}
	}
}

/* Of those in the way of x the one to wait for: the last before it that has a ticket
 * itself, since all who wait for the same one are woken at once.  NULL: there is none. */
static struct list_node *look_around(struct lock *lock, struct list_node *x, struct look *look)
{
	struct list_node *best = NULL;
	uint32_t best_state = 0;
	uintptr_t at = rl_load(&lock->word, seq_cst); /* L4: a node, since x is one */

	for (struct list_node *n = to_node(at); n && n->start < x->end; n = to_node(at)) {
		at = rl_load(&n->next, seq_cst); /* L4 */
		if (n == x || at & NEXT_MARK || n->end <= x->start || !is_in_the_way(x, n, look))
			continue;
		/* Who has no ticket does not choose. */
		if (!(look->mine & STATE_TICKET) && (look->theirs & STATE_PHASE) != STATE_TRYING)
			return n;
		bool better = !best || (look->theirs & STATE_TICKET &&
					(!(best_state & STATE_TICKET) || best->ticket < n->ticket));
		if (better && (look->theirs & STATE_PHASE) != STATE_HELD) {
			best = n;
			best_state = look->theirs;
		} else if (!best) {
			best = n;
			best_state = look->theirs & ~(uint32_t)STATE_TICKET;
		}
	}
	look->theirs = best_state;
	return best;
}

static struct list_node *obstacle(struct lock *lock, struct list_node *x, uint32_t *ret_state)
{
	struct look look = { .mine = rl_load(&x->state, relaxed) };
	struct list_node *q = look_around(lock, x, &look);

	if (!q && look.passed) {
		look.passing = true;
		q = look_around(lock, x, &look);
	}
	*ret_state = look.theirs;
	return q;
}

/* ---- One request ---- */

enum verdict { DECIDED, BEATEN, CANCELED };

/* x is TRYING, and becomes what it has found out. */
static enum verdict decide(struct list_node *x, uint32_t phase)
{
	uint32_t s = rl_load(&x->state, relaxed);
	const uint32_t cleared = STATE_PHASE | STATE_BEATEN | STATE_ASKED;

	for (;;) {
		if (s & STATE_CANCELED)
			return CANCELED;
		if (phase == STATE_HELD && s & STATE_BEATEN) {
			if (rl_cas(&x->state, &s, s & ~(uint32_t)STATE_BEATEN, seq_cst, seq_cst))
				return BEATEN; /* L4 */
		} else if (rl_cas(&x->state, &s, (s & ~cleared) | phase, seq_cst,
				  seq_cst)) { /* L4 */
			if (s & STATE_ASKED)
				kick(x);
			return DECIDED;
		}
	}
}

/* How many tickets there have been.  Where a lock is not aligned for a word of 64 bits all
 * locks share one. */
static _Atomic uint64_t *tickets_of(struct lock *lock)
{
#if UINTPTR_MAX > UINT32_MAX
	return &lock->tickets;
#else
	static _Atomic uint64_t tickets;

	(void)lock;
	return &tickets;
#endif
}

static void take_ticket(struct lock *lock, struct list_node *x)
{
	uint64_t tickets = rl_load(tickets_of(lock), relaxed);
	uint32_t s = rl_load(&x->state, relaxed);

	while (!rl_cas(tickets_of(lock), &tickets, tickets + 1, relaxed, relaxed))
		;
	x->ticket = tickets;
	set_waiting(lock, x->owner, x);
	while (!rl_cas(&x->state, &s, (s & ~(uint32_t)STATE_BEATEN) | STATE_TICKET, seq_cst,
		       seq_cst)) /* L4 */
		;
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

	while ((s & STATE_PHASE) == STATE_TRYING)
		if (s & STATE_ASKED || rl_cas(&q->state, &s, s | STATE_ASKED, seq_cst, seq_cst))
			return;
	kick(q);
}

/* End the wait of x, which is GONE or CANCELED; behind is on whose stack it may stand. */
static void give_up(struct lock *lock, struct list_node *x, const struct list_node *behind)
{
	rl_store(&x->state, STATE_GONE, release);
	set_idle(x->owner);
	rl_rcu_read_lock();
	leave(lock, x);
	if (behind)
		count_left(lock, x, behind);
	/* Whoever comes for it afterwards retires it. */
	if (!behind || rl_exchange(&x->park, PARK_ABANDONED, acq_rel) == PARK_INVITED) /* O5 */
		rl_pool_retire(x);
	rl_rcu_read_unlock();
}

/* x is in the list, and TRYING. */
static int contend(struct lock *lock, struct list_node *x, const struct list_want *want)
{
	const struct timespec *abstime = want->abstime;
	bool has_ticket = false;

	for (;;) {
		struct list_node *behind = NULL;
		enum verdict verdict;
		uint32_t theirs;
		int error = 0;

		rl_rcu_read_lock();
		struct list_node *q = obstacle(lock, x, &theirs);
		if (!q) {
			verdict = decide(x, STATE_HELD);
			rl_rcu_read_unlock();
			if (verdict == DECIDED)
				return 0;
			error = verdict == CANCELED ? ECANCELED : 0;
		} else if (want->try && (theirs & STATE_PHASE) == STATE_TRYING) {
			/* Not before it is known what comes of that one. */
			rl_store(&x->park, PARK_WAITING, relaxed);
			bool stands = stand_behind(x, q);
			if (stands)
				ask(q);
			rl_rcu_read_unlock();
			if (stands)
				rl_park(&x->park, 0, NULL);
			continue;
		} else if (want->try) {
			rl_rcu_read_unlock();
			error = EBUSY;
		} else if (!has_ticket) {
			rl_rcu_read_unlock();
			if (abstime && (abstime->tv_nsec < 0 || abstime->tv_nsec > 999999999))
				error = EINVAL;
		} else {
			uint32_t crowd = (theirs & STATE_PHASE) == STATE_HELD ? 1 : 2;

			rl_store(&x->park, PARK_WAITING, relaxed);
			verdict = decide(x, STATE_PENDING);
			bool stands = verdict == DECIDED && stand_behind(x, q);
			rl_rcu_read_unlock();
			if (verdict == CANCELED) {
				error = ECANCELED;
			} else if (stands) {
				enum park answer = rl_park(&x->park, crowd, abstime);

				if (answer != PARK_INVITED)
					behind = q;
				if (answer == PARK_TIMED_OUT)
					error = decide(x, STATE_GONE) == CANCELED ? ECANCELED
										  : ETIMEDOUT;
			}
			if (!error && !try_again(x))
				error = ECANCELED;
		}
		if (error) {
			give_up(lock, x, behind);
			return error;
		}
		if (!has_ticket && !want->try) {
			take_ticket(lock, x);
			has_ticket = true;
		}
	}
}

/* Bring x into the list, unless the word has room for its request. */
enum arrival { IN_LIST, IN_WORD, REFUSED };

static enum arrival arrive(struct lock *lock, struct list_node *x, const struct list_want *want,
			   int *ret_error)
{
	struct req *req = x->owner;
	struct list_node *spare = NULL;
	enum arrival arrival = REFUSED;

	*ret_error = EINVAL;
	while (arrival == REFUSED) {
		uintptr_t word = settled_word(lock);

		if (word == WORD_DEAD || !is_free(req))
			break;
		if (word == WORD_IDLE) {
			req->node.start = want->start;
			req->node.end = want->end;
			req->mode = (uint8_t)want->mode;
			req->state = REQ_IDLE;
			if (rl_cas(&lock->word, &word, fast_word(req), acq_rel, relaxed)) /* O1 */
				arrival = IN_WORD;
		} else if (word & WORD_FAST) {
			if (!spare && !(spare = rl_pool_take())) {
				*ret_error = ENOMEM;
				break;
			}
			if (inflate(lock, word, spare))
				spare = NULL;
		} else {
			rl_rcu_read_lock();
			if (try_insert(lock, x))
				arrival = IN_LIST;
			rl_rcu_read_unlock();
		}
	}
	if (spare)
		rl_pool_give_back(spare);
	return arrival;
}

int rl_list_lock(struct lock *lock, struct req *req, const struct list_want *want)
{
	if (waits_here(lock, req))
		return EINVAL;

	struct list_node *x = rl_pool_take();
	if (!x)
		return ENOMEM;
	describe_node(x, req, want->start, want->end, STATE_TRYING | mode_bit(want->mode));

	int error;
	enum arrival arrival = arrive(lock, x, want, &error);
	if (arrival != IN_LIST)
		rl_pool_give_back(x);
	if (arrival == REFUSED)
		return error;
	if (arrival == IN_WORD)
		return 0;
	error = contend(lock, x, want);
	if (!error) {
		req->node.start = want->start;
		req->node.end = want->end;
		req->mode = (uint8_t)want->mode;
		set_held(lock, req, x);
	}
	return error;
}

int rl_list_unlock(struct lock *lock, struct req *req)
{
	for (;;) {
		uintptr_t word = settled_word(lock);

		if (word == WORD_DEAD)
			return EINVAL;
		if (word != fast_word(req))
			break;
		/* Somebody had a look at it. */
		if (rl_cas(&lock->word, &word, WORD_IDLE, acq_rel, relaxed)) /* O1 */
			return 0;
	}
	if (!holds_here(lock, req))
		return EPERM;

	struct list_node *x = rl_load(&req->list_node, relaxed);
	set_idle(req);
	rl_rcu_read_lock(); /* L7 */
	leave(lock, x);
	rl_rcu_read_unlock();
	rl_pool_retire(x);
	return 0;
}

int rl_list_cancel(struct lock *lock, struct req *req)
{
	int error = EBUSY;

	if (rl_load(&lock->word, relaxed) == WORD_DEAD)
		return EINVAL;
	rl_rcu_read_lock();
	struct list_node *x = waits_here(lock, req) ? rl_load(&req->list_node, acquire) : NULL;
	if (x && waits_here(lock, req)) {
		uint32_t s = rl_load(&x->state, seq_cst);

		while (s & STATE_TICKET && !(s & STATE_CANCELED) &&
		       (s & STATE_PHASE) <= STATE_PENDING)
			if (rl_cas(&x->state, &s, s | STATE_CANCELED, seq_cst, seq_cst)) {
				rl_interrupt(&x->park);
				error = 0;
				break;
			}
	}
	rl_rcu_read_unlock();
	return error;
}

int rl_list_destroy(struct lock *lock)
{
	for (;;) {
		uintptr_t word = newest_word(lock);

		if (word == WORD_DEAD)
			return EINVAL;
		if (is_node(word)) {
			struct place place;

			/* Those who have unlocked may not have come to it. */
			rl_rcu_read_lock();
			find(lock, UINT64_MAX, &place);
			rl_rcu_read_unlock();
			word = rl_load(&lock->word, acquire);
		}
		if (word != WORD_IDLE)
			return EBUSY;
		if (rl_cas(&lock->word, &word, WORD_DEAD, acq_rel, relaxed))
			break;
	}
	if (rl_load(&lock->has_been_list, relaxed))
		rl_rcu_synchronize(); /* L7 */
	return 0;
}

/* ---- Looks ---- */

/* Call fn for the nodes in order, while it returns 0; of one request that is in the word,
 * with a node that stands for it.  EINVAL: the lock is destroyed. */
struct visit {
	int (*fn)(struct lock *lock, const struct list_node *n, uint32_t state, void *arg);
	void *arg;
};

static int visit_list(struct lock *lock, const struct visit *visit)
{
	uintptr_t at = rl_load(&lock->word, acquire); /* O2 */
	int stop = 0;

	if (!is_node(at))
		return 0;
	for (struct list_node *n = to_node(at); n && !stop; n = to_node(at)) {
		at = rl_load(&n->next, seq_cst); /* L8 */
		if (!(at & NEXT_MARK))
			stop = visit->fn(lock, n, rl_load(&n->state, seq_cst), visit->arg);
	}
	return stop;
}

static int visit_all(struct lock *lock, const struct visit *visit)
{
	for (;;) {
		uintptr_t word = newest_word(lock);

		if (word == WORD_DEAD)
			return EINVAL;
		if (!(word & WORD_FAST)) {
			rl_rcu_read_lock();
			int stop = visit_list(lock, visit);
			rl_rcu_read_unlock();
			return stop;
		}
		if (rl_cas(&lock->word, &word, WORD_LOCKED, acquire, relaxed)) { /* L1 */
			struct req *holder = (struct req *)(word - WORD_FAST);
			struct list_node node = { .start = holder->node.start,
						  .end = holder->node.end,
						  .owner = holder };
			uint32_t state = STATE_HELD | mode_bit(holder->mode);

			unlock_word(lock, word);
			return visit->fn(NULL, &node, state, visit->arg);
		}
	}
}

/* What is_locked() looks for: start moves on as far as all is held. */
struct cover {
	uint64_t start, end;
	unsigned mode;
};

static int extend_cover(struct lock *lock, const struct list_node *n, uint32_t state, void *arg)
{
	struct cover *cover = arg;

	(void)lock;
	if (n->start > cover->start)
		return 1;
	if ((state & STATE_PHASE) == STATE_HELD && mode_of(state) >= cover->mode &&
	    n->end > cover->start)
		cover->start = n->end;
	return cover->start >= cover->end;
}

bool rl_list_is_locked(struct lock *lock, uint64_t start, uint64_t end, unsigned mode)
{
	struct cover cover = { start, end, mode };

	visit_all(lock, &(struct visit){ extend_cover, &cover });
	return cover.start >= end;
}

/* Those that a waiting one, n, waits for. */
struct count {
	const struct list_node *n;
	uint32_t state;
	uint64_t blockers;
};

static bool is_waiting_state(uint32_t state)
{
	return (state & STATE_PHASE) <= STATE_PENDING && state & STATE_TICKET;
}

static int count_blocker(struct lock *lock, const struct list_node *q, uint32_t state, void *arg)
{
	struct count *count = arg;
	const struct list_node *n = count->n;

	(void)lock;
	count->blockers += q != n && q->start < n->end && n->start < q->end &&
			   (state | count->state) & STATE_WRITE &&
			   ((state & STATE_PHASE) == STATE_HELD ||
			    (is_waiting_state(state) && q->ticket < n->ticket));
	return q->start >= n->end;
}

struct walk {
	rangelock_walk_fn *fn;
	void *arg;
};

static int show(struct lock *lock, const struct list_node *n, uint32_t state, void *arg)
{
	const struct walk *walk = arg;
	bool waits = is_waiting_state(state);
	struct count count = { n, state, 0 };

	if (!waits && (state & STATE_PHASE) != STATE_HELD)
		return 0;
	if (waits)
		visit_list(lock, &(struct visit){ count_blocker, &count });
	struct rangelock_info info = {
		.start = n->start,
		.end = n->end,
		.mode = (enum rangelock_mode)mode_of(state),
		.state = waits ? RANGELOCK_WAITING : RANGELOCK_HELD,
		.req = (const struct rangelock_req *)(const void *)n->owner,
		.arrival = waits ? n->ticket + 1 : 0,
		.blockers = count.blockers,
	};
	return walk->fn(&info, walk->arg);
}

int rl_list_walk(struct lock *lock, rangelock_walk_fn *fn, void *arg)
{
	return visit_all(lock, &(struct visit){ show, &(struct walk){ fn, arg } });
}
