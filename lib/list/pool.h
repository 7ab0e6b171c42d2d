/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes of the list engine, and where they come from: each thread has a pool, so that
 * the steady state allocates nothing and shares nothing.  Whoever takes a node out of a
 * list retires it into its own pool; it is used again after a grace period, one for a
 * batch.
 *
 *   P1  A retired node keeps all that a late reader may look at: everything but
 *       `link`, by which pools chain it.
 *   P2  Memory is never given back to the system.  It is as much as all threads have
 *       used at one time, and a few batches for each thread that is alive.
 */
#ifndef RL_LIST_POOL_H
#define RL_LIST_POOL_H

#include <stdint.h>

#include "base/atomic.h"

/* list.c says what the fields mean. */
struct list_node {
	_Alignas(64) _Atomic uintptr_t next;
	uint64_t start, end;
	struct req *owner;
	union {
		uint64_t ticket;	/* of one that may be KEPT: the list's id */
		struct list_node *head; /* of a follower */
	};
	_Atomic uint32_t state, park;
	_Atomic uintptr_t waiters;
	struct list_node *link;
};

_Static_assert(sizeof(struct list_node) == 64, "a node is a cache line");

/* A node whose contents are anything; outside of read sections, since it may wait for a
 * grace period.  NULL: there is no memory. */
struct list_node *rl_pool_take(void);

/* Of one that nobody else has seen. */
void rl_pool_give_back(struct list_node *node);

/* Of one that nobody can find any more, though some may still look at it. */
void rl_pool_retire(struct list_node *node);

#ifdef RL_ATOMIC_HEADER
/* As in a new process. */
void rl_pool_forget(void);
#endif

#endif
