/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree engine.
 *
 * Interface.  tree.h; the front calls it inside the lock's short mutex.
 *
 * Structure.  One interval tree (itree.h) of all requests, held and waiting.
 * Each carries the number of its arrival, and `blockers`: how many requests
 * that arrived earlier and conflict with it are still in the tree.
 *
 * Common case.  A request that conflicts with nothing counts 0 blockers, goes
 * in and is held.  (The most common case, a request that is alone, never comes
 * here: it lives in the lock word.)
 *
 * Conflict and waiting.  A request with blockers waits.  Whoever leaves the
 * tree, by unlock, time-out or cancel, takes itself off the count of every
 * later conflicting request; a count that reaches 0 is a grant, made on the
 * spot: the request is held from then on, whether or not its owner runs.
 *
 *   E1  r.blockers = the number of requests q in the tree with
 *       q.arrival < r.arrival that conflict with r.
 *   E2  r is held if and only if r.blockers = 0.
 *   E3  Arrival numbers are unique within the tree and follow the order in
 *       which requests entered the short mutex.  A request that comes from the
 *       lock word has 0: the engine was empty, so it is the oldest.
 *
 *   E4  r.waits_on is a lock if and only if r waits in that lock's engine.
 *       Relaxed is enough: it becomes this lock, and ceases to be it, only
 *       inside this lock's mutex, so that whoever is inside reads this lock
 *       only if that is true now.  What it reads of other locks may be old.
 *
 * E1 is exact at entry, since all that is in the tree arrived earlier.  It is
 * kept at exit because arrival numbers, not counts or modes alone, say who had
 * counted the one who leaves: a reader that gives up has never been counted by
 * later readers, and must not be taken off their counts.
 *
 * From E1 and E2: no two holders conflict (the later one would have counted the
 * earlier); conflicting requests are granted in the order of arrival; nobody
 * waits for a request that he does not conflict with.
 *
 * Progress.  Waiting is for earlier requests only, so it cannot form a cycle
 * within one lock unless a thread waits for what it holds itself.  Each step
 * costs O((1 + k) log n), for n requests in the tree, k of which overlap.
 *
 * Reclamation.  None: the request is the node.  Whoever takes a request out
 * does so inside the mutex, and no link to it is left.
 *
 * Blocking counts: Kara, "Range locks" (Linux, 2013) and Bueso, "locking:
 * Introduce range reader/writer lock" (Linux, 2017); as in Lustre's ldlm.
 */
#include "tree/tree.h"

/* The first and the next request that overlap a range, in order of start. */
static struct req *first(const struct lock *lock, uint64_t start, uint64_t end)
{
	struct itree_node *node = rl_itree_first(&lock->tree, start, end);
	return node ? node_req(node) : NULL;
}

static struct req *next(const struct req *req, uint64_t start, uint64_t end)
{
	struct itree_node *node = rl_itree_next(&req->node, start, end);
	return node ? node_req(node) : NULL;
}

uint32_t rl_tree_conflicts(const struct lock *lock, uint64_t start, uint64_t end, unsigned mode)
{
	uint32_t n = 0;

	for (const struct req *q = first(lock, start, end); q; q = next(q, start, end))
		n += modes_conflict(q->mode, mode);
	return n;
}

/* req is out of the tree. */
static void retire(struct req *req)
{
	if (req->state == REQ_WAITING)
		rl_store(&req->waits_on, NULL, relaxed);
	req->state = REQ_IDLE;
	if (req->arrival) /* a needless store costs its owner a cache miss */
		req->arrival = 0;
}

void rl_tree_insert(struct lock *lock, struct req *req, uint32_t blockers)
{
	req->lock = lock;
	req->arrival = ++lock->arrivals;
	req->blockers = blockers;
	req->state = blockers ? REQ_WAITING : REQ_HELD;
	if (blockers)
		rl_store(&req->waits_on, lock, relaxed);
	rl_itree_insert(&lock->tree, &req->node);
}

void rl_tree_adopt(struct lock *lock, struct req *holder)
{
	holder->blockers = 0;
	holder->state = REQ_HELD;
	if (holder->lock != lock) /* as in retire() */
		holder->lock = lock;
	rl_itree_insert(&lock->tree, &holder->node);
}

struct req *rl_tree_release_sole(struct lock *lock)
{
	struct itree_node *root = lock->tree.root;

	if (!root || root->height > 1)
		return NULL;
	lock->tree.root = NULL;
	retire(node_req(root));
	return node_req(root);
}

struct req *rl_tree_remove(struct lock *lock, struct req *req)
{
	uint64_t start = req->node.start, end = req->node.end, arrival = req->arrival;
	struct req *grants = NULL, **last = &grants;

	rl_itree_remove(&lock->tree, &req->node);
	retire(req);

	for (struct req *q = first(lock, start, end); q; q = next(q, start, end)) {
		if (q->arrival < arrival || !modes_conflict(q->mode, req->mode))
			continue;
		if (--q->blockers == 0) {
			q->state = REQ_HELD;
			rl_store(&q->waits_on, NULL, relaxed);
			q->granted = NULL;
			*last = q;
			last = &q->granted;
		}
	}
	return grants;
}

bool rl_tree_is_locked(const struct lock *lock, uint64_t start, uint64_t end, unsigned mode)
{
	uint64_t reached = start; /* [start, reached) is held */

	for (const struct req *q = first(lock, start, end); q && reached < end;
	     q = next(q, start, end)) {
		if (q->state != REQ_HELD || q->mode < mode)
			continue;
		if (q->node.start > reached)
			return false;
		if (q->node.end > reached)
			reached = q->node.end;
	}
	return reached >= end;
}

int rl_tree_walk(const struct lock *lock, rangelock_walk_fn *fn, void *arg)
{
	/* No range is empty, so this one overlaps them all. */
	for (struct req *q = first(lock, RANGELOCK_FULL); q; q = next(q, RANGELOCK_FULL)) {
		struct rangelock_info info = {
			.start = q->node.start,
			.end = q->node.end,
			.mode = (enum rangelock_mode)q->mode,
			.state = q->state == REQ_HELD ? RANGELOCK_HELD : RANGELOCK_WAITING,
			.req = (const struct rangelock_req *)q,
			.arrival = q->arrival,
			.blockers = q->blockers,
		};
		int stop = fn(&info, arg);
		if (stop)
			return stop;
	}
	return 0;
}
