/* SPDX-License-Identifier: BSD-2-Clause */
/* What an address space promises to one thread, by every protocol and mode of unmapping. */
#include <errno.h>
#include <string.h>

#include "space.h"
#include "support/suite.h"

static struct mmshim *mm;

static void make(int i)
{
	struct mmshim_config config = space_config(i);

	mm = make_space(&config);
}

START_TEST(fresh_memory_is_zero_and_keeps_what_is_stored)
{
	make(_i);
	uint64_t a = map(mm, 1 * MB);

	must_load(mm, a, 0);
	must_store(mm, a, 42);
	must_load(mm, a, 42);
	must_load(mm, a + MMSHIM_PAGE, 0);
	must_store(mm, a + MB - 8, 7);
	must_load(mm, a + MB - 8, 7);
	end_space(mm);
}
END_TEST

START_TEST(what_is_not_mapped_faults)
{
	make(_i);
	uint64_t a = map(mm, 1 * MB);

	must_fault(mm, 0);
	must_fault(mm, a - 8);
	must_fault(mm, a + MB);
	must_fault(mm, MMSHIM_TOP);
	must_fault(mm, UINT64_MAX);
	ck_assert_uint_eq(stats_of(mm).segv, 10);
	end_space(mm);
}
END_TEST

START_TEST(unmapped_memory_is_gone_and_comes_back_as_zeros)
{
	make(_i);
	uint64_t a = map(mm, 4 * MB), again;

	for (uint64_t at = a; at < a + 4 * MB; at += MMSHIM_PAGE)
		must_store(mm, at, at);
	ck_assert_uint_eq(stats_of(mm).frames_used, 1024);
	ck_assert_int_eq(mmshim_munmap(mm, a, 4 * MB), 0);
	ck_assert_uint_eq(stats_of(mm).frames_used, 0);
	must_fault(mm, a);
	must_fault(mm, a + 2 * MB);
	ck_assert_int_eq(mmshim_mmap(mm, a, 4 * MB, RW, MMSHIM_FIXED, NULL, 0, &again), 0);
	ck_assert_uint_eq(again, a);
	must_load(mm, a, 0);
	must_load(mm, a + 3 * MB, 0);
	end_space(mm);
}
END_TEST

START_TEST(a_hole_leaves_both_sides_as_they_were)
{
	make(_i);
	uint64_t a = map(mm, 8 * MMSHIM_PAGE);

	for (int i = 0; i < 8; i++)
		must_store(mm, a + (uint64_t)i * MMSHIM_PAGE, 100 + (uint64_t)i);
	ck_assert_int_eq(mmshim_munmap(mm, a + 2 * MMSHIM_PAGE, 3 * MMSHIM_PAGE), 0);
	ck_assert_uint_eq(stats_of(mm).mappings, 2);
	for (int i = 0; i < 8; i++)
		if (i >= 2 && i < 5)
			must_fault(mm, a + (uint64_t)i * MMSHIM_PAGE);
		else
			must_load(mm, a + (uint64_t)i * MMSHIM_PAGE, 100 + (uint64_t)i);
	end_space(mm);
}
END_TEST

START_TEST(a_fixed_mapping_replaces_and_noreplace_does_not)
{
	make(_i);
	uint64_t a = map(mm, 4 * MMSHIM_PAGE), b = 0;
	const unsigned noreplace = MMSHIM_FIXED_NOREPLACE;

	must_store(mm, a + MMSHIM_PAGE, 5);
	ck_assert_int_eq(
	    mmshim_mmap(mm, a + 3 * MMSHIM_PAGE, 2 * MMSHIM_PAGE, RW, noreplace, NULL, 0, &b),
	    EEXIST);
	ck_assert_uint_eq(b, 0);
	ck_assert_int_eq(
	    mmshim_mmap(mm, a + MMSHIM_PAGE, MMSHIM_PAGE, RW, MMSHIM_FIXED, NULL, 0, &b), 0);
	must_load(mm, a + MMSHIM_PAGE, 0);
	ck_assert_int_eq(
	    mmshim_mmap(mm, a + 4 * MMSHIM_PAGE, MMSHIM_PAGE, RW, noreplace, NULL, 0, &b), 0);
	ck_assert_uint_eq(b, a + 4 * MMSHIM_PAGE);
	must_store(mm, a, 6);
	ck_assert_int_eq(mmshim_mmap(mm, a, MMSHIM_PAGE, RW, noreplace | MMSHIM_FIXED, NULL, 0, &b),
			 EEXIST);
	must_load(mm, a, 6);
	end_space(mm);
}
END_TEST

START_TEST(a_hint_is_taken_where_it_is_free)
{
	make(_i);
	uint64_t hint = UINT64_C(1) << 33, a, b;

	ck_assert_int_eq(mmshim_mmap(mm, hint, MB, RW, 0, NULL, 0, &a), 0);
	ck_assert_uint_eq(a, hint);
	ck_assert_int_eq(mmshim_mmap(mm, hint, MB, RW, 0, NULL, 0, &b), 0);
	ck_assert_uint_ne(b, hint);
	end_space(mm);
}
END_TEST

