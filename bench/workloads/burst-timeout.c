/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * burst-timeout: n threads wait for what one holds, and all give up at once: at one
 * deadline, or because they are cancelled one after another.
 *
 * An op is one that gives up; ops/s are n for the time from the deadline, or from the first
 * cancel, until the last has returned.  Latency is from then to the return of each.
 */
#include <stdlib.h>

#include <rangelock/rangelock.h>

#include "bench/measure.h"
#include "bench/peers/peers.h"
#include "common/clock.h"

static const int64_t SOON = NS_PER_S / 500; /* time to fall asleep in */

static const struct op all = { RANGELOCK_FULL, true };

struct burst {
	const struct measurement *m;
	void *object;
	pthread_barrier_t barrier; /* before each burst, and after */
	int64_t deadline;
	bool over;
};

struct waiter {
	_Alignas(128) struct burst *burst;
	void *handle;
	int64_t returned_at;
	struct counter counter;
	struct counts counts;
	pthread_t id;
	unsigned n;
};

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;
	struct burst *b = w->burst;
	const struct bench_lock *lock = b->m->lock;
	bool cancel = b->m->variant->cancel;

	for (;;) {
		pthread_barrier_wait(&b->barrier);
		if (b->over)
			return NULL;
		struct timespec abstime = { .tv_sec = (time_t)(b->deadline / NS_PER_S),
					    .tv_nsec = b->deadline % NS_PER_S };
		uint64_t before = wakeups_of_thread();
		int error = cancel ? lock->take(b->object, w->handle, &all)
				   : lock->timed(b->object, w->handle, &all, &abstime);

		w->returned_at = clock_ns();
		w->counts.wakeups += wakeups_of_thread() - before;
		w->counts.ops++;
		if (error != (cancel ? ECANCELED : ETIMEDOUT))
			must_succeed(error ? error : EBADE, "a lock call that was to give up");
		pthread_barrier_wait(&b->barrier);
	}
}

static void cancel_all(struct burst *b, struct waiter *waiters)
{
	const struct bench_lock *lock = b->m->lock;

	for (unsigned i = 0; i < b->m->variant->n; i++) {
		int error = lock->cancel(b->object, waiters[i].handle);

		while (error == EBUSY) { /* it is not there yet */
			sleep_ns(1000);
			error = lock->cancel(b->object, waiters[i].handle);
		}
		must_succeed(error, "cancel");
	}
}

/* Nanoseconds until the last has returned. */
static int64_t one_burst(struct burst *b, struct waiter *waiters, struct series *into, bool counts)
{
	int64_t last = 0;

	b->deadline = clock_ns() + SOON;
	pthread_barrier_wait(&b->barrier);
	if (b->m->variant->cancel) {
		sleep_ns(SOON);
		b->deadline = clock_ns();
		cancel_all(b, waiters);
	}
	pthread_barrier_wait(&b->barrier);
	for (unsigned i = 0; i < b->m->variant->n; i++) {
		int64_t late = waiters[i].returned_at - b->deadline;

		if (counts)
			histogram_add(&into->latency, (uint64_t)(late > 0 ? late : 0));
		if (late > last)
			last = late;
	}
	return last;
}

static void measure_burst(const struct measurement *m, struct series *into)
{
	unsigned n = m->variant->n;
	struct setting setting = workload_setting(m->workload, m->variant, n + 1);
	struct burst b = { .m = m, .object = m->lock->create(&setting) };
	struct waiter *waiters = new_lock(n * sizeof(*waiters));
	void *handle = new_handle(m->lock, b.object, n);
	int64_t sum = 0, bursts = 0;

	pthread_barrier_init(&b.barrier, NULL, n + 1);
	must_succeed(m->lock->take(b.object, handle, &all), m->lock->name);
	for (unsigned i = 0; i < n; i++) {
		waiters[i].burst = &b;
		waiters[i].handle = new_handle(m->lock, b.object, i);
		start_thread(m, i, &waiters[i].id, waiter_main, &waiters[i]);
	}
	one_burst(&b, waiters, into, false); /* warm up */
	for (int64_t begin = clock_ns(); bursts == 0 || clock_ns() < begin + m->ns; bursts++)
		sum += one_burst(&b, waiters, into, true);
	b.over = true;
	pthread_barrier_wait(&b.barrier);
	for (unsigned i = 0; i < n; i++) {
		pthread_join(waiters[i].id, NULL);
		counts_merge(&into->counts, &waiters[i].counts);
		free(waiters[i].handle);
	}
	into->counts.no_allocations = into->counts.no_system_calls = true;
	into->fairness[into->n] = 1;
	into->ops_per_s[into->n++] = (double)n * (double)bursts * 1e9 / (double)(sum > 0 ? sum : 1);

	must_succeed(m->lock->give(b.object, handle, &all), m->lock->name);
	free(handle);
	pthread_barrier_destroy(&b.barrier);
	free(waiters);
	m->lock->destroy(b.object);
}

const struct workload workload_burst_timeout = {
	.name = "burst-timeout",
	.what = "many time out, or are cancelled, at once",
	.need = NEEDS_GIVING_UP,
	.own_threads = true,
	.one_by_one = true,
	.measure = measure_burst,
	VARIANTS({ .param = "timeout waiters=16", .n = 16 },
		 { .param = "timeout waiters=64", .n = 64 },
		 { .param = "cancel waiters=16", .n = 16, .cancel = true },
		 { .param = "cancel waiters=64", .n = 64, .cancel = true }),
};
