/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmshim: a model of an address space in user space, whose locking protocol is chosen
 * when it is made, so that protocols can be compared, raced and checked.
 *
 * Mappings, page tables, frames, swap, files and faults are all there and follow Linux in
 * what they promise; the memory is modelled: a page is MMSHIM_PAGE bytes long and holds one 64-bit
 * word, whatever the address within it.  No address given to these calls is one of the
 * process.  (Library librangelock-mm, pkg-config rangelock-mm.)
 *
 *	const struct mmshim_config config = { .protocol = "fine", .flags = MMSHIM_CHECK };
 *	struct mmshim *mm;
 *	uint64_t address, word;
 *
 *	mmshim_create(&mm, &config);
 *	mmshim_mmap(mm, 0, 1 << 20, MMSHIM_READ | MMSHIM_WRITE, 0, NULL, 0, &address);
 *	mmshim_store(mm, address, 42);             // faults the page in, as an instruction would
 *	mmshim_load(mm, address, &word);
 *	mmshim_munmap(mm, address, 1 << 20);
 *	mmshim_load(mm, address, &word);           // EFAULT, where a program gets SIGSEGV
 *	mmshim_destroy(mm);
 *
 * Errors.  Every call that returns int returns 0 or a positive errno value.  NULL where
 * something is needed, an unknown flag, an address that is not a multiple of a page where
 * it has to be, and what reaches beyond MMSHIM_TOP or the end of a file to be written is EINVAL.
 * A call that fails changes nothing, unless its own description says otherwise;
 * output parameters are set on success only.
 *
 * Threads.  Every call may be made by any number of threads at once, but for mmshim_create(),
 * mmshim_destroy() and mmshim_check().
 */
#ifndef RANGELOCK_MM_H
#define RANGELOCK_MM_H

#include <stddef.h>
#include <stdint.h>

#include <rangelock/rangelock.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mmshim;      /* an address space */
struct mmshim_file; /* a file that can be mapped */

#define MMSHIM_PAGE UINT64_C(4096)
#define MMSHIM_TOP  (UINT64_C(1) << 47) /* addresses are below it, and not 0 */

/* ------------------------------------------------------------------------ *
 * How an address space is made
 * ------------------------------------------------------------------------ */

/* How munmap gives large mappings up.  exclusive: all under the write lock.  vm-dead: mark,
 * then zap under the read lock, then unmap what is there by then (Shi).  detach: take the
 * mappings out, then zap from a private list under the read lock (Shutemov). */
enum mmshim_unmap { MMSHIM_UNMAP_EXCLUSIVE, MMSHIM_UNMAP_VM_DEAD, MMSHIM_UNMAP_DETACH };

/* What keeps the source of mmshim_file_write() in place while it is copied: the whole address
 * space pinned against reclaim; its pages pinned; a read lock on its range (with the fault
 * inside it); or nothing, so that a copy that falls short is made again. */
enum mmshim_copy {
	MMSHIM_COPY_PIN_MM,
	MMSHIM_COPY_PIN_PAGES,
	MMSHIM_COPY_RANGE,
	MMSHIM_COPY_ATOMIC
};

/* Places in the code where a test can delay, fail or wait. */
enum mmshim_point {
	MMSHIM_AFTER_LOOKUP,    /* a fault has looked its mapping up */
	MMSHIM_BEFORE_COMMIT,   /* a call is about to publish its change of the mappings */
	MMSHIM_BEFORE_INSTALL,  /* a fault is about to set a page-table entry */
	MMSHIM_AFTER_RESERVE,   /* an open address was chosen, and is not locked yet */
	MMSHIM_AFTER_DETACH,    /* munmap has taken the mappings out and not zapped yet */
	MMSHIM_AFTER_DOWNGRADE, /* munmap now holds for read */
	MMSHIM_BETWEEN_PHASES,  /* munmap (vm-dead) holds nothing */
	MMSHIM_BEFORE_GRACE,    /* tables were taken out and wait for a grace period */
	MMSHIM_AFTER_ZAP,       /* entries are clear, and other threads' TLBs not yet */
	MMSHIM_IN_ALLOC,        /* a frame is wanted; an errno is ENOMEM */
	MMSHIM_IN_IO,           /* a page of a file is read; an errno is an I/O error */
	MMSHIM_IN_POPULATE,     /* between two chunks of populate, nothing being held */
	MMSHIM_N_POINTS
};

/* Called in the thread that gets to a point, perhaps with locks of the address space held, so
 * it must not call back into it.  Returns 0, or an errno where the point can fail. */
typedef int mmshim_inject_fn(void *arg, enum mmshim_point point, uint64_t address);

#define MMSHIM_CHECK      0x1u /* note every access and change, for mmshim_check() */
#define MMSHIM_TIMES      0x2u /* measure faults, and how long the short mutex is held */
#define MMSHIM_BACKGROUND 0x4u /* a thread that reclaims when frames run low */

