/* SPDX-License-Identifier: BSD-2-Clause */
/* What the list engine promises beside the others: the bound, its pools, its life. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
#include "check/check.h"
#include "list/chain.h"
#include "support/actor.h"
#include "support/suite.h"

static struct rangelock lock;
static struct rangelock_req a, b, c;
static const struct rangelock_attr on_list = { .engine = RANGELOCK_LIST };

/* Memory for nodes, counted and at times refused. */
static _Atomic unsigned allocations;
static bool scarce;

void *aligned_alloc(size_t alignment, size_t size)
{
	void *p;

	allocations++;
	return scarce || posix_memalign(&p, alignment, size) ? NULL : p;
}

static void make_lock(void)
{
	ck_assert_int_eq(rangelock_init(&lock, &on_list), 0);
}

static void end_lock(void)
{
	ck_assert_int_eq(population(&lock), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), EINVAL);
	ck_assert_int_eq(rangelock_rdlock_nested(&lock, &a, 0, 1, &b), EINVAL);
}

START_TEST(one_who_waits_is_passed_as_often_as_is_promised)
{
	struct actor waiter;
	int passed = 0;

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 2), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 1, 4);
	while (passed <= RANGELOCK_MAX_BYPASS && rangelock_trywrlock(&lock, &b, 3, 4) == 0) {
		passed++;
		must(rangelock_unlock(&lock, &b) == 0);
	}
	ck_assert_int_le(passed, RANGELOCK_MAX_BYPASS);
	ck_assert_int_ge(passed, RANGELOCK_MAX_BYPASS / 2);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &b, 3, 4), EBUSY);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &b, 4, 5), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	actor_finish(&waiter);
}
END_TEST

START_TEST(writers_that_wait_go_one_by_one_in_order)
{
	enum { N = 4 };
	struct actor queue[N];

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 10), 0);
	for (int i = 0; i < N; i++)
		actor_queue(&queue[i], &lock, RANGELOCK_WRITE, 0, 10);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(look_at(&lock, &queue[i].req).blockers, i + 1);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(actor_join(&queue[i]), 0);
		for (int k = i + 1; k < N; k++)
			ck_assert(is_waiting(&lock, &queue[k].req));
		ck_assert_int_eq(rangelock_unlock(&lock, &queue[i].req), 0);
	}
}
END_TEST

START_TEST(a_request_that_waits_is_refused)
{
	struct actor waiter;

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 5, 15);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &waiter.req, 50, 60), EINVAL);
	ck_assert_int_eq(rangelock_unlock(&lock, &waiter.req), EPERM);
	ck_assert_int_eq(rangelock_split(&lock, &a, 5, &waiter.req), EINVAL);
	ck_assert_int_eq(rangelock_rdlock_nested(&lock, &waiter.req, 0, 1, &a), EINVAL);
	ck_assert(is_waiting(&lock, &waiter.req));
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	actor_finish(&waiter);
}
END_TEST

