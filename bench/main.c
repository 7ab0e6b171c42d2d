/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rangelock-bench: locks compared with each other, interleaved round by round.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/file.h"
#include "bench/peers/peers.h"
#include "bench/plot.h"
#include "bench/report.h"
#include "common/args.h"
#include "common/clock.h"

static const char usage[] =
    "Usage: rangelock-bench [OPTION]...\n"
    "Compare range locks with each other and with whole-object locks.\n"
    "\n"
    "  --workload W[,W]   what to do; see --list (default: all)\n"
    "  --param TEXT       only settings that have this in their name, as `reads=90%`; a whole\n"
    "                     name is that one alone\n"
    "  --lock L[,L]       with which locks, where they can do it; see --list (default:\n"
    "                     all but none and sleep); the ratios are against the first\n"
    "  --threads 1,2,..   thread counts (default: 1,2), but where the workload says how many\n"
    "  --seconds S        for one measurement (default: 0.2)\n"
    "  --repeat R         measurements of each cell, 1 to 1000; medians are shown\n"
    "                     (default: 5)\n"
    "  --warmup S         before each measurement (default: a tenth of it)\n"
    "  --pin P[,P]        threads on these processors in turn; `all` is all there are\n"
    "  --dir DIR          where the files of workload `file` and lock `ofd` are made\n"
    "                     (default: $TMPDIR or /tmp)\n"
    "  --json FILE        write the result there as JSON; \"-\" is standard output\n"
    "  --plot DIR         draw pictures there, SVG, made if it is missing\n"
    "  --from FILE        measure nothing: draw what --json has written there\n"
    "  --list             name workloads and locks\n"
    "  --help             this text\n"
    "\n"
    "ns/op is the time of one thread: threads / (ops/s).  speed is the median of the\n"
    "ratios of ops/s to the first lock's, taken round by round, so that it holds when\n"
    "the machine's speed drifts; it is not the quotient of the medians.  After each\n"
    "measurement the threads go on for a quarter of it and watch themselves: how long\n"
    "each acquisition takes (p50, p99.9) and how often they are woken (wake/op).  fair is\n"
    "Jain's index of the threads' ops: 1 where all have done the same, 1/threads where\n"
    "one alone has.  / raw is the hand-off to that by a bare futex, passed the most reads\n"
    "that went before a waiting writer.  torn counts reads that saw half of one write and\n"
    "half of another.\n"
    "\n"
    "Exit status: 0 done; 1 a lock let a record be torn or lost a count, or the run\n"
    "failed; 2 a bad option.\n";

enum { MOST = MOST_LOCKS, MOST_THREADS = 1024 };

struct options {
	const struct workload *workloads[MOST];
	const struct bench_lock *locks[MOST];
	unsigned threads[MOST];
	unsigned n_workloads, n_locks, n_threads;
	int64_t ns, warm_up_ns; /* warm_up_ns < 0: as ns says */
	unsigned processors[CPU_SETSIZE], n_processors;
	unsigned repeat;
	struct json_sink json;
	const char *plot, *from, *param;
};

/* ---- Options ---- */

static void print_list(void)
{
	puts("workloads:");
	for (unsigned i = 0; workloads[i]; i++)
		printf("  %-16s %s\n", workloads[i]->name, workloads[i]->what);
	puts("locks:");
	for (unsigned i = 0; bench_locks[i]; i++)
		if (bench_locks[i]->available())
			printf("  %-16s %s\n", bench_locks[i]->name, bench_locks[i]->what);
}

static void choose_workloads(struct options *opt, const char *text)
{
	char **words = parse_words("--workload", text);

	opt->n_workloads = 0;
	for (unsigned w = 0; words[w]; w++) {
		unsigned i = 0;

		while (workloads[i] && strcmp(workloads[i]->name, words[w]) != 0)
			i++;
		if (!workloads[i])
			bad_option("--workload", "'%s' is not a workload (see --list)", words[w]);
		if (opt->n_workloads == MOST)
			bad_option("--workload", "more than %d", MOST);
		opt->workloads[opt->n_workloads++] = workloads[i];
	}
	free(words);
}

static void choose_locks(struct options *opt, const char *text)
{
	char **words = parse_words("--lock", text);

	opt->n_locks = 0;
	for (unsigned w = 0; words[w]; w++) {
		unsigned i = 0;

		while (bench_locks[i] && strcmp(bench_locks[i]->name, words[w]) != 0)
			i++;
		if (!bench_locks[i] || !bench_locks[i]->available())
			bad_option("--lock", "'%s' is not a lock of this build (see --list)",
				   words[w]);
		if (opt->n_locks == MOST)
			bad_option("--lock", "more than %d", MOST);
		opt->locks[opt->n_locks++] = bench_locks[i];
	}
	free(words);
}

