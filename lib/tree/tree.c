/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree engine.
 *
 * Interface.  tree.h; the front calls it inside the lock's short mutex.
 *
 * Structure.  One interval tree (itree.h) of all requests, held and waiting,
 * and one of reservations.  Each request carries the number of its arrival, and
 * `blockers`: how many others it waits for.
 *
 * Common case.  A request that conflicts with nothing counts 0 blockers, goes
 * in and is held.  (The most common case, a request that is alone, never comes
 * here: it lives in the lock word.)
 *
 * Conflict and waiting.  Of two requests that conflict one precedes the other,
 * unless both hold, which cannot be:
 *
 *	whoever holds		precedes nested reads and upgrades that wait
 *	a nested read		precedes upgrades and all others that wait
 *	an upgrade		precedes all others that wait
 *	of any other two, the one that arrived earlier
 *
 * An upgrade that waits holds its read meanwhile; it is to others the write that
 * it is to become.  Whoever leaves, or comes to cover or exclude less, takes itself
 * off the count of those that it no longer precedes; a count that reaches 0 is
 * a grant, made on the spot: the request is held from then on, whether or not
 * its owner runs.
 *
 *   E1  r.blockers = the number of requests in the tree that precede r.
 *   E2  r is held if and only if r.blockers = 0; of a vector, if that is true of
 *       all of it: a call that waits holds nothing, and so nobody waits for ever
 *       for what it holds.  (With RANGELOCK_BARGING: or r is invited or ready.)
 *   E3  Arrival numbers follow the order in which requests entered the short
 *       mutex; those of one vector share theirs, and do not conflict.  A request
 *       that comes from the lock word has 0: the engine was empty, so it is the
 *       oldest.
 *   E4  r.place is a lock and PLACE_WAITS if and only if the call that r is of waits in that
 *       lock's engine.  Relaxed is enough: it becomes this lock, and ceases to
 *       be it, only inside this lock's mutex, so that whoever is inside reads this
 *       lock only if that is true now.  What it reads of other locks may be old.
 *   E5  A reservation overlaps no other, nor a commit that waits, nor a write that
 *       was granted since it was made, unless that is one that still chooses.
 *
 *   E6  The marks of each node say how it holds and what it wants, so that searches
 *       pass over all others.
 *
 * E1 is exact at entry, since all that is in the tree arrived earlier; only a
 * nested read has to be added to the counts of those that it goes before.  It is
 * kept at exit because precedence, not counts or modes alone, says who had counted
 * the one who leaves: a reader that gives up has never been counted by later
 * readers, and must not be taken off their counts.
 *
 * From E1 and E2: no two holders conflict (of any two, one precedes until it has
 * left); conflicting requests are granted in the order of precedence; nobody
 * waits for a request that he does not conflict with.
 *
 * RANGELOCK_BARGING.  To wake a thread takes as long as many short visits: what is
 * free need not stand idle until its next owner has woken up.
 *
 *   B1  Whoever arrives may pass all that wait, if no holder is in its way and
 *       nobody whom it conflicts with stands firm.  Those that it has passed arrived
 *       earlier: it does not precede them, and they do not count it.
 *   B2  Firm are nested reads, upgrades, vectors, and whoever has waited long: every
 *       RL_MAX_BYPASS / 4 arrivals, those that have seen three times as many.  Each of
 *       those that pass is an arrival, so nobody is passed RL_MAX_BYPASS times.
 *   B3  So where blockers is 0, one that has passed may still be in the way.  r is
 *       marked ready then, and whoever gives something up looks for those that are.
 *   B4  A plain lock call whose turn has come is invited instead of granted: its
 *       owner is told once to come, and holds if nobody is in its way by then, else
 *       it is ready again.  What has no owner who could come is granted.
 *   B5  REQ_INVITED is set from the decision until the owner has come: no second answer
 *       is given meanwhile, neither by others who make way nor by cancel.
 *
 * Those that wait keep their order among themselves.
 *
 * Progress.  Precedence has no cycles, so waiting cannot form one within one
 * lock unless a thread waits for what it holds itself.  Each step costs
 * O((1 + k) log n), for n requests in the tree, k of which overlap.
 *
 * Reclamation.  None: the request is the node.  Whoever takes a request out
 * does so inside the mutex, and no link to it is left.
 *
 * Blocking counts: Kara, "Range locks" (Linux, 2013) and Bueso, "locking:
 * Introduce range reader/writer lock" (Linux, 2017); as in Lustre's ldlm.
 */
