/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rangelock: locks over ranges [start, end) of one object.
 *
 * Threads that share one address space, file or device take a range of it,
 * shared (read) or exclusive (write), and wait only for others whose range
 * overlaps theirs and where at least one of the two writes.
 *
 *	static struct rangelock lock = RANGELOCK_INITIALIZER;
 *
 *	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
 *	int error = rangelock_timedwrlock(&lock, &req, 4096, 8192, &deadline);
 *	if (error)
 *		return error;
 *	...bytes 4096 to 8191 are ours...
 *	rangelock_unlock(&lock, &req);
 *
 * All-zero memory is a valid lock and a valid, idle request.  Nothing here
 * allocates, but init of a lock with RANGELOCK_STATS.  When not to use it: if every
 * critical section covers the whole object, a pthread_rwlock_t says the same in
 * fewer words.
 *
 * Ranges.  start and end are in units of the caller's choice (bytes, pages,
 * keys), numbered from 0 to UINT64_MAX - 1.  A range is half-open and not
 * empty: start < end.  The end RANGELOCK_MAX means "no upper bound".
 *
 * Errors.  Every call that returns int returns 0 or a positive errno value,
 * as pthreads do.  A NULL object, start >= end, or an unknown engine, mode or
 * flag is EINVAL, and so is any call on a destroyed lock; a call that this
 * engine lacks is ENOTSUP (ask rangelock_engine_caps()).  A call that fails
 * leaves lock and request as they were, unless its own description says otherwise.
 *
 * Ownership.  The caller owns the memory of locks and requests.  A request
 * must stay in place, untouched, from the lock call to the end of the unlock
 * call.  Both may live on the stack, in static storage or inside another
 * object; do not copy or move one that is in use.  A request in use on this
 * lock is refused; to pass one that is in use on another lock is undefined.
 *
 * Threads.  Every call may be made by any number of threads at once on one
 * lock.  One request is used by one thread at a time, except that any thread
 * may cancel it, and that the thread that unlocks it need not be the one that
 * locked it.  Only threads of one process: not memory shared between
 * processes.  Calls that wait are no cancellation points; asynchronous
 * pthread_cancel() inside a call, and calls from a signal handler, are not
 * allowed.
 *
 * Fork.  The child of a fork() has the forking thread alone.  A lock that nobody was
 * just inside a call of is in the child as it was in the parent: what the
 * forking thread holds it can unlock, and what other threads held or waited for stays
 * held or waits, for good.  A lock that another thread was inside a call of - a
 * try that fails and a look count - may have been caught in mid-change, and is
 * idle in the child: whoever held is forgotten, the forking thread too (its unlock
 * answers EPERM), and requests that were in use there are to be initialised anew.  (For a list
 * see RANGELOCK_LIST.)  So
 * a lock that no thread held works in the child, whatever others were doing.  What other
 * threads held or waited for on their stacks is in place only until the child starts threads,
 * which may get those stacks: by then it is to have done with such locks.  A thread
 * that forks between rangelock_enter() and rangelock_leave() leaves in both processes,
 * in the child before it starts threads.
 *
 * Several ranges.  A thread may hold any number of requests, but the lock does
 * not know threads: a request that conflicts with one which the same thread
 * holds waits for it, and so forever; and so does a second read of what it
 * holds, once a writer has queued between the two.  Threads that take several
 * ranges take them all in one order, ascending say, or all at once with
 * rangelock_lockv(); one that reads more of what it reads uses
 * rangelock_rdlock_nested().  A lock made with RANGELOCK_CHECKED finds those
 * who do not.
 *
 * Memory order.  What was written before an unlock is visible after every
 * later conflicting lock, try and timed ones that succeed included.  ThreadSanitizer,
 * helgrind and DRD know this of the library as it is, range by range: what they
 * report of a program's own data is the program's.
 */
#ifndef RANGELOCK_RANGELOCK_H
#define RANGELOCK_RANGELOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

struct timespec; /* <time.h> hides it in strict C99 */

#if defined(__GNUC__)
#define RANGELOCK_API __attribute__((__visibility__("default")))
#else
#define RANGELOCK_API
#endif

/* ------------------------------------------------------------------------ *
 * Objects
 * ------------------------------------------------------------------------ */

/* The lock.  Its contents are private; its size is part of the ABI. */
struct rangelock {
	uint64_t private_[8];
};
#define RANGELOCK_INITIALIZER { { 0 } }

