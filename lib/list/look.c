/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at a list: walk, is_locked. */
#include <errno.h>

#include "base/rcu.h"
#include "list/chain.h"
#include "list/list.h"

/* Call fn for the nodes in order, while it returns 0; of one request that is in the word,
 * with a node that stands for it.  EINVAL: the lock is destroyed. */
struct visit {
	int (*fn)(struct lock *lock, const struct list_node *n, uint32_t state, void *arg);
	void *arg;
};

static int visit_list(struct lock *lock, const struct visit *visit)
{
	uintptr_t at = rl_load(&lock->word, acquire); /* O2 */
	int stop = 0;

	if (!is_node(at))
		return 0;
	for (struct list_node *n = to_node(at); n && !stop; n = to_node(at)) {
		at = rl_load(&n->next, seq_cst); /* L8 */
		if (!(at & NEXT_MARK))
			stop = visit->fn(lock, n, rl_load(&n->state, seq_cst), visit->arg);
	}
	return stop;
}

static int visit_all(struct lock *lock, const struct visit *visit)
{
	for (;;) {
		uintptr_t word = rl_list_newest_word(lock);

		if (word == WORD_DEAD)
			return EINVAL;
		if (!(word & WORD_FAST)) {
			rl_rcu_read_lock();
			int stop = visit_list(lock, visit);
			rl_rcu_read_unlock();
			return stop;
		}
		if (rl_cas(&lock->word, &word, WORD_LOCKED, acquire, relaxed)) { /* L1 */
			struct req *holder = (struct req *)(word - WORD_FAST);
			struct list_node node = { .start = holder->node.start,
						  .end = holder->node.end,
						  .owner = holder };
			uint32_t state = STATE_HELD | mode_bit(holder->mode);

			rl_list_unlock_word(lock, word);
			return visit->fn(NULL, &node, state, visit->arg);
		}
	}
}

/* What is_locked() looks for: start moves on as far as all is held. */
struct cover {
	uint64_t start, end;
	unsigned mode;
};

static int extend_cover(struct lock *lock, const struct list_node *n, uint32_t state, void *arg)
{
	struct cover *cover = arg;

	(void)lock;
	if (n->start > cover->start)
		return 1;
	if ((state & STATE_PHASE) == STATE_HELD && mode_of(state) >= cover->mode &&
	    n->end > cover->start)
		cover->start = n->end;
	return cover->start >= cover->end;
}

bool rl_list_is_locked(struct lock *lock, uint64_t start, uint64_t end, unsigned mode)
{
	struct cover cover = { start, end, mode };

	visit_all(lock, &(struct visit){ extend_cover, &cover });
	return cover.start >= end;
}

/* Those that a waiting one, n, waits for. */
struct count {
	const struct list_node *n;
	uint32_t state;
	uint64_t blockers;
};

static bool is_waiting_state(uint32_t state)
{
	return (state & STATE_PHASE) <= STATE_PENDING && state & STATE_TICKET;
}

static int count_blocker(struct lock *lock, const struct list_node *q, uint32_t state, void *arg)
{
	struct count *count = arg;
	const struct list_node *n = count->n;

	(void)lock;
	count->blockers += q != n && q->start < n->end && n->start < q->end &&
			   (state | count->state) & STATE_WRITE &&
			   ((state & STATE_PHASE) == STATE_HELD ||
			    (is_waiting_state(state) && q->ticket < n->ticket));
	return q->start >= n->end;
}

struct walk {
	rangelock_walk_fn *fn;
	void *arg;
};

static int show(struct lock *lock, const struct list_node *n, uint32_t state, void *arg)
{
	const struct walk *walk = arg;
	bool waits = is_waiting_state(state);
	struct count count = { n, state, 0 };

	if (!waits && (state & STATE_PHASE) != STATE_HELD)
		return 0;
	if (waits)
		visit_list(lock, &(struct visit){ count_blocker, &count });
	struct rangelock_info info = {
		.start = n->start,
		.end = n->end,
		.mode = (enum rangelock_mode)mode_of(state),
		.state = waits ? RANGELOCK_WAITING : RANGELOCK_HELD,
		.req = (const struct rangelock_req *)(const void *)n->owner,
		.arrival = waits ? n->ticket + 1 : 0,
		.blockers = count.blockers,
	};
	return walk->fn(&info, walk->arg);
}

int rl_list_walk(struct lock *lock, rangelock_walk_fn *fn, void *arg)
{
	return visit_all(lock, &(struct visit){ show, &(struct walk){ fn, arg } });
}
