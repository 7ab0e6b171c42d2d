/* SPDX-License-Identifier: BSD-2-Clause */
/* CLOCK_MONOTONIC in nanoseconds, for tests and tools. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S 1000000000

static inline int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The absolute time ns from now, as the lock calls take it. */
static inline struct timespec in_ns(int64_t ns)
{
	int64_t then = clock_ns() + ns;

	return (struct timespec){ .tv_sec = (time_t)(then / NS_PER_S), .tv_nsec = then % NS_PER_S };
}

static inline void sleep_ns(int64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = ns % NS_PER_S };

	nanosleep(&t, NULL);
}

#endif
