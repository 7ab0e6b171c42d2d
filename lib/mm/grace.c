/* SPDX-License-Identifier: BSD-2-Clause */
/* grace.h with liburcu. */
#include "mm/grace.h"

#include "base/urcu.h"

static _Thread_local unsigned depth;

void rl_mm_read_lock(void)
{
	rl_urcu_read_lock();
	depth++;
}

void rl_mm_read_unlock(void)
{
	depth--;
	rl_urcu_read_unlock();
}

bool rl_mm_in_read_section(void)
{
	return depth > 0;
}

void rl_mm_synchronize(void)
{
	rl_urcu_synchronize();
}

void rl_mm_retirement_init(struct retirement *r)
{
	pthread_mutex_init(&r->lock, NULL);
	r->first = NULL;
	r->n = 0;
}

void rl_mm_retire(struct retirement *r, struct retired *what, void (*free_it)(struct retired *))
{
	what->free = free_it;
	pthread_mutex_lock(&r->lock);
	what->next = r->first;
	r->first = what;
	r->n++;
	pthread_mutex_unlock(&r->lock);
}

void rl_mm_reap(struct retirement *r, size_t at_least)
{
	pthread_mutex_lock(&r->lock);
	struct retired *list = r->n >= at_least ? r->first : NULL;
	if (list) {
		r->first = NULL;
		r->n = 0;
	}
	pthread_mutex_unlock(&r->lock);

	if (!list)
		return;
	rl_mm_synchronize();
	while (list) {
		struct retired *next = list->next;

		list->free(list);
		list = next;
	}
}

void rl_mm_retirement_end(struct retirement *r)
{
	rl_mm_reap(r, 1);
	pthread_mutex_destroy(&r->lock);
}
