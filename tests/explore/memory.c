/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory as C11 defines it, but for this: no load sees a store that is executed later
 * (LB), and no store comes before one that was executed earlier (2+2W, S).
 *
 * Atomic words.  Each has a history of messages, in modification order, which
 * is the order of execution.  A thread has a view: for each word the oldest
 * message that it may still see.  A load may return any message from there on,
 * older ones at the cost of COST_STALE; a read-modify-write acts on the
 * newest.  A release puts the writer's view and clock into its message, a
 * read-modify-write keeps those that it found there too (release sequences),
 * an acquire takes over those of the message it reads.  seq_cst operations
 * share one more view.  Where the weak part is off, loads return the newest
 * message, and all else stays.
 *
 * Plain data.  Each byte remembers when each thread last read and wrote it, in
 * vector time.  Two accesses, one of them a write and not both atomic, that no
 * chain of release and acquire orders are a data race.  So a plain load needs
 * no history: it is ordered, or it is reported.
 *
 * Histories follow Kang, Hur, Lahav, Vafeiadis and Dreyer, "A promising
 * semantics for relaxed-memory concurrency" (POPL 2017), without promises;
 * race detection Flanagan and Freund, "FastTrack" (PLDI 2009).
 *
 * Nothing here survives an execution: a generation number makes all old
 * entries void.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/machine.h"

enum {
	MAX_WORDS = 128,
	HISTORY = 16, /* messages of a word that can still be read */
	CELLS = 4096, /* of 8 bytes */
	NAMES = 32
};

struct clock {
	uint32_t of[MAX_THREADS];
};

struct view {
	uint32_t oldest[MAX_WORDS];
};

struct message {
	uint64_t value;
	struct clock clock; /* what a reader that acquires comes after */
	struct view view;
};

struct word {
	volatile void *p;
	unsigned size;
	bool overwritten; /* by a plain write: history begins anew */
	uint32_t newest;  /* its message is at newest % HISTORY; the first is 1 */
	uint32_t first;	  /* messages before this one are gone */
	uint32_t kernel;  /* what a futex call sees at least */
	struct message history[HISTORY];
};

enum access { PLAIN_READ, PLAIN_WRITE, ATOMIC_READ, ATOMIC_WRITE, N_ACCESSES };

struct cell {
	uintptr_t address; /* of 8 bytes */
	uint32_t generation;
	uint8_t freed; /* a bit for each byte */
	int word;      /* an atomic word lives here, or -1 */
	uint8_t threads[N_ACCESSES];
	uint32_t when[N_ACCESSES][MAX_THREADS][8];
	uint32_t newest[N_ACCESSES][MAX_THREADS]; /* of the 8 */
	const void *where[N_ACCESSES][MAX_THREADS];
	/* The last access: the same one again needs no look. */
	uint32_t last_when;
	uint8_t last_thread, last_access, last_mask;
};

static const struct chooser *chooser;
static bool weak;
static uint32_t generation;
static struct cell cells[CELLS];
static struct word words[MAX_WORDS];
static unsigned n_words;
static struct clock clocks[MAX_THREADS];
static struct view views[MAX_THREADS], sc_view;
/* What all ended read sections have done, and all before the last grace period began. */
static struct clock sections_clock, grace_clock;
static struct view sections_view, grace_view;
static struct {
	const char *p, *name;
	size_t size;
} names[NAMES];
static unsigned n_names;

void memory_init(const struct chooser *c, bool is_weak)
{
	chooser = c;
	weak = is_weak;
}

void memory_reset(void)
{
	generation++;
	n_words = 0;
	n_names = 0;
	memset(clocks, 0, sizeof(clocks));
	memset(views, 0, sizeof(views));
	memset(&sc_view, 0, sizeof(sc_view));
	memset(&sections_clock, 0, sizeof(sections_clock));
	memset(&sections_view, 0, sizeof(sections_view));
	memset(&grace_clock, 0, sizeof(grace_clock));
	memset(&grace_view, 0, sizeof(grace_view));
}

