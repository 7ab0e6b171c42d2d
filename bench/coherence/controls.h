/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks that are none, of which it is known what they write in common. */
#ifndef BENCH_COHERENCE_CONTROLS_H
#define BENCH_COHERENCE_CONTROLS_H

#include "bench/lock.h"

/* control-private: 0 lines; control-counter and control-neighbours: 1; control-two: 2. */
extern const struct bench_lock *const coherence_controls[];

#endif
