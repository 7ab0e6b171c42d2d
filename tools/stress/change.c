/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of what a ticket holds. */
#include <errno.h>

#include "stress/stress.h"

/* What the ticket has held it holds until `dropped`, and from `life` on what that tells. */
static void go_over(struct ticket *t, struct life *life, int64_t dropped)
{
	t->life->dropped = dropped;
	t->life->gone = life->returned;
	t->life = life;
	t->span = (struct span){ life->start, life->end, (enum rangelock_mode)life->mode };
}

static void downgrade(struct ticket *t)
{
	struct run *run = t->worker->run;
	struct span read = { t->span.start, t->span.end, RANGELOCK_READ };

	/* Others may read before the call returns. */
	oracle_use(&run->oracle, &t->span, t->worker->index);
	oracle_drop(&run->oracle, &t->span, t->worker->index);
	oracle_hold(&run->oracle, &read, t->worker->index);
	struct life *life = begin_life(t, CALL_DOWNGRADE, &read);
	life->ahead = true;
	int error = rangelock_downgrade(&run->lock, req_of(t));
	end_life(life, error);
	t->worker->calls[CALL_DOWNGRADE]++;
	if (error)
		wrong_answer(t, CALL_DOWNGRADE, &read, error);
	go_over(t, life, life->called);
}

static void upgrade(struct ticket *t, enum call call)
{
	struct run *run = t->worker->run;
	unsigned who = t->worker->index;
	struct span write = { t->span.start, t->span.end, RANGELOCK_WRITE };
	uint64_t sum = oracle_sum(&run->oracle, &t->span);
	struct life *life = begin_life(t, call, &write);
	int error;

	life->ahead = call == CALL_UPGRADE;
	if (call == CALL_UPGRADE)
		error = rangelock_upgrade(&run->lock, req_of(t));
	else
		error = rangelock_tryupgrade(&run->lock, req_of(t));
	end_life(life, error);
	t->worker->calls[call]++;
	if (error && !(error == EBUSY && call == CALL_TRYUPGRADE) &&
	    !((error == EDEADLK || error == ECANCELED) && call == CALL_UPGRADE))
		wrong_answer(t, call, &write, error);
	if (sum != oracle_sum(&run->oracle, &t->span))
		violation(&run->oracle, "upgrade: a writer came between, to [%u, %u) of thread %u",
			  write.start, write.end, who);
	if (error == EDEADLK) /* the other one waits for us */
		give_back(t);
	if (error)
		return;
	oracle_drop(&run->oracle, &t->span, who);
	go_over(t, life, life->returned);
	oracle_hold(&run->oracle, &t->span, who);
	oracle_use(&run->oracle, &t->span, who);
}

static void reduce(struct ticket *t)
{
	struct run *run = t->worker->run;
	struct rng *rng = &t->worker->rng;
	unsigned who = t->worker->index, length = t->span.end - t->span.start;
	struct span kept = t->span, below, above;

	kept.start += (unsigned)rng_below(rng, length);
	kept.end -= (unsigned)rng_below(rng, kept.end - kept.start);
	below = (struct span){ t->span.start, kept.start, t->span.mode };
	above = (struct span){ kept.end, t->span.end, t->span.mode };
	t->end = kept.end == t->span.end ? t->end : kept.end;

	oracle_use(&run->oracle, &t->span, who);
	oracle_drop(&run->oracle, &below, who);
	oracle_drop(&run->oracle, &above, who);
	struct life *life = begin_life(t, CALL_REDUCE, &kept);
	life->ahead = true;
	int error = rangelock_reduce(&run->lock, req_of(t), kept.start, t->end);
	end_life(life, error);
	t->worker->calls[CALL_REDUCE]++;
	if (error)
		wrong_answer(t, CALL_REDUCE, &kept, error);
	go_over(t, life, life->called);
}

/* The tail goes to an idle ticket, if there is one. */
static void split(struct ticket *t)
{
	struct worker *w = t->worker;
	struct ticket *tail = w->tickets;
	struct span head_span = t->span, tail_span = t->span;

	while (tail < w->tickets + PLAIN && atomic_load(&tail->place) != PLACE_IDLE)
		tail++;
	if (tail == w->tickets + PLAIN || t->span.end - t->span.start < 2)
		return;
	head_span.end = tail_span.start =
	    t->span.start + 1 + (unsigned)rng_below(&w->rng, t->span.end - t->span.start - 1);

	struct life *head_life = begin_life(t, CALL_SPLIT, &head_span);
	struct life *tail_life = begin_life(tail, CALL_SPLIT, &tail_span);
	head_life->ahead = tail_life->ahead = true;
	int error = rangelock_split(&w->run->lock, req_of(t), tail_span.start, req_of(tail));
	end_life(head_life, error);
	end_life(tail_life, error);
	w->calls[CALL_SPLIT]++;
	if (error)
		wrong_answer(t, CALL_SPLIT, &t->span, error);
	go_over(t, head_life, head_life->returned);
	tail->span = tail_span;
	tail->life = tail_life;
	tail->end = t->end;
	t->end = head_span.end;
	atomic_store(&tail->place, PLACE_HELD);
}

/*
 * In one direction.  What is new is judged as a try is: it has a life of its own,
 * which ends at once.
 */
static void try_extend(struct ticket *t)
{
	struct worker *w = t->worker;
	unsigned by = 1 + (unsigned)rng_below(&w->rng, 4);
	struct span whole = t->span, more = t->span;
	uint64_t end = t->end;

	if (rng_one_in(&w->rng, 2)) {
		whole.start -= by < whole.start ? by : whole.start;
		more.end = t->span.start;
		more.start = whole.start;
	} else {
		whole.end += by < UNITS - whole.end ? by : UNITS - whole.end;
		more.start = t->span.end;
		more.end = whole.end;
		end = whole.end == t->span.end ? end : end_of(&w->rng, &whole);
	}
	if (more.start == more.end)
		return;

	struct life *life = begin_life(t, CALL_TRYEXTEND, &more);
	int error = rangelock_tryextend(&w->run->lock, req_of(t), whole.start, end);
	end_life(life, error);
	w->calls[CALL_TRYEXTEND]++;
	if (error && error != EBUSY)
		wrong_answer(t, CALL_TRYEXTEND, &whole, error);
	if (error)
		return;
	life->dropped = life->gone;
	struct life *grown = begin_life(t, CALL_TRYEXTEND, &whole);
	grown->ahead = true;
	grown->called = life->called;
	grown->returned = life->returned;
	go_over(t, grown, grown->returned);
	t->end = end;
	oracle_hold(&w->run->oracle, &more, w->index);
	oracle_use(&w->run->oracle, &more, w->index);
}

void change_ticket(struct ticket *t, bool alone)
{
	struct worker *w = t->worker;
	bool writes = t->span.mode == RANGELOCK_WRITE;
	bool converts = w->run->caps & RANGELOCK_CAP_CONVERT;
	bool resizes = w->run->caps & RANGELOCK_CAP_RESIZE;

	if (converts && (!resizes || rng_one_in(&w->rng, 2))) {
		if (writes)
			downgrade(t);
		else if (alone && t <= &w->tickets[VECTOR_SLOT] && rng_one_in(&w->rng, 2))
			upgrade(t, CALL_UPGRADE);
		else
			upgrade(t, CALL_TRYUPGRADE);
	} else if (resizes) {
		uint64_t kind = rng_below(&w->rng, 3);

		if (kind == 0)
			reduce(t);
		else if (kind == 1)
			split(t);
		else
			try_extend(t);
	}
}
