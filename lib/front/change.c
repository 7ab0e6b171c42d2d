/* SPDX-License-Identifier: BSD-2-Clause */
/* Change what is held: its mode, its range, or into how many requests. */
#include <errno.h>

#include "front/front.h"
#include "list/list.h"
#include "wait/wait.h"

/* Enter the mutex, if req holds a range of this lock.  Else an error, and it is not
 * entered. */
static int enter_as_holder(struct lock *lock, struct req *req, const char *call,
			   struct answers *answers)
{
	int error = rl_begin_change(lock);

	if (error)
		return error;
	answers_init(answers);
	return is_own(lock, req) ? 0 : rl_refuse(lock, req, call, EPERM);
}

/* It holds more than it did, unless there is an error. */
static int grown(struct lock *lock, const struct req *req, int error)
{
	if (!rl_settled(lock, error))
		note_acquired(lock, req);
	return error;
}

int rangelock_downgrade(struct rangelock *public_lock, struct rangelock_req *public_req)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct answers answers;

	if (!lock || !req)
		return EINVAL;

	if (lock->engine == RANGELOCK_LIST) {
		note_releasing(lock, req);
		return rl_settled(lock, rl_list_downgrade(lock, req));
	}
	int error = enter_as_holder(lock, req, "downgrade", &answers);
	if (error)
		return error;
	note_releasing(lock, req); /* what was written, for those who come to read */
	rl_tree_downgrade(lock, req, &answers);
	rl_leave_and_answer(lock, &answers);
	return 0;
}

int rangelock_tryupgrade(struct rangelock *public_lock, struct rangelock_req *public_req)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct answers answers;

	if (!lock || !req)
		return EINVAL;

	if (lock->engine == RANGELOCK_LIST)
		return grown(lock, req, rl_list_try_upgrade(lock, req));
	int error = enter_as_holder(lock, req, "tryupgrade", &answers);
	if (error)
		return error;
	error = rl_tree_try_upgrade(lock, req, &answers);
	rl_leave_and_answer(lock, &answers);
	if (!error)
		note_acquired(lock, req);
	return error;
}

int rangelock_upgrade(struct rangelock *public_lock, struct rangelock_req *public_req)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct answers answers;

	if (!lock || !req)
		return EINVAL;

	if (lock->engine == RANGELOCK_LIST)
		return grown(lock, req, rl_list_upgrade(lock, req));
	int error = enter_as_holder(lock, req, "upgrade", &answers);
	if (error)
		return error;
	rl_store(&req->park, PARK_WAITING, relaxed);
	error = rl_tree_upgrade(lock, req, &answers);
	if (error == EINPROGRESS)
		return rl_leave_and_wait(lock, req, &answers, NULL);
	rl_leave_and_answer(lock, &answers);
	if (!error)
		note_acquired(lock, req);
	return error;
}

int rangelock_reduce(struct rangelock *public_lock, struct rangelock_req *public_req,
		     uint64_t start, uint64_t end)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct answers answers;

	if (!lock || !req || start >= end)
		return EINVAL;

	if (lock->engine == RANGELOCK_LIST) {
		note_releasing(lock, req);
		return rl_settled(lock, rl_list_reduce(lock, req, start, end));
	}
	int error = enter_as_holder(lock, req, "reduce", &answers);
	if (error)
		return error;
	if (start < req->node.start || req->node.end < end) {
		error = EINVAL;
	} else {
		note_releasing(lock, req); /* more than is given up, which does no harm */
		rl_tree_reduce(lock, req, start, end, &answers);
	}
	rl_leave_and_answer(lock, &answers);
	return error;
}

int rangelock_split(struct rangelock *public_lock, struct rangelock_req *public_req, uint64_t at,
		    struct rangelock_req *public_tail)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req), *tail = to_req(public_tail);
	struct answers answers;

	if (!lock || !req || !tail || req == tail)
		return EINVAL;

	watch(lock, tail);
	if (lock->engine == RANGELOCK_LIST)
		return rl_settled(lock, rl_list_split(lock, req, at, tail));
	int error = enter_as_holder(lock, req, "split", &answers);
	if (error)
		return error;
	if (!is_free(tail))
		return rl_refuse(lock, tail, "split", EINVAL);
	if (at <= req->node.start || req->node.end <= at) {
		error = EINVAL;
	} else {
		rl_tree_split(lock, req, at, tail, &answers);
		tail->owner = req->owner;
	}
	rl_leave_and_answer(lock, &answers);
	return error;
}

int rangelock_tryextend(struct rangelock *public_lock, struct rangelock_req *public_req,
			uint64_t start, uint64_t end)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct answers answers;

	if (!lock || !req || start >= end)
		return EINVAL;

	if (lock->engine == RANGELOCK_LIST)
		return grown(lock, req, rl_list_try_extend(lock, req, start, end));
	int error = enter_as_holder(lock, req, "tryextend", &answers);
	if (error)
		return error;
	if (req->node.start < start || end < req->node.end)
		error = EINVAL;
	else
		error = rl_tree_try_extend(lock, req, start, end, &answers);
	rl_leave_and_answer(lock, &answers);
	if (!error)
		note_acquired(lock, req);
	return error;
}
