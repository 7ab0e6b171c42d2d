/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a user's program may do with range locks, and what it may not: for a race
 * detector to watch (visible.sh).  Usage: program NAME...; without a name it lists them.
 *
 * Threads are told whose turn it is in a way that orders nothing for a detector:
 * to ThreadSanitizer relaxed operations are none, and to helgrind and DRD locked
 * instructions are reads.  So what a scenario does wrong happens in the same order
 * each time, with the accesses far apart, and what it does right has nothing but
 * the lock to order it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rangelock/rangelock.h>

#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)

enum { MAX_THREADS = 4, CELLS = 64 };

static struct rangelock lock, other_lock;
static long data;
static _Thread_local volatile long sink;

static void must(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "program: not so: %s\n", what);
		_Exit(3);
	}
}
#define MUST(condition) must(condition, #condition)

/* -- Turns -------------------------------------------------------------------- */

static atomic_int turn;

static void await(int n)
{
	while (atomic_fetch_add_explicit(&turn, 0, memory_order_relaxed) < n)
		sched_yield();
}

static void pass(void)
{
	atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed);
}

typedef void thread_fn(void);

struct seat {
	thread_fn *fn;
	int place;
};

static void *in_turn(void *arg)
{
	struct seat *seat = arg;

	await(seat->place);
	seat->fn();
	pass();
	return NULL;
}

static void *at_once(void *arg)
{
	((struct seat *)arg)->fn();
	return NULL;
}

static void run(void *(*how)(void *), int n, thread_fn *const fns[])
{
	pthread_t threads[MAX_THREADS];
	struct seat seats[MAX_THREADS];

	atomic_store(&turn, 0);
	for (int i = 0; i < n; i++) {
		seats[i] = (struct seat){ fns[i], i };
		MUST(pthread_create(&threads[i], NULL, how, &seats[i]) == 0);
	}
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

#define COUNT(...) (int)(sizeof((thread_fn *[]){ __VA_ARGS__ }) / sizeof(thread_fn *))
/* One after the other; or all at once. */
#define IN_TURN(...) run(in_turn, COUNT(__VA_ARGS__), (thread_fn *[]){ __VA_ARGS__ })
#define AT_ONCE(...) run(at_once, COUNT(__VA_ARGS__), (thread_fn *[]){ __VA_ARGS__ })

/* -- What threads do ---------------------------------------------------------- */

static void write_under(struct rangelock *l, enum rangelock_mode mode, uint64_t start, uint64_t end)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	MUST((mode == RANGELOCK_WRITE ? rangelock_wrlock : rangelock_rdlock)(l, &req, start, end) ==
	     0);
	data++;
	MUST(rangelock_unlock(l, &req) == 0);
}

static void read_under(uint64_t start, uint64_t end)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	MUST(rangelock_rdlock(&lock, &req, start, end) == 0);
	sink = data;
	MUST(rangelock_unlock(&lock, &req) == 0);
}

#define WRITES(name, start, end)                                     \
	static void name(void)                                       \
	{                                                            \
		write_under(&lock, RANGELOCK_WRITE, (start), (end)); \
	}
#define READS(name, start, end)             \
	static void name(void)              \
	{                                   \
		read_under((start), (end)); \
	}

WRITES(write_0_10, 0, 10)
WRITES(write_10_20, 10, 20)
WRITES(write_9_20, 9, 20)
WRITES(write_page_0, 0, 4 * KIB)
WRITES(write_page_1, 4 * KIB, 8 * KIB)
WRITES(write_byte_of_page_1, 5000, 5001)
WRITES(write_odd_0, 1000003, 1000103)
WRITES(write_odd_1, 1000103, 1000203)
WRITES(write_gib_0, 0, 10 * GIB)
WRITES(write_gib_1, 10 * GIB, 20 * GIB)
WRITES(write_byte_of_gib_1, 10 * GIB + 12345, 10 * GIB + 12346)
WRITES(write_below_half, 0, UINT64_C(1) << 63)
WRITES(write_above_half, UINT64_C(1) << 63, RANGELOCK_MAX)
WRITES(write_last, RANGELOCK_MAX - 1, RANGELOCK_MAX)
WRITES(write_before_last, RANGELOCK_MAX - 2, RANGELOCK_MAX - 1)
WRITES(write_all, 0, RANGELOCK_MAX)
READS(read_0_10, 0, 10)
READS(read_9_20, 9, 20)
READS(read_all, 0, RANGELOCK_MAX)

