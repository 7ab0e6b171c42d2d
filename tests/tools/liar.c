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

#define ALWAYS_LOCKED	1
#define SHOWS_NOTHING	2
#define CANCELS_NOBODY	3
#define IMPATIENT	4
#define NEVER_RETURNS	5
#define ALWAYS_BUSY	6
#define SHARES_WRITES	7
#define FORGETS_UNLOCKS 8

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
#endif
