/* SPDX-License-Identifier: BSD-2-Clause */
/* Which requests conflict: exact ranges, exact try, no false conflict. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/random.h"
#include "support/actor.h"
#include "support/suite.h"

static int try_lock(struct rangelock *lock, struct rangelock_req *req, enum rangelock_mode mode,
		    uint64_t start, uint64_t end)
{
	return mode == RANGELOCK_READ ? rangelock_tryrdlock(lock, req, start, end)
				      : rangelock_trywrlock(lock, req, start, end);
}

/* The definition, written another way than the library has it: on units. */
static bool share_a_unit(uint64_t s1, uint64_t e1, uint64_t s2, uint64_t e2)
{
	for (uint64_t unit = s1; unit < e1; unit++)
		if (s2 <= unit && unit < e2)
			return true;
	return false;
}

struct two {
	struct rangelock_range a, b;
	bool crowded; /* a third one beside them: not in the lock word */
};

static void meet_on_a_fresh_lock(const struct two *t)
{
	const struct rangelock_range *ra = &t->a, *rb = &t->b;
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req a = RANGELOCK_REQ_INITIALIZER, b = RANGELOCK_REQ_INITIALIZER;
	struct rangelock_req far = RANGELOCK_REQ_INITIALIZER;
	bool conflict = share_a_unit(ra->start, ra->end, rb->start, rb->end) &&
			(ra->mode || rb->mode);

	if (t->crowded)
		must(rangelock_wrlock(&lock, &far, 100, 101) == 0);
	must(try_lock(&lock, &a, ra->mode, ra->start, ra->end) == 0);
	must(try_lock(&lock, &b, rb->mode, rb->start, rb->end) == (conflict ? EBUSY : 0));
	must(rangelock_unlock(&lock, &a) == 0);
	if (conflict) /* a failed try left nothing behind */
		must(try_lock(&lock, &b, rb->mode, rb->start, rb->end) == 0);
	must(rangelock_unlock(&lock, &b) == 0);
	if (t->crowded)
		must(rangelock_unlock(&lock, &far) == 0);
	must(rangelock_destroy(&lock) == 0);
}

/* Every relation of two ranges, in all modes, the first one alone in the lock
 * word, or beside a third one. */
START_TEST(two_ranges_conflict_as_defined)
{
	enum { SPAN = 6 };
	struct two t = { .a.mode = _i >> 1 & 1, .b.mode = _i >> 2 & 1, .crowded = _i & 1 };

	for (t.a.start = 0; t.a.start < SPAN; t.a.start++)
		for (t.a.end = t.a.start + 1; t.a.end <= SPAN; t.a.end++)
			for (t.b.start = 0; t.b.start < SPAN; t.b.start++)
				for (t.b.end = t.b.start + 1; t.b.end <= SPAN; t.b.end++)
					meet_on_a_fresh_lock(&t);
}
END_TEST

START_TEST(the_ends_of_the_space_are_ordinary)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req a = RANGELOCK_REQ_INITIALIZER, b = RANGELOCK_REQ_INITIALIZER;
	struct rangelock_req c = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, RANGELOCK_FULL), 0);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &b, 0, 1), EBUSY);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &b, RANGELOCK_MAX - 1, RANGELOCK_MAX), EBUSY);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &b, RANGELOCK_FULL), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, RANGELOCK_MAX - 1), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &b, RANGELOCK_MAX - 1, RANGELOCK_MAX), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &c, RANGELOCK_MAX - 2, RANGELOCK_MAX), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &c, 0, RANGELOCK_MAX - 1), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &c), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

/* The gap between two held ranges is free, though it lies inside the box
 * around them. */
START_TEST(a_gap_between_held_ranges_is_free)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req low = RANGELOCK_REQ_INITIALIZER, high = RANGELOCK_REQ_INITIALIZER;
	struct rangelock_req gap = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_wrlock(&lock, &low, 0, 10), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &high, 90, 100), 0);
	ck_assert(!rangelock_is_locked(&lock, 40, 50, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_trywrlock(&lock, &gap, 10, 90), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &gap), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &gap, 9, 90), EBUSY);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &gap, 10, 91), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &low), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &high), 0);
}
END_TEST

START_TEST(many_readers_hold_one_range_together)
{
	enum { MANY = 100 };
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req reqs[MANY] = { RANGELOCK_REQ_INITIALIZER };
	struct rangelock_req writer = RANGELOCK_REQ_INITIALIZER;

	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(rangelock_rdlock(&lock, &reqs[i], (uint64_t)i % 7, 50), 0);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(rangelock_trywrlock(&lock, &writer, 49, 60), EBUSY);
		ck_assert_int_eq(rangelock_unlock(&lock, &reqs[(i * 37) % MANY]), 0);
	}
	ck_assert_int_eq(rangelock_trywrlock(&lock, &writer, 49, 60), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &writer), 0);
}
END_TEST

/* One thread, many requests, locked and unlocked in any order: a try succeeds
 * exactly where a model on units says so. */
