/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list itself: the lock word and the nodes that it leads to, sorted by start.  list.c
 * has the invariants.  Whoever follows links is in a read section (base/rcu.h).
 */
#ifndef RL_LIST_CHAIN_H
#define RL_LIST_CHAIN_H

#include "base/lock.h"
#include "list/pool.h"
#include "list/state.h"
#include "wait/wait.h"

static inline bool is_node(uintptr_t word)
{
	return word && !(word & (_Alignof(struct list_node) - 1));
}

/* A list that has no node: IDLE, or ENGINE while it is to stay one. */
static inline bool is_empty_list(uintptr_t word)
{
	return word == WORD_IDLE || word == WORD_ENGINE;
}

/* LOCKED of a list has the address of the call in it that locked it (list/fork.h), for the child of
 * a fork, which may not have that thread; and CONTENDED has the bit of FAST as well. */
struct call;
static inline bool is_taken(uintptr_t word)
{
	return word & WORD_ENGINE && word != WORD_ENGINE;
}

static inline uintptr_t taken_word(const struct call *call)
{
	return (uintptr_t)call | WORD_ENGINE;
}

static inline const struct call *call_in(uintptr_t taken)
{
	return (const struct call *)(taken & ~(uintptr_t)(WORD_FAST | WORD_ENGINE));
}

/* The request in a word that is FAST. */
static inline struct req *req_in(uintptr_t word)
{
	return (struct req *)(word - WORD_FAST);
}

/* NULL: the end. */
static inline struct list_node *to_node(uintptr_t link)
{
	return (struct list_node *)(link & ~(uintptr_t)(_Alignof(struct list_node) - 1));
}

static inline uint32_t mode_bit(unsigned mode)
{
	return mode == RANGELOCK_WRITE ? STATE_WRITE : 0;
}

static inline unsigned mode_of(uint32_t state)
{
	return state & STATE_WRITE ? RANGELOCK_WRITE : RANGELOCK_READ;
}

static inline bool nodes_overlap(const struct list_node *a, const struct list_node *b)
{
	return a->start < b->end && b->start < a->end;
}

/* Do two nodes in these states conflict? */
static inline bool nodes_conflict(const struct list_node *a, uint32_t a_state,
				  const struct list_node *b, uint32_t b_state)
{
	return (a_state | b_state) & STATE_WRITE && nodes_overlap(a, b);
}

/* Whose turn it is, among those that do not hold: the larger rank. */
static inline unsigned rank(uint32_t state)
{
	return state & STATE_NESTED ? 2 : state & STATE_UPGRADE ? 1 : 0;
}

/* The state of n.  Of a follower all but the mode is that of its head. */
static inline uint32_t state_of(struct list_node *n)
{
	uint32_t s = rl_load(&n->state, seq_cst); /* L8 */

	return s & STATE_FOLLOWER ? s | (rl_load(&n->head->state, seq_cst) & ~(uint32_t)STATE_WRITE)
				  : s;
}

/* The same for its ticket, by that state. */
static inline uint64_t ticket_of(const struct list_node *n, uint32_t state)
{
	return state & STATE_FOLLOWER ? n->head->ticket : n->ticket;
}

/* What of one arrival is in the list: x itself or, if it is the head of a vector, all those
 * that follow it. */
static inline struct list_node *first_member(struct list_node *x)
{
	return rl_load(&x->state, relaxed) & STATE_VECTOR
		   ? (struct list_node *)rl_load(&x->next, relaxed)
		   : x;
}

static inline struct list_node *next_member(const struct list_node *x, const struct list_node *m)
{
	return m == x ? NULL : m->link;
}

/* It waits in lock, where a cancel finds it. */
static inline bool waits_here(const struct lock *lock, const struct req *req)
{
	return rl_load(&req->place, seq_cst) == ((uintptr_t)lock | PLACE_WAITS); /* L8 */
}

static inline void set_waiting(const struct lock *lock, struct req *req, struct list_node *x)
{
	rl_store(&req->list_node, x, relaxed);
	rl_store(&req->place, (uintptr_t)lock | PLACE_WAITS, seq_cst); /* L8 */
}

static inline void set_reserved(const struct lock *lock, struct req *req, struct list_node *x)
{
	rl_store(&req->reserved, x, relaxed);
	rl_store(&req->place, (uintptr_t)lock, release);
	req->state = REQ_LISTED;
}

static inline void set_idle(struct req *req)
{
	rl_store(&req->place, 0, release);
	req->state = REQ_IDLE;
}

/* It is node x that stands for what req holds. */
static inline void set_node(const struct lock *lock, struct req *req, struct list_node *x)
{
	rl_store(&req->list_node, x, relaxed);
	rl_store(&req->place, (uintptr_t)lock | PLACE_NODE, release); /* O7 */
}

static inline void set_held(const struct lock *lock, struct req *req, struct list_node *x)
{
	req->state = REQ_HELD;
	set_node(lock, req, x);
}

/* What x is for is what req is for: held, or about to be. */
static inline void set_range(struct req *req, const struct list_node *x)
{
	req->node.start = x->start;
	req->node.end = x->end;
	req->mode = (uint8_t)mode_of(rl_load(&x->state, relaxed));
}

