/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list engine.
 *
 * Interface.  list.h.  The front calls it where its fast way has failed.
 *
 * Structure.  A sorted list of nodes, by start, without a lock.  The lock word is its
 * head (front/word.h): IDLE is the empty list, and one request alone is no node but the
 * word itself.  Where requests have met an empty list is ENGINE for a while, and all are nodes:
 * to make a list of the word at each meeting costs more.  Every request that contends is a node of the list from its arrival to
 * its departure, those that wait included.  A node leaves when its `next` is marked,
 * and is unlinked by whoever comes by: in one step all that are marked between two others, and
 * in the same step who comes takes their place.  One that was held is LEFT to them, and whoever
 * unlinks it retires it; of others the owner sees to both.
 *
 * Common case.  Two compare-and-swaps to lock, to insert and to hold, and to unlock two
 * operations on the node itself: to mark it, and to find that nobody is to be told.  A
 * request alone: one each, in the front.  A request that is locked again for the same range by
 * the thread that has just let go of that finds its node where it was, if nobody who conflicts
 * has come meanwhile: then both calls write to that node alone, and read the word.
 *
 * Conflict.  A node comes in TRYING, looks at all that overlap, and then holds, waits or
 * fails.  What it makes of those it meets:
 *
 *   HELD      is in the way.
 *   TRYING    one of the two goes first: one of higher rank; one that has a ticket; of two the
 *             smaller ticket; without, the smaller address.  Whoever goes first tells the
 *             other that it is BEATEN, whose decision then fails, so that it looks again.
 *   PENDING   waits.  Who has no ticket passes it, and counts that, up to
 *             RANGELOCK_MAX_BYPASS times; who has one waits for smaller ones only.  Who is
 *             of higher rank passes it, and of lower does not.
 *   GONE      is nothing.
 *   KEPT      is nothing either, and becomes GONE.
 *   RESERVED  is a reservation, in the way of others alone.
 *
 * Rank.  A nested read, whose owner holds others up, goes before an upgrade, whose owner holds
 * a read, and both before all others: so nobody who holds waits for those who wait for him.
 *
 * Waiting.  Who cannot go on takes a ticket, looks once more as one who has it, and
 * pushes itself on the stack of one node that is in its way and goes before it
 * until that leaves: one that holds, or the last before it that waits too, so that a
 * release wakes one of many writers.  Who leaves closes its stack, and wakes all that stand
 * there; they look again.  So nobody is handed a range: it is free for whoever comes
 * first, within the bound.  A try waits for nobody's range, but for the decision of one
 * TRYING node that goes first, since that may fail itself.
 *
 * Change.  What is held is changed by another node of the same owner, which comes in, and the
 * old one leaves (change.c).  One who holds in the word is made a node before.  Nodes of one
 * owner do not conflict.  One that is to hold no more is HELD as it comes; one that is to hold
 * more tries, or, as an upgrade, waits, while the old one is held still, so that nobody comes
 * between.  Those who stand behind the old one go over to the new one if that is in their
 * way too, and only others are woken.
 * Reservations.  To reserve is to try; it meets writes and reservations alone, and any write
 * that tries goes first.  No write waits for a reservation: once granted it ends those
 * that it overlaps, before its call returns.  To commit another node comes, a write as any other,
 * while the reservation stands, until the grant ends that as well.
 *
 * Vectors.  A vector is a head, which stands in no list, and a node for each range, its
 * followers (vector.c).  Until all are held the head has the state, the ticket and the bypasses
 * of all, and it is the head that stands on a stack; each follower has its own mode, link,
 * mark, and stack of those who wait for it.
 *
 * Submissions.  A request that was submitted has no thread: who wakes its node goes on with
 * it (submit.c), as the owner of another would.
 *
 * Reclamation.  Who follows links is in a read section, and a retired node is used again
 * after a grace period (base/rcu.h).  So addresses do not come back under anybody's hands.
 *
 * Invariants:
 *
 *   L1  A request is dereferenced on its address in the word only by a thread whose CAS
 *       replaced that word by LOCKED: its unlock then waits until the word is
 *       something else, or place says that it is a node (O7), so the memory lives.  LOCKED
 *       is for that alone: no call that finds a list ever waits for it.  It tells the child
 *       of a fork in which call that is.
 *   L2  A node that was in the list when somebody began to go through it from the word, and
 *       is not marked when he comes to its place, is seen.  For it can be reached from
 *       every node before it that he may stand on: to insert keeps that; a marked node's
 *       link does not change; and to unlink one leads around that one alone.
 *   L3  A node is unlinked only from a link that is not marked, so it never comes back.  Where
 *       unlinking fails the way begins anew at the word: not at a predecessor that may
 *       have left.
 *   L4  Two nodes that conflict do not both hold.  Each is inserted, or becomes TRYING
 *       again, before it looks, and all of that is seq_cst.  Of the last looks of the two
 *       say that B began to try after A.  B sees A (L2), not GONE and not waiting, since
 *       this was A's last look: if it holds, B does not; if A goes first, B does not before
 *       A has left; if B goes first, it has made A look again.  The same order lets a waiting
 *       node that is passed, or is ignored for its larger ticket, see who did that when it looks
 *       again.
 *   L5  Who sleeps stands on the stack of a node that goes before it until it leaves: it holds,
 *       or is of higher rank, or of the same with a smaller ticket, whatever its state.  Or it
 *       is a try, and that node is ASKED, and wakes it when it has decided.  Who has pushed itself
 *       before the stack is closed is woken, or goes over to the node that takes the place
 *       of that one, which holds; and nobody pushes himself afterwards.
 *   L6  Whoever has been pushed is answered once, by whoever takes the stack, to whom its node
 *       belongs if its owner has ABANDONED it meanwhile.  Behind one node at most
 *       RL_LEFT_MAX such nodes stand, and two for each thread: one that is about to count,
 *       and one that went over from another node, which are not counted.
 *   L7  The mark of a node, or that it is KEPT, is what frees its range; it may be followed at
 *       once by another thread's lock, unlock and destroy, and by the end of the node.  So unlock
 *       touches both after it only in a read section that has begun before it, and destroy
 *       waits for a grace period.
 *   L8  What cancel, walk, is_locked and destroy find is no older than their call: they use
 *       seq_cst where what they look for is written so, or a read-modify-write.
 *   L9  Of grant, time-out and cancel one wins, by the state: from PENDING its owner goes to
 *       TRYING or GONE, unless it is CANCELED first.  A request names the node that waits, and
 *       after an upgrade that fails again the one that holds.
 *
 *   L10 What is kept is never seen free.  A node that is HELD when it comes in holds no more
 *       than the one whose place it takes, which holds still, and stands behind that: so
 *       whoever comes to the old one sees it there, or finds it marked and comes to the new.
 *       One that is to hold more is TRYING first, so that who tries sees it or is seen (L4).
 *       Who only looks may pass its place before, if it stands before the old one, and
 *       come to where that was when it has left.  That is counted in between: so if the count is
 *       what it was before his first step he has missed nobody, else he looks again.
 *   L11 Of two upgrades that overlap, each of which waits for the other's read, one fails.  Not
 *       both are to have a ticket, which is got as a range is: not after one that goes
 *       first has come (BEATEN).  Who sees one that has a ticket fails, and of two
 *       without whoever sees one that goes first; that one cannot see it go first, ever, since
 *       tickets are not given back and addresses do not change.
 *
 *   L12 Of those who are LEFT a list has no more than it has had nodes at one time between two
 *       that stay, and one for each thread.  Take a row of them, and the one that came last: who
 *       brought it in went past those before it and unlinked what was marked there.  And who
 *       leaves before one that is marked has that unlinked, so those behind it left later
 *       than their predecessors: all of the row were there when it came.  For those who were
 *       KEPT, and left when their threads had gone elsewhere, nobody does that; but before a node
 *       is KEPT for the first time all that is marked is unlinked.  So those of them who are left
 *       had been there at one time, and between two of them is a row as before.
 *   L13 To unlink a LEFT node is one CAS that succeeds once: its link leads to it from one place
 *       that is not marked, and it does not come back (L3).  So it is retired once.
 *   L14 Who pushes himself looks for the mark after that, and who leaves looks at his stack after
 *       the mark, all of it seq_cst: one of the two sees the other.  So a stack on which nobody
 *       stands need not be closed; who sees the mark takes the stack himself, as one who
 *       leaves does.
 *
 *   M1  A reservation ends once, when its node goes from RESERVED to GONE: whoever does that, a
 *       write that is granted or its owner, takes the node out and retires it.  So the
 *       word leads to a node while one stands: it is neither IDLE nor FAST.
 *   M2  Who is granted a write has seen, in its last look, all reservations that stand there: one
 *       that was TRYING then is BEATEN, and one that came later sees the write (L4).  So
 *       only who has seen one goes through the list again.  As a write lets go only after its
 *       call has returned, it has ended them by then.
 *   M3  Nobody but its owner touches the request of a reservation, which may be freed once that has
 *       ended.  By its node the request knows whether it stands: that is RESERVED, and this
 *       request's.  In a read section that is one answer (O6): what has ended before is
 *       seen, and what ends meanwhile is not used again.  At one address there is one request,
 *       which knows its last reservation only.
 *   M4  The node of a commit comes behind that of its reservation, and looks then whether that still
 *       stands, else it is CANCELED.  Who revokes reads a node's link after it has ended
 *       it, and so finds the commit, and cancels that.  A commit that is granted has its
 *       reservation then: any write that was granted over it since has ended both before it let
 *       go (M2).
 *   V1  All of a vector is in the list before it looks for the first time, and begins to try,
 *       waits and holds at one moment, since that is one word.  So to L4 and L5 it is one node
 *       with several ranges.
 *   V2  Once a vector is held each follower gets a state of its own, HELD, before it can be
 *       changed or given up, and only then is the head retired, HELD for good.  So whoever has
 *       found a follower may look at the head as long as he is in his section, and finds what
 *       is true of the follower, or was until it left.
 *
 *   N1  Nobody holds who conflicts with a KEPT node.  Of those who began to try before it last
 *       looked it saw none that could; and whoever began after that sees it in his own last
 *       look (L2), and makes it GONE before he holds.  From KEPT it goes to HELD or GONE, by one
 *       CAS.  So to be HELD again it need not look (L4).  One of the same owner is no
 *       exception: what that holds elsewhere may be split.
 *   N2  One that is KEPT met nobody who conflicts in the look that it was granted after, so all who
 *       have come to wait since got their tickets after that look had begun.  It is HELD again
 *       only where there are as many tickets as before that look: so it passes nobody who has
 *       waited when the call begins.
 *   N3  Who pushes himself on the stack of one that holds looks at its state after that, and who
 *       keeps a node looks at its stack after it is KEPT, all of it seq_cst: one of the two sees
 *       the other (as L14 has it of the mark), and those who stand there are woken.  Who ends a
 *       KEPT node wakes nobody.
 *   N4  A thread knows the node that it keeps by its address, which may be another's by now, and by
 *       its list's id, which no other list has had.  In a read section one that is found KEPT does
 *       not become another; and whose it is: if the list, the request, the range and the mode are
 *       those, it is as good as this thread's.  Of a node that was kept in a list which is not
 *       the caller's, it is not known whether the lock is there still: it is left to others.
 *
 *   K1  Each thread has a record of the calls that it is in the middle of, with what comes by them
 *       and what leaves, from before the first of that can be found until the node may be
 *       used again, or the lock destroyed.  The child of a fork has a prefix of what each
 *       thread wrote (base/rcu.h), and goes through the records before anything else.
 *   K2  There, of a thread that is gone, what was to come and has not been decided on is GONE, and
 *       its owner as it was; what holds is its owner's; what was to leave is GONE; and a
 *       change has been made if the old node is marked, else not.  A LOCKED word is FAST again, or
 *       the node that was made, which its owner may have left by then.
 *   K3  After that, in each lock of such calls, whoever is GONE is marked and unlinked, and all
 *       stacks are emptied, since some of those who stood there have been taken off by threads
 *       that are gone.  What was submitted looks again.
 *   K4  So do calls of the forking thread that are about to wait; it forks in a callback then.
 *
 *   S1  What was submitted belongs to one at a time: the call that submits it, the stack that
 *       it stands on, or the thread that has taken it from there.  That one goes on with it when
 *       it is in no section and holds up nobody else's: before its call returns, or waits.
 *   S2  Of grant and cancel one wins, by the state: cancel goes from TRYING or PENDING to
 *       GONE, whoever it belongs to, who then finds that, and never touches its request again.
 *       Both leave a word in `park` when they have done with the node: who comes second
 *       retires it.
 *   S3  After that cancel the lock may be destroyed (L7).  So whoever goes on with a node
 *       touches the lock in one section only, in which he has found the node not GONE; and
 *       the request only before it has a ticket, and once it holds.
 *
 *   #   release                               acquire
 *   O1  the word: fast lock and unlock,       fast lock and unlock, settled_word()
 *       inflation, unlinking of the last
 *   O2  a link: insertion, unlinking (CAS)    whoever follows it: the node's range; and what
 *                                             holders did whose nodes are not there any more
 *   O3  mark (CAS)                            whoever finds the mark: what the holder did
 *   O4  a stack: push (CAS)                   exchange or CAS that takes it: links
 *       the same that closes it               push that fails: the mark
 *   O5  park: answer (exchange)               rl_park(), or the exchange to ABANDONED: it is
 *       the exchange to ABANDONED             on no stack; answer: the node is not used
 *   O6  a state: TRYING to RESERVED (CAS)     whoever finds RESERVED: whose it is
 *   O7  place of a request that is made a     its unlock: the node, of which whoever made it
 *       node                                  does not touch link and request any more
 *   O8  a state: HELD to KEPT                 whoever finds KEPT: whose it was
 *   O9  growths (CAS)                         who is about to look: the node that holds
 *
 * Progress.  Lock-free, but for L1, while nobody waits: who fails to insert, mark or unlink,
 * or is beaten, has been overtaken by one who did not.  Who waits is passed
 * RANGELOCK_MAX_BYPASS times at most, and then by nobody but those of higher rank.  A call goes
 * through all nodes below its end three times: with n others in the list it takes O(n), and as
 * much again for each reservation that it revokes; a vector does so for each of its ranges.
 * Whoever gives up a range goes on with those submitted requests that it has woken, in time
 * proportional to their number; whose turn it is, waits meanwhile as it does for a thread that
 * has been woken.
 *
 * After Kogan, Dice and Issa, "Scalable Range Locks for Scalable Address Spaces and Beyond"
 * (EuroSys 2020); the list is Harris, "A pragmatic implementation of non-blocking
 * linked-lists" (DISC 2001), with Michael, "High performance dynamic lock-free hash tables and
 * list-based sets" (SPAA 2002).  Waiting, tickets and the bound are not in the paper.
 */
