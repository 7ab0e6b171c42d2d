/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pairs on disjoint ranges, in an order that is the same each time, for tools/bench-coherence to
 * trace: it runs this under valgrind's lackey, which lists every access of every thread, glibc's
 * and liburcu's included, but not whose it is.  So whoever takes or gives a range first
 * stores to a mark of its own, and to another one afterwards; what is between is its part.
 *
 * One thread at a time runs, call by call, in an order:
 *
 *   together   all take, then all give: all hold at one time
 *   overlap    each gives and takes again, then the next: all but one hold all the time
 *   pairs      each takes and gives, then the next: never do two hold
 *   random     anyone's next call, the same ones each time
 */
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/coherence/controls.h"
#include "bench/peers/peers.h"
#include "bench/workload.h"
#include "common/args.h"
#include "common/random.h"

enum { MOST = 64 };

/* Exit status: two threads can never hold that, so it has one order alone. */
enum { ONE_AT_A_TIME = 3 };

struct order;

/* Written alone, for their addresses to be seen. */
struct marks {
	_Alignas(128) volatile char take;
	volatile char give, out;
};

struct thread {
	struct marks marks;
	const struct bench_lock *lock;
	void *object, *handle;
	struct op op;
	struct order *order;
	sem_t turn;
	pthread_t id;
};

/* Whose turn it is. */
struct order {
	struct thread *threads;
	unsigned n_threads, n_turns, now;
	uint8_t *turns;
};

/* ---- The order ---- */

static uint8_t nth_turn(const char *name, unsigned n, const struct order *order)
{
	unsigned threads = order->n_threads, last = order->n_turns - threads;

	if (strcmp(name, "together") == 0)
		return (uint8_t)(n % threads);
	if (strcmp(name, "overlap") == 0) /* each its first, then two by two, then each its last */
		return (uint8_t)(n < threads ? n
				 : n < last  ? (n - threads) / 2 % threads
					     : n - last);
	return (uint8_t)(n / 2 % threads);
}

static void shuffle(uint8_t *turns, unsigned n)
{
	struct rng rng = rng_make(20201, 0);

	for (unsigned i = n - 1; i > 0; i--) {
		unsigned j = (unsigned)rng_below(&rng, i + 1);
		uint8_t turn = turns[i];

		turns[i] = turns[j];
		turns[j] = turn;
	}
}

static void order_make(struct order *order, const char *name, struct thread *threads, unsigned n,
		       unsigned pairs)
{
	*order = (struct order){ .threads = threads, .n_threads = n, .n_turns = 2 * n * pairs };
	order->turns = malloc(order->n_turns);
	must_succeed(order->turns ? 0 : ENOMEM, "memory for an order");
	for (unsigned i = 0; i < order->n_turns; i++)
		order->turns[i] = nth_turn(name, i, order);
	if (strcmp(name, "random") == 0)
		shuffle(order->turns, order->n_turns);
}

static void wait_for_turn(struct thread *t)
{
	while (sem_wait(&t->turn) != 0)
		;
}

/* By whose turn it is now. */
static void end_turn(struct order *order)
{
	if (++order->now < order->n_turns)
		sem_post(&order->threads[order->turns[order->now]].turn);
}

/* ---- The calls ---- */

static void take(struct thread *t)
{
	t->marks.take = 1;
	int error = t->lock->take(t->object, t->handle, &t->op);
	t->marks.out = 1;
	must_succeed(error, t->lock->name);
}

static void give(struct thread *t)
{
	t->marks.give = 1;
	int error = t->lock->give(t->object, t->handle, &t->op);
	t->marks.out = 1;
	must_succeed(error, t->lock->name);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	for (unsigned i = 0; i < t->order->n_turns / t->order->n_threads; i++) {
		wait_for_turn(t);
		(i % 2 == 0 ? take : give)(t);
		end_turn(t->order);
	}
	return NULL;
}

/* What the addresses in the trace mean. */
static void print_places(const struct thread *threads, unsigned n, size_t object_size)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	printf("object %p %zu\n", threads[0].object, object_size);
	for (unsigned i = 0; i < n; i++) {
		const struct thread *t = &threads[i];

		printf("thread %p %p %p %p %zu\n", (const void *)&t->marks.take,
		       (const void *)&t->marks.give, (const void *)&t->marks.out, t->handle,
		       t->lock->handle_size);
	}
	while (maps && fgets(line, sizeof(line), maps))
		printf("map %s", line);
	if (maps)
		fclose(maps);
}

static const struct bench_lock *find_lock(const char *name)
{
	for (unsigned i = 0; bench_locks[i]; i++)
		if (strcmp(bench_locks[i]->name, name) == 0 && bench_locks[i]->available())
			return bench_locks[i];
	for (unsigned i = 0; coherence_controls[i]; i++)
		if (strcmp(coherence_controls[i]->name, name) == 0)
			return coherence_controls[i];
	bad_option("LOCK", "'%s' is not a lock of this build", name);
}

int main(int argc, char **argv)
{
	static struct thread threads[MOST];

	if (argc != 6)
		bad_option("usage", "LOCK ORDER read|write THREADS PAIRS");
	const struct bench_lock *lock = find_lock(argv[1]);
	unsigned n = (unsigned)parse_number("THREADS", argv[4], 1, MOST);
	unsigned pairs = (unsigned)parse_number("PAIRS", argv[5], 1, 1000000);
	struct setting setting = { .threads = n, .span = SLOTS * SLOT_SIZE, .grain = SLOT_SIZE };
	bool write = strcmp(argv[3], "write") == 0;

	if (lock->whole && (write || lock->no_readers) && strcmp(argv[2], "pairs") != 0)
		return ONE_AT_A_TIME;
	void *object = lock->create(&setting);
	struct order order;

	order_make(&order, argv[2], threads, n, pairs);
	for (unsigned i = 0; i < n; i++) {
		struct thread *t = &threads[i];
		uint64_t start = (uint64_t)i * 2 * SLOT_SIZE;

		*t = (struct thread){
			.lock = lock,
			.object = object,
			.handle = new_lock(lock->handle_size),
			.op = { start, start + SLOT_SIZE, write },
			.order = &order,
		};
		lock->prepare(object, t->handle, i);
		sem_init(&t->turn, 0, i == order.turns[0]);
	}
	for (unsigned i = 0; i < n; i++)
		must_succeed(pthread_create(&threads[i].id, NULL, thread_main, &threads[i]),
			     "pthread_create");
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	print_places(threads, n, malloc_usable_size(object));
	finish_text(stdout);
	return EXIT_SUCCESS;
}
