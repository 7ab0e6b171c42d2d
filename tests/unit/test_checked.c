/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RANGELOCK_CHECKED: what is refused, with which errno, and what is said of it.
 *
 * The threads are players: fibers that run until they sleep, so that who waits
 * when is no matter of luck.  To the library each has a number of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/check.h"
#include "common/random.h"
#include "support/actor.h"
#include "support/fiber.h"
#include "support/suite.h"

enum { PLAYERS = 12, REQS = 6, LOCKS = 3 };

struct player {
	struct fiber fiber;
	uint32_t number; /* its thread's */
	int (*call)(struct player *);
	struct rangelock *lock;
	struct rangelock_req *req;
	uint64_t start, end;
	enum rangelock_mode mode;
	int result;
	bool plays; /* is in a call */
	_Atomic uint32_t *sleeps_on;
	struct rangelock_req reqs[REQS];
};

static struct player players[PLAYERS];
static struct rangelock locks[LOCKS];
static unsigned outcomes[3]; /* at random: deadlocks, waits, grants at once */

/* ---- What is said ---- */

static int ears, real_stderr;
static char heard[8192];

static const char *listen(void)
{
	ssize_t n = pread(ears, heard, sizeof(heard) - 1, 0);

	heard[n > 0 ? n : 0] = 0;
	must(ftruncate(ears, 0) == 0 && lseek(ears, 0, SEEK_SET) == 0);
	return heard;
}

#define must_be_silent() ck_assert_str_eq(listen(), "")

/* One message, exactly so; LOCK and REQ stand for an address. */
#define must_hear(...)                                \
	do {                                          \
		char wanted_[4096];                   \
		snprintf(wanted_, 4096, __VA_ARGS__); \
		ck_assert_str_eq(listen(), wanted_);  \
	} while (0)

/* ---- Players ---- */

static int sleep_as_fiber(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	struct player *self = (struct player *)(void *)fiber_self();

	(void)abstime;
	if (atomic_load(word) != expected)
		return 0;
	ck_assert_ptr_nonnull(self); /* else nobody would ever wake it */
	self->sleeps_on = word;
	fiber_release(players); /* for ThreadSanitizer: all that was done before is seen */
	fiber_pause();
	fiber_acquire(players);
	return 0;
}

static void wake_fiber(_Atomic uint32_t *word)
{
	for (struct player *p = players; p < players + PLAYERS; p++)
		if (p->sleeps_on == word) {
			p->sleeps_on = NULL;
			return;
		}
}

static unsigned one_processor(void)
{
	return 1;
}

/* The test itself is thread 99. */
static uint32_t number(void)
{
	const struct fiber *self = fiber_self();

	return self ? ((const struct player *)(const void *)self)->number : 99;
}

static const struct wait_ops ops = {
	.sleep = sleep_as_fiber, .wake = wake_fiber, .processors = one_processor, .thread = number
};

static void make_lock_with(struct rangelock *lock, const char *name, unsigned flags)
{
	struct rangelock_attr attr = { .flags = RANGELOCK_CHECKED | flags, .name = name };

	ck_assert_int_eq(rangelock_init(lock, &attr), 0);
}

static void make_lock(struct rangelock *lock, const char *name)
{
	make_lock_with(lock, name, 0);
}

static void setup(void)
{
	static const char *const names[LOCKS] = { "A", "B", "C" };

	for (int i = 0; i < LOCKS; i++)
		make_lock(&locks[i], names[i]);
	for (int i = 0; i < PLAYERS; i++) {
		players[i] = (struct player){ .number = (uint32_t)i + 1 };
		fiber_create(&players[i].fiber);
	}
	rl_wait = &ops;
	rl_check_reset(); /* the test before may have left somebody waiting */
	memset(outcomes, 0, sizeof(outcomes));
	ears = memfd_create("ears", 0);
	real_stderr = dup(STDERR_FILENO);
	must(ears >= 0 && dup2(ears, STDERR_FILENO) >= 0);
}

static void teardown(void)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(ears);
	rl_wait = &rl_wait_futex;
	for (int i = 0; i < PLAYERS; i++)
		fiber_destroy(&players[i].fiber);
}

static void play(void *arg)
{
	struct player *p = arg;

	fiber_acquire(players);
	p->result = p->call(p);
	p->plays = false;
	fiber_release(players);
}

static void run_all_awake(void)
{
	for (int i = 0; i < PLAYERS; i++)
		if (players[i].plays && !players[i].sleeps_on) {
			fiber_release(players);
			fiber_resume(&players[i].fiber);
			fiber_acquire(players);
			i = -1; /* others may be awake now */
		}
}

/* EINPROGRESS: it waits. */
static int result_of(const struct player *p)
{
	run_all_awake();
	return p->plays ? EINPROGRESS : p->result;
}

static int act(unsigned who, int (*call)(struct player *))
{
	struct player *p = &players[who];

	run_all_awake();
	must(!p->plays);
	p->call = call;
	p->plays = true;
	fiber_start(&p->fiber, play, p);
	return result_of(p);
}

/* What the calls below are about. */
static struct player *with(unsigned who, unsigned req, unsigned lock, uint64_t start, uint64_t end,
			   enum rangelock_mode mode)
{
	struct player *p = &players[who];

	p->req = &p->reqs[req];
	p->lock = &locks[lock];
	p->start = start;
	p->end = end;
	p->mode = mode;
	return p;
}

static int do_lock(struct player *p)
{
	return p->mode == RANGELOCK_WRITE ? rangelock_wrlock(p->lock, p->req, p->start, p->end)
					  : rangelock_rdlock(p->lock, p->req, p->start, p->end);
}

static int do_unlock(struct player *p)
{
	return rangelock_unlock(p->lock, p->req);
}

static int lock_on(unsigned who, unsigned req, unsigned lock, uint64_t start, uint64_t end,
		   enum rangelock_mode mode)
{
	with(who, req, lock, start, end, mode);
	return act(who, do_lock);
}

static int unlock_on(unsigned who, unsigned req, unsigned lock)
{
	players[who].lock = &locks[lock];
	players[who].req = &players[who].reqs[req];
	return act(who, do_unlock);
}

#define READ  RANGELOCK_READ
#define WRITE RANGELOCK_WRITE

static const struct timespec far = { .tv_sec = 1000000 };

static int do_timed(struct player *p)
{
	return p->mode == WRITE ? rangelock_timedwrlock(p->lock, p->req, p->start, p->end, &far)
				: rangelock_timedrdlock(p->lock, p->req, p->start, p->end, &far);
}

static int do_try(struct player *p)
{
	return p->mode == WRITE ? rangelock_trywrlock(p->lock, p->req, p->start, p->end)
				: rangelock_tryrdlock(p->lock, p->req, p->start, p->end);
}

/* Its second range is far away. */
static int do_lockv(struct player *p)
{
	struct rangelock_range ranges[] = { { 1000000, 1000001, WRITE },
					    { p->start, p->end, p->mode } };

	return rangelock_lockv(p->lock, p->req, ranges, 2, NULL);
}

static int do_wait_entered(struct player *p)
{
	struct rangelock_range range = { p->start, p->end, p->mode };

	rangelock_enter(p->lock);
	int error = rangelock_wait_entered(p->lock, p->req, &range, NULL);
	rangelock_leave(p->lock);
	return error;
}

static int choose(void *arg, struct rangelock_range *range)
{
	struct player *p = arg;

	*range = (struct rangelock_range){ p->start, p->end, p->mode };
	return 0;
}

static int do_lock_chosen(struct player *p)
{
	return rangelock_lock_chosen(p->lock, p->req, choose, p, NULL);
}

/* Within the first request, which reads. */
static int do_nested(struct player *p)
{
	return rangelock_rdlock_nested(p->lock, p->req, p->start, p->end, &p->reqs[0]);
}

