/* SPDX-License-Identifier: BSD-2-Clause */
/* One run: its threads, what they share, and what they counted. */
#ifndef STRESS_STRESS_H
#define STRESS_STRESS_H

#include <pthread.h>

#include "common/random.h"
#include "stress/history.h"
#include "stress/oracle.h"

/* Where a request of a worker is.  The worker moves it from IDLE and back; the
 * helper moves it from HANDED_ON to RETURNED. */
enum place { PLACE_IDLE, PLACE_HELD, PLACE_HANDED_ON, PLACE_RETURNED };

struct ticket {
	struct rangelock_req req;
	struct span span;
	struct life *life; /* what is recorded of it */
	_Atomic int place;
};

struct run;

struct worker {
	_Alignas(64) struct run *run;
	unsigned index;
	struct rng rng;
	struct ticket tickets[PER_THREAD];
	uint64_t calls[N_CALLS];
	_Atomic uint64_t steps; /* for the watchdog */
	atomic_bool resting;	/* between rounds: makes no steps */
	pthread_t thread;
};

struct run {
	const struct subject *subject;
	struct rangelock lock;
	struct oracle oracle;
	struct history history;
	struct verdict verdict;
	uint64_t rounds, idle; /* idle: a thread made no lock call in a round */
	unsigned n_workers;
	struct worker *workers;
	pthread_barrier_t round; /* workers and main, between rounds */
	atomic_bool pause, stop;
	uint64_t calls[N_CALLS];       /* by main and helper */
	uint64_t cancels;	       /* rangelock_cancel() that returned 0 */
	_Atomic uint64_t helper_steps; /* for the watchdog; main is the helper */
};

/* Threads: random calls until pause, barrier, next round; until stop. */
void *worker_main(void *worker);

/* One step of the helper, which cancels, unlocks what was handed on, looks. */
void helper_step(struct run *run, struct rng *rng);

#endif
