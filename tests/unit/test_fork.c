/* SPDX-License-Identifier: BSD-2-Clause */
/* The child of a fork(): what it finds of locks that its parent's threads use.  A tree that was
 * caught in mid-change is forgotten; in a list what is held stays, and calls that were made
 * by other threads are whole: what they had not been granted they do not wait for. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
#include "common/clock.h"
#include "support/actor.h"
#include "support/suite.h"
#include "wait/wait.h"

static struct rangelock lock;
static struct rangelock_req holder, other, mark;
static struct wait_ops ops;
static atomic_int sleeps;

static int counting_sleep(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	sleeps++;
	return rl_wait_futex.sleep(word, expected, abstime);
}

static unsigned one_processor(void)
{
	return 1;
}

static void setup(void)
{
	lock = (struct rangelock)RANGELOCK_INITIALIZER;
	holder = other = mark = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	ops = rl_wait_futex;
	ops.sleep = counting_sleep;
	ops.processors = one_processor;
	rl_wait = &ops;
}

/* Run this in a child.  No assertions there: its result says which was not so, and a hang
 * ends by a signal. */
static void in_child(int (*live)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		alarm(20);
		end_child(live());
	}
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(!WIFSIGNALED(status), "the child ended by signal %d", WTERMSIG(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

static int count_one(const struct rangelock_info *info, void *arg)
{
	(void)info;
	++*(int *)arg;
	return 0;
}

/* Is the lock idle, and good for all?  0, or what is wrong. */
static int is_good(void)
{
	struct rangelock_req a = RANGELOCK_REQ_INITIALIZER, b = RANGELOCK_REQ_INITIALIZER;
	int n = 0;

	if (rangelock_walk(&lock, count_one, &n) || n)
		return 101;
	if (rangelock_reserve(&lock, &a, 0, 10) || !rangelock_is_reserved(&lock, &a) ||
	    rangelock_unreserve(&lock, &a))
		return 102;
	if (rangelock_trywrlock(&lock, &a, RANGELOCK_FULL) ||
	    rangelock_tryrdlock(&lock, &b, 0, 1) != EBUSY || rangelock_unlock(&lock, &a))
		return 103;
	if (rangelock_wrlock(&lock, &a, 0, 10) || rangelock_rdlock(&lock, &b, 10, 20) ||
	    rangelock_cancel(&lock, &b) != EBUSY || rangelock_unlock(&lock, &a) ||
	    rangelock_unlock(&lock, &b))
		return 104;
	return rangelock_destroy(&lock) ? 105 : 0;
}

/* ---- One who is inside ---- */

static atomic_int parked, go_on;

static int park(const struct rangelock_info *info, void *arg)
{
	(void)info, (void)arg;
	parked = 1;
	while (!go_on)
		sched_yield();
	return -1;
}

static void *walk(void *arg)
{
	(void)arg;
	rangelock_walk(&lock, park, NULL);
	return NULL;
}

/* Fork while another thread is inside the lock, which has something to show. */
static void fork_in_mid_walk(int (*live)(void))
{
	pthread_t thread;

	parked = go_on = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, walk, NULL), 0);
	while (!parked)
		sched_yield();
	in_child(live);
	go_on = 1;
	pthread_join(thread, NULL);
}

static int find_it_idle(void)
{
	return is_good();
}

static struct rangelock_req submitted;

static void granted(struct rangelock_req *req, int error, void *arg)
{
	*(int *)arg = error ? error : rangelock_unlock(&lock, req);
}

static int find_it_forgotten(void)
{
	struct rangelock_req inner = RANGELOCK_REQ_INITIALIZER;

	if (rangelock_unlock(&lock, &holder) != EPERM || rangelock_unlock(&lock, &other) != EPERM ||
	    rangelock_downgrade(&lock, &holder) != EPERM ||
	    rangelock_rdlock_nested(&lock, &inner, 20, 21, &other) != EPERM ||
	    rangelock_cancel(&lock, &holder) != EBUSY ||
	    rangelock_cancel(&lock, &submitted) != EBUSY)
		return 1;
	if (rangelock_is_reserved(&lock, &mark) || rangelock_unreserve(&lock, &mark) != EPERM ||
	    rangelock_commit(&lock, &mark, NULL) != EPERM)
		return 2;
	holder = mark = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	if (rangelock_wrlock(&lock, &mark, 0, 10) || rangelock_wrlock(&lock, &holder, 20, 30) ||
	    rangelock_unlock(&lock, &other) != EPERM || rangelock_unlock(&lock, &mark) ||
	    rangelock_unlock(&lock, &holder))
		return 3;
	return is_good();
}