static int do_upgrade(struct player *p)
{
	return rangelock_upgrade(p->lock, p->req);
}

static int do_reserve(struct player *p)
{
	return rangelock_reserve(p->lock, p->req, p->start, p->end);
}

static int do_commit(struct player *p)
{
	return rangelock_commit(p->lock, p->req, NULL);
}

static int granted_error;

static void granted(struct rangelock_req *req, int error, void *arg)
{
	(void)req, (void)arg;
	granted_error = error;
}

static int do_submit(struct player *p)
{
	struct rangelock_range range = { p->start, p->end, p->mode };

	granted_error = -1;
	return rangelock_submit(p->lock, p->req, &range, granted, NULL);
}

/* ---- Refusals ---- */

START_TEST(what_is_right_is_not_spoken_of)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, WRITE), 0);
	with(1, 0, 0, 5, 6, READ);
	ck_assert_int_eq(act(1, do_try), EBUSY);
	ck_assert_int_eq(lock_on(1, 0, 0, 5, 6, READ), EINPROGRESS);
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
	ck_assert_int_eq(unlock_on(1, 0, 0), 0);
	ck_assert_int_eq(rangelock_destroy(&locks[0]), 0);
	must_be_silent();
}
END_TEST

START_TEST(to_unlock_an_idle_request_is_said)
{
	ck_assert_int_eq(unlock_on(2, 0, 0), EPERM);
	must_hear("rangelock: unlock by thread 3 refused, lock \"A\" (%p): request %p is idle\n",
		  (void *)&locks[0], (void *)&players[2].reqs[0]);
	ck_assert_int_eq(rangelock_unlockv(&locks[1], players[2].reqs, 2), EPERM);
	must_hear("rangelock: unlockv by thread 99 refused, lock \"B\" (%p): request %p is idle\n",
		  (void *)&locks[1], (void *)&players[2].reqs[0]);
}
END_TEST

static int stranger_unlocks(struct rangelock *lock, struct rangelock_req *req)
{
	return rangelock_unlock(lock, req);
}

static int stranger_unlocks_all(struct rangelock *lock, struct rangelock_req *req)
{
	return rangelock_unlockv(lock, req, 1);
}

static int stranger_reduces(struct rangelock *lock, struct rangelock_req *req)
{
	return rangelock_reduce(lock, req, 0, 1);
}

static int stranger_splits(struct rangelock *lock, struct rangelock_req *req)
{
	static struct rangelock_req tail;

	return rangelock_split(lock, req, 1, &tail);
}

static int stranger_extends(struct rangelock *lock, struct rangelock_req *req)
{
	return rangelock_tryextend(lock, req, 0, 100);
}

static const struct {
	const char *name;
	int (*call)(struct rangelock *, struct rangelock_req *);
} by_strangers[] = {
	{ "unlock", stranger_unlocks },	      { "unlockv", stranger_unlocks_all },
	{ "downgrade", rangelock_downgrade }, { "tryupgrade", rangelock_tryupgrade },
	{ "upgrade", rangelock_upgrade },     { "reduce", stranger_reduces },
	{ "split", stranger_splits },	      { "tryextend", stranger_extends },
};

START_TEST(a_stranger_is_refused)
{
	struct rangelock_req *req = &players[0].reqs[0];

	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	ck_assert_int_eq(by_strangers[_i].call(&locks[0], req), EPERM);
	must_hear("rangelock: %s by thread 99 refused, lock \"A\" (%p): request %p holds read "
		  "[0, 10), of thread 1\n",
		  by_strangers[_i].name, (void *)&locks[0], (void *)req);
	ck_assert(rangelock_is_locked(&locks[0], 0, 10, READ));
	ck_assert_int_eq(population(&locks[0]), 1);
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	must_be_silent();
}
END_TEST

/* Anybody's. */
START_TEST(a_submitted_request_has_no_owner)
{
	with(0, 0, 0, 0, 10, READ);
	ck_assert_int_eq(act(0, do_submit), 0);
	ck_assert_int_eq(act(0, do_try), EINVAL);
	must_hear("rangelock: lock by thread 1 refused, lock \"A\" (%p): request %p holds read "
		  "[0, 10)\n",
		  (void *)&locks[0], (void *)&players[0].reqs[0]);
	ck_assert_int_eq(rangelock_upgrade(&locks[0], &players[0].reqs[0]), 0);
	ck_assert_int_eq(rangelock_split(&locks[0], &players[0].reqs[0], 5, &players[0].reqs[1]),
			 0);
	ck_assert_int_eq(rangelock_unlock(&locks[0], &players[0].reqs[1]), 0);
	/* Whoever waits for it is told no story of who has it. */
	ck_assert_int_eq(lock_on(0, 2, 0, 0, 10, WRITE), EINPROGRESS);
	ck_assert_int_eq(rangelock_unlock(&locks[0], &players[0].reqs[0]), 0);
	ck_assert_int_eq(unlock_on(0, 2, 0), 0);
	must_be_silent();
}
END_TEST

START_TEST(to_change_keeps_the_owner)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	players[0].req = &players[0].reqs[0];
	ck_assert_int_eq(act(0, do_upgrade), 0);
	ck_assert_int_eq(rangelock_unlock(&locks[0], &players[0].reqs[0]), EPERM);
	must_hear("rangelock: unlock by thread 99 refused, lock \"A\" (%p): request %p holds write "
		  "[0, 10), of thread 1\n",
		  (void *)&locks[0], (void *)&players[0].reqs[0]);
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
}
END_TEST

static int do_split(struct player *p)
{
	return rangelock_split(p->lock, p->req, p->start, p->req + 1);
}

START_TEST(a_tail_has_the_same_owner)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	with(0, 0, 0, 5, 0, READ);
	ck_assert_int_eq(act(0, do_split), 0);
	ck_assert_int_eq(rangelock_unlock(&locks[0], &players[0].reqs[1]), EPERM);
	ck_assert_int_eq(unlock_on(0, 1, 0), 0);
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
}
END_TEST

static const struct {
	const char *name;
	int (*call)(struct player *);
} of_used[] = {
	{ "lock", do_lock },
	{ "lock", do_try },
	{ "lock", do_timed },
	{ "lockv", do_lockv },
	{ "wait_entered", do_wait_entered },
	{ "lock_chosen", do_lock_chosen },
	{ "submit", do_submit },
	{ "reserve", do_reserve },
};

START_TEST(a_request_in_use_is_refused)
{
	struct player *p = with(0, 1, 0, 20, 30, WRITE);
	const char *name = of_used[_i].name;

	/* Held. */
	ck_assert_int_eq(lock_on(0, 1, 0, 0, 10, WRITE), 0);
	ck_assert_int_eq(act(0, of_used[_i].call), EINVAL);
	must_hear("rangelock: %s by thread 1 refused, lock \"A\" (%p): request %p holds write "
		  "[0, 10), of thread 1\n",
		  name, (void *)p->lock, (void *)p->req);
	/* On another lock. */
	p->lock = &locks[1];
	ck_assert_int_eq(act(0, of_used[_i].call), EINVAL);
	must_hear("rangelock: %s by thread 1 refused, lock \"B\" (%p): request %p is in use on "
		  "another lock (%p)\n",
		  name, (void *)p->lock, (void *)p->req, (void *)&locks[0]);
	/* Waiting. */
	ck_assert_int_eq(lock_on(1, 0, 0, 5, 6, READ), EINPROGRESS);
	p->lock = &locks[0];
	p->req = &players[1].reqs[0];
	ck_assert_int_eq(act(0, of_used[_i].call), EINVAL);
	must_hear("rangelock: %s by thread 1 refused, lock \"A\" (%p): request %p waits to read "
		  "[5, 6), of thread 2\n",
		  name, (void *)p->lock, (void *)p->req);
	ck_assert_int_eq(unlock_on(0, 1, 0), 0);
	ck_assert_int_eq(unlock_on(1, 0, 0), 0);
	/* Reserved. */
	with(0, 1, 0, 7, 9, WRITE);
	ck_assert_int_eq(act(0, do_reserve), 0);
	ck_assert_int_eq(act(0, of_used[_i].call), EINVAL);
	must_hear("rangelock: %s by thread 1 refused, lock \"A\" (%p): request %p reserves "
		  "[7, 9)\n",
		  name, (void *)p->lock, (void *)p->req);
	ck_assert_int_eq(rangelock_unreserve(p->lock, p->req), 0);
	ck_assert_int_eq(rangelock_destroy(&locks[0]), 0);
}
END_TEST

