/* SPDX-License-Identifier: BSD-2-Clause */
/* Arguments, errors, objects and their lives: what a single thread can see. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include <rangelock/rangelock.h>

#include "common/clock.h"
#include "support/suite.h"

typedef int lock_fn(struct rangelock *, struct rangelock_req *, uint64_t, uint64_t);

static int timedrd(struct rangelock *lock, struct rangelock_req *req, uint64_t start, uint64_t end)
{
	return rangelock_timedrdlock(lock, req, start, end, &(struct timespec){ 0 });
}

static int timedwr(struct rangelock *lock, struct rangelock_req *req, uint64_t start, uint64_t end)
{
	return rangelock_timedwrlock(lock, req, start, end, &(struct timespec){ 0 });
}

static lock_fn *const lock_calls[] = {
	rangelock_rdlock,    rangelock_wrlock, rangelock_tryrdlock,
	rangelock_trywrlock, timedrd,	       timedwr,
};
enum { N_CALLS = sizeof(lock_calls) / sizeof(lock_calls[0]) };

static int ignore(const struct rangelock_info *info, void *arg)
{
	(void)info, (void)arg;
	return 0;
}

/* Where fields lie follows from their types: no machine pads in its own way, and no
 * build of the library differs from the program's. */
START_TEST(sizes_and_offsets_are_as_promised)
{
	struct word {
		char c;
		uint64_t u;
	};
	const size_t align = offsetof(struct word, u); /* 4 on i386 */
	const size_t pointer = sizeof(void *);
#define ALIGNED(n) (((n) + align - 1) / align * align)

	ck_assert_uint_eq(sizeof(struct rangelock), 64);
	ck_assert_uint_eq(sizeof(struct rangelock_req), 128);
	ck_assert_uint_eq(_Alignof(struct rangelock), align);
	ck_assert_uint_eq(_Alignof(struct rangelock_req), align);

	ck_assert_uint_eq(sizeof(enum rangelock_mode), 4);
	ck_assert_uint_eq(sizeof(enum rangelock_engine), 4);
	ck_assert_uint_eq(offsetof(struct rangelock_range, mode), 16);
	ck_assert_uint_eq(sizeof(struct rangelock_range), ALIGNED(20));

	ck_assert_uint_eq(offsetof(struct rangelock_attr, flags), 4);
	ck_assert_uint_eq(offsetof(struct rangelock_attr, name), 8);
	ck_assert_uint_eq(offsetof(struct rangelock_attr, reserved_), ALIGNED(8 + pointer));
	ck_assert_uint_eq(sizeof(struct rangelock_attr), ALIGNED(8 + pointer) + 32);

	ck_assert_uint_eq(offsetof(struct rangelock_info, mode), 16);
	ck_assert_uint_eq(offsetof(struct rangelock_info, state), 20);
	ck_assert_uint_eq(offsetof(struct rangelock_info, req), 24);
	ck_assert_uint_eq(offsetof(struct rangelock_info, arrival), ALIGNED(24 + pointer));
	ck_assert_uint_eq(sizeof(struct rangelock_info), ALIGNED(24 + pointer) + 16);
	ck_assert_uint_eq(sizeof(struct rangelock_stats), 16 * 8);
	ck_assert(RANGELOCK_MAX == UINT64_MAX);
	ck_assert_int_le(RANGELOCK_MAX_BYPASS, 16384);
}
END_TEST

/* Inside a user's struct, at whatever offset the compiler finds for them: where 64-bit
 * integers are aligned to 4 bytes, neither at a multiple of 8 nor of their size. */
START_TEST(embedded_objects_work_and_keep_to_themselves)
{
	struct owner {
		uint32_t before;
		struct rangelock lock;
		uint32_t between;
		struct rangelock_req reqs[3];
		uint32_t after;
	} owners[2] = { { 1, RANGELOCK_INITIALIZER, 2, { RANGELOCK_REQ_INITIALIZER }, 3 },
			{ 1, RANGELOCK_INITIALIZER, 2, { RANGELOCK_REQ_INITIALIZER }, 3 } };
	const uint64_t far = UINT64_C(1) << 40; /* beyond 32 bits */

	for (int i = 0; i < 2; i++) {
		struct owner *o = &owners[i];

		ck_assert_int_eq(rangelock_wrlock(&o->lock, &o->reqs[0], far, far + 10), 0);
		ck_assert_int_eq(rangelock_trywrlock(&o->lock, &o->reqs[1], 0, 10), 0);
		ck_assert_int_eq(rangelock_tryrdlock(&o->lock, &o->reqs[2], far + 9, far + 11),
				 EBUSY);
		ck_assert_int_eq(rangelock_tryrdlock(&o->lock, &o->reqs[2], far + 10, UINT64_MAX),
				 0);
		ck_assert(rangelock_is_locked(&o->lock, far, UINT64_MAX, RANGELOCK_READ));
		for (int r = 0; r < 3; r++)
			ck_assert_int_eq(rangelock_unlock(&o->lock, &o->reqs[r]), 0);
		ck_assert_int_eq(rangelock_destroy(&o->lock), 0);
		ck_assert(o->before == 1 && o->between == 2 && o->after == 3);
	}
}
END_TEST

