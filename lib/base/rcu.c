/* SPDX-License-Identifier: BSD-2-Clause */
/* rcu.h with liburcu. */
#include "base/rcu.h"

#include <pthread.h>
#include <stdlib.h>

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

static pthread_key_t key;
static bool key_is_made;
static void (*_Atomic end_of_thread)(void *);

/* Once for each process; a child has none of its parent's other threads. */
static void __attribute__((constructor)) prepare(void)
{
	pthread_atfork(urcu_bp_before_fork, urcu_bp_after_fork_parent, urcu_bp_after_fork_child);
}

static void run_end(void *arg)
{
	rl_load(&end_of_thread, relaxed)(arg);
}

static void make_key(void)
{
	key_is_made = pthread_key_create(&key, run_end) == 0;
}

bool rl_rcu_at_thread_end(void (*fn)(void *), void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	rl_store(&end_of_thread, fn, relaxed); /* all bring the same */
	pthread_once(&once, make_key);
	return key_is_made && pthread_setspecific(key, arg) == 0;
}
