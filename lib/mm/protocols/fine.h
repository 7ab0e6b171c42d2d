/* SPDX-License-Identifier: BSD-2-Clause */
/* What fine and fine-chosen share: when a range will do, and which. */
#ifndef RL_MM_FINE_H
#define RL_MM_FINE_H

#include "mm/mm.h"

/* Have all that is mapped there been converted, so that its range is enough? */
bool rl_mm_is_converted(struct mmshim *, uint64_t start, uint64_t end);
/* What a fault locks: around the address, but no more than the mapping. */
void rl_mm_fault_range(struct mmshim *, const struct vma_attr *, uint64_t address,
		       struct rangelock_range *ret);
/* May map take the range, its address being known? */
bool rl_mm_map_is_fine(struct mmshim *, const struct map *);
/* A fault that holds all: where a fine one had to give up, or a stack has to grow. */
int rl_mm_coarse_fault(struct mmshim *, struct fault *, bool grows);
/* What comes after a fault was handled and all is unlocked: RETRY_LOOKUP to begin again. */
int rl_mm_end_of_fault(struct mmshim *, const struct vma_attr *, struct fault *, int error);
bool rl_mm_fine_try_page(struct mmshim *, struct hold *, uint64_t address);
void rl_mm_fine_lock_nested(struct mmshim *, struct hold *, uint64_t start, uint64_t end,
			    const struct hold *outer);

#endif