START_TEST(null_objects_are_invalid)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;
	struct rangelock_stats stats;

	ck_assert_int_eq(lock_calls[_i](NULL, &req, 0, 1), EINVAL);
	ck_assert_int_eq(lock_calls[_i](&lock, NULL, 0, 1), EINVAL);
	ck_assert_int_eq(rangelock_init(NULL, NULL), EINVAL);
	ck_assert_int_eq(rangelock_destroy(NULL), EINVAL);
	ck_assert_int_eq(rangelock_unlock(NULL, &req), EINVAL);
	ck_assert_int_eq(rangelock_unlock(&lock, NULL), EINVAL);
	ck_assert_int_eq(rangelock_cancel(NULL, &req), EINVAL);
	ck_assert_int_eq(rangelock_cancel(&lock, NULL), EINVAL);
	ck_assert_int_eq(rangelock_walk(NULL, ignore, NULL), EINVAL);
	ck_assert_int_eq(rangelock_walk(&lock, NULL, NULL), EINVAL);
	ck_assert_int_eq(rangelock_stats(NULL, &stats), EINVAL);
	ck_assert_int_eq(rangelock_stats(&lock, NULL), EINVAL);
	ck_assert(!rangelock_is_locked(NULL, 0, 1, RANGELOCK_READ));
	ck_assert(!rangelock_is_reserved(NULL, &req));
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

START_TEST(empty_and_reversed_ranges_are_invalid)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(lock_calls[_i](&lock, &req, 0, 0), EINVAL);
	ck_assert_int_eq(lock_calls[_i](&lock, &req, 7, 7), EINVAL);
	ck_assert_int_eq(lock_calls[_i](&lock, &req, 8, 7), EINVAL);
	ck_assert_int_eq(lock_calls[_i](&lock, &req, RANGELOCK_MAX, RANGELOCK_MAX), EINVAL);
	ck_assert_int_eq(lock_calls[_i](&lock, &req, RANGELOCK_MAX, 0), EINVAL);
	ck_assert(!rangelock_is_locked(&lock, 5, 5, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

START_TEST(every_call_locks_and_unlocks)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER, beside = RANGELOCK_REQ_INITIALIZER;

	for (int crowded = 0; crowded < 2; crowded++) {
		if (crowded) /* not alone: not in the lock word */
			ck_assert_int_eq(rangelock_wrlock(&lock, &beside, 100, 200), 0);
		ck_assert_int_eq(lock_calls[_i](&lock, &req, 10, 20), 0);
		ck_assert(rangelock_is_locked(&lock, 10, 20, RANGELOCK_READ));
		ck_assert(rangelock_is_locked(&lock, 10, 20, RANGELOCK_WRITE) == (_i % 2 == 1));
		ck_assert_int_eq(rangelock_destroy(&lock), EBUSY);
		ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
		ck_assert(!rangelock_is_locked(&lock, 10, 20, RANGELOCK_READ));
	}
	ck_assert_int_eq(rangelock_unlock(&lock, &beside), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

START_TEST(unlock_of_what_is_not_held_is_refused)
{
	struct rangelock lock = RANGELOCK_INITIALIZER, other = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER, idle = RANGELOCK_REQ_INITIALIZER;
	struct rangelock_req beside = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_unlock(&lock, &idle), EPERM);
	ck_assert_int_eq(rangelock_wrlock(&lock, &req, 0, 10), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &idle), EPERM);
	ck_assert_int_eq(rangelock_wrlock(&lock, &beside, 10, 20), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &idle), EPERM);
	ck_assert_int_eq(rangelock_unlock(&other, &req), EPERM);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), EPERM);
	ck_assert_int_eq(rangelock_unlock(&lock, &beside), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &beside), EPERM);
}
END_TEST

