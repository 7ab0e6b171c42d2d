/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who holds, who goes first, and who waits for whom: list.c has the invariants.
 */
#ifndef RL_LIST_CONTEND_H
#define RL_LIST_CONTEND_H

#include "list/chain.h"
#include "list/list.h"

/*
 * Bring x into the list or, where there is room, its request into the word.  That, and the
 * n - 1 behind it in an array, must be free; where they are more than one, or it is to
 * reserve, nothing is made of the word.  IN_LIST: this has begun a read section.  REFUSED: the error
 * is EINVAL or ENOMEM.
 */
enum arrival { IN_LIST, IN_WORD, REFUSED };
enum arrival rl_list_arrive(struct lock *lock, struct list_node *x, size_t n, int *ret_error);

/* In a read section, which this ends: x, or all that follow it, is in the list, and TRYING.  0: it
 * is HELD, or RESERVED.  Else it has left, its owner is as it was or idle, and the error is EBUSY,
 * ETIMEDOUT, ECANCELED, EDEADLK, or EINVAL for an abstime that is none. */
int rl_list_contend(struct lock *lock, struct list_node *x, const struct list_want *want);

/* x, which is held, or all that follow it: so is its owner. */
void rl_list_accept(struct lock *lock, struct list_node *x);

/* In a read section: x, or all that follow it, is GONE, and its owner as it was, which holds
 * held, unless that is NULL. */
void rl_list_withdraw(struct lock *lock, struct list_node *x, struct list_node *held);

/* y is what its owner holds from here on. */
void rl_list_move_to(struct lock *lock, struct list_node *y);

/* In a read section: take x out of the list, and wake those who wait for it. */
void rl_list_leave(struct lock *lock, struct list_node *x);

/* In a read section: the same of x, which others are to unlink and retire. */
void rl_list_part(struct lock *lock, struct list_node *x);

/* Wake those who wait for q, which itself goes on. */
void rl_list_kick(struct list_node *q);

/* How many tickets of the lock there have been. */
_Atomic uint64_t *rl_list_tickets(struct lock *lock);

/* Wake those who wait for x, which is marked.  False: there was nobody. */
bool rl_list_wake_all(struct list_node *x);

/* In a read section: the same of x, which is held, as are y and tail, unless that is NULL, in
 * its place.  Those whom one of the two is in the way of as well are not woken, but wait for
 * that one. */
void rl_list_replace(struct lock *lock, struct list_node *x, struct list_node *y,
		     struct list_node *tail);

/* In a read section: cancel x if it is of this kind (STATE_TICKET or STATE_COMMIT), and has not
 * been decided on. */
bool rl_list_cancel_one(struct list_node *x, uint32_t kind);

/* In a read section: x, which stands behind q, has given up.  NULL: behind whomever it may. */
void rl_list_count_left(struct lock *lock, const struct list_node *x, const struct list_node *q);

/* In a read section: go on with x, which was submitted, and is TRYING, or has been woken. */
enum outcome {
	HOLDS,
	WAITS, /* others may have gone on with it */
	ENDED  /* by cancel; from the end of the section the lock may be gone */
};
enum outcome rl_list_pursue(struct lock *lock, struct list_node *x);

/* n, which was submitted, has been woken: this thread is to go on with it. */
void rl_list_owe(struct list_node *n);

/* In a read section: cancel() of x, which was submitted. */
int rl_list_cancel_submitted(struct lock *lock, struct list_node *x, struct answers *answers);

#endif
