/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/model.h"

#include <errno.h>

const struct model_fault_info model_faults[MODEL_FAULTS] = {
	[MODEL_SOUND] = { "none", 0 },
	[MODEL_ADJACENT_CONFLICT] = { "adjacent-conflict", RANGELOCK_CAP_LOCK },
	[MODEL_READERS_OVERTAKE] = { "readers-overtake", RANGELOCK_CAP_LOCK },
	[MODEL_STAYS_QUEUED] = { "stays-queued", RANGELOCK_CAP_LOCK },
	[MODEL_TRY_JUMPS] = { "try-jumps", RANGELOCK_CAP_LOCK },
	[MODEL_COVER_IS_BOX] = { "cover-is-box", RANGELOCK_CAP_LOCK },
	[MODEL_REFUSES_EARLY] = { "refuses-early", RANGELOCK_CAP_LOCK },
	[MODEL_DOWNGRADE_SILENT] = { "downgrade-silent", RANGELOCK_CAP_CONVERT },
	[MODEL_TRYUPGRADE_JUMPS] = { "tryupgrade-jumps", RANGELOCK_CAP_CONVERT },
	[MODEL_UPGRADE_BARGED] = { "upgrade-barged", RANGELOCK_CAP_CONVERT },
	[MODEL_UPGRADES_BOTH] = { "upgrades-both", RANGELOCK_CAP_CONVERT },
	[MODEL_UPGRADE_LOST] = { "upgrade-lost", RANGELOCK_CAP_CONVERT },
	[MODEL_REDUCE_SILENT] = { "reduce-silent", RANGELOCK_CAP_RESIZE },
	[MODEL_SPLIT_READS] = { "split-reads", RANGELOCK_CAP_RESIZE },
	[MODEL_EXTEND_JUMPS] = { "extend-jumps", RANGELOCK_CAP_RESIZE },
	[MODEL_NESTED_QUEUES] = { "nested-queues", RANGELOCK_CAP_NESTED },
	[MODEL_VECTOR_LEFT] = { "vector-left", RANGELOCK_CAP_VECTOR },
	[MODEL_VECTOR_APART] = { "vector-apart", RANGELOCK_CAP_VECTOR },
	[MODEL_VECTOR_PARTS] = { "vector-parts", RANGELOCK_CAP_VECTOR },
	[MODEL_UNLOCKV_PARTLY] = { "unlockv-partly", RANGELOCK_CAP_VECTOR },
	[MODEL_SUBMIT_LATER] = { "submit-later", RANGELOCK_CAP_SUBMIT },
	[MODEL_READS_REVOKE] = { "reads-revoke", RANGELOCK_CAP_RESERVE },
	[MODEL_FAILURES_REVOKE] = { "failures-revoke", RANGELOCK_CAP_RESERVE },
	[MODEL_COMMIT_OVERRIDES] = { "commit-overrides", RANGELOCK_CAP_RESERVE },
	[MODEL_COMMIT_LOSES] = { "commit-loses", RANGELOCK_CAP_RESERVE },
	[MODEL_COMMIT_UNREVOKED] = { "commit-unrevoked", RANGELOCK_CAP_RESERVE },
	[MODEL_GAP_UNALIGNED] = { "gap-unaligned", RANGELOCK_CAP_RESERVE },
	[MODEL_CHOOSES_ONCE] = { "chooses-once", RANGELOCK_CAP_ENTER },
	[MODEL_CHOOSING_REVOKES] = { "choosing-revokes",
				     RANGELOCK_CAP_ENTER | RANGELOCK_CAP_RESERVE },
	[MODEL_NOBODY_PASSES] = { "nobody-passes", RANGELOCK_CAP_BARGING },
	[MODEL_FIRM_PASSED] = { "firm-passed", RANGELOCK_CAP_BARGING },
	[MODEL_PASSED_COUNTS] = { "passed-counts", RANGELOCK_CAP_BARGING },
	[MODEL_INVITED_HOLDS] = { "invited-holds", RANGELOCK_CAP_BARGING },
	[MODEL_INVITATION_REVOKES] = { "invitation-revokes",
				       RANGELOCK_CAP_BARGING | RANGELOCK_CAP_RESERVE },
	[MODEL_SUBMITTED_INVITED] = { "submitted-invited",
				      RANGELOCK_CAP_BARGING | RANGELOCK_CAP_SUBMIT },
	[MODEL_READY_FORGOTTEN] = { "ready-forgotten", RANGELOCK_CAP_BARGING },
	[MODEL_INVITED_FORGOTTEN] = { "invited-forgotten", RANGELOCK_CAP_BARGING },
};

