/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For callers who keep a structure of their own under the short mutex: the mutex
 * itself, and ways to wait for a range that is known only by a look at that
 * structure.
 */
#include <errno.h>

#include "base/die.h"
#include "front/front.h"
#include "wait/wait.h"

/* The mutex itself, to a race detector, is a lock beside the lock. */
static void note_entered(const struct lock *lock)
{
	if (rl_unlikely(rl_watched))
		rl_annotate_acquired(&lock->tree, RANGELOCK_FULL, RANGELOCK_WRITE);
}

static void note_leaving(const struct lock *lock)
{
	if (rl_unlikely(rl_watched))
		rl_annotate_releasing(&lock->tree, RANGELOCK_FULL, RANGELOCK_WRITE);
}

static void enter(struct lock *lock)
{
	rl_enter(lock); /* the caller keeps it alive */
	note_entered(lock);
}

void rangelock_enter(struct rangelock *lock)
{
	int error = lock && can_be_entered(to_lock(lock)) ? rl_enter(to_lock(lock)) : EINVAL;

	if (error)
		rl_die("rangelock_enter(%p): no tree lock, or one that was destroyed",
		       (void *)lock);
	note_entered(to_lock(lock));
}

void rangelock_leave(struct rangelock *lock)
{
	if (!lock)
		rl_die("rangelock_leave(%p): no lock", (void *)lock);
	note_leaving(to_lock(lock));
	rl_leave(to_lock(lock));
}

/* Inside, and staying there. */
static __attribute__((noinline)) void say_in_use(const struct lock *lock, const struct req *req,
						 const char *call)
{
	struct report report;

	rl_check_begin(lock);
	rl_check_misuse(lock, req, call, &report);
	rl_check_end(lock);
	rl_check_say(&report);
}

int rangelock_wait_entered(struct rangelock *public_lock, struct rangelock_req *public_req,
			   const struct rangelock_range *range, const struct timespec *abstime)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct answers answers;

	if (!lock || !req || !is_sound_range(range))
		return EINVAL;
	if (!can_be_entered(lock))
		return ENOTSUP;
	if (!is_free(req)) {
		if (is_checked(lock))
			say_in_use(lock, req, "wait_entered");
		return EINVAL;
	}

	watch(lock, req);
	answers_init(&answers);
	rl_check_begin(lock);
	int error = rl_arrive(lock, req, range, WAIT, abstime, &answers);
	if (error == EINPROGRESS) {
		note_leaving(lock);
		error = rl_leave_and_wait(lock, req, &answers, abstime);
		enter(lock);
		return error;
	}
	if (answers.first) { /* it has passed commits that wait, and revoked them */
		note_leaving(lock);
		rl_leave_and_answer(lock, &answers);
		enter(lock);
	} else {
		rl_check_end(lock);
	}
	if (!error)
		note_acquired(lock, req);
	return error;
}

static bool same_range(const struct req *req, const struct rangelock_range *range)
{
	return req->node.start == range->start && req->node.end == range->end &&
	       req->mode == range->mode;
}

int rangelock_lock_chosen(struct rangelock *public_lock, struct rangelock_req *public_req,
			  rangelock_choose_fn *choose, void *arg, const struct timespec *abstime)
{
	struct lock *lock = to_lock(public_lock);
	struct req *req = to_req(public_req);
	struct rangelock_range range = { 0 };
	struct answers answers;

	if (!lock || !req || !choose)
		return EINVAL;
	if (!can_be_entered(lock))
		return rl_load(&lock->word, relaxed) == WORD_DEAD ? EINVAL : ENOTSUP;

	watch(lock, req);
	int error = rl_begin_change(lock);
	if (error)
		return error;
	if (!is_free(req))
		return rl_refuse(lock, req, "lock_chosen", EINVAL);
	rl_check_end(lock);
	note_entered(lock);
	answers_init(&answers);
	error = choose(arg, &range);
	rl_check_begin(lock);
	while (!error) {
		if (!is_sound_range(&range)) {
			error = EINVAL;
			break;
		}
		error = rl_arrive(lock, req, &range, WAIT, abstime, &answers);
		if (!error)
			note_acquired(lock, req);
		if (error != EINPROGRESS)
			break;
		req->flags = REQ_CHOOSING;
		note_leaving(lock);
		error = rl_leave_and_wait(lock, req, &answers, abstime);
		if (error)
			return error;

		/* It holds what was chosen; is that still what it wants? */
		enter(lock);
		answers_init(&answers);
		error = choose(arg, &range);
		rl_check_begin(lock);
		if (!error && same_range(req, &range)) {
			rl_tree_confirm(lock, req, &answers);
			break;
		}
		rl_tree_remove(lock, req, &answers);
	}
	note_leaving(lock);
	rl_leave_and_answer(lock, &answers);
	return error;
}
