/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lock, try, timed, nested, unlock and cancel: the fast path, and what leads to
 * the engine and to the waiting.  Nothing here knows how the engine keeps its
 * requests or, but for WORD_IDLE, how the word is encoded.
 */
#include <errno.h>

#include "front/front.h"
#include "list/list.h"
#include "wait/wait.h"

int rl_arrive(struct lock *lock, struct req *req, const struct rangelock_range *range,
	      enum patience patience, const struct timespec *abstime, struct answers *answers)
{
	uint32_t blockers = rl_tree_blockers(lock, range->start, range->end, range->mode);

	if (blockers && patience == TRY)
		return EBUSY;
	if (blockers && !is_sound_time(abstime))
		return EINVAL;
	describe(req, range->start, range->end, range->mode);
	rl_check_own(lock, req);
	rl_store(&req->park, PARK_WAITING, relaxed);
	rl_tree_insert(lock, req, rl_tree_arrive(lock), blockers, answers);
	return blockers ? EINPROGRESS : 0;
}

static __attribute__((noinline)) int lock_slow(struct lock *lock, struct req *req, uint64_t start,
					       uint64_t end, enum rangelock_mode mode,
					       enum patience patience,
					       const struct timespec *abstime)
{
	struct rangelock_range range = { start, end, mode };
	struct answers answers;

	if (lock->engine == RANGELOCK_LIST)
		return rl_settled(lock, rl_list_lock(lock, req,
						     &(struct list_want){ .start = start,
									  .end = end,
									  .mode = mode,
									  .try = patience == TRY,
									  .abstime = abstime }));
	int error = rl_begin_change(lock);

	if (error)
		return error;
	if (!is_free(req))
		return rl_refuse(lock, req, "lock", EINVAL);
	answers_init(&answers);
	error = rl_arrive(lock, req, &range, patience, abstime, &answers);
	if (error == EINPROGRESS)
		return rl_leave_and_wait(lock, req, &answers, abstime);
	rl_leave_and_answer(lock, &answers);
	return error;
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

/* The same for a race detector to see. */
static __attribute__((noinline)) int take_watched(struct lock *lock, struct req *req,
						  uint64_t start, uint64_t end,
						  enum rangelock_mode mode, enum patience patience,
						  const struct timespec *abstime)
{
	watch(lock, req);
	int error = take(lock, req, start, end, mode, patience, abstime);
	if (!error)
		note_acquired(lock, req);
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

int rangelock_rdlock_nested(struct rangelock *public_lock, struct rangelock_req *public_req,
			    uint64_t start, uint64_t end, const struct rangelock_req *public_outer)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	const struct req *outer = (const struct req *)(const void *)public_outer;
	struct answers answers;

	if (!lock || !req || !outer || req == outer || start >= end)
		return EINVAL;

	watch(lock, req);
	if (lock->engine == RANGELOCK_LIST) {
		int error = rl_settled(lock, rl_list_lock_nested(lock, req, start, end, outer));
		if (!error)
			note_acquired(lock, req);
		return error;
	}
	int error = rl_begin_change(lock);
	if (error)
		return error;
	if (!is_free(req))
		return rl_refuse(lock, req, "rdlock_nested", EINVAL);
	if (!still_holds(lock, outer))
		return rl_refuse(lock, outer, "rdlock_nested", EPERM);
	answers_init(&answers);
	describe(req, start, end, RANGELOCK_READ);
	req->flags = REQ_FIRST;
	rl_check_own(lock, req);
	rl_store(&req->park, PARK_WAITING, relaxed);
	rl_tree_insert_nested(lock, req, &answers);
	if (req->state == REQ_WAITING)
		return rl_leave_and_wait(lock, req, &answers, NULL);
	rl_leave_and_answer(lock, &answers);
	note_acquired(lock, req);
	return 0;
}

static __attribute__((noinline)) int unlock_slow(struct lock *lock, struct req *req)
{
	struct answers answers;

	if (lock->engine == RANGELOCK_LIST)
		return rl_settled(lock, rl_list_unlock(lock, req));
	int error = rl_begin_change(lock);

	if (error)
		return error;
	if (!is_own(lock, req))
		return rl_refuse(lock, req, "unlock", EPERM);
	answers_init(&answers);
	rl_tree_remove(lock, req, &answers);
	rl_leave_and_answer(lock, &answers);
	return 0;
}

static inline int give(struct lock *lock, struct req *req)
{
	if (holds_by_node(lock, req))
		return rl_settled(lock, rl_list_let_go(lock, req));
	if (rl_likely(try_fast_unlock(lock, req)))
		return 0;
	return unlock_slow(lock, req);
}

static __attribute__((noinline)) int give_watched(struct lock *lock, struct req *req)
{
	note_releasing(lock, req);
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

/* The request whose owner is told: of a vector that is one for all. */
static struct req *told(struct req *req)
{
	return req->flags & REQ_VECTOR ? req->vector.leader : req;
}

static int cancel_on_list(struct lock *lock, struct req *req)
{
	struct answers answers;

	answers_init(&answers);
	int error = rl_list_cancel(lock, req, &answers);
	rl_list_go_on(lock, &answers);
	rl_answer(&answers);
	return error;
}

int rangelock_cancel(struct rangelock *public_lock, struct rangelock_req *public_req)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct answers answers;

	if (!lock || !req)
		return EINVAL;
	if (lock->engine == RANGELOCK_LIST)
		return cancel_on_list(lock, req);

	int error = rl_begin_change(lock);
	if (error)
		return error;
	answers_init(&answers);
	if (is_waiting(lock, req)) {
		struct req *whom = told(req);

		rl_tree_give_up(lock, req, true, &answers);
		if (!(whom->flags & REQ_INVITED)) /* else it comes, and sees */
			rl_tree_answer(lock, whom, PARK_CANCELED, &answers);
		if (lock->stats)
			lock->stats->cancels++;
	} else {
		error = EBUSY;
	}
	rl_leave_and_answer(lock, &answers);
	return error;
}