#include "tree/tree.h"

#include <errno.h>

/* What a request is to those who search: E6. */
enum mark {
	HOLDS_READ = 1,
	HOLDS_WRITE = 2,
	WANTS_READ = 4,
	WANTS_WRITE = 8,
	FIRM = 16, /* it waits, and may not be passed */
	READY = 32 /* it waits only until one that has passed makes way */
};

static uint8_t mark_of(const struct req *req)
{
	bool write = req->mode == RANGELOCK_WRITE;

	if (req->state == REQ_UPGRADING)
		return HOLDS_READ | WANTS_WRITE | FIRM;
	if (req->state != REQ_WAITING)
		return write ? HOLDS_WRITE : HOLDS_READ;
	return (write ? WANTS_WRITE : WANTS_READ) |
	       (req->flags & (REQ_FIRST | REQ_VECTOR) ? FIRM : 0);
}

/* The mode or the state of req, which is in the tree, has changed. */
static void remark(struct req *req)
{
	rl_itree_remark(&req->node, mark_of(req));
}

static void set_ready(struct req *req, bool ready)
{
	uint8_t mark = req->node.mark;

	rl_itree_remark(&req->node, ready ? mark | READY : mark & (uint8_t)~READY);
}

/* The marks of those who conflict with such a request. */
static uint8_t conflicting_holders(unsigned mode)
{
	return mode == RANGELOCK_WRITE ? HOLDS_READ | HOLDS_WRITE : HOLDS_WRITE;
}

static uint8_t conflicting_waiters(unsigned mode)
{
	return mode == RANGELOCK_WRITE ? WANTS_READ | WANTS_WRITE : WANTS_WRITE;
}

/* What a request is to the others: as it was, or as it will be. */
struct claim {
	uint64_t start, end, arrival;
	uint8_t mode, state;
	bool first;
};

static struct claim claim_of(const struct req *req)
{
	return (struct claim){ req->node.start, req->node.end, req->arrival,
			       req->mode,	req->state,    req->flags & REQ_FIRST };
}

static unsigned rank(const struct claim *c)
{
	return c->state == REQ_UPGRADING ? 1 : c->first ? 0 : 2;
}

/* q does not hold. */
static bool precedes(const struct claim *p, const struct claim *q)
{
	if (p->start >= q->end || q->start >= p->end || !modes_conflict(p->mode, q->mode))
		return false;
	if (p->state == REQ_HELD)
		return p->first || rank(q) < 2 || p->arrival < q->arrival;
	return rank(p) != rank(q) ? rank(p) < rank(q) : p->arrival < q->arrival;
}

/* The first and the next request that overlap a range, in order of start, and have
 * one of these marks. */
static struct req *first(const struct lock *lock, uint64_t start, uint64_t end, uint8_t marks)
{
	struct itree_node *node = rl_itree_first(&lock->tree, start, end, marks);
	return node ? node_req(node) : NULL;
}

static struct req *next(const struct req *req, uint64_t start, uint64_t end, uint8_t marks)
{
	struct itree_node *node = rl_itree_next(&req->node, start, end, marks);
	return node ? node_req(node) : NULL;
}

uint32_t rl_tree_conflicts(const struct lock *lock, uint64_t start, uint64_t end, unsigned mode)
{
	uint8_t marks = conflicting_holders(mode) | conflicting_waiters(mode);
	uint32_t n = 0;

	for (const struct req *q = first(lock, start, end, marks); q;
	     q = next(q, start, end, marks))
		n++;
	return n;
}

