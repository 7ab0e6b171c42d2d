/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spin, then park on a futex.
 *
 * The park word is a hand-shake of two threads:
 *
 *	waiter				granter
 *	WAITING (set before it is seen)
 *	spin
 *	CAS WAITING -> ASLEEP		exchange -> answer
 *	sleep while ASLEEP		if it was ASLEEP: wake
 *
 *   W1  The answer is stored once, by an exchange, and nothing overwrites it
 *       while the waiter waits: the waiter's only write is the CAS from
 *       WAITING.  One that is invited in vain begins anew, before the next answer
 *       can be decided on.
 *   W2  No wake-up is lost: the exchange either sees ASLEEP, and wakes, or
 *       comes before the CAS, which then fails.  A wake between the CAS and
 *       the sleep is no loss either, since the kernel compares the word again.
 *   W3  The exchange is the granter's last access to the waiter's memory.  The
 *       wake that may follow names the address only as a key; if the memory
 *       has a new use by then, somebody there wakes up for nothing, which
 *       every sleeper must bear anyway.
 *
 *   release                              acquire
 *   exchange of the answer (rl_unpark)   load that sees the answer (rl_park)
 *
 * Progress: the granter is wait-free.  The waiter spins a bounded number of
 * rounds.
 *
 * Spinning before sleeping is after Karlin, Manasse, McGeoch and Owicki,
 * "Competitive randomized algorithms for nonuniform problems" (1990): about as
 * long as going to sleep and coming back would cost, and less where it has
 * not paid lately.
 */
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/annotate.h"
#include "base/die.h"

enum {
	SPIN_MAX = 1000, /* rounds: some tens of microseconds, what a sleep costs */
	SPIN_MIN = 20,	 /* rounds that are always tried */
	SPIN_PROBE = 16, /* one wait in so many is given SPIN_MAX */
	SPIN_SHORT = 100 /* for the short mutex */
};

/* FUTEX_WAIT_BITSET, since its time-out is absolute. */
static int futex_wait(long call, _Atomic uint32_t *word, uint32_t expected, const void *abstime)
{
	long rc = syscall(call, word, FUTEX_WAIT_BITSET_PRIVATE, expected, abstime, NULL,
			  FUTEX_BITSET_MATCH_ANY);
	return rc == 0 ? 0 : errno;
}

/*
 * Where time_t is wider than long, a time-out is for a call of its own, which
 * Linux has since 5.1.  Before that, time ends where long does.
 */
static int timed_futex_wait(_Atomic uint32_t *word, uint32_t expected,
			    const struct timespec *abstime)
{
#ifdef SYS_futex_time64
	if (sizeof(time_t) > sizeof(long) && abstime) {
		int error = futex_wait(SYS_futex_time64, word, expected, abstime);
		if (error != ENOSYS)
			return error;
		time_t seconds = abstime->tv_sec < 0 ? -1 : abstime->tv_sec;
		if (seconds > LONG_MAX)
			seconds = LONG_MAX;
		long narrow[] = { (long)seconds, abstime->tv_nsec };
		return futex_wait(SYS_futex, word, expected, narrow);
	}
#endif
	return futex_wait(SYS_futex, word, expected, abstime);
}

static int futex_sleep(_Atomic uint32_t *word, uint32_t expected, const struct timespec *abstime)
{
	int callers_errno = errno;
	int error = timed_futex_wait(word, expected, abstime);
	errno = callers_errno;

	switch (error) {
	case 0:
	case EAGAIN: /* the word has changed */
	case EINTR:
		return 0;
	case ETIMEDOUT:
		return ETIMEDOUT;
	case EINVAL: /* the callers check tv_nsec: a time before the clock's start */
		if (abstime && abstime->tv_sec < 0)
			return ETIMEDOUT;
	}
	rl_die("futex wait on %p failed: errno %d", (void *)word, error);
}

static void futex_wake(_Atomic uint32_t *word)
{
	int callers_errno = errno;

	/* An error here means that the address is gone: see W3. */
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1);
	errno = callers_errno;
}

