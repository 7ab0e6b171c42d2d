/* SPDX-License-Identifier: BSD-2-Clause */
/* The other ways to lock. */
#include <errno.h>
#include <inttypes.h>

#include "stress/stress.h"

static void settle(struct ticket *t, struct life *life, int error)
{
	end_life(life, error);
	t->worker->calls[life->call]++;
	if (error && error != ETIMEDOUT && error != ECANCELED)
		wrong_answer(t, (enum call)life->call, &t->span, error);
	if (error)
		return;
	hold_ticket(t, life);
	atomic_store(&t->place, PLACE_HELD);
}

/* ---- Nested reads ---- */

static void lock_nested(struct ticket *t, const struct ticket *outer)
{
	struct worker *w = t->worker;

	t->span = random_span(&w->rng);
	t->span.mode = RANGELOCK_READ;
	t->end = end_of(&w->rng, &t->span);
	struct life *life = begin_life(t, CALL_RDLOCK_NESTED, &t->span);
	life->ahead = true;
	settle(t, life,
	       rangelock_rdlock_nested(&w->run->lock, req_of(t), t->span.start, t->end,
				       req_of(outer)));
}

/* ---- Inside the short mutex: where a map says ---- */

static void enter(struct worker *w)
{
	rangelock_enter(&w->run->lock);
	w->calls[CALL_ENTER]++;
	if (w->run->map.start != w->run->map.copy)
		violation(&w->run->oracle, "enter: thread %u sees a map that is half written",
			  w->index);
}

static void leave(struct worker *w)
{
	if (rng_one_in(&w->rng, 4)) {
		w->run->map.start = (unsigned)rng_below(&w->rng, UNITS - CHOSEN_LENGTH);
		w->run->map.copy = w->run->map.start;
	}
	rangelock_leave(&w->run->lock);
	w->calls[CALL_LEAVE]++;
}

static void lock_entered(struct ticket *t, bool holds)
{
	struct worker *w = t->worker;

	enter(w);
	t->span = (struct span){ w->run->map.start, w->run->map.start + CHOSEN_LENGTH,
				 rng_below(&w->rng, 2) ? RANGELOCK_WRITE : RANGELOCK_READ };
	t->end = end_of(&w->rng, &t->span);
	struct rangelock_range range = { t->span.start, t->end, t->span.mode };
	struct life *life = begin_life(t, CALL_WAIT_ENTERED, &t->span);
	bool timed = holds || rng_one_in(&w->rng, 2);
	struct timespec abstime = deadline_of(&w->rng, life);
	int error =
	    rangelock_wait_entered(&w->run->lock, req_of(t), &range, timed ? &abstime : NULL);

	settle(t, life, error);
	leave(w);
}

struct choice {
	struct ticket *ticket;
	struct life *life;
	unsigned times;
};

/* What it has claimed grows with each choice. */
static int choose(void *arg, struct rangelock_range *range)
{
	struct choice *c = arg;
	struct ticket *t = c->ticket;
	unsigned start = t->worker->run->map.start;

	if (start != t->worker->run->map.copy)
		violation(&t->worker->run->oracle, "lock_chosen: it sees a map half written");
	t->span.start = start;
	t->span.end = start + CHOSEN_LENGTH;
	t->end = t->span.end;
	*range = (struct rangelock_range){ t->span.start, t->end, t->span.mode };
	if (!c->times++) {
		c->life->may_start = (uint8_t)t->span.start;
		c->life->may_end = (uint8_t)t->span.end;
	} else if (c->life->start != start) {
		c->life->moved = true;
		if (start < c->life->may_start)
			c->life->may_start = (uint8_t)start;
		if (start + CHOSEN_LENGTH > c->life->may_end)
			c->life->may_end = (uint8_t)(start + CHOSEN_LENGTH);
	}
	c->life->start = (uint8_t)t->span.start;
	c->life->end = (uint8_t)t->span.end;
	return 0;
}

