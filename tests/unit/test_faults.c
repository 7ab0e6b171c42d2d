/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes wrong around the library: sleeps that end for nothing or lie about
 * the time, signals, odd deadlines, cancelled threads, fork, an old kernel, and
 * system calls that fail.  And that nothing is allocated through all of it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/random.h"
#include "support/actor.h"
#include "support/suite.h"
#include "wait/wait.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct rangelock lock;
static struct rangelock_req holder, other;

static unsigned one_processor(void)
{
	return 1; /* whoever has to wait sleeps at once */
}

static unsigned two_processors(void)
{
	return 2; /* whoever has to wait spins first */
}

static struct wait_ops ops;

static void setup(void)
{
	lock = (struct rangelock)RANGELOCK_INITIALIZER;
	holder = other = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	ops = rl_wait_futex;
	rl_wait = &ops;
}

static void teardown(void)
{
	rl_wait = &rl_wait_futex;
	ck_assert_int_eq(population(&lock), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}

/* ---- Allocations: those made while a thread is inside the library ---- */

static _Thread_local int inside;
static atomic_int allocations;
#ifndef SANITIZED
static bool no_memory; /* inside */
#endif

/* The call, watched. */
#define CALL(call)                    \
	({                            \
		inside++;             \
		__auto_type r = call; \
		inside--;             \
		r;                    \
	})

static void note_allocation(void)
{
	if (inside)
		atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

#ifdef SANITIZED
/* From <sanitizer/allocator_interface.h>, which gcc 12 does not bring. */
int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t),
					      void (*)(const volatile void *));

static void on_malloc(const volatile void *p, size_t size)
{
	(void)p, (void)size;
	note_allocation();
}

static void on_free(const volatile void *p)
{
	(void)p;
	note_allocation();
}

