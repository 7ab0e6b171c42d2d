/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judge: was what each access saw possible?
 *
 * Page by page the changes say which mappings it had, one after the other.  Each of them lives
 * from the begin of the call that made it to the end of the call that removed it; which one
 * an access used its entry's number tells.  Then
 *
 *	life      an access overlaps the life of the mapping that it used
 *	rights    and a time at which the mapping allowed it
 *	SIGSEGV   no mapping that allowed the access was there from before its begin until after
 *	          its end
 *	content   what is seen was written to the same content, by no write that another one
 *	          had replaced, or madvise thrown away, before the load began; and it is
 *	          what the content began as only if no write had ended before
 *
 * Content is what a page of a mapping holds, wherever mremap has moved it; or, where it is
 * shared, the page of the file.  Nothing is judged that two orders could explain.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mm.h"
#include "mm/oracle.h"

enum { NONE = -1 };

/* Writes to one content, by their ends. */
struct content {
	const struct access **writes;
	int64_t *latest; /* start of the latest write, of those so far */
	size_t n, room;
	struct {
		int64_t start, end;
	} * discards;
	size_t n_discards;
	unsigned file; /* 0: of a mapping */
	uint64_t page;
};

/* One mapping of one page. */
struct life {
	const struct change *made;
	const struct change *ended; /* NULL: not yet */
	size_t first, last;	    /* of its changes, among the page's; last is exclusive */
	int content;
};

struct page {
	uint64_t number;
	const struct change **changes;
	size_t n;
	struct life *lives;
	size_t n_lives;
};

struct court {
	struct mmshim *mm;
	struct page *pages; /* by number */
	size_t n, room;
	struct content *contents;
	size_t n_contents, contents_room;
	struct thread **writers;
	struct mmshim **spaces;
	uint32_t n_writers;
	bool no_memory;
	uint64_t checked;
};

static void *grown(struct court *court, void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	size_t more = *room ? 2 * *room : 64;
	void *bigger = realloc(array, more * size);
	if (!bigger) {
		court->no_memory = true;
		return NULL;
	}
	*room = more;
	return bigger;
}

/* ---- Logs ---- */

static const struct access *logged(const struct log *log, uint32_t i)
{
	return &log->chunks[i / CHUNK][i % CHUNK];
}

typedef void judge_fn(struct court *, const struct access *);

static void for_each_access(struct court *court, judge_fn *fn)
{
	for (struct thread *t = court->mm->threads; t; t = t->next)
		for (uint32_t i = 0; t->log && i < t->log->n; i++)
			if (logged(t->log, i)->end != INT64_MAX)
				fn(court, logged(t->log, i));
}

static void find_writers(struct court *court)
{
	struct machine *m = court->mm->machine;

	court->n_writers = rl_load(&m->n_writers, relaxed);
	court->writers = calloc(court->n_writers + 1, sizeof(*court->writers));
	court->spaces = calloc(court->n_writers + 1, sizeof(*court->spaces));
	if (!court->writers || !court->spaces) {
		court->no_memory = true;
		return;
	}
	for (struct mmshim *mm = m->spaces; mm; mm = mm->next)
		for (struct thread *t = mm->threads; t; t = t->next)
			if (t->writer < court->n_writers) {
				court->writers[t->writer] = t;
				court->spaces[t->writer] = mm;
			}
}

/* Who wrote this; NULL: a space that is gone, or nothing that was noted. */
static const struct access *writer_of(struct court *court, uint64_t tag, struct mmshim **ret_mm)
{
	uint32_t writer = (uint32_t)(tag >> 32) - 1, i = (uint32_t)tag;

	if (tag & TAG_FILE || writer >= court->n_writers || !court->writers[writer])
		return NULL;
	*ret_mm = court->spaces[writer];
	struct log *log = court->writers[writer]->log;
	return log && i < log->n ? logged(log, i) : NULL;
}