START_TEST(other_misuse_is_said)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	/* An outer that does not hold, and an inner that does. */
	with(0, 0, 0, 0, 1, READ);
	players[0].req = &players[0].reqs[1];
	ck_assert_int_eq(
	    rangelock_rdlock_nested(&locks[0], &players[0].reqs[2], 0, 1, &players[0].reqs[3]),
	    EPERM);
	must_hear("rangelock: rdlock_nested by thread 99 refused, lock \"A\" (%p): request %p is "
		  "idle\n",
		  (void *)&locks[0], (void *)&players[0].reqs[3]);
	ck_assert_int_eq(lock_on(0, 1, 0, 0, 1, READ), 0);
	ck_assert_int_eq(act(0, do_nested), EINVAL);
	ck_assert_ptr_nonnull(strstr(listen(), "rdlock_nested by thread 1"));
	/* A tail. */
	players[0].req = &players[0].reqs[0];
	players[0].start = 5;
	ck_assert_int_eq(act(0, do_split), EINVAL);
	ck_assert_ptr_nonnull(strstr(listen(), "split by thread 1"));
	/* What is not reserved. */
	ck_assert_int_eq(act(0, do_commit), EPERM);
	ck_assert_ptr_nonnull(strstr(listen(), "commit by thread 1"));
	ck_assert_int_eq(rangelock_unreserve(&locks[0], &players[0].reqs[0]), EPERM);
	ck_assert_ptr_nonnull(strstr(listen(), "unreserve by thread 99"));
}
END_TEST

START_TEST(to_destroy_what_is_in_use_is_said)
{
	ck_assert_int_eq(lock_on(0, 0, 1, 7, 10, WRITE), 0);
	ck_assert_int_eq(rangelock_destroy(&locks[1]), EBUSY);
	must_hear("rangelock: destroy by thread 99 refused, lock \"B\" (%p): 1 request in use; "
		  "request %p holds write [7, 10), of thread 1\n",
		  (void *)&locks[1], (void *)&players[0].reqs[0]);
	ck_assert_int_eq(lock_on(1, 0, 1, 8, 9, READ), EINPROGRESS);
	with(2, 0, 1, 0, 5, WRITE);
	ck_assert_int_eq(act(2, do_reserve), 0);
	ck_assert_int_eq(rangelock_destroy(&locks[1]), EBUSY);
	must_hear("rangelock: destroy by thread 99 refused, lock \"B\" (%p): 3 requests in use; "
		  "request %p reserves [0, 5)\n",
		  (void *)&locks[1], (void *)&players[2].reqs[0]);
}
END_TEST

START_TEST(names_are_cut_and_may_be_missing)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	struct rangelock lock;
	char name[301];

	memset(name, 'x', 300);
	name[300] = 0;
	make_lock(&lock, name);
	ck_assert_int_eq(rangelock_rdlock(&lock, &req, 3, RANGELOCK_MAX), 0);
	ck_assert_int_eq(rangelock_rdlock(&lock, &req, 3, RANGELOCK_MAX), EINVAL);
	must_hear("rangelock: lock by thread 99 refused, lock \"%.40s...\" (%p): request %p holds "
		  "read [3, max), of thread 99\n",
		  name, (void *)&lock, (void *)&req);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	name[40] = 0; /* just fits */
	ck_assert_int_eq(rangelock_unlock(&lock, &req), EPERM);
	must_hear("rangelock: unlock by thread 99 refused, lock \"%s\" (%p): request %p is idle\n",
		  name, (void *)&lock, (void *)&req);
	make_lock(&lock, NULL);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), EPERM);
	must_hear("rangelock: unlock by thread 99 refused, lock %p: request %p is idle\n",
		  (void *)&lock, (void *)&req);
}
END_TEST

/* ---- Deadlocks ---- */

struct shown {
	struct rangelock_info all[PLAYERS * REQS];
	int n;
};

static int note_shown(const struct rangelock_info *info, void *arg)
{
	struct shown *s = arg;

	s->all[s->n] = *info;
	if (info->state == RANGELOCK_RESERVED)
		s->all[s->n].arrival = 0; /* a reservation that has queued is as good as new */
	s->n++;
	return 0;
}

static struct shown show_all(void)
{
	struct shown s;

	memset(&s, 0, sizeof(s));
	for (int i = 0; i < LOCKS; i++)
		rangelock_walk(&locks[i], note_shown, &s);
	return s;
}

static bool same_shown(const struct shown *a, const struct shown *b)
{
	for (int i = 0; i < a->n && i < b->n; i++) {
		const struct rangelock_info *x = &a->all[i], *y = &b->all[i];

		if (x->req != y->req || x->start != y->start || x->end != y->end ||
		    x->mode != y->mode || x->state != y->state || x->blockers != y->blockers ||
		    x->arrival != y->arrival)
			return false;
	}
	return a->n == b->n;
}

/* The call is refused, and has changed nothing. */
static int act_in_vain(unsigned who, int (*call)(struct player *))
{
	struct shown before = show_all();
	int error = act(who, call);
	struct shown after = show_all();

	ck_assert_msg(same_shown(&before, &after), "the locks are not as they were");
	return error;
}

static const struct {
	int (*call)(struct player *);
} waiting_calls[] = {
	{ do_lock }, { do_timed }, { do_lockv }, { do_wait_entered }, { do_lock_chosen }
};

START_TEST(a_thread_does_not_wait_for_itself)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, WRITE), 0);
	with(0, 1, 0, 9, 20, READ);
	ck_assert_int_eq(act_in_vain(0, waiting_calls[_i].call), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to read [9, 20) of lock \"A\" (%p), held by "
		  "thread 1 (write [0, 10))\n",
		  (void *)&locks[0]);
	/* As good as new. */
	ck_assert_int_eq(lock_on(0, 1, 0, 10, 20, READ), 0);
	ck_assert_int_eq(lock_on(1, 0, 0, 9, 20, WRITE), EINPROGRESS);
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), EINPROGRESS);
	ck_assert_int_eq(unlock_on(0, 1, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
	must_be_silent();
}
END_TEST

START_TEST(nor_by_a_nested_read)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	ck_assert_int_eq(lock_on(0, 1, 0, 10, 20, WRITE), 0);
	with(0, 2, 0, 5, 15, READ);
	ck_assert_int_eq(act_in_vain(0, do_nested), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to read [5, 15) of lock \"A\" (%p), held by "
		  "thread 1 (write [10, 20))\n",
		  (void *)&locks[0]);
}
END_TEST

START_TEST(nor_by_an_upgrade)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	ck_assert_int_eq(lock_on(0, 1, 0, 5, 15, READ), 0);
	players[0].req = &players[0].reqs[0];
	ck_assert_int_eq(act_in_vain(0, do_upgrade), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to upgrade [0, 10) of lock \"A\" (%p), held "
		  "by thread 1 (read [5, 15))\n",
		  (void *)&locks[0]);
	ck_assert_int_eq(unlock_on(0, 1, 0), 0);
	players[0].req = &players[0].reqs[0];
	ck_assert_int_eq(act(0, do_upgrade), 0);
	must_be_silent();
}
END_TEST

