/* SPDX-License-Identifier: BSD-2-Clause */
/* The figures of rangelock-bench are what they say: percentiles, fairness, spreads, counts. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/measure.h"
#include "common/clock.h"
#include "common/random.h"
#include "support/suite.h"

static struct histogram a, b;

static void empty_both(void)
{
	a = b = (struct histogram){ 0 };
}

static int compare(const void *x, const void *y)
{
	uint64_t v = *(const uint64_t *)x, w = *(const uint64_t *)y;

	return (v > w) - (v < w);
}

START_TEST(quantiles_are_within_two_percent)
{
	enum { N = 20000 };
	static uint64_t values[N];
	struct rng rng = rng_make(test_seed(), 0);

	for (int i = 0; i < N; i++) {
		values[i] = rng_next(&rng) >> (24 + rng_below(&rng, 40)); /* all sizes */
		histogram_add(i % 2 ? &a : &b, values[i]);
	}
	histogram_merge(&a, &b);
	ck_assert_uint_eq(a.count, N);
	qsort(values, N, sizeof(values[0]), compare);
	ck_assert_uint_eq(a.max, values[N - 1]);
	for (int i = 1; i <= 1000; i++) {
		double q = i / 1000.0, exact = (double)values[(int)ceil(q * N) - 1];

		must(fabs(histogram_quantile(&a, q) - exact) <= 0.016 * exact);
	}
}
END_TEST

START_TEST(small_values_are_exact)
{
	for (uint64_t v = 0; v < 2 * HISTOGRAM_PARTS; v++)
		histogram_add(&a, v);
	for (uint64_t v = 0; v < 2 * HISTOGRAM_PARTS; v++)
		must(histogram_quantile(&a, (double)(v + 1) / (2 * HISTOGRAM_PARTS)) == (double)v);
}
END_TEST

START_TEST(the_largest_are_counted_as_well)
{
	histogram_add(&a, UINT64_MAX);
	histogram_add(&a, (uint64_t)1 << HISTOGRAM_MOST);
	ck_assert_uint_eq(a.count, 2);
	ck_assert(histogram_quantile(&a, 1) == (double)UINT64_MAX);
	ck_assert(histogram_quantile(&a, 0.5) > 0.98 * (double)((uint64_t)1 << HISTOGRAM_MOST));
	ck_assert(histogram_quantile(&b, 0.5) == 0);
}
END_TEST

START_TEST(fairness_is_one_for_all_alike_and_a_share_for_one_alone)
{
	ck_assert(fairness((uint64_t[]){ 7, 7, 7, 7 }, 4) == 1);
	ck_assert(fairness((uint64_t[]){ 0, 9, 0, 0 }, 4) == 0.25);
	ck_assert(fairness((uint64_t[]){ 5, 0, 5, 0 }, 4) == 0.5);
	ck_assert(fairness((uint64_t[]){ 0, 0 }, 2) == 1);
}
END_TEST

START_TEST(a_spread_is_of_the_sorted)
{
	struct spread odd = spread_of((double[]){ 3, 1, 2 }, 3);
	struct spread even = spread_of((double[]){ 4, 1, 2, 8 }, 4);

	ck_assert(odd.min == 1 && odd.median == 2 && odd.max == 3);
	ck_assert(even.min == 1 && even.median == 3 && even.max == 8);
}
END_TEST

START_TEST(ratios_are_taken_round_by_round)
{
	double fast[] = { 10, 20, 60 }, slow[] = { 5, 10, 20 };
	struct series s = { .ops_per_s = fast, .n = 3 }, other = { .ops_per_s = slow, .n = 3 };
	struct spread ratio = speed_ratio(&s, &other);

	ck_assert(ratio.min == 2 && ratio.median == 2 && ratio.max == 3);
	ck_assert(ns_per_op(&s, 2).median == 2e9 / 20);
}
END_TEST

START_TEST(allocations_system_calls_and_sleeps_are_counted)
{
	struct counter counter;
	struct counts counts = { 0 };
	void *volatile memory[10];

	counter_begin(&counter);
	for (int i = 0; i < 10; i++)
		memory[i] = malloc(100);
	for (int i = 0; i < 50; i++)
		getppid();
	for (int i = 0; i < 5; i++)
		sleep_ns(1000000);
	counter_end(&counter, 5, &counts);
	for (int i = 0; i < 10; i++)
		free(memory[i]);

	ck_assert_uint_eq(counts.ops, 5);
	ck_assert_uint_ge(counts.wakeups, 5);
	if (!counts.no_allocations && !is_under_valgrind())
		ck_assert_uint_eq(counts.allocations, 10);
	if (!counts.no_system_calls) {
		ck_assert_uint_ge(counts.system_calls, 55);
		ck_assert_uint_le(counts.system_calls, 60);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("figures");
	TCase *tc = tcase_create("figures");

	tcase_add_checked_fixture(tc, empty_both, NULL);
	tcase_add_test(tc, quantiles_are_within_two_percent);
	tcase_add_test(tc, small_values_are_exact);
	tcase_add_test(tc, the_largest_are_counted_as_well);
	tcase_add_test(tc, fairness_is_one_for_all_alike_and_a_share_for_one_alone);
	tcase_add_test(tc, a_spread_is_of_the_sorted);
	tcase_add_test(tc, ratios_are_taken_round_by_round);
	tcase_add_test(tc, allocations_system_calls_and_sleeps_are_counted);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
