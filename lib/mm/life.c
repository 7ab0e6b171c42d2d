/* SPDX-License-Identifier: BSD-2-Clause */
/* An address space comes and goes: configuration, create, fork, destroy, counters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mm.h"
#include "mm/oracle.h"

static const struct protocol *const protocols[] = {
	&rl_mm_mmap_sem, &rl_mm_mmap_sem_range, &rl_mm_retry,	    &rl_mm_populate,
	&rl_mm_coarse,	 &rl_mm_fine,		&rl_mm_fine_chosen,
};
enum { N_PROTOCOLS = sizeof(protocols) / sizeof(protocols[0]) };

static const char *const protocol_names[N_PROTOCOLS + 1] = {
	"mmap-sem", "mmap-sem-range", "retry", "populate", "coarse", "fine", "fine-chosen",
};

static const char *const mutant_names[] = {
	[MUTANT_NO_VM_DEAD - 1] = "no-vm-dead",
	[MUTANT_NO_RECHECK - 1] = "no-recheck",
	[MUTANT_NO_RESERVATION_CHECK - 1] = "no-reservation-check",
	[MUTANT_USE_AFTER_MERGE - 1] = "use-after-merge",
	[MUTANT_DOWNGRADE_BESIDE_STACK - 1] = "downgrade-beside-stack",
	[MUTANT_BLOCKING_RECLAIM - 1] = "blocking-reclaim",
	[MUTANT_FREE_SHARED_TABLE - 1] = "free-shared-table",
	[MUTANT_NO_SHOOTDOWN - 1] = "no-shootdown",
	[MUTANT_LOST_FRAME - 1] = "lost-frame",
	[N_MUTANTS - 1] = NULL,
};

const char *const *mmshim_protocols(void)
{
	return protocol_names;
}

const char *const *mmshim_mutants(void)
{
	return mutant_names;
}

const char *mmshim_point_name(enum mmshim_point point)
{
	static const char *const names[MMSHIM_N_POINTS] = {
		[MMSHIM_AFTER_LOOKUP] = "after_lookup",
		[MMSHIM_BEFORE_COMMIT] = "before_commit",
		[MMSHIM_BEFORE_INSTALL] = "before_install",
		[MMSHIM_AFTER_RESERVE] = "after_reserve",
		[MMSHIM_AFTER_DETACH] = "after_detach",
		[MMSHIM_AFTER_DOWNGRADE] = "after_downgrade",
		[MMSHIM_BETWEEN_PHASES] = "between_phases",
		[MMSHIM_BEFORE_GRACE] = "before_grace",
		[MMSHIM_AFTER_ZAP] = "after_zap",
		[MMSHIM_IN_ALLOC] = "in_alloc",
		[MMSHIM_IN_IO] = "in_io",
		[MMSHIM_IN_POPULATE] = "in_populate",
	};

	return (unsigned)point < MMSHIM_N_POINTS ? names[point] : NULL;
}

/* ---- Configuration ---- */

static int find_protocol(struct mmshim *mm)
{
	const char *name = mm->config.protocol ? mm->config.protocol : "mmap-sem";
	const struct protocol *p = NULL;

	for (int i = 0; i < N_PROTOCOLS; i++)
		if (strcmp(protocols[i]->name, name) == 0)
			p = protocols[i];
	if (!p)
		return EINVAL;
	mm->protocol = p;
	mm->caps = rangelock_engine_caps(mm->config.engine);
	unsigned needs = p->needs;
	if (p->needs_downgrade && mm->config.unmap != MMSHIM_UNMAP_EXCLUSIVE)
		needs |= RANGELOCK_CAP_CONVERT;
	return (mm->caps & needs) == needs ? 0 : ENOTSUP;
}

static int find_mutant(struct mmshim *mm)
{
	if (!mm->config.mutant)
		return 0;
	for (int i = 0; mutant_names[i]; i++)
		if (strcmp(mutant_names[i], mm->config.mutant) == 0) {
			mm->mutant = (enum mutant)(i + 1);
			return 0;
		}
	return EINVAL;
}

static bool is_aligned(uint64_t n)
{
	return n % MMSHIM_PAGE == 0;
}