/* It holds, though its upgrade may wait: then nothing changes state. */
static inline bool still_holds(const struct lock *lock, const struct req *req)
{
	return req->state == REQ_HELD && lock_of(req) == lock;
}

/* It does, and no upgrade of it waits. */
static inline bool holds_here(const struct lock *lock, const struct req *req)
{
	return holds_by_node(lock, req);
}

/* The word is LOCKED: the one that comes after. */
uintptr_t rl_list_awaited_word(struct lock *lock);

/* The word, once it is not LOCKED. */
static inline uintptr_t list_word(struct lock *lock)
{
	uintptr_t word = rl_load(&lock->word, acquire); /* O1 */

	return rl_unlikely(is_taken(word)) ? rl_list_awaited_word(lock) : word;
}

/* The same, and no old value: by what the caller knows it may be about to judge. */
uintptr_t rl_list_newest_word(struct lock *lock);

/* From LOCKED to word. */
void rl_list_unlock_word(struct lock *lock, uintptr_t word);

/* From the pool; where there is no memory, from those in the list that are LEFT.  Not in a read
 * section.  NULL: there is none. */
struct list_node *rl_list_new_node(struct lock *lock);

/* Of a node that nobody else sees. */
static inline void describe_node(struct list_node *x, struct req *owner, uint64_t start,
				 uint64_t end, uint32_t state)
{
	x->start = start;
	x->end = end;
	x->owner = owner;
	rl_store(&x->next, 0, relaxed);
	rl_store(&x->state, state, relaxed);
	rl_store(&x->park, PARK_WAITING, relaxed);
	rl_store(&x->waiters, 0, relaxed);
}

/* In a call that has been begun: make a list of x, which is to stand for the holder in the word.
 * False: it has changed. */
bool rl_list_inflate(struct lock *lock, uintptr_t word, struct list_node *x);

/* Insert x.  False: there is no list in the word. */
bool rl_list_insert(struct lock *lock, struct list_node *x);

/* The same behind all that start where x does. */
bool rl_list_insert_last(struct lock *lock, struct list_node *x);

/* How many requests that are alone an empty list sees before it is IDLE again; tests make it
 * small. */
#ifndef RL_STAY
#define RL_STAY 16
#endif

/* Is the word to lead to nodes still, for one that has found others there, or is alone?  Two
 * may count as one: it is to be about right. */
static inline bool stays(struct lock *lock, bool alone)
{
	uint32_t often = rl_load(&lock->stays, relaxed);

	if (!alone && often <= RL_STAY / 2)
		rl_store(&lock->stays, 1 + RL_STAY, relaxed);
	else if (alone && often != 1)
		rl_store(&lock->stays, often > 1 ? often - 1 : 1, relaxed);
	return !alone || often > 1;
}

/* The same as insert; but if the list is empty, and has been that for a while, make the word
 * IDLE, unless x is to be a node.  False: the word is to be looked at anew. */
bool rl_list_come(struct lock *lock, struct list_node *x, bool as_node);

/* From here on x is not in the list; what it led to.  mark is NEXT_MARK, and NEXT_LEFT if its
 * owner does not retire it. */
static inline uintptr_t mark_node(struct list_node *x, uintptr_t mark)
{
	uintptr_t next = rl_load(&x->next, relaxed);

	while (!rl_cas(&x->next, &next, next | mark, seq_cst, relaxed)) /* O3, L8 */
		;
	return next;
}

static inline bool is_marked(uintptr_t next)
{
	return next & NEXT_MARK;
}

/* Of one in the list: is it KEPT, or DISMISSED? */
static inline bool is_kept(struct list_node *n)
{
	uint32_t s = rl_load(&n->state, seq_cst); /* N1 */

	return (s & STATE_PHASE) == STATE_KEPT || s == STATE_DISMISSED;
}

/* See to it that x, which is marked, cannot be found any more. */
void rl_list_unlink(struct lock *lock, const struct list_node *x);

/* The same of all that are marked. */
void rl_list_sweep(struct lock *lock);

/* Of one that has left, and led to next. */
static inline void tidy_up(struct lock *lock, struct list_node *next)
{
	if (next && is_marked(rl_load(&next->next, acquire))) /* L12, O2 */
		rl_list_unlink(lock, next);
}

/* n, which is KEPT, leaves, or is helped to.  False: it is not KEPT any more. */
static inline bool give_notice(struct list_node *n, struct list_node **ret_next)
{
	uint32_t s = rl_load(&n->state, seq_cst); /* L8 */

	do {
		if (s == STATE_DISMISSED)
			break;
		if ((s & STATE_PHASE) != STATE_KEPT)
			return false;
	} while (!rl_cas(&n->state, &s, STATE_DISMISSED, seq_cst, relaxed)); /* N1 */
	*ret_next = to_node(mark_node(n, NEXT_MARK | NEXT_LEFT));
	return true;
}

/* In a read section: nothing in the list is KEPT. */
void rl_list_evict(struct lock *lock);

#endif
