/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree engine: who holds, who waits, and what is reserved.  Every function
 * is called inside the lock's short mutex, and none of them waits, wakes, parks or
 * allocates: those whose owners are to be told go to `answers`, each with its
 * verdict, and the front tells them.
 */
#ifndef RL_TREE_TREE_H
#define RL_TREE_TREE_H

#include "base/lock.h"

#include "wait/wait.h"

/* Have req's owner told. */
void rl_tree_answer(struct lock *lock, struct req *req, enum park verdict, struct answers *answers);

/* How many requests in the engine conflict with this range, held or waiting? */
uint32_t rl_tree_conflicts(const struct lock *lock, uint64_t start, uint64_t end, unsigned mode);

/* Whom req, which waits, waits for: the first one if after is NULL, else the one after it.
 * NULL: no more. */
const struct req *rl_tree_blocker(const struct req *req, const struct req *after);

/* How many of them must go before such a request that arrives now?  With
 * RANGELOCK_BARGING it may be none, though there are conflicts. */
uint32_t rl_tree_blockers(struct lock *lock, uint64_t start, uint64_t end, unsigned mode);

/* The next number of arrival. */
uint64_t rl_tree_arrive(struct lock *lock);

/* Take req in, behind `blockers` earlier requests, as have just been counted.
 * None: it is held.  Its range, mode and flags are set. */
void rl_tree_insert(struct lock *lock, struct req *req, uint64_t arrival, uint32_t blockers,
		    struct answers *answers);

/* Take in a read that goes before all that wait. */
void rl_tree_insert_nested(struct lock *lock, struct req *req, struct answers *answers);

/* The n requests of a vector, which have just been taken in, are one call.  Does it
 * have to wait? */
bool rl_tree_tie_vector(struct lock *lock, struct req *first, size_t n, struct answers *answers);

/* What lock_chosen waited for, and holds, is what it wants: from here on it is a grant
 * like others. */
void rl_tree_confirm(struct lock *lock, struct req *req, struct answers *answers);

/* Take req out, which is held; it is idle. */
void rl_tree_remove(struct lock *lock, struct req *req, struct answers *answers);

/* The owner of req, which was invited, has come.  Does it hold now what it waited for?
 * Else it can be invited again. */
bool rl_tree_take(struct lock *lock, struct req *req, struct answers *answers);

/* End the wait of req, which waits: its call has failed, and is not told.  An
 * upgrade is a read again, and a commit a reservation, unless that is ended too. */
void rl_tree_give_up(struct lock *lock, struct req *req, bool end_reservation,
		     struct answers *answers);

/* Change what req holds. */
void rl_tree_downgrade(struct lock *lock, struct req *req, struct answers *answers);
int rl_tree_try_upgrade(struct lock *lock, struct req *req, struct answers *answers);
/* 0: it holds a write.  EINPROGRESS: it waits.  EDEADLK: another one does. */
int rl_tree_upgrade(struct lock *lock, struct req *req, struct answers *answers);
void rl_tree_reduce(struct lock *lock, struct req *req, uint64_t start, uint64_t end,
		    struct answers *answers);
void rl_tree_split(struct lock *lock, struct req *req, uint64_t at, struct req *tail,
		   struct answers *answers);
int rl_tree_try_extend(struct lock *lock, struct req *req, uint64_t start, uint64_t end,
		       struct answers *answers);

/* Reservations.  EBUSY, ENOSPC: as the public calls. */
int rl_tree_reserve(struct lock *lock, struct req *req, uint64_t start, uint64_t end);
int rl_tree_reserve_gap(struct lock *lock, struct req *req, uint64_t size, uint64_t align,
			uint64_t lo, uint64_t hi);
void rl_tree_unreserve(struct lock *lock, struct req *req);
/* From a reservation to a write that is held, or waits behind `blockers`. */
void rl_tree_commit(struct lock *lock, struct req *req, uint32_t blockers, struct answers *answers);

/* Take the holder of the lock word into the empty engine. */
void rl_tree_adopt(struct lock *lock, struct req *holder);

/* The reverse: if the engine contains just one request, which then is held, and
 * there are no reservations, take it out and return it; else NULL. */
struct req *rl_tree_release_sole(struct lock *lock);

/* All that the engine has is gone, in whatever state it was. */
void rl_tree_forget(struct lock *lock);

/* Has the engine this request, which says that it is in it? */
bool rl_tree_has(const struct lock *lock, const struct req *req);

/* Is nothing held, waiting or reserved? */
bool rl_tree_is_empty(const struct lock *lock);

/* The public calls of these names. */
bool rl_tree_is_locked(const struct lock *lock, uint64_t start, uint64_t end, unsigned mode);
int rl_tree_walk(const struct lock *lock, rangelock_walk_fn *fn, void *arg);

#endif
