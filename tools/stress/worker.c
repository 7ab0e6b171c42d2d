/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the threads do: random calls on random ranges.
 *
 * A thread that holds nothing may wait without limit; one that holds something
 * only tries, or waits a short time, so that no deadlock is the stress's own; on a
 * checked lock it does not even do that, since a wait that ends by itself is reported, too.
 */
#include <errno.h>
#include <sched.h>

#include "common/clock.h"
#include "stress/stress.h"

struct rangelock_req *req_of(const struct ticket *t)
{
	return &t->worker->reqs[t - t->worker->tickets];
}

struct span random_span(struct rng *rng)
{
	uint64_t kind = rng_below(rng, 16);
	unsigned start, length;

	if (kind == 0) { /* all */
		start = 0;
		length = UNITS;
	} else if (kind < 3) { /* wide */
		start = (unsigned)rng_below(rng, UNITS);
		length = 1 + (unsigned)rng_below(rng, UNITS - start);
	} else { /* short; half of them in a hot corner */
		start = (unsigned)rng_below(rng, kind < 9 ? 8 : UNITS);
		length = 1 + (unsigned)rng_below(rng, 4);
	}
	if (start + length > UNITS)
		length = UNITS - start;
	return (struct span){ start, start + length,
			      rng_below(rng, 2) ? RANGELOCK_WRITE : RANGELOCK_READ };
}

uint64_t end_of(struct rng *rng, const struct span *span)
{
	return span->end == UNITS && rng_below(rng, 2) ? RANGELOCK_MAX : span->end;
}

struct timespec deadline_of(struct rng *rng, struct life *life)
{
	life->deadline = life->called + (int64_t)rng_below(rng, 200000);
	return (struct timespec){ .tv_sec = (time_t)(life->deadline / NS_PER_S),
				  .tv_nsec = life->deadline % NS_PER_S };
}

struct life *begin_life(struct ticket *t, enum call call, const struct span *span)
{
	struct worker *w = t->worker;
	unsigned slot = (unsigned)(t - w->tickets);
	struct life *life =
	    log_life(log_of(&w->run->history, w->index, slot), w->index, slot, call, span);

	life->called = stamp();
	return life;
}

void end_life(struct life *life, int error)
{
	life->returned = life->gone = stamp();
	life->result = (uint8_t)error;
}

void wrong_answer(const struct ticket *t, enum call call, const struct span *span, int error)
{
	violation(&t->worker->run->oracle, "thread %u: %s [%u, %u) answered errno %d",
		  t->worker->index, call_names[call], span->start, span->end, error);
}

void hold_ticket(struct ticket *t, struct life *life)
{
	struct oracle *o = &t->worker->run->oracle;

	t->life = life;
	oracle_hold(o, &t->span, t->worker->index);
	oracle_use(o, &t->span, t->worker->index);
}

/* A call, between its stamps. */
static struct life *call_lock(struct ticket *t, enum call call)
{
	struct rng *rng = &t->worker->rng;
	const struct subject *s = t->worker->run->subject;
	struct rangelock *lock = &t->worker->run->lock;
	struct rangelock_req *req = req_of(t);
	uint64_t start = t->span.start, end = t->end = end_of(rng, &t->span);
	struct life *life = begin_life(t, call, &t->span);
	struct timespec abstime = deadline_of(rng, life);
	int error;

	switch (call) {
	case CALL_RDLOCK:
		error = s->rdlock(lock, req, start, end);
		break;
	case CALL_WRLOCK:
		error = s->wrlock(lock, req, start, end);
		break;
	case CALL_TRYRDLOCK:
		error = s->tryrdlock(lock, req, start, end);
		break;
	case CALL_TRYWRLOCK:
		error = s->trywrlock(lock, req, start, end);
		break;
	case CALL_TIMEDRDLOCK:
		error = s->timedrdlock(lock, req, start, end, &abstime);
		break;
	default:
		error = s->timedwrlock(lock, req, start, end, &abstime);
	}
	end_life(life, error);
	return life;
}