START_TEST(the_steady_state_allocates_nothing)
{
	enum { WARM = 10000 }; /* more than there are in two batches of nodes */

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	for (uint64_t i = 0; i < WARM + scaled(100000); i++) {
		if (i == WARM)
			allocations = 0;
		must(rangelock_wrlock(&lock, &b, 1, 2) == 0);
		must(rangelock_rdlock(&lock, &c, 2, 3) == 0);
		must(rangelock_unlock(&lock, &b) == 0);
		must(rangelock_unlock(&lock, &c) == 0);
	}
	ck_assert_uint_eq(allocations, 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

START_TEST(who_gives_up_again_and_again_leaves_nothing_behind)
{
	static const struct timespec past = { 0, 0 };

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	for (uint64_t i = 0; i < scaled(40000); i++)
		must(rangelock_timedwrlock(&lock, &b, 0, 2, &past) == ETIMEDOUT);
	ck_assert_uint_le(allocations, 8);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

/* With those that have left. */
static unsigned count_nodes(void)
{
	unsigned n = 0;
	uintptr_t at = rl_load(&to_lock(&lock)->word, relaxed);

	for (; to_node(at); at = rl_load(&to_node(at)->next, relaxed))
		n++;
	return n;
}

/* Nobody comes by those who leave: each who comes, comes before all others. */
START_TEST(who_goes_down_hand_over_hand_leaves_nothing_behind)
{
	enum { AT_ONCE = 3 };
	struct rangelock_req reqs[AT_ONCE] = { RANGELOCK_REQ_INITIALIZER };
	uint64_t n = scaled(40000);

	for (uint64_t i = 0; i < n; i++) {
		struct rangelock_req *req = &reqs[i % AT_ONCE];

		must(i < AT_ONCE || rangelock_unlock(&lock, req) == 0);
		must(rangelock_wrlock(&lock, req, n - i, n - i + 1) == 0);
	}
	ck_assert_uint_le(count_nodes(), AT_ONCE + 2);
	for (int i = 0; i < AT_ONCE; i++)
		ck_assert_int_eq(rangelock_unlock(&lock, &reqs[i]), 0);
}
END_TEST

enum { N_HANDED_ON = 64 };

static void *unlock_down(void *reqs)
{
	for (int i = N_HANDED_ON; i-- > 0;)
		must(rangelock_unlock(&lock, (struct rangelock_req *)reqs + i) == 0);
	return NULL;
}

/* What they take from the list is there for others when they have ended. */
START_TEST(threads_that_only_unlock_leave_nothing_behind)
{
	struct rangelock_req reqs[N_HANDED_ON] = { RANGELOCK_REQ_INITIALIZER };
	pthread_t thread;

	for (uint64_t n = 0; n < scaled(2000); n++) {
		for (uint64_t i = 0; i < N_HANDED_ON; i++)
			must(rangelock_wrlock(&lock, &reqs[i], i, i + 1) == 0);
		must(pthread_create(&thread, NULL, unlock_down, reqs) == 0);
		must(pthread_join(thread, NULL) == 0);
	}
	ck_assert_uint_le(allocations, 8);
}
END_TEST

static void never(struct rangelock_req *req, int error, void *arg)
{
	(void)req, (void)arg;
	must(error == ECANCELED);
}

START_TEST(what_is_submitted_and_canceled_leaves_nothing_behind)
{
	static const struct rangelock_range range = { 0, 2, RANGELOCK_WRITE };

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	for (uint64_t i = 0; i < scaled(40000); i++) {
		must(rangelock_submit(&lock, &b, &range, never, NULL) == EINPROGRESS);
		must(rangelock_cancel(&lock, &b) == 0);
	}
	ck_assert_uint_le(allocations, 8);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

START_TEST(a_vector_that_gives_up_again_and_again_leaves_nothing_behind)
{
	static const struct timespec past = { 0, 0 };
	static const struct rangelock_range ranges[] = { { 0, 2, RANGELOCK_WRITE },
							 { 5, 6, RANGELOCK_READ } };
	struct rangelock_req reqs[2] = { RANGELOCK_REQ_INITIALIZER, RANGELOCK_REQ_INITIALIZER };

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	for (uint64_t i = 0; i < scaled(40000); i++)
		must(rangelock_lockv(&lock, reqs, ranges, 2, &past) == ETIMEDOUT);
	ck_assert_uint_le(allocations, 24);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

START_TEST(what_waits_is_refused_by_lockv_and_submit)
{
	static const struct rangelock_range ranges[] = { { 20, 22, RANGELOCK_WRITE },
							 { 25, 26, RANGELOCK_READ } };
	struct rangelock_req reqs[2] = { RANGELOCK_REQ_INITIALIZER, RANGELOCK_REQ_INITIALIZER };
	static const struct rangelock_range ten = { 0, 10, RANGELOCK_WRITE };

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 10), 0);
	ck_assert_int_eq(rangelock_submit(&lock, &reqs[1], &ten, never, NULL), EINPROGRESS);
	ck_assert_int_eq(rangelock_submit(&lock, &reqs[1], &ranges[0], never, NULL), EINVAL);
	ck_assert_int_eq(rangelock_lockv(&lock, reqs, ranges, 2, NULL), EINVAL);
	ck_assert_int_eq(population(&lock), 2);
	ck_assert_int_eq(rangelock_cancel(&lock, &reqs[1]), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

static void *visit_in_a_list(void *arg)
{
	struct rangelock_req mine = RANGELOCK_REQ_INITIALIZER;

	(void)arg;
	must(rangelock_wrlock(&lock, &mine, 5, 6) == 0);
	must(rangelock_unlock(&lock, &mine) == 0);
	return NULL;
}

START_TEST(threads_leave_their_nodes_to_others)
{
	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	for (uint64_t i = 0; i < scaled(1000); i++) {
		pthread_t thread;

		must(pthread_create(&thread, NULL, visit_in_a_list, NULL) == 0);
		pthread_join(thread, NULL);
	}
	ck_assert_uint_le(allocations, 8);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

START_TEST(without_memory_nothing_is_held)
{
	static const struct rangelock_range pair[] = { { 1, 2, RANGELOCK_WRITE },
						       { 3, 4, RANGELOCK_READ } };
	struct rangelock_req reqs[2] = { RANGELOCK_REQ_INITIALIZER, RANGELOCK_REQ_INITIALIZER };

	if (is_under_valgrind())
		return;
	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	scarce = true;
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 1, 2), ENOMEM);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &b, 0, 2), ENOMEM);
	ck_assert_int_eq(rangelock_submit(&lock, &b, &pair[0], never, NULL), ENOMEM);
	ck_assert_int_eq(rangelock_lockv(&lock, reqs, pair, 2, NULL), ENOMEM);
	ck_assert_int_eq(population(&lock), 1); /* a look needs none */
	scarce = false;
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 1, 2), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

static int change(int how)
{
	switch (how) {
	case 0:
		return rangelock_downgrade(&lock, &a);
	case 1:
		return rangelock_reduce(&lock, &a, 1, 3);
	case 2:
		return rangelock_split(&lock, &a, 2, &b);
	case 3:
		return rangelock_tryextend(&lock, &a, 0, 5);
	case 4:
		return rangelock_tryupgrade(&lock, &a);
	default:
		return rangelock_upgrade(&lock, &a);
	}
}

START_TEST(without_memory_what_is_held_stays_as_it_is)
{
	enum rangelock_mode mode = _i < 4 ? RANGELOCK_WRITE : RANGELOCK_READ;

	if (is_under_valgrind())
		return;
	if (mode == RANGELOCK_WRITE)
		ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 4), 0);
	else
		ck_assert_int_eq(rangelock_rdlock(&lock, &a, 0, 4), 0);
	scarce = true;
	ck_assert_int_eq(change(_i), ENOMEM);
	ck_assert_int_eq(population(&lock), 1);
	ck_assert(rangelock_is_locked(&lock, 0, 4, mode));
	ck_assert(mode || !rangelock_is_locked(&lock, 0, 4, RANGELOCK_WRITE));
	scarce = false;
	ck_assert_int_eq(change(_i), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), _i == 2 ? 0 : EPERM);
}
END_TEST

static int upgrade(struct actor *actor)
{
	return rangelock_upgrade(actor->lock, actor->arg);
}

