/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole calls of the protocols that lock all or nothing. */
#ifndef RL_MM_WHOLE_H
#define RL_MM_WHOLE_H

#include "mm/mm.h"

int rl_mm_whole_map(struct mmshim *, struct map *);
int rl_mm_whole_unmap(struct mmshim *, uint64_t start, uint64_t end);
int rl_mm_whole_fault(struct mmshim *, struct fault *);
/* The same, that gives the lock up rather than wait for a disk with it. */
int rl_mm_whole_fault_retrying(struct mmshim *, struct fault *);
int rl_mm_whole_populate(struct mmshim *, uint64_t start, uint64_t end, uint32_t birth);

/* The range lock, full or not. */
int rl_mm_range_init(struct mmshim *);
void rl_mm_range_end(struct mmshim *);
/* Note whether all was taken, or a range. */
void rl_mm_range_count(struct mmshim *, const struct hold *);
void rl_mm_range_lock(struct mmshim *, struct hold *, uint64_t start, uint64_t end, bool write);
void rl_mm_range_lock_all(struct mmshim *, struct hold *);
void rl_mm_range_lock_full(struct mmshim *, struct hold *, uint64_t start, uint64_t end,
			   bool write);
void rl_mm_range_lock_again(struct mmshim *, struct hold *);
void rl_mm_range_downgrade(struct mmshim *, struct hold *);
void rl_mm_range_unlock(struct mmshim *, struct hold *);

/* Reclaim needs no more than the leaf's lock, where nobody relies on ranges. */
bool rl_mm_whole_try_page(struct mmshim *, struct hold *, uint64_t address);

#endif