/* B1 */
static bool may_pass(const struct lock *lock, uint64_t start, uint64_t end, unsigned mode)
{
	uint8_t marks = conflicting_holders(mode) | FIRM;
	const struct req *q = first(lock, start, end, marks);

	while (q && !modes_conflict(q->mode, mode)) /* a nested read, for a read */
		q = next(q, start, end, marks);
	return !q;
}

uint32_t rl_tree_blockers(struct lock *lock, uint64_t start, uint64_t end, unsigned mode)
{
	if (lock->flags & RANGELOCK_BARGING && may_pass(lock, start, end, mode))
		return 0;
	return rl_tree_conflicts(lock, start, end, mode);
}

const struct req *rl_tree_blocker(const struct req *req, const struct req *after)
{
	uint64_t start = req->node.start, end = req->node.end;
	uint8_t marks = conflicting_holders(req->mode) | conflicting_waiters(req->mode);
	struct claim claim = claim_of(req);
	const struct req *q = after ? next(after, start, end, marks)
				    : first(lock_of(req), start, end, marks);

	for (; q; q = next(q, start, end, marks)) {
		struct claim other = claim_of(q);

		if (q != req && (q->state == REQ_HELD || precedes(&other, &claim))) /* B3 */
			return q;
	}
	return NULL;
}

/* ---- What RANGELOCK_STATS counts ---- */

static void count_grant(struct lock *lock, const struct req *req)
{
	if (!lock->stats)
		return;
	if (req->mode == RANGELOCK_WRITE)
		lock->stats->writes++;
	else
		lock->stats->reads++;
}

static void count_wait(struct lock *lock, uint64_t ns)
{
	struct rangelock_stats *s = lock->stats;

	s->waits++;
	s->wait_ns += ns;
	if (ns > s->wait_max_ns)
		s->wait_max_ns = ns;
}

static void begin_wait(struct lock *lock, struct req *req)
{
	set_place(req, lock, PLACE_WAITS);
	lock->last_wait = lock->arrivals;
	if (lock->stats)
		req->since = rl_wait->now();
}

/* req, of a vector the leader, has been granted what it waited for. */
static void end_wait(struct lock *lock, struct req *req)
{
	if (!lock->stats)
		return;

	uint64_t ns = rl_wait->now() - req->since;
	if (req->flags & REQ_CHOOSING)
		req->waited = ns; /* it may yet be for nothing */
	else
		count_wait(lock, ns);
}

/* ---- Who is to be told ---- */

void rl_tree_answer(struct lock *lock, struct req *req, enum park verdict, struct answers *answers)
{
	req->verdict = (uint8_t)verdict;
	req->call_back = req->flags & REQ_SUBMITTED;
	req->next_answer = NULL;
	*answers->last = req;
	answers->last = &req->next_answer;
	if (lock->stats && !req->call_back)
		lock->stats->wakeups++;
}

static void hold_vector(struct lock *lock, struct req *leader)
{
	for (uint32_t i = 0; i < leader->vector.n; i++) {
		nth_req(leader, i)->state = REQ_HELD;
		remark(nth_req(leader, i));
		set_place(nth_req(leader, i), lock, 0);
		count_grant(lock, nth_req(leader, i));
	}
}

static void hold(struct lock *lock, struct req *req)
{
	req->state = REQ_HELD;
	lock->commits -= (req->flags & REQ_COMMITTING) != 0;
	req->flags &= (uint8_t) ~(REQ_COMMITTING | REQ_INVITED);
	remark(req);
	set_place(req, lock, 0);
	if (!(req->flags & REQ_CHOOSING))
		count_grant(lock, req);
	end_wait(lock, req);
}

/* B3: has anybody passed req, who holds now what it wants? */
static bool is_obstructed(const struct lock *lock, const struct req *req)
{
	uint64_t start = req->node.start, end = req->node.end;
	uint8_t marks = conflicting_holders(req->mode);
	const struct req *q = first(lock, start, end, marks);

	if (q == req) /* an upgrade: it holds for read */
		q = next(q, start, end, marks);
	return q;
}

/* B4 */
static bool has_owner_to_come(const struct req *req)
{
	return req->state == REQ_WAITING && !(req->flags & ~(REQ_INVITED | REQ_CHOOSING));
}

