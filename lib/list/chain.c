/* SPDX-License-Identifier: BSD-2-Clause */
/* The word, and the sorted list: chain.h; list.c has the invariants. */
#include "list/chain.h"

#include "base/rcu.h"
#include "list/fork.h"
#include "wait/wait.h"

/* ---- The word ---- */

uintptr_t rl_list_awaited_word(struct lock *lock)
{
	uintptr_t word = rl_load(&lock->word, acquire); /* O1 */
	unsigned spins = 0;
	bool slept = false;

	while (is_taken(word)) {
		if (spins < rl_short_spins()) {
			spins++;
			rl_relax();
		} else if ((word & WORD_FAST) ||
			   rl_cas(&lock->word, &word, word | WORD_FAST, relaxed, relaxed)) {
			rl_wait->sleep(low_half(lock), (uint32_t)(word | WORD_FAST), NULL);
			slept = true;
			spins = 0;
		}
		word = rl_load(&lock->word, acquire);
	}
	if (slept)
		rl_wait->wake(low_half(lock));
	return word;
}

uintptr_t rl_list_newest_word(struct lock *lock)
{
	for (;;) {
		uintptr_t word = list_word(lock);

		if (rl_cas(&lock->word, &word, word, acq_rel, relaxed))
			return word;
	}
}

void rl_list_unlock_word(struct lock *lock, uintptr_t word)
{
	if (rl_exchange(&lock->word, word, acq_rel) & WORD_FAST) /* O1; CONTENDED */
		rl_wait->wake(low_half(lock));
}

/* Of 32 bits it comes back after 4 G lists; by then nobody keeps a node of that one. */
static uintptr_t new_id(void)
{
	static _Atomic uintptr_t last;
	uintptr_t id = rl_load(&last, relaxed);

	while (!rl_cas(&last, &id, id + 1, relaxed, relaxed))
		;
	return id + 1;
}

bool rl_list_inflate(struct lock *lock, uintptr_t word, struct list_node *x)
{
	struct req *holder = req_in(word);

	if (!rl_list_lock_word(lock, word)) /* L1 */
		return false;
	describe_node(x, holder, holder->node.start, holder->node.end,
		      STATE_HELD | mode_bit(holder->mode));
	rl_store(&x->next, WORD_ENGINE, relaxed);
	rl_store(&lock->stays, 1 + RL_STAY, relaxed);
	if (!rl_load(&lock->id, relaxed))
		rl_store(&lock->id, new_id(), relaxed);
	rl_list_note_made(x);	   /* K2 */
	set_held(lock, holder, x); /* L1 */
	rl_list_unlock_word(lock, (uintptr_t)x);
	return true;
}

/* ---- The list ---- */

/* A place between two nodes: *link is at, which leads through nodes that are marked, if there
 * are any, to next. */
struct place {
	_Atomic uintptr_t *link;
	uintptr_t at, next;
};

/* Have the place lead to `to`, which is next or leads there, and past those that are marked.
 * False: it has changed. */
static inline bool lead(const struct place *place, uintptr_t to)
{
	uintptr_t at = place->at;

	if (!rl_cas(place->link, &at, to, seq_cst, relaxed)) /* L3, L4 */
		return false;
	while (at != place->next) {
		struct list_node *n = to_node(at);
		uintptr_t next = rl_load(&n->next, relaxed);

		if (next & NEXT_LEFT)
			rl_pool_retire(n);
		at = next & ~(uintptr_t)NEXT_MASK;
	}
	return true;
}

/* The place before the first node that does not start below start, while all that are
 * marked are unlinked, but for those in the place itself.  False: there is no list in the word. */
static inline bool find(struct lock *lock, uint64_t start, struct place *place)
{
again:
	place->link = &lock->word;
	place->at = place->next = rl_load(place->link, acquire); /* O2 */
	if (!is_empty_list(place->at) && !is_node(place->at))
		return false;
	for (struct list_node *n; (n = to_node(place->next));) {
		uintptr_t next = rl_load(&n->next, seq_cst); /* O2, O3, L8 */

		if (next & NEXT_MARK) {
			place->next = next & ~(uintptr_t)NEXT_MASK;
			continue;
		}
		if (n->start >= start)
			break;
		if (place->at != place->next && !lead(place, place->next))
			goto again;
		place->link = &n->next;
		place->at = place->next = next;
	}
	return true;
}

static inline bool put(const struct place *place, struct list_node *x)
{
	rl_store(&x->next, place->next, relaxed);
	return lead(place, (uintptr_t)x);
}

/* Before the first node that does not start below start. */
static bool insert(struct lock *lock, struct list_node *x, uint64_t start)
{
	struct place place;

	while (find(lock, start, &place))
		if (put(&place, x))
			return true;
	return false;
}

bool rl_list_insert(struct lock *lock, struct list_node *x)
{
	return insert(lock, x, x->start);
}

bool rl_list_insert_last(struct lock *lock, struct list_node *x)
{
	return insert(lock, x, x->start + 1);
}

/* The first node, or NULL. */
static struct list_node *first_node(struct lock *lock)
{
	uintptr_t word = rl_load(&lock->word, acquire); /* O2 */

	return is_node(word) ? to_node(word) : NULL;
}

/* Is all that is in the list KEPT? */
static bool nobody_is_there(struct lock *lock)
{
	uintptr_t at;

	for (struct list_node *n = first_node(lock); n; n = to_node(at)) {
		at = rl_load(&n->next, acquire); /* O2 */
		if (!is_marked(at) && !is_kept(n))
			return false;
	}
	return true;
}

/* Has whoever comes to this place found nobody?  A neighbour tells, mostly. */
static inline bool is_alone(struct lock *lock, const struct place *place)
{
	struct list_node *n = place->link == &lock->word ? to_node(place->next)
							 : (struct list_node *)place->link;

	return (!n || is_kept(n)) && nobody_is_there(lock);
}

bool rl_list_come(struct lock *lock, struct list_node *x, bool as_node)
{
	struct place place;

	if (!find(lock, x->start, &place))
		return false;
	if (stays(lock, is_alone(lock, &place)) || as_node)
		return put(&place, x);
	if (place.link == &lock->word && !to_node(place.next))
		lead(&place, WORD_IDLE);
	else
		rl_list_evict(lock);
	return false;
}

/* Unlink what is marked right before the first node that does not start below start, too. */
static void unlink_before(struct lock *lock, uint64_t start)
{
	struct place place;

	while (find(lock, start, &place) && place.at != place.next && !lead(&place, place.next))
		;
}

void rl_list_unlink(struct lock *lock, const struct list_node *x)
{
	unlink_before(lock, x->start + 1);
}

void rl_list_sweep(struct lock *lock)
{
	unlink_before(lock, UINT64_MAX);
}

void rl_list_evict(struct lock *lock)
{
	struct list_node *next;
	uintptr_t at;

	for (struct list_node *n = first_node(lock); n; n = to_node(at)) {
		at = rl_load(&n->next, acquire); /* O2 */
		if (!is_marked(at))
			give_notice(n, &next);
	}
	rl_list_sweep(lock);
}

struct list_node *rl_list_new_node(struct lock *lock)
{
	struct list_node *n = rl_pool_take();

	if (rl_likely(n))
		return n;
	rl_rcu_read_lock();
	rl_list_evict(lock);
	rl_rcu_read_unlock();
	return rl_pool_take();
}
