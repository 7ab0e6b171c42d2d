/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools of nodes: pool.h.
 *
 * A node is in use, free in one thread's pool, retired in one, or in the stock, which
 * is what threads that have ended, or that retire more than they take, leave to others.
 * Of the stock all is retired.  It has shelves, with a chain of nodes each, so that nobody
 * needs to go along a chain, and where they are full a stack, to which chains are pushed, and
 * from which all is taken at once: so it knows no ABA.
 *
 *   release                                     acquire
 *   put on a shelf (CAS), push on the stack     exchange that takes it
 *   (CAS)
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

#ifndef RL_POOL_SHELVES
#define RL_POOL_SHELVES 16
#endif

#ifndef rl_note_nodes
#define rl_note_nodes(n) ((void)0) /* how many more are in use */
#endif

struct pool {
	struct list_node *free, *retired;
	uint32_t n_retired;
	uint32_t n_last; /* of its last allocation */
	struct rcu_ending ending;
	bool known; /* to be emptied when the thread ends */
};

static RL_THREAD_LOCAL struct pool pool;
static _Atomic(struct list_node *) stack;
static _Atomic(struct list_node *) shelves[RL_POOL_SHELVES];

static void push_to_stack(struct list_node *first)
{
	struct list_node *last = first, *head = rl_load(&stack, relaxed);

	if (!first)
		return;
	while (last->link)
		last = last->link;
	do
		last->link = head;
	while (!rl_cas(&stack, &head, first, release, relaxed));
}

static void put_in_stock(struct list_node *chain)
{
	for (int i = 0; i < RL_POOL_SHELVES; i++) {
		struct list_node *none = NULL;

		if (!rl_load(&shelves[i], relaxed) &&
		    rl_cas(&shelves[i], &none, chain, release, relaxed))
			return;
	}
	push_to_stack(chain);
}

/* A chain, or all of the stack, or NULL. */
static struct list_node *take_from_stock(void)
{
	struct list_node *chain = NULL;

	for (int i = 0; !chain && i < RL_POOL_SHELVES; i++)
		if (rl_load(&shelves[i], relaxed))
			chain = rl_exchange(&shelves[i], NULL, acquire);
	return chain || !rl_load(&stack, relaxed) ? chain : rl_exchange(&stack, NULL, acquire);
}

static void make_free(struct pool *mine, struct list_node *node)
{
	node->link = mine->free;
	mine->free = node;
}

static struct list_node *take_retired(struct pool *mine)
{
	struct list_node *chain = mine->retired;

	mine->retired = NULL;
	mine->n_retired = 0;
	return chain;
}

/* What may be few, and not worth a grace period, goes to the stack. */
static void leave_all(struct rcu_ending *ending)
{
	struct pool *mine = (struct pool *)(void *)((char *)ending - offsetof(struct pool, ending));

	push_to_stack(take_retired(mine));
	push_to_stack(mine->free);
	mine->free = NULL;
	mine->known = false;
}

static void use_retired(struct pool *mine)
{
	rl_rcu_synchronize();
	mine->free = take_retired(mine);
}

/* False: there is nothing. */
static bool use_stock(struct pool *mine)
{
	struct list_node *chain = take_from_stock();

	if (!chain)
		return false;
	rl_rcu_synchronize();
	mine->free = chain;
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
		mine->known = rl_rcu_at_thread_end(&mine->ending, leave_all);
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
	if (!mine->retired)
		become_known(mine); /* it may never take any */
	node->link = mine->retired; /* P1 */
	mine->retired = node;
	if (++mine->n_retired == 2 * RL_POOL_BATCH)
		put_in_stock(take_retired(mine));
}

#ifdef RL_ATOMIC_HEADER
void rl_pool_forget(void)
{
	rl_store(&stack, NULL, relaxed);
	for (int i = 0; i < RL_POOL_SHELVES; i++)
		rl_store(&shelves[i], NULL, relaxed);
}
#endif
