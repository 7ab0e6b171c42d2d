/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory: frames, swap slots, and the machine that address spaces share after a fork. */
#include <errno.h>
#include <stdlib.h>

#include "mm/mm.h"
#include "mm/oracle.h"

/* ---- Frames ---- */

static uint32_t pop_frame(struct machine *m)
{
	pthread_mutex_lock(&m->frames_lock);
	uint32_t frame = m->first_free;
	if (frame) {
		m->first_free = m->frames[frame].next_free;
		rl_store(&m->n_free, rl_load(&m->n_free, relaxed) - 1, relaxed);
	}
	pthread_mutex_unlock(&m->frames_lock);
	return frame;
}

uint32_t rl_mm_frame_get(struct mmshim *mm, uint64_t address)
{
	struct machine *m = mm->machine;

	if (rl_mm_point(mm, MMSHIM_IN_ALLOC, address))
		return 0;
	uint32_t frame = pop_frame(m);
	if (rl_load(&m->n_free, relaxed) < m->n_frames / 16)
		rl_mm_memory_is_low(m);
	if (!frame)
		return 0;

	struct frame *f = rl_mm_frame(m, frame);
	rl_store(&f->tag, 0, relaxed);
	rl_store(&f->word, 0, relaxed);
	rl_store(&f->owner, 0, relaxed);
	rl_store(&f->dirty, 0, relaxed);
	rl_store(&f->file, NULL, relaxed);
	rl_store(&f->state, FRAME_USED, relaxed);
	rl_store(&f->refs, 1, release);
	return frame;
}

void rl_mm_frame_put(struct mmshim *mm, uint32_t frame)
{
	struct machine *m = mm->machine;
	struct frame *f = rl_mm_frame(m, frame);
	/* acq_rel: who frees comes after all who used it */
	int32_t refs = rl_mm_add(&f->refs, -1, acq_rel) - 1;

	if (refs > 0)
		return;
	if (refs < 0 || rl_load(&f->state, relaxed) != FRAME_USED || rl_load(&f->maps, relaxed)) {
		rl_mm_violation(mm, "frame %u is given back: %d references, mapped %d times, %s",
				frame, refs, rl_load(&f->maps, relaxed),
				rl_load(&f->state, relaxed) == FRAME_USED ? "in use" : "free");
		return;
	}
	if (mm->mutant == MUTANT_LOST_FRAME && frame % 8 == 0)
		return;
	rl_store(&f->state, FRAME_FREE, relaxed);
	pthread_mutex_lock(&m->frames_lock);
	f->next_free = m->first_free;
	m->first_free = frame;
	rl_store(&m->n_free, rl_load(&m->n_free, relaxed) + 1, relaxed);
	pthread_mutex_unlock(&m->frames_lock);
}

void rl_mm_frame_copy(struct machine *m, uint32_t to, uint32_t from)
{
	rl_store(&rl_mm_frame(m, to)->tag, rl_load(&rl_mm_frame(m, from)->tag, acquire), relaxed);
	rl_store(&rl_mm_frame(m, to)->word, rl_load(&rl_mm_frame(m, from)->word, relaxed), relaxed);
}

uint64_t rl_mm_owner(const struct mmshim *mm, uint64_t address)
{
	return mm->id << 36 | page_of(address);
}

/* ---- Swap ---- */

uint32_t rl_mm_slot_get(struct machine *m, uint32_t frame)
{
	pthread_mutex_lock(&m->swap_lock);
	uint32_t slot = m->first_free_slot;
	if (slot) {
		struct slot *s = &m->slots[slot];

		m->first_free_slot = s->next_free;
		m->n_free_slots--;
		s->refs = 1;
		s->tag = rl_load(&rl_mm_frame(m, frame)->tag, acquire);
		s->word = rl_load(&rl_mm_frame(m, frame)->word, relaxed);
	}
	pthread_mutex_unlock(&m->swap_lock);
	return slot;
}