START_TEST(a_request_in_use_is_refused_and_stays_held)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER, beside = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_wrlock(&lock, &req, 0, 10), 0);
	ck_assert_int_eq(lock_calls[_i](&lock, &req, 20, 30), EINVAL);
	ck_assert_int_eq(rangelock_wrlock(&lock, &beside, 10, 20), 0);
	ck_assert_int_eq(lock_calls[_i](&lock, &req, 20, 30), EINVAL);
	ck_assert(rangelock_is_locked(&lock, 0, 20, RANGELOCK_WRITE));
	ck_assert(!rangelock_is_locked(&lock, 20, 30, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &beside), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

START_TEST(cancel_of_what_does_not_wait_is_too_late)
{
	struct rangelock lock = RANGELOCK_INITIALIZER, other = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_cancel(&lock, &req), EBUSY);
	ck_assert_int_eq(rangelock_rdlock(&lock, &req, 0, 10), 0);
	ck_assert_int_eq(rangelock_cancel(&lock, &req), EBUSY);
	ck_assert_int_eq(rangelock_cancel(&other, &req), EBUSY);
	ck_assert(rangelock_is_locked(&lock, 0, 10, RANGELOCK_READ));
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
}
END_TEST

START_TEST(init_accepts_defaults_and_refuses_the_unknown)
{
	struct rangelock lock;
	struct rangelock_attr attr = { 0 };

	memset(&lock, 0xa5, sizeof(lock));
	ck_assert_int_eq(rangelock_init(&lock, NULL), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);

	attr.name = "inode";
	ck_assert_int_eq(rangelock_init(&lock, &attr), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);

	/* Whatever is refused leaves the memory as it was. */
	struct rangelock before;
	memset(&lock, 0x5a, sizeof(lock));
	before = lock;

	attr = (struct rangelock_attr){ .engine = (enum rangelock_engine)3 };
	ck_assert_int_eq(rangelock_init(&lock, &attr), EINVAL);
	attr = (struct rangelock_attr){ .engine = (enum rangelock_engine) - 1 };
	ck_assert_int_eq(rangelock_init(&lock, &attr), EINVAL);
	attr = (struct rangelock_attr){ .flags = 0x80000000u };
	ck_assert_int_eq(rangelock_init(&lock, &attr), EINVAL);
	attr = (struct rangelock_attr){ .flags = RANGELOCK_CHECKED | 0x8000u };
	ck_assert_int_eq(rangelock_init(&lock, &attr), EINVAL);
	attr = (struct rangelock_attr){ .reserved_ = { 0, 0, 0, 1 } };
	ck_assert_int_eq(rangelock_init(&lock, &attr), EINVAL);
	ck_assert_mem_eq(&lock, &before, sizeof(lock));
}
END_TEST

/* What a flag or an engine promises is there, or refused: never ignored. */
START_TEST(init_keeps_what_the_capabilities_say)
{
	static const struct {
		struct rangelock_attr attr;
		unsigned cap;
	} cases[] = {
		{ { .engine = RANGELOCK_TREE }, RANGELOCK_CAP_LOCK },
		{ { .engine = RANGELOCK_LIST }, RANGELOCK_CAP_LOCK },
		{ { .engine = RANGELOCK_LIST }, RANGELOCK_CAP_VECTOR },
		{ { .engine = RANGELOCK_LIST }, RANGELOCK_CAP_SUBMIT },
		{ { .engine = RANGELOCK_SHARDED }, RANGELOCK_CAP_LOCK },
		{ { .flags = RANGELOCK_CHECKED }, RANGELOCK_CAP_CHECKED },
		{ { .flags = RANGELOCK_STATS }, RANGELOCK_CAP_STATS },
		{ { .flags = RANGELOCK_BARGING }, RANGELOCK_CAP_BARGING },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rangelock lock;
		bool offered = rangelock_engine_caps(cases[i].attr.engine) & cases[i].cap;

		ck_assert_int_eq(rangelock_init(&lock, &cases[i].attr), offered ? 0 : ENOTSUP);
		if (offered)
			ck_assert_int_eq(rangelock_destroy(&lock), 0);
	}
	ck_assert_uint_eq(rangelock_engine_caps((enum rangelock_engine)3), 0);
	ck_assert_uint_eq(rangelock_engine_caps((enum rangelock_engine) - 1), 0);
	ck_assert_uint_eq(rangelock_engine_caps(RANGELOCK_TREE) &
			      (RANGELOCK_CAP_LOCK | RANGELOCK_CAP_FIFO),
			  RANGELOCK_CAP_LOCK | RANGELOCK_CAP_FIFO);
}
END_TEST

