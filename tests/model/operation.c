/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/operation.h"

#include <errno.h>
#include <inttypes.h>

const struct timespec past = { .tv_sec = 0 }, a_later_time = { .tv_sec = 1000 };
static const struct timespec too_few = { .tv_sec = 1, .tv_nsec = -1 },
			     too_many = { .tv_sec = 1, .tv_nsec = 1000000000 };

#define TIMED { "timedrdlock", "timedwrlock" }, true
const struct way ways[WAYS] = {
	{ FOREVER, { "rdlock", "wrlock" }, false, NULL, "" },
	{ TRY, { "tryrdlock", "trywrlock" }, false, NULL, "" },
	{ FOREVER, TIMED, NULL, ", NULL" },
	{ UNTIL, TIMED, &a_later_time, ", later" },
	{ UNTIL, TIMED, &past, ", past" },
	{ UNSOUND, TIMED, &too_few, ", -1 ns" },
	{ UNSOUND, TIMED, &too_many, ", 1000000000 ns" },
};

/* ---- From bytes ---- */

static uint64_t point(unsigned i)
{
	return i <= 16 ? i : UINT64_MAX - 19 + i; /* 17 to 19: the last ones */
}

/* Ranges side by side, or one over the other: reads, unless it is rude. */
static void decode_vector(struct operation *op, unsigned start, unsigned end, uint8_t byte)
{
	bool over = byte & 0x80;
	unsigned step = over || start >= end ? 1 : end - start;

	op->n = 1 + byte % VECTOR;
	for (int i = 0; i < op->n; i++) {
		enum rangelock_mode mode = over && !op->rude ? RANGELOCK_READ : byte >> (2 + i) & 1;

		if (end > 19 && !op->rude) {
			op->n = i;
			break;
		}
		op->ranges[i] = (struct rangelock_range){ point(start), point(end), mode };
		start += step;
		end += step;
	}
}

struct operation operation_decode(const uint8_t b[OPERATION_BYTES])
{
	/* 0 is harmless, which helps to shrink. */
	static const enum kind kinds[64] = {
		WALK,	   LOCK,	 LOCK,	      LOCK,	     LOCK,	    LOCK,
		LOCK,	   LOCK,	 LOCK,	      LOCK,	     LOCK,	    LOCK,
		LOCK,	   LOCK,	 LOCK,	      LOCK,	     LOCK,	    LOCK,
		UNLOCK,	   UNLOCK,	 UNLOCK,      UNLOCK,	     UNLOCK,	    UNLOCK,
		UNLOCK,	   UNLOCK,	 CANCEL,      CANCEL,	     CANCEL,	    GO_ON,
		GO_ON,	   DEADLINE,	 DEADLINE,    DEADLINE,	     DESTROY,	    NULLS,
		DOWNGRADE, TRYUPGRADE,	 UPGRADE,     UPGRADE,	     UPGRADE,	    REDUCE,
		SPLIT,	   TRYEXTEND,	 TRYEXTEND,   RDLOCK_NESTED, RDLOCK_NESTED, LOCKV,
		LOCKV,	   LOCKV,	 UNLOCKV,     SUBMIT,	     SUBMIT,	    SUBMIT,
		RESERVE,   RESERVE,	 RESERVE,     RESERVE_GAP,   COMMIT,	    COMMIT,
		UNRESERVE, WAIT_ENTERED, LOCK_CHOSEN, LOCK_CHOSEN,
	};
	static const int which_way[16] = { 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 5, 6 };
	static const uint64_t sizes[8] = { 1, 2, 3, 4, 7, (uint64_t)1 << 63, UINT64_MAX - 1, 0 };
	static const uint64_t aligns[8] = { 1, 2, 3, 4, 5, (uint64_t)1 << 63, UINT64_MAX - 1, 0 };

	struct operation op = { .kind = kinds[b[0] % 64],
				.lazy = b[0] >= 0xc0,
				.rude = b[3] >= 0xf0,
				.actor = b[1] % 8,
				.lock = b[2] / 32 % 2,
				.way = which_way[b[1] / 16],
				.stop = b[2] % 8,
				.other = b[4] % 8,
				.at = point(b[4] / 8 % 20),
				.size = sizes[b[4] % 8],
				.align = aligns[b[4] / 8 % 8],
				.then = b[4] % 4,
				.changes = b[4] % 4,
				.ends = b[4] & 4,
				.flips = b[4] & 8 };
	unsigned start = b[2] % 32, end = b[3] % 32;

