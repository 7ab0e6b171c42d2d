/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rangelock-mm: protocols for one address space, compared on workloads, and checked.
 *
 * With --check a run is cut into short rounds, each with an address space of its own, which is
 * judged when all threads have ended.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/args.h"
#include "common/clock.h"
#include "mm/tool.h"

static const char usage[] =
    "Usage: rangelock-mm [OPTION]...\n"
    "Work on a model of an address space - mappings, page tables, memory, swap, files,\n"
    "faults - by one locking protocol or another.\n"
    "\n"
    "  --protocol P[,P]   how accesses and changes exclude each other; see --list\n"
    "                     (default: all there are)\n"
    "  --workload W[,W]   what to do; see --list (default: ebizzy, with --check churn)\n"
    "  --engine E         tree, list or sharded: of the protocols that lock ranges\n"
    "                     (default: tree)\n"
    "  --unmap MODE       exclusive, vm-dead or detach (default: exclusive)\n"
    "  --size MB          of workload munmap: 1, 4, 16, 64, 256 or 1024, rather than all of\n"
    "                     them in turn\n"
    "  --copy MODE        pin-mm, pin-pages, range or atomic-copy: how write(2) keeps its\n"
    "                     source in place (default: pin-mm)\n"
    "  --backend B        model; uffd and segv are not in this version (default: model)\n"
    "  --threads N        1 to 256 (default: 4)\n"
    "  --seconds S        for each run (default: 1)\n"
    "  --check            note every access, and judge it; slow\n"
    "  --mutant M         break one thing, to see that it is found out: implies --check,\n"
    "                     and chooses protocol and workload; see --list\n"
    "  --seed N           of the random choices (default: a fresh one; it is printed)\n"
    "  --json FILE        write the results there as JSON; \"-\" is standard output\n"
    "  --list             name protocols, workloads and mutants\n"
    "  --help             this text\n"
    "\n"
    "fault_ns is how long faults took; of workloads munmap and false-conflicts, how long\n"
    "stores took of the threads that only touch memory of their own, one every 0.1 ms,\n"
    "from when it was due: who is kept from several is late for each.  Workload munmap\n"
    "adds those that were due while it populated, and while it unmapped.\n"
    "\n"
    "Exit status: 0 done, and nothing to object; 1 the oracle objects, and says to what,\n"
    "or a call failed; 2 a bad option.\n";

static const char *const later_protocols[] = { "spf-vma",   "spf-mm",	"rcu-vma",
					       "map-pages", "vma-lock", "mprotect-spec",
					       "page-lock", NULL };
static const char *const later_workloads[] = {
	"mprotect-disjoint", "giant-vma", "pin-reclaim", "wasm-slots", "metis", "pager", NULL
};
static const char *const later_mutants[] = { "early-zap", "blind-zap", "missing-acquire", NULL };

enum { MOST = 32 };

struct options {
	const char *protocols[MOST];
	const struct workload *workloads[MOST];
	struct mmshim_config config;
	unsigned threads;
	int64_t duration;
	uint64_t seed;
	uint64_t size;
	bool check, chose_protocol, chose_workload;
	struct json_sink json;
};

struct percentiles {
	uint64_t n, p50, p99, p999, max;
};

struct result {
	uint64_t ops, violations, checked, rounds;
	int64_t ns;
	struct mmshim_stats stats; /* of the last round, counters of all */
	struct percentiles all, populating, unmapping;
	uint64_t munmap_ns[SIZES], munmaps[SIZES];
	char report[512];
};

/* ---- One round ---- */

