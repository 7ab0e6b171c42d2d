/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/work.h"

#include <time.h>

#include "common/clock.h"

/* Of this thread alone: what else the machine does must not pass for slowness. */
static int64_t thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

uint32_t work_for_ns(unsigned ns)
{
	static double rounds_per_ns;

	if (!rounds_per_ns) {
		enum { ROUNDS = 20000000 };

		for (int i = 0; i < 5; i++) { /* the fastest: the others were disturbed */
			int64_t start = thread_ns();
			work(ROUNDS);
			double rate = (double)ROUNDS / (double)(thread_ns() - start);
			if (rate > rounds_per_ns)
				rounds_per_ns = rate;
		}
	}
	return (uint32_t)(ns * rounds_per_ns);
}