START_TEST(a_destroyed_lock_is_refused_until_it_is_made_anew)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_destroy(&lock), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), EINVAL);
	ck_assert_int_eq(lock_calls[_i](&lock, &req, 0, 1), EINVAL);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), EINVAL);
	ck_assert_int_eq(rangelock_cancel(&lock, &req), EINVAL);
	ck_assert_int_eq(rangelock_walk(&lock, ignore, NULL), EINVAL);
	ck_assert(!rangelock_is_locked(&lock, 0, 1, RANGELOCK_READ));

	ck_assert_int_eq(rangelock_init(&lock, NULL), 0);
	ck_assert_int_eq(lock_calls[_i](&lock, &req, 0, 1), 0);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
}
END_TEST

static int choose(void *arg, struct rangelock_range *range)
{
	(void)arg, (void)range;
	return 0;
}

static void granted(struct rangelock_req *req, int error, void *arg)
{
	(void)req, (void)error, (void)arg;
}

START_TEST(absent_calls_check_their_arguments_and_say_enotsup)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER, tail = RANGELOCK_REQ_INITIALIZER;
	struct rangelock_range range = { 0, 10, RANGELOCK_READ };
	struct rangelock_req two[2] = { RANGELOCK_REQ_INITIALIZER };
	struct rangelock_range apart[] = { { 0, 5, RANGELOCK_WRITE }, { 5, 15, RANGELOCK_READ } };
	struct rangelock_range conflicting[] = { { 0, 6, RANGELOCK_WRITE },
						 { 5, 15, RANGELOCK_READ } };
	struct rangelock_range empty = { 10, 10, RANGELOCK_READ };
	struct rangelock_range odd = { 0, 10, (enum rangelock_mode)2 };
	struct rangelock_stats stats;
	uint64_t start = 77;
	unsigned caps = rangelock_engine_caps(ON_LIST ? RANGELOCK_LIST : RANGELOCK_TREE);

#define ABSENT(cap, good, bad)                             \
	do {                                               \
		if (!(caps & (cap)))                       \
			ck_assert_int_eq((good), ENOTSUP); \
		ck_assert_int_eq((bad), EINVAL);           \
	} while (0)

	ABSENT(RANGELOCK_CAP_CONVERT, rangelock_downgrade(&lock, &req),
	       rangelock_downgrade(&lock, NULL));
	ABSENT(RANGELOCK_CAP_CONVERT, rangelock_upgrade(&lock, &req),
	       rangelock_upgrade(NULL, &req));
	ABSENT(RANGELOCK_CAP_CONVERT, rangelock_tryupgrade(&lock, &req),
	       rangelock_tryupgrade(NULL, &req));
	ABSENT(RANGELOCK_CAP_RESIZE, rangelock_reduce(&lock, &req, 1, 2),
	       rangelock_reduce(&lock, &req, 2, 2));
	ABSENT(RANGELOCK_CAP_RESIZE, rangelock_split(&lock, &req, 5, &tail),
	       rangelock_split(&lock, &req, 5, NULL));
	ABSENT(RANGELOCK_CAP_RESIZE, rangelock_tryextend(&lock, &req, 0, 20),
	       rangelock_tryextend(&lock, &req, 20, 0));
	ABSENT(RANGELOCK_CAP_NESTED, rangelock_rdlock_nested(&lock, &req, 0, 1, &tail),
	       rangelock_rdlock_nested(&lock, &req, 0, 1, NULL));
	ABSENT(RANGELOCK_CAP_VECTOR, rangelock_lockv(&lock, &req, &range, 1, NULL),
	       rangelock_lockv(&lock, &req, &empty, 1, NULL));
	ABSENT(RANGELOCK_CAP_VECTOR, rangelock_lockv(&lock, two, apart, 2, NULL),
	       rangelock_lockv(&lock, two, conflicting, 2, NULL));
	ABSENT(RANGELOCK_CAP_VECTOR, rangelock_unlockv(&lock, &req, 1),
	       rangelock_unlockv(&lock, NULL, 1));
	ABSENT(RANGELOCK_CAP_SUBMIT, rangelock_submit(&lock, &req, &range, granted, NULL),
	       rangelock_submit(&lock, &req, &odd, granted, NULL));
	ABSENT(RANGELOCK_CAP_RESERVE, rangelock_reserve(&lock, &req, 0, 1),
	       rangelock_reserve(&lock, &req, 1, 1));
	ABSENT(RANGELOCK_CAP_RESERVE, rangelock_reserve_gap(&lock, &req, 1, 1, 0, 9, &start),
	       rangelock_reserve_gap(&lock, &req, 0, 1, 0, 9, &start));
	ABSENT(RANGELOCK_CAP_RESERVE, rangelock_commit(&lock, &req, NULL),
	       rangelock_commit(&lock, NULL, NULL));
	ABSENT(RANGELOCK_CAP_RESERVE, rangelock_unreserve(&lock, &req),
	       rangelock_unreserve(NULL, &req));
	ABSENT(RANGELOCK_CAP_ENTER, rangelock_wait_entered(&lock, &req, &range, NULL),
	       rangelock_wait_entered(&lock, &req, NULL, NULL));
	ABSENT(RANGELOCK_CAP_ENTER, rangelock_lock_chosen(&lock, &req, choose, NULL, NULL),
	       rangelock_lock_chosen(&lock, &req, NULL, NULL, NULL));
	ABSENT(RANGELOCK_CAP_STATS, rangelock_stats(&lock, &stats), rangelock_stats(&lock, NULL));
	ck_assert(!rangelock_is_reserved(&lock, &req));
	ck_assert(start == 77);
}
END_TEST

