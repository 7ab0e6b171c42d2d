/* SPDX-License-Identifier: BSD-2-Clause */
/* The checker: check.h. */
#include "check/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/annotate.h"
#include "tree/tree.h"

/* ---- The mutex ---- */

enum { FREE, TAKEN, CONTENDED /* others may sleep on it */ };

static _Atomic uint32_t mutex;

void rl_check_lock(void)
{
	uint32_t seen = FREE;

	/* acquire, here and below: pairs with the release in rl_check_unlock(). */
	if (rl_cas(&mutex, &seen, TAKEN, acquire, relaxed))
		return;
	while (rl_exchange(&mutex, CONTENDED, acquire) != FREE) /* as F4 in front/word.h */
		rl_wait->sleep(&mutex, CONTENDED, NULL);
}

void rl_check_unlock(void)
{
	if (rl_exchange(&mutex, FREE, release) == CONTENDED)
		rl_wait->wake(&mutex);
}

/* ---- Who waits ---- */

enum { BUCKETS = 64 };

/* Inside, as all that follows. */
static struct waiter *waiters[BUCKETS];
static uint32_t searches;

static void link_waiter(struct waiter *w)
{
	struct waiter **bucket = &waiters[w->thread % BUCKETS];

	w->next = *bucket;
	w->link = bucket;
	if (w->next)
		w->next->link = &w->next;
	*bucket = w;
}

static void unlink_waiter(struct waiter *w)
{
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
}

void rl_check_reset(void)
{
	memset(waiters, 0, sizeof(waiters));
	rl_store(&mutex, FREE, relaxed);
}

__attribute__((constructor)) static void reset_in_children(void)
{
	/* Where it fails, for want of memory, a fork may come at a bad moment. */
	pthread_atfork(NULL, NULL, rl_check_reset);
	if (rl_watched) {
		rl_annotate_private(&mutex, sizeof(mutex));
		rl_annotate_private(waiters, sizeof(waiters));
		rl_annotate_private(&searches, sizeof(searches));
	}
}

/* One that is invited does not: its owner comes, and makes a search of its own if it has to
 * wait again.  Its link belongs to whoever tells it. */
static bool waits(const struct req *req)
{
	return req->state == REQ_UPGRADING ||
	       (req->state == REQ_WAITING && !(req->flags & REQ_INVITED));
}

/* The request that stands for the call that req, which waits, is of. */
static struct req *call_of(const struct req *req)
{
	bool in_vector = req->state == REQ_WAITING && req->flags & REQ_VECTOR;

	return in_vector ? req->vector.leader : (struct req *)(uintptr_t)req;
}

/* The call that this thread waits in, or NULL. */
static struct req *call_of_thread(uint32_t thread)
{
	struct waiter *w = waiters[thread % BUCKETS];

	while (w && w->thread != thread)
		w = w->next;
	return w && waits(w->req) ? w->req : NULL; /* else it has been decided on */
}

/* ---- What a call waits for ---- */

struct edge {
	const struct req *from; /* of the call, the one that waits for: */
	const struct req *to;
};

static uint32_t members(const struct req *call)
{
	return call->state == REQ_WAITING && call->flags & REQ_VECTOR ? call->vector.n : 1;
}

static bool waits_for_thread(const struct req *req, uint32_t thread)
{
	for (const struct req *q = NULL; (q = rl_tree_blocker(req, q));)
		if (q->owner == thread)
			return true;
	return false;
}

/* By a write before it; but not by one that waits for what the commit's own thread has. */
static bool may_be_revoked(const struct req *call)
{
	if (call->state != REQ_WAITING || !(call->flags & REQ_COMMITTING))
		return false;
	for (const struct req *q = NULL; (q = rl_tree_blocker(call, q));)
		if (q->state != REQ_HELD && q->mode == RANGELOCK_WRITE &&
		    !(waits(q) && waits_for_thread(q, call->owner)))
			return true;
	return false;
}

