/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read sections, and memory that is given back after a grace period (liburcu, flavour bp,
 * which grace.c alone includes).  The guarantees are R1 and R2 of base/rcu.h.
 */
#ifndef RL_MM_GRACE_H
#define RL_MM_GRACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

void rl_mm_read_lock(void);
void rl_mm_read_unlock(void);
bool rl_mm_in_read_section(void);
void rl_mm_synchronize(void);

/* What has been taken out, and is freed once nobody can be looking at it. */
struct retired {
	struct retired *next;
	void (*free)(struct retired *);
};

struct retirement {
	pthread_mutex_t lock;
	struct retired *first;
	size_t n;
};

void rl_mm_retirement_init(struct retirement *);
void rl_mm_retire(struct retirement *, struct retired *, void (*free_it)(struct retired *));
/* Free what has been retired, if it is at least so many; outside of sections. */
void rl_mm_reap(struct retirement *, size_t at_least);
void rl_mm_retirement_end(struct retirement *);

#endif
