/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Broken locks for rangelock-stress, by LD_PRELOAD in front of the real one:
 * LIE is the one call that lies.  Each control shows that one part of the
 * oracle can object.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <rangelock/rangelock.h>

#include "common/clock.h"

#define ALWAYS_LOCKED	1
#define SHOWS_NOTHING	2
#define CANCELS_NOBODY	3
#define IMPATIENT	4
#define NEVER_RETURNS	5
#define ALWAYS_BUSY	6
#define SHARES_WRITES	7
#define FORGETS_UNLOCKS 8
#define LOSES_PLACES	9
#define RARELY_BUSY	10
#define GRANTS_LATE	11
#define LOSES_GRANTS	12
#define SHAM_UPGRADES	13
#define CALLS_TWICE	14
#define COMMITS_ANYWAY	15
#define ALWAYS_RESERVED 16
#define REVOKES_ALONE	17
#define NO_DEADLOCKS	18

#if LIE == ALWAYS_LOCKED
bool rangelock_is_locked(struct rangelock *lock, uint64_t start, uint64_t end,
			 enum rangelock_mode mode)
{
	(void)lock, (void)start, (void)end, (void)mode;
	return true;
}
#elif LIE == SHOWS_NOTHING
int rangelock_walk(struct rangelock *lock, rangelock_walk_fn *fn, void *arg)
{
	(void)lock, (void)fn, (void)arg;
	return 0;
}
#elif LIE == CANCELS_NOBODY
int rangelock_cancel(struct rangelock *lock, struct rangelock_req *req)
{
	(void)lock, (void)req;
	return EBUSY;
}
#elif LIE == IMPATIENT
int rangelock_timedrdlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			  uint64_t end, const struct timespec *abstime)
{
	(void)abstime;
	int error = rangelock_tryrdlock(lock, req, start, end);
	return error == EBUSY ? ETIMEDOUT : error;
}
#elif LIE == NEVER_RETURNS
int rangelock_cancel(struct rangelock *lock, struct rangelock_req *req)
{
	(void)lock, (void)req;
	for (;;)
		pause();
}
#elif LIE == ALWAYS_BUSY
int rangelock_tryrdlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			uint64_t end)
{
	(void)lock, (void)req, (void)start, (void)end;
	return EBUSY;
}
#elif LIE == SHARES_WRITES
int rangelock_wrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
		     uint64_t end)
{
	return rangelock_rdlock(lock, req, start, end);
}
#elif LIE == FORGETS_UNLOCKS
int rangelock_unlock(struct rangelock *lock, struct rangelock_req *req)
{
	static _Thread_local unsigned calls;
	int (*real)(struct rangelock *, struct rangelock_req *) =
	    dlsym(RTLD_NEXT, "rangelock_unlock");

	return ++calls % 1000 == 0 ? 0 : real(lock, req);
}
#elif LIE == LOSES_PLACES
/* Who has waited a while goes to the end of the queue, now and then. */
int rangelock_wrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
		     uint64_t end)
{
	static _Thread_local unsigned calls;
	struct timespec abstime;
	int error;

	do {
		abstime = in_ns(100000);
		error = rangelock_timedwrlock(lock, req, start, end,
					      ++calls % 10 == 0 ? &abstime : NULL);
	} while (error == ETIMEDOUT);
	return error;
}
#elif LIE == RARELY_BUSY
int rangelock_trywrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
			uint64_t end)
{
	static _Thread_local unsigned calls;
	int (*real)(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t) =
	    dlsym(RTLD_NEXT, "rangelock_trywrlock");

	return ++calls % 1000 == 0 ? EBUSY : real(lock, req, start, end);
}
#elif LIE == GRANTS_LATE || LIE == LOSES_GRANTS
/* The lock knows of the grant; the caller learns of it late, or never. */
int rangelock_wrlock(struct rangelock *lock, struct rangelock_req *req, uint64_t start,
		     uint64_t end)
{
	static _Atomic unsigned calls;
	int error = rangelock_timedwrlock(lock, req, start, end, NULL);

	if (error == 0 && ++calls == 1000)
		sleep_ns(LIE == GRANTS_LATE ? (int64_t)2500000000 : INT64_MAX);
	return error;
}
#elif LIE == SHAM_UPGRADES
/* Others who read are not waited for, and writers may come. */
int rangelock_upgrade(struct rangelock *lock, struct rangelock_req *req)
{
	(void)lock, (void)req;
	return 0;
}
#elif LIE == CALLS_TWICE
/* Who waits for its callback, and with what. */
static _Thread_local struct {
	rangelock_granted_fn *fn;
	void *arg;
} twice;

static void call_twice(struct rangelock_req *req, int error, void *arg)
{
	struct {
		rangelock_granted_fn *fn;
		void *arg;
	} *real = arg;

	real->fn(req, error, real->arg);
	real->fn(req, error, real->arg);
}

int rangelock_submit(struct rangelock *lock, struct rangelock_req *req,
		     const struct rangelock_range *range, rangelock_granted_fn *fn, void *arg)
{
	int (*real)(struct rangelock *, struct rangelock_req *, const struct rangelock_range *,
		    rangelock_granted_fn *, void *) = dlsym(RTLD_NEXT, "rangelock_submit");

	if (twice.fn) /* one call of each thread */
		return real(lock, req, range, fn, arg);
	twice.fn = fn;
	twice.arg = arg;
	int error = real(lock, req, range, call_twice, &twice);
	if (error != EINPROGRESS)
		twice.fn = NULL;
	return error;
}
#elif LIE == COMMITS_ANYWAY
int rangelock_commit(struct rangelock *lock, struct rangelock_req *req,
		     const struct timespec *abstime)
{
	int (*real)(struct rangelock *, struct rangelock_req *, const struct timespec *) =
	    dlsym(RTLD_NEXT, "rangelock_commit");
	int error = real(lock, req, abstime);

	return error == ECANCELED ? 0 : error;
}
#elif LIE == ALWAYS_RESERVED
bool rangelock_is_reserved(struct rangelock *lock, const struct rangelock_req *req)
{
	(void)lock, (void)req;
	return true;
}
#elif LIE == REVOKES_ALONE
int rangelock_unreserve(struct rangelock *lock, struct rangelock_req *req)
{
	int (*real)(struct rangelock *, struct rangelock_req *) =
	    dlsym(RTLD_NEXT, "rangelock_unreserve");
	int error = real(lock, req);

	return error ? error : ECANCELED;
}
#elif LIE == NO_DEADLOCKS
/* It says so where there is none. */
int rangelock_upgrade(struct rangelock *lock, struct rangelock_req *req)
{
	(void)lock, (void)req;
	return EDEADLK;
}
#endif