/*
 * One request: idle -> waiting -> held -> idle, and idle -> reserved -> (commit)
 * waiting -> held, or reserved -> revoked.  Owned by the caller; its
 * contents are private, its size is part of the ABI.  After unlock (and after
 * a lock call that failed) it is idle again and can be used for another range or
 * another lock without being initialised anew.
 */
struct rangelock_req {
	uint64_t private_[16];
};
#define RANGELOCK_REQ_INITIALIZER { { 0 } }

#if defined(__cplusplus) && __cplusplus >= 201103L
static_assert(sizeof(struct rangelock) <= 64, "a lock fits in 64 bytes");
static_assert(sizeof(struct rangelock_req) <= 128, "a request fits in 128 bytes");
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(struct rangelock) <= 64, "a lock fits in 64 bytes");
_Static_assert(sizeof(struct rangelock_req) <= 128, "a request fits in 128 bytes");
#endif

enum rangelock_mode {
	RANGELOCK_READ,  /* shared: conflicts with overlapping writes */
	RANGELOCK_WRITE  /* exclusive: conflicts with everything that overlaps */
};

enum rangelock_engine {
	RANGELOCK_TREE,   /* interval tree: strict FIFO, every feature */
	RANGELOCK_LIST,   /* lockless list: bounded bypass */
	RANGELOCK_SHARDED /* for many cores: bounded bypass; not in this version */
};

/*
 * RANGELOCK_LIST.  A sorted list that nobody locks: threads on disjoint ranges do not wait
 * for each other even inside the library, and a thread that is preempted there holds nobody
 * up.  A call takes time in proportion to the requests that are held or wait below its end: it is
 * for tens of them, not for thousands.  A release wakes those who waited for that range, who then
 * try again; whoever comes meanwhile may pass them, RANGELOCK_MAX_BYPASS times at most.  A thread
 * that locks the same range again and again, with the same request, finds it where it left it, at
 * the cost of two atomic operations on memory that no other thread writes, until somebody comes
 * who conflicts.  With RANGELOCK_CHECKED or RANGELOCK_STATS, which have to see every request in
 * one place, the lock is kept as a tree that barges, under that engine's short mutex: it means the
 * same, but is no measure of a list's speed.  A try, tryupgrade and tryextend too, may pass those
 * who wait, within that bound; nested reads and upgrades that wait are not passed.  What was
 * submitted tries again in the threads that make way for it.
 *   ENOMEM   calls that lock, submit, reserve, or change what is held, and commit, may return
 *            it: nothing is held or reserved, or what was is as it was, and no callback runs.
 *            Requests that meet others, are changed, are of a vector, or reserve need memory,
 *            64 bytes each, from pools of the threads, which grow up to 512 KiB for a
 *            thread that is busy: in the steady state nothing is allocated, and nothing is
 *            given back to the system before the process ends.  Some of it is in the locks:
 *            one that is not destroyed before its memory is used for something else keeps it.
 * In the child of a fork() nothing is forgotten, unlike above.  What threads hold is held there
 * too, by the same requests, of which the child may give up all.  A call that another thread
 * was in the middle of has been made there, or has not: who waited waits no more, and a request
 * that had just been granted is held.  Submitted requests wait on, and are granted in their turn;
 * but what another thread was about to call back is not called back.
 * Pools are liburcu's users (flavour bp): a lock call, submit, a change, and destroy may wait
 * for a grace period, so make none of them inside rcu_read_lock() of that flavour.
 */

/* A range and how it is wanted. */
struct rangelock_range {
	uint64_t start, end;
	enum rangelock_mode mode;
};

#define RANGELOCK_MAX  UINT64_MAX       /* as an end: no upper bound */
#define RANGELOCK_FULL 0, RANGELOCK_MAX /* start and end of the full range */

/* The most later conflicting grants that can overtake a waiting request
 * where grants are not strictly FIFO (RANGELOCK_BARGING; list; sharded). */
#define RANGELOCK_MAX_BYPASS 16384

