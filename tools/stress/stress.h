/* SPDX-License-Identifier: BSD-2-Clause */
/* One run: its threads, what they share, and what they counted. */
#ifndef STRESS_STRESS_H
#define STRESS_STRESS_H

#include <pthread.h>

#include "common/random.h"
#include "stress/history.h"
#include "stress/oracle.h"

/* Where a request of a worker is.  The worker moves it from IDLE and back; the
 * helper moves it from HANDED_ON to RETURNED; whoever runs the callback of one that
 * is SUBMITTED, to CALLED_BACK and from there to any other. */
enum place {
	PLACE_IDLE,
	PLACE_HELD,
	PLACE_HANDED_ON,
	PLACE_RETURNED,
	PLACE_SUBMITTED,
	PLACE_CALLED_BACK,
	PLACE_RESERVED
};

struct worker;

/* What is known of a request.  It belongs to its worker, or to its callback. */
struct ticket {
	struct worker *worker;
	struct span span;
	uint64_t end;	   /* as it was given: RANGELOCK_MAX may stand for UNITS */
	struct life *life; /* what is recorded of it */
	_Atomic int place;
};

struct run;

struct worker {
	_Alignas(64) struct run *run;
	unsigned index;
	struct rng rng;
	struct rangelock_req reqs[PER_THREAD];
	struct ticket tickets[PER_THREAD];
	struct rng submit_rng; /* whoever has the submitted request has this, too */
	_Atomic uint64_t submissions, callbacks; /* that answered EINPROGRESS; that ran */
	uint64_t reservations, ends;		 /* that were made; that ended, however */
	uint32_t writes;			 /* in the reserved range, when that was reserved */
	uint64_t calls[N_CALLS];
	_Atomic uint64_t steps; /* for the watchdog */
	atomic_bool resting;	/* between rounds: makes no steps */
	pthread_t thread;
};

struct run {
	const struct subject *subject;
	unsigned caps; /* the calls to make: RANGELOCK_CAP_* */
	/* The lock is RANGELOCK_CHECKED, and nothing is to be reported: who holds does not
	 * wait, but for an upgrade or a nested read, and hands nothing on. */
	bool checked;
	bool stats;			 /* the lock counts */
	struct rangelock_stats answered; /* by the calls of this round: what the lock is to count */
	uint64_t cancels_before;	 /* this round */
	struct rangelock lock;
	struct oracle oracle;
	struct {
		unsigned start, copy; /* plain: guarded by rangelock_enter() */
	} map;
	struct history history;
	struct verdict verdict;
	uint64_t rounds, idle; /* idle: a thread made no lock call in a round */
	unsigned n_workers;
	struct worker *workers;
	pthread_barrier_t round; /* workers and main, between rounds */
	atomic_bool pause, stop;
	uint64_t calls[N_CALLS];		/* by main and helper */
	_Atomic uint64_t in_callbacks[N_CALLS]; /* by whoever ran them */
	uint64_t cancels;			/* rangelock_cancel() that returned 0 */
	_Atomic uint64_t helper_steps;		/* for the watchdog; main is the helper */
};

/* ---- What all calls of a worker have in common: worker.c ---- */

struct rangelock_req *req_of(const struct ticket *t);
struct span random_span(struct rng *rng);

/* The last unit sometimes stands for all that is above. */
uint64_t end_of(struct rng *rng, const struct span *span);

/* A deadline soon after `called`. */
struct timespec deadline_of(struct rng *rng, struct life *life);

/* A new life of a ticket, from now on; and the answer to its call. */
struct life *begin_life(struct ticket *t, enum call call, const struct span *span);
void end_life(struct life *life, int error);

/* The ticket holds its span, as `life` tells. */
void hold_ticket(struct ticket *t, struct life *life);

/* By its owner, or by the helper on his behalf. */
void unlock_ticket(struct ticket *t, unsigned who);

/* Unlock counted, and the ticket is idle. */
void give_back(struct ticket *t);

/* An answer that no call may give. */
void wrong_answer(const struct ticket *t, enum call call, const struct span *span, int error);

/* ---- The calls beyond lock and unlock: change.c, other.c ---- */

/* Change a ticket that is held.  `alone`: the worker has no other. */
void change_ticket(struct ticket *t, bool alone);

/* One of the other ways to lock, for an idle ticket.  `holds`, `writes`: does the
 * worker hold anything, or may it hold a write? */
void lock_otherwise(struct ticket *t, bool holds, bool writes);
void submit_ticket(struct ticket *t);
void lock_vector(struct worker *w, bool holds);
void unlock_vector(struct worker *w);
void reserve_ticket(struct ticket *t);

/* Commit a reservation, give it up, or ask for it. */
void go_on_with_reservation(struct ticket *t, bool holds);
void unreserve_ticket(struct ticket *t);

/* All rest: has each submission had its callback, and each reservation its end? */
void check_sums(struct run *run);

/* All rest, and the history is as they left it: what has the lock to have counted?  And
 * then: has it? */
void count_answers(struct run *run);
void check_stats(struct run *run);

/* Threads: random calls until pause, barrier, next round; until stop. */
void *worker_main(void *worker);

/* One step of the helper, which cancels, unlocks what was handed on, looks. */
void helper_step(struct run *run, struct rng *rng);

#endif
