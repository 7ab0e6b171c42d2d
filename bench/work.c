/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/work.h"

#include "common/clock.h"

uint32_t work_for_ns(unsigned ns)
{
	static double rounds_per_ns;

	if (!rounds_per_ns) {
		enum { ROUNDS = 20000000 };

		for (int i = 0; i < 5; i++) { /* the fastest: the others were disturbed */
			int64_t start = clock_ns();
			work(ROUNDS);
			double rate = (double)ROUNDS / (double)(clock_ns() - start);
			if (rate > rounds_per_ns)
				rounds_per_ns = rate;
		}
	}
	return (uint32_t)(ns * rounds_per_ns);
}
