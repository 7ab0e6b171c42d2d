/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lies inside struct rangelock and struct rangelock_req.  The front
 * converts; engines know only these.  No code here but conversions.
 *
 * The public structs are arrays of words, so that their sizes are part of the
 * ABI and their layout is not.  may_alias makes the conversion sound.
 */
#ifndef RL_BASE_LOCK_H
#define RL_BASE_LOCK_H

#include <rangelock/rangelock.h>

#include "base/atomic.h"
#include "base/itree.h"

enum req_state {
	REQ_IDLE = 0,  /* in no engine; may be the fast holder (front/word.h) */
	REQ_REVOKED,   /* the same; was reserved, and a write was granted over it */
	REQ_RESERVED,  /* among the lock's reservations */
	REQ_LISTED,    /* the same of a list lock, unless its node says that it has been revoked */
	REQ_WAITING,   /* in the engine, as the rest */
	REQ_UPGRADING, /* held for read; its mode is the write that it waits for */
	REQ_HELD
};

/* What else there is to say of a request. */
enum req_flags {
	REQ_FIRST = 1,	    /* goes before all that wait: nested, or an upgrade */
	REQ_COMMITTING = 2, /* its reservation stands */
	REQ_SUBMITTED = 4,  /* its owner is told by a callback */
	REQ_VECTOR = 8,	    /* its owner is told when all of its vector are held */
	REQ_CHOOSING = 16,  /* once granted it revokes nothing before it is confirmed */
	REQ_INVITED = 32    /* its owner has been told to come and take what it wants */
};

struct __attribute__((may_alias)) req {
	/* Set by the owner before the request can be seen. */
	struct itree_node node; /* start and end; the links are the engine's */
	uint8_t mode;		/* enum rangelock_mode */

	/* Written and read only inside the lock's short mutex. */
	uint8_t state;	   /* enum req_state */
	uint8_t flags;	   /* enum req_flags */
	uint32_t blockers; /* requests in the engine that it waits for */
	uint64_t arrival;  /* order among the lock's requests; 0 outside the engine */

	/* The lock that it is in, where state is not REQ_IDLE; and PLACE_WAITS, while the call that
	 * it is of waits there; and PLACE_NODE, if that is a list, and a node holds for it.
	 * Written inside that lock's mutex, if it has one; a late cancel reads it inside its
	 * own lock's. */
	_Atomic uintptr_t place;

	/* Of one that is to be told; written with the decision, and by nobody
	 * after that, since whoever tells it has left the mutex.  Before that the checker
	 * has the link. */
	union {
		struct req *next_answer;
		_Atomic(struct list_node *) reserved; /* REQ_LISTED: its reservation, in a list */
	};
	union {
		uint64_t since;			       /* where waiting is timed: when it began */
		_Atomic(struct list_node *) list_node; /* in a list, while it waits or holds */
	};
	uint8_t verdict; /* enum park */
	bool call_back;	 /* it is told by its callback */

	/* The word its owner waits on: enum park (wait/wait.h). */
	_Atomic uint32_t park;

	union {
		struct { /* REQ_SUBMITTED */
			rangelock_granted_fn *fn;
			void *arg;
		} callback;
		struct {		    /* REQ_VECTOR */
			struct req *leader; /* the first of them, on whose word the owner waits */
			uint32_t waiting;   /* of the leader: how many are not held */
			uint32_t n;	    /* of the leader: how many there are */
		} vector;
		uint64_t waited;  /* REQ_CHOOSING, once granted, where waiting is timed: ns */
		uint64_t tickets; /* in a list, while a node holds for it (list/keep.h) */
	};

	/* In a checked lock (check/check.h), else anything. */
	uint32_t owner;	 /* the thread whose it is; 0: anyone's */
	uint32_t search; /* the last one that came by, while it waits */
};

/* Those whose owners are to be told, in order, once the short mutex has been left. */
struct answers {
	struct req *first, **last;
};

static inline void answers_init(struct answers *a)
{
	a->first = NULL;
	a->last = &a->first;
}

struct __attribute__((may_alias)) lock {
	_Atomic uintptr_t word; /* front/word.h */

	union {
		struct { /* of a tree lock, inside the short mutex, as commits is */
			struct itree tree;     /* all that is held or waits */
			struct itree reserved; /* reservations, but those whose commit waits */
			uint64_t arrivals;
			uint64_t last_wait; /* arrivals when a request last had to wait */
		};
		struct { /* of a list lock */
#if UINTPTR_MAX > UINT32_MAX
			_Atomic uint64_t tickets; /* else list.c has them for all locks */
#endif
			_Atomic uint32_t stays;	  /* 0: its word has never led to nodes; else how
							 * often it stays a list when it becomes
							 * empty, and 1 */
			_Atomic uintptr_t id;	  /* of this list and no other; 0: not yet */
			_Atomic uint32_t growths; /* how often what is held got a lower start */
		};
	};
	uint32_t commits; /* how many wait */