/*
 * Flags of struct rangelock_attr.
 *
 * RANGELOCK_CHECKED is for debugging.  Misuse and deadlocks are refused with an errno, and
 * a message on standard error, in one write, names lock, range and threads (as gettid()
 * numbers them; the lines are longer than here):
 *
 *	rangelock: deadlock: thread 12 wants to write [0, 10) of lock "inode" (0x7f10),
 *		held by thread 13 (write [0, 20))
 *	  thread 13 waits to read [5, 7) of lock "dir" (0x7f50),
 *		held by thread 12 (write [0, 100))
 *
 *	rangelock: unlock by thread 12 refused, lock "inode" (0x7f10):
 *		request 0x7f90 holds write [0, 20), of thread 13
 *
 *   EDEADLK  by any call that waits: it would close a cycle of calls, on any number of
 *            checked locks, each of which waits for the next; or wait for what its own
 *            thread holds.  All is as after a time-out: an upgrade is still held for
 *            read, a reservation stands.  That a wait in the cycle would time out is
 *            no excuse.  (What rangelock_upgrade() answers on any lock, because of
 *            another upgrade, comes without a message.)
 *   EPERM    to unlock or change what another thread has locked, besides what is
 *            not held
 *   EINVAL   the request is in use, on this lock or on another checked one
 *   EBUSY    rangelock_destroy(): the message says how many requests are in use
 *
 * A request belongs to the thread that locked it, a split tail to whom the whole belongs.
 * Any thread may cancel it.  What was submitted is nobody's: any thread may unlock it, and
 * to wait for it is to wait for no thread.  So what is to be handed on is
 * submitted, or CHECKED is not for that lock.  The try calls and rangelock_submit() do
 * not wait, and never find a deadlock.
 *
 * No report is a false alarm.  A deadlock goes unseen only where a lock in it is not
 * checked, a request in it is nobody's, or a commit in it waits, or has waited, behind a
 * write that waits (a pending upgrade too; its grant would revoke the commit) for others
 * than the commit's own thread.  A checked lock has no fast path, and all checked locks
 * share a short mutex.  Other locks pay nothing.
 */
#define RANGELOCK_CHECKED 0x1u /* find misuse and deadlocks, and say so */
#define RANGELOCK_STATS   0x2u /* count, for rangelock_stats(): init allocates 128 bytes,
				  which destroy frees; every call takes the short mutex */
#define RANGELOCK_BARGING 0x4u /* bounded bypass instead of strict FIFO; of a list always so */

/*
 * RANGELOCK_BARGING.  Strict FIFO costs a context switch for each grant where a range
 * is always wanted.  With this flag a lock call that conflicts only with others that wait
 * may pass them, and what is given up is free for whoever comes first, the one that waits
 * longest being woken to come.  No request is passed more often than
 * RANGELOCK_MAX_BYPASS times; nested reads, upgrades that wait and lockv are not passed
 * at all.  What wants throughput takes it; what wants short waits, and all to wait alike,
 * does not.
 *
 *	struct rangelock_attr attr = { .flags = RANGELOCK_BARGING };
 *	rangelock_init(&lock, &attr);
 */

/*
 * How a lock is to be made.  All zero means defaults; use a designated
 * initializer, so that fields added later are zero:
 *
 *	struct rangelock_attr attr = { .engine = RANGELOCK_TREE, .name = "inode" };
 *
 * (in C++ before C++20: rangelock_attr attr{}; attr.name = "inode";)
 */
struct rangelock_attr {
	enum rangelock_engine engine;
	unsigned flags;
	const char *name; /* for diagnostics (RANGELOCK_CHECKED); may be NULL; not copied */
	uint64_t reserved_[4]; /* zero */
};

/* ------------------------------------------------------------------------ *
 * Life of a lock
 * ------------------------------------------------------------------------ */

/*
 * rangelock_init: make a lock.  attr NULL means defaults.
 *   EINVAL   lock NULL, unknown engine or flag, a reserved field not zero
 *   ENOTSUP  the engine or flag exists but this version does not offer it
 *   ENOMEM   RANGELOCK_STATS, and there is no memory for what it counts
 * A lock in static or zeroed memory needs no call (RANGELOCK_INITIALIZER).  A
 * destroyed lock may be made anew; one in use must not be.
 */
RANGELOCK_API int rangelock_init(struct rangelock *, const struct rangelock_attr *attr);

/*
 * rangelock_destroy: end a lock's life.  Its memory can be reused as soon as
 * 0 is returned, even while the rangelock_unlock() of another thread, which
 * made this possible, has not returned yet.  Every other call must have.
 *   EBUSY    something is held, waiting or reserved; the lock lives on
 *   EINVAL   lock NULL, or destroyed before
 */
RANGELOCK_API int rangelock_destroy(struct rangelock *);

/* ------------------------------------------------------------------------ *
 * Lock and unlock
 *
 * On every engine nobody waits for, or fails because of, a request that it
 * does not conflict with.  On the tree engine conflicting requests are
 * granted in the order of their arrival, readers included.
 * ------------------------------------------------------------------------ */

