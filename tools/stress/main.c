/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rangelock-stress: every call of the API at random against an exact oracle.
 *
 * A run is cut into short rounds.  Between two rounds all threads rest; the
 * history of the round is judged, and the lock must be empty.  It is then
 * destroyed and made anew.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/args.h"
#include "common/clock.h"
#include "stress/stress.h"

static const char usage[] =
    "Usage: rangelock-stress [OPTION]...\n"
    "Call a range lock at random from many threads, and judge it by an exact oracle:\n"
    "while it runs by what its holders see, and four times a second by the history of\n"
    "all calls: exclusion, FIFO or bounded bypass, no false conflict, exact try, time-\n"
    "out and cancel, no late grant.  A thread that hangs is reported with the lock's\n"
    "contents.  Takes 30 MB, or 100 with 256 threads.\n"
    "\n"
    "  --engine NAME    tree, tree-barging (the same with RANGELOCK_BARGING), list,\n"
    "                   sharded, all (those that this version has), or busted: a lock\n"
    "                   that is wrong on purpose, to show that faults are found\n"
    "                   (default: all)\n"
    "  --checked        locks with RANGELOCK_CHECKED, where the engine has it, called so\n"
    "                   that nothing is to be reported: what is, on standard error, is\n"
    "                   a false alarm\n"
    "  --stats          locks with RANGELOCK_STATS, where the engine has it: what they\n"
    "                   count is compared with what the calls answered\n"
    "  --threads N      worker threads, 1 to 256 (default: 4)\n"
    "  --seconds S      how long, for each engine (default: 10)\n"
    "  --seed N         of the random choices (default: a fresh one; it is printed)\n"
    "  --watchdog S     a thread that makes no step for so long has hung (default: 10)\n"
    "  --json FILE      write the result there as JSON; \"-\" is standard output:\n"
    "                   max_bypass is how many later ones overtook a waiting request,\n"
    "                   at most; judged counts the lock calls that histories judged,\n"
    "                   idle how often a thread made none in one of the rounds\n"
    "  --help           this text\n"
    "\n"
    "Exit status: 0 nothing was violated; 1 a violation, which is reported; 2 a bad\n"
    "option.\n";

struct options {
	const struct subject *engines[8]; /* NULL-terminated */
	const char *engine_name;
	unsigned threads;
	bool checked;
	int64_t duration, watchdog; /* ns */
	uint64_t seed;
	bool stats;
	struct json_sink json;
};

struct outcome {
	uint64_t operations, violations, calls[N_CALLS];
	uint64_t judged, max_bypass, rounds, idle; /* by the histories */
};

static const int64_t ROUND = NS_PER_S / 4;

/* ---- Watching ---- */

static void leave_at_once(int signal)
{
	(void)signal;
	_exit(EXIT_FAILURE);
}

static int print_info(const struct rangelock_info *info, void *arg)
{
	const struct run *run = arg;
	fprintf(stderr, "  %s %s [%" PRIu64 ", %" PRIu64 ")",
		info->state == RANGELOCK_HELD	    ? "held   "
		: info->state == RANGELOCK_RESERVED ? "reserved"
						    : "waiting",
		info->mode == RANGELOCK_WRITE ? "write" : "read ", info->start, info->end);
	if (info->arrival)
		fprintf(stderr, " arrival %" PRIu64, info->arrival);
	if (info->blockers)
		fprintf(stderr, " behind %" PRIu64, info->blockers);
	for (const struct worker *w = run->workers; w < run->workers + run->n_workers; w++)
		if (info->req >= w->reqs && info->req < w->reqs + PER_THREAD)
			fprintf(stderr, ", request %d of thread %u", (int)(info->req - w->reqs),
				w->index);
	fputc('\n', stderr);
	return 0;
}

static json_t *as_json(const struct options *opt, const struct outcome *outcome)
{
	json_t *calls = json_object();

	for (int c = 0; c < N_CALLS; c++)
		json_object_set_new(calls, call_names[c],
				    json_integer((json_int_t)outcome->calls[c]));
	return json_pack("{s:I, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "seed",
			 (json_int_t)opt->seed, "engine", opt->engine_name, "threads",
			 (int)opt->threads, "operations", (json_int_t)outcome->operations,
			 "violations", (json_int_t)outcome->violations, "judged",
			 (json_int_t)outcome->judged, "max_bypass", (json_int_t)outcome->max_bypass,
			 "rounds", (json_int_t)outcome->rounds, "idle", (json_int_t)outcome->idle,
			 "calls", calls);
}

