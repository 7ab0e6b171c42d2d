/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's side of a comparison: two locks, and actors who call them.
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
#include "support/fiber.h"
#include "wait/wait.h"

enum { ACTORS = 8, LOCKS = 2, MODES = 2, WAYS = 7, STOP = -5, NOTHING = -2 };

enum kind { LOCK, UNLOCK, CANCEL, DEADLINE, GO_ON, DESTROY, WALK, NULLS, LOOK };

struct operation {
	enum kind kind;
	bool lazy; /* calls that are answered do not return yet */
	bool rude; /* arguments need not make sense */
	int actor, lock;
	int way; /* to lock: ways[] */
	struct rangelock_range range;
	int stop; /* how many requests a walk looks at */
};

/* The calls that lock. */
struct way {
	enum model_patience patience;
	const char *names[MODES];
	bool timed;
	const struct timespec *abstime;
	const char *time;
};
extern const struct way ways[WAYS];
extern const struct timespec a_later_time;

/* One who makes calls.  All but the visitor have a request. */
struct actor {
	struct fiber fiber;
	struct rangelock_req req;
	int lock; /* where the request is in use, or was last */

	/* Its call. */
	struct operation op;
	struct rangelock_req *op_req;
	int result;

	/* Its sleep inside that call. */
	_Atomic uint32_t *sleeps_on;
	const struct timespec *until;
	int sleep_returns;
	int wakes; /* how often it was woken in this operation */

	/* What the model says: the call is to return this, and was to be woken. */
	int owed;
	bool to_be_woken;
};

/* What can be seen of a lock. */
struct sight {
	int walk, n;
	struct rangelock_info infos[ACTORS + 1];
	bool is_locked[MODES];
};

struct world {
	struct actor actors[ACTORS], visitor;
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

/* Let a call the library with somebody's request.  Its result, or MODEL_WAITS. */
int make_call(struct actor *a, const struct operation *op, struct rangelock_req *req);

/* Let a go on that sleeps.  Whether its call has returned. */
bool end_sleep(struct actor *a, int sleep_returns);

#endif