enum { NESTED = 0, UPGRADE = 1, ORDINARY = 2 }; /* ranks */

/* ---- What is asked of the queue ---- */

static bool overlap(const struct model *m, const struct rangelock_range *a,
		    const struct rangelock_range *b)
{
	if (m->fault == MODEL_ADJACENT_CONFLICT)
		return a->start <= b->end && b->start <= a->end;
	return a->start < b->end && b->start < a->end;
}

/* Does it hold, or want to hold, a write? */
static bool writes(const struct model_request *r)
{
	return r->range.mode == RANGELOCK_WRITE || r->stage == UPGRADING;
}

static bool conflict(const struct model *m, const struct model_request *a,
		     const struct model_request *b)
{
	return a != b && a->stage != RESERVED && b->stage != RESERVED &&
	       overlap(m, &a->range, &b->range) && (writes(a) || writes(b));
}

/* Does b wait for a? */
static bool precedes(const struct model *m, const struct model_request *a,
		     const struct model_request *b)
{
	if (b->stage == HELD || !conflict(m, a, b))
		return false;
	if (a->stage == HELD) /* unless it has passed b */
		return !m->barging || a->rank < ORDINARY || b->rank < ORDINARY ||
		       a->arrival < b->arrival || m->fault == MODEL_PASSED_COUNTS;
	if (m->fault == MODEL_READERS_OVERTAKE && !writes(b))
		return false;
	if (m->fault == MODEL_UPGRADE_BARGED && a->stage == UPGRADING && !writes(b))
		return false;
	return a->rank < b->rank || (a->rank == b->rank && a->arrival < b->arrival);
}

int model_blockers(const struct model *m, int i)
{
	int n = 0;

	for (int k = 0; k < m->n; k++)
		n += precedes(m, &m->queue[k], &m->queue[i]);
	return n;
}

/* Must the i-th wait, which arrives now?  With barging only for those who hold, and for
 * those who may not be passed. */
static bool must_wait(const struct model *m, int i)
{
	const struct model_request *r = &m->queue[i];

	if (!m->barging || r->rank != ORDINARY || r->vector || m->fault == MODEL_NOBODY_PASSES)
		return model_blockers(m, i) > 0;
	for (int k = 0; k < m->n; k++) {
		const struct model_request *other = &m->queue[k];
		bool firm = (other->rank != ORDINARY || other->vector) &&
			    m->fault != MODEL_FIRM_PASSED;

		if (conflict(m, other, r) && (other->stage == HELD || firm))
			return true;
	}
	return false;
}

/* With barging: does anybody hold what the i-th waits for? */
static bool is_obstructed(const struct model *m, int i)
{
	for (int k = 0; k < m->n; k++)
		if (m->barging && m->queue[k].stage == HELD &&
		    conflict(m, &m->queue[k], &m->queue[i]))
			return true;
	return false;
}

int model_find(const struct model *m, int who)
{
	for (int i = 0; i < m->n; i++)
		if (m->queue[i].who == who)
			return i;
	return -1;
}

static bool is_held(const struct model *m, int who)
{
	int i = model_find(m, who);

	return i >= 0 && m->queue[i].stage == HELD;
}

static bool is_bad(const struct rangelock_range *range)
{
	return range->start >= range->end;
}

/* ---- What changes it ---- */

static void answer(struct model *m, int who, int result)
{
	m->answers[m->answered].who = who;
	m->answers[m->answered].result = result;
	m->answered++;
}

static void take_out(struct model *m, int i)
{
	m->n--;
	for (int k = i; k < m->n; k++)
		m->queue[k] = m->queue[k + 1];
}