static void write_reading(void)
{
	write_under(&lock, RANGELOCK_READ, 0, 10);
}

static void write_under_the_other(void)
{
	write_under(&other_lock, RANGELOCK_WRITE, 0, 10);
}

static void write_unlocked(void)
{
	data++;
}

static void read_unlocked(void)
{
	sink = data;
}

/* -- Right -------------------------------------------------------------------- */

static void writers_in_turn(void)
{
	IN_TURN(write_0_10, write_9_20, write_0_10);
	IN_TURN(write_page_1, write_byte_of_page_1, write_page_1);
	IN_TURN(write_odd_1, write_all, write_odd_0);
	IN_TURN(write_gib_1, write_byte_of_gib_1, write_gib_1);
	IN_TURN(write_above_half, write_last, write_above_half);
}

static void readers_then_a_writer(void)
{
	IN_TURN(write_9_20, read_0_10, read_9_20, write_0_10);
	IN_TURN(write_gib_0, read_all, read_0_10, write_0_10);
}

static struct rangelock_req handed;
static sem_t hand;

static void lock_and_hand_on(void)
{
	MUST(rangelock_wrlock(&lock, &handed, 100, 200) == 0);
	data++;
	MUST(sem_post(&hand) == 0);
}

static void unlock_what_was_handed_on(void)
{
	MUST(sem_wait(&hand) == 0);
	MUST(rangelock_unlock(&lock, &handed) == 0);
	memset(&handed, 0, sizeof(handed)); /* its memory is ours again */
}

WRITES(write_150_160, 150, 160)

static void unlocked_by_another_thread(void)
{
	MUST(sem_init(&hand, 0, 0) == 0);
	IN_TURN(lock_and_hand_on, unlock_what_was_handed_on, write_150_160);
	sem_destroy(&hand);
}

static long cells[CELLS];

static struct timespec soon(long ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ns;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* By whichever call, held in the end. */
static void get(struct rangelock_req *req, unsigned how, bool write, uint64_t start, uint64_t end)
{
	int error;

	do {
		struct timespec limit = soon(20000);

		switch (how % 3) {
		case 0:
			error =
			    (write ? rangelock_wrlock : rangelock_rdlock)(&lock, req, start, end);
			break;
		case 1:
			error = (write ? rangelock_trywrlock : rangelock_tryrdlock)(&lock, req,
										    start, end);
			break;
		default:
			error = (write ? rangelock_timedwrlock
				       : rangelock_timedrdlock)(&lock, req, start, end, &limit);
		}
		MUST(error == 0 || error == EBUSY || error == ETIMEDOUT);
		if (error)
			sched_yield();
	} while (error);
}

static void contend(void)
{
	unsigned random = (unsigned)(uintptr_t)&random >> 4 | 1;
	long sum = 0;

	for (int i = 0; i < 80; i++) {
		struct rangelock_req on_stack = RANGELOCK_REQ_INITIALIZER, *req = &on_stack;
		random = random * 1103515245 + 12345;
		unsigned start = (random >> 8) % CELLS, end = start + 1 + (random >> 16) % 16;
		bool write = random >> 24 & 1;

		if (i % 2)
			req = calloc(1, sizeof(*req));
		if (end > CELLS)
			end = CELLS;
		get(req, random >> 25, write, start, end);
		for (unsigned c = start; c < end; c++) {
			if (write)
				cells[c]++;
			else
				sum += cells[c];
		}
		if (i % 4 == 0)
			sched_yield(); /* let others wait */
		MUST(rangelock_unlock(&lock, req) == 0);
		if (i % 2) {
			memset(req, 0xff, sizeof(*req));
			free(req);
		}
	}
	sink = sum;
}

static void all_at_once(void)
{
	AT_ONCE(contend, contend, contend, contend);
}

static void hold_many(void)
{
	struct rangelock_req reqs[CELLS / 2];

	memset(reqs, 0, sizeof(reqs));
	for (int i = 0; i < CELLS / 2; i++) {
		MUST(rangelock_wrlock(&lock, &reqs[i], (uint64_t)i * 100, (uint64_t)i * 100 + 50) ==
		     0);
		cells[i]++;
	}
	for (int i = CELLS / 2 - 1; i >= 0; i--) {
		cells[i]++;
		MUST(rangelock_unlock(&lock, &reqs[i]) == 0);
	}
}

static void many_held_by_each(void)
{
	AT_ONCE(hold_many, hold_many, hold_many);
	IN_TURN(hold_many, hold_many);
}

struct object {
	struct rangelock lock;
	long value;
};
static struct object *object;

static void use_object(void)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	struct object *o = object;

	MUST(rangelock_wrlock(&o->lock, &req, 0, 1) == 0);
	pass(); /* before the memory goes */
	o->value++;
	MUST(rangelock_unlock(&o->lock, &req) == 0);
}

