/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of what is held.  Another node of the same owner comes in, for what is to be
 * held, and the old one leaves: list.c has the invariants.
 */
#include <errno.h>

#include "base/rcu.h"
#include "list/contend.h"
#include "list/fork.h"
#include "list/list.h"

/* The node of what req holds, which is made where it was the word. */
static int own_node(struct lock *lock, struct req *req, struct list_node **ret_node)
{
	for (;;) {
		uintptr_t word = list_word(lock);

		if (word == WORD_DEAD)
			return EINVAL;
		if (word != fast_word(req))
			break;
		struct list_node *x = rl_list_new_node(lock);
		struct call call = { .lock = lock };
		if (!x)
			return ENOMEM;
		rl_list_begin(&call);
		bool inflated = rl_list_inflate(lock, word, x);
		rl_list_end(&call);
		if (!inflated)
			rl_pool_give_back(x);
	}
	if (!holds_here(lock, req))
		return EPERM;
	*ret_node = rl_load(&req->list_node, relaxed);
	return 0;
}

/* A node for [start, end) of owner, which nobody has seen; or NULL. */
static struct list_node *new_node(struct lock *lock, struct req *owner, uint64_t start,
				  uint64_t end, uint32_t state)
{
	struct list_node *n = rl_list_new_node(lock);

	if (n)
		describe_node(n, owner, start, end, state);
	return n;
}

static uint32_t write_bit(const struct list_node *x)
{
	return rl_load(&x->state, relaxed) & STATE_WRITE;
}

void rl_list_move_to(struct lock *lock, struct list_node *y)
{
	set_range(y->owner, y);
	set_node(lock, y->owner, y);
}

/* c->x, and c->tail if there is one, are held: c->old leaves. */
static void take_the_place(const struct call *c)
{
	rl_rcu_read_lock();
	rl_list_replace(c->lock, c->old, c->x, c->tail);
	rl_rcu_read_unlock();
	rl_list_move_to(c->lock, c->x);
	rl_list_end(c);
	rl_pool_retire(c->old);
}

/* From x to y, and tail if there is one, which hold no more. */
static void shrink(struct lock *lock, struct list_node *x, struct list_node *y,
		   struct list_node *tail)
{
	struct call call = { lock, .req = y->owner, .x = y, .old = x, .tail = tail };

	rl_list_begin(&call);
	if (tail)
		rl_list_accept(lock, tail);
	rl_rcu_read_lock();
	rl_list_insert_last(lock, y); /* L10 */
	if (tail)
		rl_list_insert_last(lock, tail);
	rl_rcu_read_unlock();
	take_the_place(&call);
}

/* From x to [start, end) with this mode, as soon as others are out of the way; kind is
 * STATE_UPGRADE, or it is a try. */
static int grow(struct lock *lock, struct list_node *x, uint64_t start, uint64_t end, uint32_t mode,
		uint32_t kind)
{
	const struct list_want want = { .try = !kind, .held = x };
	struct list_node *y = new_node(lock, x->owner, start, end, STATE_TRYING | mode | kind);

	if (!y)
		return ENOMEM;

	struct call call = { lock, .req = y->owner, .x = y, .old = x };
	rl_list_begin(&call);
	rl_rcu_read_lock();
	rl_list_insert_last(lock, y);
	int error = rl_list_contend(lock, y, &want);
	if (!error)
		take_the_place(&call);
	return error;
}

int rl_list_downgrade(struct lock *lock, struct req *req)
{
	struct list_node *x, *y;
	int error = own_node(lock, req, &x);

	if (error || !write_bit(x))
		return error;
	if (!(y = new_node(lock, req, x->start, x->end, STATE_HELD)))
		return ENOMEM;
	shrink(lock, x, y, NULL);
	return 0;
}

int rl_list_try_upgrade(struct lock *lock, struct req *req)
{
	struct list_node *x;
	int error = own_node(lock, req, &x);

	if (error || write_bit(x))
		return error;
	return grow(lock, x, x->start, x->end, STATE_WRITE, 0);
}

int rl_list_upgrade(struct lock *lock, struct req *req)
{
	struct list_node *x;
	int error = own_node(lock, req, &x);

	if (error || write_bit(x))
		return error;
	return grow(lock, x, x->start, x->end, STATE_WRITE, STATE_UPGRADE);
}

int rl_list_reduce(struct lock *lock, struct req *req, uint64_t start, uint64_t end)
{
	struct list_node *x, *y;
	int error = own_node(lock, req, &x);

	if (error)
		return error;
	if (start < x->start || x->end < end)
		return EINVAL;
	if (!(y = new_node(lock, req, start, end, STATE_HELD | write_bit(x))))
		return ENOMEM;
	shrink(lock, x, y, NULL);
	return 0;
}

int rl_list_split(struct lock *lock, struct req *req, uint64_t at, struct req *tail)
{
	struct list_node *x;
	int error = own_node(lock, req, &x);

	if (error)
		return error;
	if (!is_free(tail) || waits_here(lock, tail) || at <= x->start || x->end <= at)
		return EINVAL;

	struct list_node *y = new_node(lock, req, x->start, at, STATE_HELD | write_bit(x));
	struct list_node *z = y ? new_node(lock, tail, at, x->end, STATE_HELD | write_bit(x))
				: NULL;
	if (!z) {
		if (y)
			rl_pool_give_back(y);
		return ENOMEM;
	}
	shrink(lock, x, y, z);
	return 0;
}

int rl_list_try_extend(struct lock *lock, struct req *req, uint64_t start, uint64_t end)
{
	struct list_node *x;
	int error = own_node(lock, req, &x);

	if (error)
		return error;
	if (x->start < start || end < x->end)
		return EINVAL;
	return grow(lock, x, start, end, write_bit(x), 0);
}