/* A write is granted here. */
static void revoke(struct model *m, struct rangelock_range range)
{
	for (int i = m->n - 1; i >= 0; i--) {
		struct model_request *r = &m->queue[i];

		if (!overlap(m, &r->range, &range))
			continue;
		if (r->stage == RESERVED) {
			m->revoked[r->who] = r->range;
			take_out(m, i);
		} else if (r->stage == COMMITTING && m->fault != MODEL_COMMIT_UNREVOKED) {
			answer(m, r->who, ECANCELED);
			take_out(m, i);
		}
	}
}

static void revoke_for(struct model *m, const struct model_request *holder)
{
	if (holder->choosing && m->fault != MODEL_CHOOSING_REVOKES)
		return;
	if (holder->range.mode == RANGELOCK_WRITE || m->fault == MODEL_READS_REVOKE)
		revoke(m, holder->range);
}

/* Does the call that this request is of wait for nobody, with any of its requests? */
static bool is_free_to_go(const struct model *m, int i)
{
	for (int k = 0; k < m->n; k++)
		if ((k == i || (m->queue[k].caller == m->queue[i].caller &&
				m->fault != MODEL_VECTOR_PARTS)) &&
		    (model_blockers(m, k) > 0 || is_obstructed(m, k)))
			return false;
	return true;
}

/* With barging: is it the turn of one that a thread waits for in a plain lock call?  That is
 * told to come. */
static bool invite(struct model *m, struct model_request *r)
{
	if (!m->barging || r->stage != WAITING || r->rank != ORDINARY || r->vector ||
	    (r->async && m->fault != MODEL_SUBMITTED_INVITED) || m->fault == MODEL_INVITED_HOLDS)
		return false;
	if (r->invited || r->forgotten)
		return true;
	r->invited = true;
	answer(m, r->who, MODEL_INVITED);
	if (m->fault == MODEL_INVITATION_REVOKES)
		revoke_for(m, r);
	return true;
}

/* Let those hold who wait for nobody.  Whether there was one. */
static bool grant(struct model *m)
{
	bool any = false;

	for (int i = 0; i < m->n; i++) {
		struct model_request *r = &m->queue[i];

		if (r->stage == HELD || r->stage == RESERVED)
			continue;
		if (m->fault == MODEL_READY_FORGOTTEN && !model_blockers(m, i) &&
		    is_obstructed(m, i))
			r->forgotten = true;
		if (!is_free_to_go(m, i) || invite(m, r))
			continue;
		r->range.mode = writes(r) ? RANGELOCK_WRITE : RANGELOCK_READ;
		r->stage = HELD;
		any = true;
		i = -1; /* others have moved, or their way is free */
	}
	return any;
}

static bool all_held(const struct model *m, int caller)
{
	for (int i = 0; i < m->n; i++)
		if (m->queue[i].caller == caller && m->queue[i].stage != HELD)
			return false;
	return true;
}

/* Calls that have now all that they waited for return.  It is then that they revoke, so
 * that one that fails has revoked nothing. */
static void complete(struct model *m)
{
	for (int i = 0; i < m->n; i++) {
		int caller = m->queue[i].caller;

		if (caller == MODEL_NOBODY || !all_held(m, caller))
			continue;
		answer(m, caller, 0);
		for (int k = 0; k < m->n; k++) {
			if (m->queue[k].caller == caller) {
				m->queue[k].caller = MODEL_NOBODY;
				revoke_for(m, &m->queue[k]);
				k = -1; /* others have moved */
			}
		}
		i = -1;
	}
}

static void settle(struct model *m)
{
	do
		complete(m);
	while (grant(m));
}

/* The requests of this call stand in the queue now.  If they are granted it returns
 * at once. */
static int wait_for_all(struct model *m, int who)
{
	settle(m);
	for (int i = 0; i < m->answered; i++) {
		if (m->answers[i].who == who) {
			int result = m->answers[i].result;
			m->answers[i] = m->answers[--m->answered];
			return result;
		}
	}
	return MODEL_WAITS;
}

