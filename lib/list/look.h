/* SPDX-License-Identifier: BSD-2-Clause */
/* How those look at a list who are not in it. */
#ifndef RL_LIST_LOOK_H
#define RL_LIST_LOOK_H

#include "list/chain.h"

static inline bool is_waiting_state(uint32_t state)
{
	return (state & STATE_PHASE) <= STATE_PENDING && state & STATE_TICKET;
}

/* Call fn for the nodes in order, while it returns 0; of one request that is in the word,
 * with a node that stands for it.  EINVAL: the lock is destroyed. */
struct visit {
	int (*fn)(struct lock *lock, const struct list_node *n, uint32_t state, void *arg);
	void *arg;
};

int rl_list_visit(struct lock *lock, const struct visit *visit);

#endif
