/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reservations of the list engine: nodes that are RESERVED, and in nobody's way but other
 * reservations'.  list.c has the invariants, M1 to M4.
 */
#ifndef RL_LIST_RESERVE_H
#define RL_LIST_RESERVE_H

#include "list/chain.h"

/* In a read section: x, a write, has been granted, and ends all reservations that it overlaps,
 * its own too. */
void rl_list_revoke(struct lock *lock, const struct list_node *x);

/* In a read section: req is reserved as before, and nobody commits that. */
void rl_list_uncommit(struct lock *lock, struct req *req);

#endif
