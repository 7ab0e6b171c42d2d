/* SPDX-License-Identifier: BSD-2-Clause */
/* Which names a range has for a race detector.  The detector is this program: the library
 * takes it for one by its two functions. */
#include "base/annotate.h"

#if !RL_ANNOTATE

#include <stdio.h>

int main(void)
{
	puts("1..1\nok 1 - annotations # SKIP a sanitized build has none");
	return 0;
}

#else

#include <errno.h>
#include <stdio.h>

#include <rangelock/rangelock.h>

#include "check/check.h"
#include "common/random.h"
#include "support/suite.h"

enum { MAX_NAMES = 2000 };

static struct {
	void *released[MAX_NAMES];
	int n_released, n_acquired;
	bool met; /* a name was acquired that had been released */
	struct rangelock *lock;
	bool was_locked; /* when its names were last named */
} seen;

static void look(void)
{
	seen.was_locked = seen.lock && rangelock_is_locked(seen.lock, 10, 20, RANGELOCK_READ);
}

void __tsan_acquire(void *name);
void __tsan_release(void *name);

void __tsan_acquire(void *name)
{
	seen.n_acquired++;
	for (int i = 0; i < seen.n_released; i++)
		seen.met |= seen.released[i] == name;
	look();
}

void __tsan_release(void *name)
{
	must(seen.n_released < MAX_NAMES);
	seen.released[seen.n_released++] = name;
	look();
}

static void forget(struct rangelock *lock)
{
	seen.n_released = seen.n_acquired = 0;
	seen.met = false;
	seen.lock = lock;
}

struct use {
	const void *lock;
	uint64_t start, end;
	enum rangelock_mode mode;
};

/* Does the second come after the first? */
static bool meet(const struct use *first, const struct use *second)
{
	forget(NULL);
	rl_annotate_releasing(first->lock, first->start, first->end, first->mode);
	rl_annotate_acquired(second->lock, second->start, second->end, second->mode);
	return seen.met;
}

static bool ranges_meet(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	static char lock;

	return meet(&(struct use){ &lock, a, b, RANGELOCK_WRITE },
		    &(struct use){ &lock, c, d, RANGELOCK_WRITE });
}

/* All pairs of ranges within a window, in steps of some size. */
static void all_pairs(uint64_t from, uint64_t step, int n)
{
	for (int a = 0; a < n; a++)
		for (int b = a + 1; b <= n; b++)
			for (int c = 0; c < n; c++)
				for (int d = c + 1; d <= n; d++)
					must(ranges_meet(from + a * step, from + b * step,
							 from + c * step,
							 from + d * step) == (a < d && c < b));
}

START_TEST(neighbours_meet_where_they_overlap_and_nowhere_else)
{
	int n = (int)scaled(19);

	all_pairs(0, 1, n);
	all_pairs(3, 10, n);
	all_pairs(0, 4096, n);
	all_pairs(UINT64_C(10) << 30, UINT64_C(10) << 30, n / 2);
	all_pairs(RANGELOCK_MAX - 19, 1, 19); /* its last end is no bound */
	all_pairs(0, UINT64_C(1) << 60, 15);  /* the largest nodes but one */
	all_pairs(UINT64_C(1) << 60, UINT64_C(1) << 60, 14);
}
END_TEST

/* Of any size, anywhere. */
static void random_range(struct rng *rng, uint64_t *start, uint64_t *end)
{
	do {
		uint64_t size = 1 + rng_next(rng) % (UINT64_C(1) << rng_below(rng, 63));
		*start = rng_next(rng) >> rng_below(rng, 64);
		*end = rng_below(rng, 10) ? *start + size : RANGELOCK_MAX;
	} while (*start >= *end);
}

START_TEST(ranges_that_overlap_always_meet_and_others_hardly_ever)
{
	struct rng rng = rng_make(test_seed(), 0);
	unsigned disjoint = 0, false_meetings = 0;

	for (uint64_t i = 0; i < scaled(100000); i++) {
		uint64_t a, b, c, d;
		random_range(&rng, &a, &b);
		random_range(&rng, &c, &d);
		bool met = ranges_meet(a, b, c, d);

		if (a < d && c < b) {
			must(met);
		} else {
			disjoint++;
			false_meetings += met;
		}
	}
	printf("# %u of %u disjoint pairs meet\n", false_meetings, disjoint);
	ck_assert_uint_gt(disjoint, 0);
	ck_assert_uint_le(false_meetings, disjoint / 20 + 5);
}
END_TEST

START_TEST(two_locks_hardly_ever_meet)
{
	static struct rangelock locks[200];
	unsigned meetings = 0;

	for (int i = 0; i < 200; i++)
		for (int k = 0; k < 200; k++)
			meetings += i != k &&
				    meet(&(struct use){ &locks[i], 0, 8, RANGELOCK_WRITE },
					 &(struct use){ &locks[k], 4, 8, RANGELOCK_WRITE });
	printf("# %u of 39800 pairs of locks meet\n", meetings);
	ck_assert_uint_lt(meetings, 39800 / 50);
}
END_TEST

START_TEST(aligned_ranges_have_few_names)
{
	static char lock;

	forget(NULL);
	rl_annotate_releasing(&lock, RANGELOCK_FULL, RANGELOCK_WRITE);
	ck_assert_int_eq(seen.n_released, 1);
	forget(NULL);
	rl_annotate_releasing(&lock, 4096, 8192, RANGELOCK_WRITE);
	ck_assert_int_le(seen.n_released, 16);
	forget(NULL);
	rl_annotate_releasing(&lock, 1, RANGELOCK_MAX - 1, RANGELOCK_WRITE); /* the worst */
	ck_assert_int_le(seen.n_released, 16 * 32);
}
END_TEST