static void add_up(const struct run *run, struct outcome *outcome)
{
	outcome->judged += run->verdict.judged;
	outcome->rounds += run->rounds;
	outcome->idle += run->idle;
	if (run->verdict.max_bypass > outcome->max_bypass)
		outcome->max_bypass = run->verdict.max_bypass;
	for (int c = 0; c < N_CALLS; c++) {
		uint64_t n = run->calls[c] + atomic_load(&run->in_callbacks[c]);

		for (unsigned i = 0; i < run->n_workers; i++)
			n += run->workers[i].calls[c];
		outcome->calls[c] += n;
		outcome->operations += n;
	}
}

/* A lock that is wrong cannot be unlocked, joined or freed: report and leave. */
static _Noreturn void fail(struct run *run, struct options *opt, struct outcome *outcome)
{
	static atomic_flag failing = ATOMIC_FLAG_INIT;

	while (atomic_flag_test_and_set(&failing)) /* another thread reports already */
		pause();
	progress_end();
	fprintf(stderr,
		"rangelock-stress: VIOLATION (engine %s, %u threads, seed %" PRIu64 ")\n%s\n",
		run->subject->name, run->n_workers, opt->seed, run->oracle.report);
	outcome->violations++;
	add_up(run, outcome);
	json_close(&opt->json, as_json(opt, outcome));

	fputs("The lock shows, a moment later:\n", stderr);
	fflush(NULL);
	signal(SIGALRM, leave_at_once);
	alarm(5); /* the look itself may hang */
	run->subject->walk(&run->lock, print_info, run);
	_exit(EXIT_FAILURE);
}

/*
 * The watchdog, in a thread of its own, which calls no lock before it has
 * something to report: all others may hang.
 */
struct watchdog {
	struct run *run;
	struct options *opt;
	struct outcome *outcome;
	atomic_bool done;
	pthread_t thread;
	struct {
		uint64_t steps;
		int64_t since;
	} seen[MAX_THREADS + 1]; /* the last is the helper */
};

static void look_at_steps(struct watchdog *dog, unsigned i, uint64_t steps, bool resting)
{
	int64_t now = clock_ns();

	if (steps != dog->seen[i].steps || !dog->seen[i].since || resting) {
		dog->seen[i].steps = steps;
		dog->seen[i].since = now;
	} else if (now - dog->seen[i].since > dog->opt->watchdog) {
		violation(&dog->run->oracle, "hang: %s %u has made no step for %.1f s",
			  i < dog->run->n_workers ? "thread" : "the thread that cancels and looks,",
			  i, (double)dog->opt->watchdog / NS_PER_S);
		fail(dog->run, dog->opt, dog->outcome);
	}
}

static void *watch(void *arg)
{
	struct watchdog *dog = arg;
	struct run *run = dog->run;

	while (!atomic_load(&dog->done)) {
		for (unsigned i = 0; i < run->n_workers; i++)
			look_at_steps(
			    dog, i,
			    atomic_load_explicit(&run->workers[i].steps, memory_order_relaxed),
			    atomic_load(&run->workers[i].resting));
		look_at_steps(dog, run->n_workers,
			      atomic_load_explicit(&run->helper_steps, memory_order_relaxed),
			      false);
		sleep_ns(20000000);
	}
	return NULL;
}

/* ---- Rounds ---- */

static bool all_rest(const struct run *run)
{
	for (unsigned i = 0; i < run->n_workers; i++)
		if (!atomic_load(&run->workers[i].resting))
			return false;
	return true;
}

/* Until end, and then until all threads rest: what was handed on must still
 * come back, whoever waits for it. */
static void play_round(struct run *run, struct options *opt, struct outcome *outcome,
		       struct rng *rng, int64_t end)
{
	while (!atomic_load(&run->pause) || !all_rest(run)) {
		helper_step(run, rng);
		if (rng_one_in(rng, 4))
			sched_yield();
		if (clock_ns() >= end)
			atomic_store(&run->pause, true);
		if (atomic_load(&run->oracle.violated))
			fail(run, opt, outcome);
	}
}