/* A call that waits returns with this error. */
static void give_up(struct model *m, int caller, int error)
{
	answer(m, caller, error);
	for (int i = m->n - 1; i >= 0; i--) {
		struct model_request *r = &m->queue[i];

		if (r->caller != caller)
			continue;
		r->caller = MODEL_NOBODY;
		if (r->stage == UPGRADING && m->fault != MODEL_UPGRADE_LOST)
			r->stage = HELD;
		else if (r->stage == COMMITTING && error == ETIMEDOUT &&
			 m->fault != MODEL_COMMIT_LOSES)
			r->stage = RESERVED;
		else if (m->fault == MODEL_VECTOR_LEFT && model_blockers(m, i) == 0)
			r->stage = HELD;
		else
			take_out(m, i);
	}
	settle(m);
}

/* Requests for these ranges, who and those that follow, arrive as one. */
static int arrive(struct model *m, int who, const struct rangelock_range *ranges, int n, int rank,
		  bool vector, enum model_patience patience)
{
	int before = m->n, error = 0;
	bool wait = false;

	for (int k = 0; k < n; k++) {
		m->queue[m->n++] = (struct model_request){ .who = who + k,
							   .caller = who,
							   .range = ranges[k],
							   .stage = WAITING,
							   .rank = rank,
							   .arrival = m->arrivals,
							   .vector = vector,
							   .async = patience == ASYNC };
		m->arrivals += m->fault == MODEL_VECTOR_APART;
	}
	m->arrivals++;
	for (int i = before; i < m->n; i++)
		wait = wait || must_wait(m, i);

	if (m->fault == MODEL_TRY_JUMPS && patience == TRY) {
		wait = false;
		for (int i = 0; i < before; i++)
			wait = wait || (m->queue[i].stage == HELD &&
					conflict(m, &m->queue[i], &m->queue[before]));
		if (!wait)
			m->queue[before].rank = -1;
	}
	if (patience == UNSOUND && (wait || m->fault == MODEL_REFUSES_EARLY))
		error = EINVAL;
	if (patience == TRY && wait)
		error = EBUSY;
	if (error) {
		m->n = before;
		if (m->fault == MODEL_FAILURES_REVOKE)
			revoke(m, ranges[0]);
		return error;
	}
	for (int k = 0; k < n; k++) {
		m->revoked[who + k].end = 0;
		if (m->barging && !wait)
			m->queue[before + k].stage = HELD;
	}
	return wait_for_all(m, who);
}

/* ---- Lock and unlock ---- */

void model_init(struct model *m, enum model_fault fault)
{
	*m = (struct model){ .fault = fault };
}

int model_destroy(struct model *m)
{
	m->answered = 0;
	if (m->destroyed)
		return EINVAL;
	if (m->n)
		return EBUSY;
	m->destroyed = true;
	return 0;
}

int model_lock(struct model *m, int who, const struct rangelock_range *range,
	       enum model_patience patience)
{
	m->answered = 0;
	if (m->destroyed || is_bad(range) || model_find(m, who) >= 0)
		return EINVAL;

	int result = arrive(m, who, range, 1, ORDINARY, false, patience);
	if (patience == ASYNC && result == 0 && m->fault == MODEL_SUBMIT_LATER) {
		answer(m, who, 0);
		return EINPROGRESS;
	}
	return patience == ASYNC && result == MODEL_WAITS ? EINPROGRESS : result;
}

int model_unlock(struct model *m, int who)
{
	return model_unlockv(m, who, 1);
}

int model_cancel(struct model *m, int who)
{
	int i = model_find(m, who);

	m->answered = 0;
	if (m->destroyed)
		return EINVAL;
	if (i < 0 || m->queue[i].caller == MODEL_NOBODY)
		return EBUSY;
	give_up(m, m->queue[i].caller, ECANCELED);
	return 0;
}

void model_deadline(struct model *m, int who)
{
	m->answered = 0;
	if (m->fault == MODEL_STAYS_QUEUED)
		answer(m, who, ETIMEDOUT);
	else
		give_up(m, who, ETIMEDOUT);
}

