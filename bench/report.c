/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/report.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <rangelock/rangelock.h>

#include "bench/peers/peers.h"
#include "commit.h"

/* Nanoseconds of an op, as the workload counts threads. */
static struct spread ns_of(const struct cell *cell, const struct series *s)
{
	return ns_per_op(s, cell->workload->one_by_one ? 1 : cell->threads);
}

static double per_op(uint64_t n, const struct counts *counts)
{
	return counts->ops ? (double)n / (double)counts->ops : 0;
}

/* ---- Tables ---- */

void print_cell(FILE *text, const struct cell *cell)
{
	bool passes = cell->n && cell->series[0]->bypass.count, checks = cell->workload->on_file;
	bool beside = cell->n && cell->series[0]->raw.count;

	fprintf(text, "\n%s%s%s, %u thread%s\n", cell->workload->name,
		*cell->variant->param ? ", " : "", cell->variant->param, cell->threads,
		cell->threads > 1 ? "s" : "");
	fprintf(text, "  %-14s %12s %9s %19s %8s  %8s %9s %6s %7s%s%s%s\n", "lock", "ops/s",
		"ns/op", "(min .. max)", "speed", "p50 ns", "p99.9", "fair", "wake/op",
		passes ? "  passed" : "", beside ? "  / raw" : "", checks ? "    torn" : "");
	for (unsigned i = 0; i < cell->n; i++) {
		const struct series *s = cell->series[i];
		struct spread ns = ns_of(cell, s);

		fprintf(text, "  %-14s %12.0f %9.1f %9.1f ..%7.1f %7.2fx  %8.0f %9.0f %6.2f %7.3f",
			cell->locks[i]->name, spread_of(s->ops_per_s, s->n).median, ns.median,
			ns.min, ns.max, speed_ratio(s, cell->series[0]).median,
			histogram_quantile(&s->latency, 0.5),
			histogram_quantile(&s->latency, 0.999), spread_of(s->fairness, s->n).median,
			per_op(s->counts.wakeups, &s->counts));
		if (passes)
			fprintf(text, " %7llu", (unsigned long long)s->bypass.max);
		if (beside)
			fprintf(text, " %5.2fx", spread_of(s->vs_raw, s->n).median);
		if (checks)
			fprintf(text, " %7llu", (unsigned long long)s->torn);
		fputc('\n', text);
	}
}

/* What a cell of `file` has shown. */
static bool judge_file(FILE *text, const struct cell *cell)
{
	bool sound = true, guarded = false;

	for (unsigned i = 0; i < cell->n; i++) {
		const struct series *s = cell->series[i];
		const char *name = cell->locks[i]->name, *first = cell->locks[0]->name;

		guarded |= cell->locks[i]->guards;
		if (!cell->locks[i]->guards) {
			fprintf(text, "  Without a lock (%s) torn reads: %llu; %s.\n", name,
				(unsigned long long)s->torn,
				s->torn ? "so the check finds them"
					: "too few threads or too little time for this control");
		} else if (s->torn) {
			fprintf(text, "  FAILED: %s let records be torn: %llu.\n", name,
				(unsigned long long)s->torn);
			sound = false;
		} else if (i > 0) {
			struct spread ratio = speed_ratio(cell->series[0], s);
			fprintf(text, "  %s was %.2f times as fast as %s (%.2f to %.2f).\n", first,
				ratio.median, name, ratio.min, ratio.max);
		}
	}
	if (sound && guarded)
		fputs("  Under a lock every record was whole.\n", text);
	return sound;
}

static bool judge_slots(FILE *text, const struct cell *cell)
{
	bool sound = true;

	for (unsigned i = 0; i < cell->n; i++)
		if (cell->locks[i]->guards && cell->series[i]->lost) {
			fprintf(text, "  FAILED: under %s counts were lost: %llu.\n",
				cell->locks[i]->name, (unsigned long long)cell->series[i]->lost);
			sound = false;
		}
	return sound;
}

bool judge_cell(FILE *text, const struct cell *cell)
{
	if (cell->workload->on_file)
		return judge_file(text, cell);
	return judge_slots(text, cell);
}

/* ---- JSON ---- */

static json_t *spread_json(struct spread s)
{
	return json_pack("{s:f, s:f, s:f}", "min", s.min, "median", s.median, "max", s.max);
}

static json_t *values_json(const double *values, unsigned n)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(array, json_real(values[i]));
	return array;
}

