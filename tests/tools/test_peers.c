/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every lock of rangelock-bench excludes whom it says, and nobody else: what a comparison
 * is worth if the peer is a lock.  Each oracle is shown twins that are broken.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/lock.h"
#include "bench/peers/peers.h"
#include "common/clock.h"
#include "common/random.h"
#include "support/suite.h"

enum { GRAIN = 4096, SLOTS = 64, CROWDED = 10, THREADS = 4, LOCKS = 32 };

/* ---- Locks, and twins of them that are broken ---- */

static const struct bench_lock *twin_of;

/* Twins take less than they are asked for. */
static int take_short(void *lock, void *handle, const struct op *op)
{
	struct op less = *op;

	if (less.end - less.start > GRAIN)
		less.end -= GRAIN;
	return twin_of->take(lock, handle, &less);
}

static int give_short(void *lock, void *handle, const struct op *op)
{
	struct op less = *op;

	if (less.end - less.start > GRAIN)
		less.end -= GRAIN;
	return twin_of->give(lock, handle, &less);
}

static int take_read(void *lock, void *handle, const struct op *op)
{
	struct op read = { op->start, op->end, false };

	return twin_of->take(lock, handle, &read);
}

static int give_read(void *lock, void *handle, const struct op *op)
{
	struct op read = { op->start, op->end, false };

	return twin_of->give(lock, handle, &read);
}

/* More than they are asked for. */
static int take_all(void *lock, void *handle, const struct op *op)
{
	struct op all = { 0, (uint64_t)SLOTS * GRAIN, op->write };

	return twin_of->take(lock, handle, &all);
}

static int give_all(void *lock, void *handle, const struct op *op)
{
	struct op all = { 0, (uint64_t)SLOTS * GRAIN, op->write };

	return twin_of->give(lock, handle, &all);
}

static struct bench_lock twin(const struct bench_lock *of,
			      int (*take)(void *, void *, const struct op *),
			      int (*give)(void *, void *, const struct op *))
{
	struct bench_lock broken = *of;

	twin_of = of;
	broken.take = take;
	broken.give = give;
	return broken;
}

static const struct bench_lock *locks[LOCKS];
static int n_locks;

static void find_locks(void)
{
	for (unsigned i = 0; bench_locks[i]; i++)
		if (bench_locks[i]->guards && bench_locks[i]->available())
			locks[n_locks++] = bench_locks[i];
}

static void *make_lock(const struct bench_lock *lock)
{
	struct setting setting = { THREADS, (uint64_t)SLOTS * GRAIN, GRAIN };

	return lock->create(&setting);
}

static void *make_handle(const struct bench_lock *lock, void *object, unsigned thread)
{
	void *handle = new_lock(lock->handle_size);

	lock->prepare(object, handle, thread);
	return handle;
}

/* ---- Two requests: who waits for whom ---- */

struct other {
	const struct bench_lock *lock;
	void *object, *handle;
	struct op op;
	atomic_bool granted;
};

static void *take_and_give(void *arg)
{
	struct other *other = arg;

	must(other->lock->take(other->object, other->handle, &other->op) == 0);
	atomic_store(&other->granted, true);
	must(other->lock->give(other->object, other->handle, &other->op) == 0);
	return NULL;
}

static bool granted_within(struct other *other, int64_t ns)
{
	for (int64_t end = clock_ns() + ns; clock_ns() < end; sleep_ns(100000))
		if (atomic_load(&other->granted))
			return true;
	return atomic_load(&other->granted);
}

/* Does b wait while a is held?  What is granted is soon; what must wait is given some time to fail to. */
static bool waits(const struct bench_lock *lock, void *object, struct op a, struct op b,
		  bool expected)
{
	struct other other = { lock, object, make_handle(lock, object, 1), b, false };
	void *handle = make_handle(lock, object, 0);
	pthread_t thread;

	must(lock->take(object, handle, &a) == 0);
	must(pthread_create(&thread, NULL, take_and_give, &other) == 0);
	bool waited = !granted_within(&other, expected ? NS_PER_S / 200 : 2 * (int64_t)NS_PER_S);
	must(lock->give(object, handle, &a) == 0);
	pthread_join(thread, NULL);
	free(other.handle);
	free(handle);
	return waited;
}