/* Its call is a thread's, though it is not. */
START_TEST(nor_by_an_upgrade_of_what_is_nobodys)
{
	with(0, 0, 0, 0, 10, READ);
	ck_assert_int_eq(act(0, do_submit), 0);
	with(1, 0, 0, 0, 10, READ);
	ck_assert_int_eq(act(1, do_submit), 0);
	ck_assert_int_eq(act(1, do_upgrade), EINPROGRESS); /* anybody may unlock the other */
	must_be_silent();
	ck_assert_int_eq(rangelock_unlock(&locks[0], &players[0].reqs[0]), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
	ck_assert_int_eq(rangelock_downgrade(&locks[0], &players[1].reqs[0]), 0);
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	with(0, 0, 0, 0, 10, READ)->req = &players[1].reqs[0];
	ck_assert_int_eq(act_in_vain(0, do_upgrade), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to upgrade [0, 10) of lock \"A\" (%p), held "
		  "by thread 1 (read [0, 10))\n",
		  (void *)&locks[0]);
}
END_TEST

START_TEST(nor_by_a_commit)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	with(0, 1, 0, 5, 15, WRITE);
	ck_assert_int_eq(act(0, do_reserve), 0);
	ck_assert_int_eq(act_in_vain(0, do_commit), EDEADLK);
	must_hear(
	    "rangelock: deadlock: thread 1 wants to write [5, 15) of lock \"A\" (%p), held by "
	    "thread 1 (read [0, 10))\n",
	    (void *)&locks[0]);
	ck_assert(rangelock_is_reserved(&locks[0], &players[0].reqs[1]));
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	players[0].req = &players[0].reqs[1];
	ck_assert_int_eq(act(0, do_commit), 0);
	must_be_silent();
}
END_TEST

/* As the contract has it; and the nested read succeeds. */
START_TEST(a_second_read_behind_a_writer_is_a_deadlock)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 1000, READ), 0);
	ck_assert_int_eq(lock_on(1, 0, 0, 500, 1500, WRITE), EINPROGRESS);
	with(0, 1, 0, 1000, 1500, READ);
	ck_assert_int_eq(act_in_vain(0, do_lock), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to read [1000, 1500) of lock \"A\" (%p), "
		  "behind thread 2 (write [500, 1500))\n"
		  "  thread 2 waits to write [500, 1500) of lock \"A\" (%p), held by thread 1 "
		  "(read [0, 1000))\n",
		  (void *)&locks[0], (void *)&locks[0]);
	ck_assert_int_eq(act(0, do_nested), 0);
	ck_assert_int_eq(unlock_on(0, 1, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), EINPROGRESS);
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
	must_be_silent();
}
END_TEST

START_TEST(two_locks_in_two_orders_are_a_deadlock)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 100, WRITE), 0);
	ck_assert_int_eq(lock_on(1, 0, 1, 0, 20, WRITE), 0);
	ck_assert_int_eq(lock_on(1, 1, 0, 5, 7, READ), EINPROGRESS);
	with(0, 1, 1, 0, 10, WRITE);
	ck_assert_int_eq(act_in_vain(0, waiting_calls[_i].call), EDEADLK);
	must_hear(
	    "rangelock: deadlock: thread 1 wants to write [0, 10) of lock \"B\" (%p), held by "
	    "thread 2 (write [0, 20))\n"
	    "  thread 2 waits to read [5, 7) of lock \"A\" (%p), held by thread 1 "
	    "(write [0, 100))\n",
	    (void *)&locks[1], (void *)&locks[0]);
	/* The other goes on. */
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
	ck_assert_int_eq(lock_on(0, 1, 1, 0, 10, WRITE), EINPROGRESS);
	ck_assert_int_eq(unlock_on(1, 0, 1), 0);
	ck_assert_int_eq(result_of(&players[0]), 0);
	must_be_silent();
}
END_TEST

START_TEST(three_locks_in_a_ring_are_a_deadlock)
{
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(lock_on(i, 0, i, 0, 10 + i, WRITE), 0);
	ck_assert_int_eq(lock_on(0, 1, 1, 5, 6, READ), EINPROGRESS);
	ck_assert_int_eq(lock_on(1, 1, 2, 5, 6, READ), EINPROGRESS);
	with(2, 1, 0, 5, 6, READ);
	ck_assert_int_eq(act_in_vain(2, do_lock), EDEADLK);
	must_hear("rangelock: deadlock: thread 3 wants to read [5, 6) of lock \"A\" (%p), held by "
		  "thread 1 (write [0, 10))\n"
		  "  thread 1 waits to read [5, 6) of lock \"B\" (%p), held by thread 2 (write [0, "
		  "11))\n"
		  "  thread 2 waits to read [5, 6) of lock \"C\" (%p), held by thread 3 (write [0, "
		  "12))\n",
		  (void *)&locks[0], (void *)&locks[1], (void *)&locks[2]);
	ck_assert_int_eq(unlock_on(2, 0, 2), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
}
END_TEST

/* The first eight are shown. */
START_TEST(a_long_cycle_is_cut)
{
	for (unsigned i = 0; i < PLAYERS; i++)
		ck_assert_int_eq(
		    lock_on(i, 0, 0, UINT64_MAX - 100 + 2 * i, UINT64_MAX - 99 + 2 * i, WRITE), 0);
	for (unsigned i = 0; i < PLAYERS - 1; i++)
		ck_assert_int_eq(
		    lock_on(i, 1, 0, UINT64_MAX - 98 + 2 * i, UINT64_MAX - 97 + 2 * i, WRITE),
		    EINPROGRESS);
	with(PLAYERS - 1, 1, 0, UINT64_MAX - 100, UINT64_MAX - 99, WRITE);
	ck_assert_int_eq(act_in_vain(PLAYERS - 1, do_lock), EDEADLK);

	const char *said = listen();
	unsigned lines = 0;
	for (const char *p = said; (p = strchr(p, '\n')); p++)
		lines++;
	ck_assert_uint_eq(lines, 9);
	ck_assert_ptr_nonnull(strstr(said, "thread 12 wants to write"));
	ck_assert_ptr_nonnull(strstr(said, "\n  thread 1 waits"));
	ck_assert_ptr_nonnull(strstr(said, "\n  thread 7 waits"));
	ck_assert_ptr_null(strstr(said, "\n  thread 8 waits"));
	ck_assert_ptr_nonnull(strstr(said, "\n  and 4 more\n"));
}
END_TEST

/* Player 1 holds B, and waits for A by some call; player 0 holds A, and wants B. */
static void ring_through(int (*call)(struct player *), unsigned req)
{
	ck_assert_int_eq(lock_on(1, 3, 1, 0, 10, WRITE), 0);
	players[1].lock = &locks[0];
	players[1].req = &players[1].reqs[req];
	ck_assert_int_eq(act(1, call), EINPROGRESS);
	must_be_silent();
	with(0, 5, 1, 5, 6, WRITE);
	ck_assert_int_eq(act_in_vain(0, do_lock), EDEADLK);
	ck_assert_ptr_nonnull(strstr(listen(), "thread 1 wants to write [5, 6) of lock \"B\""));
	ck_assert_ptr_nonnull(strstr(heard, "\n  thread 2 waits to "));
	ck_assert_ptr_nonnull(strstr(heard, "of lock \"A\""));
	ck_assert_ptr_null(strstr(heard, "thread 3"));
}

START_TEST(a_cycle_through_any_call_is_found)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, WRITE), 0);
	with(1, 0, 0, 5, 6, READ);
	ring_through(waiting_calls[_i].call, 0);
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
}
END_TEST

START_TEST(a_cycle_through_a_nested_read_is_found)
{
	ck_assert_int_eq(lock_on(1, 0, 0, 20, 30, READ), 0);
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, WRITE), 0);
	with(1, 1, 0, 5, 25, READ);
	ring_through(do_nested, 1);
}
END_TEST

