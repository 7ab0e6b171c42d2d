/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/counts.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/annotate.h"

/* ---- Allocations ---- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !RL_HAS_FEATURE(address_sanitizer) && !RL_HAS_FEATURE(thread_sanitizer) &&               \
    !RL_HAS_FEATURE(memory_sanitizer)
#define COUNTS_ALLOCATIONS true

static _Thread_local uint64_t allocations __attribute__((tls_model("initial-exec")));

/* The same functions by the names under which glibc keeps them for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	allocations++;
	return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	allocations++;
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
	void *memory;

	allocations++;
	if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || !alignment)
		return EINVAL;
	memory = __libc_memalign(alignment, size);
	if (!memory)
		return ENOMEM;
	*ret_memory = memory;
	return 0;
}
#else
#define COUNTS_ALLOCATIONS false
static uint64_t allocations;
#endif

/* ---- System calls ---- */

static uint64_t tracepoint_id;

static void find_tracepoint(void)
{
	static const char *const paths[] = {
		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
		"/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
	};

	for (unsigned i = 0; i < 2 && !tracepoint_id; i++) {
		FILE *file = fopen(paths[i], "re");
		unsigned long long id;

		if (!file)
			continue;
		if (fscanf(file, "%llu", &id) == 1)
			tracepoint_id = id;
		fclose(file);
	}
}

/* Of this thread, from now on; -1: it cannot be had. */
static int open_tracepoint(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct perf_event_attr attr;

	pthread_once(&once, find_tracepoint);
	if (!tracepoint_id)
		return -1;
	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.size = sizeof(attr);
	attr.config = tracepoint_id;
	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* ---- Both, and sleeps ---- */

uint64_t wakeups_of_thread(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) == 0 ? (uint64_t)usage.ru_nvcsw : 0;
}

void counter_begin(struct counter *c)
{
	c->tracepoint = open_tracepoint();
	c->wakeups = wakeups_of_thread();
	c->allocations = allocations;
}

void counter_end(struct counter *c, uint64_t ops, struct counts *into)
{
	uint64_t calls;

	into->allocations += allocations - c->allocations;
	into->wakeups += wakeups_of_thread() - c->wakeups;
	if (c->tracepoint < 0) {
		into->no_system_calls = true;
	} else {
		if (read(c->tracepoint, &calls, sizeof(calls)) == sizeof(calls) && calls > 0)
			into->system_calls += calls - (calls < 3 ? calls : 3); /* ours */
		else
			into->no_system_calls = true;
		close(c->tracepoint);
	}
	into->no_allocations |= !COUNTS_ALLOCATIONS;
	into->ops += ops;
}

void counts_merge(struct counts *into, const struct counts *from)
{
	into->ops += from->ops;
	into->allocations += from->allocations;
	into->system_calls += from->system_calls;
	into->wakeups += from->wakeups;
	into->no_allocations |= from->no_allocations;
	into->no_system_calls |= from->no_system_calls;
}
