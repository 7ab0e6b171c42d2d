/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore: go through the schedules of scenarios.
 *
 * Without a scenario's name it is a test: TAP on standard output, each scenario
 * by each way of searching that suits it, in a given time.
 */
#include <dlfcn.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/args.h"
#include "explore/litmus.h"
#include "explore/scenarios.h"
#include "explore/search.h"

static const char usage[] =
    "Usage: explore [OPTION]... [SCENARIO]...\n"
    "Run scenarios of a few threads in every order that matters, deterministically.\n"
    "\n"
    "  --memory sc|weak|both  what loads may return (default: both)\n"
    "  --search dfs|sleep|random|pct|all\n"
    "                         depth first within bounds; depth first without bounds, but one\n"
    "                         of each set of equivalent schedules (two threads only); at\n"
    "                         random, in two ways (default: all that suit)\n"
    "  --preemptions N        bound for dfs (default: 2)\n"
    "  --faults N             bound on wake-ups for nothing and time-outs (default: 1)\n"
    "  --stale N              bound on loads that return an old value (default: 1)\n"
    "  --seconds S            for each scenario that is named (default: 10)\n"
    "  --generated A-B        scenarios made from these seeds, instead of those by hand\n"
    "  --budget S             as a test: seconds in all, about (default: 60)\n"
    "  --seed N               of random searches and generated scenarios (default: fresh;\n"
    "                         it is printed)\n"
    "  --list                 names of the scenarios\n"
    "  --help                 this text\n"
    "\n"
    "MC_REPLAY='SCENARIO/SCHEDULE' in the environment: run that one schedule and print\n"
    "every step.  A failure prints what to set it to.\n"
    "\n"
    "Exit status: 0 nothing was found; 1 a fault, which is reported; 2 a bad option.\n";

struct options {
	bool memories[2]; /* sc, weak */
	bool strategies[4];
	unsigned bound[N_COSTS];
	double seconds, budget;
	uint64_t seed, first_generated, last_generated;
	bool generated;
};

static const char *const memory_names[] = { "sc", "weak" };
static const char *const strategy_names[] = { "dfs", "sleep", "random", "pct" };

/* ---- Reports ---- */

/* Print text, and for each @ADDRESS the line of the source. */
static void print_with_lines(const char *text)
{
	for (const char *at; (at = strstr(text, "@0x")); text = at) {
		char command[128], line[256] = "";
		void *pc = NULL;
		int length = 0;
		Dl_info object = { 0 };

		printf("%.*s", (int)(at - text), text);
		sscanf(at, "@%p%n", &pc, &length);
		at += length;
		dladdr(pc, &object);
		snprintf(command, sizeof(command), "addr2line -s -e /proc/%d/exe %#tx", getpid(),
			 (char *)pc - 1 - (char *)object.dli_fbase);
		FILE *pipe = popen(command, "r");
		if (pipe && fgets(line, sizeof(line), pipe))
			line[strcspn(line, "\n (")] = '\0';
		if (pipe)
			pclose(pipe);
		printf("%s", *line ? line : "?");
	}
	printf("%s\n", text);
}

static void print_failure(const struct scenario *scenario, const struct result *result)
{
	printf("# FOUND: ");
	print_with_lines(result->failure);
	printf("# MC_REPLAY='%s/%s'\n", scenario->name, result->replay);
	if (!scenario->fault) { /* of those that are seeded, whoever asks will see them */
		fflush(stdout);
		search_replay(scenario, result->replay);
	}
}

static void print_figures(const struct result *r)
{
	printf("%" PRIu64 " schedules%s", r->distinct, r->exhausted ? ", all of them" : "");
	if (r->complete != r->distinct)
		printf(" (%" PRIu64 " executions)", r->complete);
	printf(", %.0f/s, %.0f steps each, %.2f s", (double)r->distinct / r->seconds,
	       (double)r->steps / (double)(r->complete + r->pruned + r->failed), r->seconds);
	if (r->pruned)
		printf(", %" PRIu64 " pruned", r->pruned);
	printf("\n");
}

