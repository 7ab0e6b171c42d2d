/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fibers on stacks of their own.  On x86-64 a switch is a dozen instructions;
 * elsewhere it is swapcontext(), which makes system calls and does as well.
 */
#include "support/fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef __x86_64__
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#elif __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif

#ifdef ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef TSAN
#include <sanitizer/tsan_interface.h>
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

enum { STACK_SIZE = 256 * 1024, GUARD = 4096 };

static struct fiber *running;
static void *resumer; /* the context that runs fibers */

/* ---- The switch ---- */

#ifdef __x86_64__
/* Save what a function must preserve on this stack, leave its pointer in *from,
 * and go on at what `to` has left. */
void fiber_switch(void **from, void *to);
__asm__(".text\n"
	".globl fiber_switch\n"
	".type fiber_switch, @function\n"
	"fiber_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size fiber_switch, . - fiber_switch\n");

/* The first switch to a fiber returns into its entry, as if called from nowhere:
 * there the stack is 8 below a multiple of 16. */
NOT_FOR_TSAN static void *new_context(struct fiber *f, void (*entry)(void))
{
	void **top = (void **)(void *)((char *)f->stack + GUARD + STACK_SIZE);

	*--top = NULL;
	*--top = (void *)entry;
	for (int i = 0; i < 6; i++)
		*--top = NULL;
	return top;
}

#else
static void fiber_switch(void **from, void *to)
{
	ucontext_t here; /* lives on the stack that is left, as it is needed there */

	*from = &here;
	swapcontext(&here, to);
}

static void *new_context(struct fiber *f, void (*entry)(void))
{
	/* At the foot of the stack, which is written once more below. */
	ucontext_t *context = (ucontext_t *)(void *)((char *)f->stack + GUARD);

	getcontext(context);
	context->uc_stack.ss_sp = (char *)context + sizeof(*context);
	context->uc_stack.ss_size = STACK_SIZE - sizeof(*context);
	context->uc_link = NULL;
	makecontext(context, entry, 0);
	return context;
}

#endif

/* ---- What sanitizers are told ---- */

#ifdef ASAN
static const void *resumer_stack;
static size_t resumer_stack_size;
static void *resumer_fake_stack;
#endif
#ifdef TSAN
static void *resumer_tsan;
#endif

NOT_FOR_TSAN static void to_fiber(struct fiber *f)
{
#ifdef ASAN
	__sanitizer_start_switch_fiber(&resumer_fake_stack, (char *)f->stack + GUARD, STACK_SIZE);
#endif
#ifdef TSAN
	resumer_tsan = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(f->sanitizer, __tsan_switch_to_fiber_no_sync);
#endif
	running = f;
	fiber_switch(&resumer, f->context);
	running = NULL;
#ifdef ASAN
	__sanitizer_finish_switch_fiber(resumer_fake_stack, NULL, NULL);
#endif
}

NOT_FOR_TSAN static void to_resumer(struct fiber *f)
{
#ifdef ASAN
	__sanitizer_start_switch_fiber(f->ended ? NULL : &f->sanitizer, resumer_stack,
				       resumer_stack_size);
#endif
#ifdef TSAN
	__tsan_switch_to_fiber(resumer_tsan, __tsan_switch_to_fiber_no_sync);
#endif
	fiber_switch(&f->context, resumer);
#ifdef ASAN
	__sanitizer_finish_switch_fiber(f->sanitizer, &resumer_stack, &resumer_stack_size);
#endif
}

NOT_FOR_TSAN static void run_fiber(void)
{
	struct fiber *f = running;

#ifdef ASAN
	__sanitizer_finish_switch_fiber(NULL, &resumer_stack, &resumer_stack_size);
#endif
	f->fn(f->arg);
	f->ended = true;
	to_resumer(f);
	abort(); /* nobody resumes a fiber that has ended */
}

/* ---- The interface ---- */

void fiber_create(struct fiber *f)
{
	f->stack = mmap(NULL, GUARD + STACK_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (f->stack == MAP_FAILED || mprotect(f->stack, GUARD, PROT_NONE)) {
		perror("fiber: no stack");
		abort();
	}
	f->ended = true;
#ifdef TSAN
	f->sanitizer = __tsan_create_fiber(0);
#endif
#ifdef VALGRIND_STACK_REGISTER /* else it takes a switch for a deep call */
	VALGRIND_STACK_REGISTER((char *)f->stack + GUARD, (char *)f->stack + GUARD + STACK_SIZE);
#endif
}

void fiber_destroy(struct fiber *f)
{
#ifdef TSAN
	__tsan_destroy_fiber(f->sanitizer);
#endif
	munmap(f->stack, GUARD + STACK_SIZE);
	f->stack = NULL;
}

NOT_FOR_TSAN void fiber_start(struct fiber *f, void (*fn)(void *), void *arg)
{
#ifdef ASAN
	if (!f->ended) /* frames that were left without returning */
		__asan_unpoison_memory_region((char *)f->stack + GUARD, STACK_SIZE);
	f->sanitizer = NULL;
#endif
#ifdef TSAN
	if (!f->ended) { /* the frames that it stands in would never end */
		__tsan_destroy_fiber(f->sanitizer);
		f->sanitizer = __tsan_create_fiber(0);
	}
#endif
	f->fn = fn;
	f->arg = arg;
	f->ended = false;
	f->context = new_context(f, run_fiber);
}

NOT_FOR_TSAN void fiber_resume(struct fiber *f)
{
	if (running || f->ended)
		abort();
	to_fiber(f);
}

NOT_FOR_TSAN void fiber_pause(void)
{
	to_resumer(running);
}

NOT_FOR_TSAN struct fiber *fiber_self(void)
{
	return running;
}

NOT_FOR_TSAN void fiber_release(void *p)
{
#ifdef TSAN
	__tsan_release(p);
#else
	(void)p;
#endif
}

NOT_FOR_TSAN void fiber_acquire(void *p)
{
#ifdef TSAN
	__tsan_acquire(p);
#else
	(void)p;
#endif
}

NOT_FOR_TSAN void fiber_release_as(struct fiber *f, void *p)
{
#ifdef TSAN
	void *me = __tsan_get_current_fiber();

	__tsan_switch_to_fiber(f->sanitizer, __tsan_switch_to_fiber_no_sync);
	__tsan_release(p);
	__tsan_switch_to_fiber(me, __tsan_switch_to_fiber_no_sync);
#else
	(void)f, (void)p;
#endif
}

NOT_FOR_TSAN void fiber_ignore_reads(bool on)
{
#ifdef TSAN
	(on ? AnnotateIgnoreReadsBegin : AnnotateIgnoreReadsEnd)(__FILE__, __LINE__);
#else
	(void)on;
#endif
}
