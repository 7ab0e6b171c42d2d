/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checker: of locks with RANGELOCK_CHECKED it knows who holds and who waits, and so
 * whether a call that is about to wait would wait for ever; and it words what is said
 * of misuse.  It waits for nobody but its own mutex, and never allocates.
 *
 *   K1  There is one checker's mutex for all locks.  The engine of a checked lock is changed
 *       by those only who have it, besides the lock's short mutex: so whoever has it
 *       may look at every checked lock, and at every request in one.
 *   K2  It is taken after a short mutex, or alone, and whoever has it takes no other: it
 *       makes no deadlocks.  No code of the user's runs inside.
 *   K3  A thread has at most one waiter, linked from before the search for a deadlock until
 *       it goes on.  While it runs callbacks it has none: they may unlock what is waited
 *       for.
 *
 * Deadlocks.  A call that waits waits for its blockers, all of them (E1 in
 * tree/tree.c).  One that waits itself is another call to go on from.  One with an owner
 * who waits, here or in another lock, is not given up before that wait ends: the call
 * that this thread is in is another to go on from.  What comes back to the calling thread
 * is a deadlock.
 *
 * Completeness.  Such paths come to be by a waiter that is linked, or by a request that goes
 * before those that wait (a nested read, an upgrade): it is its own thread that waits
 * then.  Both are searched from there.  Paths end by what others do, never come to be so.
 *
 * No false alarm.  Of the calls on a cycle none goes on before another does; only a time-out
 * or a cancel ends that.  A commit that waits behind a write that waits is not gone on
 * from: were that write granted first, it would revoke the commit.  Unless the write waits for
 * what the commit's own thread has: then neither is first.
 *
 * A search looks at each waiting call once, and at what is in its way; its only memory is
 * in the requests (search, next_answer).
 */
#ifndef RL_CHECK_CHECK_H
#define RL_CHECK_CHECK_H

#include "base/lock.h"
#include "wait/wait.h"

/* A thread that waits in a call on a checked lock.  On its stack. */
struct waiter {
	struct waiter *next, **link;
	uint32_t thread;
	struct req *req; /* of a vector, the leader */
};

/* What is to be said, once no mutex is held. */
struct report {
	size_t length;
	char text[2300];
};

void rl_check_lock(void);
void rl_check_unlock(void);

/* Inside the short mutex: the engine is about to be changed; it has been. */
static inline void rl_check_begin(const struct lock *lock)
{
	if (rl_unlikely(is_checked(lock)))
		rl_check_lock();
}

static inline void rl_check_end(const struct lock *lock)
{
	if (rl_unlikely(is_checked(lock)))
		rl_check_unlock();
}

/* req, which is new in its engine, is the calling thread's.  Inside, as the next two. */
static inline void rl_check_own(const struct lock *lock, struct req *req)
{
	if (rl_unlikely(is_checked(lock)))
		req->owner = rl_wait->thread();
}

/* May this thread give up or change what req holds? */
static inline bool rl_check_may(const struct lock *lock, const struct req *req)
{
	return !is_checked(lock) || !req->owner || req->owner == rl_wait->thread();
}

/* The calling thread is about to wait for req.  False: that would be a deadlock, as *ret_report
 * says, and it is not to. */
bool rl_check_wait(struct waiter *self, struct req *req, struct report *ret_report);

/* It has waited.  Not inside. */
void rl_check_waited(struct waiter *self);

/* A call is refused because of what req is; or because of what is in the lock.  Inside. */
void rl_check_misuse(const struct lock *lock, const struct req *req, const char *call,
		     struct report *ret_report);
void rl_check_in_use(const struct lock *lock, struct report *ret_report);

/* Have it told. */
void rl_check_say(const struct report *report);

/* How a report is told: on standard error.  Tests may put their own here. */
extern void (*rl_check_tell)(const char *text, size_t length);

/* Forget all who wait, and who has the mutex: in the child of a fork. */
void rl_check_reset(void);

#endif
