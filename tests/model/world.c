/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/world.h"

#include <errno.h>

struct world world;

const struct timespec a_later_time = { .tv_sec = 1000 };
static const struct timespec past = { .tv_sec = 0 }, too_few = { .tv_sec = 1, .tv_nsec = -1 },
			     too_many = { .tv_sec = 1, .tv_nsec = 1000000000 };

#define TIMED { "timedrdlock", "timedwrlock" }, true
const struct way ways[WAYS] = {
	{ FOREVER, { "rdlock", "wrlock" }, false, NULL, "" },
	{ TRY, { "tryrdlock", "trywrlock" }, false, NULL, "" },
	{ FOREVER, TIMED, NULL, ", NULL" },
	{ UNTIL, TIMED, &a_later_time, ", later" },
	{ PAST, TIMED, &past, ", past" },
	{ UNSOUND, TIMED, &too_few, ", -1 ns" },
	{ UNSOUND, TIMED, &too_many, ", 1000000000 ns" },
};

/* ---- Where the library sleeps ---- */

/* For ThreadSanitizer, who runs has seen all that was done before. */
static void let_run(struct actor *a)
{
	world.running = a;
	fiber_release(&world);
	fiber_resume(&a->fiber);
	fiber_acquire(&world);
	world.running = NULL;
}

static int sleep_as_fiber(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	struct actor *a = world.running;

	if (rl_load(word, relaxed) != expected)
		return 0;
	if (abstime && abstime->tv_sec == past.tv_sec)
		return ETIMEDOUT;
	a->sleeps_on = word;
	a->until = abstime;
	fiber_release(&world);
	fiber_pause();
	fiber_acquire(&world);
	a->sleeps_on = NULL;
	return a->sleep_returns;
}

static void wake_fiber(_Atomic uint32_t *word)
{
	for (int i = 0; i < ACTORS; i++) {
		if (world.actors[i].sleeps_on == word) {
			world.actors[i].wakes++;
			return;
		}
	}
	world.stray_wakes++;
}

static unsigned one_processor(void)
{
	return 1; /* nobody spins */
}

const struct wait_ops world_wait_ops = { .sleep = sleep_as_fiber,
					 .wake = wake_fiber,
					 .processors = one_processor };

/* ---- The calls, inside a fiber ---- */

static int call_lock(struct rangelock *lock, struct rangelock_req *req, const struct operation *op)
{
	const struct way *way = &ways[op->way];
	uint64_t start = op->range.start, end = op->range.end;
	bool write = op->range.mode == RANGELOCK_WRITE;

	if (way->timed && write)
		return rangelock_timedwrlock(lock, req, start, end, way->abstime);
	if (way->timed)
		return rangelock_timedrdlock(lock, req, start, end, way->abstime);
	if (way->patience == TRY)
		return (write ? rangelock_trywrlock : rangelock_tryrdlock)(lock, req, start, end);
	return (write ? rangelock_wrlock : rangelock_rdlock)(lock, req, start, end);
}

static int stop_walk(const struct rangelock_info *info, void *left)
{
	(void)info;
	return --*(int *)left < 0 ? STOP : 0;
}

/* EINVAL if all of them refuse. */
static int call_with_nulls(struct rangelock *lock, struct rangelock_req *req, struct operation *op)
{
	uint64_t start = op->range.start, end = op->range.end;
	const int results[] = {
		rangelock_unlock(NULL, req),
		rangelock_unlock(lock, NULL),
		rangelock_cancel(NULL, req),
		rangelock_cancel(lock, NULL),
		rangelock_destroy(NULL),
		rangelock_init(NULL, NULL),
		rangelock_walk(NULL, stop_walk, op),
		rangelock_walk(lock, NULL, NULL),
		rangelock_is_locked(NULL, start, end, RANGELOCK_READ) ? 0 : EINVAL,
		rangelock_is_locked(lock, start, end, (enum rangelock_mode)2) ? 0 : EINVAL,
	};
	bool refused = true;

	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++)
		refused = refused && results[i] == EINVAL;
	for (op->way = 0; op->way < WAYS; op->way++)
		refused = refused && call_lock(NULL, req, op) == EINVAL &&
			  call_lock(lock, NULL, op) == EINVAL;
	return refused ? EINVAL : 0;
}

static int see(const struct rangelock_info *info, void *arg)
{
	struct sight *sight = arg;

	if (sight->n > ACTORS)
		return STOP;
	sight->infos[sight->n++] = *info;
	return 0;
}

static int look(const struct rangelock_range *range)
{
	for (int l = 0; l < LOCKS; l++) {
		struct rangelock *lock = &world.locks[l];
		struct sight *sight = &world.sights[l];

		sight->n = 0;
		sight->walk = rangelock_walk(lock, see, sight);
		for (int mode = 0; mode < MODES; mode++)
			sight->is_locked[mode] = rangelock_is_locked(lock, range->start, range->end,
								     (enum rangelock_mode)mode);
	}
	return 0;
}

static int call(struct operation *op, struct rangelock_req *req)
{
	struct rangelock *lock = &world.locks[op->lock];

	switch (op->kind) {
	case LOCK:
		return call_lock(lock, req, op);
	case UNLOCK:
		return rangelock_unlock(lock, req);
	case CANCEL:
		return rangelock_cancel(lock, req);
	case DESTROY:
		return rangelock_destroy(lock);
	case WALK:
		return rangelock_walk(lock, stop_walk, &op->stop);
	case NULLS:
		return call_with_nulls(lock, req, op);
	default:
		return look(&op->range);
	}
}

static void run_call(void *arg)
{
	struct actor *a = arg;

	fiber_acquire(&world);
	a->result = call(&a->op, a->op_req);
	fiber_release(&world);
}

/* ---- The interface ---- */

int make_call(struct actor *a, const struct operation *op, struct rangelock_req *req)
{
	a->op = *op;
	a->op_req = req;
	fiber_start(&a->fiber, run_call, a);
	let_run(a);
	return a->fiber.ended ? a->result : MODEL_WAITS;
}

bool end_sleep(struct actor *a, int sleep_returns)
{
	a->sleep_returns = sleep_returns;
	let_run(a);
	return a->fiber.ended;
}

static void begin_actor(struct actor *a)
{
	struct fiber fiber = a->fiber;

	if (!fiber.stack)
		fiber_create(&fiber); /* kept from run to run */
	*a = (struct actor){ .fiber = fiber, .owed = NOTHING };
}

void world_begin(enum model_fault fault)
{
	world.stray_wakes = 0;
	begin_actor(&world.visitor);
	for (int i = 0; i < ACTORS; i++)
		begin_actor(&world.actors[i]);
	for (int l = 0; l < LOCKS; l++) {
		world.locks[l] = (struct rangelock)RANGELOCK_INITIALIZER;
		model_init(&world.models[l], fault);
	}
}
