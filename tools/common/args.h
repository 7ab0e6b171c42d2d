/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines, the same way in every tool: what is wrong names the option
 * on standard error and exits 2, before anything has been done.
 */
#ifndef COMMON_ARGS_H
#define COMMON_ARGS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

enum { EXIT_USAGE = 2 };

/* "PROGRAM: OPTION: MESSAGE", exit 2. */
__attribute__((noreturn, format(printf, 2, 3))) void bad_option(const char *option, const char *fmt,
								...);

/* Refuse words that belong to no option. */
void no_more_words(int argc, char **argv, int optind);

/* A whole number within [min, max]. */
uint64_t parse_number(const char *option, const char *text, uint64_t min, uint64_t max);

/* Seconds with decimals, more than 0, at most max; in nanoseconds. */
int64_t parse_seconds(const char *option, const char *text, double max);

/* The words between commas, none empty; NULL-terminated, allocated once. */
char **parse_words(const char *option, const char *text);

/*
 * Where --json goes.  Opened before the work, so that a path that cannot be
 * written costs nobody an hour; "-" is standard output; NULL path: nowhere.
 */
struct json_sink {
	const char *path;
	FILE *file;
};
struct json_sink json_open(const char *path);
/* Write it, give it up, and close; exits 1 with a message where that fails. */
void json_close(struct json_sink *sink, json_t *what);

/* Flush what was printed; exits 1 with a message where that fails. */
void finish_text(FILE *file);

/* One line that is overwritten, on a terminal only. */
__attribute__((format(printf, 1, 2))) void progress(const char *fmt, ...);
void progress_end(void);

#endif
