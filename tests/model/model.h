/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference model: what the contract says of one lock, executable.
 *
 * It is written from the contract, and so that one can see that it is right:
 * the requests stand in an array, and all that is asked of them is computed from
 * it, every time anew.  One function per call.  A request is known by a number;
 * that calls wait is a result.
 *
 * One rule says who waits: model_blockers().  With RANGELOCK_BARGING there is another one,
 * for those who arrive: who must wait.  That nobody may be passed for ever is not here.
 *
 * Not here: anything of the library but its public types.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <rangelock/rangelock.h>

/* Models that are wrong on purpose: what compares the library with them must
 * find a difference. */
enum model_fault {
	MODEL_SOUND,
	MODEL_ADJACENT_CONFLICT, /* ranges that only touch conflict */
	MODEL_READERS_OVERTAKE,	 /* a read does not wait for those who wait */
	MODEL_STAYS_QUEUED,	 /* who gave up stays in the queue */
	MODEL_TRY_JUMPS,	 /* try minds only those who hold */
	MODEL_COVER_IS_BOX,	 /* is_locked does not see gaps */
	MODEL_REFUSES_EARLY,	 /* an unsound time is refused where nobody waits */
	MODEL_DOWNGRADE_SILENT,	 /* downgrade grants nobody */
	MODEL_TRYUPGRADE_JUMPS,	 /* tryupgrade minds only those who hold */
	MODEL_UPGRADE_BARGED,	 /* new readers pass a pending upgrade */
	MODEL_UPGRADES_BOTH,	 /* a second overlapping upgrade waits */
	MODEL_UPGRADE_LOST,	 /* a cancelled upgrade loses its read */
	MODEL_REDUCE_SILENT,	 /* reduce grants nobody */
	MODEL_SPLIT_READS,	 /* the tail of a split write is a read */
	MODEL_EXTEND_JUMPS,	 /* tryextend minds only those who hold */
	MODEL_NESTED_QUEUES,	 /* a nested read waits behind those who wait */
	MODEL_VECTOR_LEFT,	 /* a vector that times out keeps what nothing is in the way of */
	MODEL_VECTOR_APART,	 /* the ranges of a vector arrive one after the other */
	MODEL_VECTOR_PARTS,	 /* parts of a vector are held while others wait */
	MODEL_UNLOCKV_PARTLY,	 /* unlockv of some that are not held unlocks the others */
	MODEL_SUBMIT_LATER,	 /* submit calls back even where it holds at once */
	MODEL_READS_REVOKE,	 /* a read grant revokes */
	MODEL_FAILURES_REVOKE,	 /* a lock call that is refused revokes */
	MODEL_COMMIT_OVERRIDES,	 /* a revoked reservation can be committed */
	MODEL_COMMIT_LOSES,	 /* a commit that times out ends its reservation */
	MODEL_COMMIT_UNREVOKED,	 /* a pending commit is not revoked */
	MODEL_GAP_UNALIGNED,	 /* reserve_gap does not look at align */
	MODEL_CHOOSES_ONCE,	 /* lock_chosen takes what it waited for */
	MODEL_CHOOSING_REVOKES,	 /* and so does what it then does not take */
	/* With barging: */
	MODEL_NOBODY_PASSES,	  /* who arrives waits for those who wait */
	MODEL_FIRM_PASSED,	  /* upgrades, vectors and nested reads are passed */
	MODEL_PASSED_COUNTS,	  /* who was passed waits for who passed as for any other */
	MODEL_INVITED_HOLDS,	  /* an invitation is a grant */
	MODEL_INVITATION_REVOKES, /* an invited write revokes before it holds */
	MODEL_SUBMITTED_INVITED,  /* who has submitted is invited */
	MODEL_READY_FORGOTTEN,	  /* who was in the way of one makes way unnoticed */
	MODEL_INVITED_FORGOTTEN,  /* who has come in vain is not invited again */
	MODEL_FAULTS
};
extern const struct model_fault_info {
	const char *name;
	unsigned caps; /* RANGELOCK_CAP_* of the calls that show it */
} model_faults[MODEL_FAULTS];