static void watch_allocations(void)
{
	__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

#else
/* In the C library's place, on top of it. */
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void __libc_free(void *);

void *malloc(size_t size)
{
	note_allocation();
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	note_allocation();
	if (inside && no_memory)
		return NULL;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	note_allocation();
	return __libc_realloc(p, size);
}

void free(void *p)
{
	note_allocation();
	__libc_free(p);
}

static void watch_allocations(void)
{
}
#endif

/* ---- The storm: threads that do whatever makes them meet ---- */

enum { CELLS = 8, THREADS = 6 };

struct worker {
	pthread_t thread;
	struct rng rng;
	struct rangelock_req req;
	uint64_t written; /* cells */
	uint64_t timeouts, cancels;
};

static struct worker workers[THREADS];
static uint64_t left[CELLS], right[CELLS]; /* the same, whenever nobody writes there */
static atomic_int working;

static int lock_somehow(struct worker *w, enum rangelock_mode mode, uint64_t start, uint64_t end)
{
	bool write = mode == RANGELOCK_WRITE;
	struct timespec soon = in_ns((int64_t)rng_below(&w->rng, 300000));
	int error;

	switch (rng_below(&w->rng, 4)) {
	case 0:
		error = write ? CALL(rangelock_trywrlock(&lock, &w->req, start, end))
			      : CALL(rangelock_tryrdlock(&lock, &w->req, start, end));
		must(error == 0 || error == EBUSY);
		break;
	case 1:
		error = write ? CALL(rangelock_timedwrlock(&lock, &w->req, start, end, &soon))
			      : CALL(rangelock_timedrdlock(&lock, &w->req, start, end, &soon));
		must(error == 0 || error == ETIMEDOUT || error == ECANCELED);
		break;
	default:
		error = write ? CALL(rangelock_wrlock(&lock, &w->req, start, end))
			      : CALL(rangelock_rdlock(&lock, &w->req, start, end));
		must(error == 0 || error == ECANCELED);
	}
	w->timeouts += error == ETIMEDOUT;
	w->cancels += error == ECANCELED;
	return error;
}

static void use(struct worker *w, enum rangelock_mode mode, uint64_t start, uint64_t end)
{
	for (uint64_t c = start; c < end; c++) {
		must(left[c] == right[c]);
		if (mode == RANGELOCK_WRITE)
			left[c]++;
	}
	if (rng_one_in(&w->rng, 4))
		sched_yield();
	for (uint64_t c = start; mode == RANGELOCK_WRITE && c < end; c++) {
		right[c]++;
		w->written++;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < scaled(4000); i++) {
		enum rangelock_mode mode = rng_one_in(&w->rng, 2) ? RANGELOCK_READ
								  : RANGELOCK_WRITE;
		uint64_t start = rng_below(&w->rng, CELLS);
		uint64_t end = start + 1 + rng_below(&w->rng, CELLS - start);
		int error = lock_somehow(w, mode, start, end);

		if (!error) {
			use(w, mode, start, end);
			must(CALL(rangelock_unlock(&lock, &w->req)) == 0);
		}
		if (rng_one_in(&w->rng, 8)) {
			error = CALL(
			    rangelock_cancel(&lock, &workers[rng_below(&w->rng, THREADS)].req));
			must(error == 0 || error == EBUSY);
		}
	}
	working--;
	return NULL;
}

/* Let it rage, with `weather` in a thread of its own; nothing may be wrong then. */
static void storm(void *(*weather)(void *))
{
	uint64_t sum = 0, written = 0;
	pthread_t other_thread;

	working = THREADS;
	memset(left, 0, sizeof(left));
	memset(right, 0, sizeof(right));
	for (uint64_t i = 0; i < THREADS; i++)
		workers[i] = (struct worker){ .rng = rng_make(test_seed(), i) };
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	if (weather)
		ck_assert_int_eq(pthread_create(&other_thread, NULL, weather, NULL), 0);
	while (working) /* nobody is joined while signals are sent to it */
		sleep_ns(1000000);
	if (weather)
		pthread_join(other_thread, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);

	for (int i = 0; i < CELLS; i++) {
		ck_assert(left[i] == right[i]);
		sum += left[i];
	}
	for (int i = 0; i < THREADS; i++)
		written += workers[i].written;
	ck_assert(sum == written && written > 0);
	ck_assert_int_eq(allocations, 0);
}

/* ------------------------------------------------------------------------ */

static int ignore(const struct rangelock_info *info, void *arg)
{
	(void)info, (void)arg;
	return 0;
}

START_TEST(nothing_is_allocated)
{
	void *(*volatile allocate)(size_t) = malloc; /* the compiler is not to see through it */
	struct timespec past = { 0, 1 };
	const struct rangelock_attr attr = { .name = "quiet" };

	watch_allocations();
	free(CALL(allocate(1)));
	ck_assert(is_under_valgrind() || allocations == 1);
	allocations = 0;

	ck_assert_int_eq(CALL(rangelock_init(&lock, &attr)), 0);
	for (int crowd = 0; crowd < 2; crowd++) {
		ck_assert_int_eq(CALL(rangelock_wrlock(&lock, &holder, 0, 10)), 0);
		if (crowd)
			ck_assert_int_eq(CALL(rangelock_rdlock(&lock, &other, 20, 30)), 0);
		struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
		ck_assert_int_eq(CALL(rangelock_tryrdlock(&lock, &req, 5, 6)), EBUSY);
		ck_assert_int_eq(CALL(rangelock_trywrlock(&lock, &req, 5, 6)), EBUSY);
		ck_assert_int_eq(CALL(rangelock_timedrdlock(&lock, &req, 5, 6, &past)), ETIMEDOUT);
		ck_assert_int_eq(CALL(rangelock_timedwrlock(&lock, &req, 5, 6, &past)), ETIMEDOUT);
		ck_assert_int_eq(CALL(rangelock_cancel(&lock, &holder)), EBUSY);
		ck_assert_int_eq(CALL(rangelock_destroy(&lock)), EBUSY);
		ck_assert_int_eq(CALL(rangelock_walk(&lock, ignore, NULL)), 0);
		ck_assert(CALL(rangelock_is_locked(&lock, 2, 4, RANGELOCK_WRITE)));
		ck_assert_int_eq(CALL(rangelock_unlock(&lock, &holder)), 0);
		if (crowd)
			ck_assert_int_eq(CALL(rangelock_unlock(&lock, &other)), 0);
	}
	ck_assert_int_eq(CALL(rangelock_destroy(&lock)), 0);
	ck_assert_int_eq(CALL(rangelock_init(&lock, NULL)), 0);
	ck_assert_int_eq(allocations, 0);
	ops.processors = _i ? two_processors : one_processor;
	storm(NULL); /* and in threads that wait for the first time */
}
END_TEST

/* ---- A wait table that lies ---- */

static _Thread_local struct rng dice;

static int restless_sleep(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	switch (rng_below(&dice, 8)) {
	case 0:
		return 0; /* for nothing */
	case 1:		  /* too early */
		return abstime ? ETIMEDOUT : 0;
	case 2: /* too late: it may have been woken by then */
		rl_wait_futex.sleep(word, expected, abstime);
		return abstime ? ETIMEDOUT : 0;
	default:
		return rl_wait_futex.sleep(word, expected, abstime);
	}
}

static void generous_wake(_Atomic uint32_t *word)
{
	rl_wait_futex.wake(word);
	if (rng_one_in(&dice, 4))
		rl_wait_futex.wake(word); /* somebody else, for nothing */
}

START_TEST(sleeps_that_lie_break_nothing)
{
	uint64_t timeouts = 0, cancels = 0;

	watch_allocations();
	ops = (struct wait_ops){ restless_sleep, generous_wake, _i ? two_processors : one_processor,
				 rl_wait_futex.thread, rl_wait_futex.now };
	/* On a busy machine the threads may run one after the other, and never meet. */
	for (int tries = 0; tries < 100 && !(timeouts && cancels); tries++) {
		storm(NULL);
		for (int i = 0; i < THREADS; i++) {
			timeouts += workers[i].timeouts;
			cancels += workers[i].cancels;
		}
	}
	ck_assert(scaled(100) < 100 || (timeouts > 0 && cancels > 0)); /* it did come to that */
}
END_TEST

/* ---- Signals ---- */

static atomic_int signals;

static void on_signal(int signal)
{
	(void)signal;
	atomic_fetch_add_explicit(&signals, 1, memory_order_relaxed);
}

static void *hail(void *arg)
{
	(void)arg;
	while (working) {
		for (int i = 0; i < THREADS; i++)
			pthread_kill(workers[i].thread, SIGUSR1);
		sleep_ns(20000);
	}
	return NULL;
}

START_TEST(a_hail_of_signals_breaks_nothing)
{
	struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART */

#ifdef __i386__
	if (getenv("RANGELOCK_EMULATED")) {
		puts("# SKIP: qemu mixes up the threads' local storage when a handler returns");
		return;
	}
#endif
	sigaction(SIGUSR1, &action, NULL);
	ops.processors = _i ? two_processors : one_processor;
	for (int tries = 0; tries < 100 && !signals; tries++) /* it may come too late */
		storm(hail);
	ck_assert_int_gt(signals, 0);
}
END_TEST

/* ---- Wake-ups ---- */

/* How many sleep on word: they are moved from it to itself. */
static long count_asleep(_Atomic uint32_t *word)
{
	return syscall(SYS_futex, word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)INT_MAX, word, 0);
}

