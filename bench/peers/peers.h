/* SPDX-License-Identifier: BSD-2-Clause */
/* What peers share: memory in cache lines of its own, and plain failure. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lock.h"

static inline void must_succeed(int error, const char *what)
{
	if (error) {
		fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
			strerror(error));
		exit(EXIT_FAILURE);
	}
}

static inline void *new_lock(size_t size)
{
	size_t whole = (size + 127) / 128 * 128;
	void *lock = aligned_alloc(128, whole);

	must_succeed(lock ? 0 : ENOMEM, "memory for a lock");
	return memset(lock, 0, whole);
}

/* For a peer whose acquisitions need no memory of their own. */
struct nothing {
	char none;
};

static inline bool always_available(void)
{
	return true;
}

#endif
