/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures of results, from the JSON alone: so of a run that is over as well. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include <jansson.h>

/* Exits with a message naming --plot where files cannot be written there. */
void plot_check(const char *dir);

/*
 * Into dir, for each workload: WORKLOAD-throughput.svg, ops/s over threads with bars from min to
 * max; for `held`, the time of a pair over how many are held; where it has own threads, a bar
 * for each setting.  And WORKLOAD-latency.svg, percentile curves, where latencies were taken.
 */
void plot_results(const char *dir, const json_t *results);

#endif
