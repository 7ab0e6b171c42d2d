/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/suite.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

uint64_t test_seed(void)
{
	static uint64_t seed;

	if (!seed && getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = 1;
	return from_environment("RANGELOCK_SEED", seed);
}

bool is_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

uint64_t scaled(uint64_t n)
{
	uint64_t divided = n / from_environment("RANGELOCK_TEST_DIVISOR", 1);

	return divided ? divided : 1;
}

#ifdef MEASURE_COVERAGE
void __gcov_dump(void);

/* What aborts on purpose is to count, too. */
static void on_abort(int signal)
{
	(void)signal;
	__gcov_dump();
}
#endif

void end_child(int status)
{
#ifdef MEASURE_COVERAGE
	__gcov_dump();
#endif
	_exit(status);
}

int run_suite(Suite *suite)
{
#ifdef MEASURE_COVERAGE
	signal(SIGABRT, on_abort);
#endif
	SRunner *runner = srunner_create(suite);

	printf("# RANGELOCK_SEED=%" PRIu64 "\n", test_seed());
	fflush(stdout);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