static int configure(struct mmshim *mm)
{
	struct mmshim_config *c = &mm->config;

	if ((unsigned)c->engine > RANGELOCK_SHARDED || (unsigned)c->unmap > MMSHIM_UNMAP_DETACH ||
	    (unsigned)c->copy > MMSHIM_COPY_ATOMIC ||
	    c->flags & ~(MMSHIM_CHECK | MMSHIM_TIMES | MMSHIM_BACKGROUND) || c->frames >= 1 << 24 ||
	    c->swap >= 1 << 24 || c->io_ns > UINT64_C(1000000000000))
		return EINVAL;
	for (int i = 0; i < 8; i++)
		if (c->reserved_[i])
			return EINVAL;
	c->large_unmap = c->large_unmap ? c->large_unmap : UINT64_C(1) << 30;
	c->fault_range = c->fault_range ? c->fault_range : UINT64_C(2) << 20;
	c->low = c->low ? c->low : UINT64_C(1) << 40;
	c->high = c->high ? c->high : MMSHIM_TOP;
	if (!is_aligned(c->fault_range) || !is_aligned(c->low) || !is_aligned(c->high) ||
	    c->low >= c->high || c->high > MMSHIM_TOP)
		return EINVAL;
	int error = find_mutant(mm);
	return error ? error : find_protocol(mm);
}

/* ---- Life ---- */

static void link_space(struct mmshim *mm)
{
	pthread_mutex_lock(&mm->machine->spaces_lock);
	mm->next = mm->machine->spaces;
	mm->machine->spaces = mm;
	pthread_mutex_unlock(&mm->machine->spaces_lock);
}

static void unlink_space(struct mmshim *mm)
{
	pthread_mutex_lock(&mm->machine->spaces_lock);
	struct mmshim **at = &mm->machine->spaces;
	while (*at != mm)
		at = &(*at)->next;
	*at = mm->next;
	pthread_mutex_unlock(&mm->machine->spaces_lock);
}

/* What is left when nothing is mapped; the machine is for the caller to put. */
static void free_space(struct mmshim *mm)
{
	rl_mm_thread_space_goes(mm);
	rl_mm_index_end(mm);
	rl_mm_retirement_end(&mm->retirement);
	rl_mm_tables_end(mm);
	rl_mm_threads_end(mm);
	rl_mm_oracle_end(mm);
	pthread_mutex_destroy(&mm->index_lock);
	free(mm);
}

/* A space of the machine, with nothing mapped. */
static int new_space(struct mmshim *blank, struct machine *machine, struct mmshim **ret)
{
	struct mmshim *mm = malloc(sizeof(*mm));

	if (!mm)
		return ENOMEM;
	*mm = *blank;
	mm->machine = machine;
	mm->heap_start = mm->heap_end = UINT64_C(1) << 32;
	pthread_mutex_init(&mm->index_lock, NULL);
	rl_mm_retirement_init(&mm->retirement);
	rl_mm_thread_space_is_born(mm);
	int error = rl_mm_oracle_init(mm);
	if (!error)
		error = rl_mm_index_init(mm);
	if (!error)
		error = rl_mm_tables_init(mm);
	if (!error)
		error = mm->protocol->init(mm);
	if (error) {
		free_space(mm);
		return error;
	}
	link_space(mm);
	*ret = mm;
	return 0;
}

int mmshim_create(struct mmshim **ret, const struct mmshim_config *config)
{
	static const struct mmshim_config defaults;
	struct mmshim blank = { .config = config ? *config : defaults };
	struct machine *machine;
	bool balanced;

	if (!ret)
		return EINVAL;
	int error = configure(&blank);
	if (!error)
		error = rl_mm_machine_new(&blank.config, &machine);
	if (error)
		return error;
	error = new_space(&blank, machine, ret);
	if (error)
		rl_mm_machine_put(machine, &balanced);
	return error;
}

int mmshim_destroy(struct mmshim *mm)
{
	bool balanced;

	if (!mm)
		return EINVAL;
	struct machine *machine = mm->machine;
	unlink_space(mm); /* no reclaim from here on */
	rl_mm_zap(mm, 0, MMSHIM_TOP, UINT32_MAX);
	mm->protocol->end(mm);
	bool sound = rl_load(&mm->violations, relaxed) == 0;
	free_space(mm);
	rl_mm_machine_put(machine, &balanced);
	return sound && balanced ? 0 : EPROTO;
}