START_TEST(a_destroyed_lock_is_invalid_to_every_call)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req r = RANGELOCK_REQ_INITIALIZER, s = RANGELOCK_REQ_INITIALIZER;
	struct rangelock_range range = { 0, 10, RANGELOCK_READ };
	uint64_t at = 77;

	ck_assert_int_eq(rangelock_destroy(&lock), 0);
	const int invalid[] = {
		rangelock_downgrade(&lock, &r),
		rangelock_tryupgrade(&lock, &r),
		rangelock_upgrade(&lock, &r),
		rangelock_reduce(&lock, &r, 1, 2),
		rangelock_split(&lock, &r, 5, &s),
		rangelock_tryextend(&lock, &r, 0, 1),
		rangelock_rdlock_nested(&lock, &r, 0, 1, &s),
		rangelock_lockv(&lock, &r, &range, 1, NULL),
		rangelock_unlockv(&lock, &r, 1),
		rangelock_submit(&lock, &r, &range, granted, NULL),
		rangelock_reserve(&lock, &r, 0, 1),
		rangelock_reserve_gap(&lock, &r, 1, 1, 0, 9, &at),
		rangelock_commit(&lock, &r, NULL),
		rangelock_unreserve(&lock, &r),
		rangelock_lock_chosen(&lock, &r, choose, NULL, NULL),
	};
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		ck_assert_msg(invalid[i] == EINVAL, "case %zu: %d", i, invalid[i]);
	ck_assert(!rangelock_is_reserved(&lock, &r));
}
END_TEST

