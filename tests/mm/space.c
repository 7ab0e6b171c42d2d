/* SPDX-License-Identifier: BSD-2-Clause */
#include "space.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "support/suite.h"

enum { MODES = 3 };

/* What the list can do, and the tree has not shown already. */
static const char *const on_list[] = { "mmap-sem-range", "coarse", "fine" };
enum { N_ON_LIST = sizeof(on_list) / sizeof(on_list[0]) };

static int n_protocols(void)
{
	int n = 0;

	while (mmshim_protocols()[n])
		n++;
	return n;
}

int n_kinds(void)
{
	return n_protocols() + N_ON_LIST;
}

int n_spaces(void)
{
	return MODES * n_kinds();
}

struct mmshim_config kind_config(int i)
{
	const int list = i - n_protocols();

	return (struct mmshim_config){
		.protocol = list < 0 ? mmshim_protocols()[i] : on_list[list],
		.engine = list < 0 ? RANGELOCK_TREE : RANGELOCK_LIST,
		.flags = MMSHIM_CHECK,
		.frames = 4096,
		.large_unmap = 65536,
	};
}

struct mmshim_config space_config(int i)
{
	struct mmshim_config config = kind_config(i / MODES);

	config.unmap = (enum mmshim_unmap)(i % MODES);
	return config;
}

struct mmshim *make_space(const struct mmshim_config *config)
{
	struct mmshim *mm = NULL;

	ck_assert_int_eq(mmshim_create(&mm, config), 0);
	ck_assert_ptr_nonnull(mm);
	return mm;
}

void end_space(struct mmshim *mm)
{
	struct mmshim_verdict verdict;

	ck_assert_int_eq(mmshim_check(mm, &verdict), 0);
	ck_assert_msg(verdict.violations == 0, "%" PRIu64 " violations: %s", verdict.violations,
		      verdict.report);
	ck_assert_int_eq(mmshim_destroy(mm), 0);
}

uint64_t map(struct mmshim *mm, uint64_t length)
{
	uint64_t address = 0;

	ck_assert_int_eq(mmshim_mmap(mm, 0, length, RW, 0, NULL, 0, &address), 0);
	ck_assert_uint_ne(address, 0);
	return address;
}

void must_load(struct mmshim *mm, uint64_t address, uint64_t word)
{
	uint64_t seen = ~word;

	ck_assert_int_eq(mmshim_load(mm, address, &seen), 0);
	ck_assert_uint_eq(seen, word);
}

void must_store(struct mmshim *mm, uint64_t address, uint64_t word)
{
	ck_assert_int_eq(mmshim_store(mm, address, word), 0);
}

void must_fault(struct mmshim *mm, uint64_t address)
{
	uint64_t seen;

	ck_assert_int_eq(mmshim_load(mm, address, &seen), EFAULT);
	ck_assert_int_eq(mmshim_store(mm, address, 1), EFAULT);
}

struct mmshim_stats stats_of(struct mmshim *mm)
{
	struct mmshim_stats stats;

	ck_assert_int_eq(mmshim_stats(mm, &stats), 0);
	return stats;
}
