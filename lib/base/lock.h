/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lies inside struct rangelock and struct rangelock_req.  The front
 * converts; engines know only these.  No code here but conversions.
 *
 * The public structs are arrays of words, so that their sizes are part of the
 * ABI and their layout is not.  may_alias makes the conversion sound.
 */
#ifndef RL_BASE_LOCK_H
#define RL_BASE_LOCK_H

#include <rangelock/rangelock.h>

#include "base/atomic.h"
#include "base/itree.h"

enum req_state {
	REQ_IDLE = 0, /* in no engine; may be the fast holder (front/word.h) */
	REQ_WAITING,
	REQ_HELD
};

struct __attribute__((may_alias)) req {
	/* Set by the owner before the request can be seen. */
	struct itree_node node; /* start and end; the links are the engine's */
	uint8_t mode;		/* enum rangelock_mode */

	/* Written and read only inside the lock's short mutex. */
	uint8_t state;	   /* enum req_state */
	uint32_t blockers; /* earlier conflicting requests in the engine */
	uint64_t arrival;  /* order among the lock's requests; 0 outside the engine */
	struct lock *lock; /* where state is not REQ_IDLE */

	/* The lock in whose engine it waits, else NULL.  Written inside that
	 * lock's mutex; a late cancel reads it inside its own lock's. */
	_Atomic(struct lock *) waits_on;

	struct req *granted; /* next in a list of grants to be published */

	/* The word its owner waits on: enum park (wait/wait.h). */
	_Atomic uint32_t park;
};

struct __attribute__((may_alias)) lock {
	_Atomic uintptr_t word; /* front/word.h */

	/* Inside the short mutex. */
	struct itree tree;
	uint64_t arrivals;

	/* Set at init. */
	const char *name;
	uint32_t engine, flags;
};

_Static_assert(sizeof(struct req) <= sizeof(struct rangelock_req), "request fits");
_Static_assert(_Alignof(struct req) <= _Alignof(struct rangelock_req), "request is aligned");
_Static_assert(sizeof(struct lock) <= sizeof(struct rangelock), "lock fits");
_Static_assert(_Alignof(struct lock) <= _Alignof(struct rangelock), "lock is aligned");

static inline struct lock *to_lock(struct rangelock *lock)
{
	return (struct lock *)(void *)lock;
}

static inline struct req *to_req(struct rangelock_req *req)
{
	return (struct req *)(void *)req;
}

static inline struct req *node_req(const struct itree_node *node)
{
	return (struct req *)(void *)((char *)(uintptr_t)node - offsetof(struct req, node));
}

/* Do two requests with these modes conflict, where their ranges overlap? */
static inline bool modes_conflict(unsigned a, unsigned b)
{
	return a == RANGELOCK_WRITE || b == RANGELOCK_WRITE;
}

#endif