/* The turn of req has come: its blockers are 0. */
static void grant(struct lock *lock, struct req *req, struct answers *answers)
{
	enum park verdict = PARK_GRANTED;

	if (lock->flags & RANGELOCK_BARGING) {
		if (req->flags & REQ_INVITED) /* B5 */
			return;
		bool obstructed = is_obstructed(lock, req);

		set_ready(req, obstructed);
		if (obstructed)
			return;
	}
	if (req->flags & REQ_VECTOR) {
		req = req->vector.leader;
		if (--req->vector.waiting)
			return;
		hold_vector(lock, req);
		end_wait(lock, req);
	} else if (lock->flags & RANGELOCK_BARGING && has_owner_to_come(req)) {
		req->flags |= REQ_INVITED;
		verdict = PARK_INVITED;
	} else {
		hold(lock, req);
	}
	rl_tree_answer(lock, req, verdict, answers);
}

/* Somebody has made way in this range. */
static void grant_ready(struct lock *lock, uint64_t start, uint64_t end, struct answers *answers)
{
	for (struct req *q = first(lock, start, end, READY); q; q = next(q, start, end, READY))
		grant(lock, q, answers);
}

/* A claim has changed from was, NULL if it is new, to now, NULL if it ends; it has not
 * become wider.  Each of the others that it has
 * ceased to precede, or come to precede, counts it less, or more. */
static void recount(struct lock *lock, const struct req *self, const struct claim *was,
		    const struct claim *now, struct answers *answers)
{
	uint64_t start = was ? was->start : now->start, end = was ? was->end : now->end;
	uint8_t marks = (was ? conflicting_waiters(was->mode) : 0) |
			(now ? conflicting_waiters(now->mode) : 0);

	if (!now && was->state == REQ_HELD && !was->first && was->arrival > lock->last_wait)
		marks = 0; /* all that wait came earlier: it precedes none of them */
	for (struct req *q = first(lock, start, end, marks); q; q = next(q, start, end, marks)) {
		if (q == self)
			continue;
		struct claim claim = claim_of(q);
		bool before = was && precedes(was, &claim), after = now && precedes(now, &claim);

		if (before == after)
			continue;
		if (after && q->node.mark & READY)
			set_ready(q, false);
		else if (after && !q->blockers && q->flags & REQ_VECTOR)
			q->vector.leader->vector.waiting++; /* it waited only for others */
		q->blockers += after ? 1u : -1u;
		if (!q->blockers)
			grant(lock, q, answers);
	}
	if (was)
		grant_ready(lock, start, end, answers);
}

/* ---- In and out ---- */

/* req is out of the tree. */
static void retire(struct req *req)
{
	if (req->state != REQ_HELD)
		set_place(req, lock_of(req), 0);
	req->state = REQ_IDLE;
	if (req->arrival) /* a needless store costs its owner a cache miss */
		req->arrival = 0;
}

static void take_out(struct lock *lock, struct req *req, struct answers *answers)
{
	struct claim was = claim_of(req);

	rl_itree_remove(&lock->tree, &req->node);
	retire(req);
	recount(lock, req, &was, NULL, answers);
}

/* ---- Reservations that a write revokes ---- */

static struct req *first_reserved(const struct lock *lock, uint64_t start, uint64_t end)
{
	struct itree_node *node = rl_itree_first(&lock->reserved, start, end, ITREE_ANY);
	return node ? node_req(node) : NULL;
}

static struct req *first_commit(const struct lock *lock, uint64_t start, uint64_t end)
{
	for (struct req *q = first(lock, start, end, WANTS_WRITE); q;
	     q = next(q, start, end, WANTS_WRITE))
		if (q->flags & REQ_COMMITTING)
			return q;
	return NULL;
}