static void *sleep_on(void *word)
{
	must(rl_wait_futex.sleep(word, 0, NULL) == 0);
	return NULL;
}

/* No crowd comes to the short mutex where only one can get it. */
START_TEST(a_wake_up_is_for_one)
{
	static _Atomic uint32_t word;
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sleep_on, (void *)&word), 0);
	while (count_asleep(&word) < 2)
		sched_yield();
	rl_wait_futex.wake(&word);
	ck_assert_int_eq(count_asleep(&word), 1);
	rl_wait_futex.wake(&word);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(a_wake_up_that_fails_leaves_errno_alone)
{
	static uint32_t words[2];
	char *askew = (char *)words + 1; /* no address of a futex */

	errno = 0;
	rl_wait_futex.wake((_Atomic uint32_t *)(void *)askew);
	ck_assert_int_eq(errno, 0);
}
END_TEST

/* ---- Deadlines; and a kernel that has only the old call for them ---- */

#ifdef SYS_futex_time64
enum { KERNELS = 2 };
static bool old_kernel;

/* In the C library's place, on top of it. */
long syscall(long number, ...)
{
	static long (*libc_syscall)(long, ...);
	long arg[6];
	va_list ap;

	if (old_kernel && number == SYS_futex_time64) {
		errno = ENOSYS;
		return -1;
	}
	if (!libc_syscall)
		libc_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	return libc_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}
