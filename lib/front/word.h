/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock word: the whole lock while one request at most is about, and the
 * short mutex of the engine once there are two.
 *
 *   IDLE               nothing is held or waiting
 *   req | FAST         one request is held, and this is it
 *   ENGINE             the engine has them; nobody is inside
 *   LOCKED             a thread is inside: it alone may touch the engine
 *   LOCKED|CONTENDED   the same, and others may sleep on the word
 *   DEAD               destroyed
 *
 * In LOCKED the bits from GENERATION on tell in which process: how many forks it is away
 * from the first one, rl_generation.
 *
 * This is the tree engine's.  On a list lock it is IDLE, FAST, DEAD, the address of its first
 * node, ENGINE, a list without any, or a LOCKED of its own (list/chain.h) while the engine
 * reads FAST's request: list/list.c.
 *
 * Invariants:
 *
 *   F1  At IDLE and FAST the engine is empty.  At ENGINE it has two requests or more, or
 *       a reservation, or one request that has been invited.  The word of a lock
 *       whose engine is to see all is never IDLE or FAST: others need not ask on
 *       their fast path what kind of lock it is.
 *   F2  A request is dereferenced on its address in the word only by a thread
 *       whose CAS replaced that word by LOCKED.  Its owner then cannot end the
 *       unlock call before the mutex is given back, so the memory lives; and
 *       if the owner had unlocked and locked anew in between, what the CAS
 *       found is the new request, whole.
 *   F3  Nothing of the lock is touched after the store that gives the mutex
 *       back: whoever sees the word change may destroy and free the lock.
 *   F4  Whoever has slept on the word sets CONTENDED when it gets the mutex,
 *       and so wakes the next one when it leaves.  It never takes the FAST
 *       way in, which would forget the others.
 *
 *   F5  LOCKED of another generation than this process's has been copied by fork() from
 *       a thread that does not exist here: nobody is inside, nobody sleeps on the
 *       word, and what the engine has may be half done.  Whoever finds that takes the
 *       mutex over, and forgets it all (rl_tree_forget()).  But it may have been the
 *       forking thread itself that was inside (rangelock_enter()): its engine is
 *       whole, and it leaves as usual, before it starts threads that could find it.
 *
 * Inflation, at the first concurrent arrival: rl_enter() wins the word and puts
 * the fast holder into the engine on its behalf, with its exact range.
 * Deflation: rl_leave() finds the engine empty, or only one holder left in it,
 * and gives the word back to it.  So a failed trylock, or a look, leaves the
 * lock as it was.
 *
 *   #   release                             acquire
 *   O1  fast unlock (CAS to IDLE)           fast lock (CAS from IDLE), rl_enter()
 *   O2  fast lock (CAS to FAST):            rl_enter() (CAS from FAST)
 *       the request's range and mode
 *   O3  rl_leave() (exchange):              rl_enter(); fast lock; fast unlock: the
 *       engine, and the deflated request    owner may reuse the request's memory
 *
 * Every store to the word is a read-modify-write, so release sequences are
 * never broken.
 *
 * Progress: the fast way is wait-free, one CAS each way.  The mutex is neither
 * fair nor lock-free; what runs inside is short and never waits.
 */
#ifndef RL_FRONT_WORD_H
#define RL_FRONT_WORD_H

#include "base/lock.h"

/* This process's, as it stands in the word: written in the child handler of fork() only,
 * when there is one thread. */
extern uint32_t rl_generation;

/* Hold the lock for req, whose range and mode are set, if nothing else is about. */
static inline bool try_fast_lock(struct lock *lock, const struct req *req)
{
	uintptr_t idle = WORD_IDLE;

	return rl_cas(&lock->word, &idle, fast_word(req), acq_rel, relaxed); /* O1, O2, O3 */
}

/* Give it back, if req is still alone. */
static inline bool try_fast_unlock(struct lock *lock, const struct req *req)
{
	uintptr_t mine = fast_word(req);

	return rl_cas(&lock->word, &mine, WORD_IDLE, acq_rel, relaxed); /* O1, O3 */
}

/* The word of a new lock, whose flags are set. */
static inline uintptr_t first_word(const struct lock *lock)
{
	return sees_all(lock) ? WORD_ENGINE : WORD_IDLE;
}

/* Take the short mutex; what is held is in the engine.  EINVAL: destroyed.  ENOTSUP: the
 * engine has no such mutex, nor the call that asks for it. */
int rl_enter(struct lock *lock);

/* Give it back. */
void rl_leave(struct lock *lock);

/* Give it back for good: the engine is empty. */
void rl_leave_dead(struct lock *lock);

#endif