/* It cannot be used but to nest in it, and is shown as the read that it holds. */
START_TEST(while_its_upgrade_waits_a_request_is_in_use)
{
	struct actor upgrader = { .arg = &a };
	struct rangelock_req tail = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_rdlock(&lock, &a, 0, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &b, 5, 10), 0);
	actor_call(&upgrader, &lock, upgrade, &a);
	ck_assert_int_eq(look_at(&lock, &a).state, RANGELOCK_HELD);
	ck_assert_int_eq(look_at(&lock, &a).blockers, 1);
	ck_assert_int_eq(population(&lock), 2);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), EPERM);
	ck_assert_int_eq(rangelock_downgrade(&lock, &a), EPERM);
	ck_assert_int_eq(rangelock_upgrade(&lock, &a), EPERM);
	ck_assert_int_eq(rangelock_reduce(&lock, &a, 0, 5), EPERM);
	ck_assert_int_eq(rangelock_rdlock(&lock, &a, 20, 30), EINVAL);
	ck_assert_int_eq(rangelock_split(&lock, &b, 7, &a), EINVAL);
	ck_assert_int_eq(rangelock_rdlock_nested(&lock, &b, 0, 10, &a), EINVAL);
	ck_assert_int_eq(rangelock_rdlock_nested(&lock, &tail, 0, 10, &a), 0);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &tail, 0, 1), EINVAL);
	ck_assert_int_eq(rangelock_unlock(&lock, &tail), 0);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &tail, 0, 1), EBUSY); /* it would pass it */
	ck_assert_int_eq(rangelock_cancel(&lock, &a), 0);
	ck_assert_int_eq(actor_join(&upgrader), ECANCELED);
	ck_assert_int_eq(rangelock_cancel(&lock, &a), EBUSY);
	ck_assert_int_eq(rangelock_downgrade(&lock, &a), 0); /* held as before */
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
}
END_TEST

/* Nobody else is about: nothing waits, and all of it is free in the end. */
START_TEST(who_is_alone_changes_what_it_holds)
{
	ck_assert_int_eq(rangelock_rdlock(&lock, &a, 10, 20), 0);
	ck_assert_int_eq(rangelock_downgrade(&lock, &a), 0);
	ck_assert_int_eq(rangelock_upgrade(&lock, &a), 0);
	ck_assert_int_eq(rangelock_upgrade(&lock, &a), 0);
	ck_assert_int_eq(rangelock_tryupgrade(&lock, &a), 0);
	ck_assert_int_eq(rangelock_tryextend(&lock, &a, 10, 15), EINVAL);
	ck_assert_int_eq(rangelock_tryextend(&lock, &a, 0, 30), 0);
	ck_assert_int_eq(rangelock_reduce(&lock, &a, 5, 15), 0);
	ck_assert(rangelock_is_locked(&lock, 5, 15, RANGELOCK_WRITE));
	ck_assert_int_eq(rangelock_trywrlock(&lock, &b, 0, 5), 0);
	ck_assert_int_eq(rangelock_tryextend(&lock, &b, 0, 6), EBUSY);
	ck_assert_int_eq(rangelock_tryextend(&lock, &b, 0, RANGELOCK_MAX), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_split(&lock, &a, 6, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert(!rangelock_is_locked(&lock, 5, 6, RANGELOCK_READ));
	ck_assert(rangelock_is_locked(&lock, 6, 15, RANGELOCK_WRITE));
	ck_assert_int_eq(rangelock_tryextend(&lock, &b, 0, RANGELOCK_MAX), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
}
END_TEST

/* ---- Reservations ---- */

static void write_over(void)
{
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 0, 2), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
}

START_TEST(the_request_of_a_revoked_reservation_serves_on_any_lock)
{
	struct rangelock tree = RANGELOCK_INITIALIZER;

	ck_assert_int_eq(rangelock_init(&tree, NULL), 0);
	ck_assert_int_eq(rangelock_rdlock(&tree, &c, 0, 1), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &a, 0, 2), 0);
	write_over();
	ck_assert_int_eq(rangelock_rdlock(&tree, &a, 0, 1), 0);
	ck_assert_int_eq(rangelock_unlock(&tree, &a), 0);
	ck_assert_int_eq(rangelock_unlock(&tree, &c), 0);
	ck_assert_int_eq(rangelock_commit(&lock, &a, NULL), EPERM);
	ck_assert_int_eq(rangelock_destroy(&tree), 0);
}
END_TEST

START_TEST(reservations_that_are_forgotten_leave_nothing_behind)
{
	for (uint64_t i = 0; i < scaled(40000); i++) {
		struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

		must(rangelock_reserve(&lock, &req, 0, 2) == 0);
		must(rangelock_wrlock(&lock, &b, 1, 3) == 0);
		must(rangelock_unlock(&lock, &b) == 0);
	}
	ck_assert_uint_le(allocations, 8);
}
END_TEST

/* Though its node is another's by then. */
START_TEST(a_request_knows_its_own_reservation)
{
	ck_assert_int_eq(rangelock_reserve(&lock, &a, 0, 2), 0);
	write_over();
	for (int i = 0; i < 40000; i++) {
		must(rangelock_reserve(&lock, &c, 0, 2) == 0);
		must(!rangelock_is_reserved(&lock, &a) && rangelock_is_reserved(&lock, &c));
		must(rangelock_unreserve(&lock, &c) == 0);
	}
	ck_assert_int_eq(rangelock_unreserve(&lock, &a), ECANCELED);
}
END_TEST

/* From 2 on, while there is memory. */
static struct rangelock_req many[4096];
static unsigned n_many;

static void *hold_many(void *arg)
{
	int error = 0;

	(void)arg;
	for (n_many = 0; n_many < 4096; n_many++) {
		error = rangelock_wrlock(&lock, &many[n_many], 2 + n_many, 3 + n_many);
		if (error)
			break;
	}
	must(error == ENOMEM && n_many >= 3);
	return NULL;
}

static void release_many(void)
{
	while (n_many > 0)
		ck_assert_int_eq(rangelock_unlock(&lock, &many[--n_many]), 0);
}

/* The same where it is the last node that has been taken. */
START_TEST(without_a_second_node_what_is_held_stays_as_it_is)
{
	if (is_under_valgrind())
		return;
	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 2), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, RANGELOCK_MAX - 1, RANGELOCK_MAX), 0);
	scarce = true;
	hold_many(NULL);
	ck_assert_int_eq(rangelock_downgrade(&lock, &a), ENOMEM);
	ck_assert_int_eq(rangelock_reduce(&lock, &a, 0, 1), ENOMEM);
	ck_assert_int_eq(rangelock_unlock(&lock, &many[n_many - 1]), 0);
	ck_assert_int_eq(rangelock_split(&lock, &a, 1, &many[n_many - 1]), ENOMEM); /* needs two */
	ck_assert(rangelock_is_locked(&lock, 0, 2, RANGELOCK_WRITE));
	ck_assert_int_eq(rangelock_reduce(&lock, &a, 0, 1), 0);
	n_many--;
	scarce = false;
	release_many();
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

