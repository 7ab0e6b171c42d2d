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
#include <sys/utsname.h>
#include <unistd.h>

#include <rangelock/rangelock.h>

#include "bench/file.h"
#include "bench/measure.h"
#include "bench/peers/peers.h"
#include "common/args.h"
#include "common/clock.h"

static const char usage[] =
    "Usage: rangelock-bench [OPTION]...\n"
    "Compare range locks with each other and with whole-object locks.\n"
    "\n"
    "  --workload W[,W]   what to do; see --list (default: all)\n"
    "  --lock L[,L]       with which locks; see --list (default: all but none); the\n"
    "                     ratios are against the first\n"
    "  --threads 1,2,..   thread counts (default: 1,2), but where the workload says how many\n"
    "  --seconds S        for one measurement (default: 0.2)\n"
    "  --repeat R         measurements of each cell, 1 to 1000; medians are shown\n"
    "                     (default: 5)\n"
    "  --dir DIR          where the files of workload `file` and lock `ofd` are made\n"
    "                     (default: $TMPDIR or /tmp)\n"
    "  --json FILE        write the result there as JSON; \"-\" is standard output\n"
    "  --list             name workloads and locks\n"
    "  --help             this text\n"
    "\n"
    "ns/op is the time of one thread: threads / (ops/s).  speed is the median of the\n"
    "ratios of ops/s to the first lock's, taken round by round, so that it holds when\n"
    "the machine's speed drifts; it is not the quotient of the medians.  torn counts\n"
    "reads that saw half of one write and half of another.\n"
    "\n"
    "Exit status: 0 done; 1 a lock let a record be torn, or the run failed; 2 a bad\n"
    "option.\n";

enum { MOST = 32, MOST_THREADS = 1024 };

struct options {
	const struct workload *workloads[MOST];
	const struct bench_lock *locks[MOST];
	unsigned threads[MOST];
	unsigned n_workloads, n_locks, n_threads;
	int64_t ns;
	unsigned repeat;
	struct json_sink json;
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

static void choose_defaults(struct options *opt)
{
	if (getenv("TMPDIR"))
		record_file_dir = getenv("TMPDIR");
	*opt = (struct options){
		.ns = NS_PER_S / 5, .repeat = 5, .threads = { 1, 2 }, .n_threads = 2
	};
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
		{ "lock", required_argument, NULL, 'l' },
		{ "threads", required_argument, NULL, 't' },
		{ "seconds", required_argument, NULL, 's' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "dir", required_argument, NULL, 'd' },
		{ "json", required_argument, NULL, 'j' },
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
		case 'd':
			record_file_dir = optarg;
			break;
		case 'j':
			json = optarg;
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
	struct record_file probe = record_file_make(1); /* now, not after an hour */
	record_file_close(&probe);
	opt->json = json_open(json);
}

/* ---- JSON ---- */

static json_t *spread_json(struct spread s)
{
	return json_pack("{s:f, s:f, s:f}", "min", s.min, "median", s.median, "max", s.max);
}

static unsigned processors(void)
{
	return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

static json_t *machine_json(void)
{
	struct utsname uts;
	char cpu[128] = "unknown", line[256];
	FILE *info = fopen("/proc/cpuinfo", "r");

	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "model name : %127[^\n]", cpu) == 1)
			break;
	if (info)
		fclose(info);
	uname(&uts);
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "cpu", cpu, "processors",
			 (int)processors(), "arch", uts.machine, "kernel", uts.release, "compiler",
			 __VERSION__, "rangelock", rangelock_version());
}

struct cell {
	const struct workload *workload;
	const struct variant *variant;
	unsigned threads;
	struct series series[MOST]; /* by lock */
};

static json_t *cell_json(const struct options *opt, const struct cell *cell, unsigned i)
{
	const struct series *s = &cell->series[i];
	json_t *result = json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:i, s:o}", "workload",
				   cell->workload->name, "lock", opt->locks[i]->name, "threads",
				   (int)cell->threads, "param", cell->variant->param, "ops_per_s",
				   spread_json(spread_of(s->ops_per_s, s->n)), "ns_per_op",
				   spread_json(ns_per_op(s, cell->threads)), "repeat", (int)s->n,
				   "speed_vs_first", spread_json(speed_ratio(s, &cell->series[0])));

	if (cell->workload->on_file)
		json_object_set_new(result, "torn", json_integer((json_int_t)s->torn));
	return result;
}

/* ---- Tables ---- */

static void print_cell(FILE *text, const struct options *opt, const struct cell *cell)
{
	bool on_file = cell->workload->on_file;

	fprintf(text, "\n%s%s%s, %u thread%s\n", cell->workload->name,
		*cell->variant->param ? ", " : "", cell->variant->param, cell->threads,
		cell->threads > 1 ? "s" : "");
	fprintf(text, "  %-16s %12s %10s %21s %10s%s\n", "lock", "ops/s", "ns/op", "(min .. max)",
		"speed", on_file ? "        torn" : "");
	for (unsigned i = 0; i < opt->n_locks; i++) {
		const struct series *s = &cell->series[i];
		struct spread ops = spread_of(s->ops_per_s, s->n), ns = ns_per_op(s, cell->threads);

		fprintf(text, "  %-16s %12.0f %10.1f %10.1f ..%8.1f %9.2fx", opt->locks[i]->name,
			ops.median, ns.median, ns.min, ns.max,
			speed_ratio(s, &cell->series[0]).median);
		if (on_file)
			fprintf(text, " %11llu", (unsigned long long)s->torn);
		fputc('\n', text);
	}
}