#else
enum { KERNELS = 1 };
static bool old_kernel;
#endif

static const time_t last_second =
    (time_t)(sizeof(time_t) == sizeof(int64_t) ? INT64_MAX : INT32_MAX);

START_TEST(deadlines_long_past_end_a_wait_at_once)
{
	const struct timespec past[] = {
		{ 0, 0 },	   { 0, 999999999 },	{ 1, 0 },
		{ -1, 999999999 }, { -last_second, 0 }, { -last_second - 1, 1 },
		in_ns(-1),	   { INT32_MIN, 0 },	{ INT32_MIN + 1, 1 }
	};

	old_kernel = _i;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
		ck_assert_int_eq(rangelock_timedwrlock(&lock, &other, 0, 10, &past[i]), ETIMEDOUT);
		ck_assert_int_eq(rangelock_timedrdlock(&lock, &other, 0, 10, &past[i]), ETIMEDOUT);
	}
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

/* Of requests, not those on the short mutex. */
static atomic_int sleeps, ends_of_sleep;

static int counting_sleep(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	bool mutex = (uintptr_t)word - (uintptr_t)&lock < sizeof(lock);

	sleeps += !mutex;
	int error = rl_wait_futex.sleep(word, expected, abstime);
	ends_of_sleep += !mutex;
	return error;
}

/* Wait until n threads have gone to sleep, and give them time to come back. */
static void see_asleep(int n)
{
	while (sleeps < n)
		sched_yield();
	sleep_ns(20000000);
}

START_TEST(a_deadline_beyond_reach_is_none)
{
	const struct timespec far[] = { { last_second, 0 },
					{ last_second, 999999999 },
					{ INT32_MAX, 0 },
					{ last_second - 1, 0 },
					{ last_second / 2 + 1, 1 } };
	enum { MANY = sizeof(far) / sizeof(far[0]) };
	struct actor waiters[MANY];

	old_kernel = _i;
	ops = (struct wait_ops){ counting_sleep, rl_wait_futex.wake, one_processor,
				 rl_wait_futex.thread, rl_wait_futex.now };
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	for (int i = 0; i < MANY; i++)
		actor_queue_until(&waiters[i], &lock, RANGELOCK_READ, 0, 10, far[i]);
	see_asleep(MANY);
	ck_assert_int_eq(ends_of_sleep, 0);
	for (int i = 0; i < MANY; i++)
		ck_assert(is_waiting(&lock, &waiters[i].req));
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	for (int i = 0; i < MANY; i++)
		actor_finish(&waiters[i]);
}
END_TEST

