/* SPDX-License-Identifier: BSD-2-Clause */
/* All scenarios there are. */
#ifndef EXPLORE_SCENARIOS_H
#define EXPLORE_SCENARIOS_H

#include "explore/explore.h"

/* By hand (scenarios.c), and the last of them, of checked locks (checked.c); with a seeded fault (seeded.c).  NULL past the end. */
const struct scenario *scenario_by_hand(unsigned i);
const struct scenario *scenario_checked(unsigned i);
const struct scenario *scenario_seeded(unsigned i);

/* Made from a seed (generated.c), the same one each time; valid until the next.
 * Its name is "generated-SEED". */
const struct scenario *scenario_generated(uint64_t seed);

#endif
