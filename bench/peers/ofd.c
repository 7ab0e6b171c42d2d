/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open file description locks: fcntl(F_OFD_SETLKW), the kernel's own byte-range
 * locks.  Each thread has a file description of its own, since that is what
 * such a lock belongs to.
 */
#include <fcntl.h>
#include <unistd.h>

#include "bench/file.h"
#include "bench/peers/peers.h"

struct handle {
	int fd;
};

struct ofd_lock {
	unsigned threads;
	int fds[]; /* one per thread, on a file made for it */
};

static inline int set_lock(int fd, short type, const struct op *op)
{
	struct flock range = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)op->start,
		.l_len = op->end > INT64_MAX ? 0 : (off_t)(op->end - op->start), /* 0: to the end */
	};

	while (fcntl(fd, F_OFD_SETLKW, &range) != 0)
		if (errno != EINTR)
			return errno;
	return 0;
}

static inline int take(void *lock, struct handle *h, const struct op *op)
{
	(void)lock;
	return set_lock(h->fd, op->write ? F_WRLCK : F_RDLCK, op);
}

static inline int give(void *lock, struct handle *h, const struct op *op)
{
	(void)lock;
	return set_lock(h->fd, F_UNLCK, op);
}

static void prepare(void *lock, struct handle *h, unsigned thread)
{
	h->fd = ((struct ofd_lock *)lock)->fds[thread];
}

#define PREPARE
#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	struct ofd_lock *lock = new_lock(sizeof(*lock) + setting->threads * sizeof(lock->fds[0]));
	struct record_file file = record_file_make(1);

	lock->threads = setting->threads;
	for (unsigned i = 0; i < setting->threads; i++)
		lock->fds[i] = record_file_reopen(&file);
	record_file_close(&file);
	return lock;
}

static void destroy(void *arg)
{
	struct ofd_lock *lock = arg;

	for (unsigned i = 0; i < lock->threads; i++)
		close(lock->fds[i]);
	free(lock);
}

const struct bench_lock lock_ofd = {
	.name = "ofd",
	.what = "fcntl open file description locks",
	.guards = true,
	.most_held = 1000,
	.available = always_available,
	.create = create,
	.destroy = destroy,
	LOCK_CALLS,
};
