/* SPDX-License-Identifier: BSD-2-Clause */
/* What is measured: after ebizzy, pft, will-it-scale, and the slides' false conflicts. */
#include <stdio.h>

#include "common/clock.h"
#include "mm/tool.h"

bool stopped(const struct worker *w)
{
	return atomic_load_explicit(&w->run->stop, memory_order_relaxed);
}

void must(struct run *run, int error, const char *call)
{
	int none = 0;

	if (error && atomic_compare_exchange_strong(&run->failed, &none, error)) {
		atomic_store(&run->failed_in, call);
		atomic_store(&run->stop, true);
	}
}

uint64_t map_area(struct run *run, uint64_t length, unsigned flags, struct mmshim_file *file)
{
	uint64_t address = 0;

	must(run, mmshim_mmap(run->mm, 0, length, RW, flags, file, 0, &address), "mmap");
	return address;
}

void unmap_area(struct run *run, uint64_t address, uint64_t length)
{
	if (address)
		must(run, mmshim_munmap(run->mm, address, length), "munmap");
}

void touch(struct run *run, uint64_t address, uint64_t length)
{
	for (uint64_t at = address; at < address + length && !atomic_load(&run->failed);
	     at += MMSHIM_PAGE)
		must(run, mmshim_store(run->mm, at, at), "store");
}

void sample(struct worker *w, int64_t due)
{
	/* When it is full, later ones take the places of others. */
	uint64_t i = w->n_samples < SAMPLES ? w->n_samples++ : rng_below(&w->rng, SAMPLES);

	w->samples[i] = (struct sample){ due, clock_ns() - due };
}

/* ---- ebizzy: allocate a chunk, copy records into it, search it, free it ---- */

static void ebizzy(struct worker *w)
{
	const uint64_t size = KB(256);

	while (!stopped(w)) {
		uint64_t chunk = map_area(w->run, size, 0, NULL), word;

		touch(w->run, chunk, size);
		for (int i = 0; i < 64; i++)
			must(w->run,
			     mmshim_load(w->run->mm, chunk + rng_below(&w->rng, size), &word),
			     "load");
		unmap_area(w->run, chunk, size);
		w->ops++;
	}
}

/* ---- pft: each thread faults its own slice of one mapping ---- */

static void prepare_slices(struct run *run)
{
	run->area = map_area(run, run->n_workers * MB(16), 0, NULL);
}

static void pft(struct worker *w)
{
	const uint64_t slice = w->run->area + w->index * MB(16);

	while (!stopped(w)) {
		touch(w->run, slice, MB(16));
		must(w->run, mmshim_dontneed(w->run->mm, slice, MB(16)), "madvise");
		w->ops += MB(16) / MMSHIM_PAGE;
	}
}

/* ---- page_fault1, 2, 3: map 128 MB, write every page, unmap ---- */

static void fault_area(struct worker *w, unsigned flags, struct mmshim_file *file)
{
	while (!stopped(w)) {
		uint64_t area = map_area(w->run, MB(128), flags, file), at = area;

		for (; at < area + MB(128) && !stopped(w); at += MB(1)) {
			touch(w->run, at, MB(1));
			w->ops += MB(1) / MMSHIM_PAGE;
		}
		unmap_area(w->run, area, MB(128));
	}
}

static void page_fault1(struct worker *w)
{
	fault_area(w, 0, NULL);
}

static void page_fault2(struct worker *w)
{
	fault_area(w, 0, w->file);
}

static void page_fault3(struct worker *w)
{
	fault_area(w, MMSHIM_SHARED, w->file);
}

static void prepare_files(struct run *run)
{
	for (unsigned i = 0; i < run->n_workers; i++)
		must(run,
		     mmshim_file_open(run->mm, MB(128) / MMSHIM_PAGE, MMSHIM_CONVERTED,
				      &run->workers[i].file),
		     "open");
}

/* ---- mmap1, mmap2: map and unmap 128 MB, touching nothing ---- */

