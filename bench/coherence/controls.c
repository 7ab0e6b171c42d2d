/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/coherence/controls.h"

#include "bench/peers/peers.h"

enum { MOST = 64 };

struct lines {
	struct {
		_Alignas(64) _Atomic uint32_t word[16];
	} line[MOST];
};

struct words {
	_Atomic uint32_t *first, *second;
};

static void *create(const struct setting *setting)
{
	(void)setting;
	return new_lock(sizeof(struct lines));
}

/* Each thread a line of its own. */
static void prepare_private(void *lock, void *handle, unsigned thread)
{
	struct words *w = handle;

	w->first = w->second = &((struct lines *)lock)->line[thread % MOST].word[0];
}

/* All the same word. */
static void prepare_counter(void *lock, void *handle, unsigned thread)
{
	prepare_private(lock, handle, thread * 0);
}

/* Each thread a word of its own, in the same line. */
static void prepare_neighbours(void *lock, void *handle, unsigned thread)
{
	struct words *w = handle;

	w->first = w->second = &((struct lines *)lock)->line[0].word[thread % 16];
}

/* All the same two words, in two lines. */
static void prepare_two(void *lock, void *handle, unsigned thread)
{
	struct words *w = handle;

	(void)thread;
	w->first = &((struct lines *)lock)->line[0].word[0];
	w->second = &((struct lines *)lock)->line[1].word[0];
}

static int take(void *lock, void *handle, const struct op *op)
{
	const struct words *w = handle;

	(void)lock, (void)op;
	atomic_fetch_add(w->first, 1);
	return 0;
}

static int give(void *lock, void *handle, const struct op *op)
{
	const struct words *w = handle;

	(void)lock, (void)op;
	atomic_fetch_add(w->second, 1);
	return 0;
}

#define CONTROL(n, how)                                                                \
	(const struct bench_lock)                                                      \
	{                                                                              \
		.name = "control-" n, .available = always_available, .create = create, \
		.destroy = free, .handle_size = sizeof(struct words), .prepare = how,  \
		.take = take, .give = give                                             \
	}

const struct bench_lock *const coherence_controls[] = {
	&CONTROL("private", prepare_private),
	&CONTROL("counter", prepare_counter),
	&CONTROL("neighbours", prepare_neighbours),
	&CONTROL("two", prepare_two),
	NULL,
};