int model_come(struct model *m, int who, bool in_time)
{
	int i = model_find(m, who);
	struct model_request *r = &m->queue[i];

	m->answered = 0;
	r->invited = false;
	if (is_free_to_go(m, i)) {
		r->stage = HELD;
		return wait_for_all(m, who);
	}
	r->forgotten = m->fault == MODEL_INVITED_FORGOTTEN;
	if (in_time)
		return MODEL_WAITS;
	give_up(m, who, ETIMEDOUT);
	return wait_for_all(m, who);
}

/* ---- Change what is held ---- */

/* Where in the queue who stands, which holds; else *ret_error. */
static struct model_request *holder(struct model *m, int who, int *ret_error)
{
	m->answered = 0;
	*ret_error = m->destroyed ? EINVAL : is_held(m, who) ? 0 : EPERM;
	return *ret_error ? NULL : &m->queue[model_find(m, who)];
}

int model_downgrade(struct model *m, int who)
{
	int error;
	struct model_request *r = holder(m, who, &error);

	if (!r)
		return error;
	r->range.mode = RANGELOCK_READ;
	if (m->fault != MODEL_DOWNGRADE_SILENT)
		settle(m);
	return 0;
}

int model_upgrade(struct model *m, int who, enum model_patience patience)
{
	int error;
	struct model_request *r = holder(m, who, &error);

	if (!r || r->range.mode == RANGELOCK_WRITE)
		return error;
	for (int i = 0; i < m->n; i++) {
		const struct model_request *other = &m->queue[i];

		if (other == r || other->stage == RESERVED || !overlap(m, &other->range, &r->range))
			continue;
		if (patience == TRY && (m->fault != MODEL_TRYUPGRADE_JUMPS || other->stage == HELD))
			return EBUSY;
		if (other->stage == UPGRADING && m->fault != MODEL_UPGRADES_BOTH)
			return EDEADLK;
	}
	r->stage = UPGRADING;
	r->rank = UPGRADE;
	r->caller = who;
	return wait_for_all(m, who);
}

int model_reduce(struct model *m, int who, uint64_t start, uint64_t end)
{
	int error;
	struct model_request *r = holder(m, who, &error);

	if (start >= end)
		return EINVAL;
	if (!r)
		return error;
	if (start < r->range.start || end > r->range.end)
		return EINVAL;
	r->range.start = start;
	r->range.end = end;
	if (m->fault != MODEL_REDUCE_SILENT)
		settle(m);
	return 0;
}

int model_split(struct model *m, int who, uint64_t at, int tail)
{
	int error;
	struct model_request *r = holder(m, who, &error);

	if (who == tail)
		return EINVAL;
	if (!r)
		return error;
	if (at <= r->range.start || at >= r->range.end || model_find(m, tail) >= 0)
		return EINVAL;

	struct model_request *t = &m->queue[m->n++];
	*t = *r;
	t->who = tail;
	t->range.start = at;
	if (m->fault == MODEL_SPLIT_READS)
		t->range.mode = RANGELOCK_READ;
	r->range.end = at;
	m->revoked[tail].end = 0;
	return 0;
}

int model_tryextend(struct model *m, int who, uint64_t start, uint64_t end)
{
	int error;
	struct model_request *r = holder(m, who, &error);

	if (start >= end)
		return EINVAL;
	if (!r)
		return error;
	if (start > r->range.start || end < r->range.end)
		return EINVAL;

	const struct model_request below = { .range = { start, r->range.start, r->range.mode } };
	const struct model_request above = { .range = { r->range.end, end, r->range.mode } };
	for (int i = 0; i < m->n; i++) {
		const struct model_request *other = &m->queue[i];

		if (m->fault == MODEL_EXTEND_JUMPS && other->stage != HELD)
			continue;
		if (other != r && ((!is_bad(&below.range) && conflict(m, &below, other)) ||
				   (!is_bad(&above.range) && conflict(m, &above, other))))
			return EBUSY;
	}
	r->range.start = start;
	r->range.end = end;
	if (r->range.mode == RANGELOCK_WRITE)
		revoke(m, r->range);
	settle(m);
	return 0;
}

/* ---- Other ways to lock ---- */