/*
 * rangelock_rdlock, rangelock_wrlock: hold [start, end), waiting as long as
 * it takes.
 *   EINVAL     a NULL object, start >= end, req in use on this lock, lock destroyed
 *   ECANCELED  another thread called rangelock_cancel(); req is idle
 *   ENOMEM     list engine only: nothing is held
 *   EDEADLK    on a checked lock, as by all calls that wait: it would wait for ever
 */
RANGELOCK_API int rangelock_rdlock(struct rangelock *, struct rangelock_req *req,
				   uint64_t start, uint64_t end);
RANGELOCK_API int rangelock_wrlock(struct rangelock *, struct rangelock_req *req,
				   uint64_t start, uint64_t end);

/*
 * rangelock_tryrdlock, rangelock_trywrlock: the same without waiting for
 * anybody's range.  (Like every call they may wait for the engine's short
 * mutex, inside which nobody waits; abstime below does not bound that.)
 *   EBUSY      a conflicting request is held or waiting; nothing has changed
 *   EINVAL     as above
 */
RANGELOCK_API int rangelock_tryrdlock(struct rangelock *, struct rangelock_req *req,
				      uint64_t start, uint64_t end);
RANGELOCK_API int rangelock_trywrlock(struct rangelock *, struct rangelock_req *req,
				      uint64_t start, uint64_t end);

/*
 * rangelock_timedrdlock, rangelock_timedwrlock: the same, waiting until
 * abstime at most: an absolute time of CLOCK_MONOTONIC (absolute, so that a
 * caller that retries does not wait longer than it meant to).  A range that
 * can be had at once is had, whatever abstime says.  abstime NULL waits as
 * long as it takes.  On 32-bit systems time_t must be as wide in the program
 * as it was when the library was built (_TIME_BITS).
 *   ETIMEDOUT  abstime has passed; req is idle, and those that queued behind
 *              it go on as if it had never been there
 *   EINVAL     as above, or the call has to wait and tv_nsec is not within
 *              0..999999999
 *   ECANCELED  as above
 */
RANGELOCK_API int rangelock_timedrdlock(struct rangelock *, struct rangelock_req *req,
					uint64_t start, uint64_t end,
					const struct timespec *abstime);
RANGELOCK_API int rangelock_timedwrlock(struct rangelock *, struct rangelock_req *req,
					uint64_t start, uint64_t end,
					const struct timespec *abstime);

/*
 * rangelock_unlock: give a held range up, from any thread.  Grants those
 * requests for which this was the last one in their way, and wakes just those.
 *   EINVAL     a NULL object, lock destroyed
 *   EPERM      req does not hold a range of this lock, or on a checked one is
 *              another thread's
 */
RANGELOCK_API int rangelock_unlock(struct rangelock *, struct rangelock_req *req);

/*
 * rangelock_cancel: make another thread's waiting call return ECANCELED: a lock
 * call, or upgrade (the read is still held), commit (the reservation ends), lockv (by
 * any of its requests); of a submitted request the callback runs, in this thread.
 * The caller sees to it that the request's memory lives until this call
 * returns.  A cancel is not remembered: to stop a thread for good, set a flag
 * that it looks at before it locks, and cancel until it has ended.
 *   EBUSY      the request is not waiting on this lock: it has not begun to,
 *              was granted, or has ended
 *   EINVAL     a NULL object, lock destroyed
 */
RANGELOCK_API int rangelock_cancel(struct rangelock *, struct rangelock_req *req);

/* ------------------------------------------------------------------------ *
 * Change what is held
 *
 * None of them but rangelock_upgrade() waits.
 *   EPERM    req does not hold a range of this lock: it is idle, waits, is
 *            reserved, or is in use elsewhere; or on a checked lock is another
 *            thread's
 *   EINVAL   as everywhere
 *   ENOMEM   list engine only: all is held as it was
 *
 *	rangelock_rdlock(&lock, &req, 0, 4096);
 *	if (find(key) < 0 && rangelock_upgrade(&lock, &req) == 0)
 *		insert(key);                   // still not there: nobody wrote meanwhile
 *	rangelock_unlock(&lock, &req);
 * ------------------------------------------------------------------------ */

/* rangelock_downgrade: write -> read.  Those who only read come in at once.  0
 * for what is a read already. */
RANGELOCK_API int rangelock_downgrade(struct rangelock *, struct rangelock_req *req);