/* All zero means defaults; use a designated initializer. */
struct mmshim_config {
	const char *protocol;         /* a name of mmshim_protocols(); NULL: "mmap-sem" */
	enum rangelock_engine engine; /* where the protocol uses a range lock */
	enum mmshim_unmap unmap;
	enum mmshim_copy copy;
	unsigned flags;
	uint32_t frames;       /* physical memory, in pages; 0: 2^20 */
	uint32_t swap;         /* swap space, in pages */
	uint64_t io_ns;        /* how long it takes to read a page of a file */
	uint64_t fault_range;  /* what a fault locks around an anonymous address; 0: 2 MB */
	uint64_t large_unmap;  /* munmap from this size up is large for vm-dead; 0: 1 GB */
	uint64_t low, high;    /* where open addresses are chosen; 0: 1 TB to the top */
	mmshim_inject_fn *inject;
	void *inject_arg;
	const char *mutant;    /* a name of mmshim_mutants(): break something on purpose */
	uint64_t reserved_[8]; /* zero */
};

/* mmshim_protocols, mmshim_mutants: the names that a configuration may have; NULL-terminated. */
RANGELOCK_API const char *const *mmshim_protocols(void);
RANGELOCK_API const char *const *mmshim_mutants(void);

/* mmshim_point_name: of a point, for reports; NULL: there is none. */
RANGELOCK_API const char *mmshim_point_name(enum mmshim_point);

/*
 * mmshim_create: an empty address space.
 *   EINVAL   an unknown name, flag or value
 *   ENOTSUP  the engine lacks what the protocol or the mode of unmapping needs
 *   ENOMEM   no memory
 */
RANGELOCK_API int mmshim_create(struct mmshim **ret, const struct mmshim_config *config);

/* mmshim_destroy: unmap all, and free it.  Files and memory last until the last of those
 * that descend from one mmshim_create() by fork is destroyed.
 *   EPROTO   books did not balance: something was lost, or given back twice (the address
 *            space is gone nevertheless) */
RANGELOCK_API int mmshim_destroy(struct mmshim *);

/* ------------------------------------------------------------------------ *
 * Mappings
 *
 * Addresses and offsets are multiples of a page, lengths are rounded up.
 * ------------------------------------------------------------------------ */

#define MMSHIM_READ  0x1u
#define MMSHIM_WRITE 0x2u

#define MMSHIM_SHARED          0x01u /* of a file: stores are seen by all; else private */
#define MMSHIM_FIXED           0x02u /* at hint, in place of what is there */
#define MMSHIM_FIXED_NOREPLACE 0x04u /* at hint, or EEXIST; even with FIXED */
#define MMSHIM_POPULATE        0x08u /* fault all pages in, as far as there is memory */
#define MMSHIM_GROWSDOWN       0x10u /* a stack: a fault close below it extends it */
#define MMSHIM_LOCKED          0x20u /* not reclaimed */

/* mmshim_mmap: map length bytes of file from offset on, or zeros where file is NULL.  prot is of
 * MMSHIM_READ and MMSHIM_WRITE; flags are MMSHIM_SHARED and so on.  Without a flag that
 * says otherwise hint is where it goes if that is free; 0: anywhere.
 *   ENOMEM   no room, or no memory
 *   EEXIST   MMSHIM_FIXED_NOREPLACE, and something is mapped there */
RANGELOCK_API int mmshim_mmap(struct mmshim *, uint64_t hint, uint64_t length, unsigned prot,
			      unsigned flags, struct mmshim_file *file, uint64_t offset,
			      uint64_t *ret_address);
/* mmshim_munmap: unmap what is mapped there, and be it nothing.
 *   ENOMEM   no memory to split a mapping; with vm-dead it may be dead already: call again */
RANGELOCK_API int mmshim_munmap(struct mmshim *, uint64_t address, uint64_t length);
/* mmshim_mprotect: set what is allowed: MMSHIM_READ, or MMSHIM_WRITE, which includes it.
 *   ENOMEM   some of it is not mapped, or no memory */
RANGELOCK_API int mmshim_mprotect(struct mmshim *, uint64_t address, uint64_t length,
				  unsigned prot);
/* mmshim_mremap: move and resize one mapping; in place where it can be.
 *   EFAULT   [address, address + old) is not within one mapping
 *   ENOMEM   no room, or no memory; an empty mapping may be left where it was to go */
RANGELOCK_API int mmshim_mremap(struct mmshim *, uint64_t address, uint64_t old_length,
				uint64_t new_length, uint64_t *ret_address);
/* mmshim_dontneed: throw its content away, as madvise(MADV_DONTNEED) does: the next access finds
 * zeros, or the file.
 *   ENOMEM   some of it is not mapped */
RANGELOCK_API int mmshim_dontneed(struct mmshim *, uint64_t address, uint64_t length);
/* mmshim_brk: move the end of the heap; 0 asks where it is.  ret_end may be NULL.
 *   ENOMEM   no room, or no memory */