/* ---- One search ---- */

static bool run_search(const struct scenario *scenario, const struct options *opt,
		       enum strategy strategy, bool weak, double seconds, struct result *ret_result)
{
	struct search search = {
		.strategy = strategy, .weak = weak, .seed = opt->seed, .max_seconds = seconds
	};

	memcpy(search.bound, opt->bound, sizeof(search.bound));
	if (strategy == SLEEP_SETS) {
		search.bound[COST_PREEMPTION] = 1000000;
		search.bound[COST_STALE] = 1000000;
		search.bound[COST_FAULT] = 0;
	} else if (strategy >= RANDOM_WALK) {
		search.bound[COST_PREEMPTION] = 1000000;
		search.bound[COST_STALE] = 6;
		search.bound[COST_FAULT] = 3;
	}
	search_run(scenario, &search, ret_result);
	/* A search that has completed nothing has shown nothing. */
	return !ret_result->failed && ret_result->complete > 0;
}

static bool suits(const struct scenario *scenario, enum strategy strategy)
{
	return strategy != SLEEP_SETS || scenario->threads == 2;
}

static unsigned count_searches(const struct scenario *scenario, const struct options *opt)
{
	unsigned n = 0;

	for (int w = 0; w < 2; w++)
		for (enum strategy s = DEPTH_FIRST; s <= PCT; s++)
			n += opt->memories[w] && opt->strategies[s] && suits(scenario, s);
	return n;
}

/* All searches that were asked for; one line each.  False: something was found. */
static bool explore(const struct scenario *scenario, const struct options *opt, double seconds)
{
	unsigned n = count_searches(scenario, opt);

	if (n == 0)
		printf("# %-24s %u threads: passed over\n", scenario->name, scenario->threads);
	for (int w = 0; w < 2; w++)
		for (enum strategy s = DEPTH_FIRST; s <= PCT; s++) {
			struct result result;

			if (!opt->memories[w] || !opt->strategies[s] || !suits(scenario, s))
				continue;
			bool good = run_search(scenario, opt, s, w, seconds / n, &result);
			printf("# %-24s %-4s %-6s ", scenario->name, memory_names[w],
			       strategy_names[s]);
			print_figures(&result);
			if (result.failed)
				print_failure(scenario, &result);
			if (!good)
				return false;
		}
	return true;
}

/* ---- As a test ---- */

static unsigned tap_count, tap_failed;

static void tap(bool good, const char *what, const char *name)
{
	printf("%sok %u - %s %s\n", good ? "" : "not ", ++tap_count, what, name);
	fflush(stdout);
	tap_failed += !good;
}

static void test_litmus(const struct options *opt)
{
	for (unsigned i = 0; i < litmus_count(); i++)
		for (int w = 0; w < 2; w++)
			for (enum strategy s = DEPTH_FIRST; s <= SLEEP_SETS; s++) {
				char text[512];

				if (opt->memories[w])
					tap(litmus_run(i, s, w, text, sizeof(text)),
					    "litmus:", text);
			}
}

/* Within 10 seconds it is found, is called by its name, and can be replayed. */
static void test_seeded_by(const struct options *opt, const struct scenario *s,
			   enum strategy strategy)
{
	/* ThreadSanitizer remembers four accesses of a place, and which is left to chance. */
	const int tries = seam_does_it ? 5 : 1;
	struct result result;
	bool found = false, again = false;

	for (int w = 0; w < 2 * tries && !found; w++) {
		if (!opt->memories[w % 2])
			continue;
		run_search(s, opt, strategy, w % 2, 5, &result);
		found = result.failed && strncmp(result.failure, s->fault, strlen(s->fault)) == 0;
	}
	for (int i = 0; i < tries && found && !again; i++)
		again = search_repeats(s, result.replay);
	if (found) {
		printf("# after %" PRIu64 " schedules, %.3f s: ", result.complete, result.seconds);
		print_failure(s, &result);
	}
	tap(again, strategy == SLEEP_SETS ? "is found by sleep sets:" : "is found:", s->name);
}

