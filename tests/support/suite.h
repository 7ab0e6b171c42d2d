/* SPDX-License-Identifier: BSD-2-Clause */
/* What every test program shares: Check, TAP on standard output, a seed. */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Run the suite, print TAP; the exit status of main. */
int run_suite(Suite *suite);

/* _exit() of a child of fork(): what it has run counts where coverage is measured. */
_Noreturn void end_child(int status);

/* RANGELOCK_SEED from the environment, or a fresh one.  run_suite() prints it. */
uint64_t test_seed(void);

/* n, or less where RANGELOCK_TEST_DIVISOR asks for it (slow environments). */
uint64_t scaled(uint64_t n);

/* Does valgrind run this, whose own malloc() no test can replace? */
bool is_under_valgrind(void);

/* ck_assert() for inner loops: Check notes every assertion down, which costs
 * a system call. */
#define must(condition)                                 \
	do {                                            \
		if (!(condition))                       \
			ck_abort_msg("%s", #condition); \
	} while (0)

/*
 * The same tests on another engine: a program that is built with TEST_ON_LIST has its
 * locks from this, without a call of rangelock_init().
 */
#ifdef TEST_ON_LIST
#include "base/lock.h"

#define ENGINE_AT offsetof(struct lock, engine)
#define ENGINE_SHIFT \
	(8 * (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 6 - ENGINE_AT % 8 : ENGINE_AT % 8))

#undef RANGELOCK_INITIALIZER
#define RANGELOCK_INITIALIZER                                                      \
	{                                                                          \
		{                                                                  \
			[ENGINE_AT / 8] = (uint64_t)RANGELOCK_LIST << ENGINE_SHIFT \
		}                                                                  \
	}
enum { ON_LIST = true };
#else
enum { ON_LIST = false };
#endif

/* Of the tests of one that every engine goes through, one that asks for strict FIFO, a
 * hand-over, or the short mutex. */
#define add_tree_test(tc, test)                   \
	do {                                      \
		if (!ON_LIST)                     \
			tcase_add_test(tc, test); \
	} while (0)

#endif
