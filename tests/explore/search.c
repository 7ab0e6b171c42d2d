/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which schedules are run.  An execution is determined by its choices; so a
 * schedule is named by those that are not the plain ones: "the 12th choice was
 * 5, the 30th was 9", whatever strategy found it.  That is also how it is made
 * short: leave choices out for as long as it fails.
 *
 *   Depth first: a stack of choices; the next execution repeats all but the
 *   last that has something left (Godefroid, "VeriSoft", 1997), within a bound
 *   on preemptions (Musuvathi and Qadeer, "CHESS", 2007), faults and stale loads.
 *   PCT: Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized
 *   scheduler with probabilistic guarantees of finding bugs" (2010).
 */
#include "explore/search.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/random.h"

enum {
	MAX_DEPTH = 20000,
	MAX_DEVIATIONS = 256,
	SEEN = 1 << 18, /* of random schedules: are they distinct? */
	PCT_CHANGES = 4
};

struct node {
	uint8_t n, at;
	uint8_t allowed[MAX_OPTIONS];
};

struct deviation {
	uint32_t index;
	uint16_t value;
};

struct schedule {
	struct deviation list[MAX_DEVIATIONS];
	unsigned n;
};

static const struct search *search;
static bool replaying;
static struct schedule wanted;	/* when replaying */
static struct schedule taken;	/* in this execution */
static uint32_t choices;	/* so far, in this execution */
static unsigned spent[N_COSTS]; /* likewise */
static uint64_t hash;		/* of all that was chosen */
static uint64_t seen[SEEN];
static struct rng rng;

static struct node nodes[MAX_DEPTH];
static unsigned depth, at_node;

static int priority[MAX_THREADS];
static int lowest;
static uint32_t thread_choices, change_at[PCT_CHANGES];

/* ---- One choice ---- */

static int choose_wanted(const struct alternative *options, unsigned n)
{
	for (unsigned i = 0; i < wanted.n; i++)
		if (wanted.list[i].index == choices)
			for (unsigned k = 0; k < n; k++)
				if (options[k].value == wanted.list[i].value)
					return (int)k;
	return 0;
}

static bool affordable(const struct alternative *option)
{
	return option->cost == COST_NONE || spent[option->cost] < search->bound[option->cost];
}

static int choose_next(const struct alternative *options, unsigned n)
{
	struct node fresh = { .n = 0 };

	if (at_node == depth) {
		for (unsigned k = 0; k < n; k++)
			if (!options[k].asleep && affordable(&options[k]))
				fresh.allowed[fresh.n++] = (uint8_t)k;
		if (!fresh.n)
			return PRUNED;
		if (depth == MAX_DEPTH) {
			fputs("explore: a scenario with too many choices\n", stderr);
			abort();
		}
		nodes[depth++] = fresh;
	}
	const struct node *node = &nodes[at_node++];
	return node->allowed[node->at];
}

static int choose_at_random(const struct alternative *options, unsigned n)
{
	unsigned plain = 0, dear = 0;

	for (unsigned k = 0; k < n; k++)
		*(options[k].cost <= COST_PREEMPTION ? &plain : &dear) += affordable(&options[k]);
	if (dear && rng_one_in(&rng, 8)) {
		unsigned pick = (unsigned)rng_below(&rng, dear);
		for (unsigned k = 0; k < n; k++)
			if (options[k].cost > COST_PREEMPTION && affordable(&options[k]) &&
			    pick-- == 0)
				return (int)k;
	}
	unsigned pick = (unsigned)rng_below(&rng, plain);
	for (unsigned k = 0; k < n; k++)
		if (options[k].cost <= COST_PREEMPTION && affordable(&options[k]) && pick-- == 0)
			return (int)k;
	return 0;
}

