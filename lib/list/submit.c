/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lock without waiting.  What was submitted has no thread of its own: who wakes it goes
 * on with it, outside of what woke it, and before its call returns.  list.c has the
 * invariants, S1 to S3.
 */
#include <errno.h>

#include "base/rcu.h"
#include "list/contend.h"
#include "list/fork.h"
#include "wait/wait.h"

/* `due` is what this thread has woken, and is to go on with: all of one lock, since it does so
 * before any other call can be made.  Who is woken last comes first, since a stack is taken from
 * its top: so they keep the order in which they came.  `pursued` is what it goes on with. */

void rl_list_owe(struct list_node *n)
{
	struct record *mine = rl_rcu_record();

	n->link = rl_load(&mine->due, relaxed);
	rl_store(&mine->due_lock, rl_load(&mine->calls, relaxed)->lock, relaxed);
	rl_store(&mine->due, n, release);
}

bool rl_list_owes(void)
{
	return rl_load(&rl_rcu_record()->due, relaxed);
}

static void answer(struct req *req, enum park verdict, struct answers *answers)
{
	req->verdict = (uint8_t)verdict;
	req->call_back = true;
	req->next_answer = NULL;
	*answers->last = req;
	answers->last = &req->next_answer;
}

/* Whoever goes on with x, and whoever has canceled it: the second to come here retires it. */
static void let_go(struct list_node *x, enum park mine, enum park others)
{
	if (rl_exchange(&x->park, mine, acq_rel) == (uint32_t)others) /* O5, S2 */
		rl_pool_retire(x);
}

/* Go on with x, which is this thread's to pursue. */
static enum outcome pursue(struct lock *lock, struct list_node *x)
{
	struct record *mine = rl_rcu_record();
	struct call call = { .lock = lock };
	enum outcome outcome = ENDED;

	rl_rcu_read_lock(); /* S3 */
	if ((rl_load(&x->state, relaxed) & STATE_PHASE) != STATE_GONE) {
		rl_list_begin(&call);
		outcome = rl_list_pursue(lock, x);
		rl_list_end(&call);
	}
	if (outcome != HOLDS)
		rl_store(&mine->pursued, NULL, release);
	rl_rcu_read_unlock();

	if (outcome == HOLDS) {
		set_held(lock, x->owner, x);
		rl_store(&mine->pursued, NULL, release);
	} else if (outcome == ENDED) {
		let_go(x, PARK_INVITED, PARK_ABANDONED);
	}
	return outcome;
}

static void make_pursued(struct record *mine, struct lock *lock, struct list_node *x)
{
	rl_store(&mine->due_lock, lock, relaxed);
	rl_store(&mine->pursued, x, release);
}

void rl_list_go_on(struct lock *lock, struct answers *answers)
{
	struct record *mine = rl_rcu_record();
	struct list_node *x;

	while ((x = rl_load(&mine->due, relaxed))) {
		make_pursued(mine, lock, x);
		rl_store(&mine->due, x->link, release);
		if (pursue(lock, x) == HOLDS)
			answer(x->owner, PARK_GRANTED, answers);
	}
}

int rl_list_submit(struct lock *lock, struct req *req, const struct rangelock_range *range,
		   rangelock_granted_fn *granted, void *arg)
{
	if (waits_here(lock, req))
		return EINVAL;

	struct list_node *x = rl_list_new_node(lock);
	if (!x)
		return ENOMEM;
	describe_node(x, req, range->start, range->end,
		      STATE_TRYING | STATE_SUBMITTED | mode_bit(range->mode));

	struct call call = { .lock = lock, .req = req, .x = x };
	int error;

	rl_list_begin(&call);
	enum arrival arrival = rl_list_arrive(lock, x, 1, &error);
	if (arrival != IN_LIST) {
		rl_list_end(&call);
		rl_pool_give_back(x);
		return arrival == IN_WORD ? 0 : error;
	}
	set_range(req, x);
	req->callback.fn = granted;
	req->callback.arg = arg;
	make_pursued(rl_rcu_record(), lock, x);
	rl_list_end(&call);
	rl_rcu_read_unlock();
	return pursue(lock, x) == HOLDS ? 0 : EINPROGRESS;
}

int rl_list_cancel_submitted(struct lock *lock, struct list_node *x, struct answers *answers)
{
	struct req *req = x->owner;
	uint32_t s = rl_load(&x->state, seq_cst);

	do {
		if (!(s & STATE_TICKET) || (s & STATE_PHASE) > STATE_PENDING)
			return EBUSY;
	} while (!rl_cas(&x->state, &s, (s & ~(uint32_t)STATE_PHASE) | STATE_CANCELED | STATE_GONE,
			 seq_cst, seq_cst)); /* S2 */
	set_idle(req);
	rl_list_leave(lock, x);
	rl_list_count_left(lock, x, NULL);
	let_go(x, PARK_ABANDONED, PARK_INVITED);
	answer(req, PARK_CANCELED, answers);
	return 0;
}