START_TEST(neighbours_of_one_kind_are_one_mapping)
{
	make(_i);
	uint64_t a = UINT64_C(1) << 33, got;

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(mmshim_mmap(mm, a + (uint64_t)i * MMSHIM_PAGE, MMSHIM_PAGE, RW,
					     MMSHIM_FIXED, NULL, 0, &got),
				 0);
	ck_assert_uint_eq(stats_of(mm).mappings, 1);
	ck_assert_uint_eq(stats_of(mm).merges, 4);
	ck_assert_int_eq(mmshim_mmap(mm, a + 5 * MMSHIM_PAGE, MMSHIM_PAGE, MMSHIM_READ,
				     MMSHIM_FIXED, NULL, 0, &got),
			 0);
	ck_assert_uint_eq(stats_of(mm).mappings, 2);
	end_space(mm);
}
END_TEST

START_TEST(protection_is_what_it_was_set_to)
{
	make(_i);
	uint64_t a = map(mm, 4 * MMSHIM_PAGE), seen;

	must_store(mm, a, 1);
	must_store(mm, a + MMSHIM_PAGE, 2);
	ck_assert_int_eq(mmshim_mprotect(mm, a, MMSHIM_PAGE, MMSHIM_READ), 0);
	must_load(mm, a, 1);
	ck_assert_int_eq(mmshim_store(mm, a, 9), EFAULT);
	must_store(mm, a + MMSHIM_PAGE, 3);
	ck_assert_int_eq(mmshim_mprotect(mm, a, 2 * MMSHIM_PAGE, 0), 0);
	ck_assert_int_eq(mmshim_load(mm, a, &seen), EFAULT);
	ck_assert_int_eq(mmshim_load(mm, a + MMSHIM_PAGE, &seen), EFAULT);
	ck_assert_int_eq(mmshim_mprotect(mm, a, 4 * MMSHIM_PAGE, RW), 0);
	must_load(mm, a, 1);
	must_store(mm, a, 4);
	must_load(mm, a, 4);
	must_store(mm, a + MMSHIM_PAGE, 5);
	ck_assert_uint_eq(stats_of(mm).mappings, 1);
	ck_assert_int_eq(mmshim_mprotect(mm, a, 5 * MMSHIM_PAGE, RW), ENOMEM);
	ck_assert_int_eq(mmshim_munmap(mm, a + MMSHIM_PAGE, MMSHIM_PAGE), 0);
	ck_assert_int_eq(mmshim_mprotect(mm, a, 4 * MMSHIM_PAGE, MMSHIM_READ), ENOMEM);
	must_store(mm, a, 6);
	end_space(mm);
}
END_TEST

START_TEST(mremap_moves_the_content)
{
	make(_i);
	uint64_t a = map(mm, 2 * MB), moved, got;

	for (uint64_t at = 0; at < 2 * MB; at += MMSHIM_PAGE)
		must_store(mm, a + at, at + 1);
	/* in place, then away because something is in the way */
	ck_assert_int_eq(mmshim_mremap(mm, a, 2 * MB, 3 * MB, &moved), 0);
	ck_assert_uint_eq(moved, a);
	ck_assert_int_eq(mmshim_mmap(mm, a + 3 * MB, MB, MMSHIM_READ, MMSHIM_FIXED, NULL, 0, &got),
			 0);
	ck_assert_int_eq(mmshim_mremap(mm, a, 3 * MB, 5 * MB, &moved), 0);
	ck_assert_uint_ne(moved, a);
	must_fault(mm, a);
	must_fault(mm, a + 2 * MB - MMSHIM_PAGE);
	for (uint64_t at = 0; at < 2 * MB; at += MMSHIM_PAGE)
		must_load(mm, moved + at, at + 1);
	must_load(mm, moved + 4 * MB, 0);
	ck_assert_int_eq(mmshim_mremap(mm, moved, 5 * MB, MB, &got), 0);
	ck_assert_uint_eq(got, moved);
	must_fault(mm, moved + MB);
	must_load(mm, moved, 1);
	ck_assert_int_eq(mmshim_mremap(mm, moved, 2 * MB, 3 * MB, &got), EFAULT);
	end_space(mm);
}
END_TEST

START_TEST(dontneed_leaves_zeros)
{
	make(_i);
	uint64_t a = map(mm, 4 * MMSHIM_PAGE);

	must_store(mm, a, 1);
	must_store(mm, a + MMSHIM_PAGE, 2);
	ck_assert_int_eq(mmshim_dontneed(mm, a, MMSHIM_PAGE), 0);
	must_load(mm, a, 0);
	must_load(mm, a + MMSHIM_PAGE, 2);
	must_store(mm, a, 3);
	must_load(mm, a, 3);
	ck_assert_int_eq(mmshim_dontneed(mm, a, 5 * MMSHIM_PAGE), ENOMEM);
	end_space(mm);
}
END_TEST