/* rangelock_tryupgrade: read -> write.  0 for what is a write already.
 *   EBUSY    another request that overlaps is held or waiting; still held for read */
RANGELOCK_API int rangelock_tryupgrade(struct rangelock *, struct rangelock_req *req);

/*
 * rangelock_upgrade: read -> write, waiting for overlapping readers.  No writer
 * gets in between, so what was read is still true; it goes before all that wait
 * but nested reads, and readers that arrive meanwhile wait for it.
 * After a failure the read is still held.
 *   EDEADLK    another upgrade that waits overlaps: each would wait for the other;
 *              or on a checked lock: it would wait for ever
 *   ECANCELED  rangelock_cancel()
 */
RANGELOCK_API int rangelock_upgrade(struct rangelock *, struct rangelock_req *req);

/*
 * rangelock_reduce: keep only [start, end), and give the rest up.
 *   EINVAL   not a part of what is held
 *
 *	rangelock_wrlock(&lock, &req, 0, 1 << 20);
 *	uint64_t used = write_records(1 << 20); // one at least
 *	rangelock_reduce(&lock, &req, 0, used); // others may have what was not needed
 */
RANGELOCK_API int rangelock_reduce(struct rangelock *, struct rangelock_req *req,
				   uint64_t start, uint64_t end);

/*
 * rangelock_split: req keeps what lies below at, tail, which was idle, holds the
 * rest in the same mode; each can be unlocked by itself.
 *   EINVAL   at is not inside of what is held, or tail is in use
 *
 *	rangelock_split(&lock, &req, middle, &tail);
 *	hand_to_another_thread(&tail);
 */
RANGELOCK_API int rangelock_split(struct rangelock *, struct rangelock_req *req,
				  uint64_t at, struct rangelock_req *tail);

/*
 * rangelock_tryextend: grow to [start, end), which contains what is held.
 *   EBUSY    a conflicting request is held or waiting in what would be added
 *   EINVAL   it does not contain what is held
 *
 *	while (end + chunk <= size && rangelock_tryextend(&lock, &req, start, end + chunk) == 0)
 *		end += chunk;
 */
RANGELOCK_API int rangelock_tryextend(struct rangelock *, struct rangelock_req *req,
				      uint64_t start, uint64_t end);

/* ------------------------------------------------------------------------ *
 * Other ways to lock
 * ------------------------------------------------------------------------ */

/*
 * rangelock_rdlock_nested: read for a caller that already holds outer on this lock.
 * Waits for writers that hold, and goes before all that wait: a writer that has
 * queued between two reads of one thread would wait for the first, and the second
 * for it.  Errors as rangelock_rdlock(), and
 *   EPERM    outer does not hold (while its upgrade waits it does)
 *
 *	rangelock_rdlock(&lock, &outer, 0, 1000);
 *	...
 *	rangelock_rdlock_nested(&lock, &inner, 1000, 1500, &outer);
 */
RANGELOCK_API int rangelock_rdlock_nested(struct rangelock *, struct rangelock_req *req,
					  uint64_t start, uint64_t end,
					  const struct rangelock_req *outer);

/*
 * rangelock_lockv: n ranges as one arrival, so that callers of lockv never
 * deadlock among themselves if they hold nothing else, in whatever order they name
 * their ranges.  Holds
 * all of them or none: none is held while the call waits.  To cancel any of the
 * requests cancels the call.  The requests are n neighbours in an
 * array; once held, each may be changed and unlocked by itself.
 *   EINVAL     n is 0, ranges of the vector conflict, or a request is in use
 *   ETIMEDOUT, ECANCELED, EDEADLK, ENOMEM (list engine only)  nothing is held
 *
 *	struct rangelock_req reqs[2] = { RANGELOCK_REQ_INITIALIZER, RANGELOCK_REQ_INITIALIZER };
 *	const struct rangelock_range move[] = { { from, from + n, RANGELOCK_READ },
 *						{ to, to + n, RANGELOCK_WRITE } };
 *	rangelock_lockv(&lock, reqs, move, 2, NULL);
 *	...
 *	rangelock_unlockv(&lock, reqs, 2);
 */
RANGELOCK_API int rangelock_lockv(struct rangelock *, struct rangelock_req reqs[],
				  const struct rangelock_range ranges[], size_t n,
				  const struct timespec *abstime);

/* rangelock_unlockv: unlock n neighbours in an array.
 *   EPERM    as for one of them; nothing was unlocked
 *   EINVAL   n is 0 */
RANGELOCK_API int rangelock_unlockv(struct rangelock *, struct rangelock_req reqs[], size_t n);