void memory_step(unsigned t)
{
	clocks[t].of[t]++;
}

static void join_clock(struct clock *a, const struct clock *b)
{
	for (unsigned i = 0; i < MAX_THREADS; i++)
		if (b->of[i] > a->of[i])
			a->of[i] = b->of[i];
}

static void join_view(struct view *a, const struct view *b)
{
	for (unsigned i = 0; i < n_words; i++)
		if (b->oldest[i] > a->oldest[i])
			a->oldest[i] = b->oldest[i];
}

/* ---- Read sections and grace periods ---- */

void memory_section_begins(unsigned t)
{
	join_clock(&clocks[t], &grace_clock);
	join_view(&views[t], &grace_view);
}

void memory_section_ends(unsigned t)
{
	join_clock(&sections_clock, &clocks[t]);
	join_view(&sections_view, &views[t]);
}

void memory_grace_begins(unsigned t)
{
	join_clock(&grace_clock, &clocks[t]);
	join_view(&grace_view, &views[t]);
}

void memory_grace_ends(unsigned t)
{
	join_clock(&clocks[t], &sections_clock);
	join_view(&views[t], &sections_view);
}

/* ---- Names ---- */

void explore_name(const void *p, size_t size, const char *name)
{
	if (n_names < NAMES) {
		names[n_names].p = p;
		names[n_names].size = size;
		names[n_names++].name = name;
	}
}

const char *memory_name(const volatile void *p)
{
	static char text[64];

	for (unsigned i = 0; i < n_names; i++) {
		size_t offset = (size_t)((const volatile char *)p - names[i].p);

		if (offset < names[i].size) {
			snprintf(text, sizeof(text), "%s+%zu", names[i].name, offset);
			return text;
		}
	}
	snprintf(text, sizeof(text), "%p", (const void *)(uintptr_t)p);
	return text;
}

/* ---- Plain data ---- */

static struct cell *find_cell(uintptr_t address)
{
	unsigned i = (unsigned)(address * 0x9e3779b97f4a7c15u >> 52) % CELLS;

	for (unsigned tries = 0; tries < CELLS; tries++, i = (i + 1) % CELLS) {
		struct cell *c = &cells[i];

		if (c->generation != generation) {
			c->generation = generation;
			c->address = address;
			c->freed = 0;
			c->word = -1;
			c->last_when = 0;
			memset(c->threads, 0, sizeof(c->threads));
			return c;
		}
		if (c->address == address)
			return c;
	}
	fputs("explore: a scenario that touches too much memory\n", stderr);
	abort();
}

/* Of an atomic access where is its site, of a plain one an address in the program,
 * for which a report will have the line. */
static const char *place(enum access access, const void *where)
{
	static char text[2][24];
	static unsigned i;

	if (access == ATOMIC_READ || access == ATOMIC_WRITE)
		return where;
	i = !i;
	snprintf(text[i], sizeof(text[i]), "@%p", where);
	return text[i];
}

static void report_race(const struct cell *c, unsigned a_thread, enum access a, unsigned b_thread,
			enum access b, const void *where)
{
	static const char *const says[] = { "read", "write", "atomic read", "atomic write" };

	explore_fail("data race: T%u %s at %s, not ordered with T%u %s at %s, of %s", b_thread,
		     says[b], place(b, where), a_thread, says[a], place(a, c->where[a][a_thread]),
		     memory_name((void *)c->address));
}

/* The bytes of [p, p + size) that lie in the cell at address. */
static uint8_t mask_of(uintptr_t address, uintptr_t p, size_t size)
{
	unsigned from = p > address ? (unsigned)(p - address) : 0;
	unsigned to = p + size < address + 8 ? (unsigned)(p + size - address) : 8;

	return (uint8_t)((1u << to) - (1u << from));
}

