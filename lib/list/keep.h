/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a thread locks again and again.  Its node stays in the list when its owner unlocks,
 * KEPT, and is held again without a look at others, until somebody who conflicts comes by:
 * list.c has the invariants, N1 to N4.  A thread keeps one node.
 */
#ifndef RL_LIST_KEEP_H
#define RL_LIST_KEEP_H

#include "list/chain.h"
#include "list/list.h"

/* In a call that has been begun: req holds again what this thread has kept for it, if that is
 * what it wants.  False: not so, and the thread keeps nothing. */
bool rl_list_take_up(struct lock *lock, struct req *req, const struct list_want *want);

/* In a read section: of req, which lets go of x.  False: it is not kept. */
bool rl_list_keep(const struct req *req, struct list_node *x);

#endif