static void revoke(struct lock *lock, const struct req *by, struct answers *answers)
{
	uint64_t start = by->node.start, end = by->node.end;
	struct req *r;

	if (by->mode != RANGELOCK_WRITE || by->flags & REQ_CHOOSING)
		return;
	while ((r = first_reserved(lock, start, end))) {
		rl_itree_remove(&lock->reserved, &r->node);
		r->state = REQ_REVOKED;
	}
	while (lock->commits && (r = first_commit(lock, start, end))) {
		lock->commits--;
		take_out(lock, r, answers);
		rl_tree_answer(lock, r, PARK_CANCELED, answers);
	}
}

static void revoke_all(struct lock *lock, struct req *by, struct answers *answers)
{
	if (by->flags & REQ_VECTOR)
		for (uint32_t i = 0; i < by->vector.n; i++)
			revoke(lock, nth_req(by, i), answers);
	else
		revoke(lock, by, answers);
}

/* Each grant from here on revokes; which may lead to further ones. */
static void settle(struct lock *lock, struct req **from, struct answers *answers)
{
	for (; *from; from = &(*from)->next_answer)
		if ((*from)->verdict == PARK_GRANTED)
			revoke_all(lock, *from, answers);
}

/* ---- Arrivals ---- */

/* B2 */
static void make_firm(struct lock *lock)
{
	uint8_t marks = WANTS_READ | WANTS_WRITE;

	for (struct req *q = first(lock, RANGELOCK_FULL, marks); q;
	     q = next(q, RANGELOCK_FULL, marks))
		if (lock->arrivals - q->arrival >= RL_MAX_BYPASS / 4 * 3)
			rl_itree_remark(&q->node, q->node.mark | FIRM);
}

uint64_t rl_tree_arrive(struct lock *lock)
{
	lock->arrivals++;
	if (lock->flags & RANGELOCK_BARGING && lock->arrivals % (RL_MAX_BYPASS / 4) == 0)
		make_firm(lock);
	return lock->arrivals;
}

static void place(struct lock *lock, struct req *req, uint64_t arrival, uint32_t blockers)
{
	bool waits = blockers || req->flags & REQ_VECTOR; /* for the rest of it */

	req->arrival = arrival;
	req->blockers = blockers;
	req->state = waits ? REQ_WAITING : REQ_HELD;
	if (waits)
		begin_wait(lock, req);
	else
		set_place(req, lock, 0);
	req->node.mark = mark_of(req);
	rl_itree_insert(&lock->tree, &req->node);
}

/* A grant to a request whose owner is here, and need not be told. */
static void granted_at_once(struct lock *lock, struct req *req, struct answers *answers)
{
	struct req **from = answers->last;

	count_grant(lock, req);
	revoke(lock, req, answers);
	settle(lock, from, answers);
}

void rl_tree_insert(struct lock *lock, struct req *req, uint64_t arrival, uint32_t blockers,
		    struct answers *answers)
{
	place(lock, req, arrival, blockers);
	if (!blockers && !(req->flags & REQ_VECTOR))
		granted_at_once(lock, req, answers);
}

void rl_tree_confirm(struct lock *lock, struct req *req, struct answers *answers)
{
	req->flags &= (uint8_t)~REQ_CHOOSING;
	if (lock->stats)
		count_wait(lock, req->waited);
	granted_at_once(lock, req, answers);
}

void rl_tree_insert_nested(struct lock *lock, struct req *req, struct answers *answers)
{
	uint64_t start = req->node.start, end = req->node.end;
	uint32_t blockers = 0;

	for (const struct req *q = first(lock, start, end, HOLDS_WRITE); q;
	     q = next(q, start, end, HOLDS_WRITE))
		blockers++;
	place(lock, req, rl_tree_arrive(lock), blockers);
	if (!blockers)
		count_grant(lock, req);

	struct claim now = claim_of(req);
	recount(lock, req, NULL, &now, answers);
}

bool rl_tree_tie_vector(struct lock *lock, struct req *first_req, size_t n, struct answers *answers)
{
	uint32_t waiting = 0;

	for (size_t i = 0; i < n; i++) {
		struct req *r = nth_req(first_req, i);

		r->vector.leader = first_req;
		waiting += r->blockers != 0;
	}
	first_req->vector.waiting = waiting;
	first_req->vector.n = (uint32_t)n;
	if (waiting)
		return true;
	hold_vector(lock, first_req);

	struct req **from = answers->last;
	revoke_all(lock, first_req, answers);
	settle(lock, from, answers);
	return false;
}

