/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's side of a comparison: two locks, of which the second is made with
 * RANGELOCK_BARGING, and actors who call them.
 *
 * Actors are fibers, of which one runs at a time.  Where the library sleeps, the
 * fiber pauses, so a call comes back with a result or with MODEL_WAITS.  Beside
 * them, what the model says that is to happen (differential.c).
 *
 * There is one world, since the library has one table of functions to wait with.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "model/model.h"
#include "model/operation.h"
#include "support/fiber.h"
#include "wait/wait.h"

enum { ACTORS = 8, LOCKS = 2, STOP = -5, NOTHING = -2 };

/* One who makes calls.  All but the visitor have a request, with the same number. */
struct actor {
	struct fiber fiber;
	struct rangelock_req *req;
	int lock;	    /* where the request is in use, or was last */
	struct actor *user; /* who waits in a call that the request is part of */

	/* Its call. */
	struct operation op;
	struct rangelock_req *op_req;
	int result;

	/* Its sleep inside that call. */
	_Atomic uint32_t *sleeps_on;
	const struct timespec *until;
	int sleep_returns;
	int wakes;  /* how often it was woken in this operation */
	int chosen; /* how often its call has chosen a range */

	/* What the model says: the call is to return this, or it is to come; and it was to
	 * be woken. */
	int owed;
	bool invited;
	int to_be_woken;
	int must_choose; /* how often lock_chosen was to choose by then */

	/* Its request is submitted: it waits, or its callback is to run. */
	bool submitted, callback_due;
	int callback_error, then;
	struct rangelock_range submits;
};

/* What can be seen of a lock. */
struct sight {
	int walk, n;
	struct rangelock_info infos[ACTORS + 1];
	bool is_locked[MODES], is_reserved[ACTORS];
};

struct world {
	struct actor actors[ACTORS], visitor;
	struct rangelock_req reqs[ACTORS];
	struct rangelock locks[LOCKS];
	struct model models[LOCKS];
	struct sight sights[LOCKS]; /* as of the last LOOK */
	struct actor *running;
	int stray_wakes;
};
extern struct world world;

extern const struct wait_ops world_wait_ops;

/* Everything idle; fibers that stand in a call are forgotten. */
void world_begin(enum model_fault fault);

/* Make a lock, and its model. */
void make_lock(int lock, enum model_fault fault);

/* Let a call the library with somebody's request.  Its result, or MODEL_WAITS; what
 * the call found besides is in a->op. */
int make_call(struct actor *a, const struct operation *op, struct rangelock_req *req);

/* Where the library calls back, for differential.c to say: the callback of submitted
 * requests (arg is the actor), and lock_chosen when it does not choose first. */
void submit_ended(struct rangelock_req *req, int error, void *arg);
int choose_again(struct actor *a, struct rangelock_range *range);

/* Let a go on that sleeps.  Whether its call has returned. */
bool end_sleep(struct actor *a, int sleep_returns);

#endif
