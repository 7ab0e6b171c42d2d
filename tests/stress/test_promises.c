/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two promises, kept often: that a submitted request calls back once or not at all,
 * whoever cancels it meanwhile; and that a reservation ends once, and nobody but its owner
 * has what was committed.
 *
 * RANGELOCK_PROMISES sets how many submissions and reservations (default 50000 each).
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/random.h"
#include "support/actor.h"
#include "support/suite.h"

static struct rangelock lock = RANGELOCK_INITIALIZER;

static uint64_t wanted(void)
{
	const char *n = getenv("RANGELOCK_PROMISES");

	return n ? strtoull(n, NULL, 10) : scaled(50000);
}

/* ---- Submissions ---- */

enum { SUBMITTERS = 4, OWN = 8, SUBMISSIONS = SUBMITTERS * OWN, WIDTH = 16 };

enum place { IDLE, OUT, HELD }; /* OUT: it is the lock's, or its callback's */

static struct submission {
	struct rangelock_req req;
	_Atomic int place;
	_Atomic uint32_t calls; /* back, since it was submitted */
	bool pending;		/* submit has answered EINPROGRESS; the owner's */
} submissions[SUBMISSIONS];

static _Atomic uint64_t left, at_once, later, granted_later, canceled, cancels;

static void called_back(struct rangelock_req *req, int error, void *arg)
{
	struct submission *s = arg;

	must(req == &s->req && (error == 0 || error == ECANCELED));
	must(s->calls++ == 0);
	if (error) {
		canceled++;
		s->place = IDLE;
	} else {
		granted_later++;
		if ((granted_later & 3) == 0) {
			s->place = HELD; /* its owner unlocks it */
		} else {
			must(rangelock_unlock(&lock, req) == 0);
			s->place = IDLE;
		}
	}
}

static void submit(struct submission *s, struct rng *rng)
{
	uint64_t start = rng_below(rng, WIDTH);
	struct rangelock_range range = { start, start + 1 + rng_below(rng, 4),
					 rng_below(rng, 4) ? RANGELOCK_WRITE : RANGELOCK_READ };

	must(!s->pending || s->calls == 1); /* the last one has called, once */
	s->calls = 0;
	s->pending = false;
	s->place = OUT;
	int error = rangelock_submit(&lock, &s->req, &range, called_back, s);
	if (error == EINPROGRESS) {
		s->pending = true;
		later++;
		return;
	}
	must(error == 0 && s->calls == 0);
	at_once++;
	s->place = HELD;
}

static void *submit_and_cancel(void *arg)
{
	unsigned who = (unsigned)(uintptr_t)arg;
	struct submission *mine = &submissions[who * OWN];
	struct rng rng = rng_make(test_seed(), who);

	for (;;) {
		struct submission *s = &mine[rng_below(&rng, OWN)];
		int place = s->place;

		if (place == HELD) {
			must(rangelock_unlock(&lock, &s->req) == 0);
			s->place = IDLE;
		} else if (place == IDLE) {
			uint64_t n = left;

			while (n && !atomic_compare_exchange_weak(&left, &n, n - 1))
				;
			if (!n)
				break;
			submit(s, &rng);
		}
		if (rng_one_in(&rng, 2)) {
			int error =
			    rangelock_cancel(&lock, &submissions[rng_below(&rng, SUBMISSIONS)].req);
			must(error == 0 || error == EBUSY);
			cancels += error == 0;
		}
	}
	for (bool busy = true; busy; sched_yield()) { /* until all have come back */
		busy = false;
		for (int i = 0; i < OWN; i++) {
			int place = mine[i].place;

			busy |= place != IDLE;
			if (place == HELD) {
				must(rangelock_unlock(&lock, &mine[i].req) == 0);
				mine[i].place = IDLE;
			}
		}
	}
	return NULL;
}

START_TEST(a_submission_calls_back_once_or_never)
{
	pthread_t threads[SUBMITTERS];
	uint64_t n = wanted();

	left = n;
	for (uintptr_t i = 0; i < SUBMITTERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, submit_and_cancel, (void *)i),
				 0);
	for (int i = 0; i < SUBMITTERS; i++)
		pthread_join(threads[i], NULL);
	printf("# %" PRIu64 " submissions: %" PRIu64 " held at once, %" PRIu64
	       " called back held, %" PRIu64 " cancelled\n",
	       n, at_once, granted_later, canceled);
	for (int i = 0; i < SUBMISSIONS; i++)
		ck_assert_uint_eq(submissions[i].calls, submissions[i].pending);
	ck_assert_uint_eq(at_once + later, n);
	ck_assert_uint_eq(granted_later + canceled, later);
	ck_assert_uint_eq(canceled, cancels);
	ck_assert(at_once && granted_later && canceled);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

/* ---- Reservations ---- */

enum { CHOOSERS = 8, UNITS = 64 };