	/* Set at init. */
	uint16_t engine, flags;
	const char *name;
	struct rangelock_stats *stats; /* RANGELOCK_STATS, else NULL; what it points to is
					  the mutex's */
};

_Static_assert(sizeof(struct req) <= sizeof(struct rangelock_req), "request fits");
_Static_assert(_Alignof(struct req) <= _Alignof(struct rangelock_req), "request is aligned");
_Static_assert(sizeof(struct lock) <= sizeof(struct rangelock), "lock fits");
_Static_assert(_Alignof(struct lock) <= _Alignof(struct rangelock), "lock is aligned");

static inline struct lock *to_lock(struct rangelock *lock)
{
	return (struct lock *)(void *)lock;
}

static inline struct req *to_req(struct rangelock_req *req)
{
	return (struct req *)(void *)req;
}

static inline struct req *node_req(const struct itree_node *node)
{
	return (struct req *)(void *)((char *)(uintptr_t)node - offsetof(struct req, node));
}

/* The i-th of a vector of requests: they stand in the caller's array. */
static inline struct req *nth_req(struct req *first, size_t i)
{
	return to_req((struct rangelock_req *)(void *)first + i);
}

/* Of one that is REQ_LISTED: does its reservation stand? */
bool rl_list_still_reserved(const struct req *req);

/* Is it in no use, so that it can be locked? */
static inline bool is_free(const struct req *req)
{
	return req->state <= REQ_REVOKED ||
	       (req->state == REQ_LISTED && !rl_list_still_reserved(req));
}

enum { PLACE_WAITS = 1, PLACE_NODE = 2, PLACE_MASK = 3 }; /* of a request's place */

static inline struct lock *lock_of(const struct req *req)
{
	return (struct lock *)(rl_load(&req->place, relaxed) & ~(uintptr_t)PLACE_MASK);
}

/* Does a node of a list hold for it? */
static inline bool holds_by_node(const struct lock *lock, const struct req *req)
{
	return rl_load(&req->place, acquire) == ((uintptr_t)lock | PLACE_NODE); /* list.c: O7 */
}

static inline bool waits_in(const struct lock *lock, const struct req *req)
{
	return rl_load(&req->place, relaxed) == ((uintptr_t)lock | PLACE_WAITS);
}

static inline void set_place(struct req *req, const struct lock *lock, unsigned waits)
{
	rl_store(&req->place, (uintptr_t)lock | waits, relaxed);
}

/* ---- The lock word: front/word.h; of a list lock list/list.h ---- */

enum {
	WORD_IDLE = 0,
	WORD_FAST = 1, /* tag of a request's address */
	WORD_ENGINE = 2,
	WORD_LOCKED = 4,
	WORD_CONTENDED = 8,
	WORD_DEAD = 16,
	WORD_GENERATION = 32 /* and those above it, of the low half */
};

static inline uintptr_t fast_word(const struct req *req)
{
	return (uintptr_t)req | WORD_FAST;
}

/*
 * The half of the word that a futex looks at.  The states without FAST differ
 * there; with FAST its lowest bit is set, so that it is never taken for
 * LOCKED|CONTENDED.
 */
static inline _Atomic uint32_t *low_half(struct lock *lock)
{
	char *word = (char *)&lock->word;

	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		word += sizeof(uintptr_t) - sizeof(uint32_t);
	return (_Atomic uint32_t *)(void *)word;
}

static inline bool is_locked_word(uintptr_t word)
{
	return !(word & WORD_FAST) && (word & WORD_LOCKED);
}

/* How often a waiting request is bypassed at most; tests make it small. */
#ifndef RL_MAX_BYPASS
#define RL_MAX_BYPASS RANGELOCK_MAX_BYPASS
#endif

/* Is the engine to see every request, even one that is alone? */
static inline bool sees_all(const struct lock *lock)
{
	return lock->flags & (RANGELOCK_CHECKED | RANGELOCK_STATS);
}

/* Of flags: a list, kept by the tree, since all its requests are to be seen (front/life.c). */
#define LOCK_STANDS_FOR_LIST 0x8000u

/* Is its short mutex the caller's to take? */
static inline bool can_be_entered(const struct lock *lock)
{
	return lock->engine == RANGELOCK_TREE && !(lock->flags & LOCK_STANDS_FOR_LIST);
}

static inline bool is_checked(const struct lock *lock)
{
	return lock->flags & RANGELOCK_CHECKED;
}

/* Do two requests with these modes conflict, where their ranges overlap? */
static inline bool modes_conflict(unsigned a, unsigned b)
{
	return a == RANGELOCK_WRITE || b == RANGELOCK_WRITE;
}

#endif