/* The first edge if edge->from is NULL, else the next. */
static bool next_edge(const struct req *call, struct edge *edge)
{
	uint32_t n = members(call), i = 0;

	if (!edge->from && may_be_revoked(call))
		return false;
	if (edge->from)
		i = (uint32_t)((const struct rangelock_req *)(const void *)edge->from -
			       (const struct rangelock_req *)(const void *)call);
	for (; i < n; i++, edge->to = NULL) {
		edge->from = nth_req((struct req *)(uintptr_t)call, i);
		edge->to = rl_tree_blocker(edge->from, edge->to);
		if (edge->to)
			return true;
	}
	return false;
}

/* The calls that have to go on before q is out of the way. */
static struct req *own_call(const struct req *q)
{
	return waits(q) ? call_of(q) : NULL;
}

static struct req *owners_call(const struct req *q)
{
	return q->owner ? call_of_thread(q->owner) : NULL;
}

/* ---- The search ---- */

struct queue {
	struct req *last; /* linked by next_answer */
	uint32_t search;
};

static void reach(struct queue *queue, struct req *call)
{
	if (!call || call->search == queue->search)
		return;
	call->search = queue->search;
	call->next_answer = NULL;
	queue->last->next_answer = call;
	queue->last = call;
}

/* Breadth first, so that the shortest cycle is found.  Its last edge goes back to the thread,
 * which waits for start: that may be anyone's. */
static bool find_cycle(struct req *start, uint32_t thread, struct edge *ret_last)
{
	struct queue queue = { start, ++searches };

	start->search = searches;
	start->next_answer = NULL;
	for (struct req *call = start; call; call = call->next_answer)
		for (struct edge e = { 0 }; next_edge(call, &e);) {
			if (e.to->owner == thread || own_call(e.to) == start) {
				*ret_last = e;
				return true;
			}
			reach(&queue, own_call(e.to));
			reach(&queue, owners_call(e.to));
		}
	return false;
}

/* The edge by which the search came to a call: all that it has visited is still linked. */
static struct edge edge_to(const struct req *start, const struct req *call)
{
	for (const struct req *from = start;; from = from->next_answer)
		for (struct edge e = { 0 }; next_edge(from, &e);)
			if (own_call(e.to) == call || owners_call(e.to) == call)
				return e;
}

/* ---- Words ---- */

enum { NAME_SHOWN = 40, EDGES_SHOWN = 8 };

