/* SPDX-License-Identifier: BSD-2-Clause */
/* The library against the model at random; the model by itself against cases
 * computed by hand; and whether the comparison finds a model that is wrong. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"
#include "model/differential.h"
#include "support/suite.h"

enum { LONGEST = 400 * OPERATION_BYTES, A_HANDFUL = 8 /* operations */ };

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
	for (int patience = TRY; patience <= UNSOUND; patience++) {
		ck_assert_int_eq(wr(0, 0, 10, (enum model_patience)patience), 0);
		ck_assert_int_eq(model_unlock(&m, 0), 0);
	}
	ck_assert_int_eq(wr(0, 0, 10, FOREVER), 0);
	ck_assert_int_eq(rd(1, 9, 10, TRY), EBUSY);
	ck_assert_int_eq(rd(1, 9, 10, PAST), ETIMEDOUT);
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

/* ---- The library and the model ---- */

static size_t random_sequence(struct rng *rng, uint8_t bytes[LONGEST])
{
	size_t n = OPERATION_BYTES * (1 + rng_below(rng, LONGEST / OPERATION_BYTES));

	for (size_t i = 0; i < n; i += 4) {
		uint64_t random = rng_next(rng);
		for (size_t k = 0; k < 4; k++)
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

	do {
		ck_assert_int_lt(tries++, 1000);
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
	const uint8_t bytes[] = { 1, 0x08, 3, 9, 1, 0x01, 9, 12, 27, 0, 0, 0 };
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
	tcase_add_test(tc, random_sequences_do_what_the_model_says);
	tcase_add_loop_test(tc, a_wrong_model_is_found_and_shrunk, 0, MODEL_FAULTS - 1);
	tcase_add_test(tc, a_report_can_be_read_and_repeated);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
