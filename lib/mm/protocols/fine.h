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
/* A fault that holds all: where a fine one had to give up, or a stack has to grow. */
int rl_mm_coarse_fault(struct mmshim *, uint64_t address, unsigned prot, bool grows,
		       unsigned *attempts);
int rl_mm_coarse_map(struct mmshim *, struct map *);
bool rl_mm_fine_try_page(struct mmshim *, struct hold *, uint64_t address);
void rl_mm_fine_lock_nested(struct mmshim *, struct hold *, uint64_t start, uint64_t end,
			    const struct hold *outer);

#endif
