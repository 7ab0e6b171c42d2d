/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/model.h"

#include <errno.h>

const char *const model_fault_names[MODEL_FAULTS] = {
	[MODEL_SOUND] = "none",
	[MODEL_ADJACENT_CONFLICT] = "adjacent-conflict",
	[MODEL_READERS_OVERTAKE] = "readers-overtake",
	[MODEL_STAYS_QUEUED] = "stays-queued",
	[MODEL_TRY_JUMPS] = "try-jumps",
	[MODEL_COVER_IS_BOX] = "cover-is-box",
	[MODEL_REFUSES_EARLY] = "refuses-early",
};

/* ---- What is asked of the queue ---- */

/* Does the later one wait for the earlier one? */
static bool conflict(const struct model *m, const struct model_request *earlier,
		     const struct model_request *later)
{
	const struct rangelock_range *a = &earlier->range, *b = &later->range;
	bool overlap = a->start < b->end && b->start < a->end;

	if (m->fault == MODEL_ADJACENT_CONFLICT)
		overlap = a->start <= b->end && b->start <= a->end;
	if (m->fault == MODEL_READERS_OVERTAKE && b->mode == RANGELOCK_READ && earlier->call_waits)
		return false;
	return overlap && (a->mode == RANGELOCK_WRITE || b->mode == RANGELOCK_WRITE);
}

int model_blockers(const struct model *m, int i)
{
	int n = 0;

	for (int earlier = 0; earlier < i; earlier++)
		n += conflict(m, &m->queue[earlier], &m->queue[i]);
	return n;
}

static bool is_held(const struct model *m, int i)
{
	return model_blockers(m, i) == 0;
}

int model_find(const struct model *m, int who)
{
	for (int i = 0; i < m->n; i++)
		if (m->queue[i].who == who)
			return i;
	return -1;
}

/* ---- What changes it ---- */

static void answer(struct model *m, int who, int result)
{
	m->answers[m->answered].who = who;
	m->answers[m->answered].result = result;
	m->answered++;
}

/* The i-th is gone; calls that wait for what is held now return. */
static void leave(struct model *m, int i)
{
	m->n--;
	for (int k = i; k < m->n; k++)
		m->queue[k] = m->queue[k + 1];

	for (int k = 0; k < m->n; k++) {
		if (m->queue[k].call_waits && is_held(m, k)) {
			m->queue[k].call_waits = false;
			answer(m, m->queue[k].who, 0);
		}
	}
}

/* ---- The calls ---- */

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
	if (m->destroyed || range->start >= range->end || model_find(m, who) >= 0)
		return EINVAL;

	/* As the last in the queue, but not counted yet. */
	struct model_request *new = &m->queue[m->n];
	*new = (struct model_request){ .who = who, .range = *range };
	bool wait = !is_held(m, m->n);

	if (m->fault == MODEL_TRY_JUMPS && patience == TRY) {
		wait = false;
		for (int i = 0; i < m->n; i++)
			wait = wait || (is_held(m, i) && conflict(m, &m->queue[i], new));
	}
	if (patience == UNSOUND && (wait || m->fault == MODEL_REFUSES_EARLY))
		return EINVAL;
	if (wait && patience == TRY)
		return EBUSY;
	if (wait && patience == PAST)
		return ETIMEDOUT;
	new->call_waits = wait;
	m->n++;
	return wait ? MODEL_WAITS : 0;
}

int model_unlock(struct model *m, int who)
{
	int i = model_find(m, who);

	m->answered = 0;
	if (m->destroyed)
		return EINVAL;
	if (i < 0 || !is_held(m, i))
		return EPERM;
	leave(m, i);
	return 0;
}

int model_cancel(struct model *m, int who)
{
	int i = model_find(m, who);

	m->answered = 0;
	if (m->destroyed)
		return EINVAL;
	if (i < 0 || is_held(m, i))
		return EBUSY;
	answer(m, who, ECANCELED);
	leave(m, i);
	return 0;
}

void model_deadline(struct model *m, int who)
{
	m->answered = 0;
	answer(m, who, ETIMEDOUT);
	if (m->fault != MODEL_STAYS_QUEUED)
		leave(m, model_find(m, who));
}

/* Is this one unit held, in at least this mode? */
static bool unit_is_locked(const struct model *m, uint64_t unit, enum rangelock_mode mode)
{
	for (int i = 0; i < m->n; i++) {
		const struct rangelock_range *r = &m->queue[i].range;

		if (is_held(m, i) && r->start <= unit && unit < r->end && r->mode >= mode)
			return true;
	}
	return false;
}

bool model_is_locked(const struct model *m, const struct rangelock_range *range)
{
	if (m->destroyed || range->start >= range->end ||
	    !unit_is_locked(m, range->start, range->mode))
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