bool rl_tree_take(struct lock *lock, struct req *req, struct answers *answers)
{
	if (!req->blockers && !is_obstructed(lock, req)) {
		struct req **from = answers->last;

		hold(lock, req);
		revoke(lock, req, answers);
		settle(lock, from, answers);
		return true;
	}
	req->flags &= (uint8_t)~REQ_INVITED;
	if (!req->blockers)
		set_ready(req, true);
	return false;
}

void rl_tree_remove(struct lock *lock, struct req *req, struct answers *answers)
{
	struct req **from = answers->last;

	take_out(lock, req, answers);
	settle(lock, from, answers);
}

static void give_up_upgrade(struct lock *lock, struct req *req, struct answers *answers)
{
	struct claim was = claim_of(req);

	req->state = REQ_HELD;
	req->mode = RANGELOCK_READ;
	req->blockers = 0;
	remark(req);
	set_place(req, lock, 0);

	struct claim now = claim_of(req);
	recount(lock, req, &was, &now, answers);
}

void rl_tree_give_up(struct lock *lock, struct req *req, bool end_reservation,
		     struct answers *answers)
{
	struct req **from = answers->last;

	if (req->state == REQ_UPGRADING) {
		give_up_upgrade(lock, req, answers);
	} else if (req->flags & REQ_VECTOR) {
		struct req *leader = req->vector.leader;

		for (uint32_t i = 0; i < leader->vector.n; i++)
			take_out(lock, nth_req(leader, i), answers);
	} else {
		take_out(lock, req, answers);
		if (req->flags & REQ_COMMITTING) {
			lock->commits--;
			if (!end_reservation) {
				req->state = REQ_RESERVED;
				req->arrival = rl_tree_arrive(lock);
				req->node.mark = ITREE_ANY;
				rl_itree_insert(&lock->reserved, &req->node);
			}
		}
	}
	settle(lock, from, answers);
}

/* ---- Change what is held ---- */

void rl_tree_downgrade(struct lock *lock, struct req *req, struct answers *answers)
{
	struct req **from = answers->last;
	struct claim was = claim_of(req);

	req->mode = RANGELOCK_READ;
	remark(req);

	struct claim now = claim_of(req);
	recount(lock, req, &was, &now, answers);
	settle(lock, from, answers);
}

/* Does any other request overlap? */
static struct req *another(const struct lock *lock, const struct req *req, unsigned state)
{
	uint64_t start = req->node.start, end = req->node.end;

	for (struct req *q = first(lock, start, end, ITREE_ANY); q;
	     q = next(q, start, end, ITREE_ANY))
		if (q != req && (!state || q->state == state))
			return q;
	return NULL;
}

int rl_tree_try_upgrade(struct lock *lock, struct req *req, struct answers *answers)
{
	if (req->mode == RANGELOCK_WRITE)
		return 0;
	if (another(lock, req, 0))
		return EBUSY;
	req->mode = RANGELOCK_WRITE;
	remark(req);
	granted_at_once(lock, req, answers);
	return 0;
}

int rl_tree_upgrade(struct lock *lock, struct req *req, struct answers *answers)
{
	uint64_t start = req->node.start, end = req->node.end;
	struct claim was = claim_of(req);

	if (req->mode == RANGELOCK_WRITE)
		return 0;
	if (another(lock, req, REQ_UPGRADING))
		return EDEADLK;
	req->mode = RANGELOCK_WRITE;
	req->state = REQ_UPGRADING;
	req->flags = REQ_FIRST;
	remark(req);

	struct claim now = claim_of(req);
	recount(lock, req, &was, &now, answers); /* grants nothing: it only adds */
	req->blockers = 0;
	for (const struct req *q = first(lock, start, end, ITREE_ANY); q;
	     q = next(q, start, end, ITREE_ANY)) {
		struct claim claim = claim_of(q);

		req->blockers += q != req && precedes(&claim, &now);
	}
	if (req->blockers) {
		begin_wait(lock, req);
		return EINPROGRESS;
	}
	req->state = REQ_HELD;
	remark(req);
	granted_at_once(lock, req, answers);
	return 0;
}