static void mmap1(struct worker *w)
{
	for (; !stopped(w); w->ops++)
		unmap_area(w->run, map_area(w->run, MB(128), 0, NULL), MB(128));
}

static void mmap2(struct worker *w)
{
	for (; !stopped(w); w->ops++)
		unmap_area(w->run, map_area(w->run, MB(128), MMSHIM_SHARED, w->file), MB(128));
}

/* ---- brk ---- */

static void prepare_heap(struct run *run)
{
	must(run, mmshim_brk(run->mm, 0, &run->area), "brk");
}

static void heap(struct worker *w)
{
	for (; !stopped(w); w->ops++)
		must(w->run,
		     mmshim_brk(w->run->mm, w->run->area + PAGES(rng_below(&w->rng, 64)), NULL),
		     "brk");
}

/* ---- malloc: large blocks are mapped, small ones come from an arena that grows ---- */

static void malloc_large(struct worker *w)
{
	for (; !stopped(w); w->ops++) {
		uint64_t size = PAGES(32 + rng_below(&w->rng, 512));
		uint64_t block = map_area(w->run, size, 0, NULL);

		touch(w->run, block, PAGES(4));
		unmap_area(w->run, block, size);
	}
}

static void malloc_small(struct worker *w)
{
	const uint64_t arena = MB(1), step = KB(128);

	while (!stopped(w)) {
		uint64_t base = 0;

		must(w->run, mmshim_mmap(w->run->mm, 0, arena, 0, 0, NULL, 0, &base), "mmap");
		for (uint64_t at = base; at < base + arena && base; at += step) {
			must(w->run, mmshim_mprotect(w->run->mm, at, step, RW), "mprotect");
			touch(w->run, at, step);
			w->ops += step / 64;
		}
		unmap_area(w->run, base, arena);
	}
}

/* ---- full-range: short calls, each of which takes everything if the protocol is coarse ---- */

static void full_range(struct worker *w)
{
	for (; !stopped(w); w->ops++) {
		uint64_t area = map_area(w->run, KB(64), 0, NULL);

		touch(w->run, area, KB(64));
		unmap_area(w->run, area, KB(64));
	}
}

/* ---- munmap: how long it takes by size, and how long others' faults take while one thread
 * populates, and unmaps ---- */

/* A store is due every so often; one that another kept us from was late, and so are those that
 * were due meanwhile. */
static void touch_when_due(struct worker *w, uint64_t at, int64_t *due)
{
	const int64_t period = 100000;
	int64_t now = clock_ns();

	*due += period;
	if (now < *due) {
		sleep_ns(*due - now);
		*due = clock_ns(); /* the clock's lateness is none of ours */
	}
	touch(w->run, at, MMSHIM_PAGE);
	sample(w, *due);
	w->ops++;
}

/* Once at least, however long another keeps us from it. */
static void touch_own(struct worker *w)
{
	uint64_t area = map_area(w->run, MB(4), 0, NULL);
	int64_t due = clock_ns();

	do {
		uint64_t at = area;

		do
			touch_when_due(w, at, &due);
		while ((at += MMSHIM_PAGE) < area + MB(4) && !stopped(w));
		must(w->run, mmshim_dontneed(w->run->mm, area, MB(4)), "madvise");
	} while (!stopped(w));
}

static int64_t note_span(struct spans *spans, int64_t since)
{
	int64_t now = clock_ns();

	if (spans->n < MAX_SPANS) {
		spans->s[spans->n].start = since;
		spans->s[spans->n++].end = now;
	}
	return now;
}

static void unmap_by_size(struct worker *w)
{
	const int64_t pause = NS_PER_S / 50; /* for the others to catch up */
	struct run *run = w->run;

	for (unsigned i = 0; !stopped(w); i = (i + 1) % SIZES) { /* up to 1 GB */
		uint64_t size = MB(1) << 2 * i;

		if (run->size && size != run->size)
			continue;
		int64_t begin = clock_ns();
		uint64_t area = map_area(run, size, MMSHIM_POPULATE, NULL);
		note_span(&run->populates, begin);
		sleep_ns(pause);
		int64_t populated = clock_ns();
		unmap_area(run, area, size);
		run->munmap_ns[i] += (uint64_t)(note_span(&run->unmaps, populated) - populated);
		run->munmaps[i]++;
		sleep_ns(pause);
	}
}

