/* SPDX-License-Identifier: BSD-2-Clause */
/* Several ranges as one arrival. */
#include <errno.h>

#include "front/front.h"
#include "list/list.h"
#include "wait/wait.h"

static bool ranges_conflict(const struct rangelock_range *a, const struct rangelock_range *b)
{
	return a->start < b->end && b->start < a->end && modes_conflict(a->mode, b->mode);
}

static bool is_sound_vector(const struct rangelock_range ranges[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_sound_range(&ranges[i]))
			return false;
		for (size_t j = 0; j < i; j++)
			if (ranges_conflict(&ranges[i], &ranges[j]))
				return false;
	}
	return true;
}

/* Inside the mutex: the first that is in use, or NULL. */
static const struct req *first_in_use(struct req *first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_free(nth_req(first, i)))
			return nth_req(first, i);
	return NULL;
}

/* Inside the mutex: the first that is not this thread's to give up, or NULL. */
static const struct req *first_not_own(const struct lock *lock, struct req *first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_own(lock, nth_req(first, i)))
			return nth_req(first, i);
	return NULL;
}

/* Inside the mutex: would one of them have to wait? */
static bool has_to_wait(const struct lock *lock, const struct rangelock_range ranges[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rl_tree_conflicts(lock, ranges[i].start, ranges[i].end, ranges[i].mode))
			return true;
	return false;
}

static int lock_all(struct lock *lock, struct req *first, const struct rangelock_range ranges[],
		    size_t n, const struct timespec *abstime)
{
	struct answers answers;

	if (lock->engine == RANGELOCK_LIST)
		return rl_settled(lock, rl_list_lockv(lock, first, ranges, n, abstime));

	int error = rl_begin_change(lock);
	if (error)
		return error;
	const struct req *used = first_in_use(first, n);
	if (used)
		return rl_refuse(lock, used, "lockv", EINVAL);
	if (!is_sound_time(abstime) && has_to_wait(lock, ranges, n)) {
		rl_end_change(lock);
		return EINVAL;
	}
	answers_init(&answers);

	uint64_t arrival = rl_tree_arrive(lock);
	for (size_t i = 0; i < n; i++) {
		const struct rangelock_range *r = &ranges[i];
		struct req *req = nth_req(first, i);
		/* None of the vector is counted: they do not conflict. */
		uint32_t blockers = rl_tree_conflicts(lock, r->start, r->end, r->mode);

		describe(req, r->start, r->end, r->mode);
		req->flags = REQ_VECTOR;
		rl_check_own(lock, req);
		rl_tree_insert(lock, req, arrival, blockers, &answers);
	}
	rl_store(&first->park, PARK_WAITING, relaxed);
	if (rl_tree_tie_vector(lock, first, n, &answers))
		error = rl_leave_and_wait(lock, first, &answers, abstime);
	else
		rl_leave_and_answer(lock, &answers);
	return error;
}

int rangelock_lockv(struct rangelock *public_lock, struct rangelock_req reqs[],
		    const struct rangelock_range ranges[], size_t n, const struct timespec *abstime)
{
	struct lock *lock = to_lock(public_lock);
	struct req *first = to_req(reqs);

	if (!lock || !first || !ranges || n == 0 || n > INT32_MAX || !is_sound_vector(ranges, n))
		return EINVAL;

	for (size_t i = 0; i < n; i++)
		watch(lock, nth_req(first, i));
	int error = lock_all(lock, first, ranges, n, abstime);
	for (size_t i = 0; i < n && !error; i++)
		note_acquired(lock, nth_req(first, i));
	return error;
}

static int unlock_on_list(struct rangelock *lock, struct rangelock_req reqs[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int error = rl_list_holds(to_lock(lock), to_req(&reqs[i]));

		if (error)
			return error;
	}
	for (size_t i = 0; i < n; i++)
		rangelock_unlock(lock, &reqs[i]);
	return 0;
}

int rangelock_unlockv(struct rangelock *public_lock, struct rangelock_req reqs[], size_t n)
{
	struct lock *lock = to_lock(public_lock);
	struct req *first = to_req(reqs);
	struct answers answers;

	if (!lock || !first || n == 0)
		return EINVAL;
	if (lock->engine == RANGELOCK_LIST)
		return unlock_on_list(public_lock, reqs, n);

	int error = rl_begin_change(lock);
	if (error)
		return error;
	const struct req *other = first_not_own(lock, first, n);
	if (other)
		return rl_refuse(lock, other, "unlockv", EPERM);
	answers_init(&answers);
	for (size_t i = 0; i < n; i++) {
		note_releasing(lock, nth_req(first, i));
		rl_tree_remove(lock, nth_req(first, i), &answers);
	}
	rl_leave_and_answer(lock, &answers);
	return 0;
}
