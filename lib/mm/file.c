/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files and their page cache.  A page is locked (busy) while it is read from the "disk", which
 * takes config.io_ns; whoever wants it meanwhile waits, or is told to come again.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "mm/mm.h"
#include "mm/oracle.h"

int mmshim_file_open(struct mmshim *mm, uint64_t pages, unsigned flags, struct mmshim_file **ret)
{
	if (!mm || !ret || !pages || pages > UINT64_C(1) << 28 || flags & ~MMSHIM_CONVERTED)
		return EINVAL;

	struct machine *m = mm->machine;
	struct mmshim_file *file = calloc(1, sizeof(*file) + pages * sizeof(file->pages[0]));
	if (!file)
		return ENOMEM;
	file->machine = m;
	file->flags = flags;
	file->n = pages;
	pthread_mutex_init(&file->lock, NULL);
	pthread_cond_init(&file->changed, NULL);

	pthread_mutex_lock(&m->files_lock);
	file->id = ++m->n_files;
	file->next = m->files;
	m->files = file;
	pthread_mutex_unlock(&m->files_lock);
	for (uint64_t i = 0; i < pages; i++)
		file->pages[i].disk_tag = tag_of_file(file->id, i);
	*ret = file;
	return 0;
}

void rl_mm_files_end(struct machine *m)
{
	while (m->files) {
		struct mmshim_file *file = m->files;

		for (uint64_t i = 0; i < file->n; i++) {
			struct frame *f = rl_mm_frame(m, file->pages[i].frame);

			if (!file->pages[i].frame)
				continue;
			/* the cache's own reference is the last one */
			if (rl_load(&f->refs, relaxed) == 1)
				rl_store(&m->n_free, rl_load(&m->n_free, relaxed) + 1, relaxed);
		}
		m->files = file->next;
		pthread_mutex_destroy(&file->lock);
		pthread_cond_destroy(&file->changed);
		free(file);
	}
}

static void take_time(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000),
			      .tv_nsec = (long)(ns % 1000000000) };

	while (ns && nanosleep(&t, &t) && errno == EINTR)
		;
}

/* The page is busy, and ours. */
static int read_page(struct mmshim *mm, struct mmshim_file *file, uint64_t page,
		     uint32_t *ret_frame)
{
	int error = rl_mm_point(mm, MMSHIM_IN_IO, page << PAGE_SHIFT);

	if (error)
		return error;
	uint32_t frame = rl_mm_frame_get(mm, page << PAGE_SHIFT);
	if (!frame)
		return RETRY_MEMORY;
	take_time(mm->config.io_ns);
	struct frame *f = rl_mm_frame(mm->machine, frame);
	rl_store(&f->file_page, page, relaxed);
	rl_store(&f->file, file, release);
	rl_store(&f->word, file->pages[page].disk_word, relaxed);
	rl_store(&f->tag, file->pages[page].disk_tag, relaxed);
	*ret_frame = frame;
	rl_mm_count(mm, C_MAJOR);
	return 0;
}

int rl_mm_file_get(struct mmshim *mm, struct mmshim_file *file, uint64_t page, bool may_wait,
		   uint32_t *ret_frame)
{
	int error = 0;

	if (page >= file->n)
		return EIO;
	struct file_page *p = &file->pages[page];
	pthread_mutex_lock(&file->lock);
	while (p->busy && may_wait)
		pthread_cond_wait(&file->changed, &file->lock);
	if (!p->frame && !may_wait) {
		error = RETRY_IO;
	} else if (!p->frame) {
		uint32_t frame = 0;

		p->busy = true;
		pthread_mutex_unlock(&file->lock);
		error = read_page(mm, file, page, &frame);
		pthread_mutex_lock(&file->lock);
		p->busy = false;
		p->frame = frame;
		pthread_cond_broadcast(&file->changed);
	}
	if (!error) {
		rl_mm_add(&rl_mm_frame(mm->machine, p->frame)->refs, 1, relaxed);
		*ret_frame = p->frame;
	}
	pthread_mutex_unlock(&file->lock);
	return error;
}

bool rl_mm_file_drop(struct mmshim_file *file, uint64_t page, uint32_t frame)
{
	struct file_page *p = &file->pages[page];
	struct frame *f = rl_mm_frame(file->machine, frame);
	bool dropped = false;

	if (pthread_mutex_trylock(&file->lock))
		return false;
	/* References are taken under the file's lock, or from an entry: with none but the
	 * cache's there is nobody who could take one. */
	if (!p->busy && p->frame == frame && rl_load(&f->refs, acquire) == 1) {
		if (rl_load(&f->dirty, relaxed)) {
			p->disk_word = rl_load(&f->word, relaxed);
			p->disk_tag = rl_load(&f->tag, relaxed);
		}
		p->frame = 0;
		dropped = true;
	}
	pthread_mutex_unlock(&file->lock);
	return dropped;
}