/* May this call answer so?  Whether it had to, the history tells. */
static bool is_answer(enum call call, int error)
{
	bool tries = call == CALL_TRYRDLOCK || call == CALL_TRYWRLOCK;
	bool timed = call == CALL_TIMEDRDLOCK || call == CALL_TIMEDWRLOCK;

	return error == 0 || (error == EBUSY && tries) || (error == ETIMEDOUT && timed) ||
	       (error == ECANCELED && !tries);
}

static void lock_ticket(struct ticket *t, bool may_wait)
{
	struct worker *w = t->worker;

	t->span = random_span(&w->rng);
	unsigned kind = (unsigned)rng_below(&w->rng, may_wait ? 3 : w->run->checked ? 1 : 2);
	enum call call = kind == 0 ? CALL_TRYRDLOCK : kind == 1 ? CALL_TIMEDRDLOCK : CALL_RDLOCK;
	call += t->span.mode; /* the write form follows the read form */

	struct life *life = call_lock(t, call);
	w->calls[call]++;
	if (!is_answer(call, life->result))
		wrong_answer(t, call, &t->span, life->result);
	if (life->result)
		return;
	hold_ticket(t, life);
	atomic_store(&t->place, PLACE_HELD);
}

void unlock_ticket(struct ticket *t, unsigned who)
{
	struct run *run = t->worker->run;

	oracle_use(&run->oracle, &t->span, who);
	oracle_drop(&run->oracle, &t->span, who);
	t->life->unlocked_by = (uint16_t)who;
	t->life->dropped = stamp();
	int error = run->subject->unlock(&run->lock, req_of(t));
	t->life->gone = stamp();
	if (error)
		violation(&run->oracle, "thread %u: unlock of [%u, %u) answered errno %d", who,
			  t->span.start, t->span.end, error);
}

void give_back(struct ticket *t)
{
	unlock_ticket(t, t->worker->index);
	t->worker->calls[CALL_UNLOCK]++;
	atomic_store(&t->place, PLACE_IDLE);
}

struct sight {
	const struct ticket *ticket;
	bool seen;
};

static int look_for_own(const struct rangelock_info *info, void *arg)
{
	struct sight *sight = arg;
	const struct span *span = &sight->ticket->span;

	sight->seen = info->req == req_of(sight->ticket) && info->state == RANGELOCK_HELD &&
		      info->start == span->start && info->mode == span->mode &&
		      info->end == sight->ticket->end;
	return sight->seen ? -1 : 0;
}

/* What is held must be said to be held, and be shown. */
static void ask(struct worker *w, const struct ticket *t)
{
	const struct subject *s = w->run->subject;
	const struct span *span = &t->span;
	struct sight sight = { t, false };

	w->calls[CALL_IS_LOCKED]++;
	if (!s->is_locked(&w->run->lock, span->start, span->end, span->mode))
		violation(&w->run->oracle, "is_locked: thread %u holds [%u, %u), and it is denied",
			  w->index, span->start, span->end);
	w->calls[CALL_WALK]++;
	if (s->walk(&w->run->lock, look_for_own, &sight) != -1 || !sight.seen)
		violation(&w->run->oracle, "walk: thread %u holds [%u, %u), and it is not shown",
			  w->index, span->start, span->end);
}

/* Which request is next?  Mostly one of the plain ones, if others there are. */
static struct ticket *choose_ticket(struct worker *w)
{
	static const unsigned caps[] = { [SUBMIT_SLOT] = RANGELOCK_CAP_SUBMIT,
					 [RESERVE_SLOT] = RANGELOCK_CAP_RESERVE,
					 [VECTOR_SLOT] = RANGELOCK_CAP_VECTOR,
					 [VECTOR_SLOT + 1] = RANGELOCK_CAP_VECTOR };
	uint64_t slot = rng_below(&w->rng, 4 * PLAIN + PER_THREAD - PLAIN);

	slot = slot < PER_THREAD ? slot : slot % PLAIN;
	if (slot >= PLAIN && !(w->run->caps & caps[slot]))
		slot = 0;
	return &w->tickets[slot];
}

