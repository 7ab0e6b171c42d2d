/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Races of two threads, in one order: one is stopped at an injection point, and the other does
 * its part meanwhile.  What must not wait is called by the test itself, which would hang; what
 * must wait is called by a thread, which cannot have returned before the first one goes on.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "space.h"
#include "mm/mm.h"
#include "support/suite.h"

static struct mmshim *mm;

/* ---- A gate: the first that comes to the point waits there ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum mmshim_point point;
	bool armed, reached, open;
	uint64_t address; /* that it was reached with */
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int at_point(void *arg, enum mmshim_point point, uint64_t address)
{
	(void)arg;
	pthread_mutex_lock(&gate.lock);
	if (gate.armed && point == gate.point) {
		gate.armed = false;
		gate.reached = true;
		gate.address = address;
		pthread_cond_broadcast(&gate.changed);
		while (!gate.open)
			pthread_cond_wait(&gate.changed, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);
	return 0;
}

static void arm(enum mmshim_point point)
{
	gate.point = point;
	gate.armed = true;
	gate.reached = gate.open = false;
}

static uint64_t wait_for_gate(void)
{
	pthread_mutex_lock(&gate.lock);
	while (!gate.reached)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	return gate.address;
}

static void open_gate(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = true;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

/* ---- The other thread ---- */

enum what { LOAD, STORE, MUNMAP, MMAP, MMAP_FIXED, MMAP_FILE, POPULATE, POPULATE_IT };

static struct mmshim_file *file_to_map;

struct other {
	enum what what;
	uint64_t address, length;
	uint64_t got;
	int error;
	atomic_bool done;
	pthread_t thread;
};

static void *act(void *arg)
{
	struct other *o = arg;

	switch (o->what) {
	case LOAD:
		o->error = mmshim_load(mm, o->address, &o->got);
		break;
	case STORE:
		o->error = mmshim_store(mm, o->address, 77);
		break;
	case MUNMAP:
		o->error = mmshim_munmap(mm, o->address, o->length);
		break;
	case MMAP:
		o->error = mmshim_mmap(mm, 0, o->length, RW, 0, NULL, 0, &o->got);
		break;
	case MMAP_FIXED:
		o->error =
		    mmshim_mmap(mm, o->address, o->length, RW, MMSHIM_FIXED, NULL, 0, &o->got);
		break;
	case MMAP_FILE:
		o->error = mmshim_mmap(mm, o->address, o->length, RW, MMSHIM_FIXED, file_to_map, 0,
				       &o->got);
		break;
	case POPULATE:
		o->error = mmshim_mmap(mm, 0, o->length, RW, MMSHIM_POPULATE, NULL, 0, &o->got);
		break;
	case POPULATE_IT:
		o->error = mmshim_populate(mm, o->address, o->length);
		break;
	}
	atomic_store(&o->done, true);
	return NULL;
}

static void start(struct other *o, enum what what, uint64_t address, uint64_t length)
{
	*o = (struct other){ .what = what, .address = address, .length = length };
	ck_assert_int_eq(pthread_create(&o->thread, NULL, act, o), 0);
}

static int join(struct other *o)
{
	pthread_join(o->thread, NULL);
	return o->error;
}

/* It has had the time to get there, and has not returned. */
static void must_wait(struct other *o)
{
	sleep_ns(20000000);
	ck_assert(!atomic_load(&o->done));
}

static struct mmshim_config gated_kind(int i)
{
	struct mmshim_config config = kind_config(i);

	config.inject = at_point;
	return config;
}

/* Over the tree. */
static struct mmshim_config gated(const char *protocol)
{
	struct mmshim_config config = gated_kind(0);

	config.protocol = protocol;
	return config;
}

static void make_kind(int i, enum mmshim_unmap unmap)
{
	struct mmshim_config config = gated_kind(i);

	config.unmap = unmap;
	mm = make_space(&config);
}

static void make(const char *protocol, enum mmshim_unmap unmap, const char *mutant)
{
	struct mmshim_config config = gated(protocol);

	config.unmap = unmap;
	config.mutant = mutant;
	mm = make_space(&config);
}

/* What the oracle says must contain this. */
static void end_in_violation(const char *report)
{
	struct mmshim_verdict verdict;

	ck_assert_int_eq(mmshim_check(mm, &verdict), 0);
	ck_assert_uint_gt(verdict.violations, 0);
	ck_assert_msg(strstr(verdict.report, report) != NULL, "%s", verdict.report);
	mmshim_destroy(mm);
}

/* ---- The slides' first picture: the disk read completes, and the mapping is gone ---- */

static uint64_t map_file(unsigned flags, uint64_t pages)
{
	struct mmshim_file *file;
	uint64_t address;

	ck_assert_int_eq(mmshim_file_open(mm, pages, flags, &file), 0);
	ck_assert_int_eq(
	    mmshim_mmap(mm, 0, pages * MMSHIM_PAGE, RW, MMSHIM_SHARED, file, 0, &address), 0);
	return address;
}

START_TEST(no_page_is_installed_in_a_mapping_that_is_gone)
{
	struct mmshim_config config = space_config(_i / 2);
	struct other reader, remover;

	config.inject = at_point;
	config.large_unmap = MMSHIM_PAGE;
	mm = make_space(&config);
	uint64_t a = map_file(_i % 2 ? MMSHIM_CONVERTED : 0, 4);
	arm(MMSHIM_IN_IO);
	start(&reader, LOAD, a, 0);
	wait_for_gate();
	start(&remover, MUNMAP, a, 4 * MMSHIM_PAGE);
	if (strcmp(config.protocol, "retry") == 0) {
		ck_assert_int_eq(join(&remover), 0); /* the fault has let go of the lock */
		open_gate();
		ck_assert_int_eq(join(&reader), EFAULT);
	} else {
		must_wait(&remover);
		open_gate();
		join(&reader); /* SIGSEGV, if the other is faster once the page is there */
		ck_assert_int_eq(join(&remover), 0);
	}
	must_fault(mm, a);
	ck_assert_uint_eq(stats_of(mm).frames_used, 1); /* the file's cache has it */
	end_space(mm);
}
END_TEST

/* The same of populate, which retries. */
START_TEST(no_page_is_populated_in_a_mapping_that_is_gone)
{
	struct other populator;

	make("populate", MMSHIM_UNMAP_EXCLUSIVE, NULL);
	uint64_t a = map_file(0, 4);
	arm(MMSHIM_IN_IO);
	start(&populator, POPULATE_IT, a, 4 * MMSHIM_PAGE);
	wait_for_gate();
	ck_assert_int_eq(mmshim_munmap(mm, a, 4 * MMSHIM_PAGE), 0);
	open_gate();
	ck_assert_int_eq(join(&populator), ENOMEM);
	ck_assert_uint_eq(stats_of(mm).frames_used, 1);
	end_space(mm);
}
END_TEST

START_TEST(a_retried_fault_uses_the_mapping_that_is_there_by_then)
{
	struct other reader;
	uint64_t got;

	make("retry", MMSHIM_UNMAP_EXCLUSIVE, NULL);
	uint64_t a = map_file(0, 4);
	arm(MMSHIM_IN_IO);
	start(&reader, LOAD, a, 0);
	wait_for_gate();
	ck_assert_int_eq(mmshim_mmap(mm, a, MMSHIM_PAGE, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	must_store(mm, a, 5);
	open_gate();
	ck_assert_int_eq(join(&reader), 0);
	ck_assert_uint_eq(reader.got, 5);
	ck_assert_uint_eq(stats_of(mm).retry, 1);
	end_space(mm);
}
END_TEST

/* ---- False conflicts ---- */

/* While a fault waits for the disk or for memory, all that is elsewhere goes on. */
static void others_go_on(const char *protocol, enum mmshim_point point)
{
	struct other faulter;

	make(protocol, MMSHIM_UNMAP_EXCLUSIVE, NULL);
	uint64_t below;
	ck_assert_int_eq(mmshim_mmap(mm, 0, 65536, MMSHIM_READ, 0, NULL, 0, &below), 0);
	uint64_t a = point == MMSHIM_IN_IO ? map_file(MMSHIM_CONVERTED, 1024) : map(mm, 4 * MB);
	uint64_t b = map(mm, MB);

	must_store(mm, b, 1);
	arm(point);
	start(&faulter, STORE, a, 0);
	wait_for_gate();
	uint64_t c = map(mm, MB);
	must_store(mm, c, 2);
	must_store(mm, b + MMSHIM_PAGE, 3);
	ck_assert_int_eq(mmshim_munmap(mm, b, MB), 0);
	ck_assert_int_eq(mmshim_munmap(mm, a + 2 * MB, MB), 0); /* of the same mapping, even */
	ck_assert_int_eq(mmshim_munmap(mm, below, 65536), 0);	/* within the same 2 MB */
	ck_assert_int_eq(mmshim_dontneed(mm, c, MB), 0);
	open_gate();
	ck_assert_int_eq(join(&faulter), 0);
	must_load(mm, a, 77);
	ck_assert_uint_eq(stats_of(mm).coarse, 0);
	end_space(mm);
}

START_TEST(disjoint_work_does_not_wait_for_a_disk)
{
	others_go_on(_i ? "fine-chosen" : "fine", MMSHIM_IN_IO);
}
END_TEST

START_TEST(disjoint_work_does_not_wait_for_memory)
{
	others_go_on(_i ? "fine-chosen" : "fine", MMSHIM_IN_ALLOC);
}
END_TEST

START_TEST(disjoint_work_does_wait_where_there_is_one_lock)
{
	const char *const protocols[] = { "mmap-sem", "mmap-sem-range", "coarse" };
	struct other faulter, remover;

	make(protocols[_i], MMSHIM_UNMAP_EXCLUSIVE, NULL);
	uint64_t a = map(mm, 4 * MB), b = map(mm, MB);
	arm(MMSHIM_IN_ALLOC);
	start(&faulter, STORE, a, 0);
	wait_for_gate();
	start(&remover, MUNMAP, b, MB);
	must_wait(&remover);
	open_gate();
	ck_assert_int_eq(join(&faulter), 0);
	ck_assert_int_eq(join(&remover), 0);
	end_space(mm);
}
END_TEST

START_TEST(a_driver_that_is_not_converted_gets_everything)
{
	struct other faulter, remover;

	make(_i ? "fine-chosen" : "fine", MMSHIM_UNMAP_EXCLUSIVE, NULL);
	uint64_t a = map_file(0, 4), b = map(mm, MB);
	arm(MMSHIM_IN_IO);
	start(&faulter, STORE, a, 0);
	wait_for_gate();
	must_store(mm, b, 1); /* reads share */
	start(&remover, MUNMAP, b, MB);
	must_wait(&remover);
	open_gate();
	ck_assert_int_eq(join(&faulter), 0);
	ck_assert_int_eq(join(&remover), 0);
	end_space(mm);
}
END_TEST

/* ---- What changes between a look and the lock ---- */

START_TEST(a_fault_whose_mapping_has_changed_begins_again_coarsely)
{
	struct other writer;

	make("fine", MMSHIM_UNMAP_EXCLUSIVE, NULL);
	uint64_t a = map(mm, MB);
	arm(MMSHIM_AFTER_LOOKUP);
	start(&writer, STORE, a, 0);
	wait_for_gate();
	ck_assert_int_eq(mmshim_mprotect(mm, a, MB, MMSHIM_READ), 0);
	open_gate();
	ck_assert_int_eq(join(&writer), EFAULT);
	ck_assert_uint_eq(stats_of(mm).abort, 1);
	must_load(mm, a, 0);
	end_space(mm);
}
END_TEST

START_TEST(without_the_second_look_a_page_lands_where_nothing_is_mapped)
{
	struct other writer;

	make("fine", MMSHIM_UNMAP_EXCLUSIVE, "no-recheck");
	uint64_t a = map(mm, MB);
	arm(MMSHIM_AFTER_LOOKUP);
	start(&writer, STORE, a, 0);
	wait_for_gate();
	ck_assert_int_eq(mmshim_munmap(mm, a, MB), 0);
	open_gate();
	ck_assert_int_eq(join(&writer), 0);
	end_in_violation("has an entry, and no mapping");
}
END_TEST

/* A neighbour that can be merged comes after the look-up. */
static void merge_after_lookup(const char *mutant)
{
	struct other writer;
	uint64_t got;

	make("fine", MMSHIM_UNMAP_EXCLUSIVE, mutant);
	uint64_t a = map(mm, MB);
	arm(MMSHIM_AFTER_LOOKUP);
	start(&writer, STORE, a, 0);
	wait_for_gate();
	ck_assert_int_eq(mmshim_mmap(mm, a + MB, MB, RW, MMSHIM_FIXED_NOREPLACE, NULL, 0, &got), 0);
	ck_assert_uint_eq(stats_of(mm).mappings, 1);
	for (int i = 0; i < 200; i++) { /* grace periods, after which the old one is freed */
		ck_assert_int_eq(mmshim_munmap(mm, a + 2 * MB, MB), 0);
		ck_assert_int_eq(
		    mmshim_mmap(mm, a + 2 * MB, MB, RW, MMSHIM_FIXED_NOREPLACE, NULL, 0, &got), 0);
	}
	open_gate();
	ck_assert_int_eq(join(&writer), 0);
	must_load(mm, a, 77);
}

START_TEST(a_mapping_may_be_merged_away_under_a_fault)
{
	merge_after_lookup(NULL);
	ck_assert_uint_eq(stats_of(mm).abort, 0); /* what it needs to know has not changed */
	end_space(mm);
}
END_TEST

START_TEST(to_use_one_that_was_merged_away_is_found_out)
{
	merge_after_lookup("use-after-merge");
	end_in_violation("a VMA is used");
}
END_TEST

/* ---- Reservations ---- */

static void take_what_is_reserved(const char *mutant, struct other *mapper, uint64_t *ret_reserved)
{
	uint64_t got;

	make("fine", MMSHIM_UNMAP_EXCLUSIVE, mutant);
	arm(MMSHIM_AFTER_RESERVE);
	start(mapper, MMAP, 0, MB);
	*ret_reserved = wait_for_gate();
	ck_assert_int_eq(mmshim_mmap(mm, *ret_reserved, MB, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	must_store(mm, *ret_reserved, 1);
	open_gate();
	ck_assert_int_eq(join(mapper), 0);
	ck_assert_uint_eq(stats_of(mm).revoked, 1);
	ck_assert_uint_eq(stats_of(mm).committed, 0);
}

START_TEST(a_fixed_mapping_revokes_a_reservation)
{
	struct other mapper;
	uint64_t reserved;

	take_what_is_reserved(NULL, &mapper, &reserved);
	ck_assert_uint_ne(mapper.got, reserved);
	must_load(mm, reserved, 1);
	must_load(mm, mapper.got, 0);
	end_space(mm);
}
END_TEST

START_TEST(a_reservation_that_is_not_checked_maps_over_another)
{
	struct other mapper;
	uint64_t reserved;

	take_what_is_reserved("no-reservation-check", &mapper, &reserved);
	end_in_violation("mmap publishes");
}
END_TEST

START_TEST(a_fixed_mapping_over_converted_ones_takes_its_range)
{
	struct other faulter;
	uint64_t got;

	make(_i ? "fine-chosen" : "fine", MMSHIM_UNMAP_EXCLUSIVE, NULL);
	uint64_t a = map(mm, 4 * MB), b = map_file(0, 4);
	must_store(mm, a + 2 * MB, 5);
	arm(MMSHIM_IN_ALLOC);
	start(&faulter, STORE, a, 0);
	wait_for_gate();
	ck_assert_int_eq(mmshim_mmap(mm, a + 2 * MB, MB, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	must_load(mm, a + 2 * MB, 0);
	open_gate();
	ck_assert_int_eq(join(&faulter), 0);
	uint64_t coarse = stats_of(mm).coarse;
	ck_assert_int_eq(mmshim_mmap(mm, b, MMSHIM_PAGE, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	ck_assert_uint_eq(stats_of(mm).coarse, coarse + 1);
	end_space(mm);
}
END_TEST

/* What is mapped there once the range is had may need more than the range. */
START_TEST(a_fixed_mapping_looks_again_at_what_it_replaces)
{
	struct other filer, mapper;

	make("fine", MMSHIM_UNMAP_EXCLUSIVE, NULL);
	uint64_t a = map(mm, MB);
	ck_assert_int_eq(mmshim_file_open(mm, 256, 0, &file_to_map), 0);
	arm(MMSHIM_BEFORE_COMMIT); /* it holds all */
	start(&filer, MMAP_FILE, a, MB);
	wait_for_gate();
	start(&mapper, MMAP_FIXED, a, MB);
	must_wait(&mapper);
	open_gate();
	ck_assert_int_eq(join(&filer), 0);
	ck_assert_int_eq(join(&mapper), 0);
	ck_assert_uint_eq(stats_of(mm).coarse, 2);
	must_load(mm, a, 0);
	ck_assert_uint_eq(stats_of(mm).frames_used, 1);
	end_space(mm);
}
END_TEST

START_TEST(two_open_addresses_are_never_the_same)
{
	struct other mapper;

	make(_i ? "fine-chosen" : "fine", MMSHIM_UNMAP_EXCLUSIVE, NULL);
	arm(_i ? MMSHIM_BEFORE_COMMIT : MMSHIM_AFTER_RESERVE);
	start(&mapper, MMAP, 0, MB);
	wait_for_gate();
	if (_i) { /* the second waits for the hole that it chose, and then chooses another */
		struct other second;

		start(&second, MMAP, 0, MB);
		must_wait(&second);
		open_gate();
		ck_assert_int_eq(join(&second), 0);
		ck_assert_int_eq(join(&mapper), 0);
		ck_assert_uint_ne(second.got, mapper.got);
	} else {
		uint64_t b = map(mm, MB);

		open_gate();
		ck_assert_int_eq(join(&mapper), 0);
		ck_assert_uint_ne(mapper.got, b);
		ck_assert_uint_eq(stats_of(mm).committed, 2);
	}
	ck_assert_uint_eq(stats_of(mm).revoked, 0);
	ck_assert_uint_eq(stats_of(mm).coarse, 0);
	end_space(mm);
}
END_TEST

/* ---- munmap in phases ---- */

static uint64_t map_large(void)
{
	uint64_t a = map(mm, MB);

	for (uint64_t at = a; at < a + MB / 2; at += MMSHIM_PAGE)
		must_store(mm, at, 9);
	return a;
}

START_TEST(a_dead_mapping_shows_its_content_or_faults)
{
	struct other remover;
	uint64_t word;

	make_kind(_i, MMSHIM_UNMAP_VM_DEAD);
	uint64_t a = map_large(), b = map(mm, MB);
	arm(MMSHIM_AFTER_DOWNGRADE);
	start(&remover, MUNMAP, a, MB);
	wait_for_gate();
	must_load(mm, a, 9);	    /* not zapped yet */
	must_fault(mm, a + MB / 2); /* had no page, and gets none */
	must_store(mm, b, 1);	    /* faults elsewhere go on */
	open_gate();
	ck_assert_int_eq(join(&remover), 0);
	ck_assert_int_eq(mmshim_load(mm, a, &word), EFAULT);
	end_space(mm);
}
END_TEST

START_TEST(between_its_phases_a_fixed_mapping_slips_in_and_is_unmapped)
{
	struct other remover;
	uint64_t got;

	make_kind(_i, MMSHIM_UNMAP_VM_DEAD);
	uint64_t a = map_large();
	arm(MMSHIM_BETWEEN_PHASES);
	start(&remover, MUNMAP, a, MB);
	wait_for_gate();
	must_fault(mm, a);
	ck_assert_int_eq(mmshim_mmap(mm, a, MB, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	must_store(mm, a, 4);
	ck_assert_uint_eq(stats_of(mm).slipped_in, 1);
	open_gate();
	ck_assert_int_eq(join(&remover), 0);
	must_fault(mm, a);
	end_space(mm);
}
END_TEST

/* Its driver expects that munmap, too, has everything. */
START_TEST(what_slips_in_and_is_not_converted_is_unmapped_with_everything)
{
	struct rangelock_req elsewhere = { 0 };
	struct other remover;
	struct mmshim_file *file;
	uint64_t got;

	make(_i ? "fine-chosen" : "fine", MMSHIM_UNMAP_VM_DEAD, NULL);
	uint64_t a = map_large(), b = map(mm, MB);
	ck_assert_int_eq(mmshim_file_open(mm, 256, 0, &file), 0);
	arm(MMSHIM_BETWEEN_PHASES);
	start(&remover, MUNMAP, a, MB);
	wait_for_gate();
	ck_assert_int_eq(mmshim_mmap(mm, a, MB, RW, MMSHIM_FIXED, file, 0, &got), 0);
	ck_assert_int_eq(rangelock_rdlock(&mm->range, &elsewhere, b, b + MB), 0);
	open_gate();
	must_wait(&remover);
	ck_assert_int_eq(rangelock_unlock(&mm->range, &elsewhere), 0);
	ck_assert_int_eq(join(&remover), 0);
	end_space(mm);
}
END_TEST

START_TEST(without_the_mark_a_fault_finds_zeros)
{
	struct other remover;
	uint64_t word = 1;

	make("mmap-sem", MMSHIM_UNMAP_VM_DEAD, "no-vm-dead");
	uint64_t a = map_large();
	arm(MMSHIM_BETWEEN_PHASES);
	start(&remover, MUNMAP, a, MB);
	wait_for_gate();
	ck_assert_int_eq(mmshim_load(mm, a, &word), 0);
	ck_assert_uint_eq(word, 0); /* the third state */
	open_gate();
	ck_assert_int_eq(join(&remover), 0);
	end_in_violation("a fresh page, though a store to it had ended before");
}
END_TEST

START_TEST(a_small_unmap_is_not_done_in_phases)
{
	make("mmap-sem", MMSHIM_UNMAP_VM_DEAD, NULL);
	uint64_t a = map_large();
	arm(MMSHIM_AFTER_DOWNGRADE); /* it would wait there for ever */
	ck_assert_int_eq(mmshim_munmap(mm, a, 65536 - MMSHIM_PAGE), 0);
	gate.armed = false;
	end_space(mm);
}
END_TEST

START_TEST(a_detached_mapping_faults_and_its_hole_stays_empty)
{
	struct other remover, mapper;

	make_kind(_i, MMSHIM_UNMAP_DETACH);
	uint64_t a = map_large(), b = map(mm, MB);
	arm(MMSHIM_AFTER_DOWNGRADE);
	start(&remover, MUNMAP, a, MB);
	wait_for_gate();
	must_fault(mm, a + MB / 2);
	must_store(mm, b, 1);
	start(&mapper, MMAP_FIXED, a, MB);
	must_wait(&mapper);
	open_gate();
	ck_assert_int_eq(join(&remover), 0);
	ck_assert_int_eq(join(&mapper), 0);
	must_load(mm, a, 0);
	end_space(mm);
}
END_TEST

/* Memory, and above it a stack that may grow into its place. */
static uint64_t map_below_stack(void)
{
	uint64_t base = UINT64_C(1) << 33, got;

	ck_assert_int_eq(mmshim_mmap(mm, base, 2 * MB, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	ck_assert_int_eq(mmshim_mmap(mm, base + 2 * MB, 8 * MMSHIM_PAGE, RW,
				     MMSHIM_FIXED | MMSHIM_GROWSDOWN, NULL, 0, &got),
			 0);
	for (uint64_t at = base; at < base + MB; at += MMSHIM_PAGE)
		must_store(mm, at, 1);
	return base;
}

START_TEST(beside_a_stack_there_is_no_downgrade)
{
	make_kind(_i, MMSHIM_UNMAP_DETACH);
	uint64_t base = map_below_stack();
	arm(MMSHIM_AFTER_DOWNGRADE); /* it would wait there for ever */
	ck_assert_int_eq(mmshim_munmap(mm, base, 2 * MB), 0);
	gate.armed = false;
	ck_assert_uint_eq(stats_of(mm).no_downgrade, 1);
	must_store(mm, base + 2 * MB - MMSHIM_PAGE, 5);
	/* Nor where what is left of a stack that is cut is above. */
	ck_assert_int_eq(mmshim_munmap(mm, base + MB, MB), 0);
	ck_assert_uint_eq(stats_of(mm).no_downgrade, 2);
	end_space(mm);
}
END_TEST

START_TEST(a_stack_that_grows_while_its_tables_are_freed_is_found_out)
{
	struct other remover;

	make("mmap-sem", MMSHIM_UNMAP_DETACH, "downgrade-beside-stack");
	uint64_t base = map_below_stack();
	arm(MMSHIM_AFTER_DOWNGRADE);
	start(&remover, MUNMAP, base, 2 * MB);
	wait_for_gate();
	must_store(mm, base + 2 * MB - 100 * MMSHIM_PAGE, 5); /* fresh, of the stack that grew */
	open_gate();
	ck_assert_int_eq(join(&remover), 0);
	must_load(mm, base + 2 * MB - 100 * MMSHIM_PAGE, 0); /* and lost */
	end_in_violation("a fresh page, though a store to it had ended before");
}
END_TEST

/* ---- populate ---- */

START_TEST(populate_never_populates_another_mapping)
{
	struct other mapper;
	const char *const protocols[] = { "populate", "fine", "fine-chosen" };
	uint64_t got;

	make(protocols[_i], MMSHIM_UNMAP_EXCLUSIVE, NULL);
	map(mm, MB); /* with which both are merged */
	arm(MMSHIM_IN_POPULATE);
	start(&mapper, POPULATE, 0, MB);
	uint64_t at = wait_for_gate();
	uint64_t before = stats_of(mm).frames_used;
	ck_assert_int_eq(mmshim_mmap(mm, at & ~(MB - 1), MB, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	open_gate();
	ck_assert_int_eq(join(&mapper), 0);
	ck_assert_uint_eq(mapper.got, got);
	ck_assert_uint_le(before, 64);
	ck_assert_uint_eq(stats_of(mm).frames_used, 0);
	end_space(mm);
}
END_TEST

/* Not even one that comes when a page's mapping has been looked up. */
START_TEST(populate_does_not_mistake_another_mapping_for_its_own)
{
	struct other mapper;
	uint64_t got;

	make(_i ? "fine-chosen" : "fine", MMSHIM_UNMAP_EXCLUSIVE, NULL);
	arm(_i ? MMSHIM_IN_POPULATE : MMSHIM_AFTER_LOOKUP);
	start(&mapper, POPULATE, 0, MB);
	uint64_t at = wait_for_gate();
	ck_assert_int_eq(mmshim_mmap(mm, at, MB, RW, MMSHIM_FIXED, NULL, 0, &got), 0);
	open_gate();
	ck_assert_int_eq(join(&mapper), 0);
	ck_assert_uint_eq(stats_of(mm).frames_used, 0);
	end_space(mm);
}
END_TEST

START_TEST(populate_goes_on_beyond_another_mapping)
{
	const char *const protocols[] = { "populate", "fine", "fine-chosen" };
	struct other mapper;
	uint64_t got;

	make(protocols[_i], MMSHIM_UNMAP_EXCLUSIVE, NULL);
	arm(MMSHIM_IN_POPULATE);
	start(&mapper, POPULATE, 0, MB);
	uint64_t at = wait_for_gate();
	ck_assert_int_eq(mmshim_mmap(mm, at, MMSHIM_PAGE, MMSHIM_READ, MMSHIM_FIXED, NULL, 0, &got),
			 0);
	open_gate();
	ck_assert_int_eq(join(&mapper), 0);
	ck_assert_uint_eq(stats_of(mm).frames_used, MB / MMSHIM_PAGE - 1);
	end_space(mm);
}
END_TEST

/* ---- TLBs ---- */

static struct {
	pthread_barrier_t step;
	uint64_t address;
	int before, after;
} looks;

static void *look_twice(void *arg)
{
	uint64_t word;

	(void)arg;
	looks.before = mmshim_load(mm, looks.address, &word);
	pthread_barrier_wait(&looks.step);
	pthread_barrier_wait(&looks.step);
	looks.after = mmshim_load(mm, looks.address, &word);
	return NULL;
}

static void unmap_between_looks(void)
{
	pthread_t thread;

	pthread_barrier_init(&looks.step, NULL, 2);
	looks.address = map(mm, MMSHIM_PAGE);
	ck_assert_int_eq(pthread_create(&thread, NULL, look_twice, NULL), 0);
	pthread_barrier_wait(&looks.step);
	ck_assert_int_eq(mmshim_munmap(mm, looks.address, MMSHIM_PAGE), 0);
	pthread_barrier_wait(&looks.step);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&looks.step);
	ck_assert_int_eq(looks.before, 0);
}

START_TEST(no_tlb_has_what_was_unmapped)
{
	make_kind(_i, MMSHIM_UNMAP_EXCLUSIVE);
	unmap_between_looks();
	ck_assert_int_eq(looks.after, EFAULT);
	end_space(mm);
}
END_TEST

START_TEST(a_hit_after_munmap_is_found_out)
{
	make("mmap-sem", MMSHIM_UNMAP_EXCLUSIVE, "no-shootdown");
	unmap_between_looks();
	ck_assert_int_eq(looks.after, 0);
	end_in_violation("which is free");
}
END_TEST

/* ---- One page, two faults ---- */

START_TEST(two_faults_of_one_page_leave_one_frame)
{
	struct other writer;

	make_kind(_i, MMSHIM_UNMAP_EXCLUSIVE);
	uint64_t a = map(mm, MMSHIM_PAGE);
	arm(MMSHIM_BEFORE_INSTALL);
	start(&writer, STORE, a, 0);
	wait_for_gate();
	must_store(mm, a, 5);
	must_load(mm, a, 5);
	open_gate();
	ck_assert_int_eq(join(&writer), 0);
	must_load(mm, a, 77);
	ck_assert_uint_eq(stats_of(mm).frames_used, 1);
	end_space(mm);
}
END_TEST

START_TEST(a_page_of_a_file_is_read_once)
{
	struct other first, second;

	make_kind(_i, MMSHIM_UNMAP_EXCLUSIVE);
	uint64_t a = map_file(MMSHIM_CONVERTED, 4);
	arm(MMSHIM_IN_IO);
	start(&first, LOAD, a, 0);
	wait_for_gate();
	start(&second, STORE, a, 0);
	must_wait(&second);
	open_gate();
	ck_assert_int_eq(join(&first), 0);
	ck_assert_int_eq(join(&second), 0);
	ck_assert_uint_eq(stats_of(mm).faults_major, 1);
	must_load(mm, a, 77);
	end_space(mm);
}
END_TEST

static void *look_before_and_after_a_copy(void *arg)
{
	uint64_t *words = arg;

	mmshim_load(mm, looks.address, &words[0]);
	pthread_barrier_wait(&looks.step);
	pthread_barrier_wait(&looks.step);
	mmshim_load(mm, looks.address, &words[1]);
	return NULL;
}

START_TEST(all_threads_see_the_copy_that_one_has_made)
{
	struct mmshim *child;
	uint64_t words[2];
	pthread_t thread;

	make_kind(_i, MMSHIM_UNMAP_EXCLUSIVE);
	pthread_barrier_init(&looks.step, NULL, 2);
	looks.address = map(mm, MMSHIM_PAGE);
	must_store(mm, looks.address, 1);
	ck_assert_int_eq(mmshim_fork(mm, &child), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, look_before_and_after_a_copy, words), 0);
	pthread_barrier_wait(&looks.step);
	must_store(mm, looks.address, 2);
	pthread_barrier_wait(&looks.step);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&looks.step);
	ck_assert_uint_eq(words[0], 1);
	ck_assert_uint_eq(words[1], 2);
	must_load(child, looks.address, 1);
	end_space(child);
	end_space(mm);
}
END_TEST

/* ---- Books ---- */

START_TEST(a_lost_frame_is_found_out)
{
	make("mmap-sem", MMSHIM_UNMAP_EXCLUSIVE, "lost-frame");
	uint64_t a = map(mm, MB);
	for (uint64_t at = a; at < a + MB; at += MMSHIM_PAGE)
		must_store(mm, at, 1);
	ck_assert_int_eq(mmshim_munmap(mm, a, MB), 0);
	end_in_violation("0 refer to it");
}
END_TEST

START_TEST(a_table_that_a_neighbour_uses_is_found_out)
{
	struct other remover;
	uint64_t word;

	make("mmap-sem", MMSHIM_UNMAP_DETACH, "free-shared-table");
	uint64_t a = map(mm, 2 * MB);
	must_store(mm, a, 1);
	arm(MMSHIM_AFTER_DOWNGRADE);
	start(&remover, MUNMAP, a, MB);
	wait_for_gate();
	must_store(mm, a + MB, 2); /* in the table that is about to be freed */
	open_gate();
	ck_assert_int_eq(join(&remover), 0);
	ck_assert_int_eq(mmshim_remote_read(mm, a + MB, &word), 0);
	ck_assert_uint_eq(word, 0); /* gone with the table */
	end_in_violation("0 entries map it");
}
END_TEST

/* ---- Failures ---- */

static int fail_point = -1, fail_error;

static int failing(void *arg, enum mmshim_point point, uint64_t address)
{
	(void)arg, (void)address;
	return (int)point == fail_point ? fail_error : 0;
}

START_TEST(a_failure_changes_nothing)
{
	struct mmshim_config config = gated_kind(_i);
	uint64_t word, got = 1;

	config.inject = failing;
	mm = make_space(&config);
	uint64_t a = map(mm, MB), f = map_file(0, 4);

	fail_point = MMSHIM_IN_ALLOC;
	fail_error = ENOMEM;
	ck_assert_int_eq(mmshim_store(mm, a, 1), ENOMEM);
	ck_assert_int_eq(mmshim_load(mm, f, &word), ENOMEM);
	fail_point = MMSHIM_IN_IO;
	fail_error = EIO;
	ck_assert_int_eq(mmshim_load(mm, f, &word), EIO);
	fail_point = MMSHIM_BEFORE_COMMIT;
	fail_error = ENOMEM;
	ck_assert_int_eq(mmshim_munmap(mm, a, MB), ENOMEM);
	ck_assert_int_eq(mmshim_mmap(mm, 0, MB, RW, 0, NULL, 0, &got), ENOMEM);
	ck_assert_int_eq(mmshim_mprotect(mm, a, MB, MMSHIM_READ), ENOMEM);
	ck_assert_uint_eq(got, 1);
	uint64_t heap, now;
	fail_point = -1;
	ck_assert_int_eq(mmshim_brk(mm, 0, &heap), 0);
	ck_assert_int_eq(mmshim_brk(mm, heap + MB, NULL), 0);
	fail_point = MMSHIM_BEFORE_COMMIT;
	ck_assert_int_eq(mmshim_brk(mm, heap, NULL), ENOMEM);
	fail_point = -1;
	ck_assert_int_eq(mmshim_brk(mm, 0, &now), 0);
	ck_assert_uint_eq(now, heap + MB);
	must_store(mm, heap + MB - 8, 1);
	ck_assert_int_eq(mmshim_brk(mm, heap, NULL), 0);
	must_store(mm, a, 1);
	must_load(mm, f, 0);
	ck_assert_uint_eq(stats_of(mm).mappings, 2);
	end_space(mm);
}
END_TEST

static int commits_left;

static int fail_later(void *arg, enum mmshim_point point, uint64_t address)
{
	(void)arg, (void)address;
	return point == MMSHIM_BEFORE_COMMIT && --commits_left == 0 ? ENOMEM : 0;
}

START_TEST(a_move_that_fails_loses_nothing)
{
	struct mmshim_config config = gated_kind(_i);
	uint64_t got = 1, in_the_way;
	int error;

	config.inject = fail_later;
	commits_left = 0;
	mm = make_space(&config);
	uint64_t a = map(mm, MB);
	ck_assert_int_eq(
	    mmshim_mmap(mm, a + MB, MMSHIM_PAGE, MMSHIM_READ, MMSHIM_FIXED, NULL, 0, &in_the_way),
	    0);
	must_store(mm, a, 1);
	for (int n = 1; n < 10; n++) {
		commits_left = n;
		error = mmshim_mremap(mm, a, MB, 2 * MB, &got);
		if (error == 0)
			break;
		ck_assert_int_eq(error, ENOMEM);
		ck_assert_uint_eq(got, 1);
		ck_assert_uint_eq(stats_of(mm).mappings, 2);
		must_load(mm, a, 1);
	}
	ck_assert_int_eq(error, 0);
	must_load(mm, got, 1);
	must_fault(mm, a);
	end_space(mm);
}
END_TEST

/* ---- The short mutex ---- */

static uint64_t points_seen;

/* One thread alone: who holds the mutex at these points is the caller. */
static int mutex_is_free(void *arg, enum mmshim_point point, uint64_t address)
{
	(void)arg, (void)address;
	if (mm) {
		ck_assert_msg(pthread_mutex_trylock(&mm->index_lock) == 0, "held at %s",
			      mmshim_point_name(point));
		pthread_mutex_unlock(&mm->index_lock);
		points_seen |= UINT64_C(1) << point;
	}
	return 0;
}

START_TEST(the_short_mutex_is_held_over_nothing_that_takes_long)
{
	struct mmshim_config config = gated_kind(_i);
	const uint64_t wanted = 1 << MMSHIM_IN_ALLOC | 1 << MMSHIM_IN_IO | 1 << MMSHIM_AFTER_ZAP |
				1 << MMSHIM_BEFORE_GRACE;

	config.inject = mutex_is_free;
	config.flags = MMSHIM_TIMES;
	config.frames = 32768;
	mm = NULL;
	points_seen = 0;
	mm = make_space(&config);
	uint64_t a = map(mm, 64 * MB), f = map_file(MMSHIM_CONVERTED, 4);
	for (uint64_t at = a; at < a + 64 * MB; at += MMSHIM_PAGE)
		must_store(mm, at, 1);
	must_store(mm, f, 1);
	ck_assert_int_eq(mmshim_munmap(mm, a, 64 * MB), 0);
	ck_assert_uint_eq(points_seen & wanted, wanted);
	ck_assert_uint_gt(stats_of(mm).short_holds, 0);
	ck_assert_uint_gt(stats_of(mm).short_max_ns, 0);
	end_space(mm);
}
END_TEST

/* ---- How long munmap holds for write ---- */

static int slow_zap(void *arg, enum mmshim_point point, uint64_t address)
{
	(void)arg, (void)address;
	if (point == MMSHIM_AFTER_ZAP)
		sleep_ns(40000000);
	return 0;
}

/* How long one munmap has kept others out. */
static uint64_t unmap_slowly(const struct mmshim_config *config)
{
	mm = make_space(config);
	uint64_t a = map(mm, MB);
	must_store(mm, a, 1);
	ck_assert_int_eq(mmshim_munmap(mm, a, MB), 0);

	const struct mmshim_stats stats = stats_of(mm);
	ck_assert_uint_eq(stats.unmap_holds, config->unmap == MMSHIM_UNMAP_VM_DEAD ? 2 : 1);
	ck_assert_uint_gt(stats.unmap_ns, 0);
	ck_assert_uint_ge(stats.unmap_ns, stats.unmap_max_ns);
	end_space(mm);
	return stats.unmap_max_ns;
}

START_TEST(what_takes_long_is_done_when_the_lock_is_shared)
{
	struct mmshim_config config = space_config(_i);
	const bool shares = config.unmap != MMSHIM_UNMAP_EXCLUSIVE;
	bool is_short = false;

	config.inject = slow_zap;
	config.flags = MMSHIM_TIMES;
	/* Who has to wait for a processor may be slow, too, but not every time. */
	for (int tries = shares ? 10 : 1; tries > 0 && !is_short; tries--)
		is_short = unmap_slowly(&config) < 40000000;
	ck_assert(is_short == shares);
}
END_TEST

/* ---- The end of a thread ---- */

static void load_late(void *address)
{
	uint64_t word;

	ck_assert_int_eq(mmshim_load(mm, *(uint64_t *)address, &word), 0);
	ck_assert_ptr_nonnull(rl_mm_self(mm)->owner); /* no other thread can take it */
}

static pthread_key_t late;

static void *load_and_end(void *address)
{
	uint64_t word;

	ck_assert_int_eq(mmshim_load(mm, *(uint64_t *)address, &word), 0);
	pthread_setspecific(late, address);
	return NULL;
}

START_TEST(a_destructor_may_still_use_it)
{
	pthread_t thread;

	make("mmap-sem", MMSHIM_UNMAP_EXCLUSIVE, NULL);
	uint64_t a = map(mm, MB);
	must_store(mm, a, 1); /* so that ours is the key that was made before */
	ck_assert_int_eq(pthread_key_create(&late, load_late), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, load_and_end, &a), 0);
		pthread_join(thread, NULL);
	}
	end_space(mm);
}
END_TEST

/* ---- Reclaim and write(2) ---- */

START_TEST(reclaim_leaves_a_range_alone_that_somebody_holds)
{
	struct mmshim_config config = gated("fine");
	struct other writer;

	config.frames = 64;
	config.swap = 512;
	config.fault_range = 4 * MMSHIM_PAGE;
	mm = make_space(&config);
	uint64_t a = map(mm, 4 * MMSHIM_PAGE), b = map(mm, 4 * MB);

	for (uint64_t i = 0; i < 3; i++)
		must_store(mm, a + i * MMSHIM_PAGE, i);
	arm(MMSHIM_BEFORE_INSTALL); /* it holds a's range for read */
	start(&writer, STORE, a + 3 * MMSHIM_PAGE, 0);
	wait_for_gate();
	for (uint64_t i = 0; i < 200; i++)
		must_store(mm, b + i * MMSHIM_PAGE, i);
	ck_assert_uint_gt(stats_of(mm).busy_range, 0);
	ck_assert_uint_gt(stats_of(mm).swapped_out, 100);
	open_gate();
	ck_assert_int_eq(join(&writer), 0);
	for (uint64_t i = 0; i < 200; i++)
		must_load(mm, b + i * MMSHIM_PAGE, i);
	end_space(mm);
}
END_TEST

START_TEST(reclaim_that_waits_is_found_out)
{
	struct mmshim_config config = gated("fine");
	struct other writer;

	config.mutant = "blocking-reclaim";
	config.frames = 64;
	config.swap = 512;
	config.fault_range = 4 * MMSHIM_PAGE;
	mm = make_space(&config);
	uint64_t a = map(mm, 4 * MMSHIM_PAGE), b = map(mm, 4 * MB);
	must_store(mm, a, 1);
	arm(MMSHIM_BEFORE_INSTALL); /* it holds a's range for read */
	start(&writer, STORE, a + MMSHIM_PAGE, 0);
	wait_for_gate();
	for (uint64_t i = 0; i < 70; i++)
		must_store(mm, b + i * MMSHIM_PAGE, i);
	open_gate();
	ck_assert_int_eq(join(&writer), 0);
	end_in_violation("reclaim has waited");
}
END_TEST

/* Without swap, what is written stays, however often its range is tried. */
START_TEST(the_ranges_that_reclaim_tries_are_not_left_over)
{
	struct mmshim_config config = kind_config(_i);
	struct mmshim_verdict verdict = { 0 };

	config.flags = MMSHIM_BACKGROUND;
	config.frames = 256;
	mm = make_space(&config);
	uint64_t a = map(mm, MB);
	for (uint64_t i = 0; i < 250; i++)
		must_store(mm, a + i * MMSHIM_PAGE, i);
	for (uint64_t n = scaled(5000); n > 0; n--) {
		rl_mm_memory_is_low(mm->machine);
		ck_assert_int_eq(mmshim_check(mm, &verdict), 0);
		ck_assert_msg(verdict.violations == 0, "%s", verdict.report);
	}
	end_space(mm);
}
END_TEST

START_TEST(while_all_is_pinned_nothing_is_reclaimed)
{
	struct mmshim_config config = gated("mmap-sem");
	struct mmshim_file *file;

	config.copy = _i ? MMSHIM_COPY_ATOMIC : MMSHIM_COPY_PIN_MM;
	config.frames = 64;
	config.swap = 512;
	mm = make_space(&config);
	uint64_t a = map(mm, 100 * MMSHIM_PAGE);
	ck_assert_int_eq(mmshim_file_open(mm, 128, 0, &file), 0);
	for (uint64_t i = 0; i < 100; i++)
		must_store(mm, a + i * MMSHIM_PAGE, i);
	/* Swap is free, and yet there is no memory: the whole space is pinned. */
	int error = mmshim_file_write(mm, file, 0, a, 100 * MMSHIM_PAGE);
	ck_assert_int_eq(error, _i ? 0 : ENOMEM);
	end_space(mm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("races");
	TCase *tc = tcase_create("races");
	int n = n_kinds();

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, no_page_is_installed_in_a_mapping_that_is_gone, 0, 2 * n_spaces());
	tcase_add_test(tc, no_page_is_populated_in_a_mapping_that_is_gone);
	tcase_add_test(tc, a_retried_fault_uses_the_mapping_that_is_there_by_then);
	tcase_add_loop_test(tc, disjoint_work_does_not_wait_for_a_disk, 0, 2);
	tcase_add_loop_test(tc, disjoint_work_does_not_wait_for_memory, 0, 2);
	tcase_add_loop_test(tc, disjoint_work_does_wait_where_there_is_one_lock, 0, 3);
	tcase_add_loop_test(tc, a_driver_that_is_not_converted_gets_everything, 0, 2);
	tcase_add_test(tc, a_fault_whose_mapping_has_changed_begins_again_coarsely);
	tcase_add_test(tc, without_the_second_look_a_page_lands_where_nothing_is_mapped);
	tcase_add_test(tc, a_mapping_may_be_merged_away_under_a_fault);
	tcase_add_test(tc, to_use_one_that_was_merged_away_is_found_out);
	tcase_add_test(tc, a_fixed_mapping_revokes_a_reservation);
	tcase_add_test(tc, a_reservation_that_is_not_checked_maps_over_another);
	tcase_add_loop_test(tc, a_fixed_mapping_over_converted_ones_takes_its_range, 0, 2);
	tcase_add_test(tc, a_fixed_mapping_looks_again_at_what_it_replaces);
	tcase_add_loop_test(tc, two_open_addresses_are_never_the_same, 0, 2);
	tcase_add_loop_test(tc, a_dead_mapping_shows_its_content_or_faults, 0, n);
	tcase_add_loop_test(tc, between_its_phases_a_fixed_mapping_slips_in_and_is_unmapped, 0, n);
	tcase_add_loop_test(tc, what_slips_in_and_is_not_converted_is_unmapped_with_everything, 0,
			    2);
	tcase_add_test(tc, without_the_mark_a_fault_finds_zeros);
	tcase_add_test(tc, a_small_unmap_is_not_done_in_phases);
	tcase_add_loop_test(tc, a_detached_mapping_faults_and_its_hole_stays_empty, 0, n);
	tcase_add_loop_test(tc, beside_a_stack_there_is_no_downgrade, 0, n);
	tcase_add_test(tc, a_stack_that_grows_while_its_tables_are_freed_is_found_out);
	tcase_add_loop_test(tc, populate_never_populates_another_mapping, 0, 3);
	tcase_add_loop_test(tc, populate_does_not_mistake_another_mapping_for_its_own, 0, 2);
	tcase_add_loop_test(tc, populate_goes_on_beyond_another_mapping, 0, 3);
	tcase_add_loop_test(tc, no_tlb_has_what_was_unmapped, 0, n);
	tcase_add_test(tc, a_hit_after_munmap_is_found_out);
	tcase_add_loop_test(tc, two_faults_of_one_page_leave_one_frame, 0, n);
	tcase_add_loop_test(tc, a_page_of_a_file_is_read_once, 0, n);
	tcase_add_loop_test(tc, all_threads_see_the_copy_that_one_has_made, 0, n);
	tcase_add_test(tc, a_lost_frame_is_found_out);
	tcase_add_test(tc, a_table_that_a_neighbour_uses_is_found_out);
	tcase_add_loop_test(tc, a_failure_changes_nothing, 0, n);
	tcase_add_loop_test(tc, a_move_that_fails_loses_nothing, 0, n);
	tcase_add_loop_test(tc, the_short_mutex_is_held_over_nothing_that_takes_long, 0, n);
	tcase_add_loop_test(tc, what_takes_long_is_done_when_the_lock_is_shared, 0, n_spaces());
	tcase_add_test(tc, a_destructor_may_still_use_it);
	tcase_add_test(tc, reclaim_leaves_a_range_alone_that_somebody_holds);
	tcase_add_test(tc, reclaim_that_waits_is_found_out);
	tcase_add_loop_test(tc, the_ranges_that_reclaim_tries_are_not_left_over, 0, n);
	tcase_add_loop_test(tc, while_all_is_pinned_nothing_is_reclaimed, 0, 2);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