int model_rdlock_nested(struct model *m, int who, uint64_t start, uint64_t end, int outer)
{
	const struct rangelock_range range = { start, end, RANGELOCK_READ };
	int o = model_find(m, outer);

	m->answered = 0;
	if (m->destroyed || is_bad(&range) || who == outer || model_find(m, who) >= 0)
		return EINVAL;
	if (o < 0 || (m->queue[o].stage != HELD && m->queue[o].stage != UPGRADING))
		return EPERM;
	return arrive(m, who, &range, 1, m->fault == MODEL_NESTED_QUEUES ? ORDINARY : NESTED, false,
		      FOREVER);
}

int model_lockv(struct model *m, int who, const struct rangelock_range *ranges, int n,
		enum model_patience patience)
{
	m->answered = 0;
	if (m->destroyed || n == 0)
		return EINVAL;
	for (int i = 0; i < n; i++) {
		if (is_bad(&ranges[i]) || model_find(m, who + i) >= 0)
			return EINVAL;
		for (int k = 0; k < i; k++)
			if (ranges[i].start < ranges[k].end && ranges[k].start < ranges[i].end &&
			    (ranges[i].mode == RANGELOCK_WRITE ||
			     ranges[k].mode == RANGELOCK_WRITE))
				return EINVAL;
	}
	return arrive(m, who, ranges, n, ORDINARY, true, patience);
}

int model_unlockv(struct model *m, int who, int n)
{
	m->answered = 0;
	if (m->destroyed || n == 0)
		return EINVAL;
	for (int i = 0; i < n; i++)
		if (!is_held(m, who + i) && (i == 0 || m->fault != MODEL_UNLOCKV_PARTLY))
			return EPERM;
	for (int i = 0; i < n; i++)
		if (is_held(m, who + i))
			take_out(m, model_find(m, who + i));
	settle(m);
	return 0;
}

/* If it waits, what it is granted is not yet what it takes. */
static int choose(struct model *m, int who, const struct rangelock_range *range,
		  enum model_patience patience)
{
	int result = arrive(m, who, range, 1, ORDINARY, false, patience);

	if (result == MODEL_WAITS)
		m->queue[model_find(m, who)].choosing = true;
	return result;
}

int model_lock_chosen(struct model *m, int who, const struct rangelock_range *range,
		      enum model_patience patience)
{
	m->answered = 0;
	if (is_bad(range))
		return EINVAL;
	return choose(m, who, range, patience);
}

int model_choose_again(struct model *m, int who, int error, const struct rangelock_range *range,
		       enum model_patience patience)
{
	int i = model_find(m, who);
	const struct rangelock_range had = m->queue[i].range;

	m->answered = 0;
	if (m->fault == MODEL_CHOOSES_ONCE || (!error && range->start == had.start &&
					       range->end == had.end && range->mode == had.mode)) {
		m->queue[i].choosing = false;
		if (had.mode == RANGELOCK_WRITE)
			revoke(m, had);
		settle(m);
		return 0;
	}
	take_out(m, i);
	settle(m);
	if (error)
		return error;
	return is_bad(range) ? EINVAL : choose(m, who, range, patience);
}

/* ---- Reservations ---- */

static bool can_reserve(const struct model *m, const struct rangelock_range *range)
{
	for (int i = 0; i < m->n; i++)
		if (writes(&m->queue[i]) && overlap(m, &m->queue[i].range, range))
			return false;
	return true;
}

static void do_reserve(struct model *m, int who, const struct rangelock_range *range)
{
	m->queue[m->n++] = (struct model_request){
		.who = who, .caller = MODEL_NOBODY, .range = *range, .stage = RESERVED
	};
	m->revoked[who].end = 0;
}

int model_reserve(struct model *m, int who, uint64_t start, uint64_t end)
{
	const struct rangelock_range range = { start, end, RANGELOCK_WRITE };

	m->answered = 0;
	if (m->destroyed || is_bad(&range) || model_find(m, who) >= 0)
		return EINVAL;
	if (!can_reserve(m, &range))
		return EBUSY;
	do_reserve(m, who, &range);
	return 0;
}