static void *work(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&w->run->start);
	w->run->workload->step(w);
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static bool is_within(const struct spans *spans, int64_t t)
{
	unsigned lo = 0, hi = spans->n; /* they are in the order of time */

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (spans->s[mid].end <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < spans->n && spans->s[lo].start <= t;
}

/* Of the samples that were due within these spans; NULL: of all. */
static struct percentiles percentiles(const struct run *run, const struct spans *spans)
{
	struct percentiles p = { 0 };
	uint64_t n = 0;

	for (unsigned i = 0; i < run->n_workers; i++)
		n += run->workers[i].n_samples;
	int64_t *late = malloc((n + 1) * sizeof(*late));
	if (!late)
		bad_option("--threads", "out of memory");
	for (unsigned i = 0; i < run->n_workers; i++)
		for (uint32_t k = 0; k < run->workers[i].n_samples; k++) {
			const struct sample *s = &run->workers[i].samples[k];

			if (!spans || is_within(spans, s->due))
				late[p.n++] = s->late;
		}
	qsort(late, p.n, sizeof(*late), ascending);
	if (p.n) {
		p.p50 = (uint64_t)late[p.n / 2];
		p.p99 = (uint64_t)late[p.n * 99 / 100];
		p.p999 = (uint64_t)late[p.n * 999 / 1000];
		p.max = (uint64_t)late[p.n - 1];
	}
	free(late);
	return p;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void add_stats(struct mmshim *mm, struct result *result)
{
	struct mmshim_stats now;
	/* All counters come first, and the rest is as it is now. */
	const size_t n = offsetof(struct mmshim_stats, mappings) / sizeof(uint64_t);
	uint64_t *sum = (uint64_t *)&result->stats, *more = (uint64_t *)&now;

	if (mmshim_stats(mm, &now))
		return;
	for (size_t i = 0; i < n; i++)
		more[i] += sum[i];
	now.short_holds += result->stats.short_holds;
	now.short_ns += result->stats.short_ns;
	now.short_max_ns = most(now.short_max_ns, result->stats.short_max_ns);
	now.unmap_holds += result->stats.unmap_holds;
	now.unmap_ns += result->stats.unmap_ns;
	now.unmap_max_ns = most(now.unmap_max_ns, result->stats.unmap_max_ns);
	result->stats = now;
	result->all = (struct percentiles){ .p50 = now.fault_p50_ns,
					    .p99 = now.fault_p99_ns,
					    .p999 = now.fault_p999_ns,
					    .max = now.fault_max_ns };
}

static void judge(struct mmshim *mm, struct result *result)
{
	struct mmshim_verdict verdict = { 0 };

	if (mmshim_check(mm, &verdict))
		bad_option("--check", "out of memory");
	if (verdict.violations && !result->violations)
		memcpy(result->report, verdict.report, sizeof(result->report));
	result->violations += verdict.violations;
	result->checked += verdict.checked;
}

/* Threads that hang cannot be joined. */
static void watch(int signal)
{
	static const char text[] =
	    "rangelock-mm: VIOLATION: threads have made no progress for 30 seconds\n";

	(void)signal;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) > 0)
		_exit(EXIT_FAILURE);
	_exit(EXIT_FAILURE);
}

static void start_workers(struct run *run, const struct options *opt, uint64_t seed)
{
	pthread_barrier_init(&run->start, NULL, run->n_workers + 1);
	for (unsigned i = 0; i < run->n_workers; i++) {
		struct worker *w = &run->workers[i];

		w->run = run;
		w->index = i;
		w->rng = rng_make(seed, i);
		if (run->workload->own_latency &&
		    !(w->samples = malloc(SAMPLES * sizeof(*w->samples))))
			bad_option("--threads", "out of memory");
	}
	if (run->workload->prepare)
		run->workload->prepare(run);
	for (unsigned i = 0; i < run->n_workers; i++)
		if (pthread_create(&run->workers[i].thread, NULL, work, &run->workers[i]))
			bad_option("--threads", "cannot start %u threads", opt->threads);
}

static void end_workers(struct run *run, struct result *result)
{
	for (unsigned i = 0; i < run->n_workers; i++) {
		pthread_join(run->workers[i].thread, NULL);
		result->ops += run->workers[i].ops;
	}
	pthread_barrier_destroy(&run->start);
}

static void sleep_until(const struct run *run, int64_t end)
{
	while (clock_ns() < end && !atomic_load(&run->stop)) {
		int64_t left = end - clock_ns();

		sleep_ns(left < NS_PER_S / 20 ? left : NS_PER_S / 20);
	}
}