START_TEST(a_cycle_through_an_upgrade_is_found)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	ck_assert_int_eq(lock_on(1, 0, 0, 5, 15, READ), 0);
	ring_through(do_upgrade, 0);
	/* Also to those who are behind it, or hold up what it holds. */
	with(0, 1, 0, 12, 13, READ);
	ck_assert_int_eq(act_in_vain(0, do_lock), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to read [12, 13) of lock \"A\" (%p), behind "
		  "thread 2 (upgrade [5, 15))\n"
		  "  thread 2 waits to upgrade [5, 15) of lock \"A\" (%p), held by thread 1 (read "
		  "[0, 10))\n",
		  (void *)&locks[0], (void *)&locks[0]);
	with(0, 1, 0, 12, 13, WRITE);
	ck_assert_int_eq(act_in_vain(0, do_lock), EDEADLK);
	ck_assert_ptr_nonnull(strstr(listen(), "held by thread 2 (read [5, 15))"));
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
}
END_TEST

START_TEST(a_cycle_through_a_commit_is_found)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	with(1, 0, 0, 5, 15, WRITE);
	ck_assert_int_eq(act(1, do_reserve), 0);
	ring_through(do_commit, 0);
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
}
END_TEST

/* Were the writer before it granted, the commit would be revoked, and nobody stuck. */
START_TEST(a_commit_that_may_be_revoked_is_no_cycle)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 1, READ), 0);
	ck_assert_int_eq(lock_on(2, 0, 0, 5, 6, READ), 0);
	with(1, 0, 0, 0, 10, WRITE);
	ck_assert_int_eq(act(1, do_reserve), 0);
	ck_assert_int_eq(lock_on(3, 0, 0, 5, 6, WRITE), EINPROGRESS);
	players[1].req = &players[1].reqs[0];
	ck_assert_int_eq(act(1, do_commit), EINPROGRESS);
	ck_assert_int_eq(lock_on(0, 1, 0, 8, 9, READ), EINPROGRESS);
	must_be_silent();
	ck_assert_int_eq(unlock_on(2, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[3]), 0);
	ck_assert_int_eq(result_of(&players[1]), ECANCELED);
	ck_assert_int_eq(result_of(&players[0]), 0);
}
END_TEST

/* But not by a writer who waits for what the committing thread holds. */
START_TEST(a_commit_behind_who_waits_for_its_thread_is_a_deadlock)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	with(0, 1, 0, 10, 20, WRITE);
	ck_assert_int_eq(act(0, do_reserve), 0);
	ck_assert_int_eq(lock_on(1, 0, 0, 5, 15, WRITE), EINPROGRESS);
	players[0].req = &players[0].reqs[1];
	ck_assert_int_eq(act_in_vain(0, do_commit), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to write [10, 20) of lock \"A\" (%p), "
		  "behind thread 2 (write [5, 15))\n"
		  "  thread 2 waits to write [5, 15) of lock \"A\" (%p), held by thread 1 "
		  "(read [0, 10))\n",
		  (void *)&locks[0], (void *)&locks[0]);
	ck_assert(rangelock_is_reserved(&locks[0], &players[0].reqs[1]));
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
}
END_TEST

/* A member of a vector that would not have to wait is held up by the others. */
START_TEST(a_vector_waits_as_a_whole)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	with(1, 0, 0, 5, 6, WRITE);
	ck_assert_int_eq(act(1, do_lockv), EINPROGRESS);
	with(0, 1, 0, 1000000, 1000001, READ);
	ck_assert_int_eq(act_in_vain(0, do_lock), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to read [1000000, 1000001) of lock \"A\" "
		  "(%p), behind thread 2 (write [1000000, 1000001))\n"
		  "  thread 2 waits to write [5, 6) of lock \"A\" (%p), held by thread 1 (read [0, "
		  "10))\n",
		  (void *)&locks[0], (void *)&locks[0]);
}
END_TEST

/* It waits in no thread, but others wait behind it. */
START_TEST(a_submitted_request_leads_on)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	with(1, 0, 0, 5, 15, WRITE);
	ck_assert_int_eq(act(1, do_submit), EINPROGRESS);
	must_be_silent();
	with(0, 1, 0, 10, 15, READ);
	ck_assert_int_eq(act_in_vain(0, do_lock), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to read [10, 15) of lock \"A\" (%p), behind "
		  "a submitted request (write [5, 15))\n"
		  "  a submitted request waits to write [5, 15) of lock \"A\" (%p), held by thread "
		  "1 (read [0, 10))\n",
		  (void *)&locks[0], (void *)&locks[0]);
	/* To submit is not to wait. */
	ck_assert_int_eq(act(0, do_submit), EINPROGRESS);
	must_be_silent();
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(granted_error, 0);
}
END_TEST

/* A nested read goes before a writer, and waits for one who waits behind that writer. */
START_TEST(a_cycle_that_comes_back_to_the_request_is_found)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 30, 40, READ), 0);
	ck_assert_int_eq(lock_on(1, 0, 0, 10, 20, WRITE), 0);
	ck_assert_int_eq(lock_on(3, 0, 0, 5, 6, READ), 0); /* and goes on */
	ck_assert_int_eq(lock_on(2, 0, 0, 5, 8, WRITE), EINPROGRESS);
	ck_assert_int_eq(lock_on(1, 1, 0, 6, 7, READ), EINPROGRESS);
	with(0, 1, 0, 7, 15, READ);
	ck_assert_int_eq(act_in_vain(0, do_nested), EDEADLK);
	must_hear("rangelock: deadlock: thread 1 wants to read [7, 15) of lock \"A\" (%p), held by "
		  "thread 2 (write [10, 20))\n"
		  "  thread 2 waits to read [6, 7) of lock \"A\" (%p), behind thread 3 (write [5, "
		  "8))\n"
		  "  thread 3 waits to write [5, 8) of lock \"A\" (%p), behind thread 1 (read [7, "
		  "15))\n",
		  (void *)&locks[0], (void *)&locks[0], (void *)&locks[0]);
}
END_TEST

/* Though it has not woken up. */
static int cancel_and_lock(struct player *p)
{
	int error = rangelock_cancel(p->lock, &players[1].reqs[1]);

	return error ? error : do_lock(p);
}

START_TEST(who_was_canceled_waits_no_more)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, WRITE), 0);
	ck_assert_int_eq(lock_on(1, 0, 0, 20, 30, WRITE), 0);
	ck_assert_int_eq(lock_on(1, 1, 0, 5, 6, READ), EINPROGRESS);
	with(0, 1, 0, 20, 21, READ);
	ck_assert_int_eq(act(0, cancel_and_lock), EINPROGRESS);
	ck_assert_int_eq(result_of(&players[1]), ECANCELED);
	must_be_silent();
}
END_TEST

/* From one who waits to the next, on one lock and another. */
START_TEST(a_cycle_through_many_who_wait_is_found)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, READ), 0);
	ck_assert_int_eq(lock_on(1, 0, 0, 10, 20, WRITE), 0);
	ck_assert_int_eq(lock_on(2, 0, 0, 5, 8, WRITE), EINPROGRESS);
	ck_assert_int_eq(lock_on(1, 1, 0, 6, 7, READ), EINPROGRESS); /* behind player 2 */
	with(0, 1, 0, 8, 15, READ);
	ck_assert_int_eq(act_in_vain(0, do_nested), EDEADLK);
	ck_assert_ptr_nonnull(strstr(listen(), "held by thread 2 (write [10, 20))"));
	ck_assert_ptr_nonnull(strstr(heard, "thread 2 waits to read [6, 7)"));
	ck_assert_ptr_nonnull(strstr(heard, "thread 3 waits to write [5, 8)"));
}
END_TEST

