/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Actors: threads that lock a range on command, so that a test can queue
 * several requests in a known order and then look at the lock.
 *
 * Grants are made by the releaser, so what rangelock_walk() shows after an
 * unlock has returned is final: no test here sleeps to see whether something
 * happens.
 */
#ifndef TESTS_ACTOR_H
#define TESTS_ACTOR_H

#include <pthread.h>
#include <rangelock/rangelock.h>

struct actor {
	struct rangelock *lock;
	struct rangelock_req req;
	uint64_t start, end;
	enum rangelock_mode mode;
	struct timespec abstime; /* tv_nsec < 0: none */
	int (*call)(struct actor *);
	void *arg;  /* for call */
	int result; /* of the lock call, once joined */
	pthread_t thread;
};

/* Start a thread that locks, and return once it waits in the queue.  It must
 * have to wait. */
void actor_queue(struct actor *a, struct rangelock *lock, enum rangelock_mode mode, uint64_t start,
		 uint64_t end);
void actor_queue_until(struct actor *a, struct rangelock *lock, enum rangelock_mode mode,
		       uint64_t start, uint64_t end, struct timespec abstime);

/* The same with any other call on the actor's lock and request, which stays as it is;
 * of what waits, `shown` is the request by which a walk shows it. */
void actor_call(struct actor *a, struct rangelock *lock, int (*call)(struct actor *),
		const struct rangelock_req *shown);

/* Wait for the lock call to return; its result. */
int actor_join(struct actor *a);

/* The same, expecting 0; then unlock. */
void actor_finish(struct actor *a);

/* What rangelock_walk() says of a request; blockers -1: not in the lock. */
struct seen {
	int blockers;
	enum rangelock_state state;
};
struct seen look_at(struct rangelock *lock, const struct rangelock_req *req);

bool is_held(struct rangelock *lock, const struct rangelock_req *req);
bool is_waiting(struct rangelock *lock, const struct rangelock_req *req);

/* How many requests the lock shows in all. */
int population(struct rangelock *lock);

#endif
