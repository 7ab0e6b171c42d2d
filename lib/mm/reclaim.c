/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reclaim: a clock over all frames, with a second chance for what was accessed.
 *
 * It is called by those who hold ranges, and so it only tries: a page whose range
 * somebody holds, a leaf or a file that is locked, is left alone.  Who finds nothing while
 * he holds something gives that up, and comes again; if there was something that was busy, he
 * takes his time.
 */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "mm/mm.h"
#include "mm/oracle.h"

static struct mmshim *space_of(struct machine *m, uint64_t owner)
{
	struct mmshim *mm = m->spaces;

	while (mm && mm->id != owner >> 36)
		mm = mm->next;
	return mm;
}

/* The entry is exclusively ours, the leaf being locked.  What is clean was never written and is
 * made of nothing again. */
static bool evict(struct mmshim *mm, _Atomic uint64_t *e, uint64_t address, uint32_t frame)
{
	struct machine *m = mm->machine;
	uint64_t entry = rl_load(e, relaxed);
	uint32_t slot = 0;

	if (entry & E_ACCESSED) {
		rl_cas(e, &entry, entry & ~(uint64_t)E_ACCESSED, relaxed, relaxed);
		return false;
	}
	entry = rl_exchange(e, 0, acq_rel);
	rl_mm_shoot_down(mm, address, address + MMSHIM_PAGE);
	if (entry & E_DIRTY) {
		slot = rl_mm_slot_get(m, frame);
		if (!slot) {
			rl_store(e, entry, release);
			return false;
		}
		rl_store(e, entry_of(slot, entry_seq(entry), E_SWAPPED), release);
		rl_mm_count(mm, C_SWAPPED_OUT);
	}
	rl_mm_add(&rl_mm_frame(m, frame)->maps, -1, relaxed);
	rl_mm_frame_put(mm, frame);
	rl_mm_count(mm, C_RECLAIMED);
	return true;
}

static bool evict_if_there(struct mmshim *mm, uint64_t address, uint32_t frame)
{
	struct frame *f = rl_mm_frame(mm->machine, frame);
	bool evicted = false;

	rl_mm_read_lock();
	struct table *leaf = rl_mm_leaf(mm, address, false);
	if (leaf && pthread_mutex_trylock(&leaf->lock)) {
		mm->machine->busy = true;
	} else if (leaf) {
		_Atomic uint64_t *e = &leaf->e[slot_of(0, address)];
		uint64_t entry = rl_load(e, acquire);

		/* One reference is the entry's: pins are taken under the leaf's lock. */
		if (entry & E_PRESENT && entry_frame(entry) == frame &&
		    rl_load(&f->refs, acquire) == 1)
			evicted = evict(mm, e, address, frame);
		pthread_mutex_unlock(&leaf->lock);
	}
	rl_mm_read_unlock();
	return evicted;
}

static bool try_anonymous(struct machine *m, uint32_t frame, uint64_t owner)
{
	struct mmshim *mm = space_of(m, owner);
	uint64_t address = (owner & ((UINT64_C(1) << 36) - 1)) << PAGE_SHIFT;
	struct hold hold = { 0 };
	struct vma_attr a;

	if (!mm || rl_load(&mm->pinned, acquire))
		return false;
	if (!rl_mm_lookup(mm, address, &a) || a.flags & MMSHIM_LOCKED)
		return false;
	if (!mm->protocol->try_page(mm, &hold, address)) {
		rl_mm_count(mm, C_BUSY_RANGE);
		m->busy = true;
		return false;
	}
	bool evicted = evict_if_there(mm, address, frame);
	mm->protocol->unlock(mm, &hold);
	return evicted;
}

static bool try_frame(struct mmshim *mm, uint32_t frame)
{
	struct machine *m = mm->machine;
	struct frame *f = rl_mm_frame(m, frame);
	struct mmshim_file *file = rl_load(&f->file, acquire);
	uint64_t owner = rl_load(&f->owner, acquire);

	if (rl_load(&f->refs, relaxed) != 1)
		return false;
	if (!file)
		return owner && try_anonymous(m, frame, owner);
	if (!rl_mm_file_drop(file, rl_load(&f->file_page, relaxed), frame))
		return false;
	rl_mm_frame_put(mm, frame);
	rl_mm_count(mm, C_RECLAIMED);
	return true;
}

/* spaces_lock is held: no space goes away. */
static enum reclaimed reclaim(struct mmshim *mm, unsigned n)
{
	struct machine *m = mm->machine;
	unsigned got = 0;

	m->busy = false;
	for (uint32_t i = 0; got < n && i < 2 * m->n_frames; i++) {
		m->hand = m->hand % m->n_frames + 1;
		got += try_frame(mm, m->hand);
	}
	return got ? RECLAIM_DONE : m->busy ? RECLAIM_BUSY : RECLAIM_NOTHING;
}

enum reclaimed rl_mm_reclaim(struct mmshim *mm, unsigned n)
{
	struct machine *m = mm->machine;

	if (rl_load(&m->n_free, relaxed) > 0)
		return RECLAIM_DONE;
	pthread_mutex_lock(&m->spaces_lock);
	enum reclaimed done = rl_load(&m->n_free, relaxed) > 0 ? RECLAIM_DONE : reclaim(mm, n);
	pthread_mutex_unlock(&m->spaces_lock);
	return done;
}

int rl_mm_wait_for_memory(struct mmshim *mm, unsigned *attempts)
{
	const unsigned patience = 200, some = 8;
	const struct timespec a_moment = { .tv_nsec = 1000000 };
	enum reclaimed done = rl_mm_reclaim(mm, 8);

	if (++*attempts > (done == RECLAIM_NOTHING ? some : patience))
		return ENOMEM;
	if (done == RECLAIM_BUSY)
		nanosleep(&a_moment, NULL);
	else if (done == RECLAIM_NOTHING)
		sched_yield(); /* others may be about to give some back */
	return 0;
}

/* ---- In the background ---- */

void rl_mm_memory_is_low(struct machine *m)
{
	if (!m->has_background)
		return;
	pthread_mutex_lock(&m->wake_lock);
	m->low = true;
	pthread_cond_signal(&m->wake);
	pthread_mutex_unlock(&m->wake_lock);
}

void *rl_mm_reclaim_in_background(void *arg)
{
	struct machine *m = arg;

	pthread_mutex_lock(&m->wake_lock);
	while (!m->stop) {
		if (!m->low) {
			pthread_cond_wait(&m->wake, &m->wake_lock);
			continue;
		}
		m->low = false;
		pthread_mutex_unlock(&m->wake_lock);
		pthread_mutex_lock(&m->spaces_lock);
		if (m->spaces && rl_load(&m->n_free, relaxed) < m->n_frames / 16)
			reclaim(m->spaces, m->n_frames / 16);
		pthread_mutex_unlock(&m->spaces_lock);
		pthread_mutex_lock(&m->wake_lock);
	}
	pthread_mutex_unlock(&m->wake_lock);
	return NULL;
}