START_TEST(the_heap_grows_and_shrinks)
{
	make(_i);
	uint64_t start, end;

	ck_assert_int_eq(mmshim_brk(mm, 0, &start), 0);
	must_fault(mm, start);
	ck_assert_int_eq(mmshim_brk(mm, start + MB, &end), 0);
	ck_assert_uint_eq(end, start + MB);
	must_store(mm, start + MB - 8, 6);
	ck_assert_int_eq(mmshim_brk(mm, start + 2 * MB, NULL), 0);
	must_load(mm, start + MB - 8, 6);
	ck_assert_int_eq(mmshim_brk(mm, start + MMSHIM_PAGE, NULL), 0);
	must_fault(mm, start + MB - 8);
	must_load(mm, start, 0);
	ck_assert_int_eq(mmshim_brk(mm, start - 1, NULL), ENOMEM);
	ck_assert_int_eq(
	    mmshim_mmap(mm, start + 2 * MMSHIM_PAGE, MMSHIM_PAGE, RW, MMSHIM_FIXED, NULL, 0, &end),
	    0);
	ck_assert_int_eq(mmshim_brk(mm, start + MB, NULL), ENOMEM);
	ck_assert_int_eq(mmshim_brk(mm, 0, &end), 0);
	ck_assert_uint_eq(end, start + MMSHIM_PAGE);
	/* It ends where addresses end. */
	ck_assert_int_eq(mmshim_brk(mm, MMSHIM_TOP + MMSHIM_PAGE, NULL), ENOMEM);
	ck_assert_int_eq(mmshim_brk(mm, UINT64_MAX - MMSHIM_PAGE + 1, NULL), ENOMEM);
	ck_assert_int_eq(mmshim_brk(mm, UINT64_MAX, NULL), ENOMEM);
	must_load(mm, start, 0);
	ck_assert_uint_eq(stats_of(mm).mappings, 2);
	end_space(mm);
}
END_TEST

