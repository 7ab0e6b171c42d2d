/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fibers: threads that one thread runs by hand, one at a time, so that a test
 * decides who goes on.  Not thread-safe: all fibers of a process belong to one
 * thread, the one that resumes them.
 *
 * Sanitizers are told of every switch.  ThreadSanitizer takes each fiber for a
 * thread of its own that no switch orders before or after another; what it is
 * to see as ordered is said by fiber_release() and fiber_acquire().
 */
#ifndef TESTS_FIBER_H
#define TESTS_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct fiber {
	void *context; /* where it stands: the machine's business */
	void *stack;
	void (*fn)(void *);
	void *arg;
	bool ended;
	void *sanitizer;
};

/* Give f a stack.  All-zero before; aborts where there is no memory. */
void fiber_create(struct fiber *f);
void fiber_destroy(struct fiber *f);

/* Let f run fn(arg) when it is resumed next.  What it ran before, ended or not, is
 * forgotten. */
void fiber_start(struct fiber *f, void (*fn)(void *), void *arg);

/* Run f until it pauses or ends; not from within a fiber. */
void fiber_resume(struct fiber *f);

/* Back to whoever resumed this fiber; returns when it is resumed again. */
void fiber_pause(void);

/* The fiber that runs, or NULL. */
struct fiber *fiber_self(void);

/* For ThreadSanitizer: what came before a release on p comes before what follows
 * an acquire on it.  Nothing otherwise. */
void fiber_release(void *p);
void fiber_acquire(void *p);
/* The same release in the name of f, which does not run. */
void fiber_release_as(struct fiber *f, void *p);
/* What the caller reads from here to there is no matter. */
void fiber_ignore_reads(bool on);

/* On functions that run within fibers and that ThreadSanitizer is not to see; nor are
 * they to become part of one that it sees. */
#if defined(__clang__)
#define NOT_FOR_TSAN __attribute__((disable_sanitizer_instrumentation, noinline))
#else
#define NOT_FOR_TSAN __attribute__((no_sanitize("thread"), noinline))
#endif

#endif