static void overwrite_words(const struct cell *c, uint8_t mask)
{
	for (unsigned i = (unsigned)c->word; i < n_words; i++) {
		uintptr_t p = (uintptr_t)words[i].p;

		if (p - c->address < 8 && mask_of(c->address, p, words[i].size) & mask)
			words[i].overwritten = true;
	}
}

static void touch_cell(unsigned t, struct cell *c, uint8_t mask, enum access access,
		       const void *where)
{
	static const uint8_t races[N_ACCESSES] = {
		[PLAIN_READ] = 1 << PLAIN_WRITE | 1 << ATOMIC_WRITE,
		[PLAIN_WRITE] = 1 << PLAIN_READ | 1 << PLAIN_WRITE | 1 << ATOMIC_READ |
				1 << ATOMIC_WRITE,
		[ATOMIC_READ] = 1 << PLAIN_WRITE,
		[ATOMIC_WRITE] = 1 << PLAIN_READ | 1 << PLAIN_WRITE,
	};
	uint32_t now = clocks[t].of[t];

	if (c->freed & mask)
		explore_fail("use after free: T%u touches %s at %s", t,
			     memory_name((void *)c->address), place(access, where));
	if (c->last_when == now && c->last_thread == t && c->last_access == access &&
	    c->last_mask == mask)
		return;

	for (unsigned a = 0; a < N_ACCESSES; a++)
		for (unsigned u = 0; races[access] >> a & 1 && c->threads[a] && u < MAX_THREADS;
		     u++) {
			if (u == t || !(c->threads[a] >> u & 1) ||
			    c->newest[a][u] <= clocks[t].of[u])
				continue;
			for (unsigned byte = 0; byte < 8; byte++)
				if (mask >> byte & 1 && c->when[a][u][byte] > clocks[t].of[u]) {
					report_race(c, u, a, t, access, where);
					return;
				}
		}

	if (!(c->threads[access] >> t & 1)) {
		c->threads[access] |= (uint8_t)(1 << t);
		memset(c->when[access][t], 0, sizeof(c->when[access][t]));
	}
	for (unsigned byte = 0; byte < 8; byte++)
		if (mask >> byte & 1)
			c->when[access][t][byte] = now;
	c->newest[access][t] = now;
	c->where[access][t] = where;
	c->last_when = now;
	c->last_thread = (uint8_t)t;
	c->last_access = (uint8_t)access;
	c->last_mask = mask;
	if (access == PLAIN_WRITE && c->word >= 0)
		overwrite_words(c, mask);
}

static void touch(unsigned t, const volatile void *p, size_t size, enum access access,
		  const void *where)
{
	uintptr_t at = (uintptr_t)p;

	for (uintptr_t a = at & ~(uintptr_t)7; a < at + size; a += 8)
		touch_cell(t, find_cell(a), mask_of(a, at, size), access, where);
}

void memory_plain(int t, const volatile void *p, size_t size, bool write, const void *pc)
{
	if (t >= 0)
		touch((unsigned)t, p, size, write ? PLAIN_WRITE : PLAIN_READ, pc);
}

/* AddressSanitizer, where it is about, is told as well. */
__attribute__((weak)) void __asan_poison_memory_region(const volatile void *p, size_t size);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void *p, size_t size);

static void set_freed(void *p, size_t size, bool freed)
{
	if (__asan_poison_memory_region)
		(freed ? __asan_poison_memory_region : __asan_unpoison_memory_region)(p, size);
	uintptr_t at = (uintptr_t)p;

	for (uintptr_t a = at & ~(uintptr_t)7; a < at + size; a += 8) {
		struct cell *c = find_cell(a);
		uint8_t mask = mask_of(a, at, size);

		c->freed = (uint8_t)(freed ? c->freed | mask : c->freed & ~mask);
	}
}

void memory_free(int t, void *p, size_t size)
{
	memory_plain(t, p, size, true, __builtin_return_address(0));
	set_freed(p, size, true);
}

