/* SPDX-License-Identifier: BSD-2-Clause */
/* What has been measured, as tables and as JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "bench/measure.h"

enum { MOST_LOCKS = 32 };

/* One setting of a workload with so many threads: by lock, of those that it fits. */
struct cell {
	const struct workload *workload;
	const struct variant *variant;
	unsigned threads;
	const struct bench_lock *locks[MOST_LOCKS];
	struct series *series[MOST_LOCKS];
	unsigned n;
};

void print_cell(FILE *text, const struct cell *cell);

/* Say what the checks of a cell have shown.  Returns whether every lock kept its word. */
bool judge_cell(FILE *text, const struct cell *cell);

/* A result of the JSON: of the i-th lock. */
json_t *cell_json(const struct cell *cell, unsigned i);

/* The machine, the system, the compiler, and what was built. */
json_t *machine_json(void);

unsigned processors(void);

#endif