static bool before(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

START_TEST(deadlines_are_kept_to_the_nanosecond)
{
	old_kernel = _i;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	for (int i = 0; i < 4; i++) {
		struct timespec until = in_ns(i == 0 ? 1 : i == 1 ? 50000000 : 0);

		if (i == 2)
			until.tv_nsec = 999999999; /* the last of this second */
		if (i == 3)
			until = (struct timespec){ until.tv_sec + 1, 0 };
		ck_assert_int_eq(rangelock_timedrdlock(&lock, &other, 5, 15, &until), ETIMEDOUT);
		ck_assert(!before(in_ns(0), until));
		ck_assert(before(in_ns((int64_t)-5 * NS_PER_S), until));
	}
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

/* ---- Cancelled threads ---- */

static atomic_int result;
static atomic_bool go, asked_to_end;

static void unlock_other(void *arg)
{
	(void)arg;
	must(rangelock_unlock(&lock, &other) == 0);
}

/* Not for AddressSanitizer, which does not see a frame end by cancellation. */
__attribute__((no_sanitize("address"))) static void *lock_and_be_cancelled(void *arg)
{
	while (!go)
		; /* sched_yield() might be a cancellation point */
	result = rangelock_timedwrlock(&lock, &other, 0, 10, arg);
	while (!asked_to_end)
		; /* its time may have passed before it was */
	if (result == 0) {
		pthread_cleanup_push(unlock_other, NULL);
		pthread_testcancel();
		pthread_cleanup_pop(1);
	}
	pthread_testcancel();
	return NULL;
}

START_TEST(a_cancelled_thread_ends_its_call_first)
{
	bool timed = _i & 1, before_the_call = _i & 2;
	struct timespec soon = in_ns(NS_PER_S / 10);
	pthread_t thread;
	void *end;

	result = -1;
	ops = (struct wait_ops){ counting_sleep, rl_wait_futex.wake, one_processor,
				 rl_wait_futex.thread, rl_wait_futex.now };
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, lock_and_be_cancelled, timed ? &soon : NULL),
			 0);
	if (before_the_call)
		ck_assert_int_eq(pthread_cancel(thread), 0);
	go = true;
	while (sleeps == 0)
		sched_yield();
	if (!before_the_call)
		ck_assert_int_eq(pthread_cancel(thread), 0);
	asked_to_end = true;
	if (!timed) {
		see_asleep(1);
		ck_assert(is_waiting(&lock, &other));
		ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	}
	ck_assert_int_eq(pthread_join(thread, &end), 0);
	ck_assert(end == PTHREAD_CANCELED);
	ck_assert_int_eq(result, timed ? ETIMEDOUT : 0);
	if (timed)
		ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
}
END_TEST

/* ---- Fork ---- */

static struct rangelock busy; /* other threads are at it */
static atomic_bool stop;
static atomic_int hammering;

static void *hammer(void *arg)
{
	uint64_t start = (uintptr_t)arg;

	hammering++;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

		must(rangelock_wrlock(&busy, &req, start, start + 2) == 0);
		must(rangelock_unlock(&busy, &req) == 0);
	}
	return NULL;
}

static uint64_t counter;

static void *count_up(void *arg)
{
	for (uint64_t i = 0; i < scaled(200); i++) {
		struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

		must(rangelock_wrlock(arg, &req, i % 4, 8) == 0);
		counter++;
		must(rangelock_unlock(arg, &req) == 0);
	}
	return NULL;
}

static bool threads_can_meet(struct rangelock *idle)
{
	pthread_t threads[3];
	uint64_t n = 3;

#ifdef SANITIZED /* their own state does not survive the fork of a process with threads */
	n = 1;
#endif
	if (getenv("RANGELOCK_EMULATED")) /* nor does qemu's */
		n = 1;
	for (uint64_t i = 1; i < n; i++)
		if (pthread_create(&threads[i], NULL, count_up, idle))
			return false;
	count_up(idle);
	for (uint64_t i = 1; i < n; i++)
		pthread_join(threads[i], NULL);
	return counter == n * scaled(200);
}

static int count_one(const struct rangelock_info *info, void *arg)
{
	(void)info;
	++*(int *)arg;
	return 0;
}