/* What a cell of `file` has shown.  Returns whether every lock kept its word. */
static bool judge_file(FILE *text, const struct options *opt, const struct cell *cell)
{
	bool sound = true, guarded = false;

	for (unsigned i = 0; i < opt->n_locks; i++) {
		const struct series *s = &cell->series[i];
		const char *name = opt->locks[i]->name, *first = opt->locks[0]->name;

		guarded |= opt->locks[i]->guards;
		if (!opt->locks[i]->guards) {
			fprintf(text, "  Without a lock (%s) torn reads: %llu; %s.\n", name,
				(unsigned long long)s->torn,
				s->torn ? "so the check finds them"
					: "too few threads or too little time for this control");
		} else if (s->torn) {
			fprintf(text, "  FAILED: %s let records be torn: %llu.\n", name,
				(unsigned long long)s->torn);
			sound = false;
		} else if (i > 0) {
			struct spread ratio = speed_ratio(&cell->series[0], s);
			fprintf(text, "  %s was %.2f times as fast as %s (%.2f to %.2f).\n", first,
				ratio.median, name, ratio.min, ratio.max);
		}
	}
	if (sound && guarded)
		fputs("  Under a lock every record was whole.\n", text);
	return sound;
}

/* ---- Running ---- */

static unsigned cells_of(const struct options *opt, const struct workload *w)
{
	bool own = w->one_thread || w->variants[0].per_processor;

	return w->n_variants * (own ? 1 : opt->n_threads);
}

/* In the t-th cell of variant v. */
static unsigned threads_of(const struct options *opt, const struct workload *w, unsigned v,
			   unsigned t)
{
	unsigned factor = w->variants[v].per_processor;

	return factor ? factor * processors() : w->one_thread ? 1 : opt->threads[t];
}

static bool run_cell(FILE *text, const struct options *opt, struct cell *cell,
		     struct record_file *file, json_t *results)
{
	bool sound = true;

	for (unsigned i = 0; i < opt->n_locks; i++) {
		cell->series[i] = (struct series){ malloc(opt->repeat * sizeof(double)), 0, 0 };
		must_succeed(cell->series[i].ops_per_s ? 0 : ENOMEM, "memory for a series");
	}
	/* Round by round, each starting with another lock. */
	for (unsigned r = 0; r < opt->repeat; r++)
		for (unsigned i = 0; i < opt->n_locks; i++) {
			unsigned turn = (i + r) % opt->n_locks;
			measure(opt->locks[turn], cell->workload, cell->variant, cell->threads,
				opt->ns, file, &cell->series[turn]);
		}

	progress_end();
	print_cell(text, opt, cell);
	if (cell->workload->on_file)
		sound = judge_file(text, opt, cell);
	fflush(text);
	for (unsigned i = 0; i < opt->n_locks; i++)
		must_succeed(json_array_append_new(results, cell_json(opt, cell, i)) ? ENOMEM : 0,
			     "JSON of a result");
	for (unsigned i = 0; i < opt->n_locks; i++)
		free(cell->series[i].ops_per_s);
	return sound;
}

static bool run_workload(FILE *text, const struct options *opt, const struct workload *w,
			 json_t *results, unsigned *done, unsigned total)
{
	unsigned n_threads = cells_of(opt, w) / w->n_variants;
	struct record_file file = { -1, 0 };
	bool sound = true;

	if (w->on_file)
		file = record_file_make(FILE_RECORDS);
	for (unsigned v = 0; v < w->n_variants; v++)
		for (unsigned t = 0; t < n_threads; t++) {
			struct cell cell = {
				w, &w->variants[v], threads_of(opt, w, v, t), { { 0 } }
			};
			double left =
			    (total - *done) * (double)opt->ns * 1.1e-9 * opt->repeat * opt->n_locks;

			progress("%u of %u: %s %s, %u threads; %.0f s to go", ++*done, total,
				 w->name, cell.variant->param, cell.threads, left);
			sound &= run_cell(text, opt, &cell, &file, results);
		}
	if (w->on_file)
		record_file_close(&file);
	return sound;
}

int main(int argc, char **argv)
{
	static struct options opt;
	bool sound = true;
	unsigned total = 0, done = 0;

	parse(argc, argv, &opt);
	json_t *results = json_array();
	FILE *text = opt.json.file == stdout ? stderr : stdout;

	for (unsigned i = 0; i < opt.n_workloads; i++)
		total += cells_of(&opt, opt.workloads[i]);
	fprintf(text,
		"Medians of %u rounds of %.3g s, locks interleaved; speed: ratio to %s, round by "
		"round.\n",
		opt.repeat, (double)opt.ns / NS_PER_S, opt.locks[0]->name);
	for (unsigned i = 0; i < opt.n_workloads; i++)
		sound &= run_workload(text, &opt, opt.workloads[i], results, &done, total);

	json_close(&opt.json,
		   json_pack("{s:o, s:o}", "machine", machine_json(), "results", results));
	finish_text(text);
	return sound ? EXIT_SUCCESS : EXIT_FAILURE;
}
