/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The history of a round: what every thread asked and got, and when; judged
 * once all threads rest.
 *
 * Recording.  Each thread writes to a log of its own, in memory of its own; no
 * lock, no allocation, nothing that orders threads and so hides a missing
 * order from ThreadSanitizer.  A log that is full ends the round.
 *
 * Stamps.  CLOCK_MONOTONIC: one time line for all threads, and the one of the
 * deadlines.  Where the time stamp counters of all processors agree, the
 * kernel's vDSO reads them (24 ns, of which the counter itself is 20);
 * elsewhere it takes what is slower and right.  It reads the clock after the
 * loads that come before; stamp() sees to what comes after.  Stores are done,
 * for all to see, when a call returns that ends with a read-modify-write, as
 * those of the lock do.  So a call takes effect between its stamps.  Equal
 * stamps count as "at the same time", which excuses.
 *
 * What is certain.  A request is surely held from the return of its lock call
 * to the call of its unlock, and may be in the lock from the call of its lock
 * call to the return of its unlock.  A request that a walk has shown arrived
 * before all whose lock calls began after that walk had ended.
 *
 * Changes.  A request that is changed while it is held has a life for each state:
 * the old one ends in the call with which the new one begins.  What it gives up
 * is not sure from when the call begins, what it gains not before it returns.
 *
 * Sure and possible.  start, end and mode are what a life surely holds; may_* are
 * all that it may have claimed, which is more where a range was chosen anew, and
 * where a member of a vector waited for another.  The one is judged by, the other
 * excuses.
 *
 * Reservations.  A reservation that was committed or given up stood all the time.
 * It has a life of mode read, in the way of nobody but other reservations; of
 * whom it excludes, and who ends it, it knows writes and reservations alone.
 */
#ifndef STRESS_HISTORY_H
#define STRESS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "stress/oracle.h"

enum call {
	CALL_RDLOCK,
	CALL_WRLOCK,
	CALL_TRYRDLOCK,
	CALL_TRYWRLOCK,
	CALL_TIMEDRDLOCK,
	CALL_TIMEDWRLOCK,
	CALL_UNLOCK,
	CALL_CANCEL,
	CALL_DOWNGRADE,
	CALL_TRYUPGRADE,
	CALL_UPGRADE,
	CALL_REDUCE,
	CALL_SPLIT,
	CALL_TRYEXTEND,
	CALL_RDLOCK_NESTED,
	CALL_LOCKV,
	CALL_UNLOCKV,
	CALL_SUBMIT,
	CALL_RESERVE,
	CALL_RESERVE_GAP,
	CALL_COMMIT,
	CALL_UNRESERVE,
	CALL_IS_RESERVED,
	CALL_ENTER,
	CALL_LEAVE,
	CALL_WAIT_ENTERED,
	CALL_LOCK_CHOSEN,
	CALL_WALK,
	CALL_IS_LOCKED,
	CALL_INIT,
	CALL_DESTROY,
	N_CALLS
};
extern const char *const call_names[N_CALLS];

/* One life of a request, from lock to unlock.  Or an is_locked that said true,
 * put down as a failed try to write: somebody must have held the range. */
struct life {
	int64_t called, returned; /* the lock call */
	int64_t dropped, gone;	  /* the unlock call; gone is also when a failed call returned */
	int64_t deadline;	  /* of a timed call */
	int64_t seen; /* the judge's: when the first walk that showed it in its call had ended */
	uint32_t bypass;
	uint16_t who, unlocked_by; /* threads */
	uint8_t slot;		   /* which of its thread's requests */
	uint8_t call, result;	   /* result: 0 or an errno value */
	uint8_t start, end, may_start, may_end;
	uint8_t mode : 1, may_mode : 1;
	uint8_t ahead : 1;   /* it goes before others that wait: a change, a nested read */
	uint8_t moved : 1;   /* it may have arrived more than once */
	uint8_t revoked : 1; /* a reservation: found revoked when it was to end, at `gone` */
};
_Static_assert(sizeof(struct life) == 64 && UNITS <= UINT8_MAX, "a cache line");

/* Of one thread: lives in the order of their calls. */
struct log {
	_Alignas(64) struct life *lives;
	uint32_t n, room;
};

/* A cancel that answered 0, or a request that a walk showed while its lock
 * call had not returned; by the helper. */
struct event {
	int64_t began, ended;
	uint64_t arrival;   /* as shown */
	struct life *life;  /* the judge's: whose lock call the event fell into */
	uint32_t picture;   /* number of the walk */
	uint16_t who, slot; /* the request */
	bool waits;	    /* as shown */
};

struct events {
	struct event *all;
	uint32_t n, room;
};

struct history {
	bool fifo;    /* judge by strict FIFO, not by bounded bypass */
	bool barging; /* by both: those that wait keep their order */
	unsigned n_workers, n_logs;
	/* Of the workers; of the helper; of the workers' requests for submit. */
	struct log logs[2 * MAX_THREADS + 1];
	struct events cancels, sightings;
	struct life **by_call, **by_return, **sighted, **scratch; /* the judge's */
};

struct verdict {
	uint64_t judged; /* lives */
	uint64_t max_bypass;
	char fault[1024]; /* the first one that was found; empty: none */
};

/* For n threads and a helper.  Memory: 88 bytes for each of 2^18 lives, or of
 * 4096 per thread if those are more, an eighth more, and 3 MB for events: 30 to
 * 110 MB in all. */
bool history_init(struct history *, unsigned n, bool fifo);
void history_clear(struct history *);
void history_free(struct history *);

/* All lives, in the order of their calls or of their returns; how many. */
size_t history_sort(struct history *, bool by_return, struct life **order);

/* Give each sighting to the lock call within which the whole walk fell, if there
 * is one: then it shows that call's request and no other.  Fills `sighted`, in
 * the order of `seen`; with how many. */
size_t history_attribute(struct history *);

/* Judge a round, all of whose requests are idle again.  Adds to the verdict. */
void history_judge(struct history *, struct verdict *);

/* The time, before all that follows and after all that went before. */
static inline int64_t stamp(void)
{
	int64_t now = clock_ns();

#ifdef __SSE2__
	__builtin_ia32_lfence(); /* else a processor may look at the lock first */
#endif
	return now;
}

/* Submitted requests are granted at any time, and have a log of their own to be in order. */
static inline struct log *log_of(struct history *h, unsigned who, unsigned slot)
{
	return &h->logs[slot == SUBMIT_SLOT ? h->n_workers + 1 + who : who];
}

/* No room for what one step may put down? */
static inline bool log_is_full(const struct log *log)
{
	return log->room - log->n < 4;
}

static inline struct life *log_life(struct log *log, unsigned who, unsigned slot, enum call call,
				    const struct span *span)
{
	struct life *life = &log->lives[log->n++];

	*life = (struct life){ .seen = INT64_MAX,
			       .who = (uint16_t)who,
			       .unlocked_by = (uint16_t)who,
			       .slot = (uint8_t)slot,
			       .call = (uint8_t)call,
			       .start = (uint8_t)span->start,
			       .end = (uint8_t)span->end,
			       .mode = span->mode == RANGELOCK_WRITE,
			       .may_start = (uint8_t)span->start,
			       .may_end = (uint8_t)span->end,
			       .may_mode = span->mode == RANGELOCK_WRITE };
	return life;
}

static inline bool events_are_full(const struct events *events)
{
	return events->n == events->room;
}

#endif