static void play(const struct workload *workload, const struct mmshim_config *config,
		 const struct options *opt, int64_t ns, uint64_t seed, struct result *result)
{
	struct run *run = calloc(1, sizeof(*run));
	int error;

	if (!run || (error = mmshim_create(&run->mm, config)))
		bad_option("--engine", "%s cannot be made here: %s", config->protocol,
			   run ? strerror(error) : "out of memory");
	run->workload = workload;
	run->size = opt->size;
	run->n_workers = opt->threads > workload->threads ? opt->threads : workload->threads;
	start_workers(run, opt, seed);
	pthread_barrier_wait(&run->start);
	alarm(30 + (unsigned)(ns / NS_PER_S));
	int64_t begin = clock_ns();
	sleep_until(run, begin + ns);
	atomic_store(&run->stop, true);
	end_workers(run, result);
	result->ns += clock_ns() - begin;
	alarm(0);

	if (atomic_load(&run->failed)) {
		result->violations++;
		snprintf(result->report, sizeof(result->report), "%s failed: %s",
			 atomic_load(&run->failed_in), strerror(atomic_load(&run->failed)));
	}
	add_stats(run->mm, result);
	if (workload->own_latency) {
		result->all = percentiles(run, NULL);
		result->populating = percentiles(run, &run->populates);
		result->unmapping = percentiles(run, &run->unmaps);
	}
	for (int i = 0; i < SIZES; i++) {
		result->munmap_ns[i] += run->munmap_ns[i];
		result->munmaps[i] += run->munmaps[i];
	}
	struct mmshim *child = atomic_load(&run->child);
	if (opt->check && child)
		judge(child, result);
	if (opt->check)
		judge(run->mm, result);
	if (child)
		mmshim_destroy(child);
	if (mmshim_destroy(run->mm) == EPROTO && !result->violations) {
		result->violations++;
		strcpy(result->report, "the books did not balance when all was unmapped");
	}
	for (unsigned i = 0; i < run->n_workers; i++)
		free(run->workers[i].samples);
	free(run);
}

/* ---- One run ---- */

static struct result measure(const struct options *opt, const char *protocol,
			     const struct workload *workload)
{
	struct stirring stirring = { opt->seed, workload == &churn };
	struct mmshim_config config = opt->config;
	struct result result = { 0 };
	int64_t round = opt->check ? NS_PER_S / 5 : opt->duration, left = opt->duration;

	config.protocol = protocol;
	config.flags = opt->check ? MMSHIM_CHECK : MMSHIM_TIMES;
	if (opt->check) {
		config.inject = stir;
		config.inject_arg = &stirring;
	}
	if (workload->configure)
		workload->configure(&config);
	for (; left > 0 && !result.violations; left -= round, result.rounds++) {
		/* Every other round memory is short. */
		if (opt->check && workload == &churn) {
			bool is_short = result.rounds % 2 ||
					(opt->config.mutant && opt->config.swap);

			config.frames = is_short ? 192 : 8192;
			config.swap = is_short ? 4096 : 0;
			config.io_ns = result.rounds % 3 ? 0 : 20000;
		}
		progress("%s, %s: %.1f s left", protocol, workload->name, (double)left / NS_PER_S);
		play(workload, &config, opt, left < round ? left : round, opt->seed + result.rounds,
		     &result);
	}
	progress_end();
	return result;
}

static json_t *counters_of(const struct mmshim_stats *s)
{
	const struct {
		const char *name;
		uint64_t n;
	} counters[] = {
		{ "success", s->success },
		{ "abort", s->abort },
		{ "retry", s->retry },
		{ "miss", s->miss },
		{ "faults", s->faults },
		{ "faults_major", s->faults_major },
		{ "segv", s->segv },
		{ "coarse", s->coarse },
		{ "fine", s->fine },
		{ "committed", s->committed },
		{ "revoked", s->revoked },
		{ "given_up", s->given_up },
		{ "slipped_in", s->slipped_in },
		{ "no_downgrade", s->no_downgrade },
		{ "merges", s->merges },
		{ "grown", s->grown },
		{ "copied", s->copied },
		{ "shootdowns", s->shootdowns },
		{ "reclaimed", s->reclaimed },
		{ "swapped_out", s->swapped_out },
		{ "swapped_in", s->swapped_in },
		{ "busy_range", s->busy_range },
		{ "short_holds", s->short_holds },
		{ "short_ns", s->short_ns },
		{ "short_max_ns", s->short_max_ns },
		{ "unmap_holds", s->unmap_holds },
		{ "unmap_ns", s->unmap_ns },
		{ "unmap_max_ns", s->unmap_max_ns },
	};
	json_t *all = json_object();

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		json_object_set_new(all, counters[i].name, json_integer((json_int_t)counters[i].n));
	return all;
}

