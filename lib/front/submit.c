/* SPDX-License-Identifier: BSD-2-Clause */
/* Lock without waiting: the callback's turn comes in answer.c. */
#include <errno.h>

#include "front/front.h"
#include "list/list.h"

static int submit(struct lock *lock, struct req *req, const struct rangelock_range *range,
		  rangelock_granted_fn *granted, void *arg)
{
	struct answers answers;

	if (lock->engine == RANGELOCK_LIST)
		return rl_settled(lock, rl_list_submit(lock, req, range, granted, arg));

	int error = rl_begin_change(lock);
	if (error)
		return error;
	if (!is_free(req))
		return rl_refuse(lock, req, "submit", EINVAL);
	answers_init(&answers);
	error = rl_arrive(lock, req, range, WAIT, NULL, &answers);
	req->owner = 0; /* anyone's */
	if (error == EINPROGRESS) {
		req->flags = REQ_SUBMITTED;
		req->callback.fn = granted;
		req->callback.arg = arg;
	}
	rl_leave_and_answer(lock, &answers);
	return error;
}

int rangelock_submit(struct rangelock *public_lock, struct rangelock_req *public_req,
		     const struct rangelock_range *range, rangelock_granted_fn *granted, void *arg)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);

	if (!lock || !req || !granted || !is_sound_range(range))
		return EINVAL;

	watch(lock, req);
	int error = submit(lock, req, range, granted, arg);
	if (!error)
		note_acquired(lock, req);
	return error;
}
