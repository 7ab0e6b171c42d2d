/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wake: one thread holds n disjoint ranges, each of which one other thread sleeps for; it
 * releases one, and that sleeper, and no other, should wake up soon.
 *
 * Hand-off latency is from before the release to after the return of the lock call.  Beside the
 * sleepers as many others sleep on a bare futex each, and are woken in turn with them, so
 * the ratio is to what the machine could do at that time.  Wake-ups are the voluntary context
 * switches of all sleepers inside their lock calls, for each release: 1 is what it takes, less if
 * it came while the sleeper still spun; more is for nothing.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/peers/peers.h"
#include "common/clock.h"

enum word { IDLE, TAKE, TAKE_RAW, END };

struct sleeper {
	_Alignas(128) _Atomic uint32_t command; /* to it: a word; it answers with IDLE */
	_Atomic uint32_t raw;			/* 1: given */
	_Atomic bool about_to_wait;
	int64_t granted_at;
	uint64_t wakeups;

	const struct measurement *m;
	void *object, *handle;
	struct op op;
	enum word how; /* it waits */
	pthread_t id;
	_Atomic int state; /* a descriptor of its state in /proc; -1: not open yet */
};

struct releaser {
	const struct measurement *m;
	void *object, **handles;
	struct sleeper *sleepers; /* n, and n on a bare futex */
	unsigned n;
};

/* ---- A bare futex ---- */

static void raw_wait(_Atomic uint32_t *word, uint32_t while_it_is)
{
	while (atomic_load_explicit(word, memory_order_acquire) == while_it_is)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_it_is, NULL, NULL, 0);
}

static void raw_set(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* ---- The sleeper ---- */

static void take_by_lock(struct sleeper *s)
{
	const struct bench_lock *lock = s->m->lock;
	uint64_t before = wakeups_of_thread();

	atomic_store(&s->about_to_wait, true);
	must_succeed(lock->take(s->object, s->handle, &s->op), lock->name);
	s->granted_at = clock_ns();
	s->wakeups += wakeups_of_thread() - before;
	must_succeed(lock->give(s->object, s->handle, &s->op), lock->name);
}

static void take_raw(struct sleeper *s)
{
	atomic_store(&s->about_to_wait, true);
	raw_wait(&s->raw, 0);
	s->granted_at = clock_ns();
	atomic_store(&s->raw, 0);
}

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", syscall(SYS_gettid));
	atomic_store(&s->state, open(path, O_RDONLY | O_CLOEXEC));
	for (;;) {
		raw_wait(&s->command, IDLE);
		switch (atomic_load(&s->command)) {
		case TAKE:
			take_by_lock(s);
			break;
		case TAKE_RAW:
			take_raw(s);
			break;
		default:
			return NULL;
		}
		raw_set(&s->command, IDLE);
	}
}

/* ---- The releaser ---- */

static bool sleeps(const struct sleeper *s)
{
	char text[256];
	ssize_t n = pread(atomic_load(&s->state), text, sizeof(text) - 1, 0);

	if (n <= 0)
		return true; /* it cannot be known */
	text[n] = '\0';
	const char *name_end = strrchr(text, ')');
	return name_end && name_end[1] && name_end[2] == 'S';
}

/* Let it wait for the range or the futex, and see it asleep, or spinning on for long. */
static void send_to_wait(struct sleeper *s)
{
	atomic_store(&s->about_to_wait, false);
	raw_set(&s->command, s->how);
	while (!atomic_load(&s->about_to_wait))
		sleep_ns(5000);
	for (unsigned i = 0; i < 10; i++) {
		sleep_ns(20000);
		if (sleeps(s))
			break;
	}
}

static void hold_range(struct releaser *r, unsigned i)
{
	const struct bench_lock *lock = r->m->lock;

	must_succeed(lock->take(r->object, r->handles[i], &r->sleepers[i].op), lock->name);
}

/* Nanoseconds from before the release to the grant. */
static int64_t hand_over(struct releaser *r, unsigned i)
{
	struct sleeper *s = &r->sleepers[i];
	const struct bench_lock *lock = r->m->lock;
	int64_t start = clock_ns();

	if (s->how == TAKE_RAW)
		raw_set(&s->raw, 1);
	else
		must_succeed(lock->give(r->object, r->handles[i], &s->op), lock->name);
	raw_wait(&s->command, s->how);
	return s->granted_at > start ? s->granted_at - start : 0;
}

