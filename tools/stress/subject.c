/* SPDX-License-Identifier: BSD-2-Clause */
#include "stress/subject.h"

#include <stddef.h>

#define LIBRARY_CALLS                                                                     \
	.init = rangelock_init, .destroy = rangelock_destroy, .rdlock = rangelock_rdlock, \
	.wrlock = rangelock_wrlock, .tryrdlock = rangelock_tryrdlock,                     \
	.trywrlock = rangelock_trywrlock, .timedrdlock = rangelock_timedrdlock,           \
	.timedwrlock = rangelock_timedwrlock, .unlock = rangelock_unlock,                 \
	.cancel = rangelock_cancel, .walk = rangelock_walk, .is_locked = rangelock_is_locked

static const struct subject tree = {
	.name = "tree", .engine = RANGELOCK_TREE, .fifo = true, LIBRARY_CALLS
};
static const struct subject tree_barging = {
	.name = "tree-barging", .engine = RANGELOCK_TREE, .barging = true, LIBRARY_CALLS
};
static const struct subject list = {
	.name = "list", .engine = RANGELOCK_LIST, .torn = true, LIBRARY_CALLS
};
static const struct subject sharded = { .name = "sharded",
					.engine = RANGELOCK_SHARDED,
					LIBRARY_CALLS };

const struct subject *const subjects[] = { &tree, &tree_barging, &list, &sharded, NULL };

bool subject_available(const struct subject *s)
{
	return s == &busted || (rangelock_engine_caps(s->engine) & RANGELOCK_CAP_LOCK);
}
