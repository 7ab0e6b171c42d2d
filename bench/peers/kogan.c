/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of Alex Kogan, Dave Dice and Shady Issa, "Scalable Range Locks for
 * Scalable Address Spaces and Beyond", EuroSys 2020; with readers and writers.
 *
 * Who holds or wants a range has a node in a list sorted by start, inserted by one
 * compare-and-swap behind those that are before it, once those that conflict with it there
 * are gone.  Who gives its range up marks its node's next pointer, and that is all: others
 * unlink the node when they come by.  Readers may overlap, so a writer may meet readers
 * on its way from the head that were not there before, and a reader writers that have come
 * after it.  Once inserted, a reader looks ahead and waits for such writers; a
 * writer looks from the head, and where it finds a reader gives up and starts again.
 *
 * Also as there: an empty list is taken by a node that is marked in the head itself,
 * which another one unmarks before it goes on (the fast path); nodes come from two pools
 * of each thread, one to allocate from and one of those unlinked, which change places after a
 * barrier: every thread that was inside the list has left it.  Threads wait by
 * spinning.  Their fairness layer is left out, as in their figures.
 *
 * Where there are more threads than processors, one that spins yields after a while.
 * And one that holds a range while it takes others must not wait for a thread that waits
 * for that range: if the barrier takes long, memory is allocated instead.
 */
#include <sched.h>

#include <ck_pr.h>

#include "bench/peers/peers.h"

enum { POOL = 128, BARRIER_PATIENCE = 64 };

struct node {
	_Alignas(64) uint64_t start, end;
	_Atomic uintptr_t next; /* bit 0: the owner has given it up */
	bool reader;
	struct node *pooled; /* the next in a pool */
};

struct thread {
	_Alignas(128) _Atomic uint64_t epoch; /* odd: inside the list */
	struct node *active, *reclaimed;
	struct node *chunks; /* all memory: the first node of each is a link */
};

struct list_lock {
	_Alignas(128) _Atomic uintptr_t head;
	_Alignas(128) unsigned threads;
	uint64_t *seen; /* of each thread, by each */
	struct thread thread[];
};

struct handle {
	struct thread *thread;
	struct node *node;
};

/* A test widens its windows, and leaves the looks after insertion out to see that they are missed. */
#ifndef KOGAN_WINDOW
#define KOGAN_WINDOW() ((void)0)
#endif
#ifndef KOGAN_VALIDATES
#define KOGAN_VALIDATES true
#endif

static bool is_marked(uintptr_t p)
{
	return p & 1;
}

static struct node *node_of(uintptr_t p)
{
	return (struct node *)(p & ~(uintptr_t)1);
}

static void relax(unsigned *spins)
{
	if (++*spins % 128 == 0)
		sched_yield();
	ck_pr_stall();
}

/* ---- Pools ---- */

static void grow(struct thread *t)
{
	struct node *chunk = new_lock((POOL + 1) * sizeof(*chunk));

	chunk->pooled = t->chunks;
	t->chunks = chunk;
	for (unsigned i = 1; i <= POOL; i++) {
		chunk[i].pooled = t->active;
		t->active = &chunk[i];
	}
}

/* Has every thread that was inside the list left it? */
static bool barrier(struct list_lock *lock, const struct thread *self)
{
	uint64_t *seen = lock->seen + (self - lock->thread) * (ptrdiff_t)lock->threads;
	unsigned patience = BARRIER_PATIENCE;

	for (unsigned i = 0; i < lock->threads; i++)
		seen[i] = atomic_load(&lock->thread[i].epoch);
	for (unsigned i = 0; i < lock->threads; i++)
		while (seen[i] % 2 && atomic_load(&lock->thread[i].epoch) == seen[i]) {
			if (patience-- == 0)
				return false;
			sched_yield();
		}
	return true;
}

static struct node *allocate(struct list_lock *lock, struct thread *t)
{
	if (!t->active) {
		if (t->reclaimed && barrier(lock, t)) {
			t->active = t->reclaimed;
			t->reclaimed = NULL;
		} else {
			grow(t);
		}
	}
	struct node *node = t->active;
	t->active = node->pooled;
	return node;
}

static void reclaim(struct thread *t, struct node *node)
{
	node->pooled = t->reclaimed;
	t->reclaimed = node;
}

/* ---- The list ---- */

static void enter(struct thread *t)
{
	/* Before anything is read of the list. */
	atomic_store(&t->epoch, atomic_load_explicit(&t->epoch, memory_order_relaxed) + 1);
}

static void leave(struct thread *t)
{
	uint64_t epoch = atomic_load_explicit(&t->epoch, memory_order_relaxed);

	atomic_store_explicit(&t->epoch, epoch + 1, memory_order_release);
}

/* Unlink cur, which is marked, from behind prev; the next one. */
static struct node *unlink_node(struct thread *t, _Atomic uintptr_t *prev, struct node *cur,
				uintptr_t next)
{
	uintptr_t expected = (uintptr_t)cur;

	if (atomic_compare_exchange_strong(prev, &expected, next & ~(uintptr_t)1))
		reclaim(t, cur);
	return node_of(next);
}

static void wait_for(struct node *cur)
{
	for (unsigned spins = 0; !is_marked(atomic_load(&cur->next));)
		relax(&spins);
}

/* -1: cur is before node, and is passed; 1: behind; 0: they conflict. */
static int compare(const struct node *cur, const struct node *node)
{
	bool share = cur->reader && node->reader;

	if (node->start >= cur->end || (share && node->start >= cur->start))
		return -1;
	if (cur->start >= node->end || (share && cur->start >= node->start))
		return 1;
	return 0;
}