/* They wait for what is held anyway, and reach beyond it where it does not grow. */
START_TEST(an_extension_passes_nobody_who_waits_on_the_other_side)
{
	struct actor above, below;

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 10, 20), 0);
	actor_queue(&above, &lock, RANGELOCK_WRITE, 15, 30);
	for (int i = 0; i < RANGELOCK_MAX_BYPASS + 2; i++) {
		must(rangelock_tryextend(&lock, &a, 5, 20) == 0);
		must(rangelock_reduce(&lock, &a, 10, 20) == 0);
	}
	ck_assert_int_eq(rangelock_cancel(&lock, &above.req), 0);
	ck_assert_int_eq(actor_join(&above), ECANCELED);
	actor_queue(&below, &lock, RANGELOCK_READ, 0, 15);
	for (int i = 0; i < RANGELOCK_MAX_BYPASS + 2; i++) {
		must(rangelock_tryextend(&lock, &a, 10, 25) == 0);
		must(rangelock_reduce(&lock, &a, 10, 20) == 0);
	}
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	actor_finish(&below);
}
END_TEST

static struct rangelock_req *place; /* where in the walk below another thread extends c */

static int show_range(const struct rangelock_info *info, void *shown)
{
	sprintf((char *)shown + strlen(shown), " %d-%d", (int)info->start, (int)info->end);
	/* Here it is this one; the node is its own, so that there is no grace period to wait for. */
	if (info->req == place)
		must(rangelock_tryextend(&lock, &c, 0, 60) == 0);
	return 0;
}

static int end_at_one_who_grew(const struct rangelock_info *info, void *shown)
{
	show_range(info, shown);
	return info->start == 30 && info->end == 60 ? -7 : 0;
}

START_TEST(a_walk_passes_over_nobody_who_grows_downwards)
{
	static struct rangelock_req d;
	const struct {
		struct rangelock_req *at;
		const char *shown;
	} walks[] = { { NULL, " 5-90 10-20 30-40 50-60 70-80" },
		      { &a, " 5-90 10-20 10-60 30-40 70-80" },
		      { &b, " 5-90 10-20 30-40 30-60 70-80" },
		      { &c, " 5-90 10-20 30-40 50-60 50-60 70-80" },
		      { &d, " 5-90 10-20 30-40 50-60 70-80 70-80" } };
	struct actor waiter;

	ck_assert_int_eq(rangelock_rdlock(&lock, &a, 10, 20), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &b, 30, 40), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &c, 50, 60), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &d, 70, 80), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 5, 90);
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		char shown[100] = "";

		place = walks[i].at;
		ck_assert_int_eq(rangelock_walk(&lock, show_range, shown), 0);
		ck_assert_str_eq(shown, walks[i].shown);
		ck_assert_int_eq(rangelock_reduce(&lock, &c, 50, 60), 0);
	}

	char shown[100] = "";
	place = &b;
	ck_assert_int_eq(rangelock_walk(&lock, end_at_one_who_grew, shown), -7);
	ck_assert_str_eq(shown, " 5-90 10-20 30-40 30-60");
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &c), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &d), 0);
	actor_finish(&waiter);
}
END_TEST

START_TEST(without_memory_what_was_given_back_serves_again)
{
	if (is_under_valgrind())
		return;
	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 1, 2), 0);
	scarce = true;
	hold_many(NULL);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(rangelock_unlock(&lock, &many[i]), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(rangelock_wrlock(&lock, &many[i], 2 + i, 3 + i), 0);
	scarce = false;
	release_many();
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

/* What was reserved with it is no business of what it holds now, in the word. */
START_TEST(one_that_was_revoked_holds_and_has_nothing_to_commit)
{
	ck_assert_int_eq(rangelock_reserve(&lock, &a, 0, 2), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 0, 2), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	for (int i = 0; i < 100; i++) { /* until one that is alone is in the word again */
		ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 2), 0);
		ck_assert_int_eq(rangelock_commit(&lock, &a, NULL), EPERM);
		ck_assert_int_eq(rangelock_unreserve(&lock, &a), EPERM);
		ck_assert(!rangelock_is_reserved(&lock, &a));
		ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	}
}
END_TEST

