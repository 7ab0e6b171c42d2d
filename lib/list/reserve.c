/* SPDX-License-Identifier: BSD-2-Clause */
/* Reservations: reserve.h; list.c has the invariants. */
#include "list/reserve.h"

#include <errno.h>

#include "base/rcu.h"
#include "list/contend.h"
#include "list/fork.h"
#include "list/list.h"
#include "list/look.h"

/* ---- How they end ---- */

static bool is_reserved(uint32_t state)
{
	return (state & STATE_PHASE) == STATE_RESERVED;
}

/* In a read section: the node of req's reservation, if that stands (M3). */
static struct list_node *node_of(const struct req *req)
{
	struct list_node *r = rl_load(&req->reserved, relaxed);

	return is_reserved(rl_load(&r->state, seq_cst)) && r->owner == req ? r : NULL;
}

/* False: it had ended. */
static bool end_reservation(struct lock *lock, struct list_node *r)
{
	uint32_t s = rl_load(&r->state, seq_cst);

	do
		if (!is_reserved(s))
			return false;
	while (!rl_cas(&r->state, &s, STATE_GONE, seq_cst, seq_cst)); /* M1 */
	rl_list_leave(lock, r);
	rl_pool_retire(r);
	return true;
}

void rl_list_revoke(struct lock *lock, const struct list_node *x)
{
	struct list_node *n = to_node(rl_load(&lock->word, seq_cst)); /* a node, since x is one */

	/* The link is read last: a commit may have come behind its reservation (M4). */
	for (; n && n->start < x->end; n = to_node(rl_load(&n->next, seq_cst)))
		if (x->start < n->end && !end_reservation(lock, n))
			rl_list_cancel_one(n, STATE_COMMIT);
}

/* ---- The calls ---- */

static bool is_dead(struct lock *lock)
{
	return rl_load(&lock->word, relaxed) == WORD_DEAD;
}

/* Did the last call with req reserve here?  (While its commit waits: no.) */
static bool reserved_here(const struct lock *lock, const struct req *req)
{
	return rl_load(&req->place, relaxed) == (uintptr_t)lock && req->state == REQ_LISTED;
}

bool rl_list_still_reserved(const struct req *req)
{
	rl_rcu_read_lock();
	bool stands = node_of(req);
	rl_rcu_read_unlock();
	return stands;
}

bool rl_list_is_reserved(const struct lock *lock, const struct req *req)
{
	return lock_of(req) == lock && req->state == REQ_LISTED && rl_list_still_reserved(req);
}

int rl_list_reserve(struct lock *lock, struct req *req, uint64_t start, uint64_t end)
{
	const struct list_want want = {
		.start = start, .end = end, .mode = RANGELOCK_WRITE, .try = true, .reserve = true
	};

	return rl_list_lock(lock, req, &want);
}

int rl_list_unreserve(struct lock *lock, struct req *req)
{
	struct call call = { .lock = lock };

	if (is_dead(lock))
		return EINVAL;
	if (!reserved_here(lock, req))
		return EPERM;

	rl_list_begin(&call);
	rl_rcu_read_lock();
	struct list_node *r = node_of(req);
	bool ended = r && end_reservation(lock, r);
	rl_list_end(&call);
	rl_rcu_read_unlock();
	set_idle(req);
	return ended ? 0 : ECANCELED;
}

/* ---- Commit ---- */

/* In a read section: say in the node of req's reservation whether there is one that commits
 * it.  False: it has been revoked. */
static bool mark_commit(const struct req *req, uint32_t commit)
{
	struct list_node *r = node_of(req);
	uint32_t s = STATE_RESERVED | STATE_RESERVE | STATE_WRITE;

	while (r && is_reserved(s))
		if (rl_cas(&r->state, &s, (s & ~(uint32_t)STATE_COMMIT) | commit, seq_cst, seq_cst))
			return true;
	return false;
}

void rl_list_uncommit(struct lock *lock, struct req *req)
{
	mark_commit(req, 0);
	rl_store(&req->place, (uintptr_t)lock, release);
}

int rl_list_commit(struct lock *lock, struct req *req, const struct timespec *abstime)
{
	if (is_dead(lock))
		return EINVAL;
	if (!reserved_here(lock, req))
		return EPERM;
	if (!rl_list_still_reserved(req)) {
		set_idle(req);
		return ECANCELED;
	}

	struct list_node *x = rl_list_new_node(lock);
	if (!x)
		return ENOMEM;
	describe_node(x, req, req->node.start, req->node.end,
		      STATE_TRYING | STATE_WRITE | STATE_COMMIT);

	struct call call = { .lock = lock, .req = req, .x = x };
	rl_list_begin(&call);
	rl_rcu_read_lock();
	bool listed = rl_list_insert_last(lock, x);    /* else nothing is reserved */
	if (listed && !mark_commit(req, STATE_COMMIT)) /* M4 */
		rl_list_cancel_one(x, STATE_COMMIT);
	if (!listed) {
		rl_list_end(&call);
		rl_rcu_read_unlock();
		rl_pool_give_back(x);
	}

	int error = listed ? rl_list_contend(lock, x, &(struct list_want){ .abstime = abstime })
			   : ECANCELED;
	if (!error)
		set_held(lock, req, x);
	if (error != ECANCELED) {
		rl_list_end(&call);
		return error;
	}
	call = (struct call){ .lock = lock };
	rl_list_begin(&call);
	rl_rcu_read_lock();
	struct list_node *r = node_of(req);
	if (r)
		end_reservation(lock, r);
	rl_list_end(&call);
	rl_rcu_read_unlock();
	set_idle(req);
	return error;
}

/* ---- Gaps ---- */

struct gap {
	uint64_t start, size, align, hi;
	bool fits;
};

/* Move the gap up to where it may start. */
static void align(struct gap *gap)
{
	uint64_t beyond = gap->start % gap->align;
	uint64_t skip = beyond ? gap->align - beyond : 0;

	gap->fits = skip <= UINT64_MAX - gap->start;
	gap->start += skip;
	gap->fits = gap->fits && gap->start < gap->hi && gap->hi - gap->start >= gap->size;
}

/* What has not been decided yet is in the way of nobody; rl_list_reserve() waits for that. */
static bool keeps_out(uint32_t state)
{
	uint32_t phase = state & STATE_PHASE;

	return state & STATE_WRITE &&
	       (phase == STATE_HELD || phase == STATE_RESERVED || is_waiting_state(state));
}

static int move_gap(struct lock *lock, const struct list_node *n, uint32_t state, void *arg)
{
	struct gap *gap = arg;

	(void)lock;
	if (n->start >= gap->start + gap->size)
		return 1;
	if (n->end > gap->start && keeps_out(state)) {
		gap->start = n->end;
		align(gap);
	}
	return !gap->fits;
}

int rl_list_reserve_gap(struct lock *lock, struct req *req, uint64_t size, uint64_t step,
			uint64_t lo, uint64_t hi, uint64_t *ret_start)
{
	if (is_dead(lock) || waits_here(lock, req) || !is_free(req))
		return EINVAL;
	for (;;) {
		struct gap gap = { .start = lo, .size = size, .align = step, .hi = hi };

		align(&gap);
		if (gap.fits)
			rl_list_visit(lock, &(struct visit){ move_gap, &gap });
		if (!gap.fits)
			return ENOSPC;
		int error = rl_list_reserve(lock, req, gap.start, gap.start + size);
		if (!error)
			*ret_start = gap.start;
		if (error != EBUSY) /* else somebody was faster */
			return error;
	}
}
