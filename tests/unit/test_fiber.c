/* SPDX-License-Identifier: BSD-2-Clause */
/* The fibers that other tests rest on (support/fiber.h), on every machine. */
#include <string.h>

#include "support/fiber.h"
#include "support/suite.h"

static struct fiber fibers[3];
static int steps[3];

/* For ThreadSanitizer a switch orders nothing; this does. */
static char baton;

static void resume(struct fiber *f)
{
	fiber_release(&baton);
	fiber_resume(f);
	fiber_acquire(&baton);
}

static void pause_here(void)
{
	fiber_release(&baton);
	fiber_pause();
	fiber_acquire(&baton);
}

static void setup(void)
{
	for (int i = 0; i < 3; i++)
		fiber_create(&fibers[i]);
	memset(steps, 0, sizeof(steps));
}

static void teardown(void)
{
	for (int i = 0; i < 3; i++)
		fiber_destroy(&fibers[i]);
}

static void count_to_ten(void *arg)
{
	int *step = arg;

	fiber_acquire(&baton);
	for (int i = 0; i < 10; i++) {
		++*step;
		if (fiber_self() != &fibers[step - steps])
			*step = -1000;
		pause_here();
	}
	fiber_release(&baton);
}

START_TEST(fibers_take_turns_and_end)
{
	for (int i = 0; i < 3; i++)
		fiber_start(&fibers[i], count_to_ten, &steps[i]);
	for (int round = 1; round <= 10; round++)
		for (int i = 2; i >= 0; i--) {
			resume(&fibers[i]);
			ck_assert(steps[i] == round && !fibers[i].ended && !fiber_self());
		}
	for (int i = 0; i < 3; i++) {
		resume(&fibers[i]);
		ck_assert(fibers[i].ended && steps[i] == 10);
	}
}
END_TEST

/* Also from the middle, again and again: nothing is left on the stack. */
START_TEST(a_fiber_starts_anew_wherever_it_stood)
{
	for (int i = 0; i < 500; i++) {
		steps[0] = 0;
		fiber_start(&fibers[0], count_to_ten, &steps[0]);
		for (int n = 0; n < 1 + i % 11; n++)
			resume(&fibers[0]);
		must(fibers[0].ended == (i % 11 == 10));
		must(steps[0] == (i % 11 == 10 ? 10 : 1 + i % 11));
	}
}
END_TEST

/* Most of the stack, with a pause at its deepest. */
static int dive(int depth)
{
	volatile char ballast[1024];

	memset((void *)ballast, depth, sizeof(ballast));
	if (depth == 0)
		pause_here();
	else if (dive(depth - 1) != depth - 1)
		return -1;
	for (size_t i = 0; i < sizeof(ballast); i++)
		if (ballast[i] != (char)depth)
			return -1;
	return depth;
}

static void dive_deep(void *arg)
{
	fiber_acquire(&baton);
	*(int *)arg = dive(100);
	fiber_release(&baton);
}

START_TEST(stacks_are_deep_and_separate)
{
	for (int i = 0; i < 3; i++) {
		fiber_start(&fibers[i], dive_deep, &steps[i]);
		resume(&fibers[i]);
	}
	for (int i = 0; i < 3; i++) {
		resume(&fibers[i]);
		ck_assert(fibers[i].ended && steps[i] == 100);
	}
}
END_TEST

/* More than the registers hold, all of it live across the switch. */
static void sum_up(void *arg)
{
	double x[12], sum = 0;

	fiber_acquire(&baton);
	for (int i = 0; i < 12; i++)
		x[i] = (double)(1 + *(int *)arg) / (i + 1);
	for (int round = 0; round < 100; round++) {
		pause_here();
		for (int i = 0; i < 12; i++)
			sum += x[i] * round;
	}
	for (int i = 0; i < 12; i++)
		sum -= 4950 * x[i];
	*(int *)arg = sum > -1e-6 && sum < 1e-6;
	fiber_release(&baton);
}

START_TEST(floating_point_is_kept)
{
	for (int i = 0; i < 3; i++) {
		steps[i] = i;
		fiber_start(&fibers[i], sum_up, &steps[i]);
	}
	for (int round = 0; round <= 100; round++)
		for (int i = 0; i < 3; i++)
			resume(&fibers[i]);
	for (int i = 0; i < 3; i++)
		ck_assert(fibers[i].ended && steps[i] == 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fiber");
	TCase *tc = tcase_create("fiber");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, fibers_take_turns_and_end);
	tcase_add_test(tc, a_fiber_starts_anew_wherever_it_stood);
	tcase_add_test(tc, stacks_are_deep_and_separate);
	tcase_add_test(tc, floating_point_is_kept);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
