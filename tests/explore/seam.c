/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the library and the scenarios to the explorer.
 *
 * Atomic operations come by seam.h.  Plain accesses come by the calls that the
 * compiler makes for -fsanitize=thread, which is all that is used of it: the
 * run-time library behind them is this file (EXPLORE_OWN_RUNTIME).  In a build for
 * ThreadSanitizer itself (EXPLORE_TSAN) those are its own; then the thread does
 * each atomic operation in earnest, at the moment that the explorer gives it, so
 * that it is seen.
 */
#include "explore/machine.h"

bool seam_found_race;

#ifdef EXPLORE_TSAN
const bool seam_does_it = true;

const char *__tsan_default_options(void);
void __tsan_on_report(void *report);

/* Each execution is a new one: what was reported once is reported again. */
const char *__tsan_default_options(void)
{
	return "suppress_equal_stacks=0:suppress_equal_addresses=0:exitcode=0";
}

void __tsan_on_report(void *report)
{
	(void)report;
	seam_found_race = true;
}

/* The order has to be a constant where the operation stands. */
#define WITH_ORDER(order, f)         \
	switch (order) {             \
	case ORDER_relaxed:          \
		f(__ATOMIC_RELAXED); \
		break;               \
	case ORDER_acquire:          \
		f(__ATOMIC_ACQUIRE); \
		break;               \
	case ORDER_release:          \
		f(__ATOMIC_RELEASE); \
		break;               \
	case ORDER_acq_rel:          \
		f(__ATOMIC_ACQ_REL); \
		break;               \
	default:                     \
		f(__ATOMIC_SEQ_CST); \
	}

#define EXCHANGE(order) op->result = __atomic_exchange_n(p, value, order)
#define CAS(order, failure) \
	op->done = __atomic_compare_exchange_n(p, &expected, value, false, order, failure)
#define CAS_RELAXED(order) CAS(order, __ATOMIC_RELAXED)