/*
 * rangelock_submit: lock without waiting.
 *   0            held now; the callback does not run
 *   EINPROGRESS  the callback will run once: with error 0 when the range is held,
 *                in the thread that made the grant; or with ECANCELED, req being
 *                idle, in the thread that called rangelock_cancel()
 *   EINVAL       as everywhere, or the request is in use
 *   ENOMEM       list engine only: the callback does not run
 * A grant is made by whatever call gives a range up: unlock, a change, a cancel, a
 * time-out, in any thread; so the callback may have run before submit has returned.
 * It runs with no internal lock held, may call anything, unlock and submit of the
 * same lock included, and may free the request once it is idle.  One that makes
 * further grants does not nest: their callbacks run when it has returned, or before
 * it waits for a lock.  Do not give ranges up while holding what a callback takes.
 * *range is not needed after submit.
 *
 *	static void start_io(struct rangelock_req *req, int error, void *io)
 *	{
 *		if (!error)
 *			begin(io, req);        // unlocks req when it is done
 *	}
 *
 *	if (rangelock_submit(&lock, &io->req, &io->range, start_io, io) == 0)
 *		start_io(&io->req, 0, io);
 */
typedef void rangelock_granted_fn(struct rangelock_req *req, int error, void *arg);
RANGELOCK_API int rangelock_submit(struct rangelock *, struct rangelock_req *req,
				   const struct rangelock_range *range,
				   rangelock_granted_fn *granted, void *arg);

/* ------------------------------------------------------------------------ *
 * Reservations: "I chose this range and am about to lock it"
 *
 * Advisory and pairwise disjoint.  They block no lock call, until commit asks for
 * the range; a write that is granted over one revokes it, whichever call it was, at
 * the moment of the grant.  Reads, and calls that fail, revoke nothing.  Each
 * reservation ends exactly once: committed, revoked or unreserved.  The request of a
 * revoked one is idle: it can be freed, or used for any call; only commit and unreserve
 * tell the difference, once.
 *
 *	int error;
 *	do {
 *		if (rangelock_reserve_gap(&lock, &req, size, 4096, 0, limit, &start))
 *			return ENOSPC;
 *		prepare(start, size);          // long, and nobody waits for it
 *		error = rangelock_commit(&lock, &req, NULL);
 *	} while (error == ECANCELED);          // if nobody calls rangelock_cancel()
 *	...                                    // [start, start + size) is held for write
 * ------------------------------------------------------------------------ */

/* rangelock_reserve: mark [start, end) as chosen.
 *   EBUSY    the range overlaps a reservation, or a held or waiting write */
RANGELOCK_API int rangelock_reserve(struct rangelock *, struct rangelock_req *req,
				    uint64_t start, uint64_t end);

/* rangelock_reserve_gap: find the lowest range of size units within [lo, hi) that
 * can be reserved, its start a multiple of align, and reserve it.  (On the list engine
 * something was in the way of each lower one at some time of the call.)
 *   ENOSPC   there is none; *ret_start is as it was
 *   EINVAL   size or align is 0, or lo >= hi */
RANGELOCK_API int rangelock_reserve_gap(struct rangelock *, struct rangelock_req *req,
					uint64_t size, uint64_t align,
					uint64_t lo, uint64_t hi, uint64_t *ret_start);

/* rangelock_commit: turn a reservation into a held write.  It queues as a write that
 * arrives now: behind readers and writers that came before, in the way of those
 * that come later.  Until the grant the reservation stands, and one of those
 * writers that is granted before it revokes it.
 *   0          held, and no overlapping write was granted since the reservation
 *   ECANCELED  it was revoked, or rangelock_cancel() ended it; req is idle
 *   ETIMEDOUT, EDEADLK  the reservation stands
 *   EINVAL     it has to wait, and abstime is unsound; the reservation stands
 *   EPERM      req is not reserved on this lock */
RANGELOCK_API int rangelock_commit(struct rangelock *, struct rangelock_req *req,
				   const struct timespec *abstime);

/* rangelock_unreserve: give a reservation up.
 *   ECANCELED  it was revoked before; req is idle
 *   EPERM      req is not reserved on this lock, or its commit waits */
RANGELOCK_API int rangelock_unreserve(struct rangelock *, struct rangelock_req *req);

/* rangelock_is_reserved: false once revoked, committed or unreserved. */
RANGELOCK_API bool rangelock_is_reserved(struct rangelock *, const struct rangelock_req *req);

