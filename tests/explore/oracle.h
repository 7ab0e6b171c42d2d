/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One lock, its requests, and judgement of every call that scenarios make on it:
 *
 *   Owners.   Each unit of the space has plain data, which holders use, and
 *             counts of its holders.  The explorer sees a data race where the lock
 *             has ordered two uses by too little.
 *   Answers.  EBUSY and ETIMEDOUT need a conflicting request that was alive at
 *             some time of the call, and that did more than fail itself.
 *   Inside.   Between any two steps the invariants of lib/ hold: F1, T1-T5, E1, E2,
 *             E4, E6, B3, B4.  From E1 follow exclusion, FIFO, and that nobody waits for
 *             nothing.
 *   The list. No two nodes that are held conflict, and they stand in order.
 *   The end.  No node is in use; the lock is empty, its word is idle, and it can be destroyed.
 */
#ifndef EXPLORE_ORACLE_H
#define EXPLORE_ORACLE_H

#include <rangelock/rangelock.h>

#include "explore/explore.h"

enum { UNITS = 4, REQS = 2 * MAX_THREADS };

enum patience { TRIES, WAITS, WAITS_FOR_A_TIME };

/* What is wanted; end UNITS may stand for RANGELOCK_MAX. */
struct want {
	unsigned start, end;
	enum rangelock_mode mode;
	enum patience patience;
	bool no_bound;
};

extern struct rangelock o_lock;
extern struct rangelock_req o_reqs[REQS];

/* For struct scenario: .setup, .step and .check. */
void o_setup(void);
void o_setup_barging(void);		  /* a lock with RANGELOCK_BARGING; RL_MAX_BYPASS is 4 */
void o_put_on_list(void (*setup)(void));  /* the same for a list lock; RL_MAX_BYPASS is 4 */
void o_keep_on_list(void (*setup)(void)); /* the same, where threads keep all nodes that they may */
void o_step(void);
void o_check(void);

/* The lock and unlock calls, judged.  o_take() is for setup. */
int o_take(unsigned req, const struct want *want);
void o_drop(unsigned req);

/* Use what is held; others may come in. */
void o_use(unsigned req);

/* Take, and if that succeeds, use and drop.  The lock call's result. */
int o_visit(unsigned req, const struct want *want);

/* Changes of what is held, judged by what is used afterwards. */
void o_downgrade(unsigned req);
int o_upgrade(unsigned req);
int o_try_upgrade(unsigned req);
void o_reduce(unsigned req, unsigned start, unsigned end);
void o_split(unsigned req, unsigned at, unsigned tail);
int o_try_extend(unsigned req, unsigned start, unsigned end);

/* A nested read, used and dropped. */
void o_visit_nested(unsigned req, unsigned outer, unsigned start, unsigned end);

/* Two ranges as a vector on requests req and req + 1, used and dropped. */
int o_visit_both(unsigned req, const struct want *a, const struct want *b);

/* The same kept, to be dropped one by one. */
int o_take_both(unsigned req, const struct want *a, const struct want *b);

/* Submit; what it is granted is used and dropped by whoever has it: this call, or the
 * callback, which comes once. */
void o_submit(unsigned req, const struct want *want);

/* The same; whoever has dropped it submits another. */
void o_submit_two(unsigned req, const struct want *want, unsigned then,
		  const struct want *then_want);

/* rangelock_cancel, judged: for each 0 there must be one ECANCELED.  Its answer. */
int o_cancel(unsigned req);

/* What walk and is_locked say must be possible. */
void o_look(unsigned unit);

/* Does the request wait in the queue? */
bool o_waits(unsigned req);

/* Is the lock idle, as its word says? */
bool o_idle(void);

/* The lock has been destroyed, and its memory given up. */
void o_bury(void);

/* Reservations; each ends once.  What is committed is held.  A gap is sought in all units;
 * EBUSY: there is none. */
int o_reserve(unsigned req, unsigned start, unsigned end);
int o_reserve_gap(unsigned req, unsigned size);
int o_unreserve(unsigned req);
void o_revoked(unsigned req); /* it is known that it has been */
int o_commit(unsigned req, bool timed);

/* Reserve, and commit if it still stands, use and drop: 0, or an error of either. */
int o_reserve_and_commit(unsigned req, unsigned start, unsigned end, bool timed);

#define WR(start, end)	   (&(struct want){ start, end, RANGELOCK_WRITE, WAITS, false })
#define RD(start, end)	   (&(struct want){ start, end, RANGELOCK_READ, WAITS, false })
#define TRY_WR(start, end) (&(struct want){ start, end, RANGELOCK_WRITE, TRIES, false })
#define TRY_RD(start, end) (&(struct want){ start, end, RANGELOCK_READ, TRIES, false })
#define TIMED_WR(start, end) \
	(&(struct want){ start, end, RANGELOCK_WRITE, WAITS_FOR_A_TIME, false })
#define TIMED_RD(start, end) (&(struct want){ start, end, RANGELOCK_READ, WAITS_FOR_A_TIME, false })

#endif
