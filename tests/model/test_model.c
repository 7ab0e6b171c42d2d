/* SPDX-License-Identifier: BSD-2-Clause */
/* The library against the model at random; the model by itself against cases
 * computed by hand; and whether the comparison finds a model that is wrong. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "model/differential.h"
#include "support/suite.h"

enum { LONGEST = 400 * OPERATION_BYTES, A_HANDFUL = 12 /* operations */ };

/* ---- The model by itself ---- */

static struct model m;

static void setup(void)
{
	model_init(&m, MODEL_SOUND);
}

static int rd(int who, uint64_t start, uint64_t end, enum model_patience patience)
{
	return model_lock(&m, who, &(struct rangelock_range){ start, end, RANGELOCK_READ },
			  patience);
}

static int wr(int who, uint64_t start, uint64_t end, enum model_patience patience)
{
	return model_lock(&m, who, &(struct rangelock_range){ start, end, RANGELOCK_WRITE },
			  patience);
}

static int nested(int who, uint64_t start, uint64_t end, int outer)
{
	return model_rdlock_nested(&m, who, start, end, outer);
}

static int blockers(int who)
{
	return model_blockers(&m, model_find(&m, who));
}

static bool covered(uint64_t start, uint64_t end, enum rangelock_mode mode)
{
	return model_is_locked(&m, &(struct rangelock_range){ start, end, mode });
}

/* The i-th call that the last one made return. */
#define assert_answer(i, w, r)                            \
	do {                                              \
		ck_assert_int_lt(i, m.answered);          \
		ck_assert_int_eq(m.answers[i].who, w);    \
		ck_assert_int_eq(m.answers[i].result, r); \
	} while (0)

