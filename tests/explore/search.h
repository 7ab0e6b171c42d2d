/* SPDX-License-Identifier: BSD-2-Clause */
/* How to go through the schedules of a scenario, and what came of it. */
#ifndef EXPLORE_SEARCH_H
#define EXPLORE_SEARCH_H

#include "explore/machine.h"

enum strategy {
	DEPTH_FIRST, /* every schedule within the bounds */
	SLEEP_SETS,  /* every schedule, but one of each that differ in nothing: no bounds */
	RANDOM_WALK,
	PCT /* priorities with a few changes */
};

struct search {
	enum strategy strategy;
	bool weak;		 /* loads may return old values */
	unsigned bound[N_COSTS]; /* how many of each kind in one execution */
	uint64_t seed;
	uint64_t max_executions; /* 0: no limit */
	double max_seconds;	 /* 0: no limit */
};

struct result {
	uint64_t complete, pruned, distinct, steps;
	double seconds;
	bool exhausted; /* there is nothing left within the bounds */
	bool failed;
	char failure[512];
	char replay[1024]; /* the shortest schedule that was found to fail */
	unsigned replay_deviations;
};

void search_run(const struct scenario *scenario, const struct search *search,
		struct result *ret_result);

/* Run the one schedule that replay names ("sc:12=5,30=9"), and print each step. */
enum outcome search_replay(const struct scenario *scenario, const char *replay);
/* The same in silence: does it fail? */
bool search_repeats(const struct scenario *scenario, const char *replay);

#endif