static void lock_chosen(struct ticket *t, bool holds)
{
	struct worker *w = t->worker;

	t->span = (struct span){ 0, CHOSEN_LENGTH,
				 rng_below(&w->rng, 2) ? RANGELOCK_WRITE : RANGELOCK_READ };
	struct choice c = { t, begin_life(t, CALL_LOCK_CHOSEN, &t->span), 0 };
	bool timed = holds || rng_one_in(&w->rng, 2);
	struct timespec abstime = deadline_of(&w->rng, c.life);

	settle(
	    t, c.life,
	    rangelock_lock_chosen(&w->run->lock, req_of(t), choose, &c, timed ? &abstime : NULL));
}

void lock_otherwise(struct ticket *t, bool holds, bool writes)
{
	struct worker *w = t->worker;

	/* It waits for writers, none of whom may wait for us. */
	if (w->run->caps & RANGELOCK_CAP_NESTED && holds && !writes)
		for (struct ticket *u = w->tickets; u < w->tickets + PER_THREAD; u++)
			if (atomic_load(&u->place) == PLACE_HELD) {
				lock_nested(t, u);
				return;
			}
	if (!(w->run->caps & RANGELOCK_CAP_ENTER) || (holds && w->run->checked))
		return;
	if (rng_one_in(&w->rng, 2))
		lock_entered(t, holds);
	else
		lock_chosen(t, holds);
}

/* ---- Vectors ---- */

/* Two ranges that do not conflict, in any order. */
static void random_vector(struct rng *rng, struct span spans[VECTOR])
{
	unsigned first = (unsigned)rng_below(rng, VECTOR);

	do {
		spans[first] = random_span(rng);
	} while (spans[first].end == UNITS);
	spans[1 - first].start =
	    spans[first].end + (unsigned)rng_below(rng, UNITS - spans[first].end);
	spans[1 - first].end = spans[1 - first].start + 1 +
			       (unsigned)rng_below(rng, UNITS - spans[1 - first].start) / 8;
	spans[1 - first].mode = rng_below(rng, 2) ? RANGELOCK_WRITE : RANGELOCK_READ;
}

/* For a time only: the thread may hold what others want that are in its way. */
void lock_vector(struct worker *w, bool holds)
{
	struct ticket *t = &w->tickets[VECTOR_SLOT];
	struct rangelock_range ranges[VECTOR];
	struct span spans[VECTOR];
	struct life *lives[VECTOR];

	if (atomic_load(&t[0].place) != PLACE_IDLE || atomic_load(&t[1].place) != PLACE_IDLE ||
	    (holds && w->run->checked))
		return;
	random_vector(&w->rng, spans);
	for (int i = 0; i < VECTOR; i++) {
		t[i].span = spans[i];
		t[i].end = end_of(&w->rng, &spans[i]);
		ranges[i] = (struct rangelock_range){ spans[i].start, t[i].end, spans[i].mode };
		lives[i] = begin_life(&t[i], CALL_LOCKV, &spans[i]);
		lives[i]->called = lives[0]->called;
	}
	for (int i = 0; i < VECTOR; i++) {
		struct span *low = &spans[spans[0].start > spans[1].start];
		struct span *high = &spans[low == &spans[0]];

		lives[i]->may_start = (uint8_t)low->start;
		lives[i]->may_end = (uint8_t)high->end;
		lives[i]->may_mode = low->mode == RANGELOCK_WRITE || high->mode == RANGELOCK_WRITE;
	}
	struct timespec abstime = deadline_of(&w->rng, lives[0]);
	int error = rangelock_lockv(&w->run->lock, &w->reqs[VECTOR_SLOT], ranges, VECTOR, &abstime);
	end_life(lives[0], error);
	/* Which of them is in the way of a call that fails, the first tells. */
	lives[1]->returned = lives[1]->gone = lives[0]->returned;
	lives[1]->result = error ? EINTR : 0;
	w->calls[CALL_LOCKV]++;
	if (error && error != ETIMEDOUT && error != ECANCELED)
		wrong_answer(t, CALL_LOCKV, &spans[0], error);
	for (int i = 0; i < VECTOR && !error; i++) {
		hold_ticket(&t[i], lives[i]);
		atomic_store(&t[i].place, PLACE_HELD);
	}
}

