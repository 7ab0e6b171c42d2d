/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of a node of the list engine; list.c says who changes them, and when. */
#ifndef RL_LIST_STATE_H
#define RL_LIST_STATE_H

#include <stdint.h>

/* list_node.next: the address of the next node, and */
enum {
	NEXT_MARK = 1, /* this node is not in the list any more */
	NEXT_LEFT = 4, /* nor does it belong to anybody: who unlinks it retires it */
	NEXT_MASK = NEXT_MARK | NEXT_LEFT
};

/* list_node.state */
enum {
	STATE_TRYING = 0, /* it looks whether anything is in its way */
	STATE_PENDING,	  /* something is: it waits */
	STATE_HELD,
	STATE_GONE,
	STATE_RESERVED,
	STATE_KEPT, /* nobody's; its last owner may hold it again */
	STATE_PHASE = 7,

	STATE_WRITE = 8,   /* its mode */
	STATE_TICKET = 16, /* it has a ticket: has waited, or is about to */
	STATE_BEATEN = 32, /* TRYING: one that goes first has come; look again */
	STATE_ASKED = 64,  /* TRYING: those in `waiters` want to know what comes of it */
	STATE_CANCELED = 128,
	STATE_NESTED = 256,	/* a read that goes before all that do not hold */
	STATE_UPGRADE = 512,	/* its owner holds a read; it goes before all but those */
	STATE_FOLLOWER = 1024,	/* of a vector: all else is in the state of its `head` */
	STATE_COMMIT = 2048,	/* it is to become held instead of a reservation; of one that
				   is RESERVED: there is such a node */
	STATE_SUBMITTED = 4096, /* no thread waits for it: whoever wakes it goes on with it */
	STATE_RESERVE = 8192,	/* it is, or tries to become, a reservation */
	STATE_VECTOR = 16384,	/* it is a head, and stands in no list itself */
	STATE_FAMILIAR = 32768, /* it may be KEPT: nobody who conflicts was there when it came */
	STATE_DISMISSED = STATE_GONE | STATE_FAMILIAR, /* it was KEPT: anybody may mark it */
	STATE_BYPASS = 1 << 16 /* how often it was passed while PENDING: from this bit on */
};

/* list_node.waiters: the address of the last one that came, and */
enum {
	WAITERS_CLOSED = 1, /* nobody may wait for this node: it has left */
	WAITERS_LEFT = 2,   /* how many have given up and still stand there: bits 1 to 5 */
	WAITERS_MASK = 63
};

#endif
