/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scenarios made from a seed: two or three threads with one to three random
 * actions each, on four units.  They meet in ways that nobody would think of
 * writing down.
 *
 * A thread that keeps something only tries from then on, or waits for a time,
 * so that no deadlock is the scenario's own.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/random.h"
#include "explore/oracle.h"
#include "explore/scenarios.h"
#include "support/fiber.h"

enum { MAX_ACTIONS = 3, HELD = REQS - 1 };

enum action_kind {
	VISIT,
	KEEP,
	CANCEL,
	LOOK,
	DROP_HELD,
	/* Take, change, use, drop: */
	DOWNGRADE,
	UPGRADE,
	TRY_UPGRADE,
	REDUCE,
	EXTEND,
	/* Whole calls; these need both requests of a thread: */
	SPLIT,
	NESTED,
	BOTH,
	RESERVE,
	SUBMIT, /* and this one is the last: its request may be in use for long */
	N_KINDS
};

struct action {
	enum action_kind kind;
	struct want want, other;
	unsigned target; /* of a cancel a request, of a look a unit */
};

static struct program {
	struct scenario scenario;
	char name[40];
	struct action actions[MAX_THREADS][MAX_ACTIONS];
	unsigned n[MAX_THREADS];
	bool barging, on_list, keeps;
	bool held; /* setup holds something, and thread 0 drops it */
	struct want held_want;
} program;

static struct want random_want(struct rng *rng)
{
	static const enum patience patience[] = { WAITS, WAITS, TRIES, WAITS_FOR_A_TIME };
	struct want w = { .start = (unsigned)rng_below(rng, UNITS) };

	w.end = w.start + 1 + (unsigned)rng_below(rng, UNITS - w.start);
	w.mode = rng_below(rng, 5) < 3 ? RANGELOCK_WRITE : RANGELOCK_READ;
	w.patience = patience[rng_below(rng, 4)];
	w.no_bound = w.end == UNITS && rng_below(rng, 2);
	return w;
}

static void change(const struct action *a, unsigned req)
{
	const struct want *w = &a->want;

	if (o_take(req, w))
		return;
	switch (a->kind) {
	case DOWNGRADE:
		o_downgrade(req);
		break;
	case UPGRADE:
		o_upgrade(req);
		break;
	case TRY_UPGRADE:
		o_try_upgrade(req);
		break;
	case REDUCE:
		o_reduce(req, w->end - 1, w->end);
		break;
	case SPLIT:
		if (w->start + 1 < w->end) {
			o_split(req, w->start + 1, req + 1);
			o_use(req + 1);
			o_drop(req + 1);
		}
		break;
	case NESTED:
		o_visit_nested(req + 1, req, a->other.start, a->other.end);
		break;
	default:
		o_try_extend(req, w->start ? w->start - 1 : 0, w->end < UNITS ? w->end + 1 : UNITS);
	}
	o_use(req);
	o_drop(req);
}

static void run(unsigned i)
{
	bool kept = false;

	for (unsigned k = 0; k < program.n[i]; k++) {
		const struct action *a = &program.actions[i][k];

		switch (a->kind) {
		case VISIT:
			o_visit(2 * i + kept, &a->want);
			break;
		case KEEP:
			kept = o_take(2 * i, &a->want) == 0;
			break;
		case CANCEL:
			o_cancel(a->target);
			break;
		case LOOK:
			o_look(a->target);
			break;
		case DROP_HELD:
			o_drop(HELD);
			break;
		case BOTH:
			o_visit_both(2 * i, &a->want, &a->other);
			break;
		case RESERVE:
			o_reserve_and_commit(2 * i + kept, a->want.start, a->want.end,
					     kept || a->want.patience == WAITS_FOR_A_TIME);
			break;
		case SUBMIT:
			o_submit(2 * i + kept, &a->want);
			break;
		default:
			change(a, 2 * i + kept);
		}
	}
	if (kept) {
		o_use(2 * i);
		o_drop(2 * i);
	}
}

static void setup(void)
{
	if (program.barging)
		o_setup_barging();
	else if (program.on_list && program.keeps)
		o_keep_on_list(o_setup);
	else if (program.on_list)
		o_put_on_list(o_setup);
	else
		o_setup();
	if (program.held)
		o_take(HELD, &program.held_want);
}