void unlock_vector(struct worker *w)
{
	struct ticket *t = &w->tickets[VECTOR_SLOT];

	for (int i = 0; i < VECTOR; i++)
		if (atomic_load(&t[i].place) != PLACE_HELD)
			return; /* another time */
	for (int i = 0; i < VECTOR; i++) {
		oracle_use(&w->run->oracle, &t[i].span, w->index);
		oracle_drop(&w->run->oracle, &t[i].span, w->index);
	}
	t[0].life->dropped = t[1].life->dropped = stamp();
	int error = rangelock_unlockv(&w->run->lock, &w->reqs[VECTOR_SLOT], VECTOR);
	t[0].life->gone = t[1].life->gone = stamp();
	w->calls[CALL_UNLOCKV]++;
	if (error)
		wrong_answer(t, CALL_UNLOCKV, &t[0].span, error);
	for (int i = 0; i < VECTOR; i++)
		atomic_store(&t[i].place, PLACE_IDLE);
}

/* ---- Callbacks ---- */

static void count_in_callback(struct run *run, enum call call)
{
	atomic_fetch_add_explicit(&run->in_callbacks[call], 1, memory_order_relaxed);
}

/* By the submitter or in a callback, to whom the ticket belongs: use it, and unlock it, submit
 * it anew, or hand it to its worker. */
static void use_grant(struct ticket *t)
{
	struct worker *w = t->worker;
	uint64_t kind = rng_below(&w->submit_rng, 4);

	hold_ticket(t, t->life);
	if (kind == 0) {
		atomic_store(&t->place, PLACE_HELD);
		return;
	}
	unlock_ticket(t, w->index);
	count_in_callback(w->run, CALL_UNLOCK);
	if (kind == 1 && !atomic_load_explicit(&w->run->pause, memory_order_relaxed) &&
	    !log_is_full(log_of(&w->run->history, w->index, SUBMIT_SLOT)))
		submit_ticket(t);
	else
		atomic_store(&t->place, PLACE_IDLE);
}

static void granted(struct rangelock_req *req, int error, void *arg)
{
	struct ticket *t = arg;

	atomic_fetch_add(&t->worker->callbacks, 1);
	if (req != req_of(t) || atomic_exchange(&t->place, PLACE_CALLED_BACK) != PLACE_SUBMITTED) {
		violation(&t->worker->run->oracle,
			  "submit: a callback for a request of thread %u that awaits none",
			  t->worker->index);
		return;
	}
	end_life(t->life, error);
	if (error && error != ECANCELED)
		wrong_answer(t, CALL_SUBMIT, &t->span, error);
	if (error)
		atomic_store(&t->place, PLACE_IDLE);
	else
		use_grant(t);
}

void submit_ticket(struct ticket *t)
{
	struct worker *w = t->worker;

	t->span = random_span(&w->submit_rng);
	t->end = end_of(&w->submit_rng, &t->span);
	struct rangelock_range range = { t->span.start, t->end, t->span.mode };
	count_in_callback(w->run, CALL_SUBMIT);
	t->life = begin_life(t, CALL_SUBMIT, &t->span);
	atomic_store(&t->place, PLACE_SUBMITTED);
	int error = rangelock_submit(&w->run->lock, req_of(t), &range, granted, t);

	if (error == EINPROGRESS) { /* the ticket is no longer ours */
		atomic_fetch_add(&w->submissions, 1);
		return;
	}
	if (atomic_exchange(&t->place, PLACE_CALLED_BACK) != PLACE_SUBMITTED)
		violation(&w->run->oracle,
			  "submit: thread %u was answered errno %d, and called back as well",
			  w->index, error);
	end_life(t->life, error);
	if (error)
		wrong_answer(t, CALL_SUBMIT, &t->span, error);
	else
		use_grant(t);
}

/* ---- Reservations ---- */

static struct life *reserve_somewhere(struct ticket *t)
{
	struct worker *w = t->worker;

