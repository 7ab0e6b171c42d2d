/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls in progress: what the child of a fork finds of those that threads which it does not
 * have were in the middle of.  list.c has the invariants, K1 to K4.
 */
#ifndef RL_LIST_FORK_H
#define RL_LIST_FORK_H

#include "base/rcu.h"
#include "list/chain.h"

/* In the frame of the call; all but `outer` is set before the call is begun. */
struct call {
	struct lock *lock;
	const struct req *req;	/* the owner of x; NULL: x is a vector, or there is none */
	struct list_node *x;	/* comes, or NULL */
	struct list_node *old;	/* leaves: once x has come, if there is one; or NULL */
	struct list_node *tail; /* comes with x */
	struct call *outer;	/* in whose callback this one is made */
};

static inline void rl_list_begin(struct call *call)
{
	struct record *mine = rl_rcu_record();

	call->outer = rl_load(&mine->calls, relaxed);
	rl_store(&mine->calls, call, release);
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