RANGELOCK_API int mmshim_brk(struct mmshim *, uint64_t end, uint64_t *ret_end);
/* mmshim_populate: fault in what is mapped there, as far as there is memory.
 *   ENOMEM   some of it is not mapped (the rest is populated), or memory ran out
 *   EIO      a file cannot be read; what is below that is populated */
RANGELOCK_API int mmshim_populate(struct mmshim *, uint64_t address, uint64_t length);
/* mmshim_fork: make a copy, whose private pages are copied when they are written.
 *   ENOMEM   no memory */
RANGELOCK_API int mmshim_fork(struct mmshim *, struct mmshim **ret_child);

/* ------------------------------------------------------------------------ *
 * Accesses
 *   EFAULT   SIGSEGV: not mapped, or not allowed
 *   EIO      SIGBUS: the file cannot be read, or ends before that
 *   ENOMEM   no frame, and nothing to reclaim
 * ------------------------------------------------------------------------ */

/* mmshim_load, mmshim_store: what an instruction does: translate, fault if there is no entry for
 * it, and access. */
RANGELOCK_API int mmshim_load(struct mmshim *, uint64_t address, uint64_t *ret_word);
RANGELOCK_API int mmshim_store(struct mmshim *, uint64_t address, uint64_t word);
/* mmshim_fault: what the processor does when it finds no entry for prot (READ or WRITE). */
RANGELOCK_API int mmshim_fault(struct mmshim *, uint64_t address, unsigned prot);
/* mmshim_remote_read: load by somebody else: ps, that reads a program's arguments. */
RANGELOCK_API int mmshim_remote_read(struct mmshim *, uint64_t address, uint64_t *ret_word);

#define MMSHIM_CONVERTED 0x1u /* its driver can do without the whole lock */

/* mmshim_file_open: make a file of so many pages, which lasts as the memory does.
 *   ENOMEM   no memory */
RANGELOCK_API int mmshim_file_open(struct mmshim *, uint64_t pages, unsigned flags,
				   struct mmshim_file **ret);
/* mmshim_file_write: copy pages of the file, from offset on, out of the address space.
 *   EFAULT, EIO, ENOMEM  those before are written */
RANGELOCK_API int mmshim_file_write(struct mmshim *, struct mmshim_file *, uint64_t offset,
				    uint64_t address, uint64_t length);

/* ------------------------------------------------------------------------ *
 * Looks
 * ------------------------------------------------------------------------ */

struct mmshim_stats {
	uint64_t faults, faults_major;   /* major: waited for a disk */
	uint64_t success, abort, retry;  /* of faults: first try; gave a fine range or a guess up;
					    was made again */
	uint64_t miss;                   /* faults that found no mapping */
	uint64_t segv;                   /* accesses that got EFAULT */
	uint64_t coarse;                 /* times that a call or a fault took everything */
	uint64_t fine;                   /* ... a range */
	uint64_t committed;              /* reservations that became a mapping's lock */
	uint64_t revoked;                /* ... that somebody else took */
	uint64_t given_up;               /* ... for which there was no memory */
	uint64_t slipped_in;             /* mappings made between the phases of vm-dead */
	uint64_t no_downgrade;           /* munmaps that a stack nearby kept exclusive */
	uint64_t merges;                 /* mappings that grew into a neighbour */
	uint64_t grown;                  /* stacks extended */
	uint64_t copied;                 /* pages copied on write */
	uint64_t shootdowns;             /* calls that flushed other threads' TLBs */
	uint64_t reclaimed, swapped_out, swapped_in;
	uint64_t busy_range;             /* pages that reclaim left alone, their range being locked */
	uint64_t mappings, tables, frames_used; /* now */
	uint64_t short_holds, short_ns, short_max_ns; /* MMSHIM_TIMES: the short mutex, held */
	uint64_t unmap_holds, unmap_ns, unmap_max_ns; /* MMSHIM_TIMES: munmap, holding for write */
	uint64_t fault_p50_ns, fault_p99_ns, fault_p999_ns, fault_max_ns; /* MMSHIM_TIMES */
	uint64_t reserved_[2];
};

/* mmshim_stats: counters since create, and how things are now. */
RANGELOCK_API int mmshim_stats(struct mmshim *, struct mmshim_stats *ret);

/* What mmshim_check() found; report is the first violation, in words. */
struct mmshim_verdict {
	uint64_t violations;
	uint64_t checked; /* accesses that were judged (MMSHIM_CHECK) */
	char report[512];
};

/*
 * mmshim_check: all invariants, while no other call is being made: mappings are disjoint,
 * entries, frames, swap and files agree with each other, no range is held or reserved.  With
 * MMSHIM_CHECK every access since create is judged, too: what it saw must be what some order
 * of the calls, each taking effect between its begin and its end, explains.
 *   0        whatever was found
 *   ENOMEM   no memory
 */
RANGELOCK_API int mmshim_check(struct mmshim *, struct mmshim_verdict *ret);

#ifdef __cplusplus
}
#endif

#endif
