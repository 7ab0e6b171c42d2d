/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The explorer, as scenarios see it: a few threads that it runs one at a time,
 * stopping each before every atomic operation, sleep and wake of the library,
 * and choosing who goes on; again and again, until it has seen every schedule
 * within its bounds, or as many as there was time for.
 *
 * It finds, in any scenario and without being asked: deadlocks and lost
 * wake-ups, spinning without end, data races (two plain accesses that no
 * release and acquire order), and use of memory that has been given up.
 */
#ifndef EXPLORE_EXPLORE_H
#define EXPLORE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_THREADS = 4 };

struct scenario {
	const char *name;
	unsigned threads;	 /* 2 .. MAX_THREADS */
	unsigned processors;	 /* with 1 the library does not spin; 0 means 1 */
	bool impatient;		 /* but may do as if it had spun for long */
	bool scarce;		 /* there may be no memory */
	void (*setup)(void);	 /* before the threads; may be NULL, as the rest */
	void (*run)(unsigned i); /* thread i */
	void (*step)(void);	 /* between any two steps: invariants */
	void (*check)(void);	 /* when all threads have ended */
	const char *fault;	 /* NULL, or what must be found: it is seeded */
	bool not_by_tsan;	 /* ThreadSanitizer cannot find that fault */
};

/* Something is wrong: ends this execution, and the search.  Of the message the
 * part before the colon says what kind of fault it is. */
__attribute__((format(printf, 1, 2))) void explore_fail(const char *fmt, ...);

#define explore_assert(condition)                                                              \
	do {                                                                                   \
		if (!(condition))                                                              \
			explore_fail("assertion: %s (%s:%d)", #condition, __FILE__, __LINE__); \
	} while (0)

/* A place where any other thread may come in, at no cost to the bound. */
void explore_yield(void);

/* Go no further before pred() is true; it looks at what it likes, unseen. */
void explore_wait(bool (*pred)(void));

/* A thread forks: all end here, wherever they are, and check() is what the child does, in which
 * all of them are gone, after explore_live_on(). */
void explore_fork(void);
void explore_live_on(void);

/* 0 .. n-1: every one of them, in turn. */
unsigned explore_choose(unsigned n);

/* How many steps there have been: a clock that orders all that happens. */
unsigned explore_now(void);

/* From now on nobody may touch these bytes; and again they may. */
void explore_free(void *p, size_t size);
void explore_renew(void *p, size_t size);

/* How many nodes of lists are in use. */
int explore_nodes(void);

/* For how many there is memory. */
unsigned explore_memory(void);

/* What an address is called in traces, while this execution lasts. */
void explore_name(const void *p, size_t size, const char *name);

#endif