void rl_mm_slot_read(struct machine *m, uint32_t slot, uint32_t into)
{
	pthread_mutex_lock(&m->swap_lock);
	rl_store(&rl_mm_frame(m, into)->tag, m->slots[slot].tag, relaxed);
	rl_store(&rl_mm_frame(m, into)->word, m->slots[slot].word, relaxed);
	pthread_mutex_unlock(&m->swap_lock);
}

void rl_mm_slot_put(struct machine *m, uint32_t slot)
{
	pthread_mutex_lock(&m->swap_lock);
	struct slot *s = &m->slots[slot];
	if (--s->refs == 0) {
		s->next_free = m->first_free_slot;
		m->first_free_slot = slot;
		m->n_free_slots++;
	}
	pthread_mutex_unlock(&m->swap_lock);
}

void rl_mm_slot_share(struct machine *m, uint32_t slot)
{
	pthread_mutex_lock(&m->swap_lock);
	m->slots[slot].refs++;
	pthread_mutex_unlock(&m->swap_lock);
}

/* ---- The machine ---- */

static void init_locks(struct machine *m)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&m->frames_lock, NULL);
	pthread_mutex_init(&m->swap_lock, NULL);
	pthread_mutex_init(&m->pool_lock, NULL);
	pthread_mutex_init(&m->files_lock, NULL);
	pthread_mutex_init(&m->spaces_lock, NULL);
	pthread_mutex_init(&m->wake_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_cond_init(&m->wake, &attr);
	pthread_condattr_destroy(&attr);
}

static void machine_free(struct machine *m)
{
	pthread_mutex_destroy(&m->frames_lock);
	pthread_mutex_destroy(&m->swap_lock);
	pthread_mutex_destroy(&m->pool_lock);
	pthread_mutex_destroy(&m->files_lock);
	pthread_mutex_destroy(&m->spaces_lock);
	pthread_mutex_destroy(&m->wake_lock);
	pthread_cond_destroy(&m->wake);
	free(m->frames);
	free(m->slots);
	free(m);
}

int rl_mm_machine_new(const struct mmshim_config *config, struct machine **ret)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m)
		return ENOMEM;
	init_locks(m);
	m->n_frames = config->frames ? config->frames : 1 << 20;
	m->n_slots = config->swap;
	m->frames = calloc((size_t)m->n_frames + 1, sizeof(*m->frames));
	m->slots = calloc((size_t)m->n_slots + 1, sizeof(*m->slots));
	if (!m->frames || !m->slots) {
		machine_free(m);
		return ENOMEM;
	}
	/* Number 0 is none. */
	for (uint32_t i = m->n_frames; i > 0; i--) {
		m->frames[i].next_free = m->first_free;
		m->first_free = i;
	}
	for (uint32_t i = m->n_slots; i > 0; i--) {
		m->slots[i].next_free = m->first_free_slot;
		m->first_free_slot = i;
	}
	rl_store(&m->n_free, m->n_frames, relaxed);
	m->n_free_slots = m->n_slots;
	rl_store(&m->users, 1, relaxed);
	if (config->flags & MMSHIM_BACKGROUND)
		m->has_background =
		    pthread_create(&m->background, NULL, rl_mm_reclaim_in_background, m) == 0;
	*ret = m;
	return 0;
}

void rl_mm_machine_put(struct machine *m, bool *ret_balanced)
{
	*ret_balanced = true;
	if (rl_mm_add(&m->users, -1, acq_rel) != 1)
		return;
	if (m->has_background) {
		pthread_mutex_lock(&m->wake_lock);
		m->stop = true;
		pthread_cond_signal(&m->wake);
		pthread_mutex_unlock(&m->wake_lock);
		pthread_join(m->background, NULL);
	}
	rl_mm_files_end(m);
	*ret_balanced = rl_load(&m->n_free, relaxed) == m->n_frames &&
			m->n_free_slots == m->n_slots;
	rl_mm_pool_end(m);
	machine_free(m);
}
