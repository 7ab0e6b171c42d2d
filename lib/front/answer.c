/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers: wake-ups and callbacks of those whom the engine has decided on.
 *
 * Callbacks run in the thread that made the grant.  One that unlocks makes
 * further grants; were their callbacks run from within, a long queue would be a
 * deep stack.  So each thread has a list of callbacks that it owes:
 *
 *   C1  Whoever owes callbacks and is not inside one runs them all before its
 *       call returns.
 *   C2  Inside a callback, those newly owed go to the end of the list, and are run
 *       when it has returned; or before the thread waits, since what it waits for
 *       may be theirs to give.
 */
#include <errno.h>

#include "front/front.h"
#include "list/list.h"
#include "wait/wait.h"

struct debt {
	struct req *first, *last; /* linked by next_answer */
	bool inside;		  /* a callback of this thread runs */
};

static RL_THREAD_LOCAL struct debt debt;

static void run_callbacks(struct debt *mine)
{
	bool was_inside = mine->inside;

	mine->inside = true;
	while (mine->first) {
		struct req *req = mine->first;
		int error = req->verdict == PARK_GRANTED ? 0 : ECANCELED;

		mine->first = req->next_answer; /* A2 */
		if (!error)
			note_acquired(lock_of(req), req);
		req->callback.fn((struct rangelock_req *)(void *)req, error, req->callback.arg);
	}
	mine->inside = was_inside;
}

static void owe(struct debt *mine, struct req *req)
{
	req->next_answer = NULL;
	if (mine->first)
		mine->last->next_answer = req;
	else
		mine->first = req;
	mine->last = req;
}

void rl_answer(struct answers *answers)
{
	struct req *req = answers->first;

	if (!req)
		return;

	struct debt *mine = rl_mine(debt);
	while (req) {
		struct req *next = req->next_answer; /* A2 */

		if (req->call_back)
			owe(mine, req);
		else
			rl_unpark(&req->park, (enum park)req->verdict);
		req = next;
	}
	if (mine->first && !mine->inside)
		run_callbacks(mine); /* C1 */
}

int rl_settled(struct lock *lock, int error)
{
	struct answers answers;

	if (rl_unlikely(rl_list_owes())) {
		answers_init(&answers);
		rl_list_go_on(lock, &answers);
		rl_answer(&answers);
	}
	return error;
}

void rl_list_will_wait(struct lock *lock)
{
	struct debt *mine = rl_mine(debt);

	rl_settled(lock, 0);
	if (mine->first)
		run_callbacks(mine); /* C2 */
}

void rl_leave_and_answer(struct lock *lock, struct answers *answers)
{
	rl_end_change(lock);
	rl_answer(answers);
}

int rl_refuse(struct lock *lock, const struct req *req, const char *call, int error)
{
	struct report report;
	bool checked = is_checked(lock);

	if (checked)
		rl_check_misuse(lock, req, call, &report);
	rl_end_change(lock);
	if (checked)
		rl_check_say(&report);
	return error;
}

/* On a checked lock, instead of waiting for ever: if req still waits, it gives up. */
static __attribute__((noinline)) bool is_deadlock(struct lock *lock, struct req *req,
						  struct waiter *self)
{
	struct report report;
	struct answers answers;

	rl_begin_change(lock); /* does not fail, as below */
	if (rl_check_wait(self, req, &report)) {
		rl_end_change(lock);
		return false;
	}
	answers_init(&answers);
	rl_tree_give_up(lock, req, false, &answers);
	rl_leave_and_answer(lock, &answers);
	rl_check_say(&report);
	return true;
}

/* The owner of req has come into the mutex, since it was invited or its time is over.
 * EINPROGRESS: neither has it what it waited for, nor has its wait ended. */
static int come(struct lock *lock, struct req *req, bool in_time, struct answers *answers)
{
	if (!is_waiting(lock, req))
		return ECANCELED; /* or granted, as the answer says */
	if (req->flags & REQ_INVITED && rl_tree_take(lock, req, answers))
		return 0;
	if (in_time) {
		rl_store(&req->park, PARK_WAITING, relaxed);
		return EINPROGRESS;
	}
	rl_tree_give_up(lock, req, false, answers);
	if (lock->stats)
		lock->stats->timeouts++;
	return ETIMEDOUT;
}

/* Wait for the answer to req, which waits. */
static int await(struct lock *lock, struct req *req, uint32_t crowd, const struct timespec *abstime)
{
	bool checked = is_checked(lock);

	for (;;) {
		struct waiter self;
		struct answers answers;

		if (checked && is_deadlock(lock, req, &self))
			return EDEADLK;

		enum park verdict = rl_park(&req->park, crowd, abstime);
		bool in_time = verdict != PARK_TIMED_OUT;

		if (checked)
			rl_check_waited(&self);
		if (verdict == PARK_GRANTED)
			return 0;
		if (verdict == PARK_CANCELED)
			return ECANCELED;

		answers_init(&answers);
		rl_begin_change(lock); /* does not fail: nobody may destroy it meanwhile */
		bool owed = !in_time && (!is_waiting(lock, req) || req->flags & REQ_INVITED);
		int error = come(lock, req, in_time, &answers);
		crowd = req->blockers;
		rl_leave_and_answer(lock, &answers);
		if (owed && rl_park(&req->park, 0, NULL) == PARK_GRANTED) /* A1 */
			return 0;
		if (error != EINPROGRESS)
			return error;
	}
}

int rl_leave_and_wait(struct lock *lock, struct req *req, struct answers *answers,
		      const struct timespec *abstime)
{
	struct debt *mine = rl_mine(debt);
	uint32_t crowd = req->blockers;

	rl_leave_and_answer(lock, answers);
	if (mine->first)
		run_callbacks(mine); /* C2 */
	int error = await(lock, req, crowd, abstime);
	if (!error)
		note_acquired(lock, req);
	return error;
}