/* The first page and the last one are as good as others. */
START_TEST(addresses_reach_from_the_first_page_to_the_last)
{
	const uint64_t last = MMSHIM_TOP - MMSHIM_PAGE, first = MMSHIM_PAGE;
	uint64_t got;

	make(_i);
	ck_assert_int_eq(mmshim_mmap(mm, last, 1, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	ck_assert_int_eq(mmshim_mmap(mm, first, 1, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	must_store(mm, last + MMSHIM_PAGE - 1, 1);
	must_store(mm, first, 2);
	must_fault(mm, first - 1);
	must_fault(mm, last + MMSHIM_PAGE);
	/* Nothing can be added above. */
	ck_assert_int_eq(mmshim_mmap(mm, last, MMSHIM_PAGE + 1, RW, MMSHIM_FIXED, NULL, 0, &got),
			 EINVAL);
	ck_assert_int_eq(mmshim_mremap(mm, last, MMSHIM_PAGE, 2 * MMSHIM_PAGE, &got), 0);
	ck_assert_uint_ne(got, last);
	must_load(mm, got, 1);
	/* All there is, most of it not mapped. */
	ck_assert_int_eq(mmshim_populate(mm, first, last), ENOMEM);
	ck_assert_int_eq(mmshim_mprotect(mm, first, last, MMSHIM_READ), ENOMEM);
	ck_assert_int_eq(mmshim_dontneed(mm, first, last), ENOMEM);
	ck_assert_uint_eq(stats_of(mm).frames_used, 3);
	ck_assert_int_eq(mmshim_munmap(mm, first, last), 0);
	ck_assert_uint_eq(stats_of(mm).mappings, 0);
	ck_assert_uint_eq(stats_of(mm).frames_used, 0);
	end_space(mm);
}
END_TEST

START_TEST(a_stack_grows_where_it_is_touched)
{
	make(_i);
	uint64_t top = UINT64_C(1) << 33, got;

	ck_assert_int_eq(mmshim_mmap(mm, top - 4 * MMSHIM_PAGE, 4 * MMSHIM_PAGE, RW,
				     MMSHIM_FIXED | MMSHIM_GROWSDOWN, NULL, 0, &got),
			 0);
	must_store(mm, top - 8, 1);
	must_store(mm, top - 100 * MMSHIM_PAGE, 2);
	must_load(mm, top - 50 * MMSHIM_PAGE, 0);
	must_load(mm, top - 8, 1);
	ck_assert_uint_eq(stats_of(mm).grown, 1);
	ck_assert_uint_eq(stats_of(mm).mappings, 1);
	must_fault(mm, top - 1000 * MMSHIM_PAGE); /* too far below to be a stack's */
	end_space(mm);
}
END_TEST

START_TEST(files_are_shared_or_copied)
{
	struct mmshim_file *file;
	uint64_t shared, other, private;

	make(_i);
	ck_assert_int_eq(mmshim_file_open(mm, 16, 0, &file), 0);
	ck_assert_int_eq(mmshim_mmap(mm, 0, 8 * MMSHIM_PAGE, RW, MMSHIM_SHARED, file, 0, &shared),
			 0);
	ck_assert_int_eq(
	    mmshim_mmap(mm, 0, 8 * MMSHIM_PAGE, RW, MMSHIM_SHARED, file, 4 * MMSHIM_PAGE, &other),
	    0);
	ck_assert_int_eq(mmshim_mmap(mm, 0, 32 * MMSHIM_PAGE, RW, 0, file, 0, &private), 0);
	must_store(mm, shared + 5 * MMSHIM_PAGE, 55);
	must_load(mm, other + MMSHIM_PAGE, 55);
	must_load(mm, private + 5 * MMSHIM_PAGE, 55);
	must_store(mm, private + 5 * MMSHIM_PAGE, 66);
	must_load(mm, shared + 5 * MMSHIM_PAGE, 55);
	must_load(mm, private + 5 * MMSHIM_PAGE, 66);
	ck_assert_int_eq(mmshim_dontneed(mm, private, 8 * MMSHIM_PAGE), 0);
	must_load(mm, private + 5 * MMSHIM_PAGE, 55);
	must_store(mm, private, 1);
	must_load(mm, shared, 0);
	ck_assert_int_eq(mmshim_munmap(mm, shared, 8 * MMSHIM_PAGE), 0);
	must_load(mm, other + MMSHIM_PAGE, 55);
	uint64_t seen;
	ck_assert_int_eq(mmshim_load(mm, private + 20 * MMSHIM_PAGE, &seen), EIO);
	end_space(mm);
}
END_TEST

START_TEST(what_is_left_of_a_file_is_where_it_was)
{
	struct mmshim_file *file;
	uint64_t a, b;

	make(_i);
	ck_assert_int_eq(mmshim_file_open(mm, 16, _i % 2, &file), 0);
	ck_assert_int_eq(mmshim_mmap(mm, 0, 16 * MMSHIM_PAGE, RW, MMSHIM_SHARED, file, 0, &a), 0);
	for (uint64_t i = 0; i < 16; i++)
		must_store(mm, a + i * MMSHIM_PAGE, 100 + i);
	ck_assert_int_eq(mmshim_munmap(mm, a + 4 * MMSHIM_PAGE, 4 * MMSHIM_PAGE), 0);
	ck_assert_int_eq(mmshim_dontneed(mm, a + 8 * MMSHIM_PAGE, 8 * MMSHIM_PAGE), 0);
	for (uint64_t i = 8; i < 16; i++)
		must_load(mm, a + i * MMSHIM_PAGE, 100 + i);
	ck_assert_int_eq(
	    mmshim_mremap(mm, a + 8 * MMSHIM_PAGE, 4 * MMSHIM_PAGE, 5 * MMSHIM_PAGE, &b), 0);
	ck_assert_uint_ne(b, a + 8 * MMSHIM_PAGE);
	for (uint64_t i = 0; i < 5; i++)
		must_load(mm, b + i * MMSHIM_PAGE, 108 + i);
	end_space(mm);
}
END_TEST

START_TEST(a_child_has_a_copy)
{
	struct mmshim *child;

	make(_i);
	uint64_t a = map(mm, 4 * MMSHIM_PAGE), b = map(mm, MMSHIM_PAGE);

	must_store(mm, a, 1);
	must_store(mm, a + MMSHIM_PAGE, 2);
	ck_assert_int_eq(mmshim_fork(mm, &child), 0);
	must_load(child, a, 1);
	must_store(mm, a, 10);
	must_store(child, a + MMSHIM_PAGE, 20);
	must_load(child, a, 1);
	must_load(mm, a + MMSHIM_PAGE, 2);
	must_load(mm, a, 10);
	must_store(child, a, 11);
	must_load(mm, a, 10);
	must_load(child, b, 0);
	ck_assert_int_eq(mmshim_munmap(child, b, MMSHIM_PAGE), 0);
	must_load(mm, b, 0);
	end_space(child);
	must_store(mm, a + MMSHIM_PAGE, 3); /* alone again: no copy */
	must_load(mm, a + MMSHIM_PAGE, 3);
	end_space(mm);
}
END_TEST

START_TEST(what_a_child_wrote_to_a_file_outlives_it)
{
	struct mmshim_file *file;
	struct mmshim *child;
	uint64_t a;

	make(_i);
	ck_assert_int_eq(mmshim_file_open(mm, 4, 0, &file), 0);
	ck_assert_int_eq(mmshim_mmap(mm, 0, 4 * MMSHIM_PAGE, RW, MMSHIM_SHARED, file, 0, &a), 0);
	ck_assert_int_eq(mmshim_fork(mm, &child), 0);
	must_store(child, a, 12);
	must_load(mm, a, 12);
	end_space(child);
	must_load(mm, a, 12);
	end_space(mm);
}
END_TEST

START_TEST(a_child_outlives_its_parent)
{
	struct mmshim *child;

	make(_i);
	uint64_t a = map(mm, 2 * MMSHIM_PAGE);
	must_store(mm, a, 3);
	ck_assert_int_eq(mmshim_fork(mm, &child), 0);
	end_space(mm);
	must_load(child, a, 3);
	must_store(child, a, 4);
	must_load(child, a, 4);
	end_space(child);
}
END_TEST

START_TEST(populate_leaves_nothing_to_fault)
{
	make(_i);
	uint64_t a;

	ck_assert_int_eq(mmshim_mmap(mm, 0, MB, RW, MMSHIM_POPULATE, NULL, 0, &a), 0);
	ck_assert_uint_eq(stats_of(mm).frames_used, 256);
	uint64_t faults = stats_of(mm).faults;
	for (uint64_t at = a; at < a + MB; at += MMSHIM_PAGE)
		must_store(mm, at, 1);
	ck_assert_uint_eq(stats_of(mm).faults, faults);
	ck_assert_int_eq(mmshim_dontneed(mm, a, MB), 0);
	ck_assert_int_eq(mmshim_populate(mm, a, 2 * MB), ENOMEM);
	ck_assert_uint_eq(stats_of(mm).frames_used, 256);
	/* What is not mapped, or not allowed, keeps nobody from the rest. */
	ck_assert_int_eq(mmshim_dontneed(mm, a, MB), 0);
	ck_assert_int_eq(mmshim_munmap(mm, a + MMSHIM_PAGE, 2 * MMSHIM_PAGE), 0);
	ck_assert_int_eq(mmshim_mprotect(mm, a + 8 * MMSHIM_PAGE, MMSHIM_PAGE, 0), 0);
	ck_assert_int_eq(mmshim_populate(mm, a, MB), ENOMEM);
	ck_assert_uint_eq(stats_of(mm).frames_used, 253);
	ck_assert_int_eq(mmshim_populate(mm, a + 3 * MMSHIM_PAGE, MB - 3 * MMSHIM_PAGE), 0);
	end_space(mm);
}
END_TEST

START_TEST(memory_is_reclaimed_into_swap_and_comes_back)
{
	struct mmshim_config config = space_config(_i);
	struct mmshim_file *file;
	uint64_t a, f;

	config.frames = 128;
	config.swap = 512;
	if (_i % 2)
		config.flags |= MMSHIM_BACKGROUND;
	mm = make_space(&config);
	a = map(mm, 400 * MMSHIM_PAGE);
	ck_assert_int_eq(mmshim_file_open(mm, 64, 0, &file), 0);
	ck_assert_int_eq(mmshim_mmap(mm, 0, 64 * MMSHIM_PAGE, RW, MMSHIM_SHARED, file, 0, &f), 0);
	for (uint64_t i = 0; i < 64; i++)
		must_store(mm, f + i * MMSHIM_PAGE, 5000 + i);
	ck_assert_int_eq(mmshim_munmap(mm, f, 64 * MMSHIM_PAGE), 0);
	for (uint64_t i = 0; i < 400; i++)
		must_store(mm, a + i * MMSHIM_PAGE, 1000 + i);
	for (uint64_t i = 0; i < 800; i++) /* what has come back once can be had again */
		must_load(mm, a + i % 400 * MMSHIM_PAGE, 1000 + i % 400);
	ck_assert_int_eq(mmshim_mmap(mm, 0, 64 * MMSHIM_PAGE, RW, MMSHIM_SHARED, file, 0, &f), 0);
	for (uint64_t i = 0; i < 64; i++)
		must_load(mm, f + i * MMSHIM_PAGE, 5000 + i);
	ck_assert_uint_gt(stats_of(mm).swapped_out, 200);
	ck_assert_uint_gt(stats_of(mm).swapped_in, 200);
	end_space(mm);
}
END_TEST

START_TEST(a_child_has_what_was_swapped_out)
{
	struct mmshim_config config = space_config(_i);
	struct mmshim *child;

	config.frames = 64;
	config.swap = 512;
	mm = make_space(&config);
	uint64_t a = map(mm, 120 * MMSHIM_PAGE), b = a + 100 * MMSHIM_PAGE;
	for (uint64_t i = 0; i < 120; i++)
		must_store(mm, a + i * MMSHIM_PAGE, i);
	ck_assert_int_eq(mmshim_fork(mm, &child), 0);
	/* What both have in memory stays there; what is in swap each gets for itself. */
	ck_assert_int_eq(mmshim_munmap(child, b, 20 * MMSHIM_PAGE), 0);
	ck_assert_int_eq(mmshim_munmap(mm, b, 20 * MMSHIM_PAGE), 0);
	for (uint64_t i = 0; i < 40; i++)
		must_load(child, a + i * MMSHIM_PAGE, i);
	ck_assert_int_eq(mmshim_munmap(child, a, 100 * MMSHIM_PAGE), 0);
	for (uint64_t i = 0; i < 100; i++)
		must_load(mm, a + i * MMSHIM_PAGE, i);
	end_space(child);
	end_space(mm);
}
END_TEST

START_TEST(what_only_the_child_has_left_is_reclaimed)
{
	struct mmshim_config config = space_config(_i);
	struct mmshim *child;

	config.frames = 64;
	config.swap = 512;
	mm = make_space(&config);
	uint64_t a = map(mm, 128 * MMSHIM_PAGE);
	for (uint64_t i = 0; i < 64; i++)
		must_store(mm, a + i * MMSHIM_PAGE, i);
	ck_assert_int_eq(mmshim_fork(mm, &child), 0);
	end_space(mm);
	for (uint64_t i = 0; i < 128; i++)
		must_store(child, a + i * MMSHIM_PAGE, 1000 + i);
	for (uint64_t i = 0; i < 128; i++)
		must_load(child, a + i * MMSHIM_PAGE, 1000 + i);
	end_space(child);
}
END_TEST

START_TEST(memory_that_cannot_be_had_is_an_error)
{
	struct mmshim_config config = space_config(_i);

	config.frames = 16;
	mm = make_space(&config);
	uint64_t a = map(mm, 32 * MMSHIM_PAGE);
	int error = 0;

	for (uint64_t i = 0; i < 32; i++)
		if (mmshim_store(mm, a + i * MMSHIM_PAGE, i) == ENOMEM)
			error++;
	ck_assert_int_eq(error, 16);
	ck_assert_int_eq(mmshim_populate(mm, a, 32 * MMSHIM_PAGE), ENOMEM);
	ck_assert_int_eq(mmshim_munmap(mm, a, 8 * MMSHIM_PAGE), 0);
	must_store(mm, a + 31 * MMSHIM_PAGE, 1);
	end_space(mm);
}
END_TEST

START_TEST(a_file_is_written_from_memory)
{
	struct mmshim_file *file;
	uint64_t f;

	for (int copy = 0; copy < 4; copy++) {
		struct mmshim_config config = space_config(_i);

		config.copy = (enum mmshim_copy)copy;
		mm = make_space(&config);
		uint64_t a = map(mm, 8 * MMSHIM_PAGE);
		ck_assert_int_eq(mmshim_file_open(mm, 16, 0, &file), 0);
		for (uint64_t i = 0; i < 7; i++)
			must_store(mm, a + i * MMSHIM_PAGE, 10 + i);
		ck_assert_int_eq(mmshim_file_write(mm, file, 2 * MMSHIM_PAGE, a, 8 * MMSHIM_PAGE),
				 0);
		ck_assert_int_eq(
		    mmshim_mmap(mm, 0, 16 * MMSHIM_PAGE, MMSHIM_READ, MMSHIM_SHARED, file, 0, &f),
		    0);
		for (uint64_t i = 0; i < 16; i++)
			must_load(mm, f + i * MMSHIM_PAGE, i >= 2 && i < 9 ? 8 + i : 0);
		ck_assert_int_eq(mmshim_munmap(mm, a, MMSHIM_PAGE), 0);
		ck_assert_int_eq(mmshim_file_write(mm, file, 0, a, MMSHIM_PAGE), EFAULT);
		end_space(mm);
	}
}
END_TEST

START_TEST(others_can_look_at_it)
{
	make(_i);
	uint64_t a = map(mm, MMSHIM_PAGE), seen = 1;

	ck_assert_int_eq(mmshim_remote_read(mm, a, &seen), 0);
	ck_assert_uint_eq(seen, 0);
	must_store(mm, a, 8);
	ck_assert_int_eq(mmshim_remote_read(mm, a, &seen), 0);
	ck_assert_uint_eq(seen, 8);
	ck_assert_int_eq(mmshim_remote_read(mm, a + MMSHIM_PAGE, &seen), EFAULT);
	end_space(mm);
}
END_TEST

START_TEST(tables_go_with_what_they_map)
{
	make(_i);
	uint64_t before = stats_of(mm).tables;
	uint64_t a = map(mm, 64 * MB);

	for (uint64_t at = a; at < a + 64 * MB; at += 2 * MB)
		must_store(mm, at, 1);
	ck_assert_uint_ge(stats_of(mm).tables, before + 32);
	ck_assert_int_eq(mmshim_munmap(mm, a, 64 * MB), 0);
	/* They are freed a grace period later, which enough calls make due. */
	for (int i = 0; i < 300; i++) {
		a = map(mm, MMSHIM_PAGE);
		ck_assert_int_eq(mmshim_munmap(mm, a, MMSHIM_PAGE), 0);
	}
	ck_assert_uint_le(stats_of(mm).tables, before + 8);
	end_space(mm);
}
END_TEST

START_TEST(tables_go_with_what_is_moved_away)
{
	const uint64_t low = UINT64_C(1) << 33;
	uint64_t before, a, got;

	make(_i);
	map(mm, MMSHIM_PAGE); /* so that those of the new places are there */
	before = stats_of(mm).tables;
	for (uint64_t at = low; at < low + 400 * MB; at += 4 * MB) {
		const uint64_t last = at + 2 * MB - MMSHIM_PAGE;

		ck_assert_int_eq(
		    mmshim_mmap(mm, last, MMSHIM_PAGE, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
		ck_assert_int_eq(
		    mmshim_mmap(mm, at + 2 * MB, MMSHIM_PAGE, 0, MMSHIM_FIXED, NULL, 0, &got), 0);
		must_store(mm, last, at);
		ck_assert_int_eq(mmshim_mremap(mm, last, MMSHIM_PAGE, 2 * MMSHIM_PAGE, &a), 0);
		must_load(mm, a, at);
	}
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(mmshim_munmap(mm, map(mm, MMSHIM_PAGE), MMSHIM_PAGE), 0);
	ck_assert_uint_le(stats_of(mm).tables, before + 8);
	end_space(mm);
}
END_TEST

START_TEST(bad_arguments_are_refused_and_change_nothing)
{
	make(_i);
	uint64_t a = map(mm, MB), got = 1, seen;

	ck_assert_int_eq(mmshim_mmap(mm, 0, 0, RW, 0, NULL, 0, &got), EINVAL);
	ck_assert_int_eq(mmshim_mmap(mm, 1, MB, RW, 0, NULL, 0, &got), EINVAL);
	ck_assert_int_eq(mmshim_mmap(mm, 0, MB, 8, 0, NULL, 0, &got), EINVAL);
	ck_assert_int_eq(mmshim_mmap(mm, 0, MB, RW, 0x8000, NULL, 0, &got), EINVAL);
	ck_assert_int_eq(mmshim_mmap(mm, 0, MB, RW, MMSHIM_FIXED, NULL, 0, &got), EINVAL);
	ck_assert_int_eq(mmshim_mmap(mm, 0, MB, RW, MMSHIM_SHARED, NULL, 0, &got), EINVAL);
	ck_assert_int_eq(mmshim_mmap(mm, 0, MB, RW, 0, NULL, 0, NULL), EINVAL);
	ck_assert_uint_eq(got, 1);
	ck_assert_int_eq(mmshim_munmap(mm, a + 1, MB), EINVAL);
	ck_assert_int_eq(mmshim_munmap(mm, a, 0), EINVAL);
	ck_assert_int_eq(mmshim_munmap(mm, a, UINT64_MAX), EINVAL);
	ck_assert_int_eq(mmshim_mprotect(mm, a, MB, 8), EINVAL);
	ck_assert_int_eq(mmshim_mremap(mm, a, MB, 0, &got), EINVAL);
	ck_assert_int_eq(mmshim_load(NULL, a, &seen), EINVAL);
	ck_assert_int_eq(mmshim_load(mm, a, NULL), EINVAL);
	ck_assert_int_eq(mmshim_fault(mm, a, RW), EINVAL);
	ck_assert_int_eq(mmshim_mremap(mm, a, MB, UINT64_MAX, &got), EINVAL);
	ck_assert_int_eq(mmshim_mremap(mm, a, MB, MMSHIM_TOP, &got), ENOMEM);
	ck_assert_int_eq(mmshim_mmap(mm, 0, MMSHIM_TOP - MMSHIM_PAGE, RW, 0, NULL, 0, &got),
			 ENOMEM);
	ck_assert_int_eq(mmshim_munmap(mm, UINT64_MAX - MMSHIM_PAGE + 1, MMSHIM_PAGE), EINVAL);
	ck_assert_int_eq(mmshim_populate(mm, a, UINT64_MAX - 1), EINVAL);
	ck_assert_uint_eq(stats_of(mm).mappings, 1);

	const struct mmshim_config config = space_config(_i);
	struct mmshim *another = make_space(&config);
	struct mmshim_file *file, *foreign;
	ck_assert_int_eq(mmshim_file_open(mm, 0, 0, &file), EINVAL);
	ck_assert_int_eq(mmshim_file_open(mm, UINT64_MAX, 0, &file), EINVAL);
	ck_assert_int_eq(mmshim_file_open(mm, 4, 0, &file), 0);
	ck_assert_int_eq(mmshim_file_open(another, 4, 0, &foreign), 0);
	ck_assert_int_eq(mmshim_mmap(mm, 0, MB, RW, 0, foreign, 0, &got), EINVAL);
	ck_assert_int_eq(mmshim_file_write(mm, foreign, 0, a, MMSHIM_PAGE), EINVAL);
	ck_assert_int_eq(mmshim_file_write(mm, file, 1, a, MMSHIM_PAGE), EINVAL);
	ck_assert_int_eq(mmshim_file_write(mm, file, MMSHIM_PAGE, a, 4 * MMSHIM_PAGE), EINVAL);
	ck_assert_int_eq(mmshim_file_write(mm, file, 0, a, UINT64_MAX), EINVAL);
	ck_assert_int_eq(mmshim_file_write(mm, file, 0, UINT64_MAX - 4095, 2 * MMSHIM_PAGE),
			 EFAULT);
	ck_assert_uint_eq(got, 1);
	end_space(another);
	end_space(mm);
}
END_TEST

START_TEST(a_configuration_that_makes_no_sense_is_refused)
{
	struct mmshim *none = NULL;
	const struct mmshim_config bad[] = {
		{ .protocol = "nonsense" },
		{ .mutant = "nonsense" },
		{ .flags = 0x8000 },
		{ .unmap = (enum mmshim_unmap)9 },
		{ .copy = (enum mmshim_copy)9 },
		{ .engine = (enum rangelock_engine)9 },
		{ .fault_range = 5000 },
		{ .low = 4096, .high = 4096 },
		{ .frames = 1 << 24 },
		{ .reserved_ = { 1 } },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(mmshim_create(&none, &bad[i]), EINVAL);
	ck_assert_int_eq(mmshim_create(NULL, NULL), EINVAL);
	ck_assert_ptr_null(none);
	const struct mmshim_config chosen = { .protocol = "fine-chosen", .engine = RANGELOCK_LIST };
	ck_assert_int_eq(mmshim_create(&none, &chosen), ENOTSUP);
	ck_assert_int_eq(mmshim_create(&none, NULL), 0);
	ck_assert_int_eq(mmshim_destroy(none), 0);
}
END_TEST

START_TEST(every_name_is_there)
{
	for (int p = 0; p < MMSHIM_N_POINTS; p++)
		ck_assert_ptr_nonnull(mmshim_point_name((enum mmshim_point)p));
	ck_assert_ptr_null(mmshim_point_name(MMSHIM_N_POINTS));
	for (int i = 0; mmshim_mutants()[i]; i++) {
		const struct mmshim_config config = { .mutant = mmshim_mutants()[i], .frames = 8 };

		mm = make_space(&config);
		ck_assert_int_eq(mmshim_destroy(mm), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("space");
	TCase *tc = tcase_create("each protocol"), *once = tcase_create("once");
	const int n = n_spaces();

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, fresh_memory_is_zero_and_keeps_what_is_stored, 0, n);
	tcase_add_loop_test(tc, what_is_not_mapped_faults, 0, n);
	tcase_add_loop_test(tc, unmapped_memory_is_gone_and_comes_back_as_zeros, 0, n);
	tcase_add_loop_test(tc, a_hole_leaves_both_sides_as_they_were, 0, n);
	tcase_add_loop_test(tc, a_fixed_mapping_replaces_and_noreplace_does_not, 0, n);
	tcase_add_loop_test(tc, a_hint_is_taken_where_it_is_free, 0, n);
	tcase_add_loop_test(tc, neighbours_of_one_kind_are_one_mapping, 0, n);
	tcase_add_loop_test(tc, protection_is_what_it_was_set_to, 0, n);
	tcase_add_loop_test(tc, mremap_moves_the_content, 0, n);
	tcase_add_loop_test(tc, dontneed_leaves_zeros, 0, n);
	tcase_add_loop_test(tc, the_heap_grows_and_shrinks, 0, n);
	tcase_add_loop_test(tc, addresses_reach_from_the_first_page_to_the_last, 0, n);
	tcase_add_loop_test(tc, a_stack_grows_where_it_is_touched, 0, n);
	tcase_add_loop_test(tc, files_are_shared_or_copied, 0, n);
	tcase_add_loop_test(tc, what_is_left_of_a_file_is_where_it_was, 0, n);
	tcase_add_loop_test(tc, a_child_has_a_copy, 0, n);
	tcase_add_loop_test(tc, what_a_child_wrote_to_a_file_outlives_it, 0, n);
	tcase_add_loop_test(tc, a_child_outlives_its_parent, 0, n);
	tcase_add_loop_test(tc, populate_leaves_nothing_to_fault, 0, n);
	tcase_add_loop_test(tc, memory_is_reclaimed_into_swap_and_comes_back, 0, n);
	tcase_add_loop_test(tc, a_child_has_what_was_swapped_out, 0, n);
	tcase_add_loop_test(tc, what_only_the_child_has_left_is_reclaimed, 0, n);
	tcase_add_loop_test(tc, memory_that_cannot_be_had_is_an_error, 0, n);
	tcase_add_loop_test(tc, a_file_is_written_from_memory, 0, n);
	tcase_add_loop_test(tc, others_can_look_at_it, 0, n);
	tcase_add_loop_test(tc, tables_go_with_what_they_map, 0, n);
	tcase_add_loop_test(tc, tables_go_with_what_is_moved_away, 0, n);
	tcase_add_loop_test(tc, bad_arguments_are_refused_and_change_nothing, 0, n);
	tcase_add_test(once, a_configuration_that_makes_no_sense_is_refused);
	tcase_add_test(once, every_name_is_there);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, once);
	return run_suite(suite);
}
