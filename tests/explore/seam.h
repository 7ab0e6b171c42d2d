/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam, as the explorer fills it: the library's sources are compiled with
 * this in place of <stdatomic.h> (base/atomic.h), so that each atomic
 * operation stops before it is done and the explorer says who goes on.
 *
 * Values travel as uint64_t, whatever their type.
 */
#ifndef EXPLORE_SEAM_H
#define EXPLORE_SEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum order { ORDER_relaxed, ORDER_acquire, ORDER_release, ORDER_acq_rel, ORDER_seq_cst };

uint64_t seam_load(const volatile void *p, unsigned size, enum order order, const char *site);
void seam_store(volatile void *p, unsigned size, uint64_t v, enum order order, const char *site);
uint64_t seam_exchange(volatile void *p, unsigned size, uint64_t v, enum order order,
		       const char *site);
bool seam_cas(volatile void *p, unsigned size, uint64_t *expected, uint64_t v, enum order success,
	      enum order failure, const char *site);
void seam_relax(const char *site);

/* The compiler tells of its own accesses, not of those within these. */
void seam_plain(const void *p, size_t size, bool write);
#define memset(p, c, n) (seam_plain(p, n, true), memset(p, c, n))
#define memcpy(to, from, n) \
	(seam_plain(from, n, false), seam_plain(to, n, true), memcpy(to, from, n))

#define SEAM_TEXT(x)	      #x
#define SEAM_LINE(x)	      SEAM_TEXT(x)
#define SEAM_SITE	      __FILE__ ":" SEAM_LINE(__LINE__)
#define SEAM_WORD(v)	      ((uint64_t)(uintptr_t)(v))
#define SEAM_TYPE(p)	      __typeof__(((void)0, *(p))) /* without _Atomic */
#define SEAM_VALUE(p)	      (SEAM_TYPE(p))(uintptr_t)

#define rl_load(p, order)     (SEAM_VALUE(p) seam_load(p, sizeof(*(p)), ORDER_##order, SEAM_SITE))

#define rl_store(p, v, order) seam_store(p, sizeof(*(p)), SEAM_WORD(v), ORDER_##order, SEAM_SITE)

#define rl_exchange(p, v, order) \
	(SEAM_VALUE(p) seam_exchange(p, sizeof(*(p)), SEAM_WORD(v), ORDER_##order, SEAM_SITE))

#define rl_cas(p, expected, v, success, failure)                                         \
	({                                                                               \
		__typeof__(expected) seam_expected_ = (expected);                        \
		uint64_t seam_seen_ = SEAM_WORD(*seam_expected_);                        \
		bool seam_done_ = seam_cas(p, sizeof(*(p)), &seam_seen_, SEAM_WORD(v),   \
					   ORDER_##success, ORDER_##failure, SEAM_SITE); \
		*seam_expected_ = SEAM_VALUE(p) seam_seen_;                              \
		seam_done_;                                                              \
	})

#define rl_relax() seam_relax(SEAM_SITE)

/* How many nodes of lists are in use. */
void seam_note_nodes(int more);
#define rl_note_nodes(n) seam_note_nodes(n)

/* Is a thread to keep each node that it may (list/keep.c), whatever its habits? */
extern bool seam_keeps;
#define rl_is_habit(before, now) (seam_keeps || (before) == (now))

/* Fibers share what the compiler takes for one thread's: each gets a copy. */
void *seam_mine(void *variable, size_t size);

#define rl_mine(variable) ((__typeof__(&(variable)))seam_mine(&(variable), sizeof(variable)))

#endif
