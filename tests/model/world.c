/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/world.h"

#include <errno.h>

#include "front/word.h"

struct world world;

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

static uint32_t fiber_number(void)
{
	const struct fiber *self = fiber_self();

	for (unsigned i = 0; i < ACTORS; i++)
		if (self == &world.actors[i].fiber)
			return 2 + i;
	return 1; /* no fiber */
}

static uint64_t no_time(void)
{
	return 0;
}

const struct wait_ops world_wait_ops = { .sleep = sleep_as_fiber,
					 .wake = wake_fiber,
					 .processors = one_processor,
					 .thread = fiber_number,
					 .now = no_time };

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

static int choose(void *arg, struct rangelock_range *range)
{
	struct actor *a = arg;

	return a->chosen++ > 0 ? choose_again(a, range) : choice(&a->op, 0, range);
}

static int call_entered(struct rangelock *lock, struct rangelock_req *req,
			const struct operation *op)
{
	rangelock_enter(lock);
	int result = rangelock_wait_entered(lock, req, &op->range, ways[op->way].abstime);
	bool inside = rl_load(&to_lock(lock)->word, relaxed) & WORD_LOCKED;
	rangelock_leave(lock);
	return inside ? result : STOP;
}

static int stop_walk(const struct rangelock_info *info, void *left)
{
	(void)info;
	return --*(int *)left < 0 ? STOP : 0;
}

/* EINVAL if all of them refuse. */
static int call_with_nulls(struct rangelock *lock, struct operation *op)
{
	uint64_t start = op->range.start, end = op->range.end, found;
	const struct rangelock_range range = { 0, 1, RANGELOCK_WRITE };
	const struct rangelock_range no_mode = { 0, 1, (enum rangelock_mode)2 };
	struct rangelock_req idle = RANGELOCK_REQ_INITIALIZER, *req = &idle,
			     *other = &world.reqs[0];
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
		rangelock_downgrade(NULL, req),
		rangelock_downgrade(lock, NULL),
		rangelock_tryupgrade(NULL, req),
		rangelock_tryupgrade(lock, NULL),
		rangelock_upgrade(NULL, req),
		rangelock_upgrade(lock, NULL),
		rangelock_reduce(NULL, req, 0, 1),
		rangelock_reduce(lock, NULL, 0, 1),
		rangelock_split(NULL, req, 1, other),
		rangelock_split(lock, NULL, 1, other),
		rangelock_split(lock, req, 1, NULL),
		rangelock_tryextend(NULL, req, 0, 1),
		rangelock_tryextend(lock, NULL, 0, 1),
		rangelock_rdlock_nested(NULL, req, 0, 1, other),
		rangelock_rdlock_nested(lock, NULL, 0, 1, other),
		rangelock_rdlock_nested(lock, req, 0, 1, NULL),
		rangelock_lockv(NULL, req, &range, 1, NULL),
		rangelock_lockv(lock, NULL, &range, 1, NULL),
		rangelock_lockv(lock, req, NULL, 1, NULL),
		rangelock_lockv(lock, req, &range, 0, NULL),
		rangelock_lockv(lock, req, &no_mode, 1, NULL),
		rangelock_unlockv(NULL, req, 1),
		rangelock_unlockv(lock, NULL, 1),
		rangelock_unlockv(lock, req, 0),
		rangelock_submit(NULL, req, &range, submit_ended, NULL),
		rangelock_submit(lock, NULL, &range, submit_ended, NULL),
		rangelock_submit(lock, req, NULL, submit_ended, NULL),
		rangelock_submit(lock, req, &no_mode, submit_ended, NULL),
		rangelock_submit(lock, req, &range, NULL, NULL),
		rangelock_reserve(NULL, req, 0, 1),
		rangelock_reserve(lock, NULL, 0, 1),
		rangelock_reserve_gap(NULL, req, 1, 1, 0, 9, &found),
		rangelock_reserve_gap(lock, NULL, 1, 1, 0, 9, &found),
		rangelock_reserve_gap(lock, req, 1, 1, 0, 9, NULL),
		rangelock_commit(NULL, req, NULL),
		rangelock_commit(lock, NULL, NULL),
		rangelock_unreserve(NULL, req),
		rangelock_unreserve(lock, NULL),
		rangelock_is_reserved(NULL, req) ? 0 : EINVAL,
		rangelock_is_reserved(lock, NULL) ? 0 : EINVAL,
		rangelock_lock_chosen(NULL, req, choose, op, NULL),
		rangelock_lock_chosen(lock, NULL, choose, op, NULL),
		rangelock_lock_chosen(lock, req, NULL, op, NULL),
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
		for (int i = 0; i < ACTORS; i++)
			sight->is_reserved[i] = rangelock_is_reserved(lock, &world.reqs[i]);
		for (int mode = 0; mode < MODES; mode++)
			sight->is_locked[mode] = rangelock_is_locked(lock, range->start, range->end,
								     (enum rangelock_mode)mode);
	}
	return 0;
}

