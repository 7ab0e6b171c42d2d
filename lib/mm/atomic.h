/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's seam for atomics, and those that only the address space needs. */
#ifndef RL_MM_ATOMIC_H
#define RL_MM_ATOMIC_H

#include "base/atomic.h"

/* These return the old value. */
#define rl_mm_add(p, n, order) atomic_fetch_add_explicit(p, n, memory_order_##order)
#define rl_mm_or(p, n, order)  atomic_fetch_or_explicit(p, n, memory_order_##order)
#define rl_mm_and(p, n, order) atomic_fetch_and_explicit(p, n, memory_order_##order)

#endif