/* An upgrade of what is nobody's is a thread's call, and in the way of others. */
START_TEST(a_cycle_that_comes_back_to_what_is_nobodys_is_found)
{
	with(0, 0, 0, 0, 10, READ);
	ck_assert_int_eq(act(0, do_submit), 0);
	ck_assert_int_eq(lock_on(1, 0, 0, 5, 15, READ), 0);
	ck_assert_int_eq(lock_on(1, 1, 0, 0, 3, WRITE), EINPROGRESS);
	ck_assert_int_eq(act_in_vain(0, do_upgrade), EDEADLK);
	must_hear(
	    "rangelock: deadlock: thread 1 wants to upgrade [0, 10) of lock \"A\" (%p), held "
	    "by thread 2 (read [5, 15))\n"
	    "  thread 2 waits to write [0, 3) of lock \"A\" (%p), held by a submitted request "
	    "(read [0, 10))\n",
	    (void *)&locks[0], (void *)&locks[0]);
	ck_assert_int_eq(rangelock_unlock(&locks[0], &players[0].reqs[0]), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
}
END_TEST

/* Player 3 wants what this one holds. */
static int want_part_of(unsigned who)
{
	return lock_on(3, 1, 1, who, who + 1, READ);
}

START_TEST(threads_whose_numbers_are_alike_are_told_apart)
{
	ck_assert_int_eq(lock_on(3, 0, 0, 0, 10, WRITE), 0);
	for (unsigned i = 0; i < 3; i++) {
		players[i].number = 1 + 4096 * i;
		ck_assert_int_eq(lock_on(i, 0, 1, i, i + 1, WRITE), 0);
		ck_assert_int_eq(lock_on(i, 1, 0, i, i + 1, WRITE), EINPROGRESS);
	}
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(want_part_of(i), EDEADLK);
	ck_assert_ptr_nonnull(strstr(listen(), "\n  thread 1 waits to write [0, 1)"));
	ck_assert_ptr_nonnull(strstr(heard, "\n  thread 4097 waits to write [1, 2)"));
	ck_assert_ptr_nonnull(strstr(heard, "\n  thread 8193 waits to write [2, 3)"));
	/* One goes, and the others still wait. */
	ck_assert_int_eq(rangelock_cancel(&locks[0], &players[1].reqs[1]), 0);
	ck_assert_int_eq(result_of(&players[1]), ECANCELED);
	ck_assert_int_eq(want_part_of(0), EDEADLK);
	ck_assert_int_eq(want_part_of(2), EDEADLK);
	listen();
	ck_assert_int_eq(want_part_of(1), EINPROGRESS);
	must_be_silent();
	ck_assert_int_eq(unlock_on(1, 0, 1), 0);
	ck_assert_int_eq(result_of(&players[3]), 0);
}
END_TEST

/* Many ways lead to one who runs. */
START_TEST(many_ways_that_do_not_come_back_are_no_deadlock)
{
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, WRITE), 0);
	ck_assert_int_eq(lock_on(1, 0, 1, 0, 10, READ), 0);
	ck_assert_int_eq(lock_on(2, 0, 1, 0, 10, READ), 0);
	ck_assert_int_eq(lock_on(1, 1, 0, 0, 5, READ), EINPROGRESS);
	ck_assert_int_eq(lock_on(2, 1, 0, 0, 5, WRITE), EINPROGRESS);
	ck_assert_int_eq(lock_on(3, 0, 1, 0, 10, WRITE), EINPROGRESS);
	ck_assert_int_eq(lock_on(4, 0, 1, 0, 10, WRITE), EINPROGRESS);
	/* Beside them, of the same locks. */
	ck_assert_int_eq(lock_on(0, 1, 1, 10, 20, WRITE), 0);
	must_be_silent();
	ck_assert_int_eq(unlock_on(0, 0, 0), 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
	/* Who has been granted runs, and waits no more. */
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 5, WRITE), EINPROGRESS);
	must_be_silent();
}
END_TEST

static int unlock_and_lock_again(struct player *p)
{
	int error = rangelock_unlock(&locks[2], &p->reqs[0]) |
		    rangelock_trywrlock(&locks[2], &p->reqs[0], 0, 10);

	return error ? error : do_lock(p);
}

/* Who is invited does not wait: it comes, and if it has to wait again it looks anew. */
START_TEST(one_who_was_passed_finds_the_deadlock_when_it_comes)
{
	make_lock_with(&locks[2], "C", RANGELOCK_BARGING);
	ck_assert_int_eq(lock_on(0, 0, 2, 0, 10, WRITE), 0);
	ck_assert_int_eq(lock_on(1, 0, 1, 0, 10, WRITE), 0);
	ck_assert_int_eq(lock_on(1, 1, 2, 5, 6, WRITE), EINPROGRESS);
	with(0, 1, 1, 3, 4, WRITE);
	ck_assert_int_eq(act(0, unlock_and_lock_again), EINPROGRESS);
	ck_assert_int_eq(result_of(&players[1]), EDEADLK);
	must_hear(
	    "rangelock: deadlock: thread 2 wants to write [5, 6) of lock \"C\" (%p), held by "
	    "thread 1 (write [0, 10))\n"
	    "  thread 1 waits to write [3, 4) of lock \"B\" (%p), held by thread 2 (write [0, "
	    "10))\n",
	    (void *)&locks[2], (void *)&locks[1]);
	ck_assert_int_eq(unlock_on(1, 0, 1), 0);
	ck_assert_int_eq(result_of(&players[0]), 0);
}
END_TEST

/* ---- The checker's mutex ---- */

/* The test itself is inside for a while. */
START_TEST(all_who_sleep_on_the_checkers_mutex_get_in)
{
	rl_check_lock();
	for (unsigned i = 0; i < LOCKS; i++)
		ck_assert_int_eq(lock_on(i, 0, i, 0, 10, WRITE), EINPROGRESS);
	rl_check_unlock();
	for (unsigned i = 0; i < LOCKS; i++)
		ck_assert_int_eq(result_of(&players[i]), 0);
	must_be_silent();
}
END_TEST

/* ---- Callbacks ---- */

static int error_in_callback;

static void unlock_what_is_waited_for(struct rangelock_req *req, int error, void *arg)
{
	(void)req, (void)error, (void)arg;
	error_in_callback = rangelock_unlock(&locks[1], &players[0].reqs[2]);
}

static void wait_in_callback(struct rangelock_req *req, int error, void *arg)
{
	(void)req, (void)error, (void)arg;
	rangelock_unlock(&locks[0], &players[0].reqs[1]); /* the other callback is owed now */
	error_in_callback = -1;
	players[0].result = do_lock(&players[0]);
}

static int unlock_first(struct player *p)
{
	return rangelock_unlock(&locks[0], &p->reqs[0]) | p->result;
}

/* Player 0 will owe two callbacks once it unlocks its first request: the one locks what
 * with() has said, the other gives up [0, 10) of lock B. */
static void submit_behind_player_0(void)
{
	static struct rangelock_req submitted[2];
	struct rangelock_range first = { 0, 1, WRITE }, second = { 1, 2, WRITE };

	submitted[0] = submitted[1] = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	ck_assert_int_eq(lock_on(0, 0, 0, 0, 1, WRITE), 0);
	ck_assert_int_eq(lock_on(0, 1, 0, 1, 2, WRITE), 0);
	ck_assert_int_eq(lock_on(0, 2, 1, 0, 10, WRITE), 0);
	ck_assert_int_eq(rangelock_submit(&locks[0], &submitted[0], &first, wait_in_callback, NULL),
			 EINPROGRESS);
	ck_assert_int_eq(
	    rangelock_submit(&locks[0], &submitted[1], &second, unlock_what_is_waited_for, NULL),
	    EINPROGRESS);
}

/* Before a thread waits it runs the callbacks that it owes, which may give up what is in
 * the way. */
