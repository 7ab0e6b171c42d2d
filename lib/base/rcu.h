/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pools of nodes that others read without a lock need of the system: read
 * sections and grace periods (liburcu, flavour bp, which rcu.c alone includes),
 * memory, and the end of a thread.  A test environment puts its own in its place.
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

/* Sections nest.  Nothing sleeps in one, but for what wakes others. */
void rl_rcu_read_lock(void);
void rl_rcu_read_unlock(void);

/* Wait for a grace period; outside of sections. */
void rl_rcu_synchronize(void);

/* Memory aligned to 64 bytes, for good; NULL: there is none. */
void *rl_rcu_allocate(size_t size);

/* Have fn(arg) called when this thread ends.  False: it will not be. */
bool rl_rcu_at_thread_end(void (*fn)(void *), void *arg);

#endif