/* Percentiles by name, and as a curve: of how many, at most what. */
static json_t *histogram_json(const struct histogram *h)
{
	static const double at[] = { 0,	    0.1,   0.2,	   0.3,	   0.4,	    0.5,      0.6,
				     0.7,   0.8,   0.9,	   0.95,   0.98,    0.99,     0.995,
				     0.998, 0.999, 0.9995, 0.9999, 0.99999, 0.999999, 1 };
	json_t *curve = json_array();
	double last = -1;

	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		double value = histogram_quantile(h, at[i]);

		if (at[i] < 1 && at[i] > 0.5 && (double)h->count * (1 - at[i]) < 1)
			continue; /* there are too few */
		if (value >= last)
			json_array_append_new(curve, json_pack("[f, f]", at[i], value));
		last = value;
	}
	return json_pack(
	    "{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:o}", "count", (json_int_t)h->count, "mean",
	    h->count ? (double)h->sum / (double)h->count : 0.0, "p50", histogram_quantile(h, 0.5),
	    "p90", histogram_quantile(h, 0.9), "p99", histogram_quantile(h, 0.99), "p99.9",
	    histogram_quantile(h, 0.999), "p99.99", histogram_quantile(h, 0.9999), "max",
	    (json_int_t)h->max, "curve", curve);
}

/* null is what could not be counted. */
static json_t *counts_json(const struct counts *c)
{
	return json_pack("{s:I, s:o, s:o, s:f}", "observed", (json_int_t)c->ops, "allocations",
			 c->no_allocations ? json_null() : json_real(per_op(c->allocations, c)),
			 "system_calls",
			 c->no_system_calls ? json_null() : json_real(per_op(c->system_calls, c)),
			 "wakeups", per_op(c->wakeups, c));
}

static json_t *per_thread_json(const struct series *s, unsigned threads)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < threads; i++)
		json_array_append_new(array, json_integer((json_int_t)s->per_thread[i]));
	return array;
}

json_t *cell_json(const struct cell *cell, unsigned i)
{
	const struct series *s = cell->series[i];
	const struct workload *w = cell->workload;
	json_t *result = json_pack(
	    "{s:s, s:s, s:i, s:s, s:o, s:o, s:i, s:o, s:o, s:o}", "workload", w->name, "lock",
	    cell->locks[i]->name, "threads", (int)cell->threads, "param", cell->variant->param,
	    "ops_per_s", spread_json(spread_of(s->ops_per_s, s->n)), "ns_per_op",
	    spread_json(ns_of(cell, s)), "repeat", (int)s->n, "rounds",
	    values_json(s->ops_per_s, s->n), "speed_vs_first",
	    spread_json(speed_ratio(s, cell->series[0])), "per_op", counts_json(&s->counts));

	if (s->latency.count)
		json_object_set_new(result, "latency_ns", histogram_json(&s->latency));
	if (!w->own_threads) {
		json_object_set_new(result, "fairness", spread_json(spread_of(s->fairness, s->n)));
		json_object_set_new(result, "per_thread", per_thread_json(s, cell->threads));
	}
	if (s->raw.count) {
		json_object_set_new(result, "raw_ns", histogram_json(&s->raw));
		json_object_set_new(result, "vs_raw", spread_json(spread_of(s->vs_raw, s->n)));
	}
	if (s->bypass.count)
		json_object_set_new(result, "bypass", histogram_json(&s->bypass));
	if (s->bypass_disturbed.count)
		json_object_set_new(result, "bypass_disturbed",
				    histogram_json(&s->bypass_disturbed));
	if (w->on_file)
		json_object_set_new(result, "torn", json_integer((json_int_t)s->torn));
	if (w->on_slots)
		json_object_set_new(result, "lost", json_integer((json_int_t)s->lost));
	return result;
}

/* ---- The machine ---- */

unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

/* The first line of the file that begins so, from its colon on; the whole line without a name. */
static void line_of(const char *path, const char *name, char *ret_text, size_t size)
{
	char line[256];
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		const char *colon = strstr(line, ": ");
		if (strncmp(line, name, strlen(name)) == 0 && (colon || !*name)) {
			const char *text = *name ? colon + 2 : line;
			size_t length = strnlen(text, size - 1);

			memcpy(ret_text, text, length);
			ret_text[length] = '\0';
			break;
		}
	}
	if (file)
		fclose(file);
}

json_t *machine_json(void)
{
	struct utsname uts;
	char cpu[128] = "unknown", nodes[64] = "0", governor[64] = "unknown", built[160];
	double load[3] = { 0 };

	line_of("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	line_of("/sys/devices/system/node/online", "", nodes, sizeof(nodes));
	line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", governor,
		sizeof(governor));
#ifdef __clang__
	snprintf(built, sizeof(built), "%s", __VERSION__);
#else
	snprintf(built, sizeof(built), "gcc %s", __VERSION__);
#endif
	if (getloadavg(load, 3) < 1)
		load[0] = -1;
	uname(&uts);
	return json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:i, s:i}", "cpu",
			 cpu, "processors", (int)sysconf(_SC_NPROCESSORS_ONLN),
			 "processors_allowed", (int)processors(), "arch", uts.machine, "numa_nodes",
			 nodes, "governor", governor, "kernel", uts.release, "compiler", built,
			 "rangelock", rangelock_version(), "commit", BENCH_COMMIT, "load", load[0],
			 "sizeof_lock", (int)sizeof(struct rangelock), "sizeof_request",
			 (int)sizeof(struct rangelock_req));
}