	t->span = random_span(&w->rng);
	t->span.mode = RANGELOCK_READ; /* as a reservation: history.h */
	t->end = end_of(&w->rng, &t->span);
	struct life *life = begin_life(t, CALL_RESERVE, &t->span);
	int error = rangelock_reserve(&w->run->lock, req_of(t), t->span.start, t->end);
	end_life(life, error);
	if (error && error != EBUSY)
		wrong_answer(t, CALL_RESERVE, &t->span, error);
	return life;
}

/* There is no gap only if something is in the way of the whole. */
static struct life *reserve_gap(struct ticket *t)
{
	struct worker *w = t->worker;
	unsigned align = 1u << rng_below(&w->rng, 3), size = 1 + (unsigned)rng_below(&w->rng, 4);
	unsigned low = align * (unsigned)rng_below(&w->rng, UNITS / 2 / align);
	unsigned high = low + size + (unsigned)rng_below(&w->rng, UNITS / 2 - size + 1);
	struct span within = { low, high, RANGELOCK_READ };
	uint64_t start = 0;

	struct life *life = begin_life(t, CALL_RESERVE_GAP, &within);
	int error = rangelock_reserve_gap(&w->run->lock, req_of(t), size, align, low, high, &start);
	end_life(life, error == ENOSPC ? EBUSY : error);
	if ((error && error != ENOSPC) ||
	    (!error && (start < low || start + size > high || start % align)))
		wrong_answer(t, CALL_RESERVE_GAP, &within, error);
	if (!error) {
		t->span = (struct span){ (unsigned)start, (unsigned)start + size, RANGELOCK_READ };
		t->end = t->span.end;
		life->start = life->may_start = (uint8_t)t->span.start;
		life->end = life->may_end = (uint8_t)t->span.end;
	}
	return life;
}

void reserve_ticket(struct ticket *t)
{
	struct worker *w = t->worker;
	struct life *life = rng_below(&w->rng, 2) ? reserve_somewhere(t) : reserve_gap(t);

	w->calls[life->call]++;
	if (life->result)
		return;
	life->dropped = life->returned; /* that it stood longer is not sure yet */
	t->life = life;
	w->writes = oracle_writes(&w->run->oracle, &t->span);
	w->reservations++;
	atomic_store(&t->place, PLACE_RESERVED);
}

/* By a call from `called` to `returned`, which found it revoked or did not. */
static void end_reservation(struct ticket *t, int64_t called, int64_t returned, bool revoked)
{
	t->life->gone = returned;
	t->life->revoked = revoked;
	if (!revoked)
		t->life->dropped = called;
	t->worker->ends++;
	atomic_store(&t->place, PLACE_IDLE);
}

static int unreserve(struct ticket *t)
{
	struct worker *w = t->worker;
	int64_t called = stamp();
	int error = rangelock_unreserve(&w->run->lock, req_of(t));

	w->calls[CALL_UNRESERVE]++;
	if (error && error != ECANCELED)
		wrong_answer(t, CALL_UNRESERVE, &t->span, error);
	end_reservation(t, called, stamp(), error);
	return error;
}

void unreserve_ticket(struct ticket *t)
{
	unreserve(t);
}

static void commit(struct ticket *t, bool holds)
{
	struct worker *w = t->worker;
	struct span write = { t->span.start, t->span.end, RANGELOCK_WRITE };
	struct life *life = begin_life(t, CALL_COMMIT, &write);
	bool timed = holds || rng_one_in(&w->rng, 2);
	struct timespec abstime = deadline_of(&w->rng, life);
	int error = rangelock_commit(&w->run->lock, req_of(t), timed ? &abstime : NULL);

	end_life(life, error);
	w->calls[CALL_COMMIT]++;
	if (error == ETIMEDOUT) { /* it stands */
		t->life->dropped = life->called;
		return;
	}
	if (error && error != ECANCELED)
		wrong_answer(t, CALL_COMMIT, &write, error);
	end_reservation(t, life->called, life->returned, error);
	if (error)
		return;
	if (oracle_writes(&w->run->oracle, &write) != w->writes)
		violation(&w->run->oracle,
			  "commit: thread %u committed [%u, %u), to which a writer has come "
			  "since it was reserved",
			  w->index, write.start, write.end);
	t->span = write;
	hold_ticket(t, life);
	atomic_store(&t->place, PLACE_HELD);
}