/* Each argument that can be wrong, by itself, of all calls beyond lock and unlock. */
START_TEST(each_wrong_argument_is_invalid_by_itself)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req r = RANGELOCK_REQ_INITIALIZER, s = RANGELOCK_REQ_INITIALIZER;
	struct rangelock_req two[2] = { RANGELOCK_REQ_INITIALIZER };
	struct rangelock_range range = { 0, 10, RANGELOCK_READ };
	struct rangelock_range reversed = { 10, 0, RANGELOCK_READ };
	struct rangelock_range meet[][2] = {
		{ { 0, 6, RANGELOCK_READ }, { 5, 15, RANGELOCK_WRITE } },
		{ { 5, 15, RANGELOCK_WRITE }, { 0, 6, RANGELOCK_WRITE } },
		{ { 0, 6, RANGELOCK_READ }, { 9, 9, RANGELOCK_READ } },
	};
	struct rangelock_range fit[][2] = {
		{ { 0, 6, RANGELOCK_READ }, { 5, 15, RANGELOCK_READ } },
		{ { 5, 15, RANGELOCK_WRITE }, { 0, 5, RANGELOCK_WRITE } },
	};
	struct rangelock_req three[3] = { RANGELOCK_REQ_INITIALIZER };
	const struct rangelock_range outer_meet[] = { { 0, 2, RANGELOCK_WRITE },
						      { 5, 6, RANGELOCK_WRITE },
						      { 1, 3, RANGELOCK_WRITE } };
	uint64_t at = 77;
	const int invalid[] = {
		rangelock_lockv(&lock, three, outer_meet, 3, NULL),
		rangelock_downgrade(NULL, &r),
		rangelock_downgrade(&lock, NULL),
		rangelock_tryupgrade(NULL, &r),
		rangelock_tryupgrade(&lock, NULL),
		rangelock_upgrade(NULL, &r),
		rangelock_upgrade(&lock, NULL),
		rangelock_reduce(NULL, &r, 1, 2),
		rangelock_reduce(&lock, NULL, 1, 2),
		rangelock_reduce(&lock, &r, 2, 1),
		rangelock_split(NULL, &r, 5, &s),
		rangelock_split(&lock, NULL, 5, &s),
		rangelock_split(&lock, &r, 5, NULL),
		rangelock_split(&lock, &r, 5, &r),
		rangelock_tryextend(NULL, &r, 0, 1),
		rangelock_tryextend(&lock, NULL, 0, 1),
		rangelock_tryextend(&lock, &r, 1, 1),
		rangelock_rdlock_nested(NULL, &r, 0, 1, &s),
		rangelock_rdlock_nested(&lock, NULL, 0, 1, &s),
		rangelock_rdlock_nested(&lock, &r, 0, 1, NULL),
		rangelock_rdlock_nested(&lock, &r, 0, 1, &r),
		rangelock_rdlock_nested(&lock, &r, 1, 1, &s),
		rangelock_lockv(NULL, two, fit[0], 2, NULL),
		rangelock_lockv(&lock, NULL, fit[0], 2, NULL),
		rangelock_lockv(&lock, two, NULL, 2, NULL),
		rangelock_lockv(&lock, two, fit[0], 0, NULL),
		rangelock_lockv(&lock, two, fit[0], (size_t)(UINT64_C(1) << 32), NULL),
		rangelock_lockv(&lock, two, meet[0], 2, NULL),
		rangelock_lockv(&lock, two, meet[1], 2, NULL),
		rangelock_lockv(&lock, two, meet[2], 2, NULL),
		rangelock_unlockv(NULL, two, 2),
		rangelock_unlockv(&lock, NULL, 2),
		rangelock_unlockv(&lock, two, 0),
		rangelock_submit(NULL, &r, &range, granted, NULL),
		rangelock_submit(&lock, NULL, &range, granted, NULL),
		rangelock_submit(&lock, &r, NULL, granted, NULL),
		rangelock_submit(&lock, &r, &reversed, granted, NULL),
		rangelock_submit(&lock, &r, &range, NULL, NULL),
		rangelock_reserve(NULL, &r, 0, 1),
		rangelock_reserve(&lock, NULL, 0, 1),
		rangelock_reserve(&lock, &r, 1, 0),
		rangelock_reserve_gap(NULL, &r, 1, 1, 0, 9, &at),
		rangelock_reserve_gap(&lock, NULL, 1, 1, 0, 9, &at),
		rangelock_reserve_gap(&lock, &r, 0, 1, 0, 9, &at),
		rangelock_reserve_gap(&lock, &r, 1, 0, 0, 9, &at),
		rangelock_reserve_gap(&lock, &r, 1, 1, 9, 9, &at),
		rangelock_reserve_gap(&lock, &r, 1, 1, 0, 9, NULL),
		rangelock_commit(NULL, &r, NULL),
		rangelock_commit(&lock, NULL, NULL),
		rangelock_unreserve(NULL, &r),
		rangelock_unreserve(&lock, NULL),
		rangelock_wait_entered(NULL, &r, &range, NULL),
		rangelock_wait_entered(&lock, NULL, &range, NULL),
		rangelock_wait_entered(&lock, &r, NULL, NULL),
		rangelock_wait_entered(&lock, &r, &reversed, NULL),
		rangelock_lock_chosen(NULL, &r, choose, NULL, NULL),
		rangelock_lock_chosen(&lock, NULL, choose, NULL, NULL),
		rangelock_lock_chosen(&lock, &r, NULL, NULL, NULL),
	};

	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		ck_assert_msg(invalid[i] == EINVAL, "case %zu: %d", i, invalid[i]);
	for (size_t i = 0; i < 2; i++) { /* ranges that meet, but not to conflict */
		ck_assert_int_eq(rangelock_lockv(&lock, two, fit[i], 2, NULL), 0);
		ck_assert_int_eq(rangelock_unlockv(&lock, two, 2), 0);
	}
	ck_assert(at == 77);
}
END_TEST