START_TEST(who_conflicts_waits_and_others_do_not)
{
	ck_assert_int_eq(wr(0, 4, 8, FOREVER), 0);
	ck_assert_int_eq(wr(1, 8, 12, FOREVER), 0); /* touches */
	ck_assert_int_eq(rd(2, 0, 4, FOREVER), 0);
	ck_assert_int_eq(rd(3, 0, 4, FOREVER), 0); /* shares */
	ck_assert_int_eq(rd(4, 7, 9, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_blockers(&m, 4), 2);
	ck_assert_int_eq(wr(5, 0, RANGELOCK_MAX, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_blockers(&m, 5), 5);
}
END_TEST

START_TEST(grants_follow_the_order_of_arrival)
{
	ck_assert_int_eq(rd(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(wr(1, 5, 10, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(rd(2, 9, 12, FOREVER), MODEL_WAITS); /* not past the writer */
	ck_assert_int_eq(rd(3, 0, 5, FOREVER), 0);

	ck_assert_int_eq(model_unlock(&m, 0), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 1, 0);
	ck_assert_int_eq(model_unlock(&m, 1), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 2, 0);
}
END_TEST

START_TEST(who_gives_up_leaves_as_if_never_there)
{
	ck_assert_int_eq(rd(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(wr(1, 0, 10, UNTIL), MODEL_WAITS);
	ck_assert_int_eq(rd(2, 0, 5, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(rd(3, 5, 10, FOREVER), MODEL_WAITS);
	model_deadline(&m, 1);
	ck_assert_int_eq(m.answered, 3);
	assert_answer(0, 1, ETIMEDOUT);
	assert_answer(1, 2, 0);
	assert_answer(2, 3, 0);

	ck_assert_int_eq(wr(1, 0, 10, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_cancel(&m, 1), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 1, ECANCELED);
	ck_assert_int_eq(model_find(&m, 1), -1);
}
END_TEST

START_TEST(patience_decides_only_where_one_must_wait)
{
	for (int patience = TRY; patience <= ASYNC; patience++) {
		ck_assert_int_eq(wr(0, 0, 10, (enum model_patience)patience), 0);
		ck_assert_int_eq(model_unlock(&m, 0), 0);
	}
	ck_assert_int_eq(wr(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(rd(1, 9, 10, TRY), EBUSY);
	ck_assert_int_eq(rd(1, 9, 10, ASYNC), EINPROGRESS);
	ck_assert_int_eq(model_cancel(&m, 1), 0);
	assert_answer(0, 1, ECANCELED);
	ck_assert_int_eq(rd(1, 9, 10, UNSOUND), EINVAL);
	ck_assert_int_eq(m.n, 1);
	/* A try minds those who wait, too. */
	ck_assert_int_eq(rd(2, 5, 15, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(wr(1, 12, 13, TRY), EBUSY);
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
	ck_assert_int_eq(rd(0, 5, 5, FOREVER), EINVAL);
	ck_assert_int_eq(rd(0, 6, 5, FOREVER), EINVAL);
	ck_assert_int_eq(model_unlock(&m, 0), EPERM);
	ck_assert_int_eq(model_cancel(&m, 0), EBUSY);
	ck_assert_int_eq(wr(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(wr(0, 20, 30, FOREVER), EINVAL);
	ck_assert_int_eq(wr(1, 0, 10, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_unlock(&m, 1), EPERM);
	ck_assert_int_eq(model_cancel(&m, 0), EBUSY);
	ck_assert_int_eq(model_destroy(&m), EBUSY);
	ck_assert_int_eq(model_unlock(&m, 0), 0);
	ck_assert_int_eq(model_unlock(&m, 1), 0);
	ck_assert_int_eq(model_destroy(&m), 0);
	ck_assert_int_eq(model_destroy(&m), EINVAL);
	ck_assert_int_eq(wr(0, 0, 10, FOREVER), EINVAL);
	ck_assert_int_eq(model_unlock(&m, 0), EINVAL);
	ck_assert_int_eq(model_cancel(&m, 0), EINVAL);
}
END_TEST

START_TEST(is_locked_means_every_unit_in_the_mode)
{
	ck_assert_int_eq(wr(0, 0, 4, FOREVER), 0);
	ck_assert_int_eq(rd(1, 4, 8, FOREVER), 0);
	ck_assert_int_eq(wr(2, 9, RANGELOCK_MAX, FOREVER), 0);
	ck_assert_int_eq(wr(3, 6, 9, FOREVER), MODEL_WAITS);
	ck_assert(covered(0, 8, RANGELOCK_READ));
	ck_assert(covered(3, 5, RANGELOCK_READ));
	ck_assert(!covered(3, 5, RANGELOCK_WRITE));
	ck_assert(covered(0, 4, RANGELOCK_WRITE));
	ck_assert(!covered(0, 9, RANGELOCK_READ));
	ck_assert(!covered(0, RANGELOCK_MAX, RANGELOCK_READ));
	ck_assert(!covered(8, 9, RANGELOCK_READ));
	ck_assert(covered(9, RANGELOCK_MAX, RANGELOCK_WRITE));
	ck_assert(!covered(5, 5, RANGELOCK_READ));
}
END_TEST

START_TEST(downgrade_grants_those_that_no_longer_conflict)
{
	ck_assert_int_eq(model_downgrade(&m, 0), EPERM);
	ck_assert_int_eq(wr(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(rd(1, 0, 5, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(wr(2, 5, 10, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(rd(3, 8, 9, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_downgrade(&m, 1), EPERM);
	ck_assert_int_eq(model_downgrade(&m, 0), 0);
	ck_assert_int_eq(m.answered, 1); /* not 3: the writer came first */
	assert_answer(0, 1, 0);
	ck_assert_int_eq(model_downgrade(&m, 0), 0);
	ck_assert(covered(0, 10, RANGELOCK_READ) && !covered(0, 1, RANGELOCK_WRITE));
}
END_TEST

START_TEST(upgrade_goes_before_all_that_wait_but_nested_reads)
{
	ck_assert_int_eq(rd(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(rd(1, 5, 15, FOREVER), 0);
	ck_assert_int_eq(wr(2, 0, 5, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_upgrade(&m, 0, TRY), EBUSY);
	ck_assert_int_eq(model_upgrade(&m, 0, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(blockers(0), 1);
	ck_assert_int_eq(blockers(2), 1);
	ck_assert(covered(0, 10, RANGELOCK_READ)); /* held all the time */
	ck_assert_int_eq(rd(3, 9, 10, TRY), EBUSY);
	ck_assert_int_eq(rd(3, 9, 10, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(nested(4, 9, 20, 1), 0); /* past the upgrade */
	ck_assert_int_eq(blockers(0), 2);
	ck_assert_int_eq(model_upgrade(&m, 1, FOREVER), EDEADLK);
	ck_assert_int_eq(model_upgrade(&m, 1, TRY), EBUSY);
	ck_assert_int_eq(model_unlock(&m, 4), 0);
	ck_assert_int_eq(model_unlock(&m, 1), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 0, 0);
	ck_assert(covered(0, 10, RANGELOCK_WRITE));
	ck_assert_int_eq(model_upgrade(&m, 0, FOREVER), 0); /* it is a write */
	ck_assert_int_eq(model_upgrade(&m, 0, TRY), 0);
	ck_assert_int_eq(model_upgrade(&m, 2, FOREVER), EPERM);

	/* A nested read that waits itself goes first. */
	ck_assert_int_eq(rd(5, 20, 30, FOREVER), 0);
	ck_assert_int_eq(wr(6, 30, 40, FOREVER), 0);
	ck_assert_int_eq(nested(7, 25, 35, 5), MODEL_WAITS);
	ck_assert_int_eq(model_upgrade(&m, 5, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(blockers(5), 1);
	ck_assert_int_eq(model_unlock(&m, 6), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 7, 0);
	ck_assert_int_eq(blockers(5), 1);
}
END_TEST

START_TEST(a_cancelled_upgrade_is_a_read)
{
	ck_assert_int_eq(rd(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(rd(1, 0, 10, FOREVER), 0);
	ck_assert_int_eq(model_upgrade(&m, 0, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(rd(2, 0, 10, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_cancel(&m, 0), 0);
	ck_assert_int_eq(m.answered, 2);
	assert_answer(0, 0, ECANCELED);
	assert_answer(1, 2, 0);
	ck_assert_int_eq(model_cancel(&m, 0), EBUSY);
	ck_assert_int_eq(model_unlock(&m, 0), 0);
}
END_TEST

START_TEST(reduce_gives_up_the_rest)
{
	ck_assert_int_eq(model_reduce(&m, 0, 0, 1), EPERM);
	ck_assert_int_eq(wr(0, 5, 15, FOREVER), 0);
	ck_assert_int_eq(rd(1, 0, 6, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(rd(2, 14, 15, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(rd(3, 6, 7, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_reduce(&m, 0, 4, 10), EINVAL);
	ck_assert_int_eq(model_reduce(&m, 0, 10, 16), EINVAL);
	ck_assert_int_eq(model_reduce(&m, 0, 10, 10), EINVAL);
	ck_assert_int_eq(model_reduce(&m, 0, 6, 14), 0);
	ck_assert_int_eq(m.answered, 2);
	assert_answer(0, 1, 0);
	assert_answer(1, 2, 0);
	ck_assert_int_eq(blockers(3), 1);
	ck_assert(covered(6, 14, RANGELOCK_WRITE) && !covered(5, 14, RANGELOCK_WRITE));
}
END_TEST

START_TEST(split_changes_who_holds_and_nothing_else)
{
	ck_assert_int_eq(model_split(&m, 0, 5, 1), EPERM);
	ck_assert_int_eq(wr(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(wr(1, 20, 30, FOREVER), 0);
	ck_assert_int_eq(rd(2, 4, 6, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_split(&m, 0, 0, 3), EINVAL);
	ck_assert_int_eq(model_split(&m, 0, 10, 3), EINVAL);
	ck_assert_int_eq(model_split(&m, 0, 5, 1), EINVAL); /* in use */
	ck_assert_int_eq(model_split(&m, 0, 5, 0), EINVAL);
	ck_assert_int_eq(model_split(&m, 0, 5, 3), 0);
	ck_assert_int_eq(m.answered, 0);
	ck_assert_int_eq(blockers(2), 2);
	ck_assert(covered(0, 10, RANGELOCK_WRITE));
	ck_assert_int_eq(model_unlock(&m, 3), 0);
	ck_assert(covered(0, 5, RANGELOCK_WRITE) && !covered(0, 6, RANGELOCK_READ));
}
END_TEST

START_TEST(tryextend_minds_what_it_adds_only)
{
	ck_assert_int_eq(model_tryextend(&m, 0, 0, 1), EPERM);
	ck_assert_int_eq(rd(0, 5, 10, FOREVER), 0);
	ck_assert_int_eq(wr(1, 6, 8, FOREVER), MODEL_WAITS); /* behind what is held */
	ck_assert_int_eq(wr(2, 20, 30, FOREVER), 0);
	ck_assert_int_eq(rd(3, 0, 3, FOREVER), 0);
	ck_assert_int_eq(model_tryextend(&m, 0, 6, 20), EINVAL);
	ck_assert_int_eq(model_tryextend(&m, 0, 5, 21), EBUSY);
	ck_assert_int_eq(model_tryextend(&m, 0, 2, 20), 0); /* reads share */
	ck_assert(covered(2, 20, RANGELOCK_READ));
	ck_assert_int_eq(wr(4, 0, 2, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_tryextend(&m, 0, 1, 20), EBUSY); /* one waits there */
	ck_assert_int_eq(model_tryextend(&m, 2, 20, RANGELOCK_MAX), 0);
}
END_TEST

START_TEST(nested_reads_wait_for_held_writes_only)
{
	ck_assert_int_eq(rd(0, 0, 1000, FOREVER), 0);
	ck_assert_int_eq(wr(1, 500, 1500, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(rd(2, 1000, 1500, TRY), EBUSY);
	ck_assert_int_eq(nested(2, 1000, 1500, 3), EPERM);
	ck_assert_int_eq(nested(2, 1000, 1500, 1), EPERM); /* waits */
	ck_assert_int_eq(nested(0, 1000, 1500, 0), EINVAL);
	ck_assert_int_eq(nested(2, 1000, 1500, 0), 0);
	ck_assert_int_eq(blockers(1), 2);

	ck_assert_int_eq(wr(3, 2000, 2010, FOREVER), 0);
	ck_assert_int_eq(wr(4, 2000, 2020, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(nested(5, 2005, 2015, 0), MODEL_WAITS);
	ck_assert_int_eq(blockers(5), 1);
	ck_assert_int_eq(blockers(4), 2);
	ck_assert_int_eq(model_unlock(&m, 3), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 5, 0);
}
END_TEST

START_TEST(a_vector_arrives_as_one)
{
	const struct rangelock_range two[] = { { 0, 5, RANGELOCK_WRITE },
					       { 5, 10, RANGELOCK_READ } };
	const struct rangelock_range over[] = { { 0, 5, RANGELOCK_READ },
						{ 4, 9, RANGELOCK_READ } };
	const struct rangelock_range bad[] = { { 0, 5, RANGELOCK_READ },
					       { 4, 9, RANGELOCK_WRITE } };

	ck_assert_int_eq(model_lockv(&m, 0, bad, 2, FOREVER), EINVAL);
	ck_assert_int_eq(model_lockv(&m, 0, two, 0, FOREVER), EINVAL);
	ck_assert_int_eq(model_lockv(&m, 0, over, 2, FOREVER), 0);
	ck_assert_int_eq(model_lockv(&m, 1, over, 2, FOREVER), EINVAL); /* 1 is in use */
	ck_assert_int_eq(model_lockv(&m, 2, two, 2, UNSOUND), EINVAL);
	ck_assert_int_eq(model_lockv(&m, 2, two, 2, UNTIL), MODEL_WAITS);
	ck_assert_int_eq(blockers(2), 2);
	ck_assert_int_eq(blockers(3), 0); /* and waits for the other */
	ck_assert_int_eq(model_unlockv(&m, 0, 3), EPERM);
	ck_assert_int_eq(m.n, 4);
	ck_assert_int_eq(wr(4, 9, 12, FOREVER), MODEL_WAITS);
	model_deadline(&m, 2);
	ck_assert_int_eq(m.answered, 2);
	assert_answer(0, 2, ETIMEDOUT);
	assert_answer(1, 4, 0);
	ck_assert_int_eq(m.n, 3);

	ck_assert_int_eq(model_lockv(&m, 2, two, 2, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_unlockv(&m, 0, 2), 0);
	ck_assert_int_eq(m.answered, 0);
	ck_assert_int_eq(model_cancel(&m, 2), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 2, ECANCELED);
	ck_assert_int_eq(m.n, 1);

	ck_assert_int_eq(model_lockv(&m, 2, two, 2, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_unlock(&m, 4), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 2, 0);
	ck_assert_int_eq(model_unlockv(&m, 2, 2), 0);
	ck_assert_int_eq(model_unlockv(&m, 2, 2), EPERM);
}
END_TEST

START_TEST(reservations_are_disjoint_and_keep_from_written_ranges)
{
	ck_assert_int_eq(rd(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(model_reserve(&m, 1, 0, 5), 0); /* reads are no matter */
	ck_assert_int_eq(model_reserve(&m, 1, 20, 25), EINVAL);
	ck_assert_int_eq(wr(1, 20, 25, FOREVER), EINVAL);
	ck_assert_int_eq(model_unlock(&m, 1), EPERM);
	ck_assert_int_eq(model_cancel(&m, 1), EBUSY);
	ck_assert_int_eq(model_reserve(&m, 2, 4, 6), EBUSY);
	ck_assert_int_eq(wr(3, 8, 12, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_reserve(&m, 2, 11, 12), EBUSY); /* waits there */
	ck_assert_int_eq(model_reserve(&m, 2, 5, 8), 0);
	ck_assert_int_eq(rd(4, 0, 3, TRY), 0); /* no lock call minds them */
	ck_assert(model_is_reserved(&m, 1) && model_is_reserved(&m, 2));
	ck_assert_int_eq(model_unreserve(&m, 2), 0);
	ck_assert_int_eq(model_unreserve(&m, 2), EPERM);
	ck_assert_int_eq(model_unlock(&m, 0), 0);
	ck_assert_int_eq(model_unlock(&m, 3), 0);
	ck_assert_int_eq(model_unlock(&m, 4), 0);
	ck_assert_int_eq(model_destroy(&m), EBUSY);
	ck_assert_int_eq(model_commit(&m, 1, UNSOUND), 0);
	ck_assert(covered(0, 5, RANGELOCK_WRITE) && !model_is_reserved(&m, 1));
	ck_assert_int_eq(model_unlock(&m, 1), 0);
	ck_assert_int_eq(model_commit(&m, 1, FOREVER), EPERM);
}
END_TEST

START_TEST(write_grants_revoke_and_nothing_else)
{
	const struct rangelock_range two[] = { { 0, 5, RANGELOCK_WRITE },
					       { 5, 10, RANGELOCK_READ } };

	ck_assert_int_eq(wr(0, 9, 12, FOREVER), 0);
	ck_assert_int_eq(model_reserve(&m, 1, 2, 4), 0);
	ck_assert_int_eq(wr(2, 3, 10, TRY), EBUSY);
	ck_assert_int_eq(wr(2, 3, 10, UNTIL), MODEL_WAITS);
	model_deadline(&m, 2);
	ck_assert_int_eq(model_lockv(&m, 2, two, 2, UNTIL), MODEL_WAITS);
	model_deadline(&m, 2); /* held in part, and failed */
	ck_assert_int_eq(rd(2, 0, 9, FOREVER), 0);
	ck_assert(model_is_reserved(&m, 1));

	ck_assert_int_eq(model_upgrade(&m, 2, FOREVER), 0);
	ck_assert(!model_is_reserved(&m, 1));
	ck_assert_int_eq(model_commit(&m, 1, FOREVER), ECANCELED);
	ck_assert_int_eq(model_commit(&m, 1, FOREVER), EPERM);

	ck_assert_int_eq(model_reserve(&m, 1, 20, 30), 0);
	ck_assert_int_eq(model_tryextend(&m, 0, 9, 21), 0);
	ck_assert_int_eq(wr(1, 20, 30, TRY), EBUSY); /* as if idle; no change */
	ck_assert_int_eq(model_unreserve(&m, 1), ECANCELED);

	ck_assert_int_eq(model_reserve(&m, 1, 30, 40), 0);
	ck_assert_int_eq(model_reserve(&m, 3, 40, 50), 0);
	ck_assert_int_eq(model_commit(&m, 3, FOREVER), 0); /* beside */
	ck_assert(model_is_reserved(&m, 1));
	ck_assert_int_eq(wr(4, 39, 40, TRY), 0);
	ck_assert_int_eq(rd(1, 60, 70, FOREVER), 0);
	ck_assert_int_eq(model_unlock(&m, 1), 0);
	ck_assert_int_eq(model_commit(&m, 1, FOREVER), EPERM); /* used since */
}
END_TEST

START_TEST(a_commit_waits_and_its_reservation_stands)
{
	ck_assert_int_eq(rd(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(model_reserve(&m, 1, 5, 15), 0);
	ck_assert_int_eq(model_commit(&m, 1, UNSOUND), EINVAL);
	ck_assert_int_eq(model_commit(&m, 1, UNTIL), MODEL_WAITS);
	ck_assert(model_is_reserved(&m, 1));
	ck_assert_int_eq(model_reserve(&m, 2, 10, 12), EBUSY);
	ck_assert_int_eq(rd(2, 12, 13, FOREVER), MODEL_WAITS); /* it is a write */
	ck_assert_int_eq(model_unreserve(&m, 1), EPERM);
	model_deadline(&m, 1);
	ck_assert_int_eq(m.answered, 2);
	assert_answer(0, 1, ETIMEDOUT);
	assert_answer(1, 2, 0);
	ck_assert(model_is_reserved(&m, 1));

	ck_assert_int_eq(model_commit(&m, 1, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_cancel(&m, 1), 0);
	assert_answer(0, 1, ECANCELED);
	ck_assert_int_eq(model_commit(&m, 1, FOREVER), EPERM);

	/* A writer that came first revokes it, and it is gone from the queue. */
	ck_assert_int_eq(model_reserve(&m, 1, 5, 15), 0);
	ck_assert_int_eq(wr(3, 0, 6, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_commit(&m, 1, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(blockers(1), 3);
	ck_assert_int_eq(rd(4, 14, 15, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_unlock(&m, 0), 0);
	ck_assert_int_eq(m.answered, 3);
	assert_answer(0, 3, 0);
	assert_answer(1, 1, ECANCELED);
	assert_answer(2, 4, 0);
	ck_assert_int_eq(model_commit(&m, 1, FOREVER), EPERM);
}
END_TEST

START_TEST(reserve_gap_finds_the_lowest)
{
	const uint64_t max = UINT64_MAX;
	uint64_t start = 0;

	ck_assert_int_eq(wr(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(model_reserve(&m, 1, 12, 20), 0);
	ck_assert_int_eq(rd(2, 0, max, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_reserve_gap(&m, 3, 0, 1, 0, 10, &start), EINVAL);
	ck_assert_int_eq(model_reserve_gap(&m, 3, 1, 0, 0, 10, &start), EINVAL);
	ck_assert_int_eq(model_reserve_gap(&m, 3, 1, 1, 10, 10, &start), EINVAL);
	ck_assert_int_eq(model_reserve_gap(&m, 1, 1, 1, 0, 30, &start), EINVAL);
	ck_assert_int_eq(model_reserve_gap(&m, 3, 3, 1, 0, 22, &start), ENOSPC);
	ck_assert_int_eq(model_reserve_gap(&m, 3, 3, 8, 0, 26, &start), ENOSPC);
	ck_assert_int_eq(model_reserve_gap(&m, 3, 2, 1, 0, 30, &start), 0);
	ck_assert_uint_eq(start, 10);
	ck_assert_int_eq(model_reserve_gap(&m, 4, 3, 8, 0, 27, &start), 0);
	ck_assert_uint_eq(start, 24);
	ck_assert_int_eq(model_reserve_gap(&m, 5, 4, 1, max - 4, max, &start), 0);
	ck_assert_uint_eq(start, max - 4);
	ck_assert_int_eq(model_reserve_gap(&m, 6, 1, max, 100, max, &start), ENOSPC);
	ck_assert_int_eq(model_reserve_gap(&m, 6, 1, 7, max - 3, max, &start), ENOSPC);
}
END_TEST

START_TEST(who_chooses_again_takes_what_it_named_or_arrives_anew)
{
	const struct rangelock_range a = { 0, 5, RANGELOCK_READ }, b = { 5, 10, RANGELOCK_READ };

	ck_assert_int_eq(wr(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(model_lock(&m, 1, &a, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(wr(2, 0, 1, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(wr(3, 5, 10, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_unlock(&m, 0), 0);
	ck_assert_int_eq(m.answered, 2);
	assert_answer(0, 1, 0);
	assert_answer(1, 3, 0);
	ck_assert_int_eq(model_choose_again(&m, 1, 0, &b, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 2, 0);
	ck_assert_int_eq(model_unlock(&m, 3), 0);
	assert_answer(0, 1, 0);
	ck_assert_int_eq(model_choose_again(&m, 1, 0, &b, FOREVER), 0);
	ck_assert(covered(5, 10, RANGELOCK_READ));

	ck_assert_int_eq(model_lock(&m, 4, &a, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_unlock(&m, 2), 0);
	ck_assert_int_eq(model_choose_again(&m, 4, ENOENT, &a, FOREVER), ENOENT);
	ck_assert_int_eq(model_find(&m, 4), -1);
}
END_TEST

START_TEST(a_choice_revokes_when_it_is_taken)
{
	const struct rangelock_range a = { 0, 5, RANGELOCK_WRITE }, b = { 10, 15, RANGELOCK_WRITE };

	ck_assert_int_eq(model_reserve(&m, 1, 0, 5), 0);
	ck_assert_int_eq(model_reserve(&m, 2, 10, 15), 0);
	ck_assert_int_eq(rd(0, 0, 15, FOREVER), 0);
	ck_assert_int_eq(model_lock_chosen(&m, 3, &a, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_reduce(&m, 0, 5, 15), 0);
	assert_answer(0, 3, 0);
	ck_assert_int_eq(model_commit(&m, 1, FOREVER), MODEL_WAITS); /* for what may be given up */
	ck_assert_int_eq(model_choose_again(&m, 3, 0, &b, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 1, 0);
	ck_assert_int_eq(model_commit(&m, 2, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(model_unlock(&m, 0), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 3, 0);
	ck_assert_int_eq(model_choose_again(&m, 3, 0, &b, FOREVER), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 2, ECANCELED);
}
END_TEST

/* ---- With barging ---- */

START_TEST(arrivals_pass_who_waits_and_not_who_holds)
{
	m.barging = true;
	ck_assert_int_eq(wr(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(wr(1, 0, 20, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(wr(2, 10, 12, TRY), 0);
	ck_assert_int_eq(rd(3, 15, 16, UNSOUND), 0);
	ck_assert_int_eq(rd(4, 9, 10, TRY), EBUSY);
	ck_assert_int_eq(blockers(1), 1); /* not those that have passed */
	ck_assert_int_eq(model_unlock(&m, 0), 0);
	ck_assert_int_eq(m.answered, 0);
	ck_assert_int_eq(model_unlock(&m, 2), 0);
	ck_assert_int_eq(m.answered, 0);
	ck_assert_int_eq(model_unlock(&m, 3), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 1, MODEL_INVITED);
	ck_assert(!covered(0, 1, RANGELOCK_READ));

	/* It comes, in vain, and is invited again. */
	ck_assert_int_eq(wr(2, 10, 12, TRY), 0);
	ck_assert_int_eq(model_come(&m, 1, true), MODEL_WAITS);
	ck_assert_int_eq(model_unlock(&m, 2), 0);
	assert_answer(0, 1, MODEL_INVITED);
	ck_assert_int_eq(rd(2, 0, 1, TRY), 0);
	ck_assert_int_eq(model_unlock(&m, 2), 0);
	ck_assert_int_eq(m.answered, 0); /* it has not come yet */
	ck_assert_int_eq(model_come(&m, 1, false), 0);
	ck_assert(covered(0, 20, RANGELOCK_WRITE));

	/* Too late. */
	ck_assert_int_eq(wr(3, 0, 20, UNTIL), MODEL_WAITS);
	ck_assert_int_eq(model_unlock(&m, 1), 0);
	assert_answer(0, 3, MODEL_INVITED);
	ck_assert_int_eq(rd(2, 0, 1, TRY), 0);
	ck_assert_int_eq(model_come(&m, 3, false), ETIMEDOUT);
	ck_assert_int_eq(model_find(&m, 3), -1);
}
END_TEST

START_TEST(some_are_not_passed_and_some_are_not_invited)
{
	const struct rangelock_range two[] = { { 0, 5, RANGELOCK_WRITE },
					       { 7, 10, RANGELOCK_WRITE } };

	m.barging = true;
	ck_assert_int_eq(wr(0, 0, 1, FOREVER), 0);
	ck_assert_int_eq(model_lockv(&m, 1, two, 2, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(wr(3, 9, 10, TRY), EBUSY);
	ck_assert_int_eq(wr(3, 5, 7, TRY), 0);
	ck_assert_int_eq(model_unlock(&m, 0), 0);
	assert_answer(0, 1, 0); /* held at once */
	ck_assert_int_eq(model_unlockv(&m, 1, 2), 0);

	/* An upgrade. */
	ck_assert_int_eq(rd(0, 0, 4, FOREVER), 0);
	ck_assert_int_eq(rd(1, 2, 4, FOREVER), 0);
	ck_assert_int_eq(model_upgrade(&m, 1, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(rd(2, 3, 4, TRY), EBUSY);
	ck_assert_int_eq(rd(2, 0, 1, TRY), 0);
	ck_assert_int_eq(model_unlock(&m, 0), 0);
	assert_answer(0, 1, 0);

	/* Submitted: behind who holds, and who has passed. */
	ck_assert_int_eq(wr(4, 0, 10, ASYNC), EINPROGRESS);
	ck_assert_int_eq(wr(5, 9, 10, TRY), 0);
	ck_assert_int_eq(model_unlock(&m, 1), 0);
	ck_assert_int_eq(model_unlock(&m, 2), 0);
	ck_assert_int_eq(model_unlock(&m, 3), 0);
	ck_assert_int_eq(m.answered, 0);
	ck_assert_int_eq(model_unlock(&m, 5), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 4, 0);

	/* A commit that is passed by a write is revoked. */
	ck_assert_int_eq(rd(0, 20, 21, FOREVER), 0);
	ck_assert_int_eq(model_reserve(&m, 1, 20, 30), 0);
	ck_assert_int_eq(model_commit(&m, 1, FOREVER), MODEL_WAITS);
	ck_assert_int_eq(wr(2, 25, 26, TRY), 0);
	ck_assert_int_eq(m.answered, 1);
	assert_answer(0, 1, ECANCELED);
}
END_TEST

/* ---- The library and the model ---- */

static size_t random_sequence(struct rng *rng, uint8_t bytes[LONGEST])
{
	size_t n = OPERATION_BYTES * (1 + rng_below(rng, LONGEST / OPERATION_BYTES));

	for (size_t i = 0; i < n; i += OPERATION_BYTES) {
		uint64_t random = rng_next(rng);
		for (size_t k = 0; k < OPERATION_BYTES; k++)
			bytes[i + k] = (uint8_t)(random >> 8 * k);
	}
	return n;
}

START_TEST(random_sequences_do_what_the_model_says)
{
	struct rng rng = rng_make(test_seed(), 0);
	uint8_t bytes[LONGEST];

	for (uint64_t left = scaled(3000000); left > 0;) {
		size_t n = random_sequence(&rng, bytes);

		if (differential_run(bytes, n, MODEL_SOUND, NULL)) {
			differential_report(bytes, n, MODEL_SOUND, stderr);
			ck_abort_msg(
			    "library and model differ; what they did is on standard error");
		}
		left -= n / OPERATION_BYTES < left ? n / OPERATION_BYTES : left;
	}
}
END_TEST

START_TEST(a_wrong_model_is_found_and_shrunk)
{
	enum model_fault fault = (enum model_fault)(MODEL_SOUND + 1 + _i);
	struct rng rng = rng_make(test_seed(), (uint64_t)fault);
	uint8_t bytes[LONGEST];
	int tries = 0;
	size_t n;

	if (model_faults[fault].caps & ~rangelock_engine_caps(RANGELOCK_TREE))
		return; /* nothing can show it */
	do {
		must(tries++ < 100000);
		n = random_sequence(&rng, bytes);
	} while (!differential_run(bytes, n, fault, NULL));

	n = differential_shrink(bytes, n, fault);
	ck_assert_uint_le(n, A_HANDFUL * OPERATION_BYTES);
	ck_assert_ptr_nonnull(differential_run(bytes, n, fault, NULL));
	ck_assert_ptr_null(differential_run(bytes, n, MODEL_SOUND, NULL));
}
END_TEST

START_TEST(a_report_can_be_read_and_repeated)
{
	/* Two ranges that touch. */
	const uint8_t bytes[] = { 1, 0x08, 3, 9, 0, 1, 0x01, 9, 12, 0, 31, 0, 0, 0, 0 };
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	differential_report(bytes, sizeof(bytes), MODEL_ADJACENT_CONFLICT, file);
	fclose(file);
	ck_assert_msg(strstr(text, "actor 1: rdlock A [9, ") && strstr(text, "DIFFERENCE: ") &&
			  strstr(text, "--hex "),
		      "%s", text);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model");
	TCase *tc = tcase_create("model");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, who_conflicts_waits_and_others_do_not);
	tcase_add_test(tc, grants_follow_the_order_of_arrival);
	tcase_add_test(tc, who_gives_up_leaves_as_if_never_there);
	tcase_add_test(tc, patience_decides_only_where_one_must_wait);
	tcase_add_test(tc, what_is_wrong_is_refused);
	tcase_add_test(tc, is_locked_means_every_unit_in_the_mode);
	tcase_add_test(tc, downgrade_grants_those_that_no_longer_conflict);
	tcase_add_test(tc, upgrade_goes_before_all_that_wait_but_nested_reads);
	tcase_add_test(tc, a_cancelled_upgrade_is_a_read);
	tcase_add_test(tc, reduce_gives_up_the_rest);
	tcase_add_test(tc, split_changes_who_holds_and_nothing_else);
	tcase_add_test(tc, tryextend_minds_what_it_adds_only);
	tcase_add_test(tc, nested_reads_wait_for_held_writes_only);
	tcase_add_test(tc, a_vector_arrives_as_one);
	tcase_add_test(tc, reservations_are_disjoint_and_keep_from_written_ranges);
	tcase_add_test(tc, write_grants_revoke_and_nothing_else);
	tcase_add_test(tc, a_commit_waits_and_its_reservation_stands);
	tcase_add_test(tc, reserve_gap_finds_the_lowest);
	tcase_add_test(tc, who_chooses_again_takes_what_it_named_or_arrives_anew);
	tcase_add_test(tc, a_choice_revokes_when_it_is_taken);
	tcase_add_test(tc, arrivals_pass_who_waits_and_not_who_holds);
	tcase_add_test(tc, some_are_not_passed_and_some_are_not_invited);
	tcase_add_test(tc, random_sequences_do_what_the_model_says);
	tcase_add_loop_test(tc, a_wrong_model_is_found_and_shrunk, 0, MODEL_FAULTS - 1);
	tcase_add_test(tc, a_report_can_be_read_and_repeated);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