static void test_seeded(const struct options *opt)
{
	const struct scenario *s;

	for (unsigned i = 0; (s = scenario_seeded(i)); i++) {
		if ((seam_does_it && s->not_by_tsan) ||
		    (!seam_sees_plain && strcmp(s->fault, "data race") == 0))
			continue;
		for (enum strategy strategy = DEPTH_FIRST; strategy <= SLEEP_SETS; strategy++)
			if (suits(s, strategy))
				test_seeded_by(opt, s, strategy);
	}
}

static void test_all(const struct options *opt)
{
	const struct scenario *s;
	unsigned by_hand = 0;

	while (scenario_by_hand(by_hand))
		by_hand++;
	printf("# seed %" PRIu64 "\n", opt->seed);
	test_litmus(opt);
	test_seeded(opt);
	for (unsigned i = 0; (s = scenario_by_hand(i)); i++)
		tap(explore(s, opt, opt->budget / 2 / by_hand), "scenario:", s->name);

	enum { BATCHES = 10, BATCH = 20 };
	for (unsigned b = 0; b < BATCHES; b++) {
		char name[64];
		bool good = true;
		/* Half of them the same in every run, half of them new. */
		uint64_t first = b < BATCHES / 2 ? b * BATCH : opt->seed % 1000000000 + b * BATCH;

		snprintf(name, sizeof(name), "generated %" PRIu64 " to %" PRIu64, first,
			 first + BATCH - 1);
		for (unsigned k = 0; k < BATCH && good; k++)
			good = explore(scenario_generated(first + k), opt,
				       opt->budget / 2 / (BATCHES * BATCH));
		tap(good, "scenarios:", name);
	}
	printf("1..%u\n", tap_count);
}

/* ---- Options ---- */

static const struct scenario *find_scenario(const char *name)
{
	const struct scenario *s;

	if (strncmp(name, "generated-", 10) == 0)
		return scenario_generated(strtoull(name + 10, NULL, 10));
	for (unsigned i = 0; (s = scenario_by_hand(i)); i++)
		if (strcmp(s->name, name) == 0)
			return s;
	for (unsigned i = 0; (s = scenario_seeded(i)); i++)
		if (strcmp(s->name, name) == 0)
			return s;
	fprintf(stderr, "explore: %s: no such scenario; see --list\n", name);
	exit(EXIT_USAGE);
}

static int list(void)
{
	const struct scenario *s;

	puts("scenarios:");
	for (unsigned i = 0; (s = scenario_by_hand(i)); i++)
		printf("  %s\n", s->name);
	puts("  generated-SEED\ncontrols, with a fault each that is to be found:");
	for (unsigned i = 0; (s = scenario_seeded(i)); i++)
		printf("  %s\n", s->name);
	return EXIT_SUCCESS;
}

static int replay(char *text)
{
	char *slash = strchr(text, '/');

	if (!slash)
		bad_option("MC_REPLAY", "not SCENARIO/SCHEDULE: %s", text);
	*slash = '\0';
	if (search_replay(find_scenario(text), slash + 1) != FAILED) {
		puts("nothing is wrong");
		return EXIT_SUCCESS;
	}
	print_with_lines(machine_failure());
	return EXIT_FAILURE;
}

/* One of names, or all: sets[i] for each that is meant. */
static void parse_set(const char *option, const char *text, const char *const *names, unsigned n,
		      const char *all, bool *sets)
{
	bool known = strcmp(text, all) == 0;

	for (unsigned i = 0; i < n; i++) {
		sets[i] = strcmp(text, all) == 0 || strcmp(text, names[i]) == 0;
		known |= sets[i];
	}
	if (!known)
		bad_option(option, "no such thing: %s", text);
}