/* The same, and all as before. */
static int64_t hand_over_and_back(struct releaser *r, unsigned i)
{
	int64_t ns = hand_over(r, i);

	if (r->sleepers[i].how == TAKE)
		hold_range(r, i);
	send_to_wait(&r->sleepers[i]);
	return ns;
}

static void start_all(struct releaser *r)
{
	for (unsigned i = 0; i < 2 * r->n; i++) {
		struct sleeper *s = &r->sleepers[i];

		s->m = r->m;
		s->how = i < r->n ? TAKE : TAKE_RAW;
		atomic_init(&s->state, -1);
		if (s->how == TAKE) {
			uint64_t start = (uint64_t)i * 2 * SLOT_SIZE;

			s->object = r->object;
			s->op = (struct op){ start, start + SLOT_SIZE, true };
			s->handle = new_handle(r->m->lock, r->object, i);
			r->handles[i] = new_handle(r->m->lock, r->object, r->n);
			hold_range(r, i);
		}
		start_thread(r->m, i % r->n, &s->id, sleeper_main, s);
	}
	for (unsigned i = 0; i < 2 * r->n; i++)
		send_to_wait(&r->sleepers[i]);
}

static void end_all(struct releaser *r)
{
	for (unsigned i = 0; i < 2 * r->n; i++)
		hand_over(r, i);
	for (unsigned i = 0; i < 2 * r->n; i++) {
		raw_set(&r->sleepers[i].command, END);
		pthread_join(r->sleepers[i].id, NULL);
		close(atomic_load(&r->sleepers[i].state));
		free(r->sleepers[i].handle);
	}
	for (unsigned i = 0; i < r->n; i++)
		free(r->handles[i]);
}

static void measure_wake(const struct measurement *m, struct series *into)
{
	struct setting setting = workload_setting(m->workload, m->variant, m->variant->n + 1);
	struct releaser r = { .m = m, .n = m->variant->n };
	struct histogram *latency = calloc(2, sizeof(*latency)), *raw = latency + 1;
	uint64_t releases = 0, wakeups = 0;

	r.object = m->lock->create(&setting);
	r.sleepers = new_lock(2 * r.n * sizeof(*r.sleepers));
	r.handles = calloc(r.n, sizeof(*r.handles));
	must_succeed(r.handles && latency ? 0 : ENOMEM, "memory for sleepers");
	start_all(&r);

	int64_t begin = clock_ns(), measured = begin + m->warm_up_ns;
	do {
		unsigned i = (unsigned)(releases++ % r.n);
		int64_t ns = hand_over_and_back(&r, i), raw_ns = hand_over_and_back(&r, r.n + i);

		if (releases == 1 || clock_ns() >= measured) {
			histogram_add(latency, (uint64_t)ns);
			histogram_add(raw, (uint64_t)raw_ns);
		}
	} while (clock_ns() < measured + m->ns);
	end_all(&r);

	for (unsigned i = 0; i < r.n; i++)
		wakeups += r.sleepers[i].wakeups;
	into->counts.ops += releases + r.n;
	into->counts.wakeups += wakeups;
	into->counts.no_allocations = into->counts.no_system_calls = true;
	histogram_merge(&into->latency, latency);
	histogram_merge(&into->raw, raw);

	double median = histogram_quantile(latency, 0.5), raw_median = histogram_quantile(raw, 0.5);
	into->vs_raw[into->n] = median / (raw_median > 1 ? raw_median : 1);
	into->fairness[into->n] = 1;
	into->ops_per_s[into->n++] = 1e9 / (median > 1 ? median : 1);

	m->lock->destroy(r.object);
	free(latency);
	free(r.handles);
	free(r.sleepers);
}

const struct workload workload_wake = {
	.name = "wake",
	.what = "n sleepers on disjoint ranges, one released: latency, wake-ups",
	.need = NEEDS_PASSING,
	.own_threads = true,
	.one_by_one = true,
	.measure = measure_wake,
	VARIANTS({ .param = "sleepers=1", .n = 1 }, { .param = "sleepers=8", .n = 8 },
		 { .param = "sleepers=64", .n = 64 }),
};