START_TEST(without_memory_a_reservation_stands)
{
	if (is_under_valgrind())
		return;
	ck_assert_int_eq(rangelock_reserve(&lock, &a, 0, 2), 0);
	scarce = true;
	hold_many(NULL);
	ck_assert_int_eq(rangelock_commit(&lock, &a, NULL), ENOMEM);
	ck_assert_int_eq(rangelock_reserve(&lock, &b, 5000, 5001), ENOMEM);
	ck_assert(rangelock_is_reserved(&lock, &a));
	scarce = false;
	ck_assert_int_eq(rangelock_commit(&lock, &a, NULL), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	release_many();
}
END_TEST

/* What such a thread holds stays, for others to unlock. */
START_TEST(a_thread_ends_that_has_no_node_left)
{
	pthread_t thread;

	if (is_under_valgrind())
		return;
	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	must(pthread_create(&thread, NULL, visit_in_a_list, NULL) == 0); /* leaves nodes */
	pthread_join(thread, NULL);
	scarce = true;
	must(pthread_create(&thread, NULL, hold_many, NULL) == 0);
	pthread_join(thread, NULL);
	scarce = false;
	release_many();
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

START_TEST(a_list_that_is_in_use_is_not_destroyed)
{
	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), EBUSY);
	ck_assert_int_eq(rangelock_rdlock(&lock, &b, 1, 2), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
}
END_TEST

/* Held by req, which is a node. */
static void make_list(struct rangelock *l, struct rangelock_req *req)
{
	static struct rangelock_req other;

	must(rangelock_wrlock(l, req, 0, 1) == 0);
	must(rangelock_wrlock(l, &other, 1000, 1001) == 0);
	must(rangelock_unlock(l, &other) == 0);
}

static bool word_is_idle(void)
{
	return rl_load(&to_lock(&lock)->word, relaxed) == WORD_IDLE;
}

START_TEST(one_in_the_word_is_unlocked_as_a_vector)
{
	const struct rangelock_range range = { 0, 1, RANGELOCK_WRITE };

	ck_assert_int_eq(rangelock_lockv(&lock, &a, &range, 1, NULL), 0);
	ck_assert_int_eq(rangelock_unlockv(&lock, &b, 1), EPERM);
	ck_assert_int_eq(rangelock_unlockv(&lock, &a, 1), 0);
	ck_assert_int_eq(rangelock_unlockv(&lock, &a, 1), EPERM);
}
END_TEST

START_TEST(a_gap_is_for_a_request_that_is_free_and_a_lock_that_lives)
{
	struct rangelock_stats stats;
	struct actor waiter;
	struct rangelock other;
	uint64_t start = 7;

	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 1);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &waiter.req, 1, 1, 8, 9, &start), EINVAL);
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 1, 2), 0);
	ck_assert_int_eq(rangelock_reserve_gap(&lock, &b, 1, 1, 8, 9, &start), EINVAL);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	actor_finish(&waiter);

	ck_assert_int_eq(rangelock_init(&other, &on_list), 0);
	ck_assert_int_eq(rangelock_destroy(&other), 0);
	ck_assert_int_eq(rangelock_reserve_gap(&other, &a, 1, 1, 8, 9, &start), EINVAL);
	ck_assert_int_eq(rangelock_stats(&other, &stats), EINVAL);
	ck_assert_uint_eq(start, 7);
}
END_TEST

START_TEST(a_list_stays_one_until_requests_are_alone_for_a_while)
{
	unsigned n = 0;

	for (int i = 0; i < 100; i++) { /* with company */
		ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
		ck_assert_int_eq(rangelock_wrlock(&lock, &b, 1, 2), 0);
		ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
		ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
		ck_assert(!word_is_idle());
	}
	for (; !word_is_idle() && n < 100; n++) {
		ck_assert_int_eq(population(&lock), 0);
		ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
		ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	}
	ck_assert_uint_ge(n, 4);
	ck_assert_uint_le(n, 64);
}
END_TEST

/* So often that the thread keeps its node. */
static void visit_twice(struct rangelock *l, struct rangelock_req *req, uint64_t start)
{
	for (int i = 0; i < 2; i++) {
		must(rangelock_wrlock(l, req, start, start + 1) == 0);
		must(rangelock_unlock(l, req) == 0);
	}
}

static const struct list_node *node_of(struct rangelock_req *req)
{
	return rl_load(&to_req(req)->list_node, relaxed);
}

START_TEST(what_is_locked_again_is_where_it_was)
{
	make_list(&lock, &a);
	visit_twice(&lock, &b, 1);
	const struct list_node *kept = node_of(&b);
	ck_assert_int_eq(population(&lock), 1);
	ck_assert(!rangelock_is_locked(&lock, 1, 2, RANGELOCK_READ));
	visit_twice(&lock, &b, 1);
	ck_assert_ptr_eq(node_of(&b), kept);

	/* It is in nobody's way, and not for another range, mode or request. */
	ck_assert_int_eq(rangelock_trywrlock(&lock, &c, 1, 3), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &b, 1, 2), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &c), 0);
	visit_twice(&lock, &b, 1);
	ck_assert_int_eq(rangelock_rdlock(&lock, &b, 1, 2), 0);
	ck_assert_int_eq(rangelock_tryrdlock(&lock, &c, 1, 2), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &c), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	visit_twice(&lock, &b, 1);
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 1, 3), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &c, 2, 3), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	visit_twice(&lock, &b, 2);
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 1, 3), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &c, 1, 2), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

START_TEST(what_is_kept_is_not_passed_on_by_a_split)
{
	static const struct rangelock_range range = { 1, 3, RANGELOCK_WRITE };

	make_list(&lock, &a);
	visit_twice(&lock, &b, 2);
	ck_assert_int_eq(rangelock_submit(&lock, &b, &range, never, NULL), 0);
	ck_assert_int_eq(rangelock_split(&lock, &b, 2, &c), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &b), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &b, 2, 3), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&lock, &c), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

static void make_list_of_vector(struct rangelock *l, struct rangelock_req reqs[2])
{
	const struct rangelock_range ranges[] = { { 10, 11, RANGELOCK_WRITE },
						  { 12, 13, RANGELOCK_WRITE } };

	must(rangelock_lockv(l, reqs, ranges, 2, NULL) == 0);
}