static void go_on_with_held(struct ticket *t, bool alone)
{
	struct worker *w = t->worker;

	/* To be caught, whoever breaks in needs time to do it. */
	if (rng_one_in(&w->rng, 4))
		sched_yield();
	if (rng_one_in(&w->rng, 8))
		ask(w, t);
	if (rng_one_in(&w->rng, 4))
		change_ticket(t, alone);
	else if (rng_one_in(&w->rng, 16) && !w->run->checked)
		atomic_store(&t->place, PLACE_HANDED_ON);
	else if (t >= &w->tickets[VECTOR_SLOT] && rng_one_in(&w->rng, 2))
		unlock_vector(w);
	else
		give_back(t);
}

static void lock_somehow(struct ticket *t, bool holds, bool writes)
{
	struct worker *w = t->worker;
	int slot = (int)(t - w->tickets);

	if (slot == SUBMIT_SLOT)
		submit_ticket(t);
	else if (slot == RESERVE_SLOT)
		reserve_ticket(t);
	else if (slot >= VECTOR_SLOT)
		lock_vector(w, holds);
	else if (rng_one_in(&w->rng, 8))
		lock_otherwise(t, holds, writes);
	else
		lock_ticket(t, !holds);
}

/* The log of submitted requests may be looked at only by whom such a request belongs to. */
static bool logs_have_room(struct ticket *t, bool in_hand)
{
	struct history *h = &t->worker->run->history;
	unsigned who = t->worker->index;

	if (!log_is_full(&h->logs[who]) &&
	    !(in_hand && log_is_full(log_of(h, who, (unsigned)(t - t->worker->tickets)))))
		return true;
	atomic_store(&t->worker->run->pause, true);
	return false;
}

static void step_ticket(struct ticket *t)
{
	struct worker *w = t->worker;
	bool writes = false;
	int others = 0, place;

	for (struct ticket *u = w->tickets; u < w->tickets + PER_THREAD; u++) {
		place = atomic_load(&u->place);
		others += u != t && place != PLACE_IDLE && place != PLACE_RESERVED;
		/* What is out of hand may be a write. */
		writes |= u != t && place != PLACE_IDLE && place != PLACE_RESERVED &&
			  (place != PLACE_HELD || u->span.mode == RANGELOCK_WRITE);
	}
	place = atomic_load(&t->place);
	if (!logs_have_room(t, place == PLACE_IDLE || place == PLACE_HELD))
		return;
	switch (place) {
	case PLACE_RETURNED:
		atomic_store(&t->place, PLACE_IDLE);
		break;
	case PLACE_IDLE:
		lock_somehow(t, others, writes);
		break;
	case PLACE_HELD:
		go_on_with_held(t, !others);
		break;
	case PLACE_RESERVED:
		go_on_with_reservation(t, others);
		break;
	default: /* the helper has it, or the lock */
		sched_yield();
	}
}

static void step(struct worker *w)
{
	step_ticket(choose_ticket(w));
	atomic_fetch_add_explicit(&w->steps, 1, memory_order_relaxed);
}

/* Give back all that is held, so that the round can end: what is out of hand may wait for it. */
static void come_to_rest(struct worker *w)
{
	bool busy;

	do {
		busy = false;
		for (struct ticket *t = w->tickets; t < w->tickets + PER_THREAD; t++) {
			int place = atomic_load(&t->place);

			if (place == PLACE_HELD)
				give_back(t);
			else if (place == PLACE_RESERVED)
				unreserve_ticket(t);
			else if (place == PLACE_RETURNED)
				atomic_store(&t->place, PLACE_IDLE);
			else
				busy |= place != PLACE_IDLE;
		}
		if (busy)
			sched_yield();
	} while (busy);
}

void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct run *run = w->run;

	do {
		while (!atomic_load_explicit(&run->pause, memory_order_relaxed))
			step(w);
		come_to_rest(w);
		atomic_store(&w->resting, true);
		pthread_barrier_wait(&run->round); /* until the lock is made anew */
	} while (!atomic_load(&run->stop));
	return NULL;
}

/* ---- The helper ---- */

