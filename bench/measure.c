/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A measurement starts the threads, lets them warm up, and reads their counts
 * at two moments while they run.  The driver's own thread sleeps meanwhile:
 * the process is never single-threaded, which would flatter pthreads.
 *
 * Then the same threads go on for a quarter of that time, and watch themselves: how long
 * each acquisition takes, and what it costs the system.  That is not for nothing, so
 * it stays out of the throughput.
 */
#include "bench/measure.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/file.h"
#include "bench/peers/peers.h"
#include "bench/slots.h"
#include "common/clock.h"

static const int64_t PATIENCE = (int64_t)20 * NS_PER_S;

/* ---- Series ---- */

struct series *series_make(unsigned rounds, unsigned threads)
{
	struct series *s = calloc(1, sizeof(*s));

	must_succeed(s ? 0 : ENOMEM, "memory for a series");
	s->ops_per_s = calloc(3 * (size_t)rounds, sizeof(double));
	s->per_thread = calloc(threads, sizeof(uint64_t));
	must_succeed(s->ops_per_s && s->per_thread ? 0 : ENOMEM, "memory for a series");
	s->fairness = s->ops_per_s + rounds;
	s->vs_raw = s->fairness + rounds;
	return s;
}

void series_free(struct series *s)
{
	if (s) {
		free(s->ops_per_s);
		free(s->per_thread);
		free(s);
	}
}

/* ---- Threads ---- */

void start_thread(const struct measurement *m, unsigned n, pthread_t *ret_id, void *(*fn)(void *),
		  void *arg)
{
	pthread_attr_t attr;
	cpu_set_t set;

	pthread_attr_init(&attr);
	if (m->processors) {
		CPU_ZERO(&set);
		CPU_SET(m->processors[n % m->n_processors], &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	must_succeed(pthread_create(ret_id, &attr, fn, arg), "pthread_create");
	pthread_attr_destroy(&attr);
}

void *new_handle(const struct bench_lock *lock, void *object, unsigned thread)
{
	void *handle = new_lock(lock->handle_size);

	lock->prepare(object, handle, thread);
	return handle;
}

struct thread {
	struct job job;
	const struct bench_lock *lock;
	pthread_barrier_t *start;
	pthread_t id;
	uint64_t before, after; /* done, at the two moments */
	struct histogram latency;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	pthread_barrier_wait(t->start);
	t->lock->run(&t->job);
	return NULL;
}

/* Read all counts; how much has been done since `before` was. */
static uint64_t read_counts(struct thread *threads, unsigned n, bool first)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		threads[i].after = atomic_load_explicit(&threads[i].job.done, memory_order_relaxed);
		if (first)
			threads[i].before = threads[i].after;
		sum += threads[i].after - threads[i].before;
	}
	return sum;
}

/* ---- What is held meanwhile ---- */

/* From the last to the first, which spares a list that is sorted a long way each. */
static void **hold(const struct measurement *m, void *object)
{
	unsigned n = m->workload->held ? m->variant->n : 0;
	void **handles = malloc((n + 1) * sizeof(*handles));

	must_succeed(handles ? 0 : ENOMEM, "memory for handles");
	for (unsigned i = n; i-- > 0;) {
		struct op op = m->workload->held(i);

		handles[i] = new_handle(m->lock, object, m->threads);
		must_succeed(m->lock->take(object, handles[i], &op), m->lock->name);
	}
	return handles;
}

static void release(const struct measurement *m, void *object, void **handles)
{
	unsigned n = m->workload->held ? m->variant->n : 0;

	for (unsigned i = 0; i < n; i++) {
		struct op op = m->workload->held(i);

		must_succeed(m->lock->give(object, handles[i], &op), m->lock->name);
		free(handles[i]);
	}
	free(handles);
}

/* ---- Measuring ---- */

static void count_lost(const struct slot *slots, const struct thread *threads, unsigned n,
		       struct series *into)
{
	uint64_t expected = 0, found = 0;

