/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of the road: a message on standard error, then abort(). */
#ifndef RL_BASE_DIE_H
#define RL_BASE_DIE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((noreturn, format(printf, 1, 2), cold)) static inline void rl_die(const char *fmt,
										...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("rangelock: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

#endif
