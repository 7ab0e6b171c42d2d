/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle: judges a lock by what its holders see.
 *
 *   Owners.  The space is UNITS wide, and each unit has a counter of its
 *   holders and a pair of plain words that writers change and readers compare.
 *   The counters are relaxed atomics, so that they hide no missing order from
 *   ThreadSanitizer, which watches the plain words.
 *
 *   Claims.  Each request announces, in one atomic word, from before its lock
 *   call until after its unlock, what it wants or has.  A try or timed call
 *   that fails while no claim has moved and none conflicts has failed for
 *   nothing.
 *
 *   Pictures.  What rangelock_walk() shows at one moment must be free of
 *   conflicts, and under strict FIFO every count of blockers must add up.
 */
#ifndef STRESS_ORACLE_H
#define STRESS_ORACLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "stress/subject.h"

enum {
	UNITS = 64,
	MAX_THREADS = 256,
	PER_THREAD = 3, /* requests that one thread may hold */
	MAX_CLAIMS = MAX_THREADS * PER_THREAD
};

struct owners {
	_Atomic int32_t holders;	 /* readers, or WRITER */
	volatile uint64_t first, second; /* plain: guarded by the lock under test */
};

/* A range of units; `end` UNITS may stand for RANGELOCK_MAX. */
struct span {
	unsigned start, end;
	enum rangelock_mode mode;
};

struct oracle {
	struct owners units[UNITS];
	_Atomic uint64_t claims[MAX_CLAIMS];
	unsigned n_claims;

	/* The first violation, and the sign for all to stop. */
	atomic_bool violated;
	char report[512];
};

/* Say what is wrong; the first one counts. */
__attribute__((format(printf, 2, 3))) void violation(struct oracle *o, const char *fmt, ...);

/* Between lock and unlock.  who names the thread in reports. */
void oracle_hold(struct oracle *o, const struct span *span, unsigned who);
void oracle_use(struct oracle *o, const struct span *span, unsigned who);
void oracle_drop(struct oracle *o, const struct span *span, unsigned who);

void claim(struct oracle *o, unsigned index, const struct span *span);
void unclaim(struct oracle *o, unsigned index);

/* All claims but one's own, as they stand. */
void snapshot(struct oracle *o, uint64_t claims[MAX_CLAIMS]);

/* Between the two snapshots, could anything have been in the way? */
bool could_conflict(struct oracle *o, const uint64_t before[MAX_CLAIMS],
		    const uint64_t after[MAX_CLAIMS], unsigned own, const struct span *span);

/* Look at the whole lock through walk, and judge the picture. */
void judge_picture(struct oracle *o, const struct subject *s, struct rangelock *lock);

#endif
