/* SPDX-License-Identifier: BSD-2-Clause */
/* The short mutex in the lock word, with inflation and deflation: word.h. */
#include "front/word.h"

#include <errno.h>
#include <pthread.h>

#include "tree/tree.h"
#include "wait/wait.h"

uint32_t rl_generation;

static void count_fork(void)
{
	rl_generation += WORD_GENERATION;
}

/* Before other constructors, which might fork. */
__attribute__((constructor(101))) static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork); /* without memory children may hang */
}

/* Of a word that is locked: was whoever is inside left behind by fork()? */
static bool is_orphaned(uintptr_t word, uintptr_t mine)
{
	return (word & ~(uintptr_t)WORD_CONTENDED) != mine; /* F5 */
}

int rl_enter(struct lock *lock)
{
	const uintptr_t mine = WORD_LOCKED | rl_generation;
	uintptr_t locked = mine;
	unsigned spins = 0;
	uintptr_t word = rl_load(&lock->word, relaxed);

	if (rl_unlikely(lock->engine != RANGELOCK_TREE))
		return word == WORD_DEAD ? EINVAL : ENOTSUP;
	for (;;) {
		if (rl_unlikely(word == WORD_DEAD))
			return EINVAL;

		if (!is_locked_word(word) || rl_unlikely(is_orphaned(word, mine))) {
			if (!rl_cas(&lock->word, &word, locked, acquire, relaxed)) /* O1, O2, O3 */
				continue;
			if (word & WORD_FAST) /* F2 */
				rl_tree_adopt(lock, (struct req *)(word - WORD_FAST));
			else if (rl_unlikely(is_locked_word(word)))
				rl_tree_forget(lock); /* F5 */
			return 0;
		}

		if (spins < rl_short_spins()) {
			spins++;
			rl_relax();
		} else if ((word & WORD_CONTENDED) ||
			   rl_cas(&lock->word, &word, mine | WORD_CONTENDED, relaxed, relaxed)) {
			rl_wait->sleep(low_half(lock), (uint32_t)(mine | WORD_CONTENDED), NULL);
			locked = mine | WORD_CONTENDED; /* F4 */
			spins = 0;
		}
		word = rl_load(&lock->word, relaxed);
	}
}

static void leave_to(struct lock *lock, uintptr_t word)
{
	uintptr_t old = rl_exchange(&lock->word, word, release); /* O1, O3 */

	if (old & WORD_CONTENDED)
		rl_wait->wake(low_half(lock)); /* F3: an address, no access */
}

void rl_leave(struct lock *lock)
{
	struct req *sole = sees_all(lock) ? NULL : rl_tree_release_sole(lock);

	if (sole)
		leave_to(lock, fast_word(sole));
	else
		leave_to(lock, rl_tree_is_empty(lock) ? first_word(lock) : WORD_ENGINE);
}

void rl_leave_dead(struct lock *lock)
{
	leave_to(lock, WORD_DEAD);
}
