/* SPDX-License-Identifier: BSD-2-Clause */
/* Several ranges as one arrival: list.c has the invariants, V1 and V2. */
#include <errno.h>

#include "base/rcu.h"
#include "list/contend.h"
#include "list/fork.h"

static void give_back(struct list_node *head)
{
	struct list_node *next;

	for (struct list_node *m = first_member(head); m; m = next) {
		next = next_member(head, m);
		rl_pool_give_back(m);
	}
	rl_pool_give_back(head);
}

/* The head, which leads to a node for each, in order.  NULL: there is no memory. */
static struct list_node *make_vector(struct lock *lock, struct req *first,
				     const struct rangelock_range ranges[], size_t n)
{
	struct list_node *head = rl_list_new_node(lock);

	if (!head)
		return NULL;
	/* It overlaps nothing. */
	describe_node(head, NULL, 0, 0, STATE_TRYING | STATE_VECTOR);
	for (size_t i = n; i-- > 0;) {
		struct list_node *m = rl_list_new_node(lock);

		if (!m) {
			give_back(head);
			return NULL;
		}
		describe_node(m, nth_req(first, i), ranges[i].start, ranges[i].end,
			      STATE_FOLLOWER | mode_bit(ranges[i].mode));
		m->head = head;
		m->link = first_member(head);
		rl_store(&head->next, (uintptr_t)m, relaxed);
	}
	return head;
}

static enum arrival arrive(struct lock *lock, struct list_node *head, size_t n, int *ret_error)
{
	struct list_node *m = first_member(head);
	enum arrival arrival = rl_list_arrive(lock, m, n, ret_error);

	if (arrival == REFUSED)
		return arrival;
	while ((m = next_member(head, m)))
		rl_list_insert(lock, m); /* there is a list, of which the first is */
	return arrival;
}

int rl_list_lockv(struct lock *lock, struct req *first, const struct rangelock_range ranges[],
		  size_t n, const struct timespec *abstime)
{
	struct list_want want = {
		.start = ranges->start, .end = ranges->end, .mode = ranges->mode, .abstime = abstime
	};

	if (n == 1)
		return rl_list_lock(lock, first, &want);
	for (size_t i = 0; i < n; i++)
		if (waits_here(lock, nth_req(first, i)))
			return EINVAL;

	struct list_node *head = make_vector(lock, first, ranges, n);
	if (!head)
		return ENOMEM;

	struct call call = { .lock = lock, .x = head };
	int error;

	rl_list_begin(&call);
	if (arrive(lock, head, n, &error) == REFUSED) {
		rl_list_end(&call);
		give_back(head);
		return error;
	}
	error = rl_list_contend(lock, head, &want);
	if (error)
		return error;
	rl_list_accept(lock, head); /* each of it is on its own from here on */
	rl_list_end(&call);
	rl_pool_retire(head);
	return 0;
}
