/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What instructions do: translate, fault if there is no entry, and access; and what others do on
 * their behalf: look into their memory (ps), copy it to a file (write(2)).
 */
#include <errno.h>

#include "mm/mm.h"
#include "mm/oracle.h"

/* ---- Translation ---- */

/* The walk that a TLB miss makes: no lock, but the thread's own TLB. */
static bool walk(struct mmshim *mm, uint64_t address, unsigned prot, uint64_t *ret_entry)
{
	uint64_t marks = E_ACCESSED | (prot == MMSHIM_WRITE ? E_DIRTY : 0);
	bool found = false;

	rl_mm_read_lock();
	struct table *leaf = rl_mm_leaf(mm, address, false);
	if (leaf) {
		_Atomic uint64_t *e = &leaf->e[slot_of(0, address)];
		uint64_t entry = rl_load(e, acquire); /* M2 */

		while (entry & E_PRESENT && (prot != MMSHIM_WRITE || entry & E_WRITABLE)) {
			found = (entry & marks) == marks ||
				rl_cas(e, &entry, entry | marks, acq_rel, acquire);
			if (found) {
				*ret_entry = entry | marks;
				break;
			}
		}
	}
	rl_mm_read_unlock();
	return found;
}

/* Under me->tlb_lock: until it is given up, what is found stays valid (M3). */
static bool translate(struct mmshim *mm, struct thread *me, uint64_t address, unsigned prot,
		      uint64_t *ret_entry)
{
	struct tlb_entry *cached = &me->tlb[page_of(address) % TLB_SIZE];
	const unsigned for_write = E_WRITABLE | E_DIRTY;

	if (cached->page == page_of(address) &&
	    (prot != MMSHIM_WRITE || (cached->entry & for_write) == for_write)) {
		*ret_entry = cached->entry;
		return true;
	}
	if (!walk(mm, address, prot, ret_entry))
		return false;
	*cached = (struct tlb_entry){ page_of(address), *ret_entry };
	return true;
}

static void look_for_ghosts(struct mmshim *mm, uint64_t address, uint64_t entry)
{
	struct frame *f = rl_mm_frame(mm->machine, entry_frame(entry));

	if (rl_load(&f->state, relaxed) != FRAME_USED)
		rl_mm_violation(mm, "page %#llx is accessed in frame %u, which is free",
				(unsigned long long)page_of(address), entry_frame(entry));
}

struct access_of {
	uint64_t word; /* to be stored, or seen */
	uint64_t tag;
	uint64_t entry;
};

static void perform(struct machine *m, unsigned prot, struct access_of *a)
{
	struct frame *f = rl_mm_frame(m, entry_frame(a->entry));

	if (prot == MMSHIM_WRITE) {
		rl_store(&f->word, a->word, relaxed);
		/* seq_cst: what others see has changed before this one's end is noted */
		rl_exchange(&f->tag, a->tag, seq_cst);
	} else {
		a->tag = rl_load(&f->tag, acquire);
		a->word = rl_load(&f->word, relaxed);
	}
}

static bool try_access(struct mmshim *mm, struct thread *me, uint64_t address, unsigned prot,
		       struct access_of *a)
{
	pthread_mutex_lock(&me->tlb_lock);
	bool done = translate(mm, me, address, prot, &a->entry);
	if (done) {
		if (mm->history)
			look_for_ghosts(mm, address, a->entry);
		perform(mm->machine, prot, a);
	}
	pthread_mutex_unlock(&me->tlb_lock);
	return done;
}

/* ---- Faults, as they are counted ---- */

static unsigned bucket_of(uint64_t ns)
{
	unsigned log = ns < 8 ? 3 : 63 - (unsigned)__builtin_clzll(ns);

	return log * 8 + ((ns >> (log - 3)) & 7);
}

static void note_time(struct thread *me, uint64_t ns)
{
	_Atomic uint64_t *b = &me->histogram[bucket_of(ns)];

	rl_store(b, rl_load(b, relaxed) + 1, relaxed);
	if (ns > rl_load(&me->fault_max, relaxed))
		rl_store(&me->fault_max, ns, relaxed);
}

static int fault(struct mmshim *mm, struct thread *me, uint64_t address, unsigned prot)
{
	int64_t since = mm->config.flags & MMSHIM_TIMES ? rl_mm_now() : 0;
	struct fault f = { .address = address, .prot = prot, .birth = UINT32_MAX };
	int error = mm->protocol->fault(mm, &f);

	if (since)
		note_time(me, (uint64_t)(rl_mm_now() - since));
	rl_mm_count(mm, C_FAULTS);
	return error;
}

static bool is_address(uint64_t address)
{
	return address >= MMSHIM_PAGE && address < MMSHIM_TOP;
}