__attribute__((format(printf, 2, 3))) static void say(struct report *r, const char *fmt, ...)
{
	size_t room = sizeof(r->text) - r->length;
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(r->text + r->length, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		r->length += (size_t)n < room ? (size_t)n : room - 1;
}

static void say_lock(struct report *r, const struct lock *lock)
{
	if (lock->name)
		say(r, "lock \"%.*s%s\" (%p)", NAME_SHOWN, lock->name,
		    strnlen(lock->name, NAME_SHOWN + 1) > NAME_SHOWN ? "..." : "",
		    (const void *)lock);
	else
		say(r, "lock %p", (const void *)lock);
}

static void say_range(struct report *r, const struct req *req)
{
	say(r, "[%llu, ", (unsigned long long)req->node.start);
	if (req->node.end == RANGELOCK_MAX)
		say(r, "max)");
	else
		say(r, "%llu)", (unsigned long long)req->node.end);
}

static const char *wanted(const struct req *req)
{
	return req->state == REQ_UPGRADING    ? "upgrade"
	       : req->mode == RANGELOCK_WRITE ? "write"
					      : "read";
}

static const char *held(const struct req *req)
{
	return req->state == REQ_HELD && req->mode == RANGELOCK_WRITE ? "write" : "read";
}

static void say_thread(struct report *r, uint32_t thread)
{
	if (thread)
		say(r, "thread %u", thread);
	else
		say(r, "a submitted request");
}

static void say_edge(struct report *r, const struct edge *e, uint32_t thread, const char *verb)
{
	/* An upgrade is in the way as what it holds, or as what it waits for. */
	bool behind = e->to->state == REQ_WAITING ||
		      (e->to->state == REQ_UPGRADING && e->from->mode == RANGELOCK_READ);

	say_thread(r, thread);
	say(r, " %s to %s ", verb, wanted(e->from));
	say_range(r, e->from);
	say(r, " of ");
	say_lock(r, lock_of(e->from));
	say(r, behind ? ", behind " : ", held by ");
	say_thread(r, e->to->owner);
	say(r, " (%s ", behind ? wanted(e->to) : held(e->to));
	say_range(r, e->to);
	say(r, ")\n");
}

/* From its last edge back to the first one; the first ones are shown. */
static void say_cycle(struct report *r, const struct waiter *self, struct edge last)
{
	const struct req *start = self->req;
	struct edge edges[EDGES_SHOWN] = { last };
	unsigned n = 1, shown = 0;

	for (const struct req *call = call_of(last.from); call != start; n++) {
		edges[n % EDGES_SHOWN] = edge_to(start, call);
		call = call_of(edges[n % EDGES_SHOWN].from);
	}
	say(r, "rangelock: deadlock: ");
	for (unsigned i = n; i-- && shown < EDGES_SHOWN; shown++) {
		const struct edge *e = &edges[i % EDGES_SHOWN];

		say(r, shown ? "  " : "");
		if (shown)
			say_edge(r, e, e->from->owner, "waits");
		else
			say_edge(r, e, self->thread, "wants");
	}
	if (n > shown)
		say(r, "  and %u more\n", n - shown);
}

/* What the request of a call that is refused is. */
static void say_state(struct report *r, const struct lock *lock, const struct req *req)
{
	if (is_free(req)) {
		say(r, "is idle");
		return;
	}
	if (lock_of(req) != lock) {
		say(r, "is in use on another lock (%p)", (const void *)lock_of(req));
		return;
	}
	if (req->state == REQ_RESERVED)
		say(r, "reserves ");
	else if (req->state == REQ_WAITING)
		say(r, "waits to %s ", wanted(req));
	else
		say(r, "holds %s ", held(req));
	say_range(r, req);
	if (req->state != REQ_RESERVED && req->owner)
		say(r, ", of thread %u", req->owner);
}

static void say_refused(struct report *r, const struct lock *lock, const char *call)
{
	r->length = 0;
	say(r, "rangelock: %s by thread %u refused, ", call, rl_wait->thread());
	say_lock(r, lock);
	say(r, ": ");
}

void rl_check_misuse(const struct lock *lock, const struct req *req, const char *call,
		     struct report *ret_report)
{
	say_refused(ret_report, lock, call);
	say(ret_report, "request %p ", (const void *)req);
	say_state(ret_report, lock, req);
	say(ret_report, "\n");
}

struct count {
	const struct req *first;
	unsigned n;
};

static int count(const struct rangelock_info *info, void *arg)
{
	struct count *count = arg;

	if (!count->n++)
		count->first = (const struct req *)(const void *)info->req;
	return 0;
}

void rl_check_in_use(const struct lock *lock, struct report *ret_report)
{
	struct count all = { 0 };

	rl_tree_walk(lock, count, &all);
	say_refused(ret_report, lock, "destroy");
	say(ret_report, "%u request%s in use; request %p ", all.n, all.n == 1 ? "" : "s",
	    (const void *)all.first);
	say_state(ret_report, lock, all.first);
	say(ret_report, "\n");
}

static void tell(const char *text, size_t length)
{
	int callers_errno = errno;

	/* In one piece; if nobody can hear it, the call's error is all there is. */
	ssize_t written = write(STDERR_FILENO, text, length);
	(void)written;
	errno = callers_errno;
}

void (*rl_check_tell)(const char *text, size_t length) = tell;

void rl_check_say(const struct report *report)
{
	rl_check_tell(report->text, report->length);
}

/* ---- A wait ---- */

bool rl_check_wait(struct waiter *self, struct req *req, struct report *ret_report)
{
	struct edge last;

	if (rl_watched)
		rl_annotate_private(self, sizeof(*self));
	self->thread = rl_wait->thread();
	self->req = req;
	link_waiter(self);
	if (!waits(req) || !find_cycle(req, self->thread, &last))
		return true;
	ret_report->length = 0;
	say_cycle(ret_report, self, last);
	unlink_waiter(self);
	return false;
}

void rl_check_waited(struct waiter *self)
{
	rl_check_lock();
	unlink_waiter(self);
	rl_check_unlock();
}