#include "list/list.h"

#include <errno.h>

#include "base/rcu.h"
#include "list/contend.h"
#include "list/fork.h"
#include "list/keep.h"

/* Here, since all who use the archive have this file. */
__attribute__((constructor)) static void watch_forks(void)
{
	rl_rcu_in_child(rl_list_live_on);
}

/* Are all of these requests, which stand in an array, in no use? */
static bool are_free(struct req *first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_free(nth_req(first, i)))
			return false;
	return true;
}

enum arrival rl_list_arrive(struct lock *lock, struct list_node *x, size_t n, int *ret_error)
{
	struct req *req = x->owner;
	bool as_node = n > 1 || rl_load(&x->state, relaxed) & STATE_RESERVE;
	struct list_node *spare = NULL;
	enum arrival arrival = REFUSED;

	*ret_error = EINVAL;
	while (arrival == REFUSED) {
		uintptr_t word = list_word(lock);

		if (word == WORD_DEAD || !are_free(req, n))
			break;
		if (word == WORD_IDLE && !as_node) {
			set_range(req, x);
			req->state = REQ_IDLE;
			if (rl_cas(&lock->word, &word, fast_word(req), acq_rel, relaxed)) /* O1 */
				arrival = IN_WORD;
		} else if (word & WORD_FAST) {
			if (!spare && !(spare = rl_list_new_node(lock))) {
				*ret_error = ENOMEM;
				break;
			}
			if (rl_list_inflate(lock, word, spare))
				spare = NULL;
		} else {
			rl_rcu_read_lock();
			if (rl_list_come(lock, x, as_node))
				arrival = IN_LIST;
			else
				rl_rcu_read_unlock();
		}
	}
	if (spare)
		rl_pool_give_back(spare);
	return arrival;
}

