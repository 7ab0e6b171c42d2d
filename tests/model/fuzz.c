/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The comparison of library and model (differential.h) for fuzzers.  Compiled
 *
 *   with -fsanitize=fuzzer and -DLIBFUZZER   libFuzzer brings its main
 *   with afl-clang-fast                      for afl-fuzz: afl.sh
 *   with anything else                       replays: files, --hex HEX, or standard input;
 *                                            --faults: which there are
 *
 * A difference is told readably, and aborts.  RANGELOCK_MODEL_FAULT names a model
 * that is wrong on purpose (model.c): it must be found.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/differential.h"

enum { LONGEST = 4096 };

static enum model_fault fault_from_environment(void)
{
	const char *name = getenv("RANGELOCK_MODEL_FAULT");

	if (!name)
		return MODEL_SOUND;
	for (int fault = 0; fault < MODEL_FAULTS; fault++)
		if (!strcmp(name, model_faults[fault].name))
			return (enum model_fault)fault;
	fprintf(stderr, "RANGELOCK_MODEL_FAULT: there is no fault %s\n", name);
	exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static enum model_fault fault = MODEL_FAULTS;

	if (fault == MODEL_FAULTS)
		fault = fault_from_environment();
	if (differential_run(bytes, n, fault, NULL)) {
		differential_report(bytes, n, fault, stderr);
		abort();
	}
	return 0;
}

#if defined(__AFL_COMPILER)

__AFL_FUZZ_INIT();

int main(void)
{
	__AFL_INIT();
	const uint8_t *bytes = __AFL_FUZZ_TESTCASE_BUF;
	while (__AFL_LOOP(100000))
		LLVMFuzzerTestOneInput(bytes, (size_t)__AFL_FUZZ_TESTCASE_LEN);
	return 0;
}

#elif !defined(LIBFUZZER)

static void replay(FILE *file, const char *name)
{
	uint8_t bytes[LONGEST];

	if (!file) {
		perror(name);
		exit(2);
	}
	size_t n = fread(bytes, 1, sizeof(bytes), file);
	if (ferror(file)) {
		perror(name);
		exit(2);
	}
	LLVMFuzzerTestOneInput(bytes, n);
}

static void replay_hex(const char *hex)
{
	uint8_t bytes[LONGEST];
	size_t n = 0;
	unsigned byte;

	for (; n < LONGEST && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
		bytes[n] = (uint8_t)byte;
	if (hex[2 * n]) {
		fprintf(stderr, "--hex: not hexadecimal, or too long: %s\n", hex);
		exit(2);
	}
	/* Not shrunk, and told even if nothing differs. */
	const char *difference = differential_run(bytes, n, fault_from_environment(), stdout);
	printf("%s\n", difference ? difference : "no difference");
	exit(difference != NULL);
}

/* The names of the faults that this library can show. */
static void list_faults(void)
{
	for (int fault = MODEL_SOUND + 1; fault < MODEL_FAULTS; fault++)
		if (!(model_faults[fault].caps & ~rangelock_engine_caps(RANGELOCK_TREE)))
			printf("%s\n", model_faults[fault].name);
	exit(0);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--faults"))
		list_faults();
	if (argc == 3 && !strcmp(argv[1], "--hex"))
		replay_hex(argv[2]);
	if (argc == 1)
		replay(stdin, "standard input");
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		replay(file, argv[i]);
		fclose(file);
	}
	printf("%d sequences, no difference\n", argc > 1 ? argc - 1 : 1);
	return 0;
}

#endif