static int choose_by_priority(const struct alternative *options, unsigned n)
{
	int best = -1;

	thread_choices++;
	for (unsigned i = 0; i < PCT_CHANGES; i++)
		if (change_at[i] == thread_choices)
			priority[options[0].value / EVENTS] = --lowest;
	for (unsigned k = 0; k < n; k++)
		if (options[k].value % EVENTS == EVENT_STEP &&
		    (best < 0 ||
		     priority[options[k].value / EVENTS] > priority[options[best].value / EVENTS]))
			best = (int)k;
	/* Faults come as in a random walk. */
	return best < 0 || rng_one_in(&rng, 32) ? choose_at_random(options, n) : best;
}

static int note(const struct alternative *options, int chosen, bool counts)
{
	if (chosen == PRUNED)
		return PRUNED;
	spent[options[chosen].cost]++;
	hash = (hash ^ options[chosen].value) * 0x9e3779b97f4a7c15u;
	hash ^= hash >> 29;
	if (chosen && counts && taken.n < MAX_DEVIATIONS)
		taken.list[taken.n++] = (struct deviation){ choices, options[chosen].value };
	choices += counts;
	return chosen;
}

static int choose(const struct alternative *options, unsigned n)
{
	int chosen = replaying			      ? choose_wanted(options, n)
		     : search->strategy <= SLEEP_SETS ? choose_next(options, n)
						      : choose_at_random(options, n);

	return note(options, chosen, true);
}

static int choose_thread(const struct alternative *options, unsigned n)
{
	if (!replaying && search->strategy == PCT)
		return note(options, choose_by_priority(options, n), n > 1);
	/* A single one may still be asleep. */
	if (n == 1)
		return note(options, !replaying && options[0].asleep ? PRUNED : 0, false);
	return choose(options, n);
}

static void yielded(unsigned thread)
{
	priority[thread] = --lowest;
}

static const struct chooser chooser = { choose, choose_thread, yielded };

/* ---- Executions ---- */

static enum outcome run_once(const struct scenario *scenario)
{
	choices = 0;
	taken.n = 0;
	at_node = 0;
	hash = 0;
	thread_choices = 0;
	memset(spent, 0, sizeof(spent));
	return machine_run(scenario);
}

static enum outcome run_wanted(const struct scenario *scenario, const struct schedule *schedule)
{
	wanted = *schedule;
	replaying = true;
	enum outcome outcome = run_once(scenario);
	replaying = false;
	return outcome;
}

static void shuffle_priorities(unsigned typical_length)
{
	lowest = 0;
	for (int i = 0; i < MAX_THREADS; i++)
		priority[i] = 1 + i;
	for (unsigned i = MAX_THREADS - 1; i > 0; i--) {
		unsigned k = (unsigned)rng_below(&rng, i + 1);
		int p = priority[i];
		priority[i] = priority[k];
		priority[k] = p;
	}
	for (unsigned i = 0; i < PCT_CHANGES; i++)
		change_at[i] = 1 + (uint32_t)rng_below(&rng, typical_length + 1);
}

static bool is_new(void)
{
	for (uint64_t i = hash, tries = 0; tries < 8; i++, tries++) {
		uint64_t *slot = &seen[i % SEEN];

		if (*slot == hash)
			return false;
		if (!*slot) {
			*slot = hash;
			return true;
		}
	}
	return true; /* the table is full: not known to be old */
}

/* On to the next path.  False: there is none. */
static bool backtrack(void)
{
	while (depth && nodes[depth - 1].at + 1 == nodes[depth - 1].n)
		depth--;
	if (!depth)
		return false;
	nodes[depth - 1].at++;
	return true;
}

static bool same_fault(const char *a, const char *b)
{
	size_t kind = strcspn(a, ":");

	return strncmp(a, b, kind + 1) == 0;
}

/* Leave out what is not needed for the same fault. */
static void make_short(const struct scenario *scenario, struct schedule *schedule,
		       const char *failure)
{
	int64_t until = clock_ns() + 2 * (int64_t)NS_PER_S;

	for (unsigned chunk = schedule->n; chunk > 0; chunk /= 2) {
		for (unsigned i = 0; i + chunk <= schedule->n && clock_ns() < until;) {
			struct schedule shorter = *schedule;

			memmove(&shorter.list[i], &shorter.list[i + chunk],
				(shorter.n - i - chunk) * sizeof(shorter.list[0]));
			shorter.n -= chunk;
			if (run_wanted(scenario, &shorter) == FAILED &&
			    same_fault(machine_failure(), failure) && taken.n < schedule->n)
				*schedule = taken;
			else
				i++;
		}
	}
}

