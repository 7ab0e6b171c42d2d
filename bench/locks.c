/* SPDX-License-Identifier: BSD-2-Clause */
/* All locks there are. */
#include "bench/lock.h"

extern const struct bench_lock lock_tree, lock_tree_barging, lock_list, lock_pthread_mutex,
    lock_pthread_rwlock, lock_ofd, lock_kara_bueso, lock_kogan, lock_none;

const struct bench_lock *const bench_locks[] = {
	&lock_tree,	  &lock_tree_barging, &lock_list, &lock_pthread_mutex, &lock_pthread_rwlock,
	&lock_kara_bueso, &lock_kogan,	      &lock_ofd,  &lock_none,	       NULL,
};
