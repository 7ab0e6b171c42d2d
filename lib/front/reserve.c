/* SPDX-License-Identifier: BSD-2-Clause */
/* Reservations: advisory, pairwise disjoint, revoked by write grants. */
#include <errno.h>

#include "front/front.h"
#include "list/list.h"
#include "wait/wait.h"

/* Enter the mutex, if req is free.  Else an error, and it is not entered. */
static int enter_with_free(struct lock *lock, const struct req *req)
{
	watch(lock, req);
	int error = rl_begin_change(lock);

	return error || is_free(req) ? error : rl_refuse(lock, req, "reserve", EINVAL);
}

int rangelock_reserve(struct rangelock *public_lock, struct rangelock_req *public_req,
		      uint64_t start, uint64_t end)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);

	if (!lock || !req || start >= end)
		return EINVAL;

	if (lock->engine == RANGELOCK_LIST) {
		watch(lock, req);
		return rl_settled(lock, rl_list_reserve(lock, req, start, end));
	}
	int error = enter_with_free(lock, req);
	if (error)
		return error;
	error = rl_tree_reserve(lock, req, start, end);
	rl_end_change(lock);
	return error;
}

int rangelock_reserve_gap(struct rangelock *public_lock, struct rangelock_req *public_req,
			  uint64_t size, uint64_t align, uint64_t lo, uint64_t hi,
			  uint64_t *ret_start)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);

	if (!lock || !req || !ret_start || size == 0 || align == 0 || lo >= hi)
		return EINVAL;

	if (lock->engine == RANGELOCK_LIST) {
		watch(lock, req);
		return rl_settled(lock,
				  rl_list_reserve_gap(lock, req, size, align, lo, hi, ret_start));
	}
	int error = enter_with_free(lock, req);
	if (error)
		return error;
	error = rl_tree_reserve_gap(lock, req, size, align, lo, hi);
	uint64_t start = req->node.start; /* once the mutex is left it may be revoked */
	rl_end_change(lock);
	if (!error)
		*ret_start = start;
	return error;
}

/* Inside the mutex: what req is to commit and unreserve.  A revoked one is idle
 * after this. */
static int reservation(const struct lock *lock, struct req *req)
{
	if (req->state == REQ_RESERVED && lock_of(req) == lock && is_known(lock, req))
		return 0;
	if (req->state != REQ_REVOKED || lock_of(req) != lock)
		return EPERM;
	req->state = REQ_IDLE;
	return ECANCELED;
}

static int commit_on_list(struct lock *lock, struct req *req, const struct timespec *abstime)
{
	int error = rl_settled(lock, rl_list_commit(lock, req, abstime));

	if (!error)
		note_acquired(lock, req);
	return error;
}

int rangelock_commit(struct rangelock *public_lock, struct rangelock_req *public_req,
		     const struct timespec *abstime)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct answers answers;
	uint32_t blockers = 0;

	if (!lock || !req)
		return EINVAL;
	if (lock->engine == RANGELOCK_LIST)
		return commit_on_list(lock, req, abstime);

	int error = rl_begin_change(lock);
	if (error)
		return error;
	answers_init(&answers);
	error = reservation(lock, req);
	if (error == EPERM)
		return rl_refuse(lock, req, "commit", EPERM);
	if (!error) {
		blockers = rl_tree_blockers(lock, req->node.start, req->node.end, RANGELOCK_WRITE);
		if (blockers && !is_sound_time(abstime))
			error = EINVAL;
	}
	if (!error) {
		rl_check_own(lock, req);
		rl_store(&req->park, PARK_WAITING, relaxed);
		rl_tree_commit(lock, req, blockers, &answers);
		if (blockers)
			return rl_leave_and_wait(lock, req, &answers, abstime);
	}
	rl_leave_and_answer(lock, &answers);
	if (!error)
		note_acquired(lock, req);
	return error;
}

int rangelock_unreserve(struct rangelock *public_lock, struct rangelock_req *public_req)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);

	if (!lock || !req)
		return EINVAL;
	if (lock->engine == RANGELOCK_LIST)
		return rl_settled(lock, rl_list_unreserve(lock, req));

	int error = rl_begin_change(lock);
	if (error)
		return error;
	error = reservation(lock, req);
	if (error == EPERM)
		return rl_refuse(lock, req, "unreserve", EPERM);
	if (!error)
		rl_tree_unreserve(lock, req);
	rl_end_change(lock);
	return error;
}

bool rangelock_is_reserved(struct rangelock *public_lock, const struct rangelock_req *public_req)
{
	struct lock *lock = to_lock(public_lock);
	const struct req *req = (const struct req *)(const void *)public_req;

	if (!lock || !req)
		return false;
	if (lock->engine == RANGELOCK_LIST)
		return rl_list_is_reserved(lock, req);
	if (rl_enter(lock))
		return false;
	bool reserved = !is_free(req) && lock_of(req) == lock && is_known(lock, req) &&
			(req->state == REQ_RESERVED ||
			 (req->state == REQ_WAITING && req->flags & REQ_COMMITTING));
	rl_leave(lock);
	return reserved;
}