int rl_list_lock(struct lock *lock, struct req *req, const struct list_want *want)
{
	if (waits_here(lock, req))
		return EINVAL;
	if (take_up(lock, req, want))
		return 0;

	struct list_node *x = rl_list_new_node(lock);
	if (!x)
		return ENOMEM;
	x->ticket = rl_load(&lock->id, relaxed);
	describe_node(x, req, want->start, want->end,
		      STATE_TRYING | mode_bit(want->mode) | (want->nested ? STATE_NESTED : 0) |
			  (want->reserve ? STATE_RESERVE : 0) | (x->ticket ? STATE_FAMILIAR : 0));
	uint64_t tickets = rl_load(rl_list_tickets(lock), seq_cst); /* N2 */

	struct call call = { .lock = lock, .req = req, .x = x };
	rl_list_begin(&call);
	int error;
	enum arrival arrival = rl_list_arrive(lock, x, 1, &error);
	if (arrival != IN_LIST) {
		rl_list_end(&call);
		rl_pool_give_back(x);
		return arrival == IN_WORD ? 0 : error;
	}
	req->tickets = tickets;
	if (want->reserve)
		set_range(req, x); /* a reservation may be gone before the next line returns */
	error = rl_list_contend(lock, x, want);
	if (error)
		return error;
	if (want->reserve)
		set_reserved(lock, req, x);
	else
		rl_list_accept(lock, x);
	rl_list_end(&call);
	return 0;
}