static bool conflict(const struct bench_lock *lock, struct op a, struct op b)
{
	return (lock->whole || (a.start < b.end && b.start < a.end)) &&
	       (lock->no_readers || a.write || b.write);
}

/* How many of all relations two ranges can have it gets wrong. */
static unsigned wrong_conflicts(const struct bench_lock *lock, unsigned most)
{
	static const struct {
		uint64_t start, end;
	} ranges[] = { { 0, 4 },   { 4, 8 },   { 6, 9 },      { 8, 16 },   { 9, 10 },
		       { 15, 17 }, { 16, 17 }, { 20, SLOTS }, { 0, SLOTS } };
	void *object = make_lock(lock);
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (unsigned modes = 0; modes < 4 && wrong < most; modes++) {
			struct op a = { 8 * GRAIN, 16 * GRAIN, modes & 1 };
			struct op b = { ranges[i].start * GRAIN, ranges[i].end * GRAIN, modes & 2 };
			bool expected = conflict(lock, a, b);

			wrong += waits(lock, object, a, b, expected) != expected;
		}
	lock->destroy(object);
	return wrong;
}

START_TEST(two_requests_conflict_as_it_says)
{
	ck_assert_msg(wrong_conflicts(locks[_i], 1) == 0, "%s", locks[_i]->name);
}
END_TEST

START_TEST(a_twin_that_takes_less_or_more_is_noticed)
{
	const struct bench_lock *lock = locks[_i];
	struct bench_lock shares = twin(lock, take_read, give_read);

	if (!lock->no_readers)
		ck_assert_msg(wrong_conflicts(&shares, 1) > 0, "%s that shares writes", lock->name);
	if (lock->whole) {
		struct bench_lock exact = *lock;
		exact.whole = false;
		ck_assert_msg(wrong_conflicts(&exact, 1) > 0, "%s as a range lock", lock->name);
		return;
	}
	struct bench_lock shorter = twin(lock, take_short, give_short);
	ck_assert_msg(wrong_conflicts(&shorter, 1) > 0, "%s cut short", lock->name);
	struct bench_lock all = twin(lock, take_all, give_all);
	ck_assert_msg(wrong_conflicts(&all, 1) > 0, "%s that takes all", lock->name);
}
END_TEST

/* ---- Many: nobody meets whom it must not ---- */

struct crowd {
	const struct bench_lock *lock;
	void *object;
	const struct op *wants;	  /* each thread's, or NULL: at random */
	atomic_int owners[SLOTS]; /* readers, or -1 */
	atomic_bool stop;
	atomic_uint met;
	_Atomic uint64_t ops;
};

struct member {
	struct crowd *crowd;
	unsigned thread;
};

static void enter_slot(struct crowd *c, unsigned slot, bool write)
{
	bool wrong = write ? atomic_exchange(&c->owners[slot], -1) != 0
			   : atomic_fetch_add(&c->owners[slot], 1) < 0;

	if (wrong)
		atomic_fetch_add(&c->met, 1);
}

static void leave_slot(struct crowd *c, unsigned slot, bool write)
{
	bool wrong = write ? atomic_exchange(&c->owners[slot], 0) != -1
			   : atomic_fetch_sub(&c->owners[slot], 1) < 1;

	if (wrong)
		atomic_fetch_add(&c->met, 1);
}

static struct op random_op(struct rng *rng)
{
	uint64_t start = rng_below(rng, CROWDED), length = 1 + rng_below(rng, 8);
	uint64_t end = start + length < CROWDED ? start + length : CROWDED;

	return (struct op){ start * GRAIN, end * GRAIN, rng_one_in(rng, 2) };
}

