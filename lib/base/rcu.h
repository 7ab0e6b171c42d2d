/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pools of nodes that others read without a lock need of the system: read
 * sections and grace periods (liburcu, flavour bp, which rcu.c alone includes),
 * memory, the end of a thread, and the child of a fork.  A test environment puts its own in
 * its place.
 *
 *   R1  A grace period waits for every read section that has begun before it, and what
 *       was done in them is visible after it.
 *   R2  A section that begins after a grace period has begun sees all that came before
 *       that.
 */
#ifndef RL_BASE_RCU_H
#define RL_BASE_RCU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

/* Sections nest.  Nothing sleeps in one, but for what wakes others. */
void rl_rcu_read_lock(void);
void rl_rcu_read_unlock(void);

/* Wait for a grace period; outside of sections. */
void rl_rcu_synchronize(void);

/* Memory aligned to 64 bytes, for good; NULL: there is none. */
void *rl_rcu_allocate(size_t size);

/* Of a thread, which calls fn(this) when it ends. */
struct rcu_ending {
	void (*fn)(struct rcu_ending *);
	struct rcu_ending *next;
};

/* Have fn(ending) called when this thread ends.  False: it will not be. */
bool rl_rcu_at_thread_end(struct rcu_ending *ending, void (*fn)(struct rcu_ending *));

/*
 * What a thread is at, written by it alone, for the child of a fork to read.  That has of each
 * thread all that it wrote up to one point of its program, and all that others wrote which it
 * had seen there: so the order in which the compiler writes is enough, and costs no fence.
 */
struct record {
	_Alignas(64) struct record *next;
	_Atomic uint32_t taken; /* by a thread that has not ended */

	/* The list's (list/fork.h). */
	_Atomic(struct call *) calls;
	_Atomic(struct list_node *) due, pursued;
	_Atomic(struct lock *) due_lock;
};

/* Have fn(first) called in the child of each fork, in its only thread, with the records of all
 * threads that there have been. */
void rl_rcu_in_child(void (*fn)(struct record *first));

/* This thread's. */
#ifdef RL_ATOMIC_HEADER
struct record *rl_rcu_record(void);
#else
extern RL_THREAD_LOCAL struct record *rl_rcu_mine;
struct record *rl_rcu_make_record(void);

static inline struct record *rl_rcu_record(void)
{
	return rl_likely(rl_rcu_mine) ? rl_rcu_mine : rl_rcu_make_record();
}
#endif

#endif
