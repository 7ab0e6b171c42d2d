/* SPDX-License-Identifier: BSD-2-Clause */
/* The word, and the sorted list: chain.h; list.c has the invariants, L1 to L8. */
#include "list/chain.h"

#include "wait/wait.h"

/* How many requests that are alone an empty list sees before it is IDLE again; tests make it
 * small. */
#ifndef RL_STAY
#define RL_STAY 16
#endif

/* ---- The word ---- */

uintptr_t rl_list_word(struct lock *lock)
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
		uintptr_t word = rl_list_word(lock);

		if (rl_cas(&lock->word, &word, word, acq_rel, relaxed))
			return word;
	}
}

void rl_list_unlock_word(struct lock *lock, uintptr_t word)
{
	if (rl_exchange(&lock->word, word, acq_rel) & WORD_FAST) /* O1; CONTENDED */
		rl_wait->wake(low_half(lock));
}

void rl_list_describe(struct list_node *x, struct req *owner, uint64_t start, uint64_t end,
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

bool rl_list_inflate(struct lock *lock, uintptr_t word, struct list_node *x)
{
	struct req *holder = req_in(word);

	if (!rl_cas(&lock->word, &word, taken_word(word), acquire, relaxed)) /* L1 */
		return false;
	rl_list_describe(x, holder, holder->node.start, holder->node.end,
			 STATE_HELD | mode_bit(holder->mode));
	set_held(lock, holder, x);
	rl_store(&x->next, WORD_ENGINE, relaxed);
	rl_store(&lock->stays, 1 + RL_STAY, relaxed);
	rl_list_unlock_word(lock, (uintptr_t)x);
	return true;
}

/* ---- The list ---- */

/* Two may count as one: it is to be about right. */
void rl_list_note_company(struct lock *lock)
{
	if (rl_load(&lock->stays, relaxed) <= RL_STAY / 2)
		rl_store(&lock->stays, 1 + RL_STAY, relaxed);
}

void rl_list_note_departure(struct lock *lock)
{
	uintptr_t word = rl_load(&lock->word, relaxed);
	uint32_t stays = rl_load(&lock->stays, relaxed);

	if (word != WORD_ENGINE)
		return;
	if (stays > 1)
		rl_store(&lock->stays, stays - 1, relaxed);
	else
		rl_cas(&lock->word, &word, WORD_IDLE, acq_rel, relaxed); /* O1 */
}

bool rl_list_find(struct lock *lock, uint64_t start, struct place *ret_place)
{
	_Atomic uintptr_t *link;
	uintptr_t at;

again:
	link = &lock->word;
	at = rl_load(link, acquire); /* O2 */
	if (!is_empty_list(at) && !is_node(at))
		return false;
	for (struct list_node *n; (n = to_node(at));) {
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

/* Before the first node that does not start below start. */
static bool insert(struct lock *lock, struct list_node *x, uint64_t start)
{
	struct place place;

	while (rl_list_find(lock, start, &place)) {
		rl_store(&x->next, place.next, relaxed);
		if (rl_cas(place.link, &place.next, (uintptr_t)x, seq_cst, relaxed)) /* L4 */
			return true;
	}
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

void rl_list_mark(struct list_node *x)
{
	uintptr_t next = rl_load(&x->next, relaxed);

	while (!rl_cas(&x->next, &next, next | NEXT_MARK, seq_cst, relaxed)) /* O3, L8 */
		;
}

void rl_list_unlink(struct lock *lock, const struct list_node *x)
{
	struct place place;

	rl_list_find(lock, x->start + 1, &place);
}