/* How long a lock call waits. */
enum model_patience {
	TRY,
	FOREVER,
	UNTIL,	 /* a time that model_deadline() says is over */
	UNSOUND, /* no time at all */
	ASYNC	 /* not at all: it is told later */
};

enum {
	MODEL_WAITS = -1,   /* as a result: the call has not returned */
	MODEL_NOBODY = -2,  /* as a request's number */
	MODEL_INVITED = -3, /* as an answer: it is to come, and take what it wants */
	MODEL_MOST = 16
};

/* Where a request stands that is not idle. */
enum model_stage {
	HELD,
	WAITING,
	UPGRADING,  /* holds a read, and waits for the write */
	COMMITTING, /* waits; its reservation stands */
	RESERVED
};

struct model_request {
	int who;
	int caller; /* in whose lock call, which has not been answered; or MODEL_NOBODY */
	struct rangelock_range range;
	enum model_stage stage;
	bool choosing; /* what it is granted it may yet give up again */
	int rank;      /* if it waits: smaller goes first, and then who came first */
	unsigned arrival;
	bool vector, async; /* how it was asked for */
	bool invited;	    /* and has not come yet */
	bool forgotten;	    /* by a fault */
};

struct model {
	enum model_fault fault;
	bool barging; /* set after model_init() */
	bool destroyed;
	unsigned arrivals;
	int n;
	struct model_request queue[MODEL_MOST];

	/* The ranges that requests had reserved before they were revoked; else empty. */
	struct rangelock_range revoked[MODEL_MOST];

	/* The waiting calls which the last call made return, and with what. */
	int answered;
	struct {
		int who, result;
	} answers[MODEL_MOST];
};

/* The calls.  A result is 0, an errno value, or MODEL_WAITS. */
void model_init(struct model *m, enum model_fault fault);
int model_destroy(struct model *m);
int model_lock(struct model *m, int who, const struct rangelock_range *range,
	       enum model_patience patience);
int model_unlock(struct model *m, int who);
int model_cancel(struct model *m, int who);
bool model_is_locked(const struct model *m, const struct rangelock_range *range);

int model_downgrade(struct model *m, int who);
int model_upgrade(struct model *m, int who, enum model_patience patience); /* TRY or FOREVER */
int model_reduce(struct model *m, int who, uint64_t start, uint64_t end);
int model_split(struct model *m, int who, uint64_t at, int tail);
int model_tryextend(struct model *m, int who, uint64_t start, uint64_t end);

int model_rdlock_nested(struct model *m, int who, uint64_t start, uint64_t end, int outer);

/* The vector's requests are who, who + 1 and so on; who is the one that is answered. */
int model_lockv(struct model *m, int who, const struct rangelock_range *ranges, int n,
		enum model_patience patience);
int model_unlockv(struct model *m, int who, int n);

int model_reserve(struct model *m, int who, uint64_t start, uint64_t end);
int model_reserve_gap(struct model *m, int who, uint64_t size, uint64_t align, uint64_t lo,
		      uint64_t hi, uint64_t *ret_start);
int model_commit(struct model *m, int who, enum model_patience patience);
int model_unreserve(struct model *m, int who);
bool model_is_reserved(const struct model *m, int who);

/* wait_entered is model_lock().  lock_chosen, when it goes on after it was granted what
 * it waited for, chooses again: a range, or error. */
int model_lock_chosen(struct model *m, int who, const struct rangelock_range *range,
		      enum model_patience patience);
int model_choose_again(struct model *m, int who, int error, const struct rangelock_range *range,
		       enum model_patience patience);

/* The deadline of who, which waits until one, passes. */
void model_deadline(struct model *m, int who);

/* With barging: who was invited comes; in_time: its deadline has not passed.  0: it holds;
 * MODEL_WAITS; or ETIMEDOUT. */
int model_come(struct model *m, int who, bool in_time);

/* What walk shows: where in the queue who stands (-1: nowhere), and how many
 * requests the i-th of the queue waits for. */
int model_find(const struct model *m, int who);
int model_blockers(const struct model *m, int i);

#endif
