/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls in progress: what the child of a fork finds of those that threads which it does not
 * have were in the middle of.  list.c has the invariants, K1 to K4.
 */
#ifndef RL_LIST_FORK_H
#define RL_LIST_FORK_H

#include "base/rcu.h"
#include "list/chain.h"

/* In the frame of the call; what it comes and leaves with is set before the call is begun. */
struct call {
	struct lock *lock;
	const struct req *req;	/* the owner of x; NULL: x is a vector, or there is none */
	struct list_node *x;	/* comes, or NULL */
	struct list_node *old;	/* leaves: once x has come, if there is one; or NULL */
	struct list_node *tail; /* comes with x */
	struct call *outer;	/* in whose callback this one is made */

	/* Of a call that has LOCKED the word. */
	struct req *holder; /* of whom it was */
	struct list_node
	    *made; /* the node that is to stand for it, once it may say so itself; or NULL */
};

_Static_assert(_Alignof(struct call) >= 4, "an address has room for two bits");

static inline void rl_list_begin(struct call *call)
{
	struct record *mine = rl_rcu_record();

	call->outer = rl_load(&mine->calls, relaxed);
	rl_store(&mine->calls, call, release);
}

/* Lock the word, which is FAST.  False: it has changed. */
static inline bool rl_list_lock_word(struct lock *lock, uintptr_t word)
{
	struct call *call = rl_load(&rl_rcu_record()->calls, relaxed);

	call->holder = req_in(word);
	call->made = NULL;
	return rl_cas(&lock->word, &word, taken_word(call), acq_rel, relaxed); /* L1 */
}

/* x is about to stand for the holder. */
static inline void rl_list_note_made(struct list_node *x)
{
	struct call *call = rl_load(&rl_rcu_record()->calls, relaxed);

	call->made = x;
}

/* Before its nodes may be used again, and while the lock is sure to be there: in a read
 * section, if others may be about to destroy it. */
static inline void rl_list_end(const struct call *call)
{
	rl_store(&rl_rcu_record()->calls, call->outer, release);
}

/* In the child of a fork. */
void rl_list_live_on(struct record *first);

#endif
