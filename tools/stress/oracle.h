/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The live oracle: judges a lock, while it runs, by what its holders and walks
 * see.  What needs to know who called when is judged afterwards: history.h.
 *
 *   Owners.  The space is UNITS wide, and each unit has a counter of its
 *   holders and a pair of plain words that writers change and readers compare.
 *   The counters are relaxed atomics, so that they hide no missing order from
 *   ThreadSanitizer, which watches the plain words.
 *
 *   Pictures.  What rangelock_walk() shows at one moment must be free of
 *   conflicts, and under strict FIFO every count of blockers must add up, as far
 *   as a walk tells who is a nested read, or is being upgraded.
 */
#ifndef STRESS_ORACLE_H
#define STRESS_ORACLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "stress/subject.h"

enum {
	UNITS = 64,
	MAX_THREADS = 256,
	PLAIN = 3, /* requests that one thread may hold, by number; and further ones: */
	SUBMIT_SLOT = PLAIN,
	RESERVE_SLOT,
	VECTOR_SLOT,
	VECTOR = 2,
	CHOSEN_LENGTH = 4, /* of what lock_chosen chooses */
	PER_THREAD = VECTOR_SLOT + VECTOR,
	MAX_REQUESTS = MAX_THREADS * PER_THREAD
};

struct owners {
	_Atomic int32_t holders;	 /* readers, or WRITER */
	_Atomic uint32_t writes;	 /* how often a writer came */
	volatile uint64_t first, second; /* plain: guarded by the lock under test */
};

/* A range of units; `end` UNITS may stand for RANGELOCK_MAX. */
struct span {
	unsigned start, end;
	enum rangelock_mode mode;
};

struct oracle {
	struct owners units[UNITS];

	/* The first violation, and the sign for all to stop. */
	atomic_bool violated;
	char report[1100];
};

/* Say what is wrong; the first one counts. */
__attribute__((format(printf, 2, 3))) void violation(struct oracle *o, const char *fmt, ...);

/* Between lock and unlock.  who names the thread in reports. */
void oracle_hold(struct oracle *o, const struct span *span, unsigned who);
void oracle_use(struct oracle *o, const struct span *span, unsigned who);
void oracle_drop(struct oracle *o, const struct span *span, unsigned who);

/* What the holder of a range sees in it; it stays until a writer has been there. */
uint64_t oracle_sum(struct oracle *o, const struct span *span);

/* How many writers have come to a range that need not be held. */
uint32_t oracle_writes(struct oracle *o, const struct span *span);

/* All that rangelock_walk() shows at one moment. */
struct picture {
	struct rangelock_info all[MAX_REQUESTS];
	unsigned n;
};
void take_picture(struct oracle *o, const struct subject *s, struct rangelock *lock,
		  struct picture *ret_picture);
void judge_picture(struct oracle *o, const struct subject *s, const struct picture *p);

#endif
