/* SPDX-License-Identifier: BSD-2-Clause */
/* rcu.h with liburcu. */
#include "base/rcu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/urcu.h"

void rl_rcu_read_lock(void)
{
	rl_urcu_read_lock();
}

void rl_rcu_read_unlock(void)
{
	rl_urcu_read_unlock();
}

void rl_rcu_synchronize(void)
{
	rl_urcu_synchronize();
}

void *rl_rcu_allocate(size_t size)
{
	return aligned_alloc(64, size);
}

/* ---- Threads and processes ---- */

static pthread_key_t key, record_key;
static bool key_is_made, record_key_is_made;
static void (*in_child)(struct record *first); /* set by a constructor */
static _Atomic(struct record *) records;       /* pushed, and never taken away */

static void after_fork_child(void)
{
	urcu_bp_after_fork_child();
	if (in_child)
		in_child(rl_load(&records, relaxed));
}

/* Once for each process; a child has none of its parent's other threads. */
static void __attribute__((constructor)) prepare(void)
{
	pthread_atfork(urcu_bp_before_fork, urcu_bp_after_fork_parent, after_fork_child);
}

void rl_rcu_in_child(void (*fn)(struct record *first))
{
	in_child = fn;
}

static void run_ends(void *first)
{
	struct rcu_ending *next;

	for (struct rcu_ending *e = first; e; e = next) {
		next = e->next; /* before it may be asked for anew */
		e->fn(e);
	}
}

static void make_key(void)
{
	key_is_made = pthread_key_create(&key, run_ends) == 0;
}

bool rl_rcu_at_thread_end(struct rcu_ending *ending, void (*fn)(struct rcu_ending *))
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_key);
	if (!key_is_made)
		return false;
	ending->fn = fn;
	ending->next = pthread_getspecific(key);
	return pthread_setspecific(key, ending) == 0;
}

/* ---- Records ---- */

RL_THREAD_LOCAL struct record *rl_rcu_mine;

static void leave_record(void *arg)
{
	struct record *r = arg;

	rl_rcu_mine = NULL;
	rl_store(&r->taken, 0, release);
}

static void make_record_key(void)
{
	record_key_is_made = pthread_key_create(&record_key, leave_record) == 0;
}

static struct record *find_record(void)
{
	struct record *r = rl_load(&records, acquire);

	for (uint32_t taken = 0; r; r = r->next, taken = 0)
		if (rl_cas(&r->taken, &taken, 1, acquire, relaxed))
			break;
	return r;
}

static struct record *new_record(void)
{
	struct record *r = rl_rcu_allocate(sizeof(*r));

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	rl_store(&r->taken, 1, relaxed);
	r->next = rl_load(&records, relaxed);
	while (!rl_cas(&records, &r->next, r, release, relaxed))
		;
	return r;
}

struct record *rl_rcu_make_record(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static RL_THREAD_LOCAL struct record unlisted; /* no child sees it */
	struct record *r = find_record();

	if (!r && !(r = new_record()))
		return rl_rcu_mine = &unlisted;
	rl_rcu_mine = r;
	pthread_once(&once, make_record_key);
	if (record_key_is_made)
		pthread_setspecific(record_key, r); /* else nobody uses it again */
	return r;
}