/* The last to use it has not returned yet, perhaps. */
static void end_object(void)
{
	await(2);
	while (rangelock_destroy(&object->lock) == EBUSY)
		sched_yield();
	object->value++;
	memset(object, 0xff, sizeof(*object));
	free(object);
}

static void destroyed_and_freed(void)
{
	for (int i = 0; i < 10; i++) {
		object = malloc(sizeof(*object));
		object->value = 0;
		MUST(rangelock_init(&object->lock, NULL) == 0);
		AT_ONCE(use_object, use_object, end_object);
	}
}

static struct rangelock_req cancelled;

static void wait_to_be_cancelled(void)
{
	MUST(rangelock_rdlock(&lock, &cancelled, 0, 10) == ECANCELED);
	MUST(rangelock_rdlock(&lock, &cancelled, 10, 20) == 0);
	MUST(rangelock_unlock(&lock, &cancelled) == 0);
	pass();
}

static void hold_and_cancel(void)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	MUST(rangelock_wrlock(&lock, &req, 0, 10) == 0);
	pass();
	while (rangelock_cancel(&lock, &cancelled) == EBUSY)
		sched_yield();
	await(2);
	MUST(rangelock_cancel(&lock, &cancelled) == EBUSY); /* late */
	MUST(rangelock_unlock(&lock, &req) == 0);
}

static void start_waiting(void)
{
	await(1);
	wait_to_be_cancelled();
}

static void cancelled_by_another_thread(void)
{
	AT_ONCE(hold_and_cancel, start_waiting);
}

static void look(void)
{
	for (int i = 0; i < 300; i++)
		sink = rangelock_is_locked(&lock, 0, 10, RANGELOCK_READ);
}

static void looked_at_meanwhile(void)
{
	AT_ONCE(look, contend, contend);
}

/* -- Wrong -------------------------------------------------------------------- */

static void one_without_a_lock(void)
{
	IN_TURN(write_0_10, write_unlocked);
}

static void reads_without_a_lock(void)
{
	IN_TURN(write_0_10, read_unlocked);
}

static void neighbouring_bytes(void)
{
	IN_TURN(write_0_10, write_10_20);
}

static void neighbouring_bytes_downwards(void)
{
	IN_TURN(write_10_20, write_0_10);
}

static void neighbouring_pages(void)
{
	IN_TURN(write_page_0, write_page_1);
}

static void neighbouring_odd_ranges(void)
{
	IN_TURN(write_odd_0, write_odd_1);
}

static void neighbouring_gigabytes(void)
{
	IN_TURN(write_gib_0, write_gib_1);
}

static void halves_of_everything(void)
{
	IN_TURN(write_below_half, write_above_half);
}

static void last_units(void)
{
	IN_TURN(write_last, write_before_last);
}

static void a_byte_beside_a_page(void)
{
	IN_TURN(write_page_0, write_byte_of_page_1);
}

static void a_page_beside_a_byte(void)
{
	IN_TURN(write_byte_of_page_1, write_page_0);
}

static void a_byte_beside_gigabytes(void)
{
	IN_TURN(write_byte_of_gib_1, write_gib_0);
}

static void readers_that_write(void)
{
	IN_TURN(write_reading, write_reading);
}

static void a_reader_that_writes(void)
{
	IN_TURN(write_reading, read_all);
}

static void another_lock(void)
{
	IN_TURN(write_0_10, write_under_the_other);
}

static void write_after_unlock(void)
{
	write_0_10();
	data++;
}

static void after_unlock(void)
{
	IN_TURN(write_after_unlock, write_0_10);
}

static void hold_for_three_turns(void)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	MUST(rangelock_wrlock(&lock, &req, 0, 10) == 0);
	data++;
	pass();
	await(2);
	MUST(rangelock_unlock(&lock, &req) == 0);
}