/* ------------------------------------------------------------------------ *
 * Under the engine's short mutex (tree engine)
 *
 * For callers who keep a structure of their own under that mutex: look it up
 * inside enter, then wait for the range that it names.
 *
 *	rangelock_enter(&lock);
 *	struct rangelock_range range = look_up(address);
 *	int error = rangelock_wait_entered(&lock, &req, &range, NULL);
 *	...                                    // inside again: look anew, since it may have waited
 *	rangelock_leave(&lock);
 *
 * Inside, no other call on the same lock may be made by the same thread but
 * rangelock_wait_entered() and rangelock_leave().
 * ------------------------------------------------------------------------ */

/* rangelock_enter, rangelock_leave: take and give the mutex.  What is done inside
 * is to be short: all slow paths of the lock wait meanwhile.  With NULL
 * either prints a message and aborts, as enter does with a destroyed lock, or an
 * engine that lacks it. */
RANGELOCK_API void rangelock_enter(struct rangelock *);
RANGELOCK_API void rangelock_leave(struct rangelock *);

/* rangelock_wait_entered: lock a range from inside enter, and nowhere else;
 * gives the mutex up while it waits, and has it again when it returns, whatever it
 * returns.  (With RANGELOCK_BARGING also for a moment to revoke commits that it has
 * passed.)  What the mutex guards may have changed meanwhile, which is not told:
 * look anew, and where the look names another range, unlock this one after leave and
 * begin again (rangelock_lock_chosen() does that).  Errors as the timed lock calls. */
RANGELOCK_API int rangelock_wait_entered(struct rangelock *, struct rangelock_req *req,
					 const struct rangelock_range *range,
					 const struct timespec *abstime);

/*
 * rangelock_lock_chosen: lock a range that is known only by a look.  choose()
 * runs under the mutex, at first and again after each wait, and names the range;
 * if it names another one than was waited for, that one is given up and the new one
 * asked for, as a new arrival.  At the last call of choose() the range that it names
 * is held or is granted before the mutex is left: from then on whoever changes, under
 * the mutex, what choose() looked at can tell by the lock that somebody relies on it.
 * choose() returns 0 or a positive errno, which ends the call and is returned, nothing
 * being held; it must be quick, and must not call into the same lock.  A range that
 * was granted and given up again was held for that moment, in the way of others, but
 * revoked no reservation (so that walk may show both): what is chosen at last does.
 * Errors as the timed lock calls.
 *
 *	static int vma_of(void *arg, struct rangelock_range *range)
 *	{
 *		struct vma *vma = find_vma(*(uint64_t *)arg);
 *		if (!vma)
 *			return EFAULT;
 *		*range = (struct rangelock_range){ vma->start, vma->end, RANGELOCK_READ };
 *		return 0;
 *	}
 */
typedef int rangelock_choose_fn(void *arg, struct rangelock_range *range);
RANGELOCK_API int rangelock_lock_chosen(struct rangelock *, struct rangelock_req *req,
					rangelock_choose_fn *choose, void *arg,
					const struct timespec *abstime);

/* ------------------------------------------------------------------------ *
 * Look at a lock
 * ------------------------------------------------------------------------ */

enum rangelock_state { RANGELOCK_HELD, RANGELOCK_WAITING, RANGELOCK_RESERVED };

/* One request as rangelock_walk() shows it. */
struct rangelock_info {
	uint64_t start, end;
	enum rangelock_mode mode;
	enum rangelock_state state;
	const struct rangelock_req *req; /* whose it is */
	uint64_t arrival;  /* among those shown, who came first has the smaller number */
	uint64_t blockers; /* how many requests it still waits for (but those that have
			      passed it: RANGELOCK_BARGING); an upgrade that waits is
			      shown as the read that it holds, with those */
};
typedef int rangelock_walk_fn(const struct rangelock_info *, void *arg);

/*
 * rangelock_walk: call fn for every held, waiting and reserved request, in
 * the order of their starts; a consistent picture of one moment.  fn runs
 * under the engine's short mutex: it must be quick, since other calls wait
 * meanwhile, and must not call into the same lock, nor wait for a thread that
 * does.  A non-zero value from fn ends the walk and is returned; let it be
 * negative, to tell it from an errno.
 * On the list engine it is no picture of one moment, and delays nobody: a request that is
 * held or waits all the time is shown once, or if anything held is changed meanwhile perhaps
 * again, out of order; one that comes, goes or comes again perhaps.  Of one that was extended
 * downwards, to below where the walk is then, what is shown begins there.  arrival is 0 of
 * what is held or reserved.  fn must not lock or destroy anything there.
 *   EINVAL   a NULL argument, lock destroyed
 */