/* No assertions here: the exit status says which of these is not so. */
static int live_in_child(struct rangelock *idle, unsigned processors)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	int n = 0;

	alarm(20); /* rather than hang */
	if (rl_wait->processors() != processors)
		return 1;
	if (rangelock_trywrlock(idle, &req, RANGELOCK_FULL) || rangelock_unlock(idle, &req))
		return 2;
	if (rangelock_walk(&lock, count_one, &n) || n != 2 ||
	    !rangelock_is_locked(&lock, 0, 10, RANGELOCK_WRITE) ||
	    !rangelock_is_locked(&lock, 20, 30, RANGELOCK_READ) ||
	    rangelock_tryrdlock(&lock, &req, 5, 6) != EBUSY || rangelock_destroy(&lock) != EBUSY)
		return 3;
	if (!threads_can_meet(idle) || rangelock_destroy(idle))
		return 4;
	/* What the forking thread held is the child's to give up. */
	if (rangelock_unlock(&lock, &holder) || rangelock_unlock(&lock, &other) ||
	    rangelock_destroy(&lock))
		return 5;
	return 0;
}

START_TEST(the_child_of_a_fork_finds_its_locks_in_order)
{
	enum { HAMMERS = 3 };
	struct rangelock idle = RANGELOCK_INITIALIZER;
	pthread_t threads[HAMMERS];
	unsigned processors = rl_wait->processors();

	busy = (struct rangelock)RANGELOCK_INITIALIZER;
	ck_assert_int_eq(rangelock_wrlock(&lock, &holder, 0, 10), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &other, 20, 30), 0);
	for (uintptr_t i = 0; i < HAMMERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, (void *)i), 0);
	while (hammering < HAMMERS)
		sched_yield();

	for (uint64_t i = 0; i < 5 + scaled(45); i++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			end_child(live_in_child(&idle, processors));
		ck_assert_int_gt(child, 0);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < HAMMERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(rangelock_unlock(&lock, &holder), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &other), 0);
	ck_assert_int_eq(rangelock_destroy(&idle), 0);
	ck_assert_int_eq(rangelock_destroy(&busy), 0);
}
END_TEST

/* ---- Memory that is not there ---- */

/* What counts is allocated when all else is in order, and all at once. */
START_TEST(statistics_are_all_that_is_allocated)
{
	const struct rangelock_attr attr = { .flags = RANGELOCK_STATS },
				    bad = { .flags = RANGELOCK_STATS, .reserved_ = { 1 } },
				    odd = { .flags = RANGELOCK_STATS, .engine = RANGELOCK_SHARDED };
	struct rangelock counting = { { 7 } };
	const struct rangelock before = counting;

	watch_allocations();
	allocations = 0;
	ck_assert_int_eq(CALL(rangelock_init(&counting, &bad)), EINVAL);
	ck_assert_int_eq(CALL(rangelock_init(NULL, &attr)), EINVAL);
	if (!rangelock_engine_caps(RANGELOCK_SHARDED)) /* not in this version */
		ck_assert_int_eq(CALL(rangelock_init(&counting, &odd)), ENOTSUP);
	ck_assert_int_eq(allocations, 0);
	ck_assert_mem_eq(&counting, &before, sizeof(before));
#ifndef SANITIZED
	if (!is_under_valgrind()) {
		no_memory = true;
		ck_assert_int_eq(CALL(rangelock_init(&counting, &attr)), ENOMEM);
		no_memory = false;
		ck_assert_mem_eq(&counting, &before, sizeof(before));
		allocations = 0;
	}
#endif
	ck_assert_int_eq(CALL(rangelock_init(&counting, &attr)), 0);
	ck_assert(is_under_valgrind() || allocations == 1);
	ck_assert_int_eq(CALL(rangelock_wrlock(&counting, &holder, 0, 1)), 0);
	ck_assert_int_eq(CALL(rangelock_tryrdlock(&counting, &other, 0, 1)), EBUSY);
	ck_assert_int_eq(CALL(rangelock_destroy(&counting)), EBUSY);
	ck_assert_int_eq(CALL(rangelock_unlock(&counting, &holder)), 0);
	ck_assert_int_le(allocations, 1);
	ck_assert_int_eq(CALL(rangelock_destroy(&counting)), 0); /* and frees it */
	ck_assert(is_under_valgrind() || allocations == 2);
}
END_TEST

