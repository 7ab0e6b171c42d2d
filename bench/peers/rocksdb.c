/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RocksDB's range lock manager, which is the locktree of PerconaFT (Debian's librocksdb-dev).
 * It knows no readers.  Each handle is a transaction, which is begun once; what is measured is
 * its GetRangeLock(), and Rollback(), which gives all up that it holds.
 */
#include "bench/peers/rocksdb.h"

#include <pthread.h>

#include "bench/peers/peers.h"

struct handle {
	struct rocks_txn *txn;
};

/* Transactions end with the database, as handles have no end of their own. */
struct transactions {
	struct rocks *rocks;
	pthread_mutex_t mutex;
	struct rocks_txn **all;
	size_t n, room;
};

static inline int take(void *lock, struct handle *h, const struct op *op)
{
	(void)lock;
	return rocks_lock(h->txn, op->start, op->end - 1);
}

static inline int give(void *lock, struct handle *h, const struct op *op)
{
	(void)lock, (void)op;
	return rocks_unlock_all(h->txn);
}

static void prepare(void *lock, struct handle *h, unsigned thread)
{
	struct transactions *t = lock;

	(void)thread;
	h->txn = rocks_begin(t->rocks);
	pthread_mutex_lock(&t->mutex);
	if (t->n == t->room) {
		t->room = 2 * t->room + 64;
		t->all = realloc(t->all, t->room * sizeof(*t->all));
		must_succeed(t->all ? 0 : ENOMEM, "memory for transactions");
	}
	t->all[t->n++] = h->txn;
	pthread_mutex_unlock(&t->mutex);
}

#define PREPARE
#include "bench/loops.h"

static void *create(const struct setting *setting)
{
	struct transactions *t = new_lock(sizeof(*t));

	(void)setting;
	pthread_mutex_init(&t->mutex, NULL);
	t->rocks = rocks_open();
	must_succeed(t->rocks ? 0 : EIO, "opening a database in memory");
	return t;
}

static void destroy(void *lock)
{
	struct transactions *t = lock;

	for (size_t i = 0; i < t->n; i++)
		rocks_end(t->all[i]);
	free(t->all);
	rocks_close(t->rocks);
	free(t);
}

const struct bench_lock lock_rocksdb = {
	.name = "rocksdb",
	.what = "RocksDB's range lock manager",
	.guards = true,
	.no_readers = true,
	.most_held = 10000,
	.available = always_available,
	.create = create,
	.destroy = destroy,
	LOCK_CALLS,
};
