/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lock, try, timed, unlock and cancel: the fast path, and what leads to the
 * engine and to the waiting.  Nothing here knows how the engine keeps its
 * requests or, but for WORD_IDLE, how the word is encoded.
 *
 * Who touches a waiting request.  Inside the short mutex the engine decides,
 * and changes its state: REQ_HELD by a grant, REQ_IDLE by a cancel.  The
 * thread that decided then owes the owner one rl_unpark(), made after it has
 * left the mutex.  So:
 *
 *   A1  An owner that gives up enters the mutex.  If its request is still
 *       REQ_WAITING it takes it back, and nobody owes it anything.  Else an
 *       answer is on its way, and it waits for that, however late it is.
 *   A2  A granter reads the link to the next grant before it answers: the
 *       answer ends its right to look.
 *   A3  The lock's memory is not touched after the first answer: those who
 *       got one may unlock, destroy and free it.
 */
#include <errno.h>

#include "base/annotate.h"
#include "front/word.h"
#include "tree/tree.h"
#include "wait/wait.h"

enum patience { TRY, WAIT };

static inline void describe(struct req *req, uint64_t start, uint64_t end, enum rangelock_mode mode)
{
	req->node.start = start;
	req->node.end = end;
	req->mode = (uint8_t)mode;
}

static void answer(struct req *grants)
{
	while (grants) {
		struct req *next = grants->granted; /* A2 */
		rl_unpark(&grants->park, PARK_GRANTED);
		grants = next;
	}
}

static int result(enum park verdict)
{
	return verdict == PARK_GRANTED ? 0 : ECANCELED;
}

/* The request is in the engine, waiting. */
static int wait_for_grant(struct lock *lock, struct req *req, uint32_t blockers,
			  const struct timespec *abstime)
{
	enum park verdict = rl_park(&req->park, blockers, abstime);

	if (verdict != PARK_TIMED_OUT)
		return result(verdict);

	rl_enter(lock); /* does not fail: nobody may destroy it while we are here */
	if (req->state == REQ_WAITING) {
		struct req *grants = rl_tree_remove(lock, req);
		rl_leave(lock);
		answer(grants);
		return ETIMEDOUT;
	}
	rl_leave(lock);
	return result(rl_park(&req->park, 0, NULL)); /* A1 */
}

static bool sound(const struct timespec *abstime)
{
	return !abstime || (abstime->tv_nsec >= 0 && abstime->tv_nsec <= 999999999);
}

static __attribute__((noinline)) int lock_slow(struct lock *lock, struct req *req, uint64_t start,
					       uint64_t end, enum rangelock_mode mode,
					       enum patience patience,
					       const struct timespec *abstime)
{
	int error = rl_enter(lock);
	uint32_t blockers = 0;

	if (error)
		return error;

	if (req->state != REQ_IDLE)
		error = EINVAL;
	else if ((blockers = rl_tree_conflicts(lock, start, end, mode)) != 0)
		error = patience == TRY ? EBUSY : sound(abstime) ? 0 : EINVAL;

	if (!error) {
		describe(req, start, end, mode);
		rl_store(&req->park, PARK_WAITING, relaxed);
		rl_tree_insert(lock, req, blockers);
	}
	rl_leave(lock);

	return error || !blockers ? error : wait_for_grant(lock, req, blockers, abstime);
}

static inline int take(struct lock *lock, struct req *req, uint64_t start, uint64_t end,
		       enum rangelock_mode mode, enum patience patience,
		       const struct timespec *abstime)
{
	if (rl_likely(rl_load(&lock->word, relaxed) == WORD_IDLE)) {
		describe(req, start, end, mode);
		if (rl_likely(try_fast_lock(lock, req)))
			return 0;
	}
	return lock_slow(lock, req, start, end, mode, patience, abstime);
}

/* The same for a race detector to see: base/annotate.h. */
static __attribute__((noinline)) int take_watched(struct lock *lock, struct req *req,
						  uint64_t start, uint64_t end,
						  enum rangelock_mode mode, enum patience patience,
						  const struct timespec *abstime)
{
	rl_annotate_private(lock, sizeof(struct rangelock));
	rl_annotate_private(req, sizeof(struct rangelock_req));
	int error = take(lock, req, start, end, mode, patience, abstime);
	if (!error)
		rl_annotate_acquired(lock, start, end, mode);
	return error;
}

static inline int lock_range(struct rangelock *public_lock, struct rangelock_req *public_req,
			     uint64_t start, uint64_t end, enum rangelock_mode mode,
			     enum patience patience, const struct timespec *abstime)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);

	if (rl_unlikely(!lock || !req || start >= end))
		return EINVAL;
	if (rl_unlikely(rl_watched))
		return take_watched(lock, req, start, end, mode, patience, abstime);
	return take(lock, req, start, end, mode, patience, abstime);
}

int rangelock_rdlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
		     uint64_t end)
{
	return lock_range(lock, req, start, end, RANGELOCK_READ, WAIT, NULL);
}

int rangelock_wrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
		     uint64_t end)
{
	return lock_range(lock, req, start, end, RANGELOCK_WRITE, WAIT, NULL);
}

int rangelock_tryrdlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			uint64_t end)
{
	return lock_range(lock, req, start, end, RANGELOCK_READ, TRY, NULL);
}

int rangelock_trywrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			uint64_t end)
{
	return lock_range(lock, req, start, end, RANGELOCK_WRITE, TRY, NULL);
}

int rangelock_timedrdlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			  uint64_t end, const struct timespec *abstime)
{
	return lock_range(lock, req, start, end, RANGELOCK_READ, WAIT, abstime);
}

int rangelock_timedwrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			  uint64_t end, const struct timespec *abstime)
{
	return lock_range(lock, req, start, end, RANGELOCK_WRITE, WAIT, abstime);
}

static __attribute__((noinline)) int unlock_slow(struct lock *lock, struct req *req)
{
	struct req *grants = NULL;
	int error = rl_enter(lock);

	if (error)
		return error;
	if (req->state != REQ_HELD || req->lock != lock)
		error = EPERM;
	else
		grants = rl_tree_remove(lock, req);
	rl_leave(lock);
	answer(grants);
	return error;
}

static inline int give(struct lock *lock, struct req *req)
{
	if (rl_likely(try_fast_unlock(lock, req)))
		return 0;
	return unlock_slow(lock, req);
}

static __attribute__((noinline)) int give_watched(struct lock *lock, struct req *req)
{
	rl_annotate_releasing(lock, req->node.start, req->node.end, req->mode);
	return give(lock, req);
}

int rangelock_unlock(struct rangelock *public_lock, struct rangelock_req *public_req)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);

	if (rl_unlikely(!lock || !req))
		return EINVAL;
	if (rl_unlikely(rl_watched))
		return give_watched(lock, req);
	return give(lock, req);
}

int rangelock_cancel(struct rangelock *public_lock, struct rangelock_req *public_req)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct req *grants = NULL;

	if (!lock || !req)
		return EINVAL;

	int error = rl_enter(lock);
	if (error)
		return error;
	if (rl_load(&req->waits_on, relaxed) != lock) /* E4: it may be in use elsewhere */
		error = EBUSY;
	else
		grants = rl_tree_remove(lock, req);
	rl_leave(lock);

	if (!error) {
		rl_unpark(&req->park, PARK_CANCELED);
		answer(grants);
	}
	return error;
}