static void write_replay(const struct schedule *schedule, struct result *result)
{
	size_t n = (size_t)snprintf(result->replay, sizeof(result->replay),
				    "%s:", search->weak ? "weak" : "sc");

	for (unsigned i = 0; i < schedule->n && n + 20 < sizeof(result->replay); i++)
		n += (size_t)snprintf(result->replay + n, sizeof(result->replay) - n,
				      "%s%" PRIu32 "=%u", i ? "," : "", schedule->list[i].index,
				      schedule->list[i].value);
	result->replay_deviations = schedule->n;
}

static void report(const struct scenario *scenario, struct result *result)
{
	struct schedule schedule = taken;
	char failure[512];

	strcpy(failure, machine_failure());
	make_short(scenario, &schedule, failure);
	if (run_wanted(scenario, &schedule) == FAILED)
		strcpy(failure, machine_failure());
	else
		strcat(strcpy(failure, "does not repeat: "), machine_failure());
	strcpy(result->failure, failure);
	result->failed = true;
	write_replay(&schedule, result);
}

void search_run(const struct scenario *scenario, const struct search *s, struct result *ret_result)
{
	struct result r = { 0 };
	int64_t begin = clock_ns();
	unsigned typical_length = 100;

	search = s;
	rng = rng_make(s->seed, 0);
	depth = 0;
	if (s->strategy >= RANDOM_WALK)
		memset(seen, 0, sizeof(seen));
	memory_init(&chooser, s->weak);
	machine_init(&chooser, s->strategy == SLEEP_SETS);
	for (uint64_t i = 0;; i++) {
		if (s->strategy == PCT)
			shuffle_priorities(typical_length);
		enum outcome outcome = run_once(scenario);

		r.steps += machine_steps();
		typical_length = (3 * typical_length + machine_steps()) / 4;
		if (outcome == FAILED) {
			report(scenario, &r);
			break;
		}
		r.complete += outcome == COMPLETE;
		r.pruned += outcome == PRUNED_AWAY;
		if (s->strategy <= SLEEP_SETS) {
			r.distinct = r.complete; /* no path is taken twice */
			if (!backtrack()) {
				r.exhausted = true;
				break;
			}
		} else {
			r.distinct += outcome == COMPLETE && is_new();
		}
		if (s->max_executions && i + 1 >= s->max_executions)
			break;
		if (s->max_seconds > 0 && (i & 63) == 0 &&
		    (double)(clock_ns() - begin) > s->max_seconds * NS_PER_S)
			break;
	}
	r.seconds = (double)(clock_ns() - begin) / NS_PER_S;
	*ret_result = r;
}

static enum outcome run_named(const struct scenario *scenario, const char *replay)
{
	static struct search plain;
	struct schedule schedule = { .n = 0 };
	const char *at = strchr(replay, ':');

	plain.weak = strncmp(replay, "weak", 4) == 0;
	search = &plain;
	memory_init(&chooser, plain.weak);
	machine_init(&chooser, false);
	at = at ? at + 1 : replay;
	while (*at && schedule.n < MAX_DEVIATIONS) {
		struct deviation *d = &schedule.list[schedule.n++];
		int length = 0;

		if (sscanf(at, "%" SCNu32 "=%hu%n", &d->index, &d->value, &length) != 2)
			break;
		at += length + (at[length] == ',');
	}
	return run_wanted(scenario, &schedule);
}

enum outcome search_replay(const struct scenario *scenario, const char *replay)
{
	machine_trace(true);
	enum outcome outcome = run_named(scenario, replay);
	machine_trace(false);
	return outcome;
}

bool search_repeats(const struct scenario *scenario, const char *replay)
{
	return run_named(scenario, replay) == FAILED;
}