static unsigned count_processors(void)
{
	cpu_set_t set;

	/* Of the process's first thread: the caller may be pinned to one. */
	if (sched_getaffinity(getpid(), sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	/* More processors than a cpu_set_t holds. */
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (unsigned)n : 1;
}

/* Counted once: a racing first call only counts again. */
static unsigned known_processors(void)
{
	static _Atomic unsigned known;
	unsigned n = rl_load(&known, relaxed);

	if (rl_unlikely(n == 0)) {
		n = count_processors();
		if (rl_watched)
			rl_annotate_private(&known, sizeof(known));
		rl_store(&known, n, relaxed);
	}
	return n;
}

/* In the child of a fork its only thread keeps the number that it had. */
static uint32_t known_thread(void)
{
	static RL_THREAD_LOCAL uint32_t known;
	uint32_t *mine = rl_mine(known);

	if (*mine == 0)
		*mine = (uint32_t)syscall(SYS_gettid);
	return *mine;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

const struct wait_ops rl_wait_futex = {
	.sleep = futex_sleep,
	.wake = futex_wake,
	.processors = known_processors,
	.thread = known_thread,
	.now = monotonic_ns,
};

const struct wait_ops *rl_wait = &rl_wait_futex;

unsigned rl_short_spins(void)
{
	return rl_wait->processors() > 1 ? SPIN_SHORT : 0;
}

/*
 * How many rounds this thread's spinning took lately, where it paid, and how often
 * it has waited.  The thread's own, so that it costs no shared cache line, and so
 * that nothing is written into a lock whose last waiter has just been answered.
 */
struct habit {
	uint32_t usual_rounds, waits;
};
static RL_THREAD_LOCAL struct habit habit = { SPIN_MAX / 2, 0 };

/* Where spinning has failed lately, it is given up soon; but once in a while
 * it gets its full chance, since those that sleep make each other slow. */
static uint32_t spin_limit(struct habit *mine)
{
	uint32_t limit = 2 * mine->usual_rounds + SPIN_MIN;

	return limit > SPIN_MAX || mine->waits++ % SPIN_PROBE == 0 ? SPIN_MAX : limit;
}

/* Spin for an answer.  Returns the park word as last seen. */
static uint32_t spin(_Atomic uint32_t *park)
{
	struct habit *mine = rl_mine(habit);
	uint32_t limit = spin_limit(mine);

	for (uint32_t round = 1; round <= limit; round++) {
		rl_relax();
		uint32_t seen = rl_load(park, acquire);
		if (seen != PARK_WAITING) {
			mine->usual_rounds = (7 * mine->usual_rounds + round + 7) / 8;
			return seen;
		}
	}
	mine->usual_rounds -= (mine->usual_rounds + 3) / 4;
	return PARK_WAITING;
}

enum park rl_park(_Atomic uint32_t *park, uint32_t crowd, const struct timespec *abstime)
{
	uint32_t seen = rl_load(park, acquire);

	if (seen == PARK_WAITING && crowd < rl_wait->processors())
		seen = spin(park);
	/* acquire: where it fails it has seen the answer. */
	if (seen == PARK_WAITING && rl_cas(park, &seen, PARK_ASLEEP, acquire, acquire))
		seen = PARK_ASLEEP;
	while (seen == PARK_ASLEEP) {
		if (rl_wait->sleep(park, PARK_ASLEEP, abstime) == ETIMEDOUT)
			return PARK_TIMED_OUT;
		seen = rl_load(park, acquire);
	}
	return (enum park)seen;
}

enum park rl_unpark(_Atomic uint32_t *park, enum park answer)
{
	/* release: pairs with the acquire loads of rl_park(); acquire: with whoever abandons. */
	uint32_t before = rl_exchange(park, (uint32_t)answer, acq_rel);

	if (before == PARK_ASLEEP)
		rl_wait->wake(park);
	return (enum park)before;
}

void rl_interrupt(_Atomic uint32_t *park)
{
	uint32_t seen = rl_load(park, relaxed);

	while (seen <= PARK_ASLEEP)
		/* release: pairs with the acquire loads of rl_park(). */
		if (rl_cas(park, &seen, PARK_CANCELED, acq_rel, relaxed)) {
			if (seen == PARK_ASLEEP)
				rl_wait->wake(park);
			return;
		}
}
