/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wide-writer: readers of small ranges come and go without end; now and then a writer wants all
 * of them.  How long does it wait, and how many that came after it go first?
 *
 * --threads counts the readers; the writer is one more.  ops/s are the readers', latency is the
 * writer's wait.  A read counts as one that passed if it was done during the writer's call,
 * but for one of each reader, which may have been inside when the writer came.  That is
 * seen from outside: what is done before the lock knows of the writer, because it waits for
 * a short mutex, say, counts as well.  (The promise of a bound is from then on;
 * rangelock-stress judges that.)  Calls in which the writer lost its processor are counted apart.
 * A writer that never gets in before the readers stop counts with what it has waited until
 * then.
 */
#include <stdlib.h>
#include <sys/resource.h>

#include <rangelock/rangelock.h>

#include "bench/measure.h"
#include "bench/peers/peers.h"
#include "common/clock.h"

static const int64_t PAUSE = NS_PER_S / 2000; /* between two writes */

struct reader {
	struct job job;
	const struct bench_lock *lock;
	pthread_t id;
	uint64_t before;
};

struct writer {
	const struct measurement *m;
	void *object;
	struct reader *readers;
	atomic_bool stop;
	struct series *into;
	pthread_t id;
};

static void *reader_main(void *arg)
{
	struct reader *r = arg;

	r->lock->run(&r->job);
	return NULL;
}

static uint64_t reads_done(const struct writer *w)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->m->threads; i++)
		sum += atomic_load_explicit(&w->readers[i].job.done, memory_order_relaxed);
	return sum;
}

/* How often this thread has lost its processor. */
static long preemptions(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

static void *writer_main(void *arg)
{
	static const struct op all = { RANGELOCK_FULL, true };
	struct writer *w = arg;
	const struct bench_lock *lock = w->m->lock;
	void *handle = new_handle(lock, w->object, w->m->threads);
	struct counts *counts = &w->into->counts;

	counts->no_allocations = counts->no_system_calls = true;
	do { /* at least once, even if the readers are about to stop */
		uint64_t wakeups = wakeups_of_thread(), before = reads_done(w);
		long preempted = preemptions();
		int64_t start = clock_ns();

		must_succeed(lock->take(w->object, handle, &all), lock->name);
		int64_t waited = clock_ns() - start;
		uint64_t passed = reads_done(w) - before;
		counts->wakeups += wakeups_of_thread() - wakeups;
		counts->ops++;
		must_succeed(lock->give(w->object, handle, &all), lock->name);

		histogram_add(&w->into->latency, (uint64_t)waited);
		passed = passed > w->m->threads ? passed - w->m->threads : 0;
		histogram_add(preempted == preemptions() ? &w->into->bypass
							 : &w->into->bypass_disturbed,
			      passed);
		sleep_ns(PAUSE);
	} while (!atomic_load(&w->stop));
	free(handle);
	return NULL;
}

static void start_all(const struct measurement *m, struct writer *w, const atomic_bool *stop)
{
	for (unsigned i = 0; i < m->threads; i++) {
		struct reader *r = &w->readers[i];

		r->lock = m->lock;
		r->job.lock = w->object;
		r->job.thread = i;
		r->job.stop = stop;
		workload_fill(m->workload, m->variant, m->threads, &r->job);
		start_thread(m, i, &r->id, reader_main, r);
	}
	start_thread(m, m->threads, &w->id, writer_main, w);
}

static void measure_wide_writer(const struct measurement *m, struct series *into)
{
	struct setting setting = workload_setting(m->workload, m->variant, m->threads + 1);
	struct writer writer = { .m = m, .into = into };
	atomic_bool stop = false;
	uint64_t total = 0;
	uint64_t *ops = calloc(m->threads, sizeof(*ops));

	must_succeed(ops ? 0 : ENOMEM, "memory for counts");
	writer.object = m->lock->create(&setting);
	writer.readers = new_lock(m->threads * sizeof(*writer.readers));
	start_all(m, &writer, &stop);
	sleep_ns(m->warm_up_ns);

	int64_t begin = clock_ns();
	for (unsigned i = 0; i < m->threads; i++)
		writer.readers[i].before = atomic_load(&writer.readers[i].job.done);
	sleep_ns(m->ns);
	for (unsigned i = 0; i < m->threads; i++) {
		ops[i] = atomic_load(&writer.readers[i].job.done) - writer.readers[i].before;
		total += ops[i];
		into->per_thread[i] += ops[i];
	}
	into->fairness[into->n] = fairness(ops, m->threads);
	into->ops_per_s[into->n++] =
	    (double)(total ? total : 1) * 1e9 / (double)(clock_ns() - begin);

	/* The writer first, unless the readers never let it in. */
	atomic_store(&writer.stop, true);
	sleep_ns(PAUSE);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < m->threads; i++)
		pthread_join(writer.readers[i].id, NULL);
	pthread_join(writer.id, NULL);
	m->lock->destroy(writer.object);
	free(writer.readers);
	free(ops);
}

static struct op small_read(unsigned thread, unsigned threads, const struct variant *v,
			    struct rng *rng)
{
	uint64_t slot = rng_below(rng, SLOTS);

	(void)thread, (void)threads, (void)v;
	return (struct op){ slot * SLOT_SIZE, (slot + 1) * SLOT_SIZE, false };
}

const struct workload workload_wide_writer = {
	.name = "wide-writer",
	.what = "small readers stream, a writer of everything comes: its wait, who passes it",
	.op = small_read,
	.measure = measure_wide_writer,
	VARIANTS({ .param = "section=150ns", .reads = 100, .inside_ns = 150 },
		 { .param = "section=2us", .reads = 100, .inside_ns = 2000 }),
};