/* Reserve the first multiple of align from `from` on, if it can be and lies below most. */
static bool try_gap(struct model *m, uint64_t from, uint64_t align, uint64_t size, uint64_t *most)
{
	uint64_t over = from % align;

	if (over && m->fault != MODEL_GAP_UNALIGNED) {
		if (align - over > UINT64_MAX - from)
			return false;
		from += align - over;
	}
	if (from > *most ||
	    !can_reserve(m, &(struct rangelock_range){ from, from + size, RANGELOCK_WRITE }))
		return false;
	*most = from;
	return true;
}

int model_reserve_gap(struct model *m, int who, uint64_t size, uint64_t align, uint64_t lo,
		      uint64_t hi, uint64_t *ret_start)
{
	m->answered = 0;
	if (m->destroyed || size == 0 || align == 0 || lo >= hi || model_find(m, who) >= 0)
		return EINVAL;
	if (hi - lo < size)
		return ENOSPC;

	/* The lowest gap begins at lo, or where something else ends. */
	uint64_t start = hi - size;
	bool found = try_gap(m, lo, align, size, &start);
	for (int i = 0; i < m->n; i++)
		if (m->queue[i].range.end >= lo)
			found |= try_gap(m, m->queue[i].range.end, align, size, &start);
	if (!found)
		return ENOSPC;
	do_reserve(m, who, &(struct rangelock_range){ start, start + size, RANGELOCK_WRITE });
	*ret_start = start;
	return 0;
}

/* Why who cannot be committed nor unreserved.  What was revoked is over now. */
static int not_reserved(struct model *m, int who)
{
	bool revoked = m->revoked[who].end != 0;

	m->revoked[who].end = 0;
	return revoked ? ECANCELED : EPERM;
}

int model_commit(struct model *m, int who, enum model_patience patience)
{
	int i = model_find(m, who);

	m->answered = 0;
	if (m->destroyed)
		return EINVAL;
	if (i < 0 && m->revoked[who].end != 0 && m->fault == MODEL_COMMIT_OVERRIDES)
		return arrive(m, who, &m->revoked[who], 1, ORDINARY, false, patience);
	if (i < 0 || m->queue[i].stage != RESERVED)
		return not_reserved(m, who);

	struct model_request *r = &m->queue[i];
	r->stage = COMMITTING;
	r->rank = ORDINARY;
	r->caller = who;
	r->arrival = m->arrivals++;
	bool wait = must_wait(m, i);
	if (patience == UNSOUND && wait) {
		r->stage = RESERVED;
		r->caller = MODEL_NOBODY;
		return EINVAL;
	}
	if (m->barging && !wait)
		r->stage = HELD;
	return wait_for_all(m, who);
}

int model_unreserve(struct model *m, int who)
{
	int i = model_find(m, who);

	m->answered = 0;
	if (m->destroyed)
		return EINVAL;
	if (i < 0 || m->queue[i].stage != RESERVED)
		return not_reserved(m, who);
	take_out(m, i);
	return 0;
}

bool model_is_reserved(const struct model *m, int who)
{
	int i = model_find(m, who);

	return i >= 0 && (m->queue[i].stage == RESERVED || m->queue[i].stage == COMMITTING);
}

/* ---- Look ---- */

/* Is this one unit held, in at least this mode? */
static bool unit_is_locked(const struct model *m, uint64_t unit, enum rangelock_mode mode)
{
	for (int i = 0; i < m->n; i++) {
		const struct model_request *r = &m->queue[i];

		if ((r->stage == HELD || r->stage == UPGRADING) && r->range.start <= unit &&
		    unit < r->range.end && r->range.mode >= mode)
			return true;
	}
	return false;
}

bool model_is_locked(const struct model *m, const struct rangelock_range *range)
{
	if (m->destroyed || is_bad(range) || !unit_is_locked(m, range->start, range->mode))
		return false;
	if (m->fault == MODEL_COVER_IS_BOX)
		return unit_is_locked(m, range->end - 1, range->mode);

	/* The first unit that is not held would be the first of the range, or
	 * the first behind something held. */
	for (int i = 0; i < m->n; i++) {
		uint64_t end = m->queue[i].range.end;

		if (range->start < end && end < range->end && !unit_is_locked(m, end, range->mode))
			return false;
	}
	return true;
}
