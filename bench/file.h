/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real input: one file of 4 KiB records, each of which must be read and
 * written as a whole.
 *
 * A record says in every word which write it is from.  It is written by two
 * system calls, first half and second half, as a program does that keeps
 * header and body apart: without a lock, a reader in between sees it torn.
 */
#ifndef BENCH_FILE_H
#define BENCH_FILE_H

#include "bench/lock.h"

enum { RECORD_SIZE = 4096 };

struct record_file {
	int fd;
	unsigned records;
};

/* Where files are made: --dir. */
extern const char *record_file_dir;

/* Make a file of that many records there; it has no name any more, and goes
 * with the process.  Exits with a message that names --dir where it cannot. */
struct record_file record_file_make(unsigned records);
/* Make every record whole: a control without a lock may have left some torn. */
void record_file_reset(const struct record_file *file);
void record_file_close(struct record_file *file);

/* Read or write the record at op's range; count a torn one in the job. */
void record_access(struct record_file *file, struct job *job, const struct op *op);

/* Another open file description of it, as OFD locks need one for each thread. */
int record_file_reopen(const struct record_file *file);

#endif