static void try_and_do_it_anyway(void)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	await(1);
	MUST(rangelock_trywrlock(&lock, &req, 0, 10) == EBUSY);
	data++;
	pass();
}

static void a_trylock_that_failed(void)
{
	AT_ONCE(hold_for_three_turns, try_and_do_it_anyway);
}

static void wait_and_do_it_anyway(void)
{
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	struct timespec limit = soon(1000000);

	await(1);
	MUST(rangelock_timedwrlock(&lock, &req, 0, 10, &limit) == ETIMEDOUT);
	data++;
	pass();
}

static void a_wait_that_failed(void)
{
	AT_ONCE(hold_for_three_turns, wait_and_do_it_anyway);
}

/* -- Checked locks ------------------------------------------------------------ */

static long other_data;

static void lock_both(struct rangelock *first, long *under_first, struct rangelock *second,
		      long *under_second)
{
	for (int i = 0; i < 40; i++) {
		struct rangelock_req one = RANGELOCK_REQ_INITIALIZER,
				     two = RANGELOCK_REQ_INITIALIZER;

		MUST(rangelock_wrlock(first, &one, 0, 10) == 0);
		++*under_first;
		if (i % 4 == 0)
			sched_yield();
		int error = rangelock_wrlock(second, &two, 5, 15);
		if (!error)
			++*under_second;
		MUST(rangelock_unlock(first, &one) == 0);
		MUST(error == EDEADLK || rangelock_unlock(second, &two) == 0);
	}
}

static void one_order(void)
{
	lock_both(&lock, &data, &other_lock, &other_data);
}

static void other_order(void)
{
	lock_both(&other_lock, &other_data, &lock, &data);
}

static void make_checked(unsigned flags)
{
	struct rangelock_attr attr = { .flags = flags, .name = "checked" };

	MUST(rangelock_destroy(&lock) == 0 && rangelock_destroy(&other_lock) == 0);
	MUST(rangelock_init(&lock, &attr) == 0 && rangelock_init(&other_lock, &attr) == 0);
}

static void checked_locks(void)
{
	make_checked(RANGELOCK_CHECKED);
	all_at_once();
	AT_ONCE(one_order, other_order, one_order);
	make_checked(0);
}

static void a_checked_lock_of_others(void)
{
	make_checked(RANGELOCK_CHECKED);
	neighbouring_bytes();
	make_checked(0);
}

/* ----------------------------------------------------------------------------- */

static const struct scenario {
	const char *kind, *name;
	thread_fn *fn;
} scenarios[] = {
#define RIGHT(fn)                \
	{                        \
		"right", #fn, fn \
	}
#define WRONG(fn)                \
	{                        \
		"wrong", #fn, fn \
	}
	RIGHT(writers_in_turn),
	RIGHT(readers_then_a_writer),
	RIGHT(unlocked_by_another_thread),
	RIGHT(all_at_once),
	RIGHT(many_held_by_each),
	RIGHT(destroyed_and_freed),
	RIGHT(cancelled_by_another_thread),
	RIGHT(looked_at_meanwhile),
	RIGHT(checked_locks),
	WRONG(one_without_a_lock),
	WRONG(reads_without_a_lock),
	WRONG(neighbouring_bytes),
	WRONG(neighbouring_bytes_downwards),
	WRONG(neighbouring_pages),
	WRONG(neighbouring_odd_ranges),
	WRONG(neighbouring_gigabytes),
	WRONG(halves_of_everything),
	WRONG(last_units),
	WRONG(a_byte_beside_a_page),
	WRONG(a_page_beside_a_byte),
	WRONG(a_byte_beside_gigabytes),
	WRONG(readers_that_write),
	WRONG(a_reader_that_writes),
	WRONG(another_lock),
	WRONG(after_unlock),
	WRONG(a_trylock_that_failed),
	WRONG(a_wait_that_failed),
	WRONG(a_checked_lock_of_others),
};
enum { N_SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

int main(int argc, char **argv)
{
	if (argc < 2)
		for (int i = 0; i < N_SCENARIOS; i++)
			printf("%s %s\n", scenarios[i].kind, scenarios[i].name);
	for (int a = 1; a < argc; a++) {
		int i = 0;

		while (i < N_SCENARIOS && strcmp(scenarios[i].name, argv[a]) != 0)
			i++;
		MUST(i < N_SCENARIOS);
		scenarios[i].fn();
	}
	return 0;
}
