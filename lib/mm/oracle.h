/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle: what was done and seen is noted while it happens (oracle.c), and judged
 * afterwards (judge.c); what is wrong in itself is a violation at once; and at rest the books
 * must balance (books.c).
 *
 * Time.  Every call and access notes when it began and when it had ended.  It takes effect at
 * some moment between, so that only what is apart in time has an order.
 *
 * Generations.  Every change of the mappings has a number, seq, given under the index lock.
 * A VMA has the number of the change that made it, and a page-table entry that of the VMA
 * that it was made for.  The changes are noted in that order, so an entry's number
 * tells which mapping of its page it belongs to: that of the last change up to then.
 *
 * Tags.  A page's content carries who wrote it last: the writer, and the place in his log, where
 * the page and the generation stand.
 */
#ifndef RL_MM_ORACLE_H
#define RL_MM_ORACLE_H

#include "mm/mm.h"

/* ---- Tags ---- */

#define TAG_FILE     (UINT64_C(1) << 63) /* as the file came */
#define TAG_UNLOGGED UINT64_MAX		 /* written when the log was full */

static inline uint64_t tag_of_file(unsigned id, uint64_t page)
{
	return TAG_FILE | (uint64_t)id << 32 | page;
}

static inline uint64_t tag_of(uint32_t writer, uint32_t n)
{
	return (uint64_t)(writer + 1) << 32 | n;
}

/* ---- Logs ---- */

enum access_op { ACCESS_LOAD, ACCESS_STORE, ACCESS_FILE_STORE };

struct access {
	int64_t start, end;
	uint64_t page; /* of the address; FILE_STORE: of the file */
	uint64_t tag;  /* seen, or written */
	uint32_t seq;  /* of the entry; FILE_STORE: the file's id */
	uint8_t op;
	uint8_t error;
};

enum { CHUNK = 4096, CHUNKS = 512 };
struct log {
	uint32_t n; /* in the thread's hands until all rest */
	struct access *chunks[CHUNKS];
};

/* When a call was made that changes mappings; end is INT64_MAX until it has returned. */
struct call {
	struct call *next;
	int64_t start, end;
};

/* ---- Notes ---- */

void rl_mm_violation(struct mmshim *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Around each call that may change mappings.  They nest; the outermost counts. */
struct call *rl_mm_call_begin(struct mmshim *);
void rl_mm_call_end(struct mmshim *, struct call *outermost);

/* Under the index lock; false: no memory. */
bool rl_mm_note_change(struct mmshim *, const struct edit *);
/* The content of [start, end) is about to be thrown away: by madvise. */
bool rl_mm_note_discard(struct mmshim *, uint64_t start, uint64_t end);

/* NULL: not noted. */
struct access *rl_mm_access_begin(struct mmshim *, struct thread *, enum access_op, uint64_t page,
				  uint64_t *ret_tag);
void rl_mm_access_end(struct access *, int error, uint64_t tag, uint64_t entry);

int rl_mm_oracle_init(struct mmshim *);
void rl_mm_oracle_end(struct mmshim *);
void rl_mm_log_free(struct log *);

/* ---- Judgement, at rest ---- */

/* MARK: may be refused from here on, and may be seen until it is unmapped. */
enum change_kind {
	CHANGE_MAP,
	CHANGE_UNMAP,
	CHANGE_PROTECT,
	CHANGE_MOVE,
	CHANGE_MARK,
	CHANGE_DISCARD
};

struct change {
	enum change_kind kind;
	uint32_t seq;
	unsigned prot, flags;
	uint64_t start, end; /* pages */
	uint64_t from;	     /* MOVE: the first page's old place */
	struct mmshim_file *file;
	uint64_t offset;
	struct call *call;
};

struct history {
	struct change *changes; /* in the order of seq */
	size_t n, room;
	pthread_mutex_t lock;
	struct call *calls;
	bool is_child;	/* what is mapped first came from its parent */
	int64_t forked; /* the fork had ended then */
};

int rl_mm_judge(struct mmshim *, uint64_t *ret_checked);
int rl_mm_check_books(struct mmshim *);

#endif