int rl_list_lock_nested(struct lock *lock, struct req *req, uint64_t start, uint64_t end,
			const struct req *outer)
{
	uintptr_t word = list_word(lock);

	if (word == WORD_DEAD || waits_here(lock, req) || !is_free(req))
		return EINVAL;
	if (word != fast_word(outer) && !still_holds(lock, outer))
		return EPERM;
	return rl_list_lock(
	    lock, req,
	    &(struct list_want){
		.start = start, .end = end, .mode = RANGELOCK_READ, .nested = true });
}

int rl_list_holds(struct lock *lock, const struct req *req)
{
	uintptr_t word = list_word(lock);

	if (word == WORD_DEAD)
		return EINVAL;
	return word == fast_word(req) || holds_here(lock, req) ? 0 : EPERM;
}

int rl_list_let_go(struct lock *lock, struct req *req)
{
	struct list_node *x = rl_load(&req->list_node, relaxed);
	struct call call = { .lock = lock, .old = x };

	rl_list_begin(&call);
	set_idle(req);
	rl_rcu_read_lock(); /* L7 */
	if (!keep(lock, req, x))
		rl_list_part(lock, x);
	rl_list_end(&call);
	rl_rcu_read_unlock();
	return 0;
}

int rl_list_unlock(struct lock *lock, struct req *req)
{
	for (;;) {
		uintptr_t word = list_word(lock);

		if (word == WORD_DEAD)
			return EINVAL;
		if (word != fast_word(req))
			break;
		/* Somebody had a look at it. */
		if (rl_cas(&lock->word, &word, WORD_IDLE, acq_rel, relaxed)) /* O1 */
			return 0;
	}
	return holds_here(lock, req) ? rl_list_let_go(lock, req) : EPERM;
}

