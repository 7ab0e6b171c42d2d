/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * liburcu, flavour bp, and what ThreadSanitizer, which does not see into it, is to know of it.
 * One file of each library includes this.
 */
#ifndef RL_BASE_URCU_H
#define RL_BASE_URCU_H

#include "base/annotate.h"

/* Its read sections inline, as it allows to code under any license.  Not where alignment is
 * checked: it has records that are not aligned as their type says (seen in 0.13.2). */
#if !defined(__SANITIZE_ADDRESS__) && !RL_HAS_FEATURE(undefined_behavior_sanitizer)
#define _LGPL_SOURCE
#endif
#include <urcu-bp.h>

#if defined(__SANITIZE_THREAD__) || RL_HAS_FEATURE(thread_sanitizer)
void __tsan_acquire(void *);
void __tsan_release(void *);
#define tsan_acquire(p) __tsan_acquire(p)
#define tsan_release(p) __tsan_release(p)
#else
#define tsan_acquire(p) ((void)(p))
#define tsan_release(p) ((void)(p))
#endif

static char sections_end, periods_begin; /* addresses only */

static inline void rl_urcu_read_lock(void)
{
	urcu_bp_read_lock();
	tsan_acquire(&periods_begin); /* R2 of base/rcu.h */
}

static inline void rl_urcu_read_unlock(void)
{
	tsan_release(&sections_end); /* R1 */
	urcu_bp_read_unlock();
}

static inline void rl_urcu_synchronize(void)
{
	tsan_release(&periods_begin);
	urcu_bp_synchronize_rcu();
	tsan_acquire(&sections_end);
}

#endif
