/* SPDX-License-Identifier: BSD-2-Clause */
/* What is put under stress: a lock behind the calls of rangelock.h. */
#ifndef STRESS_SUBJECT_H
#define STRESS_SUBJECT_H

#include <rangelock/rangelock.h>

struct subject {
	const char *name;
	enum rangelock_engine engine;
	bool fifo;    /* strictly: what a walk shows must add up */
	bool barging; /* the same, but that who arrives may pass those that wait */
	bool torn;    /* a walk is not a picture of one moment */

	int (*init)(struct rangelock *, const struct rangelock_attr *);
	int (*destroy)(struct rangelock *);
	int (*rdlock)(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t);
	int (*wrlock)(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t);
	int (*tryrdlock)(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t);
	int (*trywrlock)(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t);
	int (*timedrdlock)(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t,
			   const struct timespec *);
	int (*timedwrlock)(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t,
			   const struct timespec *);
	int (*unlock)(struct rangelock *, struct rangelock_req *);
	int (*cancel)(struct rangelock *, struct rangelock_req *);
	int (*walk)(struct rangelock *, rangelock_walk_fn *, void *);
	bool (*is_locked)(struct rangelock *, uint64_t, uint64_t, enum rangelock_mode);
};

/* All there are, in the order in which "all" runs them; NULL-terminated. */
extern const struct subject *const subjects[];

/* A lock with two faults, to show that faults are found (busted.c). */
extern const struct subject busted;

/* Does this version of the library have it? */
bool subject_available(const struct subject *s);

#endif
