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

/* From *at on; 0 at the chunk's end, RETRY_* to come again, or an errno. */
static int populate_chunk(struct mmshim *mm, uint64_t *at, uint64_t stop, uint32_t birth,
			  struct vma_attr *a)
{
	for (; *at < stop; *at += MMSHIM_PAGE) {
		/* It may have gone, or be another's, since the last chunk. */
		if (!rl_mm_lookup(mm, *at, a) || a->flags & VMA_DEAD || a->birth > birth)
			return ENOMEM;
		int error =
		    rl_mm_allows(a, MMSHIM_READ)
			? rl_mm_handle_fault(mm, a, *at,
					     a->prot & MMSHIM_WRITE ? MMSHIM_WRITE : MMSHIM_READ,
					     FAULT_MAY_DROP)
			: 0;
		if (error)
			return error;
	}
	return 0;
}

static int populate(struct mmshim *mm, uint64_t start, uint64_t stop, uint32_t birth)
{
	unsigned attempts = 0;
	uint64_t at = start;
	int error = 0;

	while (!error && at < stop) {
		struct hold hold = { 0 };
		struct vma_attr a;
		uint64_t chunk = at + CHUNK_PAGES * MMSHIM_PAGE;

		lock_range(mm, &hold, start, stop, false);
		error = populate_chunk(mm, &at, chunk < stop ? chunk : stop, birth, &a);
		unlock(mm, &hold);
		if (error < 0)
			error = rl_mm_wait_for_fault(mm, &a, at, error, &attempts);
		rl_mm_point(mm, MMSHIM_IN_POPULATE, at);
	}
	return error;
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