/* A reader that is in the list: wait for the writers behind it. */
static void validate_reader(struct thread *t, struct node *node)
{
	_Atomic uintptr_t *prev = &node->next;
	struct node *cur = node_of(atomic_load(prev));

	while (cur && cur->start < node->end) {
		uintptr_t next = atomic_load(&cur->next);

		if (is_marked(next)) {
			cur = unlink_node(t, prev, cur, next);
		} else if (cur->reader) {
			prev = &cur->next;
			cur = node_of(next);
		} else {
			wait_for(cur);
		}
	}
}

/* A writer that is in the list: is nobody before it who conflicts with it?  If somebody is,
 * it has left the list. */
static bool validate_writer(struct list_lock *lock, struct thread *t, struct node *node)
{
	_Atomic uintptr_t *prev = &lock->head;
	struct node *cur = node_of(atomic_load(prev));

	while (cur != node) {
		uintptr_t next = atomic_load(&cur->next);

		if (is_marked(next)) {
			cur = unlink_node(t, prev, cur, next);
		} else if (cur->end <= node->start) {
			prev = &cur->next;
			cur = node_of(next);
		} else {
			atomic_fetch_add(&node->next, 1);
			return false;
		}
	}
	return true;
}

/* Insert node where it belongs, after those that conflict with it there have gone. */
static void insert(struct list_lock *lock, struct thread *t, struct node *node)
{
restart:;
	_Atomic uintptr_t *prev = &lock->head;
	uintptr_t word = atomic_load(prev);

	for (;;) {
		if (is_marked(word)) {
			if (prev != &lock->head) /* the node of prev is gone */
				goto restart;
			if (atomic_compare_exchange_strong(prev, &word, word - 1))
				word--;
			continue;
		}
		struct node *cur = node_of(word);
		uintptr_t next = cur ? atomic_load(&cur->next) : 0;

		if (is_marked(next)) {
			word = (uintptr_t)unlink_node(t, prev, cur, next);
			continue;
		}
		switch (cur ? compare(cur, node) : 1) {
		case -1:
			prev = &cur->next;
			word = atomic_load(prev);
			break;
		case 0:
			wait_for(cur);
			break;
		default:
			KOGAN_WINDOW();
			atomic_store_explicit(&node->next, word, memory_order_relaxed);
			if (atomic_compare_exchange_strong(prev, &word, (uintptr_t)node))
				return;
		}
	}
}

static struct node *make_node(struct list_lock *lock, struct thread *t, const struct op *op)
{
	struct node *node = allocate(lock, t);

	node->start = op->start;
	node->end = op->end;
	node->reader = !op->write;
	atomic_store_explicit(&node->next, 0, memory_order_relaxed);
	return node;
}

static inline int take(void *arg, struct handle *h, const struct op *op)
{
	struct list_lock *lock = arg;
	struct thread *t = h->thread;
	uintptr_t empty = 0;

	h->node = make_node(lock, t, op);
	if (atomic_load_explicit(&lock->head, memory_order_relaxed) == 0 &&
	    atomic_compare_exchange_strong(&lock->head, &empty, (uintptr_t)h->node + 1))
		return 0;

	enter(t);
	for (;;) {
		insert(lock, t, h->node);
		if (!KOGAN_VALIDATES)
			break;
		if (h->node->reader) {
			validate_reader(t, h->node);
			break;
		}
		if (validate_writer(lock, t, h->node))
			break;
		leave(t);
		h->node = make_node(lock, t, op); /* the other one waits to be unlinked */
		enter(t);
	}
	leave(t);
	return 0;
}

static inline int give(void *arg, struct handle *h, const struct op *op)
{
	struct list_lock *lock = arg;
	uintptr_t alone = (uintptr_t)h->node + 1;

	(void)op;
	if (atomic_load_explicit(&lock->head, memory_order_relaxed) == alone &&
	    atomic_compare_exchange_strong(&lock->head, &alone, 0))
		reclaim(h->thread, h->node);
	else
		atomic_fetch_add(&h->node->next, 1);
	return 0;
}

static void prepare(void *arg, struct handle *h, unsigned thread)
{
	h->thread = &((struct list_lock *)arg)->thread[thread];
}

#define PREPARE
#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	size_t n = setting->threads;
	struct list_lock *lock = new_lock(sizeof(*lock) + n * sizeof(lock->thread[0]));

	lock->threads = setting->threads;
	lock->seen = new_lock(n * n * sizeof(*lock->seen));
	for (size_t i = 0; i < n; i++) {
		grow(&lock->thread[i]);
		lock->thread[i].reclaimed = lock->thread[i].active;
		lock->thread[i].active = NULL;
		grow(&lock->thread[i]);
	}
	return lock;
}

static void destroy(void *arg)
{
	struct list_lock *lock = arg;

	for (unsigned i = 0; i < lock->threads; i++)
		for (struct node *chunk = lock->thread[i].chunks, *next; chunk; chunk = next) {
			next = chunk->pooled;
			free(chunk);
		}
	free(lock->seen);
	free(lock);
}

const struct bench_lock lock_kogan = {
	.name = "kogan",
	.what = "sorted list without a lock, spinning, of the 2020 paper",
	.guards = true,
	.available = always_available,
	.create = create,
	.destroy = destroy,
	LOCK_CALLS,
};
