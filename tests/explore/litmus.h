/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the explorer itself see what C11 allows, and nothing else? */
#ifndef EXPLORE_LITMUS_H
#define EXPLORE_LITMUS_H

#include "explore/search.h"

unsigned litmus_count(void);

/* Run one; whether its outcomes are those expected.  ret_text says what they were. */
bool litmus_run(unsigned i, enum strategy strategy, bool weak, char *ret_text, size_t size);

#endif