/* All threads rest: judge the round.  The lock must be empty, and can be made anew. */
static void drain(struct run *run)
{
	struct oracle *o = &run->oracle;

	run->rounds++;
	if (run->stats)
		count_answers(run);
	for (unsigned i = 0; i < run->n_workers; i++)
		run->idle += run->history.logs[i].n == 0;
	history_judge(&run->history, &run->verdict);
	atomic_fetch_add(&run->helper_steps, 1);
	if (*run->verdict.fault)
		violation(o, "%s", run->verdict.fault);
	if (run->n_workers > 1 && run->calls[CALL_CANCEL] > 100000 && !run->cancels)
		violation(o, "cancel: not one of %" PRIu64 " calls found anybody waiting",
			  run->calls[CALL_CANCEL]);

	check_sums(run);
	if (run->stats)
		check_stats(run);

	int error = run->subject->destroy(&run->lock);
	run->calls[CALL_DESTROY]++;
	if (error)
		violation(o, "drain: all was unlocked, and destroy answered errno %d", error);
}

static void make_lock(struct run *run)
{
	struct rangelock_attr attr = { .engine = run->subject->engine,
				       .flags = (run->checked ? RANGELOCK_CHECKED : 0) |
						(run->stats ? RANGELOCK_STATS : 0) |
						(run->subject->barging ? RANGELOCK_BARGING : 0),
				       .name = "stress" };
	int error = run->subject->init(&run->lock, &attr);

	run->calls[CALL_INIT]++;
	if (error)
		violation(&run->oracle, "init answered errno %d", error);
}

/* Let the workers go on, into the next round or home. */
static void release_workers(struct run *run)
{
	history_clear(&run->history);
	atomic_store(&run->pause, false); /* first: else they would rest again at once */
	for (unsigned i = 0; i < run->n_workers; i++)
		atomic_store(&run->workers[i].resting, false);
	pthread_barrier_wait(&run->round);
}

static void start_workers(struct run *run, const struct options *opt)
{
	run->n_workers = opt->threads;
	run->workers = aligned_alloc(64, opt->threads * sizeof(*run->workers));
	if (!run->workers || !history_init(&run->history, opt->threads, run->subject->fifo))
		bad_option("--threads", "out of memory");
	run->history.barging = run->subject->barging;
	memset(run->workers, 0, opt->threads * sizeof(*run->workers));
	pthread_barrier_init(&run->round, NULL, opt->threads + 1);

	for (unsigned i = 0; i < opt->threads; i++) {
		struct worker *w = &run->workers[i];

		w->run = run;
		w->index = i;
		w->rng = rng_make(opt->seed, i + 1);
		w->submit_rng = rng_make(opt->seed, MAX_THREADS + 1 + i);
		for (unsigned k = 0; k < PER_THREAD; k++)
			w->tickets[k].worker = w;
		int error = pthread_create(&w->thread, NULL, worker_main, w);
		if (error)
			bad_option("--threads", "cannot start thread %u: %s", i, strerror(error));
	}
}

static void stress(const struct subject *subject, struct options *opt, struct outcome *outcome)
{
	struct run *run = calloc(1, sizeof(*run));
	struct rng rng = rng_make(opt->seed, 0);

	if (!run)
		bad_option("--engine", "out of memory");
	run->subject = subject;
	run->caps = subject == &busted ? 0 : rangelock_engine_caps(subject->engine);
	run->checked = opt->checked && run->caps & RANGELOCK_CAP_CHECKED;
	run->stats = opt->stats && run->caps & RANGELOCK_CAP_STATS;
	make_lock(run);
	start_workers(run, opt);
	struct watchdog dog = { .run = run, .opt = opt, .outcome = outcome };
	if (pthread_create(&dog.thread, NULL, watch, &dog))
		bad_option("--threads", "cannot start the watchdog's thread");

	int64_t begin = clock_ns(), end = begin + opt->duration, now = begin;
	for (;;) {
		play_round(run, opt, outcome, &rng, now + ROUND < end ? now + ROUND : end);
		drain(run);
		if (atomic_load(&run->oracle.violated))
			fail(run, opt, outcome);
		now = clock_ns();
		if (now >= end)
			break;
		progress("%s: %.0f of %.0f s", subject->name, (double)(now - begin) / NS_PER_S,
			 (double)opt->duration / NS_PER_S);
		make_lock(run);
		release_workers(run);
	}
	progress_end();

	atomic_store(&dog.done, true);
	pthread_join(dog.thread, NULL);
	atomic_store(&run->stop, true);
	release_workers(run);
	for (unsigned i = 0; i < run->n_workers; i++)
		pthread_join(run->workers[i].thread, NULL);
	add_up(run, outcome);
	pthread_barrier_destroy(&run->round);
	history_free(&run->history);
	free(run->workers);
	free(run);
}

