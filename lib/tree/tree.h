/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree engine: who holds, who waits, and who is granted next.
 *
 * Every function here runs inside the lock's short mutex, which the front
 * holds (front/word.h).  None waits, wakes or allocates: rl_tree_remove()
 * returns what is to be granted, and the front tells the waiters.
 */
#ifndef RL_TREE_TREE_H
#define RL_TREE_TREE_H

#include "base/lock.h"

/* How many requests in the engine conflict with this one? */
uint32_t rl_tree_conflicts(const struct lock *lock, uint64_t start, uint64_t end, unsigned mode);

/* Take req in, behind `blockers` earlier requests, as rl_tree_conflicts() has
 * just counted them.  None: it is held.  Its range and mode are set. */
void rl_tree_insert(struct lock *lock, struct req *req, uint32_t blockers);

/* Take req out, held or waiting; it is idle.  Returns the requests that are
 * held from now on, linked by ->granted, whose owners are to be told. */
struct req *rl_tree_remove(struct lock *lock, struct req *req);

/* Take the holder of the lock word into the empty engine. */
void rl_tree_adopt(struct lock *lock, struct req *holder);

/* The reverse: if the engine contains just one request, which then is held, take
 * it out and return it; else NULL. */
struct req *rl_tree_release_sole(struct lock *lock);

/* The public calls of these names. */
bool rl_tree_is_locked(const struct lock *lock, uint64_t start, uint64_t end, unsigned mode);
int rl_tree_walk(const struct lock *lock, rangelock_walk_fn *fn, void *arg);

#endif