static struct rangelock_req marks[CHOOSERS];
static _Atomic int owners[UNITS];			    /* 0: nobody */
static _Atomic uint64_t made, committed, unreserved, ended; /* ended: by ECANCELED */
static _Atomic uint64_t timed_out, revokers;
static _Atomic bool stop;

static void use(uint64_t start, uint64_t end, int who, bool yields)
{
	for (uint64_t u = start; u < end; u++)
		must(atomic_exchange(&owners[u], who) == 0);
	if (yields)
		sched_yield();
	for (uint64_t u = start; u < end; u++)
		must(atomic_exchange(&owners[u], 0) == who);
}

/* Verify, commit, use; or give it up.  It ends once. */
static void go_on(struct rangelock_req *mark, uint64_t start, uint64_t size, int who,
		  struct rng *rng)
{
	int error;

	do {
		struct timespec soon = in_ns((int64_t)rng_below(rng, 100000));

		if (!rangelock_is_reserved(&lock, mark)) {
			must(rangelock_unreserve(&lock, mark) == ECANCELED);
			ended++;
			return;
		}
		if (rng_one_in(rng, 8)) {
			error = rangelock_unreserve(&lock, mark);
			must(error == 0 || error == ECANCELED);
			ended += error == ECANCELED;
			unreserved += error == 0;
			return;
		}
		error = rangelock_commit(&lock, mark, rng_one_in(rng, 2) ? &soon : NULL);
		timed_out += error == ETIMEDOUT;
	} while (error == ETIMEDOUT);
	must(error == 0 || error == ECANCELED);
	if (error) {
		ended++;
	} else {
		committed++;
		use(start, start + size, who, rng_one_in(rng, 4));
		must(rangelock_unlock(&lock, mark) == 0);
	}
	must(rangelock_unreserve(&lock, mark) == EPERM); /* once */
}

static void *choose_and_commit(void *arg)
{
	int me = (int)(intptr_t)arg;
	struct rng rng = rng_make(test_seed(), (uint64_t)me + 100);
	uint64_t n;

	while ((n = left)) {
		uint64_t size = 1 + rng_below(&rng, 8), start = 0;

		if (!atomic_compare_exchange_weak(&left, &n, n - 1))
			continue;
		while (rangelock_reserve_gap(&lock, &marks[me], size, 1, rng_below(&rng, UNITS / 2),
					     UNITS, &start) == ENOSPC)
			sched_yield();
		made++;
		if (rng_one_in(&rng, 4))
			sched_yield();
		go_on(&marks[me], start, size, me + 1, &rng);
	}
	return NULL;
}

/* Writers and readers of all, who cancel those that wait for them; until the others are done. */
static void *revoke(void *arg)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	struct rng rng = rng_make(test_seed(), 99);

	(void)arg;
	while (!stop) {
		if (rng_one_in(&rng, 2)) {
			must(rangelock_wrlock(&lock, &req, RANGELOCK_FULL) == 0);
			use(0, UNITS, CHOOSERS + 1, true);
			revokers++;
		} else {
			must(rangelock_rdlock(&lock, &req, RANGELOCK_FULL) == 0);
			sched_yield();
		}
		for (uint64_t i = rng_below(&rng, 8); i; i--) {
			int error = rangelock_cancel(&lock, &marks[rng_below(&rng, CHOOSERS)]);
			must(error == 0 || error == EBUSY);
			cancels += error == 0;
			sched_yield();
		}
		must(rangelock_unlock(&lock, &req) == 0);
	}
	return NULL;
}

START_TEST(a_reservation_ends_once)
{
	pthread_t threads[CHOOSERS], revoker;
	uint64_t n = wanted();

	left = n;
	ck_assert_int_eq(pthread_create(&revoker, NULL, revoke, NULL), 0);
	for (intptr_t i = 0; i < CHOOSERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, choose_and_commit, (void *)i),
				 0);
	for (int i = 0; i < CHOOSERS; i++)
		pthread_join(threads[i], NULL);
	stop = true;
	pthread_join(revoker, NULL);
	printf("# %" PRIu64 " reservations: %" PRIu64 " committed, %" PRIu64 " unreserved, %" PRIu64
	       " cancelled, %" PRIu64 " revoked, by %" PRIu64 " writers; %" PRIu64
	       " commits timed out\n",
	       made, committed, unreserved, cancels, ended - cancels, revokers, timed_out);
	ck_assert_uint_eq(made, n);
	ck_assert_uint_eq(committed + unreserved + ended, made);
	ck_assert(cancels <= ended);
	ck_assert(committed && unreserved && cancels && ended > cancels && revokers);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("promises");
	TCase *tc = tcase_create("promises");

	tcase_set_timeout(tc, 500);
	tcase_add_test(tc, a_submission_calls_back_once_or_never);
	tcase_add_test(tc, a_reservation_ends_once);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
