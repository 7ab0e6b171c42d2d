/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the calls share: a request's description, the way to the engine for one
 * that may have to wait, and how those are told whom the engine has decided on.
 *
 * Who touches a waiting request.  Inside the short mutex the engine decides, and
 * changes its state.  The thread that decided then owes the owner one answer,
 * made after it has left the mutex.  So:
 *
 *   A1  An owner that gives up enters the mutex.  If its request still waits, and
 *       it has not been invited, it takes it back, and nobody owes it anything.  Else
 *       an answer is on its way, and it waits for that, however late it is.
 *   A2  Whoever answers reads the link to the next answer before it gives this one:
 *       that ends its right to look.
 *   A3  The lock's memory is not touched after the first answer: those who
 *       got one may unlock, destroy and free it.
 */
#ifndef RL_FRONT_FRONT_H
#define RL_FRONT_FRONT_H

#include "base/annotate.h"
#include "check/check.h"
#include "front/word.h"
#include "tree/tree.h"

enum patience { TRY, WAIT };

/* Says what is wanted with a request, and forgets what it was. */
static inline void describe(struct req *req, uint64_t start, uint64_t end, unsigned mode)
{
	req->node.start = start;
	req->node.end = end;
	req->mode = (uint8_t)mode;
	req->state = REQ_IDLE;
	req->flags = 0;
}

/* What a race detector that watches is told (base/annotate.h): what memory is the
 * library's; that the caller has been granted what req holds; that it gives it up. */
static inline void watch(const struct lock *lock, const struct req *req)
{
	if (rl_unlikely(rl_watched)) {
		rl_annotate_private(lock, sizeof(struct rangelock));
		rl_annotate_private(req, sizeof(struct rangelock_req));
	}
}

static inline void note_acquired(const struct lock *lock, const struct req *req)
{
	if (rl_unlikely(rl_watched))
		rl_annotate_acquired(lock, req->node.start, req->node.end, req->mode);
}

static inline void note_releasing(const struct lock *lock, const struct req *req)
{
	if (rl_unlikely(rl_watched))
		rl_annotate_releasing(lock, req->node.start, req->node.end, req->mode);
}

static inline bool is_sound_range(const struct rangelock_range *range)
{
	return range && range->start < range->end && (unsigned)range->mode <= RANGELOCK_WRITE;
}

/* abstime NULL is no limit. */
static inline bool is_sound_time(const struct timespec *abstime)
{
	return !abstime || (abstime->tv_nsec >= 0 && abstime->tv_nsec <= 999999999);
}

/* Inside the mutex: has the lock not forgotten req (F5)? */
static inline bool is_known(const struct lock *lock, const struct req *req)
{
	return rl_likely(!rl_generation) || rl_tree_has(lock, req);
}

/* Inside the mutex: does req hold a range of this lock? */
static inline bool is_held(const struct lock *lock, const struct req *req)
{
	return req->state == REQ_HELD && lock_of(req) == lock && is_known(lock, req);
}

/* Inside the mutex: the same, while it may wait for its upgrade. */
static inline bool still_holds(const struct lock *lock, const struct req *req)
{
	return req->state >= REQ_UPGRADING && lock_of(req) == lock && is_known(lock, req);
}

/* Inside the mutex: does it, and may this thread give that up or change it? */
static inline bool is_own(const struct lock *lock, const struct req *req)
{
	return is_held(lock, req) && rl_check_may(lock, req);
}

/* Inside the mutex: does its call wait on this lock?  It may be in use on another. */
static inline bool is_waiting(const struct lock *lock, const struct req *req)
{
	return waits_in(lock, req) && is_known(lock, req); /* E4 */
}

/* Take the short mutex, to change the engine: what the checker needs, too.  EINVAL: destroyed. */
static inline int rl_begin_change(struct lock *lock)
{
	int error = rl_enter(lock);

	if (!error)
		rl_check_begin(lock);
	return error;
}

static inline void rl_end_change(struct lock *lock)
{
	rl_check_end(lock);
	rl_leave(lock);
}

/* Leave the mutex: the call, of this name, is refused with this error because of what req
 * is.  A checked lock says so.  Returns the error. */
int rl_refuse(struct lock *lock, const struct req *req, const char *call, int error);

/*
 * Inside the mutex: take req in, which is free, for this range.  0: it is held.
 * TRY: EBUSY if it would have to wait.  WAIT: EINPROGRESS if it does, EINVAL if
 * abstime is no time to wait for.
 */
int rl_arrive(struct lock *lock, struct req *req, const struct rangelock_range *range,
	      enum patience patience, const struct timespec *abstime, struct answers *answers);

/* After the mutex has been left: tell those who are to be told. */
void rl_answer(struct answers *answers);

/* The end of a call on a list lock that may have woken others.  Returns the error. */
int rl_settled(struct lock *lock, int error);

/* Leave the mutex, and tell them. */
void rl_leave_and_answer(struct lock *lock, struct answers *answers);

/* Leave the mutex, tell them, and wait until abstime for the answer to req, which waits.
 * EDEADLK: that would be for ever, as a checked lock says. */
int rl_leave_and_wait(struct lock *lock, struct req *req, struct answers *answers,
		      const struct timespec *abstime);

#endif
