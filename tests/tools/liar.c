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
#endif
