/* SPDX-License-Identifier: BSD-2-Clause */
/* All locks there are, in the order of tables. */
#include "bench/lock.h"

extern const struct bench_lock lock_tree, lock_tree_barging, lock_list, lock_sharded,
    lock_pthread_mutex, lock_pthread_rwlock, lock_ck_rwlock, lock_ck_pflock, lock_kara_bueso,
    lock_kogan, lock_freebsd_queue, lock_segments, lock_song, lock_rocksdb, lock_ofd, lock_none,
    lock_sleep;

const struct bench_lock *const bench_locks[] = {
	&lock_tree,	     &lock_tree_barging,   &lock_list,		&lock_sharded,
	&lock_pthread_mutex, &lock_pthread_rwlock, &lock_ck_rwlock,	&lock_ck_pflock,
	&lock_kara_bueso,    &lock_kogan,	   &lock_freebsd_queue, &lock_segments,
	&lock_song,
#ifdef WITH_ROCKSDB
	&lock_rocksdb,
#endif
	&lock_ofd,	     &lock_none,	   &lock_sleep,		NULL,
};