void memory_renew(int t, void *p, size_t size)
{
	set_freed(p, size, false);
	memory_plain(t, p, size, true, __builtin_return_address(0));
}

/* ---- Atomic words ---- */

static uint64_t read_memory(const volatile void *p, unsigned size)
{
	switch (size) {
	case 1:
		return *(const volatile uint8_t *)p;
	case 2:
		return *(const volatile uint16_t *)p;
	case 4:
		return *(const volatile uint32_t *)p;
	default:
		return *(const volatile uint64_t *)p;
	}
}

static void write_memory(volatile void *p, unsigned size, uint64_t v)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)p = (uint8_t)v;
		break;
	case 2:
		*(volatile uint16_t *)p = (uint16_t)v;
		break;
	case 4:
		*(volatile uint32_t *)p = (uint32_t)v;
		break;
	default:
		*(volatile uint64_t *)p = v;
	}
}

static struct message *message_at(struct word *w, uint32_t i)
{
	return &w->history[i % HISTORY];
}

/* A message without what its writer knew. */
static struct message *append(struct word *w, uint64_t value)
{
	struct message *m = message_at(w, ++w->newest);

	if (w->newest - w->first >= HISTORY)
		w->first = w->newest - HISTORY + 1;
	m->value = value;
	memset(&m->clock, 0, sizeof(m->clock));
	memset(&m->view, 0, sizeof(m->view));
	m->view.oldest[w - words] = w->newest;
	return m;
}

/* A futex looks at half a word: a word is known by its 8 bytes. */
static struct word *find_word(volatile void *p, unsigned size)
{
	struct cell *c = find_cell((uintptr_t)p & ~(uintptr_t)7);
	struct word *w;

	/* Two small words may share a cell; the second is looked for. */
	for (unsigned i = c->word >= 0 ? (unsigned)c->word : n_words; i < n_words; i++)
		if (words[i].p == p && words[i].size >= size) {
			w = &words[i];
			goto found;
		}
	if (n_words == MAX_WORDS) {
		fputs("explore: a scenario with too many atomic words\n", stderr);
		abort();
	}
	w = &words[n_words];
	w->p = p;
	w->size = size;
	w->newest = 0;
	w->kernel = 0;
	w->overwritten = true;
	if (c->word < 0)
		c->word = (int)n_words;
	n_words++;
found:
	if (w->overwritten) {
		append(w, read_memory(w->p, w->size));
		w->first = w->newest;
		w->overwritten = false;
	}
	return w;
}

static bool acquires(enum order order)
{
	return order == ORDER_acquire || order == ORDER_acq_rel || order == ORDER_seq_cst;
}

static bool releases(enum order order)
{
	return order == ORDER_release || order == ORDER_acq_rel || order == ORDER_seq_cst;
}

static uint32_t oldest_visible(unsigned t, const struct word *w, enum order order)
{
	uint32_t oldest = views[t].oldest[w - words];

	if (oldest < w->first)
		oldest = w->first;
	if (order == ORDER_seq_cst && sc_view.oldest[w - words] > oldest)
		oldest = sc_view.oldest[w - words];
	return oldest;
}

/* Which message does a read return?  Any from oldest on; but those for which a CAS
 * would have succeeded must be the newest.  0: pruned. */
static uint32_t choose_message(struct word *w, uint32_t oldest, const uint64_t *not_this)
{
	struct alternative options[MAX_OPTIONS] = { { .value = 0, .cost = COST_NONE } };
	unsigned n = 1;

	for (uint32_t age = 1; weak && age <= w->newest - oldest; age++)
		if (!not_this || message_at(w, w->newest - age)->value != *not_this)
			options[n++] = (struct alternative){ (uint16_t)age, COST_STALE, false };
	if (n == 1)
		return w->newest;
	int chosen = chooser->choose(options, n);
	return chosen == PRUNED ? 0 : w->newest - options[chosen].value;
}