START_TEST(readers_do_not_meet)
{
	static char lock;
	const enum rangelock_mode r = RANGELOCK_READ, w = RANGELOCK_WRITE;
#define MEET(first, second) \
	meet(&(struct use){ &lock, 5, 25, (first) }, &(struct use){ &lock, 0, 16, (second) })

	ck_assert(!MEET(r, r));
	ck_assert(MEET(r, w));
	ck_assert(MEET(w, r));
	ck_assert(MEET(w, w));
}
END_TEST

typedef int lock_fn(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t);

static int timedwr(struct rangelock *lock, struct rangelock_req *req, uint64_t start, uint64_t end)
{
	return rangelock_timedwrlock(lock, req, start, end, &(struct timespec){ 0 });
}

static const struct rangelock_attr attrs[] = { { .flags = 0 },
					       { .flags = RANGELOCK_CHECKED | RANGELOCK_STATS } };

START_TEST(names_are_named_while_the_range_is_held)
{
	lock_fn *const calls[] = { rangelock_rdlock, rangelock_tryrdlock, rangelock_wrlock,
				   rangelock_trywrlock, timedwr };
	struct rangelock lock;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER, far = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_init(&lock, &attrs[_i]), 0);
	for (int engine = 0; engine < 2; engine++) { /* alone, or not */
		if (engine)
			ck_assert_int_eq(rangelock_wrlock(&lock, &far, 100, 200), 0);
		for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
			/* So that there is something to acquire. */
			ck_assert_int_eq(rangelock_wrlock(&lock, &req, 10, 20), 0);
			ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);

			forget(&lock);
			ck_assert_int_eq(calls[i](&lock, &req, 10, 20), 0);
			ck_assert_int_gt(seen.n_acquired, 0);
			ck_assert(seen.was_locked);
			ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
			ck_assert_int_gt(seen.n_released, 0);
			ck_assert(seen.was_locked);
		}
	}
	forget(NULL);
	ck_assert_int_eq(rangelock_unlock(&lock, &far), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

static void say_nothing(const char *text, size_t length)
{
	(void)text, (void)length;
}

START_TEST(a_lock_call_that_fails_acquires_nothing)
{
	struct rangelock lock;
	struct rangelock_req holder = RANGELOCK_REQ_INITIALIZER, req = RANGELOCK_REQ_INITIALIZER;
	struct rangelock_req fresh = RANGELOCK_REQ_INITIALIZER;

	rl_check_tell = say_nothing;
	ck_assert_int_eq(rangelock_init(&lock, &attrs[_i]), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 10, 20), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 10, 20), 0);
	forget(NULL);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &req, 10, 20), EBUSY);
	ck_assert_int_eq(timedwr(&lock, &req, 10, 20), _i ? EDEADLK : ETIMEDOUT);
	ck_assert_int_eq(rangelock_wrlock(&lock, &req, 20, 10), EINVAL);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), EPERM);
	ck_assert_int_eq(rangelock_unlock(&lock, &fresh), EPERM);
	ck_assert_int_eq(rangelock_destroy(&lock), EBUSY);
	ck_assert_int_eq(seen.n_acquired, 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

START_TEST(a_commit_names_what_it_holds)
{
	static const struct rangelock_attr engines[] = { { .engine = RANGELOCK_TREE },
							 { .engine = RANGELOCK_LIST } };
	struct rangelock lock;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER, other = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_init(&lock, &engines[_i]), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &req, 10, 20), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0); /* there is something to acquire */
	ck_assert_int_eq(rangelock_reserve(&lock, &req, 10, 20), 0);
	forget(&lock);
	ck_assert_int_eq(rangelock_commit(&lock, &req, NULL), 0);
	ck_assert_int_gt(seen.n_acquired, 0);
	ck_assert(seen.was_locked);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &req, 10, 20), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &other, 19, 21), 0);
	forget(&lock);
	ck_assert_int_eq(rangelock_commit(&lock, &req, NULL), ECANCELED);
	ck_assert_int_eq(seen.n_acquired, 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &other), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

START_TEST(destroy_comes_after_every_unlock)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	for (int write = 0; write < 2; write++) {
		ck_assert_int_eq(rangelock_init(&lock, NULL), 0);
		forget(NULL);
		ck_assert_int_eq((write ? rangelock_wrlock : rangelock_rdlock)(&lock, &req, 10, 20),
				 0);
		ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
		ck_assert(!seen.met);
		ck_assert_int_eq(rangelock_destroy(&lock), 0);
		ck_assert(seen.met);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("annotate");
	TCase *tc = tcase_create("annotate");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, neighbours_meet_where_they_overlap_and_nowhere_else);
	tcase_add_test(tc, ranges_that_overlap_always_meet_and_others_hardly_ever);
	tcase_add_test(tc, two_locks_hardly_ever_meet);
	tcase_add_test(tc, aligned_ranges_have_few_names);
	tcase_add_test(tc, readers_do_not_meet);
	tcase_add_loop_test(tc, names_are_named_while_the_range_is_held, 0, 2);
	tcase_add_loop_test(tc, a_lock_call_that_fails_acquires_nothing, 0, 2);
	tcase_add_loop_test(tc, a_commit_names_what_it_holds, 0, 2);
	tcase_add_test(tc, destroy_comes_after_every_unlock);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}

#endif
