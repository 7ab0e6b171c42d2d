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

enum action_kind { VISIT, KEEP, CANCEL, LOOK, DROP_HELD };

struct action {
	enum action_kind kind;
	struct want want;
	unsigned target; /* of a cancel a request, of a look a unit */
};

static struct program {
	struct scenario scenario;
	char name[40];
	struct action actions[MAX_THREADS][MAX_ACTIONS];
	unsigned n[MAX_THREADS];
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
		}
	}
	if (kept) {
		o_use(2 * i);
		o_drop(2 * i);
	}
}

static void setup(void)
{
	o_setup();
	if (program.held)
		o_take(HELD, &program.held_want);
}

static void make_actions(struct rng *rng, unsigned i)
{
	bool kept = false;

	program.n[i] = 1 + (unsigned)rng_below(rng, program.scenario.threads == 2 ? 3 : 2);
	for (unsigned k = 0; k < program.n[i]; k++) {
		struct action *a = &program.actions[i][k];
		uint64_t kind = rng_below(rng, 10);

		a->want = random_want(rng);
		a->kind = kind < 6 ? VISIT : kind < 7 ? KEEP : kind < 9 ? CANCEL : LOOK;
		a->target = a->kind == LOOK
				? (unsigned)rng_below(rng, UNITS)
				: 2 * (unsigned)rng_below(rng, program.scenario.threads);
		if (a->kind == KEEP && (kept || k + 1 == program.n[i]))
			a->kind = VISIT;
		if (kept && a->want.patience == WAITS)
			a->want.patience = rng_below(rng, 2) ? TRIES : WAITS_FOR_A_TIME;
		kept |= a->kind == KEEP;
	}
	if (i == 0 && program.held) {
		unsigned at = (unsigned)rng_below(rng, program.n[0]);

		/* Before anything that may wait for it. */
		for (unsigned k = 0; k < at; k++)
			if (program.actions[0][k].want.patience == WAITS)
				program.actions[0][k].want.patience = TRIES;
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
	program.held = rng_below(&rng, 2);
	program.held_want = random_want(&rng);
	snprintf(program.name, sizeof(program.name), "generated-%" PRIu64, seed);
	for (unsigned i = 0; i < program.scenario.threads; i++)
		make_actions(&rng, i);
	return &program.scenario;
}