static void unmap_and_fault(struct worker *w)
{
	if (w->index == 0)
		unmap_by_size(w);
	else
		touch_own(w);
}

/* ---- false-conflicts: nobody touches anybody else's memory ---- */

static void allocate_large(struct worker *w)
{
	while (!stopped(w))
		unmap_area(w->run, map_area(w->run, MB(256), MMSHIM_POPULATE, NULL), MB(256));
}

static void read_arguments(struct worker *w)
{
	uint64_t word;

	while (!stopped(w)) {
		must(w->run, mmshim_remote_read(w->run->mm, w->run->area, &word), "remote read");
		sleep_ns(20000);
	}
}

/* A thread's stack comes and goes. */
static void spawn_threads(struct worker *w)
{
	while (!stopped(w)) {
		uint64_t stack = map_area(w->run, MB(8), MMSHIM_GROWSDOWN, NULL);

		touch(w->run, stack + MB(8) - PAGES(4), PAGES(4));
		unmap_area(w->run, stack, MB(8));
		sleep_ns(20000);
	}
}

static void prepare_arguments(struct run *run)
{
	run->area = map_area(run, PAGES(1), 0, NULL);
}

static void false_conflicts(struct worker *w)
{
	static void (*const roles[])(struct worker *) = { allocate_large, touch_own, read_arguments,
							  spawn_threads };

	(w->index < 4 ? roles[w->index] : touch_own)(w);
}

static const struct workload all[] = {
	{ .name = "ebizzy", .what = "map, fill, search and free 256 KB chunks", .step = ebizzy },
	{ .name = "pft",
	  .what = "each thread faults its own 16 MB of one mapping",
	  .prepare = prepare_slices,
	  .step = pft },
	{ .name = "page_fault1",
	  .what = "fault 128 MB of anonymous memory, and unmap it",
	  .step = page_fault1 },
	{ .name = "page_fault2",
	  .what = "the same of a private mapping of a file",
	  .prepare = prepare_files,
	  .step = page_fault2 },
	{ .name = "page_fault3",
	  .what = "the same of a shared mapping of a file",
	  .prepare = prepare_files,
	  .step = page_fault3 },
	{ .name = "mmap1", .what = "map and unmap 128 MB, untouched", .step = mmap1 },
	{ .name = "mmap2",
	  .what = "map and unmap 128 MB of a file",
	  .prepare = prepare_files,
	  .step = mmap2 },
	{ .name = "brk",
	  .what = "move the end of the heap to and fro",
	  .prepare = prepare_heap,
	  .step = heap },
	{ .name = "malloc-large", .what = "map, touch a little, unmap", .step = malloc_large },
	{ .name = "malloc-small",
	  .what = "arenas that grow by mprotect; an operation is 64 bytes",
	  .step = malloc_small },
	{ .name = "full-range",
	  .what = "short calls: the price of a full range, beside mmap-sem's",
	  .step = full_range },
	{ .name = "munmap",
	  .what =
	      "one thread populates and unmaps 1 MB to 1 GB, the others fault; fault_ns is theirs",
	  .step = unmap_and_fault,
	  .own_latency = true,
	  .threads = 2 },
	{ .name = "false-conflicts",
	  .what = "populate and unmap 256 MB, stacks, ps; fault_ns of threads that touch their own",
	  .prepare = prepare_arguments,
	  .step = false_conflicts,
	  .own_latency = true,
	  .threads = 2 },
};

const struct workload *const workloads[] = {
	&all[0], &all[1], &all[2],  &all[3],  &all[4],	&all[5], &all[6], &all[7],
	&all[8], &all[9], &all[10], &all[11], &all[12], &churn,	 NULL,
};
