/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A measurement starts the threads, lets them warm up, and reads their counts
 * at two moments while they run.  The driver's own thread sleeps meanwhile:
 * the process is never single-threaded, which would flatter pthreads.
 */
#include "bench/measure.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/file.h"
#include "bench/peers/peers.h"
#include "common/clock.h"

static const int64_t PATIENCE = (int64_t)20 * NS_PER_S;

struct thread {
	struct job job;
	const struct bench_lock *lock;
	pthread_barrier_t *start;
	pthread_t id;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	pthread_barrier_wait(t->start);
	t->lock->run(&t->job);
	return NULL;
}

static uint64_t all_done(const struct thread *threads, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += atomic_load_explicit(&threads[i].job.done, memory_order_relaxed);
	return sum;
}

void measure(const struct bench_lock *lock, const struct workload *w, const struct variant *v,
	     unsigned n, int64_t ns, struct record_file *file, struct series *into)
{
	const struct setting setting = workload_setting(w, n);
	void *object = lock->create(&setting);
	struct thread *threads = new_lock(n * sizeof(*threads));
	pthread_barrier_t start;
	atomic_bool stop = false;

	if (w->on_file)
		record_file_reset(file);
	pthread_barrier_init(&start, NULL, n + 1);
	for (unsigned i = 0; i < n; i++) {
		struct thread *t = &threads[i];

		t->lock = lock;
		t->start = &start;
		t->job.lock = object;
		t->job.thread = i;
		t->job.stop = &stop;
		t->job.file = w->on_file ? file : NULL;
		workload_fill(w, v, &t->job);
		must_succeed(pthread_create(&t->id, NULL, thread_main, t), "pthread_create");
	}
	pthread_barrier_wait(&start);
	sleep_ns(ns / 10); /* warm up */

	int64_t begin = clock_ns(), end;
	uint64_t before = all_done(threads, n), after;
	do { /* at least until something has happened */
		sleep_ns(ns);
		after = all_done(threads, n);
		end = clock_ns();
	} while (after == before && end - begin < PATIENCE);
	must_succeed(after == before ? ETIMEDOUT : 0, lock->name);

	atomic_store(&stop, true);
	for (unsigned i = 0; i < n; i++) {
		pthread_join(threads[i].id, NULL);
		into->torn += threads[i].job.torn;
	}
	into->ops_per_s[into->n++] = (double)(after - before) * 1e9 / (double)(end - begin);

	pthread_barrier_destroy(&start);
	free(threads);
	lock->destroy(object);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct spread spread_of(const double *values, unsigned n)
{
	double *sorted = malloc(n * sizeof(*sorted));

	must_succeed(sorted ? 0 : ENOMEM, "memory for a series");
	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	struct spread spread = { sorted[0], (sorted[(n - 1) / 2] + sorted[n / 2]) / 2,
				 sorted[n - 1] };
	free(sorted);
	return spread;
}

struct spread ns_per_op(const struct series *s, unsigned threads)
{
	struct spread ops = spread_of(s->ops_per_s, s->n);
	double thread_ns = 1e9 * threads;

	return (struct spread){ thread_ns / ops.max, thread_ns / ops.median, thread_ns / ops.min };
}

struct spread speed_ratio(const struct series *s, const struct series *other)
{
	double *ratios = malloc(s->n * sizeof(*ratios));

	must_succeed(ratios ? 0 : ENOMEM, "memory for a series");
	for (unsigned i = 0; i < s->n; i++)
		ratios[i] = s->ops_per_s[i] / other->ops_per_s[i];
	struct spread spread = spread_of(ratios, s->n);
	free(ratios);
	return spread;
}
