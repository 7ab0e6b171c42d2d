/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The range lock of Xiang Song and others, "Parallelizing Live Migration of Virtual
 * Machines", VEE 2013: a skip list (Pugh, 1990) of the ranges that are held, under a
 * spinlock.
 *
 * Who wants a range looks, under the spinlock, for one that overlaps; if there is one it
 * yields the processor and tries again.  It knows no readers.
 *
 * A node is in its holder's handle, so nothing is allocated.  In the kernel nobody is
 * preempted with the spinlock held; here a thread that meets a held one yields after a while.
 */
#include <sched.h>

#include <ck_spinlock.h>

#include "bench/peers/peers.h"
#include "common/random.h"

enum { LEVELS = 16 }; /* a quarter of each is on the next */

struct node {
	uint64_t start, end;
	unsigned levels;
	struct node *next[LEVELS];
};

struct handle {
	struct node node;
};

struct skip_lock {
	ck_spinlock_fas_t spinlock;
	struct rng rng;
	struct node head;
};

static void spin_lock(struct skip_lock *lock)
{
	for (unsigned tries = 1; !ck_spinlock_fas_trylock(&lock->spinlock); tries++) {
		if (tries % 128 == 0)
			sched_yield();
		ck_pr_stall();
	}
}

static unsigned random_levels(struct skip_lock *lock)
{
	unsigned quarters = (unsigned)__builtin_ctzll(rng_next(&lock->rng) | (uint64_t)1 << 62) / 2;

	return quarters < LEVELS ? quarters + 1 : LEVELS;
}

/* On each level the last one that starts before that. */
static void find(struct skip_lock *lock, uint64_t start, struct node **before)
{
	struct node *n = &lock->head;

	for (unsigned level = lock->head.levels; level-- > 0;) {
		while (n->next[level] && n->next[level]->start < start)
			n = n->next[level];
		before[level] = n;
	}
}

static bool try_insert(struct skip_lock *lock, struct node *node)
{
	struct node *before[LEVELS];

	find(lock, node->start, before);
	if (before[0] != &lock->head && before[0]->end > node->start)
		return false;
	if (before[0]->next[0] && before[0]->next[0]->start < node->end)
		return false;

	node->levels = random_levels(lock);
	while (lock->head.levels < node->levels)
		before[lock->head.levels++] = &lock->head;
	for (unsigned level = 0; level < node->levels; level++) {
		node->next[level] = before[level]->next[level];
		before[level]->next[level] = node;
	}
	return true;
}

static inline int take(void *arg, struct handle *h, const struct op *op)
{
	struct skip_lock *lock = arg;

	h->node.start = op->start;
	h->node.end = op->end;
	for (;;) {
		spin_lock(lock);
		bool done = try_insert(lock, &h->node);
		ck_spinlock_fas_unlock(&lock->spinlock);
		if (done)
			return 0;
		sched_yield();
	}
}

static inline int give(void *arg, struct handle *h, const struct op *op)
{
	struct skip_lock *lock = arg;
	struct node *before[LEVELS];

	(void)op;
	spin_lock(lock);
	find(lock, h->node.start, before);
	for (unsigned level = 0; level < h->node.levels; level++)
		before[level]->next[level] = h->node.next[level];
	while (lock->head.levels > 1 && !lock->head.next[lock->head.levels - 1])
		lock->head.levels--;
	ck_spinlock_fas_unlock(&lock->spinlock);
	return 0;
}

#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	struct skip_lock *lock = new_lock(sizeof(*lock));

	(void)setting;
	ck_spinlock_fas_init(&lock->spinlock);
	lock->rng = rng_make(2013, 0);
	lock->head.levels = 1;
	return lock;
}

const struct bench_lock lock_song = {
	.name = "song",
	.what = "skip list under a spinlock, yielding, of the 2013 paper",
	.guards = true,
	.no_readers = true,
	.available = always_available,
	.create = create,
	.destroy = free,
	LOCK_CALLS,
};