START_TEST(what_is_kept_in_one_list_is_not_held_in_another)
{
	static struct rangelock other;
	static struct rangelock_req d, of_vectors[4];

	/* Another lock. */
	ck_assert_int_eq(rangelock_init(&other, &on_list), 0);
	make_list(&lock, &a);
	make_list(&other, &d);
	visit_twice(&lock, &b, 1);
	ck_assert_int_eq(rangelock_wrlock(&other, &b, 1, 2), 0);
	ck_assert_int_eq(rangelock_trywrlock(&other, &c, 1, 2), EBUSY);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &c, 1, 2), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &c), 0);
	ck_assert_int_eq(rangelock_unlock(&other, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&other, &d), 0);

	/* Another in the same place; the one before was not destroyed. */
	visit_twice(&other, &b, 1);
	ck_assert_int_eq(rangelock_init(&other, &on_list), 0);
	make_list(&other, &d);
	ck_assert_int_eq(rangelock_wrlock(&other, &b, 1, 2), 0);
	ck_assert_int_eq(rangelock_trywrlock(&other, &c, 1, 2), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&other, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&other, &d), 0);
	ck_assert_int_eq(rangelock_destroy(&other), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);

	/* Lists that vectors have made. */
	make_lock();
	ck_assert_int_eq(rangelock_init(&other, &on_list), 0);
	make_list_of_vector(&lock, &of_vectors[0]);
	make_list_of_vector(&other, &of_vectors[2]);
	visit_twice(&lock, &b, 1);
	ck_assert_int_eq(rangelock_wrlock(&other, &b, 1, 2), 0);
	ck_assert_int_eq(rangelock_trywrlock(&other, &c, 1, 2), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&other, &b), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(rangelock_unlock(i < 2 ? &lock : &other, &of_vectors[i]), 0);
	ck_assert_int_eq(rangelock_destroy(&other), 0);
}
END_TEST

START_TEST(what_is_kept_for_a_request_is_not_held_while_that_is_in_use)
{
	static struct rangelock tree;
	static struct rangelock_req d;

	ck_assert_int_eq(rangelock_init(&tree, NULL), 0);
	ck_assert_int_eq(rangelock_wrlock(&tree, &d, 0, 1), 0);
	make_list(&lock, &a);
	visit_twice(&lock, &b, 1);
	ck_assert_int_eq(rangelock_wrlock(&tree, &b, 1, 2), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &b, 1, 2), EINVAL);
	ck_assert_int_eq(rangelock_unlock(&tree, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&tree, &d), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_destroy(&tree), 0);
}
END_TEST

static struct rangelock elsewhere;
static pthread_barrier_t turn;

/* Every other step is this thread's: what it has kept it leaves, and comes in before the other. */
static void come_down_by_turns(uint64_t steps, bool first)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	for (uint64_t i = steps; i > 0; i--) {
		pthread_barrier_wait(&turn);
		if ((i % 2 == 0) == first) {
			must(rangelock_wrlock(&elsewhere, &req, 1, 2) == 0);
			must(rangelock_unlock(&elsewhere, &req) == 0);
			visit_twice(&lock, &req, 2 * i);
		}
	}
	pthread_barrier_wait(&turn);
}

static void *come_down_second(void *steps)
{
	come_down_by_turns(*(uint64_t *)steps, false);
	return NULL;
}

START_TEST(who_keeps_what_and_leaves_it_leaves_nothing_behind)
{
	static struct rangelock_req d;
	uint64_t steps = 200;
	pthread_t thread;

	pthread_barrier_init(&turn, NULL, 2);
	ck_assert_int_eq(rangelock_init(&elsewhere, &on_list), 0);
	make_list(&lock, &a);
	make_list(&elsewhere, &d);
	must(pthread_create(&thread, NULL, come_down_second, &steps) == 0);
	come_down_by_turns(steps, true);
	ck_assert_uint_le(count_nodes(), 10);
	pthread_join(thread, NULL);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_int_eq(rangelock_unlock(&elsewhere, &d), 0);
	ck_assert_int_eq(rangelock_destroy(&elsewhere), 0);
}
END_TEST

/* Nor does a request take anything from a list to a tree. */
START_TEST(a_request_goes_from_a_list_to_a_tree)
{
	static struct rangelock tree;
	static struct rangelock_req d;
	struct actor waiter;

	for (int i = 0; i < 3; i++) { /* so there have been some tickets */
		make_list(&lock, &a);
		actor_queue(&waiter, &lock, RANGELOCK_WRITE, 0, 1);
		ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
		actor_finish(&waiter);
	}
	make_list(&lock, &a);
	visit_twice(&lock, &b, 1);
	visit_twice(&lock, &b, 1); /* held again */
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_uint_eq(to_req(&b)->arrival, 0); /* or the tree takes it for one of its own */

	ck_assert_int_eq(rangelock_init(&tree, NULL), 0);
	ck_assert_int_eq(rangelock_wrlock(&tree, &b, 0, 1), 0);
	actor_queue(&waiter, &tree, RANGELOCK_WRITE, 0, 1);
	ck_assert_int_eq(rangelock_unlock(&tree, &b), 0);
	ck_assert_int_eq(actor_join(&waiter), 0);
	ck_assert_int_eq(rangelock_trywrlock(&tree, &d, 0, 1), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&tree, &waiter.req), 0);
	ck_assert_int_eq(rangelock_destroy(&tree), 0);
}
END_TEST

static void *visit_in_passing(void *arg)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	visit_twice(&lock, &req, *(uint64_t *)arg);
	return NULL;
}

START_TEST(what_threads_keep_goes_with_them)
{
	enum { THREADS = 100 };

	make_list(&lock, &a);
	for (uint64_t i = 0; i < THREADS; i++) {
		uint64_t start = 2 * (THREADS - i);
		pthread_t thread;

		must(pthread_create(&thread, NULL, visit_in_passing, &start) == 0);
		pthread_join(thread, NULL);
	}
	ck_assert_uint_le(count_nodes(), 8);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

/* Stays in its range, where it has been before, until it is told to go, and then ends. */
struct guest {
	pthread_t thread;
	uint64_t start;
	pthread_barrier_t stays;
};

static void *come_and_stay(void *arg)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	struct guest *me = arg;

	for (int i = 0; i < 2; i++) {
		must(rangelock_wrlock(&lock, &req, me->start, me->start + 1) == 0);
		if (i)
			pthread_barrier_wait(&me->stays);
		if (i)
			pthread_barrier_wait(&me->stays);
		must(rangelock_unlock(&lock, &req) == 0);
	}
	return NULL;
}

