/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who holds, who goes first, and who waits for whom: list.c has the invariants.
 */
#ifndef RL_LIST_CONTEND_H
#define RL_LIST_CONTEND_H

#include "list/chain.h"
#include "list/list.h"

/* x is in the list, and TRYING.  0: it is HELD, or RESERVED.  Else it has left, its owner is as
 * it was or idle, and the error is EBUSY, ETIMEDOUT, ECANCELED, or EINVAL for an abstime that
 * is none. */
int rl_list_contend(struct lock *lock, struct list_node *x, const struct list_want *want);

/* In a read section: take x out of the list, and wake those who wait for it. */
void rl_list_leave(struct lock *lock, struct list_node *x);

/* In a read section: the same of x, which is held, as are y and tail, unless that is NULL, in
 * its place.  Those whom one of the two is in the way of as well are not woken, but wait for
 * that one. */
void rl_list_replace(struct lock *lock, struct list_node *x, struct list_node *y,
		     struct list_node *tail);
/* In a read section: cancel x if it is of this kind (STATE_TICKET or STATE_COMMIT), and has not
 * been decided on. */
bool rl_list_cancel_one(struct list_node *x, uint32_t kind);

#endif
