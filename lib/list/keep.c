/* SPDX-License-Identifier: BSD-2-Clause */
/* Nodes that are kept: keep.h; list.c has the invariants. */
#include "list/keep.h"

#include "base/rcu.h"
#include "list/contend.h"
#include "list/fork.h"

RL_THREAD_LOCAL struct kept rl_list_kept;

/* Is n, which is KEPT, what req wants, and has nobody begun to wait since it looked at others? */
static bool is_wanted(struct lock *lock, const struct req *req, const struct list_want *want,
		      const struct list_node *n, uint32_t state, uint64_t tickets)
{
	return n->ticket == rl_load(&lock->id, relaxed) && n->owner == req && is_free(req) &&
	       n->start == want->start && n->end == want->end && mode_of(state) == want->mode &&
	       !want->reserve && rl_load(rl_list_tickets(lock), seq_cst) == tickets; /* N2 */
}

/* It is alone, and has been for a while: the word will do. */
static bool needs_no_node(struct lock *lock, const struct list_node *n)
{
	return rl_load(&lock->word, relaxed) == (uintptr_t)n &&
	       !to_node(rl_load(&n->next, relaxed)) && !stays(lock, true);
}

/* n, which was KEPT in this state, is what req holds.  False: it has been ended. */
static bool hold(struct lock *lock, struct req *req, struct list_node *n, uint32_t state)
{
	struct call call = { .lock = lock, .req = req, .x = n };

	rl_list_begin(&call);
	bool held =
	    rl_cas(&n->state, &state, state - STATE_KEPT + STATE_HELD, seq_cst, relaxed); /* N1 */
	if (held)
		rl_list_accept(lock, n);
	rl_list_end(&call);
	return held;
}

bool rl_list_hold_again(struct lock *lock, struct req *req, const struct list_want *want,
			struct kept *mine)
{
	struct list_node *n = mine->node, *next;
	bool held = false;

	mine->node = NULL;
	rl_rcu_read_lock();
	uint32_t s = rl_load(&n->state, seq_cst);
	if ((s & STATE_PHASE) == STATE_KEPT && n->ticket == mine->list) { /* N4 */
		if (is_wanted(lock, req, want, n, s, mine->tickets) && !needs_no_node(lock, n))
			held = hold(lock, req, n, s);
		else if (give_notice(n, &next) && mine->list == rl_load(&lock->id, relaxed))
			tidy_up(lock, next);
	}
	rl_rcu_read_unlock();
	if (held) {
		req->tickets = mine->tickets;
		mine->again = n;
	}
	return held;
}

static void forget(struct rcu_ending *ending)
{
	struct kept *mine = (struct kept *)(void *)((char *)ending - offsetof(struct kept, ending));
	struct list_node *n = mine->node, *next;

	mine->node = NULL;
	mine->known = false;
	rl_rcu_read_lock();
	if (n && (rl_load(&n->state, seq_cst) & STATE_PHASE) == STATE_KEPT && /* N4 */
	    n->ticket == mine->list)
		give_notice(n, &next); /* of the lock it is not known whether it is there */
	rl_rcu_read_unlock();
}

bool rl_list_keep_node(struct lock *lock, const struct req *req, struct list_node *x,
		       struct kept *mine)
{
	if (mine->node || rl_load(&x->waiters, relaxed))
		return false;
	if (!mine->known)
		mine->known = rl_rcu_at_thread_end(&mine->ending, forget);
	if (!mine->known)
		return false;
	if (mine->again != x)
		rl_list_sweep(lock); /* L12 */
	mine->node = x;
	mine->list = x->ticket;
	mine->tickets = req->tickets;
	rl_store(&x->state, rl_load(&x->state, relaxed) - STATE_HELD + STATE_KEPT,
		 seq_cst); /* N1, N3 */
	rl_list_kick(x);
	return true;
}
