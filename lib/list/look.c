/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at a list: walk, is_locked. */
#include "list/look.h"

#include <errno.h>

#include "base/rcu.h"
#include "list/fork.h"
#include "list/list.h"

static int visit_list(struct lock *lock, const struct visit *visit)
{
	uintptr_t at = rl_load(&lock->word, acquire); /* O2 */
	int stop = 0;

	if (!is_node(at))
		return 0;
	for (struct list_node *n = to_node(at); n && !stop; n = to_node(at)) {
		at = rl_load(&n->next, seq_cst); /* L8 */
		if (!is_marked(at))
			stop = visit->fn(lock, n, state_of(n), visit->arg);
	}
	return stop;
}

/* A picture of what is held in the word.  False: that has changed. */
static bool copy_holder(struct lock *lock, uintptr_t word, struct list_node *ret_node,
			uint32_t *ret_state)
{
	struct req *holder = req_in(word);

	if (!rl_list_lock_word(lock, word)) /* L1 */
		return false;
	*ret_node = (struct list_node){ .start = holder->node.start,
					.end = holder->node.end,
					.owner = holder };
	*ret_state = STATE_HELD | mode_bit(holder->mode);
	rl_list_unlock_word(lock, word);
	return true;
}

int rl_list_visit(struct lock *lock, const struct visit *visit)
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
		struct list_node node;
		uint32_t state;
		struct call call = { .lock = lock };

		rl_list_begin(&call);
		bool copied = copy_holder(lock, word, &node, &state);
		rl_list_end(&call);
		if (copied)
			return visit->fn(NULL, &node, state, visit->arg);
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
	struct cover cover;
	uint32_t growths;

	do {
		growths = rl_load(&lock->growths, acquire); /* O9 */
		cover = (struct cover){ start, end, mode };
		rl_list_visit(lock, &(struct visit){ extend_cover, &cover });
	} while (cover.start < end && rl_load(&lock->growths, relaxed) != growths); /* L10 */
	return cover.start >= end;
}

/* Those that a waiting one, n, waits for. */
struct count {
	const struct list_node *n;
	uint32_t state;
	uint64_t blockers;
};

/* q waits, and goes before the one that counts, who does not count one request twice. */
static bool goes_before(const struct list_node *q, uint32_t state, const struct count *count)
{
	if (!is_waiting_state(state) || (state & STATE_UPGRADE && count->state & STATE_WRITE))
		return false;
	if (rank(state) != rank(count->state))
		return rank(state) > rank(count->state);
	return ticket_of(q, state) < ticket_of(count->n, count->state);
}

static int count_blocker(struct lock *lock, const struct list_node *q, uint32_t state, void *arg)
{
	struct count *count = arg;
	const struct list_node *n = count->n;

	(void)lock;
	count->blockers += q->owner != n->owner && nodes_conflict(q, state, n, count->state) &&
			   ((state & STATE_PHASE) == STATE_HELD || goes_before(q, state, count));
	return q->start >= n->end;
}

/* The upgrade that waits of who holds count->n. */
static int find_upgrade(struct lock *lock, const struct list_node *q, uint32_t state, void *arg)
{
	struct count *count = arg;

	(void)lock;
	if (q->owner != count->n->owner || !is_waiting_state(state))
		return 0;
	count->n = q;
	count->state = state;
	return 1;
}

struct walk {
	rangelock_walk_fn *fn;
	void *arg;
	uint32_t growths;		     /* it has passed over nobody up to that many */
	uint64_t reached, until;	     /* it is between nodes that start there */
	const struct list_node *last, *next; /* these, if they are shown as held */
};

/* What n stands for, from start on. */
static int show(const struct walk *walk, struct lock *lock, const struct list_node *n,
		uint32_t state, uint64_t start)
{
	bool held = (state & STATE_PHASE) == STATE_HELD;
	bool waits = is_waiting_state(state) && !(state & STATE_UPGRADE);
	bool reserved = (state & (STATE_PHASE | STATE_COMMIT)) == STATE_RESERVED;
	struct count count = { n, state, 0 };

	if (!held && !waits && !reserved)
		return 0;
	if (waits || (lock && visit_list(lock, &(struct visit){ find_upgrade, &count })))
		visit_list(lock, &(struct visit){ count_blocker, &count });
	struct rangelock_info info = {
		.start = start,
		.end = n->end,
		.mode = (enum rangelock_mode)mode_of(state),
		.state = waits	    ? RANGELOCK_WAITING
			 : reserved ? RANGELOCK_RESERVED
				    : RANGELOCK_HELD,
		.req = (const struct rangelock_req *)(const void *)n->owner,
		.arrival = waits ? ticket_of(n, state) + 1 : 0,
		.blockers = count.blockers,
	};
	return walk->fn(&info, walk->arg);
}

static int show_passed(struct lock *lock, const struct list_node *n, uint32_t state, void *arg)
{
	const struct walk *walk = arg;

	if ((state & STATE_PHASE) != STATE_HELD || n == walk->last || n == walk->next ||
	    n->start > walk->until || n->end <= walk->reached)
		return 0;
	return show(walk, lock, n, state, n->start > walk->reached ? n->start : walk->reached);
}

/* Of those who have grown meanwhile some may have been passed over between the node that the
 * walk has come to and the next one (L10): all others that reach to there are shown once more. */
static int catch_up(struct walk *walk, struct lock *lock)
{
	int stop = 0;

	for (uint32_t now; !stop && (now = rl_load(&lock->growths, acquire)) != walk->growths;) {
		walk->growths = now;
		stop = visit_list(lock, &(struct visit){ show_passed, walk });
	}
	return stop;
}

static int show_next(struct lock *lock, const struct list_node *n, uint32_t state, void *arg)
{
	struct walk *walk = arg;

	walk->until = n->start;
	walk->next = (state & STATE_PHASE) == STATE_HELD ? n : NULL;
	int stop = lock ? catch_up(walk, lock) : 0;
	walk->reached = walk->until;
	walk->last = walk->next;
	return stop ? stop : show(walk, lock, n, state, n->start);
}

int rl_list_walk(struct lock *lock, rangelock_walk_fn *fn, void *arg)
{
	struct walk walk = { fn, arg, .growths = rl_load(&lock->growths, acquire) }; /* O9 */
	int stop = rl_list_visit(lock, &(struct visit){ show_next, &walk });

	if (stop)
		return stop;
	walk.until = UINT64_MAX;
	walk.last = walk.next = NULL; /* another may be at that address by now */
	rl_rcu_read_lock();
	stop = catch_up(&walk, lock);
	rl_rcu_read_unlock();
	return stop;
}