void go_on_with_reservation(struct ticket *t, bool holds)
{
	struct worker *w = t->worker;
	uint64_t kind = rng_below(&w->rng, 4);

	if (kind == 0 || (holds && w->run->checked)) {
		unreserve(t);
	} else if (kind == 1) {
		int64_t called = stamp();

		w->calls[CALL_IS_RESERVED]++;
		if (rangelock_is_reserved(&w->run->lock, req_of(t)))
			t->life->dropped = called;
		else if (unreserve(t) != ECANCELED)
			violation(&w->run->oracle,
				  "is_reserved: thread %u was told no, and yet gave [%u, %u) up",
				  w->index, t->span.start, t->span.end);
	} else {
		commit(t, holds);
	}
}

/* ---- Sums ---- */

void check_sums(struct run *run)
{
	for (struct worker *w = run->workers; w < run->workers + run->n_workers; w++) {
		uint64_t submissions = atomic_load(&w->submissions);
		uint64_t callbacks = atomic_load(&w->callbacks);

		if (submissions != callbacks)
			violation(&run->oracle,
				  "submit: %" PRIu64 " requests of thread %u waited, and %" PRIu64
				  " callbacks came",
				  submissions, w->index, callbacks);
		if (w->reservations != w->ends)
			violation(&run->oracle,
				  "reserve: %" PRIu64 " reservations of thread %u, %" PRIu64
				  " of which ended",
				  w->reservations, w->index, w->ends);
	}
}

/* A call that was granted what it asked for, or an upgrade. */
static bool is_grant(const struct life *life)
{
	switch (life->call) {
	case CALL_UNLOCK:
	case CALL_CANCEL:
	case CALL_DOWNGRADE:
	case CALL_REDUCE:
	case CALL_SPLIT:
	case CALL_TRYEXTEND:
	case CALL_RESERVE:
	case CALL_RESERVE_GAP:
	case CALL_IS_LOCKED:
		return false;
	default:
		return life->result == 0;
	}
}

void count_answers(struct run *run)
{
	struct rangelock_stats *sum = &run->answered;

	*sum = (struct rangelock_stats){ .cancels = run->cancels - run->cancels_before };
	run->cancels_before = run->cancels;
	for (unsigned i = 0; i < run->history.n_logs; i++) {
		const struct log *log = &run->history.logs[i];

		for (const struct life *l = log->lives; l < log->lives + log->n; l++) {
			sum->reads += is_grant(l) && l->mode == RANGELOCK_READ;
			sum->writes += is_grant(l) && l->mode == RANGELOCK_WRITE;
			sum->timeouts += l->result == ETIMEDOUT;
		}
	}
}

void check_stats(struct run *run)
{
	const struct rangelock_stats *sum = &run->answered;
	struct rangelock_stats s;
	int error = rangelock_stats(&run->lock, &s);

	if (error)
		violation(&run->oracle, "stats answered errno %d", error);
	else if (s.reads != sum->reads || s.writes != sum->writes || s.timeouts != sum->timeouts ||
		 s.cancels != sum->cancels)
		violation(&run->oracle,
			  "stats: %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64
			  " time-outs and %" PRIu64 " cancels are counted, but there were %" PRIu64
			  ", %" PRIu64 ", %" PRIu64 " and %" PRIu64,
			  s.reads, s.writes, s.timeouts, s.cancels, sum->reads, sum->writes,
			  sum->timeouts, sum->cancels);
	else if (s.waits > s.reads + s.writes || s.wait_max_ns > s.wait_ns ||
		 s.wait_ns > s.waits * s.wait_max_ns)
		violation(&run->oracle,
			  "stats: %" PRIu64 " waits, %" PRIu64 " ns in all and %" PRIu64
			  " ns at most cannot be",
			  s.waits, s.wait_ns, s.wait_max_ns);
}
