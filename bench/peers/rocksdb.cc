/* SPDX-License-Identifier: BSD-2-Clause */
/* rocksdb.h: through the public interface, with a database in memory that stays empty. */
#include "bench/peers/rocksdb.h"

#include <cerrno>
#include <cstdio>
#include <memory>

#include <rocksdb/env.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/transaction_db.h>

using namespace ROCKSDB_NAMESPACE;

struct rocks {
	std::unique_ptr<Env> env;
	std::shared_ptr<RangeLockManagerHandle> manager;
	std::unique_ptr<TransactionDB> db;
};

struct rocks_txn {
	rocks *owner;
	std::unique_ptr<Transaction> txn;
};

struct rocks *rocks_open()
{
	auto rocks = std::make_unique<struct rocks>();
	TransactionDBOptions txn_options;
	Options options;
	TransactionDB *db;

	rocks->env.reset(NewMemEnv(Env::Default()));
	rocks->manager.reset(NewRangeLockManager(nullptr));
	rocks->manager->SetMaxLockMemory(size_t(1) << 32); /* no escalation */
	options.env = rocks->env.get();
	options.create_if_missing = true;
	txn_options.lock_mgr_handle = rocks->manager;
	Status status = TransactionDB::Open(options, txn_options, "/rangelock-bench", &db);
	if (!status.ok()) {
		std::fprintf(stderr, "rocksdb: %s\n", status.ToString().c_str());
		return nullptr;
	}
	rocks->db.reset(db);
	return rocks.release();
}

void rocks_close(struct rocks *rocks)
{
	delete rocks;
}

struct rocks_txn *rocks_begin(struct rocks *rocks)
{
	TransactionOptions options;

	options.lock_timeout = 3600 * 1000; /* a negative one would be the default, a second */
	return new rocks_txn{ rocks, std::unique_ptr<Transaction>(
					 rocks->db->BeginTransaction(WriteOptions(), options)) };
}

void rocks_end(struct rocks_txn *txn)
{
	delete txn;
}

/* A key whose bytes compare as the number does. */
static void make_key(uint64_t n, char *ret_key)
{
	for (int i = 0; i < 8; i++)
		ret_key[i] = static_cast<char>(n >> (56 - 8 * i));
}

int rocks_lock(struct rocks_txn *txn, uint64_t first, uint64_t last)
{
	char from[8], to[8];

	make_key(first, from);
	make_key(last, to);
	Status status = txn->txn->GetRangeLock(txn->owner->db->DefaultColumnFamily(),
					       Endpoint(Slice(from, 8)), Endpoint(Slice(to, 8)));
	return status.ok() ? 0 : EIO;
}

int rocks_unlock_all(struct rocks_txn *txn)
{
	return txn->txn->Rollback().ok() ? 0 : EIO;
}