START_TEST(who_was_inside_is_not_in_the_child)
{
	/* A reservation is held by no thread, and lets the walk have something to show. */
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 0, 10), 0);
	fork_in_mid_walk(find_it_idle);
	ck_assert(rangelock_is_reserved(&lock, &mark));
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

START_TEST(what_the_forker_held_is_forgotten_where_one_was_inside)
{
	struct rangelock_range range = { 5, 6, RANGELOCK_WRITE };
	int error = -1;

	submitted = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 20, 30), 0);
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 40, 50), 0);
	ck_assert_int_eq(rangelock_submit(&lock, &submitted, &range, granted, &error), EINPROGRESS);
	fork_in_mid_walk(find_it_forgotten);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &other), 0);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

/* ---- Nobody inside ---- */

static int give_up_what_is_held(void)
{
	if (rangelock_unlock(&lock, &holder))
		return 1;
	if (lock_of(to_req(&other)) && rangelock_unlock(&lock, &other))
		return 2;
	if (lock_of(to_req(&mark)) &&
	    (!rangelock_is_reserved(&lock, &mark) || rangelock_commit(&lock, &mark, NULL) ||
	     rangelock_unlock(&lock, &mark)))
		return 3;
	return is_good();
}

/* In the word alone, and in the engine. */
START_TEST(what_the_forker_holds_is_the_childs_to_give_up)
{
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	if (_i) {
		ck_assert_int_eq(rangelock_rdlock(&lock, &other, 20, 30), 0);
		ck_assert_int_eq(rangelock_reserve(&lock, &mark, 40, 50), 0);
	}
	in_child(give_up_what_is_held);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	if (_i) {
		ck_assert_int_eq(rangelock_unlock(&lock, &other), 0);
		ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	}
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

/* Whom the unlock grants is not there; for others the lock works. */
static int go_on_without_the_waiting(void)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	if (rangelock_unlock(&lock, &holder))
		return 1;
	if (ON_LIST)
		return is_good();
	if (rangelock_trywrlock(&lock, &req, 5, 15) != EBUSY)
		return 2;
	if (rangelock_trywrlock(&lock, &req, 20, 30) || rangelock_unlock(&lock, &req))
		return 3;
	return rangelock_destroy(&lock) == EBUSY ? 0 : 4;
}

START_TEST(those_who_wait_in_the_parent_wait_on)
{
	struct actor waiter;

	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 5, 15);
	in_child(go_on_without_the_waiting);
	ck_assert(is_waiting(&lock, &waiter.req));
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	actor_finish(&waiter);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

/* ---- The mutex itself ---- */

static int leave_it(void)
{
	rangelock_leave(&lock);
	return is_good();
}

