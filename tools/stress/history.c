/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory and the order of a history: history.h. */
#include "stress/history.h"

#include <stdlib.h>
#include <string.h>

const char *const call_names[N_CALLS] = {
	"rdlock",  "wrlock",	   "tryrdlock",	    "trywrlock",  "timedrdlock", "timedwrlock",
	"unlock",  "cancel",	   "downgrade",	    "tryupgrade", "upgrade",	 "reduce",
	"split",   "tryextend",	   "rdlock_nested", "lockv",	  "unlockv",	 "submit",
	"reserve", "reserve_gap",  "commit",	    "unreserve",  "is_reserved", "enter",
	"leave",   "wait_entered", "lock_chosen",   "walk",	  "is_locked",	 "init",
	"destroy",
};

/* ---- Memory ---- */

enum { MOST_CANCELS = 1 << 14, MOST_SIGHTINGS = 1 << 16 };

static void *touched(size_t n, size_t size)
{
	void *memory = aligned_alloc(64, (n * size + 63) / 64 * 64);

	if (memory)
		memset(memory, 0, n * size); /* no page faults in the run */
	return memory;
}

bool history_init(struct history *h, unsigned n, bool fifo)
{
	uint32_t room = (1u << 18) / (n + 1) < 4096 ? 4096 : (1u << 18) / (n + 1);
	size_t total = (size_t)room * (n + 1) + (size_t)room / 8 * n;
	bool ok = true;

	*h = (struct history){ .fifo = fifo, .n_workers = n, .n_logs = 2 * n + 1 };
	for (unsigned i = 0; i < h->n_logs; i++) {
		uint32_t size = i <= n ? room : room / 8;

		h->logs[i] = (struct log){ touched(size, sizeof(struct life)), 0, size };
		ok = ok && h->logs[i].lives;
	}
	h->cancels =
	    (struct events){ touched(MOST_CANCELS, sizeof(struct event)), 0, MOST_CANCELS };
	h->sightings =
	    (struct events){ touched(MOST_SIGHTINGS, sizeof(struct event)), 0, MOST_SIGHTINGS };
	h->by_call = touched(total, sizeof(struct life *));
	h->by_return = touched(total, sizeof(struct life *));
	h->sighted = touched(MOST_SIGHTINGS, sizeof(struct life *));
	h->scratch = touched(total, sizeof(struct life *));
	return ok && h->cancels.all && h->sightings.all && h->by_call && h->by_return &&
	       h->sighted && h->scratch;
}

void history_clear(struct history *h)
{
	for (unsigned i = 0; i < h->n_logs; i++)
		h->logs[i].n = 0;
	h->cancels.n = h->sightings.n = 0;
}

void history_free(struct history *h)
{
	for (unsigned i = 0; i < h->n_logs; i++)
		free(h->logs[i].lives);
	free(h->cancels.all);
	free(h->sightings.all);
	free(h->by_call);
	free(h->by_return);
	free(h->sighted);
	free(h->scratch);
}

/* ---- Order ---- */

/* A heap of the logs, the one whose next life comes first on top. */
struct head {
	int64_t key;
	struct life *life, *end;
};

static void sift_down(struct head *heap, unsigned n, unsigned i)
{
	struct head moving = heap[i];

	for (unsigned child; (child = 2 * i + 1) < n; i = child) {
		child += child + 1 < n && heap[child + 1].key < heap[child].key;
		if (moving.key <= heap[child].key)
			break;
		heap[i] = heap[child];
	}
	heap[i] = moving;
}

/* Each log is in either order already. */
size_t history_sort(struct history *h, bool by_return, struct life **order)
{
	struct head heap[2 * MAX_THREADS + 1];
	unsigned heads = 0;
	size_t n = 0;

	for (unsigned i = 0; i < h->n_logs; i++) {
		struct life *life = h->logs[i].lives;

		if (h->logs[i].n)
			heap[heads++] = (struct head){ by_return ? life->returned : life->called,
						       life, life + h->logs[i].n };
	}
	for (unsigned i = heads; i-- > 0;)
		sift_down(heap, heads, i);
	while (heads) {
		struct head *top = &heap[0];

		order[n++] = top->life++;
		if (top->life == top->end)
			*top = heap[--heads];
		else
			top->key = by_return ? top->life->returned : top->life->called;
		sift_down(heap, heads, 0);
	}
	return n;
}

size_t history_attribute(struct history *h)
{
	size_t n = 0;

	for (struct event *e = h->sightings.all; e < h->sightings.all + h->sightings.n; e++) {
		struct log *log = log_of(h, e->who, e->slot);
		uint32_t low = 0, high = log->n;

		while (low < high) { /* the first that returned after the walk */
			uint32_t middle = low + (high - low) / 2;

			if (log->lives[middle].returned < e->ended)
				low = middle + 1;
			else
				high = middle;
		}
		/* One call may be that of several requests. */
		while (low < log->n && log->lives[low].called <= e->began &&
		       log->lives[low].slot != e->slot)
			low++;
		struct life *life = &log->lives[low];
		e->life = NULL;
		if (low == log->n || life->called > e->began || life->moved)
			continue;
		/* Of a change what is shown as held is what it changes. */
		if (life->ahead && !e->waits)
			continue;
		e->life = life;
		if (life->seen == INT64_MAX) {
			life->seen = e->ended;
			h->sighted[n++] = life;
		}
	}
	return n;
}