static void parse_generated(const char *text, struct options *opt)
{
	int length = 0;

	opt->generated = true;
	if (sscanf(text, "%" SCNu64 "-%" SCNu64 "%n", &opt->first_generated, &opt->last_generated,
		   &length) != 2 ||
	    text[length] || opt->last_generated < opt->first_generated)
		bad_option("--generated", "not two numbers A-B: %s", text);
}

static struct options parse(int argc, char **argv)
{
	enum {
		MEMORY = 256,
		SEARCH,
		PREEMPTIONS,
		FAULTS,
		STALE,
		SECONDS,
		GENERATED,
		BUDGET,
		SEED,
		LIST,
		HELP
	};
	static const struct option long_options[] = {
		{ "memory", required_argument, NULL, MEMORY },
		{ "search", required_argument, NULL, SEARCH },
		{ "preemptions", required_argument, NULL, PREEMPTIONS },
		{ "faults", required_argument, NULL, FAULTS },
		{ "stale", required_argument, NULL, STALE },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "generated", required_argument, NULL, GENERATED },
		{ "budget", required_argument, NULL, BUDGET },
		{ "seed", required_argument, NULL, SEED },
		{ "list", no_argument, NULL, LIST },
		{ "help", no_argument, NULL, HELP },
		{ 0 },
	};
	struct options opt = {
		.memories = { true, true },
		.strategies = { true, true, true, true },
		.bound = { [COST_PREEMPTION] = 2, [COST_FAULT] = 1, [COST_STALE] = 1 },
		.seconds = 10,
		.budget = 60
	};
	const double week = 7 * 86400;

	if (getrandom(&opt.seed, sizeof(opt.seed), 0) != sizeof(opt.seed))
		opt.seed = 1;
	opt.seed >>= 32;
	for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
		switch (c) {
		case MEMORY:
			parse_set("--memory", optarg, memory_names, 2, "both", opt.memories);
			break;
		case SEARCH:
			parse_set("--search", optarg, strategy_names, 4, "all", opt.strategies);
			break;
		case PREEMPTIONS:
		case FAULTS:
		case STALE:
			opt.bound[c - PREEMPTIONS + COST_PREEMPTION] =
			    (unsigned)parse_number(argv[optind - 1], optarg, 0, 1000);
			break;
		case SECONDS:
			opt.seconds = (double)parse_seconds("--seconds", optarg, week) / 1e9;
			break;
		case GENERATED:
			parse_generated(optarg, &opt);
			break;
		case BUDGET:
			opt.budget = (double)parse_seconds("--budget", optarg, week) / 1e9;
			break;
		case SEED:
			opt.seed = parse_number("--seed", optarg, 0, UINT64_MAX);
			break;
		case LIST:
			exit(list());
		case HELP:
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			exit(EXIT_USAGE); /* getopt has named it */
		}
	return opt;
}

static void must_suit(const struct scenario *s, const struct options *opt)
{
	if (count_searches(s, opt) == 0)
		bad_option("--search", "sleep is for two threads, and %s has %u", s->name,
			   s->threads);
}

int main(int argc, char **argv)
{
	struct options opt = parse(argc, argv);
	char *schedule = getenv("MC_REPLAY");
	bool good = true;

	if (seam_does_it && !opt.memories[0])
		bad_option("--memory", "weak is not for a build with ThreadSanitizer");
	if (seam_does_it)
		opt.memories[1] = false; /* loads are the machine's */
	if (schedule)
		return replay(schedule);
	for (int i = optind; i < argc; i++)
		must_suit(find_scenario(argv[i]), &opt);
	if (opt.generated)
		for (uint64_t i = opt.first_generated; i <= opt.last_generated && good; i++)
			good = explore(scenario_generated(i), &opt, opt.seconds);
	else if (optind == argc)
		test_all(&opt);
	for (int i = optind; i < argc && good; i++)
		good = explore(find_scenario(argv[i]), &opt, opt.seconds);
	return good && !tap_failed ? EXIT_SUCCESS : EXIT_FAILURE;
}