START_TEST(who_forks_inside_leaves_in_both)
{
	rangelock_enter(&lock);
	in_child(leave_it);
	rangelock_leave(&lock);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

static void *look(void *arg)
{
	*(bool *)arg = rangelock_is_locked(&lock, 0, 1, RANGELOCK_READ);
	return NULL;
}

/* A thread of the child that has to wait for the mutex sleeps, and is woken. */
static int meet_at_the_mutex(void)
{
	pthread_t thread;
	bool locked = true;

	sleeps = 0;
	rangelock_enter(&lock);
	if (pthread_create(&thread, NULL, look, &locked))
		return 1;
	while (!sleeps)
		sched_yield();
	sleep_ns(20000000);
	if (sleeps != 1)
		return 2;
	rangelock_leave(&lock);
	pthread_join(thread, NULL);
	return locked ? 3 : is_good();
}

START_TEST(threads_of_the_child_meet_at_the_mutex)
{
	in_child(meet_at_the_mutex);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

static int fork_again(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		end_child(is_good());
	return waitpid(child, &status, 0) == child && status == 0 ? is_good() : 1;
}

START_TEST(children_of_children_get_on_too)
{
	ck_assert_int_eq(rangelock_reserve(&lock, &mark, 0, 10), 0);
	fork_in_mid_walk(fork_again);
	ck_assert_int_eq(rangelock_unreserve(&lock, &mark), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

/* ---- Forks at any moment ---- */

enum { HAMMERS = 3 };

static struct rangelock held;
static struct rangelock_req held_by_forker;
static atomic_bool stop;

/* Calls that hold nothing. */
static void *hammer(void *arg)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	int n = 0;

	(void)arg;
	while (!stop) {
		rangelock_walk(&lock, count_one, &n);
		must(!rangelock_is_locked(&lock, 0, 1, RANGELOCK_READ));
		must(rangelock_unlock(&lock, &req) == EPERM);
		must(rangelock_trywrlock(&held, &req, 5, 6) == EBUSY);
		must(rangelock_is_locked(&held, 0, 1, RANGELOCK_READ));
	}
	return NULL;
}

/* What the forker holds it holds or has lost; there is no third. */
static int live_on(void)
{
	int error = rangelock_unlock(&held, &held_by_forker);

	if (error && error != EPERM)
		return 1;
	held_by_forker = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	if (rangelock_trywrlock(&held, &held_by_forker, RANGELOCK_FULL) ||
	    rangelock_unlock(&held, &held_by_forker) || rangelock_destroy(&held))
		return 2;
	return is_good();
}

START_TEST(forks_at_any_moment)
{
	pthread_t threads[HAMMERS];

	held = (struct rangelock)RANGELOCK_INITIALIZER;
	ck_assert_int_eq(rangelock_wrlock(&held, &held_by_forker, 0, 10), 0);
	for (int i = 0; i < HAMMERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, NULL), 0);
	for (uint64_t i = 0; i < 5 + scaled(300); i++)
		in_child(live_on);
	stop = true;
	for (int i = 0; i < HAMMERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(rangelock_unlock(&held, &held_by_forker), 0);
	ck_assert_int_eq(rangelock_destroy(&held), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

/* ---- All kinds of calls at any moment ---- */

enum { WORKERS = 4, SLOTS = 3, SPACE = 12 };

/* A thread's requests: any thread may cancel or unlock them. */
static struct worker {
	struct rangelock_req reqs[SLOTS], submitted;
	atomic_bool waits; /* submitted */
	uint64_t seed;
	pthread_t thread;
} workers[WORKERS];

static uint64_t draw(struct worker *w, uint64_t n)
{
	w->seed = w->seed * 6364136223846793005 + 1442695040888963407;
	return (w->seed >> 33) % n;
}

static struct rangelock_range draw_range(struct worker *w)
{
	struct rangelock_range range = { .start = draw(w, SPACE) };

	range.end = range.start + 1 + draw(w, SPACE / 2);
	range.mode = draw(w, 2) ? RANGELOCK_WRITE : RANGELOCK_READ;
	return range;
}

static struct timespec soon(void)
{
	return in_ns(100000);
}

static void let_go(struct rangelock_req *req, int error, void *arg)
{
	if (!error)
		must(rangelock_unlock(&lock, req) == 0);
	*(atomic_bool *)arg = false;
}

static void submit_one(struct worker *w)
{
	struct rangelock_range range = draw_range(w);

	rangelock_cancel(&lock, &w->submitted);
	if (w->waits)
		return;
	w->waits = true;
	int error = rangelock_submit(&lock, &w->submitted, &range, let_go, &w->waits);
	if (!error)
		let_go(&w->submitted, 0, &w->waits);
	must(!error || error == EINPROGRESS);
}

static void change_one(struct worker *w, struct rangelock_req *req, struct rangelock_range r)
{
	struct rangelock_req *tail = &w->reqs[1];

	switch (draw(w, 6)) {
	case 0:
		must(rangelock_downgrade(&lock, req) == 0);
		break;
	case 1:
		rangelock_upgrade(&lock, req);
		break;
	case 2:
		rangelock_tryupgrade(&lock, req);
		break;
	case 3:
		rangelock_tryextend(&lock, req, r.start ? r.start - 1 : 0, r.end + 1);
		break;
	case 4:
		must(rangelock_reduce(&lock, req, r.end - 1, r.end) == 0);
		break;
	default:
		if (r.end - r.start > 1 && rangelock_split(&lock, req, r.start + 1, tail) == 0)
			must(rangelock_unlock(&lock, tail) == 0);
	}
}

static void lock_one(struct worker *w)
{
	struct rangelock_range r = draw_range(w);
	struct rangelock_req *req = &w->reqs[0];
	struct timespec abstime = soon();
	bool writes = r.mode == RANGELOCK_WRITE;
	int error;

	switch (draw(w, 3)) {
	case 0:
		error = writes ? rangelock_trywrlock(&lock, req, r.start, r.end)
			       : rangelock_tryrdlock(&lock, req, r.start, r.end);
		break;
	case 1:
		error = writes ? rangelock_timedwrlock(&lock, req, r.start, r.end, &abstime)
			       : rangelock_timedrdlock(&lock, req, r.start, r.end, &abstime);
		break;
	default:
		error = writes ? rangelock_wrlock(&lock, req, r.start, r.end)
			       : rangelock_rdlock(&lock, req, r.start, r.end);
	}
	if (error)
		return;
	if (draw(w, 2))
		change_one(w, req, r);
	else if (!writes &&
		 rangelock_rdlock_nested(&lock, &w->reqs[1], r.start, r.end + 1, req) == 0)
		must(rangelock_unlock(&lock, &w->reqs[1]) == 0);
	must(rangelock_unlock(&lock, req) == 0);
}

static void lock_many(struct worker *w)
{
	struct rangelock_range ranges[SLOTS];
	struct timespec abstime = soon();

	for (unsigned i = 0; i < SLOTS; i++)
		ranges[i] =
		    (struct rangelock_range){ 4 * i + draw(w, 3), 4 * i + 4, RANGELOCK_WRITE };
	if (rangelock_lockv(&lock, w->reqs, ranges, SLOTS, draw(w, 2) ? &abstime : NULL) == 0)
		must(rangelock_unlockv(&lock, w->reqs, SLOTS) == 0);
}

static void reserve_one(struct worker *w)
{
	struct rangelock_range r = draw_range(w);
	struct timespec abstime = soon();
	uint64_t at;

	if (draw(w, 2) ? rangelock_reserve(&lock, &w->reqs[2], r.start, r.end)
		       : rangelock_reserve_gap(&lock, &w->reqs[2], 2, 2, 0, SPACE, &at))
		return;
	if (draw(w, 2) && rangelock_commit(&lock, &w->reqs[2], draw(w, 2) ? &abstime : NULL) == 0)
		must(rangelock_unlock(&lock, &w->reqs[2]) == 0);
	else
		rangelock_unreserve(&lock, &w->reqs[2]);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int n = 0;

	while (!stop) {
		switch (draw(w, 16)) {
		case 0:
			submit_one(w);
			break;
		case 1:
			rangelock_walk(&lock, count_one, &n);
			rangelock_is_locked(&lock, 0, 1, RANGELOCK_READ);
			break;
		case 2:
			rangelock_cancel(&lock, &workers[draw(w, WORKERS)].reqs[draw(w, SLOTS)]);
			break;
		case 3:
		case 4:
			lock_many(w);
			break;
		case 5:
		case 6:
			reserve_one(w);
			break;
		default:
			lock_one(w);
		}
	}
	while (w->waits && rangelock_cancel(&lock, &w->submitted))
		sched_yield();
	return NULL;
}

static void give_up(struct rangelock_req *req)
{
	rangelock_cancel(&lock, req);
	rangelock_unlock(&lock, req);
	rangelock_unreserve(&lock, req);
}

static bool is_usable(struct rangelock_req *req)
{
	struct timespec abstime = in_ns(10 * (int64_t)NS_PER_S);

	return rangelock_timedwrlock(&lock, req, RANGELOCK_FULL, &abstime) == 0 &&
	       rangelock_unlock(&lock, req) == 0;
}

/* Once all requests are given up nothing is in anybody's way, and all of them are good for
 * another call. */
static int give_up_all(void)
{
	int n = 0;

	for (int i = 0; i < WORKERS; i++) {
		give_up(&workers[i].submitted);
		for (int k = 0; k < SLOTS; k++)
			give_up(&workers[i].reqs[k]);
	}
	give_up(&holder);
	if (rangelock_walk(&lock, count_one, &n) || n)
		return 201;
	for (int i = 0; i < WORKERS; i++) {
		if (!is_usable(&workers[i].submitted))
			return 202;
		for (int k = 0; k < SLOTS; k++)
			if (!is_usable(&workers[i].reqs[k]))
				return 203;
	}
	return is_good();
}

static void work_and_fork(int (*live)(void))
{
	uint64_t seed = test_seed();

	stop = false;
	for (unsigned i = 0; i < WORKERS; i++) /* each cancels calls of all */
		workers[i] = (struct worker){ .seed = seed + i };
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	for (uint64_t i = 0; i < 5 + scaled(400); i++) {
		if (i % 4 < 2)
			ck_assert_int_eq(rangelock_wrlock(&lock, &holder, i % SPACE, SPACE), 0);
		in_child(live);
		if (i % 4 < 2)
			ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	}
	stop = true;
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}

START_TEST(calls_that_others_were_in_the_middle_of_are_whole)
{
	work_and_fork(give_up_all);
}
END_TEST

/* ---- A fork in a callback of a call that is about to wait ---- */

static struct rangelock_req inner, later;
static pid_t child_of_callback;

static void fork_here(struct rangelock_req *req, int error, void *arg)
{
	(void)error, (void)arg;
	child_of_callback = fork();
	if (child_of_callback == 0)
		alarm(20);
	rangelock_unlock(&lock, &other); /* for which `inner` waits */
	rangelock_unlock(&lock, req);
}

static void wait_here(struct rangelock_req *req, int error, void *arg)
{
	(void)error;
	rangelock_unlock(&lock, &mark);
	*(int *)arg = rangelock_wrlock(&lock, &inner, 20, 30); /* runs fork_here() before */
	rangelock_unlock(&lock, &inner);
	rangelock_unlock(&lock, req);
}

START_TEST(who_forks_in_a_callback_is_woken_in_both)
{
	const struct rangelock_range first = { 0, 10, RANGELOCK_WRITE },
				     second = { 10, 20, RANGELOCK_WRITE };
	struct rangelock_req last = RANGELOCK_REQ_INITIALIZER;
	struct actor waiter;
	int status, error = -1;

	inner = later = submitted = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &mark, 10, 20), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &other, 20, 30), 0);
	ck_assert_int_eq(rangelock_wrlock(&lock, &last, 30, 40), 0);
	ck_assert_int_eq(rangelock_submit(&lock, &submitted, &first, wait_here, &error),
			 EINPROGRESS);
	ck_assert_int_eq(rangelock_submit(&lock, &later, &second, fork_here, NULL), EINPROGRESS);
	actor_queue(&waiter, &lock, RANGELOCK_WRITE, 30, 40);
	rangelock_unlock(&lock, &holder);
	if (child_of_callback == 0)
		end_child(error || rangelock_unlock(&lock, &last) ? 1 : is_good());
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(waitpid(child_of_callback, &status, 0), child_of_callback);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &last), 0);
	actor_finish(&waiter);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fork");
	TCase *tc = tcase_create("fork");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, NULL);
	add_tree_test(tc, who_was_inside_is_not_in_the_child);
	add_tree_test(tc, what_the_forker_held_is_forgotten_where_one_was_inside);
	tcase_add_loop_test(tc, what_the_forker_holds_is_the_childs_to_give_up, 0, 2);
	tcase_add_test(tc, those_who_wait_in_the_parent_wait_on);
	add_tree_test(tc, who_forks_inside_leaves_in_both);
	add_tree_test(tc, threads_of_the_child_meet_at_the_mutex);
	add_tree_test(tc, children_of_children_get_on_too);
	tcase_add_test(tc, forks_at_any_moment);
	if (ON_LIST) {
		tcase_add_test(tc, calls_that_others_were_in_the_middle_of_are_whole);
		tcase_add_test(tc, who_forks_in_a_callback_is_woken_in_both);
	}
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