static json_t *munmaps_of(const struct result *r)
{
	json_t *all = json_array();

	for (int i = 0; i < SIZES; i++)
		if (r->munmaps[i])
			json_array_append_new(
			    all, json_pack("{s:I, s:I}", "bytes", (json_int_t)(MB(1) << 2 * i),
					   "ns", (json_int_t)(r->munmap_ns[i] / r->munmaps[i])));
	return all;
}

static json_t *percentiles_of(const struct percentiles *p)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "p50", (json_int_t)p->p50, "p99",
			 (json_int_t)p->p99, "p999", (json_int_t)p->p999, "max",
			 (json_int_t)p->max);
}

static json_t *as_json(const struct options *opt, const char *protocol,
		       const struct workload *workload, const struct result *r)
{
	json_t *row =
	    json_pack("{s:s, s:s, s:i, s:I, s:I, s:f, s:o, s:o, s:I}", "protocol", protocol,
		      "workload", workload->name, "threads",
		      (int)(opt->threads > workload->threads ? opt->threads : workload->threads),
		      "violations", (json_int_t)r->violations, "checked", (json_int_t)r->checked,
		      "ops_per_s", (double)r->ops * NS_PER_S / (double)(r->ns ? r->ns : 1),
		      "fault_ns", percentiles_of(&r->all), "counters", counters_of(&r->stats),
		      "seed", (json_int_t)opt->seed);

	if (strcmp(workload->name, "munmap") == 0) {
		json_object_set_new(row, "munmap", munmaps_of(r));
		json_object_set_new(row, "populating_ns", percentiles_of(&r->populating));
		json_object_set_new(row, "unmapping_ns", percentiles_of(&r->unmapping));
	}
	if (r->violations)
		json_object_set_new(row, "report", json_string(r->report));
	return row;
}

static void print_latencies(FILE *text, const struct percentiles *p)
{
	fprintf(text, "p50 %7.1f  p99 %8.1f  p99.9 %8.1f  max %9.1f us", (double)p->p50 / 1e3,
		(double)p->p99 / 1e3, (double)p->p999 / 1e3, (double)p->max / 1e3);
}

static void print_row(FILE *text, const char *protocol, const struct workload *workload,
		      const struct result *r)
{
	fprintf(text, "%-14s %-15s %12.0f op/s  faults ", protocol, workload->name,
		(double)r->ops * NS_PER_S / (double)(r->ns ? r->ns : 1));
	print_latencies(text, &r->all);
	if (r->checked)
		fprintf(text, "  %" PRIu64 " accesses judged", r->checked);
	fputc('\n', text);
	for (int i = 0; i < SIZES; i++)
		if (r->munmaps[i])
			fprintf(text, "  munmap of %5" PRIu64 " MB: %9.1f us\n",
				(uint64_t)1 << 2 * i,
				(double)r->munmap_ns[i] / (double)r->munmaps[i] / 1e3);
	if (r->unmapping.n) {
		fputs("  while it populates: ", text);
		print_latencies(text, &r->populating);
		fputs("\n  while it unmaps:    ", text);
		print_latencies(text, &r->unmapping);
		fputc('\n', text);
	}
	fflush(text);
}

/* ---- Options ---- */

static void print_names(const char *what, const char *const *names)
{
	printf("%s:\n", what);
	for (; *names; names++)
		printf("  %s\n", *names);
}

static void print_list(void)
{
	print_names("protocols", mmshim_protocols());
	puts("workloads:");
	for (unsigned i = 0; workloads[i]; i++)
		printf("  %-16s %s\n", workloads[i]->name, workloads[i]->what);
	print_names("mutants", mmshim_mutants());
}

static const char *find_name(const char *option, const char *word, const char *const *names,
			     const char *const *later)
{
	for (; *names; names++)
		if (strcmp(*names, word) == 0)
			return *names;
	for (; later && *later; later++)
		if (strcmp(*later, word) == 0)
			bad_option(option, "'%s' is not in this version", word);
	bad_option(option, "'%s' is none of those that --list names", word);
}

