/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools of nodes: pool.h.
 *
 * A node is in use, free in one thread's pool, retired in one, or in the stock, which
 * is what threads that have ended, or that retire more than they take, leave to others.
 * Of the stock all is retired.  It is a stack to which nodes are pushed, and from which
 * all are taken at once: so it knows no ABA.
 *
 *   release                      acquire
 *   push to the stock (CAS)      load and CAS of who takes from it
 */
#include "list/pool.h"

#include <stddef.h>

#include "base/rcu.h"

#ifndef RL_POOL_BATCH
#define RL_POOL_BATCH 4096 /* nodes that share a grace period */
#endif

#ifndef RL_POOL_CHUNK
#define RL_POOL_CHUNK 64 /* nodes of the first allocation; the next has twice as many */
#endif

#ifndef rl_note_nodes
#define rl_note_nodes(n) ((void)0) /* how many more are in use */
#endif

struct pool {
	struct list_node *free, *retired;
	struct list_node *retired_first; /* the end of that chain */
	uint32_t n_retired;
	uint32_t n_last; /* of its last allocation */
	bool known;	 /* to be emptied when the thread ends */
};

static RL_THREAD_LOCAL struct pool pool;
static _Atomic(struct list_node *) stock;

static void push_to_stock(struct list_node *first, struct list_node *last)
{
	struct list_node *head = rl_load(&stock, relaxed);

	do
		last->link = head;
	while (!rl_cas(&stock, &head, first, release, relaxed));
}

static void make_free(struct pool *mine, struct list_node *node)
{
	node->link = mine->free;
	mine->free = node;
}

static void release_retired(struct pool *mine)
{
	if (mine->retired)
		push_to_stock(mine->retired, mine->retired_first);
	mine->retired = NULL;
	mine->n_retired = 0;
}

static void leave_all(void *arg)
{
	struct pool *mine = arg;
	struct list_node *last = mine->free;

	release_retired(mine);
	if (last) {
		while (last->link)
			last = last->link;
		push_to_stock(mine->free, last);
	}
	mine->free = NULL;
	mine->known = false;
}

/* After a grace period. */
static void use_retired(struct pool *mine)
{
	rl_rcu_synchronize();
	mine->free = mine->retired;
	mine->retired = NULL;
	mine->n_retired = 0;
}

/* Two batches of the stock at most.  False: it is empty.  Never does it look empty to others where
 * it is not, who would allocate, again and again. */
static bool use_stock(struct pool *mine)
{
	struct list_node *first, *last = NULL;

	rl_rcu_read_lock();
	first = rl_load(&stock, acquire);
	do {
		last = first;
		for (int i = 1; last && i < 2 * RL_POOL_BATCH && last->link; i++)
			last = last->link;
	} while (first && !rl_cas(&stock, &first, last->link, acquire, acquire));
	rl_rcu_read_unlock();
	if (!first)
		return false;
	rl_rcu_synchronize();
	last->link = NULL;
	mine->free = first;
	return true;
}

static bool allocate(struct pool *mine)
{
	uint32_t n = mine->n_last ? 2 * mine->n_last : RL_POOL_CHUNK;

	if (n > RL_POOL_BATCH)
		n = RL_POOL_BATCH;
	struct list_node *nodes = rl_rcu_allocate(n * sizeof(*nodes));
	if (!nodes)
		return false;
	for (uint32_t i = 0; i < n; i++)
		make_free(mine, &nodes[i]);
	mine->n_last = n;
	return true;
}

/* See to it that it leaves to others what it has when the thread ends. */
static void become_known(struct pool *mine)
{
	if (!mine->known)
		mine->known = rl_rcu_at_thread_end(leave_all, mine);
}

static void refill(struct pool *mine)
{
	become_known(mine);
	if (mine->n_retired >= RL_POOL_BATCH)
		use_retired(mine);
	else if (!use_stock(mine) && !allocate(mine) && mine->retired)
		use_retired(mine);
}

struct list_node *rl_pool_take(void)
{
	struct pool *mine = rl_mine(pool);

	if (!mine->free)
		refill(mine);
	struct list_node *node = mine->free;
	if (node) {
		mine->free = node->link;
		rl_prefetch(mine->free); /* the next one */
		rl_note_nodes(1);
	}
	return node;
}

void rl_pool_give_back(struct list_node *node)
{
	rl_note_nodes(-1);
	make_free(rl_mine(pool), node);
}

void rl_pool_retire(struct list_node *node)
{
	struct pool *mine = rl_mine(pool);

	rl_note_nodes(-1);
	if (!mine->retired) {
		become_known(mine); /* it may never take any */
		mine->retired_first = node;
	}
	node->link = mine->retired; /* P1 */
	mine->retired = node;
	if (++mine->n_retired == 2 * RL_POOL_BATCH)
		release_retired(mine);
}

#ifdef RL_ATOMIC_HEADER
void rl_pool_forget(void)
{
	rl_store(&stock, NULL, relaxed);
}
#endif
