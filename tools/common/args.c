/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/args.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bad_option(const char *option, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: %s: ", program_invocation_short_name, option);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_USAGE);
}

void no_more_words(int argc, char **argv, int next)
{
	if (next < argc)
		bad_option(argv[next], "not an option (see --help)");
}

uint64_t parse_number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (errno || end == text || *end || strchr(text, '-') || n < min || n > max)
		bad_option(option, "'%s' is not a whole number from %llu to %llu", text,
			   (unsigned long long)min, (unsigned long long)max);
	return n;
}

int64_t parse_seconds(const char *option, const char *text, double max)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !isfinite(s) || s < 1e-6 || s > max)
		bad_option(option, "'%s' is not a number of seconds from 0.000001 to %.0f", text,
			   max);
	return (int64_t)(s * 1e9);
}

char **parse_words(const char *option, const char *text)
{
	size_t n = 1;

	for (const char *c = text; *c; c++)
		n += *c == ',';

	/* The pointers, then the text that they point into. */
	char **words = malloc((n + 1) * sizeof(*words) + strlen(text) + 1);
	if (!words)
		bad_option(option, "out of memory");
	char *copy = strcpy((char *)(words + n + 1), text);

	for (size_t i = 0; i < n; i++) {
		words[i] = strsep(&copy, ",");
		if (!*words[i])
			bad_option(option, "'%s' has an empty item", text);
	}
	words[n] = NULL;
	return words;
}

struct json_sink json_open(const char *path)
{
	struct json_sink sink = { path, NULL };

	if (path) {
		sink.file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
		if (!sink.file)
			bad_option("--json", "cannot write '%s': %s", path, strerror(errno));
	}
	return sink;
}

void json_close(struct json_sink *sink, json_t *what)
{
	FILE *file = sink->file;

	if (file) {
		bool ok = json_dumpf(what, file, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0 &&
			  fputc('\n', file) != EOF;
		ok = (file == stdout ? fflush(file) : fclose(file)) == 0 && ok;
		if (!ok) {
			fprintf(stderr, "%s: --json: cannot write '%s': %s\n",
				program_invocation_short_name, sink->path, strerror(errno));
			exit(EXIT_FAILURE);
		}
	}
	json_decref(what);
}

void finish_text(FILE *file)
{
	if (fflush(file) == 0 && !ferror(file))
		return;
	fprintf(stderr, "%s: cannot write the result: %s\n", program_invocation_short_name,
		strerror(errno));
	exit(EXIT_FAILURE);
}

void progress(const char *fmt, ...)
{
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
}

void progress_end(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}