START_TEST(enter_aborts_where_there_is_no_lock)
{
	static struct rangelock lock = RANGELOCK_INITIALIZER;

	if (_i)
		rangelock_enter(NULL);
	ck_assert_int_eq(rangelock_destroy(&lock), 0);
	rangelock_enter(&lock);
}
END_TEST

START_TEST(leave_aborts_where_there_is_no_lock)
{
	rangelock_leave(NULL);
}
END_TEST

START_TEST(a_request_can_serve_many_locks_one_after_the_other)
{
	struct rangelock locks[3] = { RANGELOCK_INITIALIZER, RANGELOCK_INITIALIZER,
				      RANGELOCK_INITIALIZER };
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER, beside = RANGELOCK_REQ_INITIALIZER;

	ck_assert_int_eq(rangelock_wrlock(&locks[1], &beside, 0, 5), 0);
	for (int i = 0; i < 30; i++) {
		ck_assert_int_eq(lock_calls[i % N_CALLS](&locks[i % 3], &req, 10, 20), 0);
		ck_assert_int_eq(rangelock_unlock(&locks[i % 3], &req), 0);
	}
	ck_assert_int_eq(rangelock_unlock(&locks[1], &beside), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rangelock_destroy(&locks[i]), 0);
}
END_TEST

START_TEST(errno_is_left_alone)
{
	struct rangelock lock = RANGELOCK_INITIALIZER;
	struct rangelock_req req = RANGELOCK_REQ_INITIALIZER, again = RANGELOCK_REQ_INITIALIZER;
	struct timespec soon = in_ns(2000000);

	errno = 4711;
	ck_assert_int_eq(rangelock_wrlock(&lock, &req, 0, 10), 0);
	ck_assert_int_eq(rangelock_trywrlock(&lock, &again, 0, 10), EBUSY);
	ck_assert_int_eq(rangelock_timedwrlock(&lock, &again, 0, 10, &soon), ETIMEDOUT);
	ck_assert_int_eq(rangelock_unlock(&lock, &req), 0);
	ck_assert_int_eq(errno, 4711);
}
END_TEST

START_TEST(the_version_is_that_of_the_build)
{
	ck_assert_str_eq(rangelock_version(), RANGELOCK_TEST_VERSION);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arguments");
	TCase *tc = tcase_create("arguments");

	tcase_add_test(tc, sizes_and_offsets_are_as_promised);
	tcase_add_test(tc, embedded_objects_work_and_keep_to_themselves);
	tcase_add_loop_test(tc, null_objects_are_invalid, 0, N_CALLS);
	tcase_add_loop_test(tc, empty_and_reversed_ranges_are_invalid, 0, N_CALLS);
	tcase_add_loop_test(tc, every_call_locks_and_unlocks, 0, N_CALLS);
	tcase_add_test(tc, unlock_of_what_is_not_held_is_refused);
	tcase_add_loop_test(tc, a_request_in_use_is_refused_and_stays_held, 0, N_CALLS);
	tcase_add_test(tc, cancel_of_what_does_not_wait_is_too_late);
	tcase_add_test(tc, init_accepts_defaults_and_refuses_the_unknown);
	tcase_add_test(tc, init_keeps_what_the_capabilities_say);
	tcase_add_loop_test(tc, a_destroyed_lock_is_refused_until_it_is_made_anew, 0, N_CALLS);
	tcase_add_test(tc, absent_calls_check_their_arguments_and_say_enotsup);
	tcase_add_test(tc, a_destroyed_lock_is_invalid_to_every_call);
	add_tree_test(tc, each_wrong_argument_is_invalid_by_itself);
	tcase_add_loop_test_raise_signal(tc, enter_aborts_where_there_is_no_lock, SIGABRT, 0, 2);
	tcase_add_test_raise_signal(tc, leave_aborts_where_there_is_no_lock, SIGABRT);
	tcase_add_test(tc, a_request_can_serve_many_locks_one_after_the_other);
	tcase_add_test(tc, errno_is_left_alone);
	tcase_add_test(tc, the_version_is_that_of_the_build);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
