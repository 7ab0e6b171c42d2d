/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference model: what the contract says of one lock, executable.
 *
 * It is written from the contract, and so that one can see that it is right:
 * the requests stand in an array in the order of their arrival, and all that
 * is asked of them is computed from it, every time anew.  One function per
 * call.  A request is known by a number; that calls wait is a result.
 *
 * Not here: anything of the library but its public types.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <rangelock/rangelock.h>

/* Models that are wrong on purpose: what compares the library with them must
 * find a difference. */
enum model_fault {
	MODEL_SOUND,
	MODEL_ADJACENT_CONFLICT, /* ranges that only touch conflict */
	MODEL_READERS_OVERTAKE,	 /* a read does not wait for those who wait */
	MODEL_STAYS_QUEUED,	 /* who gave up stays in the queue */
	MODEL_TRY_JUMPS,	 /* try minds only those who hold */
	MODEL_COVER_IS_BOX,	 /* is_locked does not see gaps */
	MODEL_REFUSES_EARLY,	 /* an unsound time is refused where nobody waits */
	MODEL_FAULTS
};
extern const char *const model_fault_names[MODEL_FAULTS];

/* How long a lock call waits. */
enum model_patience {
	TRY,
	FOREVER,
	UNTIL,	/* a time that model_deadline() says is over */
	PAST,	/* a time that is over */
	UNSOUND /* no time at all */
};

enum {
	MODEL_WAITS = -1, /* as a result: the call has not returned */
	MODEL_MOST = 16
};

struct model_request {
	int who;
	struct rangelock_range range;
	bool call_waits; /* its lock call has not been answered */
};

struct model {
	enum model_fault fault;
	bool destroyed;
	int n;
	struct model_request queue[MODEL_MOST]; /* in order of arrival */

	/* The waiting calls which the last call made return, and with what. */
	int answered;
	struct {
		int who, result;
	} answers[MODEL_MOST];
};

/* The calls.  A result is 0, an errno value, or MODEL_WAITS. */
void model_init(struct model *m, enum model_fault fault);
int model_destroy(struct model *m);
int model_lock(struct model *m, int who, const struct rangelock_range *range,
	       enum model_patience patience);
int model_unlock(struct model *m, int who);
int model_cancel(struct model *m, int who);
bool model_is_locked(const struct model *m, const struct rangelock_range *range);

/* The deadline of who, which waits until one, passes. */
void model_deadline(struct model *m, int who);

/* What walk shows: where in the queue who stands (-1: nowhere), and how many
 * earlier requests the i-th of the queue waits for; none: it is held. */
int model_find(const struct model *m, int who);
int model_blockers(const struct model *m, int i);

#endif
