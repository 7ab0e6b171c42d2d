/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first published range lock with a tree: Jan Kara, "Range reader/writer
 * lock" (2013), and Davidlohr Bueso, "locking: Introduce range reader/writer
 * lock" (2017), for the Linux kernel.
 *
 * An interval tree under one spinlock.  A request counts those in the tree
 * that it conflicts with, enters, and sleeps until its count is 0; whoever
 * leaves takes itself off the counts of those that overlap and came later, and
 * wakes those at 0 once it has dropped the spinlock.  As there, a waiter does
 * not spin before it sleeps.
 *
 * In the kernel nobody is preempted with the spinlock held.  Here a thread
 * that meets a held one yields after a while, so that the lock does not stand
 * still for a time slice.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ck_spinlock.h>

#include "bench/peers/peers.h"
#include "base/itree.h"

struct handle {
	struct itree_node node;
	bool write;
	unsigned blocking;
	uint64_t number;
	struct handle *wake_next;
	_Atomic uint32_t granted;
};

struct range_lock {
	ck_spinlock_fas_t spinlock;
	struct itree tree;
	uint64_t number;
};

static void spin_lock(struct range_lock *lock)
{
	for (unsigned tries = 1; !ck_spinlock_fas_trylock(&lock->spinlock); tries++) {
		if (tries % 128 == 0)
			sched_yield();
		ck_pr_stall();
	}
}

static struct handle *of_node(struct itree_node *node)
{
	return (struct handle *)(void *)node; /* its first member */
}

static inline int take(void *arg, struct handle *h, const struct op *op)
{
	struct range_lock *lock = arg;

	h->node.start = op->start;
	h->node.end = op->end;
	h->node.mark = ITREE_ANY;
	h->write = op->write;
	h->blocking = 0;
	atomic_store_explicit(&h->granted, 0, memory_order_relaxed);

	spin_lock(lock);
	h->number = ++lock->number;
	for (struct itree_node *n = rl_itree_first(&lock->tree, op->start, op->end, ITREE_ANY); n;
	     n = rl_itree_next(n, op->start, op->end, ITREE_ANY))
		h->blocking += op->write || of_node(n)->write;
	rl_itree_insert(&lock->tree, &h->node);
	bool granted = h->blocking == 0;
	ck_spinlock_fas_unlock(&lock->spinlock);

	if (!granted)
		while (!atomic_load_explicit(&h->granted, memory_order_acquire))
			syscall(SYS_futex, &h->granted, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return 0;
}

static inline int give(void *arg, struct handle *h, const struct op *op)
{
	struct range_lock *lock = arg;
	struct handle *wake = NULL;

	spin_lock(lock);
	rl_itree_remove(&lock->tree, &h->node);
	for (struct itree_node *n = rl_itree_first(&lock->tree, op->start, op->end, ITREE_ANY); n;
	     n = rl_itree_next(n, op->start, op->end, ITREE_ANY)) {
		struct handle *other = of_node(n);

		if (other->number < h->number || !(h->write || other->write))
			continue;
		if (--other->blocking == 0) {
			other->wake_next = wake;
			wake = other;
		}
	}
	ck_spinlock_fas_unlock(&lock->spinlock);

	while (wake) {
		struct handle *next = wake->wake_next;

		atomic_store_explicit(&wake->granted, 1, memory_order_release);
		syscall(SYS_futex, &wake->granted, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		wake = next;
	}
	return 0;
}

#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	struct range_lock *lock = new_lock(sizeof(*lock));

	(void)setting;
	ck_spinlock_fas_init(&lock->spinlock);
	return lock;
}

const struct bench_lock lock_kara_bueso = {
	.name = "kara-bueso",
	.what = "interval tree, spinlock and blocking counts, as the kernel series",
	.guards = true,
	.available = always_available,
	.create = create,
	.destroy = free,
	LOCK_CALLS,
};