static void let_go_of(struct guest *guest)
{
	pthread_barrier_wait(&guest->stays);
	pthread_join(guest->thread, NULL);
	pthread_barrier_destroy(&guest->stays);
}

START_TEST(what_threads_keep_goes_though_others_stay_before_it)
{
	enum { GUESTS = 100 };
	static struct guest guests[GUESTS];

	make_list(&lock, &a);
	for (uint64_t i = 0; i < GUESTS; i++) {
		guests[i].start = 2 * (GUESTS - i);
		pthread_barrier_init(&guests[i].stays, NULL, 2);
		must(pthread_create(&guests[i].thread, NULL, come_and_stay, &guests[i]) == 0);
		pthread_barrier_wait(&guests[i].stays);
		if (i)
			let_go_of(&guests[i - 1]);
	}
	ck_assert_uint_le(count_nodes(), 8);
	let_go_of(&guests[GUESTS - 1]);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
}
END_TEST

static pthread_barrier_t barrier;

static void *visit_and_idle(void *arg)
{
	visit_in_passing(arg);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

START_TEST(who_keeps_something_and_idles_is_no_company)
{
	uint64_t start = 100;
	pthread_t thread;

	make_list(&lock, &a);
	pthread_barrier_init(&barrier, NULL, 2);
	must(pthread_create(&thread, NULL, visit_and_idle, &start) == 0);
	pthread_barrier_wait(&barrier);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);
	ck_assert_uint_ge(count_nodes(), 1);
	for (uint64_t i = 0; i < 40; i++) {
		must(rangelock_wrlock(&lock, &b, i, i + 1) == 0);
		must(rangelock_unlock(&lock, &b) == 0);
	}
	ck_assert(word_is_idle());
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_child_has_a_pool_of_its_own)
{
	ck_assert_int_eq(rangelock_wrlock(&lock, &a, 0, 1), 0);
	visit_in_a_list(NULL);
	ck_assert_int_eq(rangelock_unlock(&lock, &a), 0);

	pid_t child = fork();
	if (child == 0) {
		must(rangelock_wrlock(&lock, &a, 0, 1) == 0);
		for (int i = 0; i < 1000; i++)
			visit_in_a_list(NULL);
		must(rangelock_unlock(&lock, &a) == 0);
		_exit(rangelock_destroy(&lock));
	}
	int status = -1;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- Lists with flags ---- */

static struct rangelock flagged;

static void make_flagged(unsigned flags)
{
	const struct rangelock_attr attr = { .engine = RANGELOCK_LIST,
					     .flags = flags,
					     .name = "pages" };

	ck_assert_int_eq(rangelock_init(&flagged, &attr), 0);
}

static const unsigned all_flags[] = { 0, RANGELOCK_BARGING, RANGELOCK_CHECKED, RANGELOCK_STATS,
				      RANGELOCK_CHECKED | RANGELOCK_STATS };
enum { N_FLAGS = sizeof(all_flags) / sizeof(all_flags[0]) };

START_TEST(a_list_with_any_flags_lets_others_pass_those_who_wait)
{
	struct actor waiter;

	make_flagged(all_flags[_i]);
	ck_assert_int_eq(rangelock_wrlock(&flagged, &a, 0, 2), 0);
	actor_queue(&waiter, &flagged, RANGELOCK_WRITE, 1, 4);
	ck_assert_int_eq(rangelock_trywrlock(&flagged, &b, 3, 4), 0);
	ck_assert_int_eq(rangelock_unlock(&flagged, &b), 0);
	ck_assert_int_eq(rangelock_unlock(&flagged, &a), 0);
	ck_assert_int_eq(actor_join(&waiter), 0);
	ck_assert_int_eq(rangelock_cancel(&flagged, &waiter.req), EBUSY);
	/* Its own thread has to, where that is checked, but has ended. */
	if (!(all_flags[_i] & RANGELOCK_CHECKED)) {
		ck_assert_int_eq(rangelock_unlock(&flagged, &waiter.req), 0);
		ck_assert_int_eq(rangelock_destroy(&flagged), 0);
	}
}
END_TEST

static int choose_nothing(void *arg, struct rangelock_range *range)
{
	(void)arg, (void)range;
	return EIO;
}

START_TEST(a_list_with_any_flags_cannot_be_entered)
{
	const struct rangelock_range range = { 0, 1, RANGELOCK_READ };
	int status;

	make_flagged(all_flags[_i]);
	ck_assert_int_eq(rangelock_wait_entered(&flagged, &a, &range, NULL), ENOTSUP);
	ck_assert_int_eq(rangelock_lock_chosen(&flagged, &a, choose_nothing, NULL, NULL), ENOTSUP);
	pid_t child = fork();
	if (child == 0) {
		close(STDERR_FILENO);
		rangelock_enter(&flagged);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_int_eq(rangelock_destroy(&flagged), 0);
	ck_assert_int_eq(rangelock_lock_chosen(&flagged, &a, choose_nothing, NULL, NULL), EINVAL);
}
END_TEST

static char said[4096];

static void hear(const char *text, size_t length)
{
	must(length < sizeof(said));
	memcpy(said, text, length);
	said[length] = 0;
}

START_TEST(a_checked_list_says_what_is_wrong)
{
	void (*tell)(const char *, size_t) = rl_check_tell;

	rl_check_tell = hear;
	make_flagged(RANGELOCK_CHECKED);
	ck_assert_int_eq(rangelock_wrlock(&flagged, &a, 0, 10), 0);
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(rangelock_rdlock(&flagged, &b, 5, 6), EDEADLK);
	ck_assert_ptr_nonnull(strstr(said, "deadlock"));
	ck_assert_ptr_nonnull(strstr(said, "lock \"pages\""));
	ck_assert_int_eq(rangelock_unlock(&flagged, &b), EPERM);
	ck_assert_ptr_nonnull(strstr(said, "unlock by thread"));
	ck_assert_int_eq(rangelock_destroy(&flagged), EBUSY);
	ck_assert_int_eq(rangelock_unlock(&flagged, &a), 0);
	ck_assert_int_eq(rangelock_destroy(&flagged), 0);
	rl_check_tell = tell;
}
END_TEST

START_TEST(a_list_with_statistics_counts)
{
	static const struct timespec past = { 0, 0 };
	struct rangelock_stats stats;

	ck_assert_int_eq(rangelock_stats(&lock, &stats), ENOTSUP);
	make_flagged(RANGELOCK_STATS);
	ck_assert_int_eq(rangelock_wrlock(&flagged, &a, 0, 10), 0);
	ck_assert_int_eq(rangelock_tryrdlock(&flagged, &b, 9, 10), EBUSY);
	ck_assert_int_eq(rangelock_timedrdlock(&flagged, &b, 9, 10, &past), ETIMEDOUT);
	ck_assert_int_eq(rangelock_rdlock(&flagged, &b, 10, 11), 0);
	ck_assert_int_eq(rangelock_unlock(&flagged, &a), 0);
	ck_assert_int_eq(rangelock_unlock(&flagged, &b), 0);
	ck_assert_int_eq(rangelock_stats(&flagged, &stats), 0);
	ck_assert_uint_eq(stats.writes, 1);
	ck_assert_uint_eq(stats.reads, 1);
	ck_assert_uint_eq(stats.timeouts, 1);
	ck_assert_int_eq(rangelock_destroy(&flagged), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("list");
	TCase *tc = tcase_create("list");

	tcase_add_checked_fixture(tc, make_lock, end_lock);
	tcase_add_test(tc, one_who_waits_is_passed_as_often_as_is_promised);
	tcase_add_test(tc, writers_that_wait_go_one_by_one_in_order);
	tcase_add_test(tc, a_request_that_waits_is_refused);
	tcase_add_test(tc, the_steady_state_allocates_nothing);
	tcase_add_test(tc, who_gives_up_again_and_again_leaves_nothing_behind);
	tcase_add_test(tc, who_goes_down_hand_over_hand_leaves_nothing_behind);
	tcase_add_test(tc, threads_that_only_unlock_leave_nothing_behind);
	tcase_add_test(tc, what_is_submitted_and_canceled_leaves_nothing_behind);
	tcase_add_test(tc, a_vector_that_gives_up_again_and_again_leaves_nothing_behind);
	tcase_add_test(tc, what_waits_is_refused_by_lockv_and_submit);
	tcase_add_test(tc, threads_leave_their_nodes_to_others);
	tcase_add_test(tc, the_request_of_a_revoked_reservation_serves_on_any_lock);
	tcase_add_test(tc, reservations_that_are_forgotten_leave_nothing_behind);
	tcase_add_test(tc, a_request_knows_its_own_reservation);
	tcase_add_test(tc, one_that_was_revoked_holds_and_has_nothing_to_commit);
	tcase_add_test(tc, without_memory_a_reservation_stands);
	tcase_add_test(tc, without_memory_nothing_is_held);
	tcase_add_loop_test(tc, without_memory_what_is_held_stays_as_it_is, 0, 6);
	tcase_add_test(tc, without_a_second_node_what_is_held_stays_as_it_is);
	tcase_add_test(tc, an_extension_passes_nobody_who_waits_on_the_other_side);
	tcase_add_test(tc, while_its_upgrade_waits_a_request_is_in_use);
	tcase_add_test(tc, who_is_alone_changes_what_it_holds);
	tcase_add_test(tc, without_memory_what_was_given_back_serves_again);
	tcase_add_test(tc, a_thread_ends_that_has_no_node_left);
	tcase_add_test(tc, a_walk_passes_over_nobody_who_grows_downwards);
	tcase_add_test(tc, a_list_that_is_in_use_is_not_destroyed);
	tcase_add_test(tc, one_in_the_word_is_unlocked_as_a_vector);
	tcase_add_test(tc, a_gap_is_for_a_request_that_is_free_and_a_lock_that_lives);
	tcase_add_test(tc, a_list_stays_one_until_requests_are_alone_for_a_while);
	tcase_add_test(tc, what_is_locked_again_is_where_it_was);
	tcase_add_test(tc, what_is_kept_is_not_passed_on_by_a_split);
	tcase_add_test(tc, what_is_kept_in_one_list_is_not_held_in_another);
	tcase_add_test(tc, what_is_kept_for_a_request_is_not_held_while_that_is_in_use);
	tcase_add_test(tc, who_keeps_what_and_leaves_it_leaves_nothing_behind);
	tcase_add_test(tc, a_request_goes_from_a_list_to_a_tree);
	tcase_add_test(tc, what_threads_keep_goes_with_them);
	tcase_add_test(tc, what_threads_keep_goes_though_others_stay_before_it);
	tcase_add_test(tc, who_keeps_something_and_idles_is_no_company);
	tcase_add_test(tc, a_child_has_a_pool_of_its_own);
	tcase_add_loop_test(tc, a_list_with_any_flags_lets_others_pass_those_who_wait, 0, N_FLAGS);
	tcase_add_loop_test(tc, a_list_with_any_flags_cannot_be_entered, 0, N_FLAGS);
	tcase_add_test(tc, a_checked_list_says_what_is_wrong);
	tcase_add_test(tc, a_list_with_statistics_counts);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
