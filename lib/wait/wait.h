/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one place that parks threads: spin briefly, then sleep on a word.
 *
 * It rests on a small table of functions, so that tests can put their own
 * scheduler, clock or faults in its place.  Deadlines are absolute times of
 * CLOCK_MONOTONIC; NULL is no limit.
 */
#ifndef RL_WAIT_WAIT_H
#define RL_WAIT_WAIT_H

#include <stdint.h>
#include <time.h>

#include "base/atomic.h"

struct wait_ops {
	/*
	 * Sleep while *word == expected, until woken or abstime.  Returns 0
	 * (woken, perhaps for nothing: the caller looks again) or ETIMEDOUT.
	 */
	int (*sleep)(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime);
	/* Wake one thread that sleeps on word.  The word's memory may be gone. */
	void (*wake)(_Atomic uint32_t *word);
	/* On how many processors may this process run?  Asked often. */
	unsigned (*processors)(void);
	/* A number that is the calling thread's alone, and not 0. */
	uint32_t (*thread)(void);
	/* The time of CLOCK_MONOTONIC, in nanoseconds. */
	uint64_t (*now)(void);
};

extern const struct wait_ops rl_wait_futex; /* what the library ships with */
extern const struct wait_ops *rl_wait;	    /* what it uses */

/*
 * A waiter's word.  The owner sets PARK_WAITING before the engine can see the
 * request, and again inside the short mutex if it was invited in vain.  Exactly one
 * rl_unpark() answers it each time, unless the owner takes the request back inside
 * the short mutex first.
 */
enum park {
	PARK_WAITING = 0, /* the owner spins, or is about to */
	PARK_ASLEEP,	  /* the owner sleeps, or is about to: wake it */
	PARK_GRANTED,
	PARK_CANCELED,
	PARK_INVITED,	/* look again, and wait again if need be */
	PARK_ABANDONED, /* the owner has gone: it is for whoever answers to see */

	PARK_TIMED_OUT = PARK_ASLEEP /* as the result of rl_park() */
};

/*
 * Wait for the answer.  crowd is how many others must go first, at most: where
 * they are as many as the processors, spinning only delays them.  Returns
 * the answer, or PARK_TIMED_OUT when abstime has passed.
 */
enum park rl_park(_Atomic uint32_t *park, uint32_t crowd, const struct timespec *abstime);

/* Answer.  The waiter's memory may be gone as soon as the answer is stored.  Returns what
 * was there before. */
enum park rl_unpark(_Atomic uint32_t *park, enum park answer);

/* Answer PARK_CANCELED, unless there is an answer already.  The memory must stay. */
void rl_interrupt(_Atomic uint32_t *park);

/* How many rl_relax() rounds to wait for something that takes well under a
 * microsecond; 0 on one processor. */
unsigned rl_short_spins(void);

#endif