static void take_over(unsigned t, struct word *w, uint32_t which, enum order order)
{
	const struct message *m = message_at(w, which);

	if (views[t].oldest[w - words] < which)
		views[t].oldest[w - words] = which;
	if (acquires(order)) {
		join_clock(&clocks[t], &m->clock);
		join_view(&views[t], &m->view);
	}
	if (order == ORDER_seq_cst && sc_view.oldest[w - words] < which)
		sc_view.oldest[w - words] = which;
}

static void publish(unsigned t, struct word *w, uint64_t value, enum order order,
		    const struct message *continues)
{
	struct message old;
	if (continues)
		old = *continues;

	struct message *m = append(w, value);
	views[t].oldest[w - words] = w->newest;
	if (continues) {
		join_clock(&m->clock, &old.clock);
		join_view(&m->view, &old.view);
	}
	if (releases(order)) {
		join_clock(&m->clock, &clocks[t]);
		join_view(&m->view, &views[t]);
	}
	if (order == ORDER_seq_cst)
		sc_view.oldest[w - words] = w->newest;
	write_memory(w->p, w->size, value);
}

static uint64_t truncate_to(unsigned size, uint64_t v)
{
	return size == 8 ? v : v & ((UINT64_C(1) << 8 * size) - 1);
}

bool memory_do(unsigned t, struct op *op)
{
	struct word *w = find_word(op->p, op->size);
	uint32_t which = w->newest;

	op->value = truncate_to(op->size, op->value);
	op->expected = truncate_to(op->size, op->expected);
	switch (op->kind) {
	case OP_LOAD:
		which = choose_message(w, oldest_visible(t, w, op->order), NULL);
		if (!which)
			return false;
		take_over(t, w, which, op->order);
		op->result = message_at(w, which)->value;
		touch(t, op->p, op->size, ATOMIC_READ, op->site);
		return true;
	case OP_STORE:
		touch(t, op->p, op->size, ATOMIC_WRITE, op->site);
		publish(t, w, op->value, op->order, NULL);
		return true;
	case OP_EXCHANGE:
		take_over(t, w, which, op->order);
		op->result = message_at(w, which)->value;
		touch(t, op->p, op->size, ATOMIC_WRITE, op->site);
		publish(t, w, op->value, op->order, message_at(w, which));
		return true;
	case OP_CAS:
		which = choose_message(w, oldest_visible(t, w, op->failure), &op->expected);
		if (!which)
			return false;
		op->result = message_at(w, which)->value;
		op->done = op->result == op->expected;
		take_over(t, w, which, op->done ? op->order : op->failure);
		touch(t, op->p, op->size, op->done ? ATOMIC_WRITE : ATOMIC_READ, op->site);
		if (op->done)
			publish(t, w, op->value, op->order, message_at(w, which));
		return true;
	default:
		abort();
	}
}

/*
 * The kernel reads the word under a lock that wakes take as well: it sees at
 * least what was seen by those who have called wake on it.  Beyond that a sleep
 * orders nothing.
 */
bool memory_sleep_reads(unsigned t, struct op *op)
{
	struct word *w = find_word(op->p, op->size);
	uint32_t oldest = oldest_visible(t, w, ORDER_relaxed);

	if (oldest < w->kernel)
		oldest = w->kernel;
	uint32_t which = choose_message(w, oldest, NULL);
	if (!which)
		return false;
	take_over(t, w, which, ORDER_relaxed);
	op->result = truncate_to(op->size, message_at(w, which)->value);
	touch(t, op->p, op->size, ATOMIC_READ, op->site);
	return true;
}

/* The word may be gone: it is a key only. */
void memory_wake(unsigned t, struct op *op)
{
	for (unsigned i = 0; i < n_words; i++) {
		uint32_t seen = views[t].oldest[i];

		if (words[i].p == op->p && words[i].kernel < seen)
			words[i].kernel = seen;
	}
}
