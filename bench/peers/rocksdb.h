/* SPDX-License-Identifier: BSD-2-Clause */
/* RocksDB is C++: what of it the benchmark needs, for C. */
#ifndef BENCH_ROCKSDB_H
#define BENCH_ROCKSDB_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rocks;	  /* a database with a range lock manager */
struct rocks_txn; /* who holds ranges in it */

/* NULL: it failed, with a message. */
struct rocks *rocks_open(void);
void rocks_close(struct rocks *);

struct rocks_txn *rocks_begin(struct rocks *);
void rocks_end(struct rocks_txn *);
/* Hold the keys first to last as well; 0 or an errno. */
int rocks_lock(struct rocks_txn *, uint64_t first, uint64_t last);
/* Hold none any more. */
int rocks_unlock_all(struct rocks_txn *);

#ifdef __cplusplus
}
#endif

#endif