static void choose_threads(struct options *opt, const char *text)
{
	char **words = parse_words("--threads", text);

	opt->n_threads = 0;
	for (unsigned w = 0; words[w]; w++) {
		if (opt->n_threads == MOST)
			bad_option("--threads", "more than %d counts", MOST);
		opt->threads[opt->n_threads++] =
		    (unsigned)parse_number("--threads", words[w], 1, MOST_THREADS);
	}
	free(words);
}

static void choose_processors(struct options *opt, const char *text)
{
	char **words = parse_words("--pin", text);
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	opt->n_processors = 0;
	if (strcmp(text, "all") == 0) {
		for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &allowed))
				opt->processors[opt->n_processors++] = cpu;
	} else {
		for (unsigned w = 0; words[w]; w++) {
			unsigned cpu =
			    (unsigned)parse_number("--pin", words[w], 0, CPU_SETSIZE - 1);
			if (!CPU_ISSET(cpu, &allowed))
				bad_option("--pin", "there is no processor %u for us", cpu);
			if (opt->n_processors == CPU_SETSIZE)
				bad_option("--pin", "more than %d", CPU_SETSIZE);
			opt->processors[opt->n_processors++] = cpu;
		}
	}
	free(words);
}

static void choose_defaults(struct options *opt)
{
	if (getenv("TMPDIR"))
		record_file_dir = getenv("TMPDIR");
	*opt = (struct options){ .ns = NS_PER_S / 5,
				 .warm_up_ns = -1,
				 .repeat = 5,
				 .threads = { 1, 2 },
				 .n_threads = 2 };
	for (unsigned i = 0; workloads[i]; i++)
		opt->workloads[opt->n_workloads++] = workloads[i];
	for (unsigned i = 0; bench_locks[i]; i++)
		if (bench_locks[i]->available() && bench_locks[i]->guards)
			opt->locks[opt->n_locks++] = bench_locks[i];
}

static void parse(int argc, char **argv, struct options *opt)
{
	static const struct option long_options[] = {
		{ "workload", required_argument, NULL, 'w' },
		{ "param", required_argument, NULL, 'a' },
		{ "lock", required_argument, NULL, 'l' },
		{ "threads", required_argument, NULL, 't' },
		{ "seconds", required_argument, NULL, 's' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "warmup", required_argument, NULL, 'u' },
		{ "pin", required_argument, NULL, 'p' },
		{ "dir", required_argument, NULL, 'd' },
		{ "json", required_argument, NULL, 'j' },
		{ "plot", required_argument, NULL, 'P' },
		{ "from", required_argument, NULL, 'f' },
		{ "list", no_argument, NULL, 'L' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *json = NULL;
	int c;

	choose_defaults(opt);
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'w':
			choose_workloads(opt, optarg);
			break;
		case 'a':
			opt->param = optarg;
			break;
		case 'l':
			choose_locks(opt, optarg);
			break;
		case 't':
			choose_threads(opt, optarg);
			break;
		case 's':
			opt->ns = parse_seconds("--seconds", optarg, 1e5);
			break;
		case 'r':
			opt->repeat = (unsigned)parse_number("--repeat", optarg, 1, 1000);
			break;
		case 'u':
			opt->warm_up_ns = parse_seconds("--warmup", optarg, 1e5);
			break;
		case 'p':
			choose_processors(opt, optarg);
			break;
		case 'd':
			record_file_dir = optarg;
			break;
		case 'j':
			json = optarg;
			break;
		case 'P':
			opt->plot = optarg;
			break;
		case 'f':
			opt->from = optarg;
			break;
		case 'L':
			print_list();
			exit(EXIT_SUCCESS);
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default: /* getopt has named it */
			exit(EXIT_USAGE);
		}
	}
	no_more_words(argc, argv, optind);
	if (opt->plot)
		plot_check(opt->plot);
	if (opt->from)
		return;
	struct record_file probe = record_file_make(1); /* now, not after an hour */
	record_file_close(&probe);
	opt->json = json_open(json);
}

/* ---- Running ---- */

