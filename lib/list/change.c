/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of what is held.  Another node of the same owner comes in, for what is to be
 * held, and the old one leaves: list.c has the invariants.
 */
#include <errno.h>

#include "base/rcu.h"
#include "list/contend.h"
#include "list/list.h"

/* The node of what req holds, which is made where it was the word. */
static int own_node(struct lock *lock, struct req *req, struct list_node **ret_node)
{
	for (;;) {
		uintptr_t word = rl_list_word(lock);

		if (word == WORD_DEAD)
			return EINVAL;
		if (word != fast_word(req))
			break;
		struct list_node *x = rl_pool_take();
		if (!x)
			return ENOMEM;
		if (!rl_list_inflate(lock, word, x))
			rl_pool_give_back(x);
	}
	if (!holds_here(lock, req))
		return EPERM;
	*ret_node = rl_load(&req->list_node, relaxed);
	return 0;
}

/* A node like x, which nobody has seen. */
static struct list_node *copy_of(const struct list_node *x)
{
	struct list_node *y = rl_pool_take();

	if (y)
		rl_list_describe(y, x->owner, x->start, x->end, rl_load(&x->state, relaxed));
	return y;
}

static void set_write(struct list_node *x, bool write)
{
	rl_store(&x->state, STATE_HELD | (write ? STATE_WRITE : 0), relaxed);
}

/* y, which is held in place of x, says what its owner holds. */
static void settle(struct lock *lock, struct list_node *x, struct list_node *y)
{
	struct req *req = y->owner;

	req->node.start = y->start;
	req->node.end = y->end;
	req->mode = (uint8_t)mode_of(rl_load(&y->state, relaxed));
	set_node(lock, req, y);
	rl_pool_retire(x);
}

int rl_list_downgrade(struct lock *lock, struct req *req)
{
	struct list_node *x, *y;
	int error = own_node(lock, req, &x);

	if (error)
		return error;
	if (!(rl_load(&x->state, relaxed) & STATE_WRITE))
		return 0;
	if (!(y = copy_of(x)))
		return ENOMEM;
	set_write(y, false);
	rl_rcu_read_lock();
	rl_list_insert_last(lock, y); /* L10 */
	rl_list_replace(lock, x, y, NULL);
	rl_rcu_read_unlock();
	settle(lock, x, y);
	return 0;
}