int mmshim_fork(struct mmshim *mm, struct mmshim **ret_child)
{
	struct mmshim *child, blank = { 0 };
	struct hold hold = { 0 };

	if (!mm || !ret_child)
		return EINVAL;
	blank.config = mm->config;
	blank.protocol = mm->protocol;
	blank.mutant = mm->mutant;
	blank.caps = mm->caps;
	rl_mm_add(&mm->machine->users, 1, relaxed);
	int error = new_space(&blank, mm->machine, &child);
	if (error) {
		rl_mm_add(&mm->machine->users, -1, relaxed);
		return error;
	}

	struct call *call = rl_mm_call_begin(child);
	mm->protocol->lock_all(mm, &hold);
	child->heap_end = mm->heap_end;
	error = rl_mm_index_copy(child, mm);
	if (!error)
		error = rl_mm_fork_tables(mm, child);
	mm->protocol->unlock(mm, &hold);
	rl_mm_call_end(child, call);
	if (error) {
		mmshim_destroy(child);
		return error;
	}
	if (child->history) {
		child->history->is_child = true;
		child->history->forked = rl_mm_now();
	}
	*ret_child = child;
	return 0;
}

/* ---- Counters ---- */

/* The upper end of what falls into a bucket (access.c). */
static uint64_t bucket_end(unsigned b)
{
	return (UINT64_C(9) + b % 8) << (b / 8 - 3);
}

static uint64_t percentile(const uint64_t *buckets, uint64_t total, double share)
{
	uint64_t wanted = (uint64_t)((double)total * share), seen = 0;

	for (unsigned b = 24; b < HISTOGRAM; b++) {
		seen += buckets[b];
		if (seen > wanted)
			return bucket_end(b);
	}
	return 0;
}

static void add_up(struct mmshim *mm, uint64_t *counts, uint64_t *buckets, uint64_t *ret_max)
{
	pthread_mutex_lock(&mm->threads_lock);
	for (struct thread *t = mm->threads; t; t = t->next) {
		uint64_t max = rl_load(&t->fault_max, relaxed);

		for (int i = 0; i < N_COUNTERS; i++)
			counts[i] += rl_load(&t->counts[i], relaxed);
		for (int i = 0; i < HISTOGRAM; i++)
			buckets[i] += rl_load(&t->histogram[i], relaxed);
		*ret_max = max > *ret_max ? max : *ret_max;
	}
	pthread_mutex_unlock(&mm->threads_lock);
}

int mmshim_stats(struct mmshim *mm, struct mmshim_stats *ret)
{
	uint64_t c[N_COUNTERS] = { 0 }, buckets[HISTOGRAM] = { 0 }, max = 0, timed = 0;

	if (!mm || !ret)
		return EINVAL;
	add_up(mm, c, buckets, &max);
	for (int i = 0; i < HISTOGRAM; i++)
		timed += buckets[i];
	rl_mm_read_lock();
	uint64_t mappings = rl_mm_index(mm)->n;
	rl_mm_read_unlock();
	*ret = (struct mmshim_stats){
		.faults = c[C_FAULTS],
		.faults_major = c[C_MAJOR],
		.success = c[C_SUCCESS],
		.abort = c[C_ABORT],
		.retry = c[C_RETRY],
		.miss = c[C_MISS],
		.segv = c[C_SEGV],
		.coarse = c[C_COARSE],
		.fine = c[C_FINE],
		.committed = c[C_COMMITTED],
		.revoked = c[C_REVOKED],
		.given_up = c[C_GIVEN_UP],
		.slipped_in = c[C_SLIPPED_IN],
		.no_downgrade = c[C_NO_DOWNGRADE],
		.merges = c[C_MERGES],
		.grown = c[C_GROWN],
		.copied = c[C_COPIED],
		.shootdowns = c[C_SHOOTDOWNS],
		.reclaimed = c[C_RECLAIMED],
		.swapped_out = c[C_SWAPPED_OUT],
		.swapped_in = c[C_SWAPPED_IN],
		.busy_range = c[C_BUSY_RANGE],
		.mappings = mappings,
		.tables = rl_load(&mm->n_tables, relaxed),
		.frames_used = mm->machine->n_frames - rl_load(&mm->machine->n_free, relaxed),
		.short_holds = rl_load(&mm->short_mutex.n, relaxed),
		.short_ns = rl_load(&mm->short_mutex.ns, relaxed),
		.short_max_ns = rl_load(&mm->short_mutex.max, relaxed),
		.unmap_holds = rl_load(&mm->unmaps.n, relaxed),
		.unmap_ns = rl_load(&mm->unmaps.ns, relaxed),
		.unmap_max_ns = rl_load(&mm->unmaps.max, relaxed),
		.fault_p50_ns = percentile(buckets, timed, 0.5),
		.fault_p99_ns = percentile(buckets, timed, 0.99),
		.fault_p999_ns = percentile(buckets, timed, 0.999),
		.fault_max_ns = max,
	};
	return 0;
}
