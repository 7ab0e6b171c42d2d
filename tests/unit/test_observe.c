/* SPDX-License-Identifier: BSD-2-Clause */
/* What a lock shows of itself: walk and is_locked. */
#include <errno.h>

#include "base/annotate.h"
#include "support/actor.h"
#include "support/suite.h"

static struct rangelock lock;
static struct rangelock_req a, b, c;

static void setup(void)
{
	lock = (struct rangelock)RANGELOCK_INITIALIZER;
	a = b = c = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
}

struct list {
	struct rangelock_info seen[8];
	int n, stop_after;
};

static int collect(const struct rangelock_info *info, void *arg)
{
	struct list *list = arg;

	list->seen[list->n++] = *info;
	return list->n == list->stop_after ? 1234 : 0;
}

START_TEST(walk_shows_every_request_in_order_of_start)
{
	struct actor waiter;
	struct list list = { 0 };

	ck_assert_int_eq(rangelock_rdlock(&lock, &a, 50, 60), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 5, RANGELOCK_MAX);

	ck_assert_int_eq(rangelock_walk(&lock, collect, &list), 0);
	ck_assert_int_eq(list.n, 3);

	ck_assert_ptr_eq(list.seen[0].req, &b);
	ck_assert_ptr_eq(list.seen[1].req, &waiter.req);
	ck_assert_ptr_eq(list.seen[2].req, &a);

	ck_assert_int_eq(list.seen[0].mode, RANGELOCK_WRITE);
	ck_assert_int_eq(list.seen[0].state, RANGELOCK_HELD);
	ck_assert(list.seen[0].start == 0 && list.seen[0].end == 10);
	ck_assert(list.seen[0].blockers == 0);

	ck_assert_int_eq(list.seen[1].state, RANGELOCK_WAITING);
	ck_assert(list.seen[1].start == 5 && list.seen[1].end == RANGELOCK_MAX);
	ck_assert(list.seen[1].blockers == 2);

	ck_assert_int_eq(list.seen[2].mode, RANGELOCK_READ);
	ck_assert(list.seen[2].arrival < list.seen[0].arrival);
	ck_assert(list.seen[0].arrival < list.seen[1].arrival);

	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	actor_finish(&waiter);
}
END_TEST

START_TEST(walk_shows_the_one_in_the_lock_word)
{
	struct list list = { 0 };

	ck_assert_int_eq(rangelock_walk(&lock, collect, &list), 0);
	ck_assert_int_eq(list.n, 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 3, 4), 0);
	ck_assert_int_eq(rangelock_walk(&lock, collect, &list), 0);
	ck_assert_int_eq(list.n, 1);
	ck_assert_ptr_eq(list.seen[0].req, &a);
	ck_assert_int_eq(list.seen[0].state, RANGELOCK_HELD);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

START_TEST(walk_ends_where_it_is_told_to)
{
	struct list list = { .stop_after = 2 };

	ck_assert_int_eq(rangelock_rdlock(&lock, &a, 0, 9), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &b, 0, 9), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &c, 0, 9), 0);
	ck_assert_int_eq(rangelock_walk(&lock, collect, &list), 1234);
	ck_assert_int_eq(list.n, 2);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &c), 0);
}
END_TEST

START_TEST(is_locked_asks_for_every_unit_in_the_mode)
{
	struct actor waiter;

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 10), 0);
	ck_assert(rangelock_is_locked(&lock, 0, 10, RANGELOCK_WRITE)); /* alone in the word */
	ck_assert(!rangelock_is_locked(&lock, 0, 11, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_rdlock(&lock, &b, 10, 20), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &c, 15, 30), 0);

	ck_assert(rangelock_is_locked(&lock, 0, 30, RANGELOCK_READ));
	ck_assert(rangelock_is_locked(&lock, 9, 11, RANGELOCK_READ));
	ck_assert(rangelock_is_locked(&lock, 3, 7, RANGELOCK_WRITE));
	ck_assert(!rangelock_is_locked(&lock, 0, 30, RANGELOCK_WRITE));
	ck_assert(!rangelock_is_locked(&lock, 9, 11, RANGELOCK_WRITE));
	ck_assert(!rangelock_is_locked(&lock, 0, 31, RANGELOCK_READ));
	ck_assert(!rangelock_is_locked(&lock, 30, 31, RANGELOCK_READ));
	ck_assert(!rangelock_is_locked(&lock, 0, 5, (enum rangelock_mode)2));

	/* Waiting is not holding. */
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 25, 40);
	ck_assert(!rangelock_is_locked(&lock, 30, 40, RANGELOCK_READ));

	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0); /* a hole in the middle */
	ck_assert(!rangelock_is_locked(&lock, 0, 30, RANGELOCK_READ));
	ck_assert(rangelock_is_locked(&lock, 15, 30, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &c), 0);
	actor_finish(&waiter);
}
END_TEST

START_TEST(without_a_race_detector_nothing_is_annotated)
{
	ck_assert(!rl_watched);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("observe");
	TCase *tc = tcase_create("observe");

	tcase_add_checked_fixture(tc, setup, NULL);
	add_tree_test(tc, walk_shows_every_request_in_order_of_start);
	tcase_add_test(tc, walk_shows_the_one_in_the_lock_word);
	tcase_add_test(tc, walk_ends_where_it_is_told_to);
	tcase_add_test(tc, is_locked_asks_for_every_unit_in_the_mode);
	tcase_add_test(tc, without_a_race_detector_nothing_is_annotated);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