/* ---- Options and result ---- */

static const struct subject *find_engine(const char *name)
{
	if (strcmp(name, busted.name) == 0)
		return &busted;
	for (size_t i = 0; subjects[i]; i++)
		if (strcmp(name, subjects[i]->name) == 0)
			return subjects[i];
	bad_option("--engine", "'%s' is none of tree, tree-barging, list, sharded, all, busted",
		   name);
}

static void choose_engines(struct options *opt, const char *name)
{
	size_t n = 0;

	memset(opt->engines, 0, sizeof(opt->engines));
	opt->engine_name = name;
	if (strcmp(name, "all") == 0) {
		for (size_t i = 0; subjects[i]; i++)
			if (subject_available(subjects[i]))
				opt->engines[n++] = subjects[i];
		return;
	}
	opt->engines[0] = find_engine(name);
	if (!subject_available(opt->engines[0]))
		bad_option("--engine", "'%s' is not offered by rangelock %s", name,
			   rangelock_version());
}

static struct options parse(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "engine", required_argument, NULL, 'e' },
		{ "checked", no_argument, NULL, 'c' },
		{ "threads", required_argument, NULL, 't' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' },
		{ "stats", no_argument, NULL, 'S' },
		{ "watchdog", required_argument, NULL, 'w' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *json = NULL;
	struct options opt = { .threads = 4,
			       .duration = (int64_t)10 * NS_PER_S,
			       .watchdog = (int64_t)10 * NS_PER_S };
	int c;

	choose_engines(&opt, "all");
	if (getrandom(&opt.seed, sizeof(opt.seed), 0) != sizeof(opt.seed))
		opt.seed = (uint64_t)clock_ns();
	opt.seed >>= 11; /* JSON readers keep integers up to 2^53 exact */

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'e':
			choose_engines(&opt, optarg);
			break;
		case 'c':
			opt.checked = true;
			break;
		case 't':
			opt.threads = (unsigned)parse_number("--threads", optarg, 1, MAX_THREADS);
			break;
		case 's':
			opt.duration = parse_seconds("--seconds", optarg, 1e7);
			break;
		case 'r':
			opt.seed = parse_number("--seed", optarg, 0, INT64_MAX);
			break;
		case 'S':
			opt.stats = true;
			break;
		case 'w':
			opt.watchdog = parse_seconds("--watchdog", optarg, 1e6);
			break;
		case 'j':
			json = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default: /* getopt has named it */
			exit(EXIT_USAGE);
		}
	}
	no_more_words(argc, argv, optind);
	opt.json = json_open(json);
	return opt;
}

int main(int argc, char **argv)
{
	struct options opt = parse(argc, argv);
	struct outcome outcome = { 0 };
	FILE *text = opt.json.file == stdout ? stderr : stdout;

	for (size_t i = 0; opt.engines[i]; i++) {
		fprintf(text, "%s: %u threads, %.3g s, seed %" PRIu64 "\n", opt.engines[i]->name,
			opt.threads, (double)opt.duration / NS_PER_S, opt.seed);
		fflush(text);
		stress(opt.engines[i], &opt, &outcome);
	}
	fprintf(text, "%" PRIu64 " operations, 0 violations\n", outcome.operations);
	json_close(&opt.json, as_json(&opt, &outcome));
	finish_text(text);
	return EXIT_SUCCESS;
}
