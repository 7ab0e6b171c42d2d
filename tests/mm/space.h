/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces for tests: made by what the loop test's number says, judged at the end. */
#ifndef TESTS_SPACE_H
#define TESTS_SPACE_H

#include <rangelock/mm.h>

#define MB (UINT64_C(1) << 20)
#define RW (MMSHIM_READ | MMSHIM_WRITE)

/* Every protocol, over the tree and, where it takes ranges, the list; and each of those in every
 * mode of unmapping, large being 64 KB. */
int n_kinds(void);
struct mmshim_config kind_config(int i);
int n_spaces(void);
struct mmshim_config space_config(int i);

struct mmshim *make_space(const struct mmshim_config *);
/* No violation; then destroy it. */
void end_space(struct mmshim *);

uint64_t map(struct mmshim *, uint64_t length);
void must_load(struct mmshim *, uint64_t address, uint64_t word);
void must_store(struct mmshim *, uint64_t address, uint64_t word);
void must_fault(struct mmshim *, uint64_t address); /* SIGSEGV, by load and store */
struct mmshim_stats stats_of(struct mmshim *);

#endif