/* Is it the name of a setting, and not a part of some? */
static bool is_whole_name(const struct workload *w, const char *param)
{
	for (unsigned v = 0; v < w->n_variants; v++)
		if (strcmp(w->variants[v].param, param) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct options *opt, const struct workload *w, const struct variant *v)
{
	if (!opt->param)
		return true;
	if (is_whole_name(w, opt->param))
		return strcmp(v->param, opt->param) == 0;
	return strstr(v->param, opt->param);
}

/* With how many thread counts. */
static unsigned counts_of(const struct options *opt, const struct workload *w)
{
	bool own = w->one_thread || w->own_threads || w->variants[0].per_processor;

	return own ? 1 : opt->n_threads;
}

static unsigned cells_of(const struct options *opt, const struct workload *w)
{
	unsigned variants = 0;

	for (unsigned v = 0; v < w->n_variants; v++)
		variants += is_wanted(opt, w, &w->variants[v]);
	return variants * counts_of(opt, w);
}

/* In the t-th cell of a variant. */
static unsigned threads_of(const struct options *opt, const struct workload *w,
			   const struct variant *v, unsigned t)
{
	if (v->per_processor)
		return v->per_processor * processors();
	if (w->own_threads)
		return v->n + 1;
	return w->one_thread ? 1 : opt->threads[t];
}

static void choose_for_cell(const struct options *opt, struct cell *cell)
{
	for (unsigned i = 0; i < opt->n_locks; i++)
		if (workload_fits(cell->workload, cell->variant, opt->locks[i]))
			cell->locks[cell->n++] = opt->locks[i];
}

static bool run_cell(FILE *text, const struct options *opt, struct cell *cell,
		     struct record_file *file, json_t *results)
{
	struct measurement m = {
		.workload = cell->workload,
		.variant = cell->variant,
		.threads = cell->threads,
		.ns = opt->ns,
		.warm_up_ns = opt->warm_up_ns < 0 ? opt->ns / 10 : opt->warm_up_ns,
		.file = file,
		.processors = opt->n_processors ? opt->processors : NULL,
		.n_processors = opt->n_processors,
	};

	for (unsigned i = 0; i < cell->n; i++)
		cell->series[i] = series_make(opt->repeat, cell->threads);
	/* Round by round, each starting with another lock. */
	for (unsigned r = 0; r < opt->repeat; r++)
		for (unsigned i = 0; i < cell->n; i++) {
			unsigned turn = (i + r) % cell->n;

			m.lock = cell->locks[turn];
			measure(&m, cell->series[turn]);
		}

	progress_end();
	print_cell(text, cell);
	bool sound = judge_cell(text, cell);
	fflush(text);
	for (unsigned i = 0; i < cell->n; i++)
		must_succeed(json_array_append_new(results, cell_json(cell, i)) ? ENOMEM : 0,
			     "JSON of a result");
	for (unsigned i = 0; i < cell->n; i++)
		series_free(cell->series[i]);
	return sound;
}

static bool run_workload(FILE *text, const struct options *opt, const struct workload *w,
			 json_t *results, unsigned *done, unsigned total)
{
	unsigned n_threads = counts_of(opt, w);
	struct record_file file = { -1, 0 };
	bool sound = true;

	if (w->on_file)
		file = record_file_make(SLOTS);
	for (unsigned v = 0; v < w->n_variants; v++)
		for (unsigned t = 0; is_wanted(opt, w, &w->variants[v]) && t < n_threads; t++) {
			struct cell cell = { .workload = w, .variant = &w->variants[v] };
			double left =
			    (total - *done) * (double)opt->ns * 1.4e-9 * opt->repeat * opt->n_locks;

			cell.threads = threads_of(opt, w, cell.variant, t);
			choose_for_cell(opt, &cell);
			progress("%u of %u: %s %s, %u threads; %.0f s to go", ++*done, total,
				 w->name, cell.variant->param, cell.threads, left);
			if (cell.n)
				sound &= run_cell(text, opt, &cell, &file, results);
			else
				fprintf(text, "\n%s, %s: none of these locks can do that\n",
					w->name, cell.variant->param);
		}
	if (w->on_file)
		record_file_close(&file);
	return sound;
}

/* Draw what an earlier run has found. */
static void plot_from(const struct options *opt)
{
	json_error_t error;
	json_t *all = json_load_file(opt->from, 0, &error);
	json_t *results = json_object_get(all, "results");

	if (!opt->plot)
		bad_option("--from", "needs --plot");
	if (!json_is_array(results))
		bad_option("--from", "'%s': %s", opt->from,
			   all ? "no results of rangelock-bench" : error.text);
	plot_results(opt->plot, results);
	json_decref(all);
}

int main(int argc, char **argv)
{
	static struct options opt;
	bool sound = true;
	unsigned total = 0, done = 0;

	parse(argc, argv, &opt);
	if (opt.from) {
		plot_from(&opt);
		return EXIT_SUCCESS;
	}
	json_t *results = json_array();
	FILE *text = opt.json.file == stdout ? stderr : stdout;

	for (unsigned i = 0; i < opt.n_workloads; i++)
		total += cells_of(&opt, opt.workloads[i]);
	if (!total)
		bad_option("--param", "no setting of these workloads has '%s' in its name",
			   opt.param);
	fprintf(text,
		"Medians of %u rounds of %.3g s, locks interleaved; speed: ratio to %s, round by "
		"round.\n",
		opt.repeat, (double)opt.ns / NS_PER_S, opt.locks[0]->name);
	for (unsigned i = 0; i < opt.n_workloads; i++)
		sound &= run_workload(text, &opt, opt.workloads[i], results, &done, total);

	if (opt.plot)
		plot_results(opt.plot, results);
	json_close(&opt.json,
		   json_pack("{s:o, s:o}", "machine", machine_json(), "results", results));
	finish_text(text);
	return sound ? EXIT_SUCCESS : EXIT_FAILURE;
}