	start = start > 19 ? start % 16 : start;
	end = end > 19 ? end % 16 : end;
	if (!op.rude) {
		if (b[3] >= 0x80) /* a short one */
			end = start + 1 + b[3] % 4;
		start = start > 18 ? 18 : start;
		end = end > 19 ? 19 : end <= start ? start + 1 : end;
	}
	op.range = (struct rangelock_range){ point(start), point(end), b[1] / 8 % 2 };
	decode_vector(&op, start, end, b[4]);
	return op;
}

int choice(const struct operation *op, int k, struct rangelock_range *range)
{
	k = k < op->changes ? k : op->changes;
	*range = op->range;
	if (range->start < 10 && range->end < 10) { /* so that it stays a range */
		range->start += (uint64_t)k;
		range->end += (uint64_t)k;
	} else if (k % 2 == 1) {
		range->start = 0;
	}
	if (op->flips && k % 2 == 1)
		range->mode = range->mode == RANGELOCK_READ ? RANGELOCK_WRITE : RANGELOCK_READ;
	return op->ends && k == op->changes ? ENOENT : 0;
}

/* ---- In words ---- */

static const char *point_name(uint64_t point, char text[24])
{
	if (point >= UINT64_MAX - 2)
		snprintf(text, 24, point == UINT64_MAX ? "MAX" : "MAX-%d",
			 (int)(UINT64_MAX - point));
	else
		snprintf(text, 24, "%" PRIu64, point);
	return text;
}

static void print_range(const struct rangelock_range *range, FILE *to)
{
	char start[24], end[24];

	fprintf(to, " [%s, %s)", point_name(range->start, start), point_name(range->end, end));
}

static void print_moded(const struct rangelock_range *range, FILE *to)
{
	print_range(range, to);
	fprintf(to, range->mode == RANGELOCK_READ ? " read" : " write");
}

void operation_print_arguments(const struct operation *op, FILE *to)
{
	char text[24], more[24];

	switch (op->kind) {
	case LOCK:
	case REDUCE:
	case TRYEXTEND:
	case RESERVE:
		print_range(&op->range, to);
		break;
	case SUBMIT:
		print_moded(&op->range, to);
		fprintf(to, "%s%s", op->then & THEN_UNLOCK ? ", then unlock" : "",
			op->then & THEN_SUBMIT ? ", then submit" : "");
		break;
	case RDLOCK_NESTED:
		print_range(&op->range, to);
		fprintf(to, " within actor %d's", op->other);
		break;
	case SPLIT:
		fprintf(to, " at %s for actor %d", point_name(op->at, text), op->other);
		break;
	case LOCKV:
		for (int i = 0; i < op->n; i++)
			print_moded(&op->ranges[i], to);
		break;
	case UNLOCKV:
		fprintf(to, " %d", op->n);
		break;
	case RESERVE_GAP:
		fprintf(to, " %s, multiple of %s,", point_name(op->size, text),
			point_name(op->align, more));
		print_range(&op->range, to);
		break;
	case WAIT_ENTERED:
		print_moded(&op->range, to);
		break;
	case LOCK_CHOSEN:
		for (int k = 0; k <= op->changes; k++) {
			struct rangelock_range range;
			if (choice(op, k, &range))
				fprintf(to, " ENOENT");
			else
				print_moded(&range, to);
		}
		break;
	default:
		break;
	}
	fprintf(to, "%s", ways[op->way].time);
}

const char *operation_name(const struct operation *op)
{
	static const char *const names[KINDS] = {
		[UNLOCK] = "unlock",
		[CANCEL] = "cancel",
		[DESTROY] = "destroy",
		[WALK] = "walk",
		[NULLS] = "calls with NULL",
		[DOWNGRADE] = "downgrade",
		[TRYUPGRADE] = "tryupgrade",
		[UPGRADE] = "upgrade",
		[REDUCE] = "reduce",
		[SPLIT] = "split",
		[TRYEXTEND] = "tryextend",
		[RDLOCK_NESTED] = "rdlock_nested",
		[LOCKV] = "lockv",
		[UNLOCKV] = "unlockv",
		[SUBMIT] = "submit",
		[RESERVE] = "reserve",
		[RESERVE_GAP] = "reserve_gap",
		[COMMIT] = "commit",
		[UNRESERVE] = "unreserve",
		[WAIT_ENTERED] = "wait_entered",
		[LOCK_CHOSEN] = "lock_chosen",
	};

	return op->kind == LOCK ? ways[op->way].names[op->range.mode] : names[op->kind];
}