START_TEST(what_a_callback_gives_up_is_no_deadlock)
{
	submit_behind_player_0();
	ck_assert_int_eq(lock_on(1, 0, 1, 10, 20, WRITE), 0);
	ck_assert_int_eq(lock_on(1, 1, 1, 5, 6, WRITE), EINPROGRESS);
	with(0, 3, 1, 10, 20, WRITE);
	ck_assert_int_eq(act(0, unlock_first), EINPROGRESS);
	ck_assert_int_eq(error_in_callback, 0);
	ck_assert_int_eq(result_of(&players[1]), 0);
	must_be_silent();
	ck_assert_int_eq(unlock_on(1, 0, 1), 0);
	ck_assert_int_eq(result_of(&players[0]), 0);
}
END_TEST

START_TEST(who_is_granted_by_its_own_callback_does_not_wait)
{
	submit_behind_player_0();
	with(0, 3, 1, 5, 6, WRITE);
	ck_assert_int_eq(act(0, unlock_first), 0);
	ck_assert_int_eq(error_in_callback, 0);
	ck_assert(is_held(&locks[1], &players[0].reqs[3]));
	must_be_silent();
}
END_TEST

/* ---- Fork ---- */

/* At whatever moment. */
START_TEST(the_child_of_a_fork_has_a_sound_checker)
{
	int status = 0;

	ck_assert_int_eq(lock_on(0, 0, 0, 0, 10, WRITE), 0);
	ck_assert_int_eq(lock_on(1, 0, 0, 0, 10, WRITE), EINPROGRESS); /* a thread that ends */
	rl_check_lock();
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

		rl_wait = &rl_wait_futex;
		alarm(10);
		if (rangelock_wrlock(&locks[1], &req, 0, 10) ||
		    rangelock_wrlock(&locks[1], &players[0].reqs[1], 5, 6) != EDEADLK ||
		    rangelock_unlock(&locks[1], &req))
			end_child(1);
		end_child(0);
	}
	rl_check_unlock();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- At random ---- */

/*
 * What is in the locks, as walks and the notes below tell; and a simulation that says
 * whether a call is stuck: all who run unlock all that they hold, what can be granted is, and
 * so on until nothing changes.
 */
enum { SPACE = 8, WALKERS = 5 };

enum kind { PLAIN, NESTED, VECTOR, COMMIT, SUBMITTED };

struct entry {
	struct rangelock_info info;
	struct player *owner; /* NULL: nobody */
	const struct rangelock *lock;
	enum kind kind;
	bool waits, holds, upgrades, gone;
	enum rangelock_mode wants;
};

struct world {
	struct entry all[2 * WALKERS * REQS + 2];
	int n;
	const struct rangelock *lock;
};

static enum kind kinds[WALKERS][REQS];

static int add_entry(const struct rangelock_info *info, void *arg)
{
	struct world *w = arg;
	struct entry *e = &w->all[w->n];

	if (info->state == RANGELOCK_RESERVED)
		return 0;
	*e = (struct entry){ .info = *info, .lock = w->lock, .wants = info->mode };
	for (unsigned i = 0; i < WALKERS; i++)
		if (info->req >= players[i].reqs && info->req < players[i].reqs + REQS) {
			e->owner = &players[i];
			e->kind = kinds[i][info->req - players[i].reqs];
		}
	if (e->kind == SUBMITTED)
		e->owner = NULL;
	e->waits = info->state == RANGELOCK_WAITING;
	e->holds = !e->waits;
	if (e->holds && info->blockers) {
		e->waits = e->upgrades = true;
		e->wants = WRITE;
	}
	w->n++;
	return 0;
}

static struct world look_around(void)
{
	struct world w;

	memset(&w, 0, sizeof(w));
	for (int i = 0; i < LOCKS; i++) {
		w.lock = &locks[i];
		rangelock_walk(&locks[i], add_entry, &w);
	}
	return w;
}

static int class_of(const struct entry *e)
{
	return e->upgrades ? 1 : e->kind == NESTED ? 0 : 2;
}

static bool in_the_way(const struct entry *a, const struct entry *b)
{
	if (a == b || a->gone || a->lock != b->lock || a->info.start >= b->info.end ||
	    b->info.start >= a->info.end)
		return false;
	if (a->holds && (a->info.mode == WRITE || b->wants == WRITE))
		return true;
	if (!a->waits || (a->wants == READ && b->wants == READ))
		return false;
	return class_of(a) != class_of(b) ? class_of(a) < class_of(b)
					  : a->info.arrival < b->info.arrival;
}

static bool of_one_call(const struct entry *a, const struct entry *b)
{
	return a == b || (a->owner && a->owner == b->owner && b->waits && a->waits &&
			  a->kind == VECTOR && b->kind == VECTOR);
}

static bool can_be_granted(const struct world *w, const struct entry *e)
{
	for (const struct entry *m = w->all; m < w->all + w->n; m++)
		if (!m->gone && of_one_call(e, m))
			for (const struct entry *a = w->all; a < w->all + w->n; a++)
				if (in_the_way(a, m))
					return false;
	return true;
}

static void grant_in(struct world *w, struct entry *e)
{
	struct entry *members[2], **last = members;

	for (struct entry *m = w->all; m < w->all + w->n; m++)
		if (!m->gone && of_one_call(e, m))
			*last++ = m;
	for (struct entry **m = members; m < last; m++) {
		(*m)->waits = (*m)->upgrades = false;
		(*m)->holds = true;
		(*m)->info.mode = (*m)->wants;
		for (struct entry *c = w->all; c < w->all + w->n; c++)
			if (!c->gone && c->waits && !c->upgrades && c->kind == COMMIT &&
			    (*m)->wants == WRITE && c->lock == (*m)->lock &&
			    c->info.start < (*m)->info.end && (*m)->info.start < c->info.end)
				c->gone = true;
	}
}

static bool runs(const struct world *w, const struct player *p)
{
	for (const struct entry *e = w->all; e < w->all + w->n; e++)
		if (!e->gone && e->waits && e->owner == p)
			return false;
	return true;
}

/* Does the player wait for ever? */
static bool is_stuck(struct world w, const struct player *p)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (struct entry *e = w.all; e < w.all + w.n; e++) {
			if (e->gone)
				continue;
			if (!e->waits && (!e->owner || runs(&w, e->owner))) {
				e->gone = changed = true;
			} else if (e->waits && can_be_granted(&w, e)) {
				grant_in(&w, e);
				changed = true;
			}
		}
	}
	return !runs(&w, p);
}

/* Add what the player is about to ask for. */
static void add_call(struct world *w, const struct player *p, enum kind kind)
{
	struct rangelock_info info = { p->start, p->end,     p->mode, RANGELOCK_WAITING,
				       p->req,	 UINT64_MAX, 0 };

	w->lock = p->lock;
	for (int i = 0; i < (kind == VECTOR ? 2 : 1); i++) {
		struct entry *e = &w->all[w->n++];

		if (i)
			info.start = p->start + 2 * SPACE, info.end = p->end + 2 * SPACE;
		*e = (struct entry){ .info = info,
				     .owner = (struct player *)(uintptr_t)p,
				     .lock = p->lock,
				     .kind = kind,
				     .waits = true,
				     .wants = p->mode };
	}
}

static void add_upgrade(struct world *w, const struct player *p)
{
	for (struct entry *e = w->all; e < w->all + w->n; e++)
		if (e->info.req == p->req) {
			e->waits = e->upgrades = true;
			e->wants = WRITE;
		}
}

static int do_vector(struct player *p)
{
	struct rangelock_range ranges[] = {
		{ p->start, p->end, p->mode },
		{ p->start + 2 * SPACE, p->end + 2 * SPACE, p->mode },
	};

	return rangelock_lockv(p->lock, p->req, ranges, 2, NULL);
}

static int do_downgrade(struct player *p)
{
	return rangelock_downgrade(p->lock, p->req);
}