/* ---- Pages ---- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = ((const struct page *)a)->number, y = ((const struct page *)b)->number;

	return (x > y) - (x < y);
}

static void add_number(struct court *court, uint64_t number)
{
	void *pages = grown(court, court->pages, court->n, &court->room, sizeof(*court->pages));

	if (!pages)
		return;
	court->pages = pages;
	court->pages[court->n++] = (struct page){ .number = number };
}

static void add_page(struct court *court, const struct access *a)
{
	/* Runs of the same page are common. */
	if (a->op != ACCESS_FILE_STORE &&
	    !(court->n && court->pages[court->n - 1].number == a->page))
		add_number(court, a->page);
}

static void sort_pages(struct court *court)
{
	size_t n = 0;

	if (!court->n)
		return;
	qsort(court->pages, court->n, sizeof(*court->pages), by_number);
	for (size_t i = 0; i < court->n; i++)
		if (n == 0 || court->pages[n - 1].number != court->pages[i].number)
			court->pages[n++] = court->pages[i];
	court->n = n;
}

/* The first page with this number or above. */
static size_t page_from(const struct court *court, uint64_t number)
{
	size_t lo = 0, hi = court->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (court->pages[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct page *find_page(const struct court *court, uint64_t number)
{
	size_t i = page_from(court, number);

	return i < court->n && court->pages[i].number == number ? &court->pages[i] : NULL;
}

/* Where what was accessed had been before it was moved there. */
static void add_sources(struct court *court)
{
	const struct history *h = court->mm->history;
	struct court more = { .mm = court->mm };
	size_t before;

	do {
		before = court->n;
		for (size_t c = 0; c < h->n; c++) {
			const struct change *change = &h->changes[c];

			if (change->kind != CHANGE_MOVE)
				continue;
			for (size_t i = page_from(court, change->start);
			     i < court->n && court->pages[i].number < change->end; i++)
				add_number(&more,
					   court->pages[i].number - change->start + change->from);
		}
		for (size_t i = 0; i < more.n; i++)
			add_number(court, more.pages[i].number);
		more.n = 0;
		sort_pages(court);
	} while (court->n > before);
	court->no_memory = court->no_memory || more.no_memory;
	free(more.pages);
}

static void list_changes(struct court *court, bool count_only)
{
	const struct history *h = court->mm->history;

	for (size_t c = 0; c < h->n; c++)
		for (size_t i = page_from(court, h->changes[c].start);
		     i < court->n && court->pages[i].number < h->changes[c].end; i++) {
			struct page *p = &court->pages[i];

			if (!count_only)
				p->changes[p->n] = &h->changes[c];
			p->n++;
		}
	for (size_t i = 0; count_only && i < court->n; i++) {
		struct page *p = &court->pages[i];

		p->changes = malloc((p->n + 1) * sizeof(*p->changes));
		p->lives = malloc((p->n + 1) * sizeof(*p->lives));
		court->no_memory = court->no_memory || !p->changes || !p->lives;
		p->n = 0;
	}
}

static bool makes(const struct change *c)
{
	return c->kind == CHANGE_MAP || c->kind == CHANGE_MOVE;
}

static void find_lives(struct page *p)
{
	struct life *open = NULL;

	p->n_lives = 0;
	for (size_t i = 0; i < p->n; i++) {
		const struct change *c = p->changes[i];

		if (open && (makes(c) || c->kind == CHANGE_UNMAP)) {
			open->ended = c;
			open->last = i;
			open = NULL;
		}
		if (makes(c)) {
			open = &p->lives[p->n_lives++];
			*open =
			    (struct life){ .made = c, .first = i, .last = p->n, .content = NONE };
		}
	}
}

/* The mapping that the page had at a change. */
static struct life *life_at(struct page *p, uint32_t seq)
{
	struct life *life = NULL;

	for (size_t i = 0; i < p->n_lives && p->lives[i].made->seq <= seq; i++)
		life = &p->lives[i];
	return life && !(life->ended && life->ended->seq <= seq) ? life : NULL;
}

/* ---- Contents ---- */

static int new_content(struct court *court)
{
	void *contents = grown(court, court->contents, court->n_contents, &court->contents_room,
			       sizeof(*court->contents));

	if (!contents)
		return NONE;
	court->contents = contents;
	court->contents[court->n_contents] = (struct content){ 0 };
	return (int)court->n_contents++;
}

/* Shared contents are few in what is judged: a look at all of them will do. */
static int content_of_file(struct court *court, unsigned file, uint64_t page)
{
	for (size_t i = 0; i < court->n_contents; i++)
		if (court->contents[i].file == file && court->contents[i].page == page)
			return (int)i;
	int c = new_content(court);
	if (c != NONE) {
		court->contents[c].file = file;
		court->contents[c].page = page;
	}
	return c;
}

static int content_of(struct court *court, struct page *p, struct life *life)
{
	const struct change *c = life->made;

	if (life->content != NONE)
		return life->content;
	if (c->kind == CHANGE_MOVE) {
		struct page *from = find_page(court, p->number - c->start + c->from);
		struct life *before = from ? life_at(from, c->seq - 1) : NULL;

		if (before)
			return life->content = content_of(court, from, before);
	}
	if (c->file && c->flags & MMSHIM_SHARED)
		life->content =
		    content_of_file(court, c->file->id, c->offset + p->number - c->start);
	else
		life->content = new_content(court);
	return life->content;
}

static void add_write(struct court *court, int content, const struct access *a)
{
	if (content == NONE)
		return;
	struct content *c = &court->contents[content];
	void *writes = grown(court, c->writes, c->n, &c->room, sizeof(*c->writes));
	if (writes) {
		c->writes = writes;
		c->writes[c->n++] = a;
	}
}

static void add_discards(struct court *court, struct page *p)
{
	for (size_t l = 0; l < p->n_lives; l++) {
		struct life *life = &p->lives[l];

		for (size_t i = life->first; i < life->last; i++) {
			int content = p->changes[i]->kind == CHANGE_DISCARD
					  ? content_of(court, p, life)
					  : NONE;
			if (content == NONE || court->contents[content].file)
				continue;
			struct content *c = &court->contents[content];
			void *discards =
			    realloc(c->discards, (c->n_discards + 1) * sizeof(*c->discards));
			if (!discards) {
				court->no_memory = true;
				return;
			}
			c->discards = discards;
			c->discards[c->n_discards].start = p->changes[i]->call->start;
			c->discards[c->n_discards++].end = p->changes[i]->call->end;
		}
	}
}

static int by_end(const void *a, const void *b)
{
	const struct access *x = *(const struct access *const *)a;
	const struct access *y = *(const struct access *const *)b;

	return (x->end > y->end) - (x->end < y->end);
}

static void sort_writes(struct court *court)
{
	for (size_t i = 0; i < court->n_contents; i++) {
		struct content *c = &court->contents[i];

		c->latest = malloc((c->n + 1) * sizeof(*c->latest));
		if (!c->latest) {
			court->no_memory = true;
			return;
		}
		if (c->n)
			qsort(c->writes, c->n, sizeof(*c->writes), by_end);
		for (size_t w = 0; w < c->n; w++) {
			c->latest[w] = c->writes[w]->start;
			if (w > 0 && c->latest[w - 1] > c->latest[w])
				c->latest[w] = c->latest[w - 1];
		}
	}
}

/* When the latest of the writes that had ended before t began; INT64_MIN: there are none. */
static int64_t latest_before(const struct content *c, int64_t t)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c->writes[mid]->end < t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? c->latest[lo - 1] : INT64_MIN;
}

/* ---- Verdicts ---- */

static void object(struct court *court, const struct access *a, const char *why)
{
	static const char *const ops[] = { "load", "store", "write to the file" };

	rl_mm_violation(
	    court->mm, "%s of page %#llx, %lld ns long, by an entry of change %u, %s %#llx: %s",
	    ops[a->op], (unsigned long long)a->page, (long long)(a->end - a->start), a->seq,
	    a->op == ACCESS_LOAD ? "saw" : "wrote", (unsigned long long)a->tag, why);
}

static void object_to_origin(struct court *court, const struct access *a,
			     const struct access *write)
{
	char why[128];

	snprintf(why, sizeof(why), "that was written to page %#llx, by an entry of change %u",
		 (unsigned long long)write->page, write->seq);
	object(court, a, why);
}

static bool overlaps(const struct access *a, int64_t start, int64_t end)
{
	return a->start <= end && a->end >= start;
}

static int64_t end_of(const struct life *life)
{
	return life->ended ? life->ended->call->end : INT64_MAX;
}

/* Was there a time within the access at which the mapping allowed it; or, for SIGSEGV, was it
 * allowed all the time, and before, and after?  The call of a change is when it may
 * have come into force. */
static bool allowed(const struct page *p, const struct life *life, const struct access *a,
		    bool always)
{
	unsigned wanted = a->op == ACCESS_STORE ? MMSHIM_WRITE : MMSHIM_READ;
	const struct change *state = life->made;

	for (size_t i = life->first + 1; state; i++) {
		const struct change *next = i < life->last ? p->changes[i] : life->ended;

		if (i < life->last && next->kind != CHANGE_PROTECT &&
		    !(next->kind == CHANGE_MARK && always))
			continue;
		if (state->prot & wanted) {
			int64_t until = !next	 ? INT64_MAX
					: always ? next->call->start
						 : next->call->end;

			if (always ? state->call->end <= a->start && a->end <= until
				   : overlaps(a, state->call->start, until))
				return true;
		}
		state = i < life->last ? next : NULL;
	}
	return false;
}

static void judge_fault(struct court *court, const struct access *a)
{
	struct page *p = find_page(court, a->page);

	for (size_t i = 0; p && i < p->n_lives; i++)
		if (allowed(p, &p->lives[i], a, true))
			object(court, a, "SIGSEGV, though it was mapped and allowed all the time");
}

/* NULL: it was judged. */
static struct life *judge_life(struct court *court, const struct access *a)
{
	struct page *p = find_page(court, a->page);
	struct life *life = p ? life_at(p, a->seq) : NULL;

	if (!life)
		object(court, a, "the page had no mapping at that change");
	else if (a->start > end_of(life))
		object(court, a, "it began after the mapping's removal had ended");
	else if (a->end < life->made->call->start)
		object(court, a, "it ended before the mapping was made");
	else if (!allowed(p, life, a, false))
		object(court, a, "the mapping did not allow it at any time");
	else
		return life;
	return NULL;
}

static bool discarded_between(const struct content *c, int64_t after, int64_t before)
{
	for (size_t i = 0; i < c->n_discards; i++)
		if (c->discards[i].end > after && c->discards[i].start < before)
			return true;
	return false;
}

/* What the content began as. */
static void judge_beginning(struct court *court, const struct access *a, const struct content *c)
{
	int64_t latest = latest_before(c, a->start);

	if (latest != INT64_MIN && !discarded_between(c, latest, a->end))
		object(court, a, "a fresh page, though a store to it had ended before");
}

static void judge_written(struct court *court, const struct access *a, const struct content *c,
			  const struct access *write)
{
	if (latest_before(c, a->start) > write->end)
		object(court, a, "a later store had ended before it began");
	for (size_t i = 0; i < c->n_discards; i++)
		if (write->end < c->discards[i].start && c->discards[i].end < a->start)
			object(court, a, "madvise had thrown that away");
}

static bool is_inherited(const struct court *court, const struct life *life)
{
	const struct history *h = court->mm->history;

	return h->is_child && life->made->call == h->changes[0].call;
}

static int content_of_access(struct court *court, const struct access *a)
{
	struct page *p;

	if (a->op == ACCESS_FILE_STORE)
		return content_of_file(court, a->seq, a->page);
	p = find_page(court, a->page);
	struct life *life = p ? life_at(p, a->seq) : NULL;
	return life ? content_of(court, p, life) : NONE;
}

static void judge_content(struct court *court, const struct access *a, struct life *life)
{
	struct mmshim *whose = NULL;
	struct page *p = find_page(court, a->page);
	int content = content_of(court, p, life);
	const struct access *write = writer_of(court, a->tag, &whose);
	const struct change *made = life->made;

	if (a->tag == TAG_UNLOGGED || content == NONE)
		return;
	const struct content *c = &court->contents[content];
	if (a->tag == 0 && !made->file) {
		judge_beginning(court, a, c);
	} else if (a->tag & TAG_FILE && made->file) {
		if (made->kind == CHANGE_MAP &&
		    a->tag != tag_of_file(made->file->id, made->offset + a->page - made->start))
			object(court, a, "that is another page of a file");
		judge_beginning(court, a, c);
	} else if (write && whose == court->mm) {
		int of = content_of_access(court, write);

		c = &court->contents[content]; /* it may have moved */
		if (of == content)
			judge_written(court, a, c, write);
		else if (of != NONE && court->contents[of].file && made->file)
			judge_beginning(court, a, c); /* the file, below a private mapping */
		else
			object_to_origin(court, a, write);
	} else if (write && made->file) {
		if (!c->file) /* it is the file's, or was the parent's */
			judge_beginning(court, a, c);
	} else if (write && (is_inherited(court, life) || made->kind == CHANGE_MOVE)) {
		if (write->start > court->mm->history->forked)
			object(court, a, "written by another process after the fork");
		judge_beginning(court, a, c);
	} else if (a->tag == 0 || (!made->file && (write || !is_inherited(court, life)))) {
		/* else it was one whose space is gone, and his log with it */
		object(court, a, "nobody wrote that there");
	}
}

/* ---- In order ---- */

static void note_write(struct court *court, const struct access *a)
{
	if (!a->error && a->op != ACCESS_LOAD)
		add_write(court, content_of_access(court, a), a);
}

static void judge(struct court *court, const struct access *a)
{
	if (a->error == EAGAIN || a->error == ENOMEM || a->error == EIO)
		return;
	court->checked++;
	if (a->error == EFAULT) {
		judge_fault(court, a);
	} else if (a->op != ACCESS_FILE_STORE) {
		struct life *life = judge_life(court, a);

		if (life && a->op == ACCESS_LOAD)
			judge_content(court, a, life);
	}
}

static void close_court(struct court *court)
{
	for (size_t i = 0; i < court->n; i++) {
		free(court->pages[i].changes);
		free(court->pages[i].lives);
	}
	for (size_t i = 0; i < court->n_contents; i++) {
		free(court->contents[i].writes);
		free(court->contents[i].latest);
		free(court->contents[i].discards);
	}
	free(court->pages);
	free(court->contents);
	free(court->writers);
	free(court->spaces);
}

int rl_mm_judge(struct mmshim *mm, uint64_t *ret_checked)
{
	struct court court = { .mm = mm };

	find_writers(&court);
	for_each_access(&court, add_page);
	sort_pages(&court);
	add_sources(&court);
	list_changes(&court, true);
	if (!court.no_memory) {
		list_changes(&court, false);
		for (size_t i = 0; i < court.n; i++)
			find_lives(&court.pages[i]);
		for (size_t i = 0; i < court.n; i++) /* which may look at any page's lives */
			add_discards(&court, &court.pages[i]);
		for_each_access(&court, note_write);
		sort_writes(&court);
	}
	if (!court.no_memory)
		for_each_access(&court, judge);
	close_court(&court);
	*ret_checked = court.checked;
	return court.no_memory ? ENOMEM : 0;
}