	for (unsigned i = 0; i < n; i++)
		expected += threads[i].job.written;
	for (unsigned i = 0; i < SLOTS; i++)
		found += slots[i].writes;
	into->lost += expected - found;
}

static void conclude(struct thread *threads, unsigned n, int64_t ns, struct series *into)
{
	uint64_t *ops = calloc(n, sizeof(*ops)), sum = 0;

	must_succeed(ops ? 0 : ENOMEM, "memory for counts");
	for (unsigned i = 0; i < n; i++) {
		ops[i] = threads[i].after - threads[i].before;
		sum += ops[i];
		into->per_thread[i] += ops[i];
		into->torn += threads[i].job.torn;
		counts_merge(&into->counts, &threads[i].job.counts);
		histogram_merge(&into->latency, &threads[i].latency);
	}
	into->fairness[into->n] = fairness(ops, n);
	into->ops_per_s[into->n++] = (double)sum * 1e9 / (double)ns;
	free(ops);
}

static void measure_loops(const struct measurement *m, struct series *into)
{
	const struct workload *w = m->workload;
	struct setting setting = workload_setting(w, m->variant, m->threads + 1);
	void *object = m->lock->create(&setting);
	struct thread *threads = new_lock(m->threads * sizeof(*threads));
	struct slot *slots = w->on_slots ? new_lock(SLOTS * sizeof(*slots)) : NULL;
	void **held = hold(m, object);
	pthread_barrier_t start;
	atomic_bool stop = false, end = false;
	atomic_uint observing = 0;

	if (w->on_file)
		record_file_reset(m->file);
	pthread_barrier_init(&start, NULL, m->threads + 1);
	for (unsigned i = 0; i < m->threads; i++) {
		struct thread *t = &threads[i];

		t->lock = m->lock;
		t->start = &start;
		t->job.lock = object;
		t->job.thread = i;
		t->job.stop = &stop;
		t->job.end = &end;
		t->job.file = w->on_file ? m->file : NULL;
		t->job.slots = slots;
		t->job.latency = &t->latency;
		t->job.observing = &observing;
		workload_fill(w, m->variant, m->threads, &t->job);
		start_thread(m, i, &t->id, thread_main, t);
	}
	pthread_barrier_wait(&start);
	sleep_ns(m->warm_up_ns);

	int64_t begin = clock_ns(), now;
	uint64_t done;
	read_counts(threads, m->threads, true);
	do { /* at least until something has happened */
		sleep_ns(m->ns);
		done = read_counts(threads, m->threads, false);
		now = clock_ns();
	} while (done == 0 && now - begin < PATIENCE);
	must_succeed(done == 0 ? ETIMEDOUT : 0, m->lock->name);
	int64_t elapsed = now - begin;

	atomic_store(&stop, true);
	/* To count system calls takes the kernel a while to begin with. */
	for (now = clock_ns(); atomic_load(&observing) < m->threads && clock_ns() - now < PATIENCE;)
		sleep_ns(100000);
	sleep_ns(m->ns / 4);
	atomic_store(&end, true);
	for (unsigned i = 0; i < m->threads; i++)
		pthread_join(threads[i].id, NULL);
	conclude(threads, m->threads, elapsed, into);
	if (slots)
		count_lost(slots, threads, m->threads, into);

	release(m, object, held);
	pthread_barrier_destroy(&start);
	free(slots);
	free(threads);
	m->lock->destroy(object);
}

void measure(const struct measurement *m, struct series *into)
{
	(m->workload->measure ? m->workload->measure : measure_loops)(m, into);
}

/* ---- What a series says ---- */

double fairness(const uint64_t *ops, unsigned n)
{
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < n; i++) {
		sum += (double)ops[i];
		squares += (double)ops[i] * (double)ops[i];
	}
	return squares > 0 ? sum * sum / (n * squares) : 1;
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