RANGELOCK_API int rangelock_walk(struct rangelock *, rangelock_walk_fn *fn, void *arg);

/*
 * rangelock_is_locked: is every unit of [start, end) held, by whomever, in at
 * least this mode?  For assertions.  false for bad arguments.
 */
RANGELOCK_API bool rangelock_is_locked(struct rangelock *, uint64_t start, uint64_t end,
				       enum rangelock_mode mode);

/*
 * Counted since init, where RANGELOCK_STATS is set.
 *
 *   reads, writes  ranges granted, by mode, whatever call it was: each range of a vector
 *                  is one, an upgrade that succeeds is a write (but not of what was
 *                  one), a commit is a write.  Of lock_chosen the range that it
 *                  returns with is one, and what it gave up again is none.  Nor are
 *                  downgrade, reduce, split and tryextend.
 *   waits          calls that were granted what they had to wait for: a vector is one
 *   wait_ns        how long those waited, summed, from arrival to grant; that a thread
 *                  then has to wake up is not in it.  Of lock_chosen, the last wait.
 *   wait_max_ns    the longest of them
 *   timeouts       calls that answered ETIMEDOUT
 *   cancels        calls, and submitted requests, that rangelock_cancel() ended
 *   wakeups        waiting calls that were told that they go on: those that were granted
 *                  or cancelled, and commits that were revoked.  Callbacks are not.
 *                  With RANGELOCK_BARGING also those that were invited to come, each time.
 */
struct rangelock_stats {
	uint64_t reads, writes;
	uint64_t waits;
	uint64_t wait_ns, wait_max_ns;
	uint64_t timeouts, cancels;
	uint64_t wakeups;
	uint64_t reserved_[8]; /* zero */
};

/*
 * rangelock_stats: what has been counted, at one moment.  What a call has done is
 * counted when it returns.
 *   EINVAL   a NULL argument, lock destroyed
 *   ENOTSUP  the lock was made without RANGELOCK_STATS
 *
 *	const struct rangelock_attr attr = { .flags = RANGELOCK_STATS };
 *	rangelock_init(&lock, &attr);
 *	...
 *	struct rangelock_stats s;
 *	if (rangelock_stats(&lock, &s) == 0 && s.waits)
 *		printf("%.0f %% waited, %" PRIu64 " ns each\n",
 *		       100.0 * s.waits / (s.reads + s.writes), s.wait_ns / s.waits);
 */
RANGELOCK_API int rangelock_stats(struct rangelock *, struct rangelock_stats *ret_stats);

/* What an engine offers, beyond init, destroy and version. */
#define RANGELOCK_CAP_LOCK    0x0001u /* rdlock, wrlock, try, timed, unlock, cancel, walk, is_locked */
#define RANGELOCK_CAP_FIFO    0x0002u /* strict FIFO among conflicts */
#define RANGELOCK_CAP_CONVERT 0x0004u /* downgrade, tryupgrade, upgrade */
#define RANGELOCK_CAP_RESIZE  0x0008u /* reduce, split, tryextend */
#define RANGELOCK_CAP_NESTED  0x0010u /* rdlock_nested */
#define RANGELOCK_CAP_VECTOR  0x0020u /* lockv, unlockv */
#define RANGELOCK_CAP_SUBMIT  0x0040u /* submit */
#define RANGELOCK_CAP_RESERVE 0x0080u /* reserve, reserve_gap, commit, unreserve, is_reserved */
#define RANGELOCK_CAP_ENTER   0x0100u /* enter, leave, wait_entered, lock_chosen */
#define RANGELOCK_CAP_BARGING 0x0200u /* RANGELOCK_BARGING */
#define RANGELOCK_CAP_CHECKED 0x0400u /* RANGELOCK_CHECKED */
#define RANGELOCK_CAP_STATS   0x0800u /* RANGELOCK_STATS */

/* rangelock_engine_caps: RANGELOCK_CAP_* of an engine; 0 where this version
 * does not have it. */
RANGELOCK_API unsigned rangelock_engine_caps(enum rangelock_engine);

/* rangelock_version: "major.minor.patch" of the library that runs. */
RANGELOCK_API const char *rangelock_version(void);

#ifdef __cplusplus
}
#endif

#endif /* RANGELOCK_RANGELOCK_H */