static unsigned find_number(const char *option, const char *word, const char *const *names)
{
	const char *all = "";

	for (unsigned i = 0; names[i]; i++) {
		if (strcmp(names[i], word) == 0)
			return i;
		all = names[i];
	}
	bad_option(option, "'%s' is not a word for it (%s ... %s; see --help)", word, names[0],
		   all);
}

static void choose_protocols(struct options *opt, const char *text)
{
	char **words = parse_words("--protocol", text);
	unsigned n = 0;

	for (; words[n]; n++) {
		if (n == MOST - 1)
			bad_option("--protocol", "more than %d", MOST - 1);
		opt->protocols[n] =
		    find_name("--protocol", words[n], mmshim_protocols(), later_protocols);
	}
	opt->protocols[n] = NULL;
	opt->chose_protocol = true;
	free(words);
}

static void choose_workloads(struct options *opt, const char *text)
{
	char **words = parse_words("--workload", text);
	unsigned n = 0;

	for (; words[n]; n++) {
		unsigned i = 0;

		if (n == MOST - 1)
			bad_option("--workload", "more than %d", MOST - 1);
		while (workloads[i] && strcmp(workloads[i]->name, words[n]) != 0)
			i++;
		if (!workloads[i]) {
			const char *const none[] = { NULL };
			find_name("--workload", words[n], none, later_workloads);
		}
		opt->workloads[n] = workloads[i];
	}
	opt->workloads[n] = NULL;
	opt->chose_workload = true;
	free(words);
}

static void choose_backend(const char *word)
{
	static const char *const backends[] = { "model", NULL };
	static const char *const later[] = { "uffd", "segv", NULL };

	find_name("--backend", word, backends, later);
}

static uint64_t choose_size(const char *word)
{
	uint64_t n = parse_number("--size", word, 1, 1024);

	for (int i = 0; i < SIZES; i++)
		if (n == (uint64_t)1 << 2 * i)
			return MB(n);
	bad_option("--size", "%s is none of 1, 4, 16, 64, 256 and 1024", word);
}

/* Where the broken thing matters. */
static void choose_for_mutant(struct options *opt, const char *name)
{
	static const struct {
		const char *mutant, *protocol;
		enum mmshim_unmap unmap;
		uint32_t swap;
	} where[] = {
		{ "no-vm-dead", "mmap-sem", MMSHIM_UNMAP_VM_DEAD, 0 },
		{ "no-recheck", "fine", 0, 0 },
		{ "no-reservation-check", "fine", 0, 0 },
		{ "use-after-merge", "fine", 0, 0 },
		{ "downgrade-beside-stack", "mmap-sem", MMSHIM_UNMAP_DETACH, 0 },
		{ "blocking-reclaim", "fine", 0, 4096 },
		{ "free-shared-table", "mmap-sem", 0, 0 },
		{ "no-shootdown", "mmap-sem", 0, 0 },
		{ "lost-frame", "mmap-sem", 0, 0 },
	};

	opt->config.mutant = find_name("--mutant", name, mmshim_mutants(), later_mutants);
	opt->check = true;
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		if (strcmp(where[i].mutant, name) != 0)
			continue;
		opt->protocols[0] = where[i].protocol;
		opt->protocols[1] = NULL;
		opt->config.unmap = where[i].unmap;
		opt->config.swap = where[i].swap;
	}
	opt->workloads[0] = &churn;
	opt->workloads[1] = NULL;
}

static struct options defaults(void)
{
	struct options opt = { .threads = 4, .duration = NS_PER_S };
	unsigned n = 0;

	for (; mmshim_protocols()[n]; n++)
		opt.protocols[n] = mmshim_protocols()[n];
	opt.workloads[0] = workloads[0];
	if (getrandom(&opt.seed, sizeof(opt.seed), 0) != sizeof(opt.seed))
		opt.seed = (uint64_t)clock_ns();
	opt.seed >>= 11; /* JSON readers keep integers up to 2^53 exact */
	return opt;
}

