/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tells a race detector that watches the user's program - ThreadSanitizer,
 * helgrind or DRD - which accesses a range lock has put in order.  The library
 * itself is an ordinary build, into which ThreadSanitizer cannot see, and in
 * which helgrind and DRD see plain accesses that nothing they know protects.
 *
 * Off wherever the library itself is what is checked, so that nothing is hidden
 * there: in sanitized builds, and around another RL_ATOMIC_HEADER.
 */
#ifndef RL_BASE_ANNOTATE_H
#define RL_BASE_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __has_feature
#define RL_HAS_FEATURE(x) __has_feature(x)
#else
#define RL_HAS_FEATURE(x) 0
#endif

#if !defined(RL_ATOMIC_HEADER) && !defined(__SANITIZE_THREAD__) && !RL_HAS_FEATURE(thread_sanitizer)
#define RL_ANNOTATE 1
#else
#define RL_ANNOTATE 0
#endif

#if RL_ANNOTATE

/* Does a detector watch?  Set when the library is loaded, and never again.  The calls
 * below are for where it is true; elsewhere they only cost time. */
extern __attribute__((visibility("hidden"))) bool rl_watched;

/* [start, end) of lock has been granted in this mode (enum rangelock_mode), and the
 * caller is about to learn of it. */
void rl_annotate_acquired(const void *lock, uint64_t start, uint64_t end, unsigned mode);

/* [start, end) of lock, held in this mode, is about to be given up: call it before
 * anybody else can be granted. */
void rl_annotate_releasing(const void *lock, uint64_t start, uint64_t end, unsigned mode);

/* This memory is the library's, which knows what it does.  For good, or until it is
 * freed: a late look at an idle request must be no report either. */
void rl_annotate_private(const volatile void *memory, size_t size);

#else

enum { rl_watched = false };

static inline void rl_annotate_acquired(const void *lock, uint64_t start, uint64_t end,
					unsigned mode)
{
	(void)lock, (void)start, (void)end, (void)mode;
}

static inline void rl_annotate_releasing(const void *lock, uint64_t start, uint64_t end,
					 unsigned mode)
{
	(void)lock, (void)start, (void)end, (void)mode;
}

static inline void rl_annotate_private(const volatile void *memory, size_t size)
{
	(void)memory, (void)size;
}

#endif

#endif
