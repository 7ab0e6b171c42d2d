/* SPDX-License-Identifier: BSD-2-Clause */
/* What every test program shares: Check, TAP on standard output, a seed. */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <check.h>
#include <stdint.h>

/* Run the suite, print TAP; the exit status of main. */
int run_suite(Suite *suite);

/* _exit() of a child of fork(): what it has run counts where coverage is measured. */
_Noreturn void end_child(int status);

/* RANGELOCK_SEED from the environment, or a fresh one.  run_suite() prints it. */
uint64_t test_seed(void);

/* n, or less where RANGELOCK_TEST_DIVISOR asks for it (slow environments). */
uint64_t scaled(uint64_t n);

/* ck_assert() for inner loops: Check notes every assertion down, which costs
 * a system call. */
#define must(condition)                                 \
	do {                                            \
		if (!(condition))                       \
			ck_abort_msg("%s", #condition); \
	} while (0)

#endif