/* Failure orders other than relaxed: no weaker success order is in use. */
#define DO_TYPE(type)                                                                            \
	static void do_##type(struct op *op)                                                     \
	{                                                                                        \
		type *p = (type *)(uintptr_t)op->p, value = (type)op->value,                     \
		     expected = (type)op->expected;                                              \
		switch (op->kind) {                                                              \
		case OP_LOAD:                                                                    \
			op->result =                                                             \
			    op->order == ORDER_relaxed	 ? __atomic_load_n(p, __ATOMIC_RELAXED)  \
			    : op->order == ORDER_acquire ? __atomic_load_n(p, __ATOMIC_ACQUIRE)  \
							 : __atomic_load_n(p, __ATOMIC_SEQ_CST); \
			break;                                                                   \
		case OP_STORE:                                                                   \
			if (op->order == ORDER_relaxed)                                          \
				__atomic_store_n(p, value, __ATOMIC_RELAXED);                    \
			else if (op->order == ORDER_release)                                     \
				__atomic_store_n(p, value, __ATOMIC_RELEASE);                    \
			else                                                                     \
				__atomic_store_n(p, value, __ATOMIC_SEQ_CST);                    \
			break;                                                                   \
		case OP_EXCHANGE:                                                                \
			WITH_ORDER(op->order, EXCHANGE)                                          \
			break;                                                                   \
		default:                                                                         \
			if (op->failure == ORDER_relaxed) {                                      \
				WITH_ORDER(op->order, CAS_RELAXED)                               \
			} else if (op->order == ORDER_acquire) {                                 \
				CAS(__ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE);                         \
			} else if (op->failure == ORDER_acquire) {                               \
				CAS(__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);                         \
			} else {                                                                 \
				CAS(__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                         \
			}                                                                        \
			op->result = expected;                                                   \
		}                                                                                \
	}

DO_TYPE(uint32_t)
DO_TYPE(uint64_t)

static void point(struct op *op)
{
	machine_op(op);
	if (machine_self() >= 0)
		(op->size == 4 ? do_uint32_t : do_uint64_t)(op);
}

/* As a write that is seen; word by word, since single bytes soon push out of sight what
 * ThreadSanitizer remembers of accesses before. */
void explore_free(void *p, size_t size)
{
	for (size_t i = 0; i < size / 4; i++)
		((volatile uint32_t *)p)[i] = 0x5a5a5a5a;
	memory_free(machine_self(), p, size);
}
#else
const bool seam_does_it = false;

static void point(struct op *op)
{
	machine_op(op);
}

void explore_free(void *p, size_t size)
{
	memory_free(machine_self(), p, size);
}
#endif

void explore_renew(void *p, size_t size)
{
	memory_renew(machine_self(), p, size);
}

#if defined(EXPLORE_TSAN) || defined(EXPLORE_OWN_RUNTIME)
const bool seam_sees_plain = true;
#else
const bool seam_sees_plain = false;
#endif

uint64_t seam_load(const volatile void *p, unsigned size, enum order order, const char *site)
{
	struct op op = { .kind = OP_LOAD,
			 .p = (volatile void *)(uintptr_t)p,
			 .size = size,
			 .order = order,
			 .site = site };

	point(&op);
	return op.result;
}

void seam_store(volatile void *p, unsigned size, uint64_t v, enum order order, const char *site)
{
	struct op op = {
		.kind = OP_STORE, .p = p, .size = size, .order = order, .value = v, .site = site
	};

	point(&op);
}

uint64_t seam_exchange(volatile void *p, unsigned size, uint64_t v, enum order order,
		       const char *site)
{
	struct op op = {
		.kind = OP_EXCHANGE, .p = p, .size = size, .order = order, .value = v, .site = site
	};

	point(&op);
	return op.result;
}

bool seam_cas(volatile void *p, unsigned size, uint64_t *expected, uint64_t v, enum order success,
	      enum order failure, const char *site)
{
	struct op op = { .kind = OP_CAS,
			 .p = p,
			 .size = size,
			 .order = success,
			 .failure = failure,
			 .value = v,
			 .expected = *expected,
			 .site = site };

	point(&op);
	*expected = op.result;
	return op.done;
}

void seam_relax(const char *site)
{
	struct op op = { .kind = OP_RELAX, .site = site };

	machine_op(&op);
}

void seam_plain(const void *p, size_t size, bool write)
{
	if (!seam_does_it) /* else they are seen as they are done */
		memory_plain(machine_self(), p, size, write, __builtin_return_address(0));
}

#ifdef EXPLORE_OWN_RUNTIME
/* ---- What the compiler calls before each plain access ---- */

#define HERE __builtin_return_address(0)

#define ACCESS(size)                                                \
	void __tsan_read##size(void *p);                            \
	void __tsan_write##size(void *p);                           \
	void __tsan_unaligned_read##size(void *p);                  \
	void __tsan_unaligned_write##size(void *p);                 \
	void __tsan_read##size(void *p)                             \
	{                                                           \
		memory_plain(machine_self(), p, size, false, HERE); \
	}                                                           \
	void __tsan_write##size(void *p)                            \
	{                                                           \
		memory_plain(machine_self(), p, size, true, HERE);  \
	}                                                           \
	void __tsan_unaligned_read##size(void *p)                   \
	{                                                           \
		memory_plain(machine_self(), p, size, false, HERE); \
	}                                                           \
	void __tsan_unaligned_write##size(void *p)                  \
	{                                                           \
		memory_plain(machine_self(), p, size, true, HERE);  \
	}

ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_read_range(void *p, size_t size);
void __tsan_write_range(void *p, size_t size);
void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);

void __tsan_read_range(void *p, size_t size)
{
	memory_plain(machine_self(), p, size, false, HERE);
}

void __tsan_write_range(void *p, size_t size)
{
	memory_plain(machine_self(), p, size, true, HERE);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}
#endif