/* What nobody holds must be said to be free. */
static void ask_for_free(struct run *run, struct rng *rng)
{
	struct log *log = &run->history.logs[run->n_workers];
	unsigned unit = (unsigned)rng_below(rng, UNITS);
	struct span span = { unit, unit + 1, RANGELOCK_WRITE };

	if (log_is_full(log)) {
		atomic_store(&run->pause, true);
		return;
	}
	struct life *life = log_life(log, run->n_workers, 0, CALL_IS_LOCKED, &span);

	life->called = stamp();
	bool locked = run->subject->is_locked(&run->lock, unit, unit + 1, RANGELOCK_READ);
	life->returned = life->gone = stamp();
	life->result = EBUSY;
	run->calls[CALL_IS_LOCKED]++;
	if (!locked)
		log->n--; /* nothing to judge */
}

/* Note an event, whose time the caller knows. */
static void note(struct run *run, struct events *events, struct event event)
{
	if (events_are_full(events))
		atomic_store(&run->pause, true);
	else
		events->all[events->n++] = event;
}

static void cancel(struct run *run, struct worker *w, unsigned slot)
{
	struct event event = { .who = (uint16_t)w->index,
			       .slot = (uint16_t)(slot < VECTOR_SLOT ? slot : VECTOR_SLOT) };

	if (events_are_full(&run->history.cancels)) { /* one that counts must be noted */
		atomic_store(&run->pause, true);
		return;
	}

	event.began = stamp();
	int error = run->subject->cancel(&run->lock, &w->reqs[slot]);
	event.ended = stamp();
	run->calls[CALL_CANCEL]++;
	if (error == 0) {
		run->cancels++;
		note(run, &run->history.cancels, event);
	} else if (error != EBUSY) {
		violation(&run->oracle, "cancel answered errno %d", error);
	}
}

/* Look at the whole lock; note whom it shows in a lock call. */
static void look(struct run *run)
{
	static struct picture p; /* one thread looks */
	struct event event = { .picture = (uint32_t)run->calls[CALL_WALK] };

	event.began = stamp();
	take_picture(&run->oracle, run->subject, &run->lock, &p);
	event.ended = stamp();
	run->calls[CALL_WALK]++;
	judge_picture(&run->oracle, run->subject, &p);

	for (unsigned i = 0; i < p.n; i++) {
		size_t offset = (size_t)((const char *)p.all[i].req - (const char *)run->workers);
		size_t who = offset / sizeof(struct worker);
		size_t slot = (offset % sizeof(struct worker) - offsetof(struct worker, reqs)) /
			      sizeof(struct rangelock_req);

		if (who >= run->n_workers || slot >= PER_THREAD) {
			violation(&run->oracle, "walk: shows a request that nobody has made");
			return;
		}
		event.who = (uint16_t)who;
		event.slot = (uint16_t)slot;
		event.arrival = p.all[i].arrival;
		event.waits = p.all[i].state == RANGELOCK_WAITING;
		/* Surely held is no news; the rest is for the judge to sort out. */
		int place = atomic_load_explicit(&run->workers[who].tickets[slot].place,
						 memory_order_relaxed);
		if (p.all[i].state == RANGELOCK_WAITING ||
		    (p.all[i].state == RANGELOCK_HELD &&
		     (place == PLACE_IDLE || place == PLACE_SUBMITTED)))
			note(run, &run->history.sightings, event);
	}
}

void helper_step(struct run *run, struct rng *rng)
{
	unsigned helper = run->n_workers;
	struct worker *w = &run->workers[rng_below(rng, run->n_workers)];

	for (int i = 0; i < PER_THREAD; i++) {
		struct ticket *t = &w->tickets[i];

		if (atomic_load(&t->place) == PLACE_HANDED_ON) {
			unlock_ticket(t, helper);
			run->calls[CALL_UNLOCK]++;
			atomic_store(&t->place, PLACE_RETURNED);
		} else if (rng_one_in(rng, 16)) {
			cancel(run, w, (unsigned)i);
		}
	}
	atomic_fetch_add_explicit(&run->helper_steps, 1, memory_order_relaxed);
	if (rng_one_in(rng, 8))
		ask_for_free(run, rng);
	if (rng_one_in(rng, 64))
		look(run);
}