/* What the engine cannot do is refused before anything is done. */
static void try_out(struct options *opt)
{
	for (unsigned i = 0; opt->protocols[i]; i++) {
		struct mmshim_config config = opt->config;
		struct mmshim *mm;

		config.protocol = opt->protocols[i];
		config.frames = 1;
		int error = mmshim_create(&mm, &config);
		if (!error) {
			mmshim_destroy(mm);
			continue;
		}
		if (opt->chose_protocol || error != ENOTSUP)
			bad_option("--engine", "protocol %s cannot be had with it: %s",
				   opt->protocols[i], strerror(error));
		for (unsigned k = i; opt->protocols[k]; k++) /* not among all that there are */
			opt->protocols[k] = opt->protocols[k + 1];
		i--;
	}
	if (!opt->protocols[0])
		bad_option("--engine", "no protocol can be had with it");
}

static struct options parse(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "protocol", required_argument, NULL, 'p' },
		{ "workload", required_argument, NULL, 'w' },
		{ "engine", required_argument, NULL, 'e' },
		{ "unmap", required_argument, NULL, 'u' },
		{ "size", required_argument, NULL, 'z' },
		{ "copy", required_argument, NULL, 'c' },
		{ "backend", required_argument, NULL, 'b' },
		{ "threads", required_argument, NULL, 't' },
		{ "seconds", required_argument, NULL, 's' },
		{ "check", no_argument, NULL, 'k' },
		{ "mutant", required_argument, NULL, 'm' },
		{ "seed", required_argument, NULL, 'r' },
		{ "json", required_argument, NULL, 'j' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static const char *const engines[] = { "tree", "list", "sharded", NULL };
	static const char *const unmaps[] = { "exclusive", "vm-dead", "detach", NULL };
	static const char *const copies[] = { "pin-mm", "pin-pages", "range", "atomic-copy", NULL };
	struct options opt = defaults();
	const char *json = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'p':
			choose_protocols(&opt, optarg);
			break;
		case 'w':
			choose_workloads(&opt, optarg);
			break;
		case 'e':
			opt.config.engine =
			    (enum rangelock_engine)find_number("--engine", optarg, engines);
			break;
		case 'u':
			opt.config.unmap =
			    (enum mmshim_unmap)find_number("--unmap", optarg, unmaps);
			break;
		case 'c':
			opt.config.copy = (enum mmshim_copy)find_number("--copy", optarg, copies);
			break;
		case 'z':
			opt.size = choose_size(optarg);
			break;
		case 'b':
			choose_backend(optarg);
			break;
		case 't':
			opt.threads = (unsigned)parse_number("--threads", optarg, 1, MAX_THREADS);
			break;
		case 's':
			opt.duration = parse_seconds("--seconds", optarg, 1e6);
			break;
		case 'k':
			opt.check = true;
			break;
		case 'm':
			choose_for_mutant(&opt, optarg);
			break;
		case 'r':
			opt.seed = parse_number("--seed", optarg, 0, INT64_MAX);
			break;
		case 'j':
			json = optarg;
			break;
		case 'l':
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
	if (opt.check && !opt.chose_workload && !opt.config.mutant)
		opt.workloads[0] = &churn;
	try_out(&opt);
	opt.json = json_open(json);
	return opt;
}

int main(int argc, char **argv)
{
	struct options opt = parse(argc, argv);
	FILE *text = opt.json.file == stdout ? stderr : stdout;
	json_t *rows = json_array();
	uint64_t violations = 0;

	signal(SIGALRM, watch);
	fprintf(text, "%u threads, %.3g s each, seed %" PRIu64 "\n", opt.threads,
		(double)opt.duration / NS_PER_S, opt.seed);
	for (unsigned w = 0; opt.workloads[w]; w++)
		for (unsigned p = 0; opt.protocols[p]; p++) {
			struct result result = measure(&opt, opt.protocols[p], opt.workloads[w]);

			print_row(text, opt.protocols[p], opt.workloads[w], &result);
			json_array_append_new(
			    rows, as_json(&opt, opt.protocols[p], opt.workloads[w], &result));
			violations += result.violations;
			if (result.violations)
				fprintf(stderr,
					"rangelock-mm: VIOLATION (%s, %s, seed %" PRIu64 "): %s\n",
					opt.protocols[p], opt.workloads[w]->name, opt.seed,
					result.report);
		}
	json_close(&opt.json, json_pack("{s:o}", "results", rows));
	finish_text(text);
	return violations ? EXIT_FAILURE : EXIT_SUCCESS;
}