static int call(struct actor *a, struct operation *op, struct rangelock_req *req)
{
	struct rangelock *lock = &world.locks[op->lock];
	uint64_t start = op->range.start, end = op->range.end;
	const struct timespec *abstime = ways[op->way].abstime;

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
		return call_with_nulls(lock, op);
	case DOWNGRADE:
		return rangelock_downgrade(lock, req);
	case TRYUPGRADE:
		return rangelock_tryupgrade(lock, req);
	case UPGRADE:
		return rangelock_upgrade(lock, req);
	case REDUCE:
		return rangelock_reduce(lock, req, start, end);
	case SPLIT:
		return rangelock_split(lock, req, op->at, &world.reqs[op->other]);
	case TRYEXTEND:
		return rangelock_tryextend(lock, req, start, end);
	case RDLOCK_NESTED:
		return rangelock_rdlock_nested(lock, req, start, end, &world.reqs[op->other]);
	case LOCKV:
		return rangelock_lockv(lock, req, op->ranges, (size_t)op->n, abstime);
	case UNLOCKV:
		return rangelock_unlockv(lock, req, (size_t)op->n);
	case SUBMIT:
		return rangelock_submit(lock, req, &op->range, submit_ended,
					&world.actors[op->actor]);
	case RESERVE:
		return rangelock_reserve(lock, req, start, end);
	case RESERVE_GAP:
		return rangelock_reserve_gap(lock, req, op->size, op->align, start, end, &op->at);
	case COMMIT:
		return rangelock_commit(lock, req, abstime);
	case UNRESERVE:
		return rangelock_unreserve(lock, req);
	case WAIT_ENTERED:
		return call_entered(lock, req, op);
	case LOCK_CHOSEN:
		return rangelock_lock_chosen(lock, req, choose, a, abstime);
	default:
		return look(&op->range);
	}
}

static void run_call(void *arg)
{
	struct actor *a = arg;

	fiber_acquire(&world);
	a->result = call(a, &a->op, a->op_req);
	fiber_release(&world);
}

/* ---- The interface ---- */

int make_call(struct actor *a, const struct operation *op, struct rangelock_req *req)
{
	a->op = *op;
	a->op_req = req;
	a->chosen = 0;
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
	*a = (struct actor){ .fiber = fiber, .owed = NOTHING, .user = a };
}

void make_lock(int lock, enum model_fault fault)
{
	static const struct rangelock_attr barging = { .flags = RANGELOCK_BARGING };

	rangelock_init(&world.locks[lock], lock == 0 ? NULL : &barging);
	model_init(&world.models[lock], fault);
	world.models[lock].barging = lock != 0;
}

void world_begin(enum model_fault fault)
{
	world.stray_wakes = 0;
	begin_actor(&world.visitor);
	for (int i = 0; i < ACTORS; i++) {
		begin_actor(&world.actors[i]);
		world.actors[i].req = &world.reqs[i];
		world.reqs[i] = (struct rangelock_req)RANGELOCK_REQ_INITIALIZER;
	}
	for (int l = 0; l < LOCKS; l++)
		make_lock(l, fault);
}