static void *mingle(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;
	struct rng rng = rng_make(test_seed(), m->thread);
	void *handle = make_handle(c->lock, c->object, m->thread);

	while (!atomic_load(&c->stop) && !atomic_load(&c->met)) {
		struct op op = c->wants ? c->wants[m->thread] : random_op(&rng);

		must(c->lock->take(c->object, handle, &op) == 0);
		for (uint64_t s = op.start / GRAIN; s < op.end / GRAIN; s++)
			enter_slot(c, (unsigned)s, op.write);
		if (rng_one_in(&rng, 2))
			sched_yield();
		for (uint64_t s = op.start / GRAIN; s < op.end / GRAIN; s++)
			leave_slot(c, (unsigned)s, op.write);
		must(c->lock->give(c->object, handle, &op) == 0);
		atomic_fetch_add(&c->ops, 1);
	}
	free(handle);
	return NULL;
}

/* Do any meet within that time?  It ends with the first. */
static bool any_meet(const struct bench_lock *lock, const struct op *wants, int64_t ns)
{
	static struct crowd crowd;
	struct member members[THREADS];
	pthread_t threads[THREADS];

	memset(&crowd, 0, sizeof(crowd));
	crowd.lock = lock;
	crowd.object = make_lock(lock);
	crowd.wants = wants;
	for (unsigned i = 0; i < THREADS; i++) {
		members[i] = (struct member){ &crowd, i };
		must(pthread_create(&threads[i], NULL, mingle, &members[i]) == 0);
	}
	for (int64_t end = clock_ns() + ns; clock_ns() < end && !atomic_load(&crowd.met);)
		sleep_ns(NS_PER_S / 100);
	atomic_store(&crowd.stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	lock->destroy(crowd.object);
	ck_assert(atomic_load(&crowd.ops) + atomic_load(&crowd.met) > 0);
	return atomic_load(&crowd.met) > 0;
}

START_TEST(none_meet_who_must_not)
{
	ck_assert_msg(!any_meet(locks[_i], NULL, (int64_t)scaled(NS_PER_S / 2)), "%s",
		      locks[_i]->name);
}
END_TEST

START_TEST(a_twin_in_which_they_meet_is_noticed)
{
	const struct bench_lock *lock = locks[_i];
	struct bench_lock broken = lock->whole || !lock->no_readers
				       ? twin(lock, take_read, give_read)
				       : twin(lock, take_short, give_short);

	if (lock->whole && lock->no_readers)
		return; /* whatever it is asked for, it takes the same */
	ck_assert_msg(any_meet(&broken, NULL, 10 * (int64_t)NS_PER_S), "%s", lock->name);
}
END_TEST

/* ---- The list of Kogan, Dice and Issa, its windows wide open ---- */

extern const struct bench_lock lock_kogan_wide, lock_kogan_blind;

START_TEST(the_looks_after_insertion_are_needed_and_enough)
{
	/* A read and a write that overlap, and most of the time a read that stands between
	 * where they begin: so that they are inserted at different places. */
	static const struct op wants[THREADS] = { { 2 * GRAIN, 3 * GRAIN, false },
						  { 0, 5 * GRAIN, false },
						  { 3 * GRAIN, 7 * GRAIN, true },
						  { 2 * GRAIN, 3 * GRAIN, false } };

	ck_assert(!any_meet(&lock_kogan_wide, NULL, (int64_t)scaled(NS_PER_S)));
	ck_assert(!any_meet(&lock_kogan_wide, wants, (int64_t)scaled(NS_PER_S)));
	ck_assert(any_meet(&lock_kogan_blind, wants, 20 * (int64_t)NS_PER_S));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("peers");
	TCase *tc = tcase_create("peers");

	find_locks();
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, two_requests_conflict_as_it_says, 0, n_locks);
	tcase_add_loop_test(tc, a_twin_that_takes_less_or_more_is_noticed, 0, n_locks);
	tcase_add_loop_test(tc, none_meet_who_must_not, 0, n_locks);
	tcase_add_loop_test(tc, a_twin_in_which_they_meet_is_noticed, 0, n_locks);
	tcase_add_test(tc, the_looks_after_insertion_are_needed_and_enough);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