static bool is_offered(enum action_kind kind)
{
	static const unsigned needs[N_KINDS] = {
		[DOWNGRADE] = RANGELOCK_CAP_CONVERT,   [UPGRADE] = RANGELOCK_CAP_CONVERT,
		[TRY_UPGRADE] = RANGELOCK_CAP_CONVERT, [REDUCE] = RANGELOCK_CAP_RESIZE,
		[EXTEND] = RANGELOCK_CAP_RESIZE,       [SPLIT] = RANGELOCK_CAP_RESIZE,
		[NESTED] = RANGELOCK_CAP_NESTED,       [BOTH] = RANGELOCK_CAP_VECTOR,
		[RESERVE] = RANGELOCK_CAP_RESERVE,     [SUBMIT] = RANGELOCK_CAP_SUBMIT,
	};
	unsigned caps = rangelock_engine_caps(program.on_list ? RANGELOCK_LIST : RANGELOCK_TREE);

	return (needs[kind] & caps) == needs[kind];
}

/* Of the calls beyond lock and unlock one that fits here. */
static void make_special(struct rng *rng, struct action *a, bool kept, bool last)
{
	do
		a->kind = DOWNGRADE + (enum action_kind)rng_below(rng, N_KINDS - DOWNGRADE);
	while (!is_offered(a->kind));
	a->other = random_want(rng);
	/* No bound but units, for whatever changes or compares ranges. */
	a->want.no_bound = false;
	if (a->kind == NESTED || a->kind == UPGRADE || a->kind == TRY_UPGRADE)
		a->want.mode = RANGELOCK_READ;
	if (a->kind == DOWNGRADE)
		a->want.mode = RANGELOCK_WRITE;
	if (a->kind == BOTH && a->want.patience == TRIES)
		a->want.patience = WAITS;
	if (a->kind == BOTH || a->kind == SUBMIT)
		a->other.patience = a->want.patience;
	if (a->kind == SUBMIT)
		a->want.patience = WAITS;
	if (a->kind == BOTH && a->want.start < a->other.end && a->other.start < a->want.end)
		a->want.mode = a->other.mode = RANGELOCK_READ;
	if (program.on_list && a->kind >= BOTH) /* which it lacks */
		a->kind = VISIT;
	if ((kept &&
	     (a->kind == SPLIT || a->kind == NESTED || a->kind == BOTH || a->kind == UPGRADE)) ||
	    (a->kind == SUBMIT && !last))
		a->kind = VISIT;
}

static void make_actions(struct rng *rng, unsigned i)
{
	bool kept = false;

	program.n[i] = 1 + (unsigned)rng_below(rng, program.scenario.threads == 2 ? 3 : 2);
	for (unsigned k = 0; k < program.n[i]; k++) {
		struct action *a = &program.actions[i][k];
		uint64_t kind = rng_below(rng, 10);

		a->want = random_want(rng);
		a->kind = kind < 4 ? VISIT : kind < 5 ? KEEP : kind < 7 ? CANCEL : LOOK;
		if (kind == 7 || kind == 8)
			make_special(rng, a, kept, k + 1 == program.n[i]);
		a->target = a->kind == LOOK
				? (unsigned)rng_below(rng, UNITS)
				: 2 * (unsigned)rng_below(rng, program.scenario.threads);
		if (a->kind == KEEP && (kept || k + 1 == program.n[i]))
			a->kind = VISIT;
		if (kept && a->want.patience == WAITS && a->kind != SUBMIT) /* which does not wait */
			a->want.patience = rng_below(rng, 2) ? TRIES : WAITS_FOR_A_TIME;
		kept |= a->kind == KEEP;
	}
	if (i == 0 && program.held) {
		unsigned at = (unsigned)rng_below(rng, program.n[0]);

		/* Before anything that may wait for it. */
		for (unsigned k = 0; k < at; k++) {
			if (program.actions[0][k].want.patience == WAITS)
				program.actions[0][k].want.patience = TRIES;
			if (program.actions[0][k].kind > DROP_HELD)
				program.actions[0][k].kind = VISIT;
		}
		program.actions[0][at].kind = DROP_HELD;
	}
}

const struct scenario *scenario_generated(uint64_t seed)
{
	struct rng rng = rng_make(seed, 7);

	program = (struct program){
		.scenario = { .name = program.name,
			      .setup = setup,
			      .run = run,
			      .step = o_step,
			      .check = o_check },
	};
	program.scenario.threads = 2 + (rng_below(&rng, 3) > 0);
	program.scenario.processors = rng_below(&rng, 4) ? 1 : 2 + (unsigned)rng_below(&rng, 2);
	program.barging = seed % 3 == 0;
	program.on_list = seed % 3 == 1;
	program.keeps = seed % 2;
	program.held = rng_below(&rng, 2);
	program.held_want = random_want(&rng);
	snprintf(program.name, sizeof(program.name), "generated-%" PRIu64, seed);
	for (unsigned i = 0; i < program.scenario.threads; i++)
		make_actions(&rng, i);
	return &program.scenario;
}