static void move(struct lock *lock, struct req *req, uint64_t start, uint64_t end)
{
	rl_itree_remove(&lock->tree, &req->node);
	req->node.start = start;
	req->node.end = end;
	rl_itree_insert(&lock->tree, &req->node);
}

void rl_tree_reduce(struct lock *lock, struct req *req, uint64_t start, uint64_t end,
		    struct answers *answers)
{
	struct req **from = answers->last;
	struct claim was = claim_of(req);

	move(lock, req, start, end);

	struct claim now = claim_of(req);
	recount(lock, req, &was, &now, answers);
	settle(lock, from, answers);
}

void rl_tree_split(struct lock *lock, struct req *req, uint64_t at, struct req *tail,
		   struct answers *answers)
{
	tail->node.start = at;
	tail->node.end = req->node.end;
	tail->mode = req->mode;
	tail->flags = req->flags & REQ_FIRST;
	place(lock, tail, req->arrival, 0);

	/* The tail first, so that nobody's count drops to 0 meanwhile. */
	struct claim now = claim_of(tail);
	recount(lock, tail, NULL, &now, answers);
	rl_tree_reduce(lock, req, req->node.start, at, answers);
}

int rl_tree_try_extend(struct lock *lock, struct req *req, uint64_t start, uint64_t end,
		       struct answers *answers)
{
	uint64_t old_start = req->node.start, old_end = req->node.end;

	if ((start < old_start && rl_tree_conflicts(lock, start, old_start, req->mode)) ||
	    (old_end < end && rl_tree_conflicts(lock, old_end, end, req->mode)))
		return EBUSY;
	move(lock, req, start, end);

	struct req **from = answers->last;
	revoke(lock, req, answers);
	settle(lock, from, answers);
	return 0;
}

/* ---- Reservations ---- */

/* The first write, held or waiting, or NULL. */
static struct req *first_write(const struct lock *lock, uint64_t start, uint64_t end)
{
	return first(lock, start, end, HOLDS_WRITE | WANTS_WRITE);
}

/* Where does what keeps [start, end) from being reserved end?  start: nowhere. */
static uint64_t obstacle_end(const struct lock *lock, uint64_t start, uint64_t end)
{
	const struct req *r = first_reserved(lock, start, end);

	if (!r)
		r = first_write(lock, start, end);
	return r ? r->node.end : start;
}

int rl_tree_reserve(struct lock *lock, struct req *req, uint64_t start, uint64_t end)
{
	if (obstacle_end(lock, start, end) != start)
		return EBUSY;
	req->node.start = start;
	req->node.end = end;
	req->mode = RANGELOCK_WRITE;
	set_place(req, lock, 0);
	req->arrival = rl_tree_arrive(lock);
	req->state = REQ_RESERVED;
	req->node.mark = ITREE_ANY;
	rl_itree_insert(&lock->reserved, &req->node);
	return 0;
}

int rl_tree_reserve_gap(struct lock *lock, struct req *req, uint64_t size, uint64_t align,
			uint64_t lo, uint64_t hi)
{
	uint64_t start = lo;

	for (;;) {
		uint64_t beyond = start % align;

		if (beyond && align - beyond > UINT64_MAX - start)
			return ENOSPC;
		if (beyond)
			start += align - beyond;
		if (start >= hi || hi - start < size)
			return ENOSPC;

		uint64_t clear = obstacle_end(lock, start, start + size);
		if (clear == start)
			return rl_tree_reserve(lock, req, start, start + size);
		start = clear;
	}
}

void rl_tree_unreserve(struct lock *lock, struct req *req)
{
	rl_itree_remove(&lock->reserved, &req->node);
	req->state = REQ_IDLE;
	req->arrival = 0;
}