START_TEST(a_random_crowd_matches_the_model)
{
	enum { UNITS = 64, REQS = 24 };
	struct rng rng = rng_make(test_seed(), 1);
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct {
		struct rangelock_req req;
		uint64_t start, end;
		enum rangelock_mode mode;
		bool held;
	} all[REQS] = { 0 };
	int readers[UNITS] = { 0 }, writers[UNITS] = { 0 };

	for (uint64_t step = 0; step < scaled(200000); step++) {
		int i = (int)rng_below(&rng, REQS);

		if (all[i].held) {
			must(rangelock_unlock(&lock, &all[i].req) == 0);
		} else {
			uint64_t s = rng_below(&rng, UNITS), e = s + 1 + rng_below(&rng, UNITS - s);
			enum rangelock_mode mode = rng_below(&rng, 2);
			bool free = true;

			if (rng_below(&rng, 4)) /* mostly short ones */
				e = s + 1 + rng_below(&rng, e - s < 6 ? e - s : 6);
			for (uint64_t u = s; u < e; u++)
				free = free && !writers[u] &&
				       (mode == RANGELOCK_READ || !readers[u]);
			must(try_lock(&lock, &all[i].req, mode, s, e) == (free ? 0 : EBUSY));
			if (!free)
				continue;
			all[i].start = s, all[i].end = e, all[i].mode = mode;
		}
		all[i].held = !all[i].held;
		for (uint64_t u = all[i].start; u < all[i].end; u++)
			*(all[i].mode == RANGELOCK_READ ? &readers[u] : &writers[u]) +=
			    all[i].held ? 1 : -1;

		uint64_t s = rng_below(&rng, UNITS), e = s + 1 + rng_below(&rng, UNITS - s);
		bool read = true, write = true;
		for (uint64_t u = s; u < e; u++) {
			read = read && (readers[u] || writers[u]);
			write = write && writers[u];
		}
		must(rangelock_is_locked(&lock, s, e, RANGELOCK_READ) == read);
		must(rangelock_is_locked(&lock, s, e, RANGELOCK_WRITE) == write);
	}
	for (int i = 0; i < REQS; i++)
		if (all[i].held)
			must(rangelock_unlock(&lock, &all[i].req) == 0);
	must(rangelock_destroy(&lock) == 0);
}
END_TEST

/* Two conflicting trylocks that meet on an idle range: not both fail, and not
 * both succeed. */
enum { MEETINGS = 20000 };

struct meeting {
	struct rangelock lock;
	pthread_barrier_t barrier;
	struct rangelock_req reqs[2];
	int results[2];
	uint64_t meetings;
};

static void meet(struct meeting *m, int me)
{
	for (uint64_t i = 0; i < m->meetings; i++) {
		pthread_barrier_wait(&m->barrier);
		m->results[me] = rangelock_trywrlock(&m->lock, &m->reqs[me], 10 * (uint64_t)me, 15);
		pthread_barrier_wait(&m->barrier);
		if (me == 0) {
			must(m->results[0] == 0 || m->results[0] == EBUSY);
			must(m->results[1] == 0 || m->results[1] == EBUSY);
			must((m->results[0] == 0) != (m->results[1] == 0));
		}
		if (m->results[me] == 0)
			must(rangelock_unlock(&m->lock, &m->reqs[me]) == 0);
	}
}

static void *meet_other(void *arg)
{
	meet(arg, 1);
	return NULL;
}

START_TEST(of_two_trylocks_that_meet_one_succeeds)
{
	struct meeting *m = calloc(1, sizeof(*m));
	pthread_t other;

	m->meetings = scaled(MEETINGS);
	pthread_barrier_init(&m->barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&other, NULL, meet_other, m), 0);
	meet(m, 0);
	pthread_join(other, NULL);
	pthread_barrier_destroy(&m->barrier);
	ck_assert_int_eq(rangelock_destroy(&m->lock), 0);
	free(m);
}
END_TEST

/* Who waits is in nobody's way but of those that conflict with it. */
START_TEST(a_waiting_request_blocks_only_what_it_conflicts_with)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req holder = RANGELOCK_REQ_INITIALIZER, req = RANGELOCK_REQ_INITIALIZER;
	struct actor waiter;

	ck_assert_int_eq(rangelock_rdlock(&lock, &holder, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 5, 20);

	/* Tested against the waiting too, or it would starve. */
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &req, 5, 6), EBUSY);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &req, 10, 20), EBUSY);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &req, 19, 30), EBUSY);
	/* Beside it on either side: nobody waits. */
	ck_assert_int_eq(rangelock_rdlock(&lock, &req, 0, 5), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &req, 20, RANGELOCK_MAX), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);

	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert(is_held(&lock, &waiter.req));
	actor_finish(&waiter);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

/* Also where their number does not fit into 8 or 16 bits. */
START_TEST(however_many_hold_none_is_overlooked)
{
	enum { MANY = ON_LIST ? 1 << 12 : 1 << 16 }; /* a list looks at each */
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req *readers = calloc(MANY, sizeof(*readers)), writer = { { 0 } };

	for (uint64_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(rangelock_rdlock(&lock, &readers[i], i, i + 1), 0);
		if (i + 1 == 1 << 8)
			ck_assert_int_eq(rangelock_trywrlock(&lock, &writer, RANGELOCK_FULL),
					 EBUSY);
	}
	ck_assert_int_eq(rangelock_trywrlock(&lock, &writer, RANGELOCK_FULL), EBUSY);
	for (uint64_t i = 0; i < MANY; i++)
		ck_assert_int_eq(rangelock_unlock(&lock, &readers[i]), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
	free(readers);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conflicts");
	TCase *tc = tcase_create("conflicts");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, two_ranges_conflict_as_defined, 0, 8);
	tcase_add_test(tc, the_ends_of_the_space_are_ordinary);
	tcase_add_test(tc, a_gap_between_held_ranges_is_free);
	tcase_add_test(tc, many_readers_hold_one_range_together);
	tcase_add_test(tc, a_random_crowd_matches_the_model);
	tcase_add_test(tc, of_two_trylocks_that_meet_one_succeeds);
	add_tree_test(tc, a_waiting_request_blocks_only_what_it_conflicts_with);
	tcase_add_test(tc, however_many_hold_none_is_overlooked);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
