/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Annotations for race detectors: annotate.h.
 *
 * A detector takes an address as the name of something that orders threads:
 * what a thread did before it released the name comes before what others do
 * after they have acquired it.  One name per lock would order threads that hold
 * disjoint ranges, and so hide the race of one who locks the wrong range.
 *
 * So each range has names of its own.  Cut all units into nodes of 1, 16, 16^2
 * ... 16^16 units, as a trie does that reads numbers digit by digit.  A range is the
 * disjoint union of the largest nodes that fit into it, its parts: 10 for
 * [10, 20), 1 for an aligned page, 1 for RANGELOCK_FULL, 30 for each digit at
 * worst.  Two ranges overlap if and only if a part of the one is a part of the
 * other, or lies above or below one.  Each node has two names, SELF and BELOW:
 *
 *   to release a range   release  SELF of its parts, BELOW of all nodes above these
 *   to acquire a range   acquire  SELF of its parts and of all nodes above these,
 *                                 BELOW of its parts
 *
 * A part that both have meets at SELF, one above the acquirer's at SELF too, and
 * one below it at BELOW; and nothing meets where the ranges are disjoint, be they
 * bytes or terabytes.  And all of that twice, for what readers and what writers
 * have released: a writer acquires both, a reader only what writers released.
 * Else two readers would be in order, and two of them that write not be found.
 *
 * Limits.  Overlapping ranges always meet.  That disjoint ones do not is a matter of
 * chance where they are far apart: a name is an address within a table with ROW of
 * them for each size of node, kind of name and mode.  Nodes of one lock whose
 * numbers differ in the last digits only, below ROW, have each its own; any
 * other two, also those of different locks, share one with a probability of 1 / ROW, and
 * then a race between their holders can go unseen.  Names are never forgotten, so
 * a lock at an address used before begins with the order that was made there.
 * DRD keeps a piece of each thread's past for each name, and gets slow with many.
 */
#include "base/annotate.h"

#if RL_ANNOTATE

#include <rangelock/rangelock.h>

#include "base/atomic.h"

#ifdef RL_VALGRIND
#include <valgrind/helgrind.h>
/* Second, where it leaves the macros alone that both define. */
#include <valgrind/drd.h>
#endif

enum {
	DIGIT = 4,		/* bits */
	SIZES = 64 / DIGIT + 1, /* the largest node is all there is */
	ROW = 16384
};

enum name { SELF, BELOW, NAMES };

/* Each is true once it has been released: to acquire it before that is in vain, and
 * takes DRD long.  Relaxed is enough: who acquires comes after who released by the
 * lock's own orders. */
static _Atomic bool names[2][NAMES][SIZES][ROW];

bool rl_watched;

/* ThreadSanitizer's, where the program has it. */
void __tsan_acquire(void *name) __attribute__((weak));
void __tsan_release(void *name) __attribute__((weak));

static bool tsan, helgrind, drd;

/* Before other constructors, which might lock. */
__attribute__((constructor(101))) static void look_for_detectors(void)
{
	tsan = __tsan_acquire && __tsan_release;
#ifdef RL_VALGRIND
	/* Asked for something that only the one or the other can tell: that this byte is
	 * there; the number of this thread. */
	helgrind = VALGRIND_HG_GET_ABITS(&rl_watched, NULL, 1) == 1;
	drd = DRD_GET_VALGRIND_THREADID != 0;
#endif
	rl_watched = tsan || helgrind || drd;
	rl_annotate_private(names, sizeof(names));
}

typedef void order_fn(_Atomic bool *name);

static void acquire(_Atomic bool *name)
{
	if (!rl_load(name, relaxed))
		return;
	if (tsan)
		__tsan_acquire((void *)name);
#ifdef RL_VALGRIND
	if (helgrind)
		ANNOTATE_HAPPENS_AFTER(name);
	if (drd)
		VALGRIND_DO_CLIENT_REQUEST_STMT(VG_USERREQ__DRD_ANNOTATE_HAPPENS_AFTER, name, 0, 0,
						0, 0);
#endif
}

static void release(_Atomic bool *name)
{
	rl_store(name, true, relaxed);
	if (tsan)
		__tsan_release((void *)name);
#ifdef RL_VALGRIND
	if (helgrind)
		ANNOTATE_HAPPENS_BEFORE(name);
	if (drd)
		VALGRIND_DO_CLIENT_REQUEST_STMT(VG_USERREQ__DRD_ANNOTATE_HAPPENS_BEFORE, name, 0, 0,
						0, 0);
#endif
}

/* The name of a node, by its size (as a power of 16) and its number. */
static _Atomic bool *name_of(const void *lock, unsigned mode, enum name name, unsigned size,
			     uint64_t number)
{
	/* Neighbours stay neighbours; where they lie in the row is as good as random. */
	uint64_t where = (number / ROW + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uintptr_t)lock;
	where = (where ^ where >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return &names[mode][name][size][(number + (where >> 32)) % ROW];
}

/* All names of a range, as one who has released it in this mode shares them with one who
 * acquires it. */
static void each_name(const void *lock, uint64_t start, uint64_t end, unsigned mode,
		      order_fn *order)
{
	bool acquires = order == acquire;
	bool to_the_end = end == RANGELOCK_MAX;
	/* The nodes with the first and the last unit, and whether they are above a part. */
	uint64_t left = start, right = end - 1;
	bool above_left = false, above_right = false;

	for (unsigned size = 0; size < SIZES; size++) {
		if (above_left)
			order(name_of(lock, mode, acquires ? SELF : BELOW, size, left));
		if (above_right && !(above_left && left == right))
			order(name_of(lock, mode, acquires ? SELF : BELOW, size, right));

		/* [start, end) counts nodes now; what makes up no larger node is a part. */
		bool last_size = size == SIZES - 1;
		while (start < end &&
		       (last_size || start % (1 << DIGIT) || (end % (1 << DIGIT) && !to_the_end))) {
			bool at_start = last_size || start % (1 << DIGIT);
			uint64_t part = at_start ? start++ : --end;

			if (at_start)
				above_left = true;
			else
				above_right = true;
			order(name_of(lock, mode, SELF, size, part));
			if (acquires)
				order(name_of(lock, mode, BELOW, size, part));
		}
		bool has_more = start < end;
		start >>= DIGIT;
		end = (end >> DIGIT) + (to_the_end && has_more); /* from 2^64 - 1 to 2^60 */
		to_the_end = false;
		left >>= DIGIT;
		right >>= DIGIT;
	}
}

void rl_annotate_acquired(const void *lock, uint64_t start, uint64_t end, unsigned mode)
{
	if (mode == RANGELOCK_WRITE)
		each_name(lock, start, end, RANGELOCK_READ, acquire);
	each_name(lock, start, end, RANGELOCK_WRITE, acquire);
}

void rl_annotate_releasing(const void *lock, uint64_t start, uint64_t end, unsigned mode)
{
	/* Else the request is idle, of which the caller will be told. */
	if (start < end)
		each_name(lock, start, end, mode == RANGELOCK_WRITE, release);
}

void rl_annotate_private(const volatile void *memory, size_t size)
{
#ifdef RL_VALGRIND
	if (helgrind)
		VALGRIND_HG_DISABLE_CHECKING(memory, size);
	if (drd)
		VALGRIND_DO_CLIENT_REQUEST_STMT(VG_USERREQ__DRD_START_SUPPRESSION, memory, size, 0,
						0, 0);
#else
	(void)memory, (void)size;
#endif
}

#endif