void rl_tree_commit(struct lock *lock, struct req *req, uint32_t blockers, struct answers *answers)
{
	rl_tree_unreserve(lock, req);
	req->flags = blockers ? REQ_COMMITTING : 0;
	lock->commits += blockers != 0;
	rl_tree_insert(lock, req, rl_tree_arrive(lock), blockers, answers);
}

/* ---- The lock word's holder ---- */

void rl_tree_adopt(struct lock *lock, struct req *holder)
{
	holder->blockers = 0;
	holder->state = REQ_HELD;
	holder->flags = 0;
	if (lock_of(holder) != lock) /* as in retire() */
		set_place(holder, lock, 0);
	holder->node.mark = mark_of(holder);
	rl_itree_insert(&lock->tree, &holder->node);
}

struct req *rl_tree_release_sole(struct lock *lock)
{
	struct itree_node *root = lock->tree.root;

	if (!root || root->height > 1 || node_req(root)->state != REQ_HELD ||
	    !itree_empty(&lock->reserved))
		return NULL;
	lock->tree.root = NULL;
	retire(node_req(root));
	return node_req(root);
}

void rl_tree_forget(struct lock *lock)
{
	lock->tree.root = lock->reserved.root = NULL;
	lock->commits = 0;
}

bool rl_tree_has(const struct lock *lock, const struct req *req)
{
	uint64_t start = req->node.start, end = req->node.end;

	if (req->state == REQ_RESERVED)
		return first_reserved(lock, start, end) == req; /* E5: no other overlaps */
	for (const struct req *q = first(lock, start, end, ITREE_ANY); q;
	     q = next(q, start, end, ITREE_ANY))
		if (q == req)
			return true;
	return false;
}

bool rl_tree_is_empty(const struct lock *lock)
{
	return itree_empty(&lock->tree) && itree_empty(&lock->reserved);
}

/* ---- Looks ---- */

/* The mode in which it is held. */
static unsigned held_mode(const struct req *req)
{
	return req->state == REQ_UPGRADING ? RANGELOCK_READ : req->mode;
}

static bool holds(const struct req *req)
{
	return req->state >= REQ_UPGRADING;
}

bool rl_tree_is_locked(const struct lock *lock, uint64_t start, uint64_t end, unsigned mode)
{
	uint64_t reached = start; /* [start, reached) is held */

	uint8_t marks = mode == RANGELOCK_WRITE ? HOLDS_WRITE : HOLDS_READ | HOLDS_WRITE;

	for (const struct req *q = first(lock, start, end, marks); q && reached < end;
	     q = next(q, start, end, marks)) {
		if (q->node.start > reached)
			return false;
		if (q->node.end > reached)
			reached = q->node.end;
	}
	return reached >= end;
}

static int show(struct req *req, rangelock_walk_fn *fn, void *arg)
{
	struct rangelock_info info = {
		.start = req->node.start,
		.end = req->node.end,
		.mode = (enum rangelock_mode)held_mode(req),
		.state = holds(req)		      ? RANGELOCK_HELD
			 : req->state == REQ_RESERVED ? RANGELOCK_RESERVED
						      : RANGELOCK_WAITING,
		.req = (const struct rangelock_req *)req,
		.arrival = req->arrival,
		.blockers = req->state == REQ_RESERVED ? 0 : req->blockers,
	};

	return fn(&info, arg);
}

int rl_tree_walk(const struct lock *lock, rangelock_walk_fn *fn, void *arg)
{
	/* No range is empty, so this one overlaps them all. */
	struct req *q = first(lock, RANGELOCK_FULL, ITREE_ANY);
	struct req *r = first_reserved(lock, RANGELOCK_FULL);

	while (q || r) {
		bool take_q = q && (!r || q->node.start <= r->node.start);
		struct req *shown = take_q ? q : r;
		int stop = show(shown, fn, arg);

		if (stop)
			return stop;
		if (take_q) {
			q = next(q, RANGELOCK_FULL, ITREE_ANY);
		} else {
			struct itree_node *node =
			    rl_itree_next(&r->node, RANGELOCK_FULL, ITREE_ANY);
			r = node ? node_req(node) : NULL;
		}
	}
	return 0;
}
