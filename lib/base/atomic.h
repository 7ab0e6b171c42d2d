/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam between the algorithms and the machine: every atomic operation of
 * the library, with its order as a word, and the hint for busy loops.  Here
 * it is <stdatomic.h>; a test environment may put another header in its place
 * (RL_ATOMIC_HEADER) and compile the same sources around it.
 *
 * Not here: fences and assembly, which ThreadSanitizer cannot follow.
 */
#ifndef RL_BASE_ATOMIC_H
#define RL_BASE_ATOMIC_H

#ifdef RL_ATOMIC_HEADER
#include RL_ATOMIC_HEADER
#else

#include <stdatomic.h>

#include <ck_pr.h>

#define rl_load(p, order)	 atomic_load_explicit(p, memory_order_##order)
#define rl_store(p, v, order)	 atomic_store_explicit(p, v, memory_order_##order)
#define rl_exchange(p, v, order) atomic_exchange_explicit(p, v, memory_order_##order)

/* Compare-and-swap, with the order of success and of failure; a failure
 * updates *expected. */
#define rl_cas(p, expected, v, success, failure)                                        \
	atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_##success, \
						memory_order_##failure)

#define rl_relax()	  ck_pr_stall()

/* This thread's own of a variable that is RL_THREAD_LOCAL. */
#define rl_mine(variable) (&(variable))

#endif /* RL_ATOMIC_HEADER */

/* initial-exec, since else a thread's first use could allocate. */
#define RL_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) _Thread_local

/* It is about to be written. */
#define rl_prefetch(p) __builtin_prefetch(p, 1)

#define rl_likely(x)   __builtin_expect(!!(x), 1)
#define rl_unlikely(x) __builtin_expect(!!(x), 0)

#endif
