/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's waiting, and a way to make it forget: each execution of a
 * scenario has to begin alike. */
#include "wait/wait.c"

#include "explore/machine.h"

void reset_spinning(void)
{
	usual_rounds = SPIN_MAX / 2;
	waits = 0;
	explore_private(&usual_rounds, sizeof(usual_rounds));
	explore_private(&waits, sizeof(waits));
}
