/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a thread locks again and again.  Its node stays in the list when its owner unlocks,
 * KEPT, and is held again without a look at others, until somebody who conflicts comes by:
 * list.c has the invariants, N1 to N4.  A thread keeps one node.
 */
#ifndef RL_LIST_KEEP_H
#define RL_LIST_KEEP_H

#include "base/rcu.h"
#include "list/chain.h"
#include "list/list.h"

/* Is a node to be kept that is like the one which the thread let go of before?  Tests keep any. */
#ifndef rl_is_habit
#define rl_is_habit(before, now) ((before) == (now))
#endif

/* A thread's. */
struct kept {
	struct list_node *node;	 /* NULL: none.  It may be another's by now. */
	struct list_node *again; /* what it holds again, and has locked nothing since */
	uint64_t before;	 /* what the thread let go of last, but for chance */
	uint64_t list;		 /* the node's list's id */
	uint64_t tickets;	 /* of that list, when the node last looked at others, or before */
	struct rcu_ending ending;
	bool known; /* to be let go of when the thread ends */
};

extern RL_THREAD_LOCAL struct kept rl_list_kept;

/* In a call that has been begun: req holds again what this thread has kept for it, if that is
 * what it wants.  False: not so, and the thread keeps nothing. */
bool rl_list_hold_again(struct lock *lock, struct req *req, const struct list_want *want,
			struct kept *mine);

static inline bool take_up(struct lock *lock, struct req *req, const struct list_want *want)
{
	struct kept *mine = rl_mine(rl_list_kept);

	mine->again = NULL;
	return mine->node && rl_list_hold_again(lock, req, want, mine);
}

/* In a read section: of req, which lets go of x.  False: it is not kept. */
bool rl_list_keep_node(struct lock *lock, const struct req *req, struct list_node *x,
		       struct kept *mine);

static inline bool keep(struct lock *lock, const struct req *req, struct list_node *x)
{
	const uint64_t odd = 0x9e3779b97f4a7c15;
	struct kept *mine = rl_mine(rl_list_kept);
	uint32_t s = rl_load(&x->state, relaxed);

	if ((s & ~(uint32_t)STATE_WRITE) != (STATE_HELD | STATE_FAMILIAR))
		return false;
	uint64_t before = mine->before;
	mine->before = (x->start * odd ^ x->end) * odd ^ x->ticket ^ (uintptr_t)req ^ s;
	return rl_is_habit(before, mine->before) && rl_list_keep_node(lock, req, x, mine);
}

#endif