static int access_by(struct mmshim *mm, uint64_t address, unsigned prot, uint64_t *word)
{
	struct thread *me = rl_mm_self(mm);
	struct access_of a = { .word = *word };
	int error = 0;

	if (!me)
		return ENOMEM;
	struct access *noted = rl_mm_access_begin(
	    mm, me, prot == MMSHIM_WRITE ? ACCESS_STORE : ACCESS_LOAD, page_of(address), &a.tag);
	while (!error && !(is_address(address) && try_access(mm, me, address, prot, &a)))
		error = is_address(address) ? fault(mm, me, address, prot) : EFAULT;
	rl_mm_access_end(noted, error, a.tag, a.entry);
	if (error == EFAULT)
		rl_mm_count(mm, C_SEGV);
	if (!error)
		*word = a.word;
	return error;
}

int mmshim_load(struct mmshim *mm, uint64_t address, uint64_t *ret_word)
{
	uint64_t word = 0;
	int error = mm && ret_word ? access_by(mm, address, MMSHIM_READ, &word) : EINVAL;

	if (!error)
		*ret_word = word;
	return error;
}

int mmshim_store(struct mmshim *mm, uint64_t address, uint64_t word)
{
	return mm ? access_by(mm, address, MMSHIM_WRITE, &word) : EINVAL;
}

int mmshim_fault(struct mmshim *mm, uint64_t address, unsigned prot)
{
	struct thread *me = mm ? rl_mm_self(mm) : NULL;

	if (!mm || (prot != MMSHIM_READ && prot != MMSHIM_WRITE))
		return EINVAL;
	if (!me)
		return ENOMEM;
	return is_address(address) ? fault(mm, me, address, prot) : EFAULT;
}

/* ---- On behalf of others ---- */

/* The frame of a page, with a reference: what get_user_pages() does.  0: there is none. */
static uint32_t pin(struct mmshim *mm, uint64_t address, uint64_t *ret_entry)
{
	uint32_t frame = 0;

	rl_mm_read_lock();
	struct table *leaf = rl_mm_leaf(mm, address, false);
	if (leaf) {
		pthread_mutex_lock(&leaf->lock);
		uint64_t entry = rl_load(&leaf->e[slot_of(0, address)], acquire);
		if (entry & E_PRESENT) {
			*ret_entry = entry;
			frame = entry_frame(entry);
			rl_mm_add(&rl_mm_frame(mm->machine, frame)->refs, 1, relaxed);
		}
		pthread_mutex_unlock(&leaf->lock);
	}
	rl_mm_read_unlock();
	return frame;
}

static int fault_and_pin(struct mmshim *mm, uint64_t address, uint32_t *ret_frame,
			 uint64_t *ret_entry)
{
	struct thread *me = rl_mm_self(mm);
	int error = is_address(address) ? 0 : EFAULT;

	while (!error && !(*ret_frame = pin(mm, address, ret_entry)))
		error = me ? fault(mm, me, address, MMSHIM_READ) : ENOMEM;
	return error;
}

int mmshim_remote_read(struct mmshim *mm, uint64_t address, uint64_t *ret_word)
{
	struct access_of a = { 0 };
	uint32_t frame;

	if (!mm || !ret_word)
		return EINVAL;
	if (!rl_mm_self(mm))
		return ENOMEM;
	struct access *noted =
	    rl_mm_access_begin(mm, rl_mm_self(mm), ACCESS_LOAD, page_of(address), &a.tag);
	int error = fault_and_pin(mm, address, &frame, &a.entry);
	if (!error) {
		perform(mm->machine, MMSHIM_READ, &a);
		rl_mm_frame_put(mm, frame);
		*ret_word = a.word;
	}
	rl_mm_access_end(noted, error, a.tag, a.entry);
	return error;
}

/* ---- write(2): from memory to a file ---- */

/* One page into the file's cache. */
static int commit_write(struct mmshim *mm, struct mmshim_file *file, uint64_t page, uint64_t word)
{
	struct access_of a = { .word = word };
	uint32_t frame = 0;
	unsigned attempts = 0;
	int error;

	struct access *noted =
	    rl_mm_access_begin(mm, rl_mm_self(mm), ACCESS_FILE_STORE, page, &a.tag);
	do
		error = rl_mm_file_get(mm, file, page, true, &frame);
	while (error == RETRY_MEMORY && !(error = rl_mm_wait_for_memory(mm, &attempts)));
	if (!error) {
		a.entry = entry_of(frame, file->id, 0);
		perform(mm->machine, MMSHIM_WRITE, &a);
		rl_store(&rl_mm_frame(mm->machine, frame)->dirty, 1, release);
		rl_mm_frame_put(mm, frame);
	}
	rl_mm_access_end(noted, error, a.tag, a.entry);
	return error;
}