int rl_list_cancel(struct lock *lock, struct req *req, struct answers *answers)
{
	struct call call = { .lock = lock };
	int error = EBUSY;

	if (rl_load(&lock->word, relaxed) == WORD_DEAD)
		return EINVAL;
	rl_list_begin(&call);
	rl_rcu_read_lock();
	struct list_node *x = waits_here(lock, req) ? rl_load(&req->list_node, acquire) : NULL;
	if (x && waits_here(lock, req)) {
		uint32_t s = rl_load(&x->state, seq_cst);

		if (s & STATE_SUBMITTED)
			error = rl_list_cancel_submitted(lock, x, answers);
		else if (rl_list_cancel_one(s & STATE_FOLLOWER ? x->head : x, STATE_TICKET))
			error = 0;
	}
	rl_list_end(&call);
	rl_rcu_read_unlock();
	return error;
}

int rl_list_destroy(struct lock *lock)
{
	for (;;) {
		uintptr_t word = rl_list_newest_word(lock);

		if (word == WORD_DEAD)
			return EINVAL;
		if (is_node(word)) {
			/* Those who have unlocked may be in it still. */
			rl_rcu_read_lock();
			rl_list_evict(lock);
			rl_rcu_read_unlock();
			word = rl_load(&lock->word, acquire);
		}
		if (!is_empty_list(word))
			return EBUSY;
		if (rl_cas(&lock->word, &word, WORD_DEAD, acq_rel, relaxed))
			break;
	}
	if (rl_load(&lock->stays, relaxed))
		rl_rcu_synchronize(); /* L7 */
	return 0;
}