static bool commit_waits(const struct world *w)
{
	for (const struct entry *e = w->all; e < w->all + w->n; e++)
		if (e->waits && e->kind == COMMIT)
			return true;
	return false;
}

/* A call that may wait, compared with what the simulation says of it. */
static void compare(struct player *p, int (*call)(struct player *), struct world *w)
{
	unsigned who = (unsigned)(p - players);
	bool stuck = is_stuck(*w, p);
	struct shown before = show_all();
	int error = act(who, call);

	if (error == EDEADLK && !*listen()) /* another upgrade */
		return;
	outcomes[error == EDEADLK ? 0 : error == EINPROGRESS ? 1 : 2]++;
	if (error == EDEADLK) {
		struct shown after = show_all();

		must(stuck);
		must(same_shown(&before, &after));
	} else if (stuck && commit_waits(w)) {
		/* Its revocation is not looked into. */
		ck_assert_int_eq(error, EINPROGRESS);
		must(rangelock_cancel(p->lock, p->req) == 0);
		run_all_awake();
	} else {
		must(!stuck);
	}
}

static struct rangelock *lock_with(const struct rangelock_req *req)
{
	for (int i = 0; i < LOCKS; i++)
		if (is_held(&locks[i], req))
			return &locks[i];
	return NULL;
}

static void step_at_random(struct rng *rng)
{
	static int (*const plain[])(struct player *) = { do_lock, do_timed, do_wait_entered,
							 do_lock_chosen };
	unsigned who = (unsigned)rng_below(rng, WALKERS), slot = (unsigned)rng_below(rng, REQS - 1);
	struct player *p = &players[who];
	uint64_t start = rng_below(rng, SPACE);

	if (p->plays) {
		if (rng_one_in(rng, 8)) {
			rangelock_cancel(p->lock, p->req);
			run_all_awake();
		}
		return;
	}
	with(who, slot, (unsigned)rng_below(rng, LOCKS), start, start + 1 + rng_below(rng, 3),
	     rng_below(rng, 2) ? WRITE : READ);

	struct world w = look_around();
	struct req *req = to_req(p->req);
	if (!is_free(req)) {
		struct rangelock *lock = lock_with(p->req);

		if (!lock)
			return; /* submitted, and waits */
		p->lock = lock;
		if (req->mode == READ && rng_one_in(rng, 3)) {
			add_upgrade(&w, p);
			if (kinds[who][slot] != SUBMITTED) /* its wait were nobody's */
				compare(p, do_upgrade, &w);
		} else {
			must(act(who, rng_one_in(rng, 4) ? do_downgrade : do_unlock) == 0);
		}
		return;
	}
	switch (rng_below(rng, 6)) {
	case 0:
		kinds[who][slot] = SUBMITTED;
		act(who, do_submit);
		return;
	case 1:
		if (slot == 0 || lock_with(&p->reqs[0]) != p->lock)
			return;
		p->mode = READ;
		kinds[who][slot] = NESTED;
		add_call(&w, p, NESTED);
		compare(p, do_nested, &w);
		return;
	case 2:
		if (!is_free(to_req(p->req + 1)))
			return;
		kinds[who][slot] = kinds[who][slot + 1] = VECTOR;
		add_call(&w, p, VECTOR);
		compare(p, do_vector, &w);
		return;
	case 3:
		if (act(who, do_reserve))
			return;
		p->mode = WRITE;
		kinds[who][slot] = COMMIT;
		add_call(&w, p, COMMIT);
		compare(p, do_commit, &w);
		if (!p->plays)
			rangelock_unreserve(p->lock, p->req);
		listen(); /* of what may be held by now */
		return;
	default:
		kinds[who][slot] = PLAIN;
		add_call(&w, p, PLAIN);
		compare(p, plain[rng_below(rng, 4)], &w);
	}
}

START_TEST(a_simulation_finds_the_same_deadlocks)
{
	struct rng rng = rng_make(test_seed(), 77);

	for (uint64_t n = scaled(60000); n; n--) {
		step_at_random(&rng);
		ck_assert_str_eq(listen(), "");
	}
	printf("# deadlocks, waits, grants: %u, %u, %u\n", outcomes[0], outcomes[1], outcomes[2]);
	ck_assert_uint_gt(outcomes[0], scaled(100));
	ck_assert_uint_gt(outcomes[1], scaled(100));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("checked");
	TCase *tc = tcase_create("checked");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_is_right_is_not_spoken_of);
	tcase_add_test(tc, to_unlock_an_idle_request_is_said);
	tcase_add_loop_test(tc, a_stranger_is_refused, 0,
			    sizeof(by_strangers) / sizeof(by_strangers[0]));
	tcase_add_test(tc, a_submitted_request_has_no_owner);
	tcase_add_test(tc, to_change_keeps_the_owner);
	tcase_add_test(tc, a_tail_has_the_same_owner);
	tcase_add_loop_test(tc, a_request_in_use_is_refused, 0,
			    sizeof(of_used) / sizeof(of_used[0]));
	tcase_add_test(tc, other_misuse_is_said);
	tcase_add_test(tc, to_destroy_what_is_in_use_is_said);
	tcase_add_test(tc, names_are_cut_and_may_be_missing);
	tcase_add_loop_test(tc, a_thread_does_not_wait_for_itself, 0,
			    sizeof(waiting_calls) / sizeof(waiting_calls[0]));
	tcase_add_test(tc, nor_by_a_nested_read);
	tcase_add_test(tc, nor_by_an_upgrade);
	tcase_add_test(tc, nor_by_an_upgrade_of_what_is_nobodys);
	tcase_add_test(tc, nor_by_a_commit);
	tcase_add_test(tc, a_second_read_behind_a_writer_is_a_deadlock);
	tcase_add_loop_test(tc, two_locks_in_two_orders_are_a_deadlock, 0,
			    sizeof(waiting_calls) / sizeof(waiting_calls[0]));
	tcase_add_test(tc, three_locks_in_a_ring_are_a_deadlock);
	tcase_add_test(tc, a_long_cycle_is_cut);
	tcase_add_loop_test(tc, a_cycle_through_any_call_is_found, 0,
			    sizeof(waiting_calls) / sizeof(waiting_calls[0]));
	tcase_add_test(tc, a_cycle_through_a_nested_read_is_found);
	tcase_add_test(tc, a_cycle_through_an_upgrade_is_found);
	tcase_add_test(tc, a_cycle_through_a_commit_is_found);
	tcase_add_test(tc, a_commit_that_may_be_revoked_is_no_cycle);
	tcase_add_test(tc, a_commit_behind_who_waits_for_its_thread_is_a_deadlock);
	tcase_add_test(tc, a_vector_waits_as_a_whole);
	tcase_add_test(tc, a_submitted_request_leads_on);
	tcase_add_test(tc, who_was_canceled_waits_no_more);
	tcase_add_test(tc, a_cycle_through_many_who_wait_is_found);
	tcase_add_test(tc, a_cycle_that_comes_back_to_the_request_is_found);
	tcase_add_test(tc, a_cycle_that_comes_back_to_what_is_nobodys_is_found);
	tcase_add_test(tc, threads_whose_numbers_are_alike_are_told_apart);
	tcase_add_test(tc, many_ways_that_do_not_come_back_are_no_deadlock);
	tcase_add_test(tc, one_who_was_passed_finds_the_deadlock_when_it_comes);
	tcase_add_test(tc, all_who_sleep_on_the_checkers_mutex_get_in);
	tcase_add_test(tc, what_a_callback_gives_up_is_no_deadlock);
	tcase_add_test(tc, who_is_granted_by_its_own_callback_does_not_wait);
	tcase_add_test(tc, the_child_of_a_fork_has_a_sound_checker);
	tcase_add_test(tc, a_simulation_finds_the_same_deadlocks);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