/* Copy a page with faults off; false: it was not there. */
static bool copy_atomically(struct mmshim *mm, uint64_t address, uint64_t *ret_word)
{
	struct access_of a = { 0 };
	struct thread *me = rl_mm_self(mm);
	struct access *noted = rl_mm_access_begin(mm, me, ACCESS_LOAD, page_of(address), &a.tag);
	bool copied = try_access(mm, me, address, MMSHIM_READ, &a);

	rl_mm_access_end(noted, copied ? 0 : EAGAIN, a.tag, a.entry);
	*ret_word = a.word;
	return copied;
}

/* A fault by one who holds the page for read. */
static int fault_inside(struct mmshim *mm, const struct hold *outer, uint64_t address)
{
	struct vma_attr a;
	struct hold inner = { 0 };
	uint64_t start = address & ~(MMSHIM_PAGE - 1);

	if (mm->protocol->lock_nested)
		mm->protocol->lock_nested(mm, &inner, start, start + MMSHIM_PAGE, outer);
	const struct fault f = { .address = address, .prot = MMSHIM_READ, .birth = UINT32_MAX };
	int error = rl_mm_lookup(mm, address, &a) ? rl_mm_handle_fault(mm, &a, &f) : EFAULT;
	if (mm->protocol->lock_nested)
		mm->protocol->unlock(mm, &inner);
	return error;
}

static int copy_in_range(struct mmshim *mm, uint64_t address, uint64_t *ret_word)
{
	struct hold hold = { 0 };
	uint64_t start = address & ~(MMSHIM_PAGE - 1);
	unsigned attempts = 0;
	int error = 0;

	if (!is_address(address))
		return EFAULT;
	do {
		mm->protocol->lock_range(mm, &hold, start, start + MMSHIM_PAGE, false);
		while (!(error = fault_inside(mm, &hold, address)) &&
		       !copy_atomically(mm, address, ret_word))
			;
		mm->protocol->unlock(mm, &hold);
	} while (error == RETRY_MEMORY && !(error = rl_mm_wait_for_memory(mm, &attempts)));
	return error;
}

static int copy_pinned(struct mmshim *mm, uint64_t address, uint64_t *ret_word)
{
	struct access_of a = { 0 };
	uint32_t frame;
	struct access *noted =
	    rl_mm_access_begin(mm, rl_mm_self(mm), ACCESS_LOAD, page_of(address), &a.tag);
	int error = fault_and_pin(mm, address, &frame, &a.entry);

	if (!error) {
		perform(mm->machine, MMSHIM_READ, &a);
		rl_mm_frame_put(mm, frame);
		*ret_word = a.word;
	}
	rl_mm_access_end(noted, error, a.tag, a.entry);
	return error;
}

static int copy_with_faults(struct mmshim *mm, uint64_t address, uint64_t *ret_word)
{
	int error = is_address(address) ? 0 : EFAULT;

	while (!error && !copy_atomically(mm, address, ret_word))
		error = fault(mm, rl_mm_self(mm), address, MMSHIM_READ);
	return error;
}

static int copy_page(struct mmshim *mm, uint64_t address, uint64_t *ret_word)
{
	switch (mm->config.copy) {
	case MMSHIM_COPY_RANGE:
		return copy_in_range(mm, address, ret_word);
	case MMSHIM_COPY_PIN_PAGES:
		return copy_pinned(mm, address, ret_word);
	default:
		return copy_with_faults(mm, address, ret_word);
	}
}

int mmshim_file_write(struct mmshim *mm, struct mmshim_file *file, uint64_t offset,
		      uint64_t address, uint64_t length)
{
	uint64_t page = page_of(offset), n = page_of(length + MMSHIM_PAGE - 1), word = 0;
	bool pins = mm && mm->config.copy == MMSHIM_COPY_PIN_MM;
	int error = 0;

	if (!mm || !file || file->machine != mm->machine || offset % MMSHIM_PAGE || !length ||
	    length > MMSHIM_TOP || page >= file->n || n > file->n - page)
		return EINVAL;
	if (!rl_mm_self(mm))
		return ENOMEM;
	if (pins) { /* then fault all in, so that the copies find them */
		rl_mm_add(&mm->pinned, 1, acq_rel);
		for (uint64_t i = 0; !error && i < n; i++)
			error = mmshim_fault(mm, address + i * MMSHIM_PAGE, MMSHIM_READ);
	}
	for (uint64_t i = 0; !error && i < n; i++) {
		error = copy_page(mm, address + i * MMSHIM_PAGE, &word);
		if (!error)
			error = commit_write(mm, file, page + i, word);
	}
	if (pins)
		rl_mm_add(&mm->pinned, -1, acq_rel);
	return error;
}
