/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One operation of a sequence: from bytes, and in words.
 *
 * An operation is five bytes:
 *
 *   0  which; the upper quarter of the values is lazy
 *   1  actor, mode, and the way to lock
 *   2  start of a range, and the lock
 *   3  its end; the uppermost values are rude: the arguments are taken as they
 *      come.  Else they are made sensible: a range is not empty, who locks is
 *      idle, who unlocks holds, who is cancelled waits.
 *   4  what else the call needs
 */
#ifndef TESTS_OPERATION_H
#define TESTS_OPERATION_H

#include <stdio.h>

#include "model/model.h"

enum { OPERATION_BYTES = 5, MODES = 2, WAYS = 7, VECTOR = 4 };

enum kind {
	LOCK,
	UNLOCK,
	CANCEL,
	DEADLINE,
	GO_ON,
	DESTROY,
	WALK,
	NULLS,
	LOOK,
	DOWNGRADE,
	TRYUPGRADE,
	UPGRADE,
	REDUCE,
	SPLIT,
	TRYEXTEND,
	RDLOCK_NESTED,
	LOCKV,
	UNLOCKV,
	SUBMIT,
	RESERVE,
	RESERVE_GAP,
	COMMIT,
	UNRESERVE,
	WAIT_ENTERED,
	LOCK_CHOSEN,
	KINDS
};

/* What a submitted request's callback does, once. */
enum { THEN_UNLOCK = 1, THEN_SUBMIT = 2 };

struct operation {
	enum kind kind;
	bool lazy; /* calls that are answered do not return yet */
	bool rude; /* arguments need not make sense */
	int actor, lock;
	int way; /* to lock: ways[] */
	struct rangelock_range range;
	int stop; /* how many requests a walk looks at */

	int other; /* whose request is the tail, or the outer one */
	uint64_t at;
	uint64_t size, align;
	int n; /* of a vector: from the actor's on */
	struct rangelock_range ranges[VECTOR];
	int then;	  /* THEN_* */
	int changes;	  /* how often lock_chosen changes its mind */
	bool ends, flips; /* it ends with an error then; its mode changes, too */
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

extern const struct timespec past, a_later_time; /* what ways[] mean by it */

struct operation operation_decode(const uint8_t bytes[OPERATION_BYTES]);

/* What lock_chosen chooses when it is asked for the k-th time. */
int choice(const struct operation *op, int k, struct rangelock_range *range);

const char *operation_name(const struct operation *op);
void operation_print_arguments(const struct operation *op, FILE *to);

#endif