/* ---- System calls that fail ---- */

/* No futex is at an odd address; what the kernel says then is not to be slept on. */
START_TEST(an_unknown_futex_error_is_fatal_and_says_where)
{
	static _Alignas(8) char words[8];
	_Atomic uint32_t *odd = (_Atomic uint32_t *)(void *)(words + 1);
	char expected[100], message[200] = "";
	int fds[2], status;

	ck_assert_int_eq(pipe(fds), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		rl_wait_futex.sleep(odd, 0, NULL);
		_exit(0);
	}
	close(fds[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert(read(fds[0], message, sizeof(message) - 1) > 0);
	close(fds[0]);
	snprintf(expected, sizeof(expected), "rangelock: futex wait on %p failed: errno %d\n",
		 (void *)odd, EINVAL);
	ck_assert_msg(strstr(message, expected), "%s", message);
}
END_TEST

static bool affinity_fails;

/* In the C library's place. */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	if (affinity_fails) {
		errno = EINVAL; /* as for a set that is too small for the machine */
		return -1;
	}
	memset(set, 0, size);
	return syscall(SYS_sched_getaffinity, pid, size, set) < 0 ? -1 : 0;
}

START_TEST(where_the_affinity_is_not_told_all_processors_count)
{
	affinity_fails = true;
	ck_assert_int_eq((int)rl_wait_futex.processors(), (int)sysconf(_SC_NPROCESSORS_ONLN));
	affinity_fails = false; /* it is asked once */
	ck_assert_int_eq((int)rl_wait_futex.processors(), (int)sysconf(_SC_NPROCESSORS_ONLN));
}
END_TEST

static void *count_when_pinned(void *arg)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	must(sched_setaffinity(0, sizeof(one), &one) == 0);
	*(unsigned *)arg = rl_wait_futex.processors();
	return NULL;
}

START_TEST(a_pinned_thread_does_not_make_the_process_small)
{
	cpu_set_t all;
	unsigned counted = 0;
	pthread_t thread;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, count_when_pinned, &counted), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(counted, (unsigned)CPU_COUNT(&all));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("faults");
	TCase *tc = tcase_create("faults");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, nothing_is_allocated, 0, 2);
	tcase_add_test(tc, statistics_are_all_that_is_allocated);
	tcase_add_loop_test(tc, sleeps_that_lie_break_nothing, 0, 2);
	tcase_add_loop_test(tc, a_hail_of_signals_breaks_nothing, 0, 2);
	tcase_add_test(tc, a_wake_up_is_for_one);
	tcase_add_test(tc, a_wake_up_that_fails_leaves_errno_alone);
	tcase_add_loop_test(tc, deadlines_long_past_end_a_wait_at_once, 0, KERNELS);
	tcase_add_loop_test(tc, a_deadline_beyond_reach_is_none, 0, KERNELS);
	tcase_add_loop_test(tc, deadlines_are_kept_to_the_nanosecond, 0, KERNELS);
	tcase_add_loop_test(tc, a_cancelled_thread_ends_its_call_first, 0, 4);
	tcase_add_test(tc, the_child_of_a_fork_finds_its_locks_in_order);
	tcase_add_test(tc, an_unknown_futex_error_is_fatal_and_says_where);
	tcase_add_test(tc, where_the_affinity_is_not_told_all_processors_count);
	tcase_add_test(tc, a_pinned_thread_does_not_make_the_process_small);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
