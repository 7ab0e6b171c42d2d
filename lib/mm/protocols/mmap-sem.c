/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap-sem: one reader/writer lock, a pthread_rwlock: faults read, changes write.
 *
 *	retry      a fault that would wait for a disk gives the lock up first (2010)
 *	populate   pages are faulted in by chunks under the read lock, which is given up
 *	           between two of them (2011)
 *
 * A pthread_rwlock cannot be downgraded.  Writers therefore take a mutex first: who holds that
 * can let go of the lock and read it, and no writer gets in between.
 */
#include <errno.h>

#include "mm/protocols/whole.h"

static int init(struct mmshim *mm)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	/* else faults starve changes; one writer at most waits, so readers are not starved */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	int error = pthread_rwlock_init(&mm->sem, &attr);
	pthread_rwlockattr_destroy(&attr);
	return error ? error : pthread_mutex_init(&mm->writers, NULL);
}

static void end(struct mmshim *mm)
{
	pthread_rwlock_destroy(&mm->sem);
	pthread_mutex_destroy(&mm->writers);
}

static void lock_all(struct mmshim *mm, struct hold *hold)
{
	pthread_mutex_lock(&mm->writers);
	pthread_rwlock_wrlock(&mm->sem);
	rl_mm_count(mm, C_COARSE);
	*hold = (struct hold){ .end = UINT64_MAX, .write = true };
}

static void lock_range(struct mmshim *mm, struct hold *hold, uint64_t start, uint64_t stop,
		       bool write)
{
	(void)start, (void)stop;
	if (write) {
		lock_all(mm, hold);
		return;
	}
	pthread_rwlock_rdlock(&mm->sem);
	rl_mm_count(mm, C_COARSE);
	*hold = (struct hold){ .end = UINT64_MAX };
}

static void lock_again(struct mmshim *mm, struct hold *hold)
{
	lock_all(mm, hold);
}

static void downgrade(struct mmshim *mm, struct hold *hold)
{
	pthread_rwlock_unlock(&mm->sem);
	pthread_rwlock_rdlock(&mm->sem);
	pthread_mutex_unlock(&mm->writers);
	hold->write = false;
}

static void unlock(struct mmshim *mm, struct hold *hold)
{
	if (!hold->end) /* reclaim's */
		return;
	pthread_rwlock_unlock(&mm->sem);
	if (hold->write)
		pthread_mutex_unlock(&mm->writers);
}

/* Chunks under the read lock: what takes long is done between two of them. */
enum { CHUNK_PAGES = 64 };

static int populate(struct mmshim *mm, uint64_t start, uint64_t stop, uint32_t birth)
{
	struct fault f = { .address = start, .birth = birth, .may_drop = true };
	int error = 0, missing = 0;

	while (!error && f.address < stop) {
		struct hold hold = { 0 };
		struct vma_attr a;

		lock_range(mm, &hold, start, stop, false);
		/* It may have gone, or be another's, since the last chunk. */
		for (int i = 0; i < CHUNK_PAGES && rl_mm_populate_next(mm, &f, stop, &a, &missing);
		     i++) {
			error = rl_mm_handle_fault(mm, &a, &f);
			if (error == EFAULT)
				missing = ENOMEM;
			else if (error)
				break;
			f.address += MMSHIM_PAGE;
			f.attempts = 0;
			error = 0;
		}
		unlock(mm, &hold);
		if (error < 0)
			error = rl_mm_wait_for_fault(mm, &a, &f, error);
		rl_mm_point(mm, MMSHIM_IN_POPULATE, f.address);
	}
	return error ? error : missing;
}

#define MMAP_SEM                                                                  \
	.init = init, .end = end, .lock_all = lock_all, .lock_range = lock_range, \
	.lock_again = lock_again, .downgrade = downgrade, .unlock = unlock,       \
	.try_page = rl_mm_whole_try_page, .map = rl_mm_whole_map, .unmap = rl_mm_whole_unmap

const struct protocol rl_mm_mmap_sem = {
	.name = "mmap-sem", MMAP_SEM, .fault = rl_mm_whole_fault, .populate = rl_mm_whole_populate
};
const struct protocol rl_mm_retry = { .name = "retry",
				      MMAP_SEM,
				      .fault = rl_mm_whole_fault_retrying,
				      .populate = rl_mm_whole_populate };
const struct protocol rl_mm_populate = {
	.name = "populate", MMAP_SEM, .fault = rl_mm_whole_fault, .populate = populate
};
