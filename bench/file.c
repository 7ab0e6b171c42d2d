/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/args.h"

enum { WORDS = RECORD_SIZE / sizeof(uint64_t) };

/* Input and output that fails in the middle of a measurement ends it. */
static void must_transfer(ssize_t n, size_t size, const char *what)
{
	if (n == (ssize_t)size)
		return;
	fprintf(stderr, "%s: %s of a record failed: %s\n", program_invocation_short_name, what,
		n < 0 ? strerror(errno) : "short transfer");
	exit(EXIT_FAILURE);
}

static void write_record(int fd, uint64_t offset, uint64_t stamp)
{
	uint64_t words[WORDS];

	for (size_t i = 0; i < WORDS; i++)
		words[i] = stamp ^ (offset + i);
	must_transfer(pwrite(fd, words, RECORD_SIZE / 2, (off_t)offset), RECORD_SIZE / 2, "write");
	must_transfer(
	    pwrite(fd, words + WORDS / 2, RECORD_SIZE / 2, (off_t)(offset + RECORD_SIZE / 2)),
	    RECORD_SIZE / 2, "write");
}

/* Is the record whole: does every word carry the stamp of the first? */
static bool read_record(int fd, uint64_t offset)
{
	uint64_t words[WORDS];
	uint64_t different = 0;

	must_transfer(pread(fd, words, RECORD_SIZE, (off_t)offset), RECORD_SIZE, "read");
	for (size_t i = 1; i < WORDS; i++)
		different |= (words[i] ^ (offset + i)) ^ (words[0] ^ offset);
	return different == 0;
}

const char *record_file_dir = "/tmp";

struct record_file record_file_make(unsigned records)
{
	struct record_file file = { .records = records };
	char path[4096];

	snprintf(path, sizeof(path), "%s/rangelock-XXXXXX", record_file_dir);
	file.fd = mkostemp(path, O_CLOEXEC);
	if (file.fd < 0)
		bad_option("--dir", "cannot make a file in '%s': %s", record_file_dir,
			   strerror(errno));
	unlink(path);
	record_file_reset(&file);
	return file;
}

void record_file_reset(const struct record_file *file)
{
	for (unsigned i = 0; i < file->records; i++)
		write_record(file->fd, (uint64_t)i * RECORD_SIZE, 1);
}

void record_file_close(struct record_file *file)
{
	close(file->fd);
}

void record_access(struct record_file *file, struct job *job, const struct op *op)
{
	if (op->write) {
		uint64_t stamp = (uint64_t)(job->thread + 2) << 48 | job->done;
		write_record(file->fd, op->start, stamp);
	} else if (!read_record(file->fd, op->start)) {
		job->torn++;
	}
}

int record_file_reopen(const struct record_file *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "%s: cannot open %s: %s\n", program_invocation_short_name, path,
			strerror(errno));
		exit(EXIT_FAILURE);
	}
	return fd;
}
