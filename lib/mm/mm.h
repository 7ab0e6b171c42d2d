/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The insides of an address space: what its files share.
 *
 * Structure
 *	index     the mappings (VMAs), sorted; replaced whole, read under RCU      vma.c
 *	tables    four levels of 512 entries, one lock per leaf                    table.c
 *	frames    memory, with reference and map counts; swap slots                frame.c
 *	files     pages of files and their cache                                   file.c
 *	threads   a TLB each, a log each, counters                                 thread.c
 *	fault     from a copy of a mapping's attributes to an entry                fault.c
 *	change    what munmap, mprotect, mremap and fork do once all is locked     change.c
 *	reclaim   frames taken back from those who can miss them                   reclaim.c
 *	oracle    what was seen, and whether it could be                           oracle.c, judge.c
 *	protocols who waits for whom; nothing above knows which one it is          protocols/
 *
 * Locks, outermost first: what the protocol holds; a file's page; the index lock (the slides'
 * short mutex); a leaf's lock; the list of threads; a TLB; frames, swap, pools.  None from the
 * index lock on is held over file access, frame allocation, or work in O(pages) but for one
 * leaf's.  The range lock's own mutex is inside the index lock.
 *
 * Ordering
 *	M1  index: published with release under the index lock; read with acquire under RCU.  What
 *	    it points to is never changed, and freed a grace period after it was replaced.
 *	M2  entry: set with release under its leaf's lock, once the frame is filled; read with
 *	    acquire by the walk that a TLB miss makes.  The walk adds ACCESSED and DIRTY by
 *	    compare-and-swap without the leaf's lock, so who clears an entry exchanges it.
 *	M3  a walk, and the access by what it found, are inside the thread's TLB lock.  Who
 *	    clears an entry takes that lock afterwards, of all threads: then none has
 *	    the old translation, and none is in the midst of using it.  That is the shoot-down
 *	    and its acknowledgement.  Frames and tables are given back after it.
 */
#ifndef RL_MM_MM_H
#define RL_MM_MM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rangelock/mm.h>

#include "mm/atomic.h"
#include "mm/grace.h"

enum { PAGE_SHIFT = 12, ENTRIES = 512, LEVELS = 4 };

static inline uint64_t page_of(uint64_t address)
{
	return address >> PAGE_SHIFT;
}

/* ---- Mappings ---- */

#define VMA_DEAD 0x100u /* being unmapped: whoever faults gets SIGSEGV */
#define VMA_HEAP 0x200u /* brk's */

/* What a mapping is; a fault copies it, and never looks at the mapping again. */
struct vma_attr {
	uint64_t start, end;
	uint32_t seq;	/* of the change that made this VMA; see oracle.h */
	uint32_t birth; /* of the latest mmap whose pages are in it */
	unsigned prot, flags;
	struct mmshim_file *file;
	uint64_t offset; /* of start, in pages of the file */
};

enum vma_state { VMA_FREE, VMA_LIVE, VMA_RETIRED };

/* Memory of a VMA is a VMA's for good (type-stable), so that a late look finds a state. */
struct vma {
	struct retired retired;
	struct machine *machine;
	struct vma *next_free;
	_Atomic unsigned state;
	struct vma_attr a;
};

struct index {
	struct retired retired;
	size_t n;
	struct vma *v[];
};

/* Replace [start, end) of the index by these, in one step. */
enum edit_kind { EDIT_MAP, EDIT_UNMAP, EDIT_PROTECT, EDIT_MOVE, EDIT_MARK };
struct edit {
	enum edit_kind kind;
	uint64_t start, end;
	const struct vma_attr *with;
	size_t n;
	bool only_if_empty;	 /* EEXIST where something is mapped there */
	bool claims_empty;	 /* the caller has made sure: else it is a violation */
	uint64_t from;		 /* MOVE: where its pages were */
	uint32_t seq;		 /* set: of this change */
	uint64_t floor, ceiling; /* set: the neighbours' end and start */
	bool beside_stack;	 /* set: a neighbour may grow into [start, end) */
	uint64_t dead;		 /* set: how many dead VMAs it replaced */
};

int rl_mm_edit(struct mmshim *, struct edit *);
/* The VMA that contains address; the caller is in a read section or holds the index lock. */
const struct vma *rl_mm_find(const struct index *, uint64_t address);
/* How many of the index end at or below address. */
size_t rl_mm_below(const struct index *, uint64_t address);
const struct index *rl_mm_index(struct mmshim *);
bool rl_mm_lookup(struct mmshim *, uint64_t address, struct vma_attr *ret);
/* The same, or else the next one above. */
bool rl_mm_lookup_above(struct mmshim *, uint64_t address, struct vma_attr *ret);
bool rl_mm_is_empty(struct mmshim *, uint64_t start, uint64_t end);
/* Is every page mapped? */
bool rl_mm_is_covered(struct mmshim *, uint64_t start, uint64_t end);
/* What is mapped within [start, end), trimmed to it; malloc()ed.  False: no memory. */
bool rl_mm_copy_of(struct mmshim *, uint64_t start, uint64_t end, struct vma_attr **ret,
		   size_t *ret_n);
/* A hole of this size at or above lo; under the index lock.  Goes on from *ret_hole_end. */
bool rl_mm_hole(struct mmshim *, uint64_t size, uint64_t lo, uint64_t hi, uint64_t *ret_start,
		uint64_t *ret_end);
/* A stack that a fault at address would extend: what would be added. */
bool rl_mm_growable(struct mmshim *, uint64_t address, struct vma_attr *ret);
void rl_mm_index_lock(struct mmshim *);
void rl_mm_index_unlock(struct mmshim *);
void rl_mm_vma_used(struct mmshim *, const struct vma *, uint64_t address);
int rl_mm_index_init(struct mmshim *);
int rl_mm_index_copy(struct mmshim *child, struct mmshim *parent);
void rl_mm_index_end(struct mmshim *);
void rl_mm_pool_end(struct machine *);

/* ---- Page tables ---- */

/* An entry: flags, frame (or swap slot), and the seq of the VMA that it was made for. */
#define E_PRESENT   0x01u
#define E_WRITABLE  0x02u
#define E_DIRTY	    0x04u
#define E_ACCESSED  0x08u
#define E_SWAPPED   0x10u
#define E_FORBIDDEN 0x20u /* has a frame, and PROT_NONE */
#define E_FLAGS	    0xffu

static inline uint64_t entry_of(uint32_t frame, uint32_t seq, unsigned flags)
{
	return (uint64_t)seq << 32 | (uint64_t)frame << 8 | flags;
}

static inline uint32_t entry_frame(uint64_t entry)
{
	return (entry >> 8) & 0xffffff;
}

static inline uint32_t entry_seq(uint64_t entry)
{
	return (uint32_t)(entry >> 32);
}

static inline bool entry_has_frame(uint64_t entry)
{
	return entry & (E_PRESENT | E_FORBIDDEN);
}

struct table {
	struct retired retired;
	struct mmshim *mm;
	pthread_mutex_t lock; /* of a leaf */
	bool dead;	      /* taken out; under the lock */
	unsigned level;	      /* 0: leaf */
	uint64_t base;
	_Atomic uint64_t e[ENTRIES]; /* entries, or addresses of tables */
};

static inline uint64_t table_span(unsigned level)
{
	return UINT64_C(1) << (PAGE_SHIFT + 9 * (level + 1));
}

static inline unsigned slot_of(unsigned level, uint64_t address)
{
	return (address >> (PAGE_SHIFT + 9 * level)) & (ENTRIES - 1);
}

/* The leaf that maps address; made if it is not there and make is set (NULL: no memory). */
struct table *rl_mm_leaf(struct mmshim *, uint64_t address, bool make);
/* Call fn for each leaf's part of [start, end), which is locked meanwhile. */
typedef int rl_mm_leaf_fn(struct mmshim *, struct table *, uint64_t start, uint64_t end, void *arg);
int rl_mm_each_leaf(struct mmshim *, uint64_t start, uint64_t end, rl_mm_leaf_fn *, void *arg);
/* Take out the tables that touch [start, end) and map nothing outside [floor, ceiling). */
void rl_mm_free_tables(struct mmshim *, uint64_t start, uint64_t end, uint64_t floor,
		       uint64_t ceiling);
int rl_mm_tables_init(struct mmshim *);
void rl_mm_tables_end(struct mmshim *);

/* ---- Memory ---- */

enum frame_state { FRAME_FREE, FRAME_USED };

struct frame {
	_Atomic uint64_t tag;	/* who wrote it last; oracle.h */
	_Atomic uint64_t word;	/* what */
	_Atomic uint64_t owner; /* where an anonymous one is mapped: rl_mm_owner(); 0: nowhere */
	_Atomic int32_t refs;	/* entries, pins, and the cache of a file */
	_Atomic int32_t maps;	/* entries alone */
	_Atomic uint32_t state;
	_Atomic uint32_t dirty; /* of a file: differs from the disk */
	uint32_t next_free;
	struct mmshim_file *_Atomic file; /* whose cache it is in, and where */
	_Atomic uint64_t file_page;
};

struct slot {
	uint64_t tag, word;
	int32_t refs; /* 0: free */
	uint32_t next_free;
};

/* What address spaces that descend from one by fork share. */
struct machine {
	_Atomic uint32_t users;
	struct frame *frames;
	uint32_t n_frames, first_free;
	_Atomic uint32_t n_free;
	pthread_mutex_t frames_lock;
	struct slot *slots;
	uint32_t n_slots, first_free_slot, n_free_slots;
	pthread_mutex_t swap_lock;
	pthread_mutex_t pool_lock;
	struct vma *free_vmas;
	struct vma_slab *slabs;
	pthread_mutex_t files_lock;
	struct mmshim_file *files;
	unsigned n_files;
	pthread_mutex_t spaces_lock; /* also held over reclaim: no space goes away meanwhile */
	struct mmshim *spaces;
	uint32_t hand; /* of the clock; under spaces_lock */
	bool busy;     /* it has met something that was; the same */
	_Atomic uint32_t n_writers;
	pthread_t background;
	bool has_background;
	pthread_mutex_t wake_lock;
	pthread_cond_t wake;
	bool low, stop; /* under wake_lock */
};

int rl_mm_machine_new(const struct mmshim_config *, struct machine **ret);
void rl_mm_machine_put(struct machine *, bool *ret_balanced);

static inline struct frame *rl_mm_frame(struct machine *m, uint32_t frame)
{
	return &m->frames[frame];
}

/* A zeroed frame with one reference; 0: none, or the point failed it. */
uint32_t rl_mm_frame_get(struct mmshim *, uint64_t address);
void rl_mm_frame_put(struct mmshim *, uint32_t frame);
void rl_mm_frame_copy(struct machine *, uint32_t to, uint32_t from);
uint32_t rl_mm_slot_get(struct machine *, uint32_t frame); /* 0: swap is full */
void rl_mm_slot_read(struct machine *, uint32_t slot, uint32_t into);
void rl_mm_slot_put(struct machine *, uint32_t slot);
void rl_mm_slot_share(struct machine *, uint32_t slot);
uint64_t rl_mm_owner(const struct mmshim *, uint64_t address);

/* Make frames free, if there are none. */
enum reclaimed { RECLAIM_NOTHING, RECLAIM_BUSY, RECLAIM_DONE };
enum reclaimed rl_mm_reclaim(struct mmshim *, unsigned n);
/* The same by one who holds nothing, and comes again until this is ENOMEM. */
int rl_mm_wait_for_memory(struct mmshim *, unsigned *attempts);
void *rl_mm_reclaim_in_background(void *machine);
void rl_mm_memory_is_low(struct machine *);

/* ---- Files ---- */

struct file_page {
	uint32_t frame; /* 0: not cached; under the lock */
	bool busy;	/* locked: somebody reads it, or gives it up */
	uint64_t disk_tag, disk_word;
};

struct mmshim_file {
	struct machine *machine;
	struct mmshim_file *next;
	unsigned id, flags;
	uint64_t n;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct file_page pages[];
};

/* The page's frame, with a reference.  RETRY_IO where may_wait is false, and it had to. */
int rl_mm_file_get(struct mmshim *, struct mmshim_file *, uint64_t page, bool may_wait,
		   uint32_t *ret_frame);
/* Give a clean page's frame up, or write it back and do so; only tries. */
bool rl_mm_file_drop(struct mmshim_file *, uint64_t page, uint32_t frame);
void rl_mm_files_end(struct machine *);

/* ---- Threads ---- */

enum { TLB_SIZE = 64, HISTOGRAM = 64 * 8 };

struct tlb_entry {
	uint64_t page; /* 0: none */
	uint64_t entry;
};

enum counter {
	C_FAULTS,
	C_MAJOR,
	C_SUCCESS,
	C_ABORT,
	C_RETRY,
	C_MISS,
	C_SEGV,
	C_COARSE,
	C_FINE,
	C_COMMITTED,
	C_REVOKED,
	C_GIVEN_UP,
	C_SLIPPED_IN,
	C_NO_DOWNGRADE,
	C_MERGES,
	C_GROWN,
	C_COPIED,
	C_SHOOTDOWNS,
	C_RECLAIMED,
	C_SWAPPED_OUT,
	C_SWAPPED_IN,
	C_BUSY_RANGE,
	N_COUNTERS
};

/* What one thread has of one address space.  Lasts as that does; is passed on when the thread ends. */
struct thread {
	struct thread *next;
	void *owner; /* a token of the thread; NULL: free */
	uint32_t writer;
	pthread_mutex_t tlb_lock;
	struct tlb_entry tlb[TLB_SIZE];
	_Atomic uint64_t counts[N_COUNTERS]; /* written by the thread alone */
	_Atomic uint64_t histogram[HISTOGRAM];
	_Atomic uint64_t fault_max;
	struct log *log;
	struct call *call; /* that is being made */
};

struct thread *rl_mm_self(struct mmshim *); /* NULL: no memory */
void rl_mm_count(struct mmshim *, enum counter);
/* Take [start, end) out of all TLBs. */
void rl_mm_shoot_down(struct mmshim *, uint64_t start, uint64_t end);
void rl_mm_threads_end(struct mmshim *);
void rl_mm_thread_space_is_born(struct mmshim *);
void rl_mm_thread_space_goes(struct mmshim *);

/* ---- Protocols ---- */

/* What a thread holds by the protocol. */
struct hold {
	struct rangelock_req req;
	uint64_t start, end;
	bool write;
	int64_t since; /* for write, by munmap; MMSHIM_TIMES */
};

/* What is to be made accessible, and how patient we have been. */
struct fault {
	uint64_t address;
	unsigned prot;
	uint32_t birth; /* of mappings no younger than this */
	bool may_drop;	/* answer RETRY_IO rather than wait for a disk */
	unsigned attempts;
};

/* From a handler: drop the lock, wait for the page, and start again. */
enum { RETRY_IO = -1, RETRY_MEMORY = -2, RETRY_LOOKUP = -3 };

struct map {
	struct vma_attr attr; /* start is set where the address is known */
	unsigned flags;	      /* MMSHIM_* of the call */
	uint64_t length;
	bool known;	/* the address is attr.start */
	bool populated; /* set where map has done that, too */
};

struct protocol {
	const char *name;
	unsigned needs;	      /* RANGELOCK_CAP_* that it cannot do without */
	bool needs_downgrade; /* RANGELOCK_CAP_CONVERT for vm-dead and detach */
	bool barges;	      /* in no strict order, as one reader/writer lock: RANGELOCK_BARGING */
	int (*init)(struct mmshim *);
	void (*end)(struct mmshim *);

	/* Everything, for a change; and [start, end), for those that only look, or zap. */
	void (*lock_all)(struct mmshim *, struct hold *);
	void (*lock_range)(struct mmshim *, struct hold *, uint64_t start, uint64_t end,
			   bool write);
	/* What is given up again is asked for once more, for write. */
	void (*lock_again)(struct mmshim *, struct hold *);
	void (*downgrade)(struct mmshim *, struct hold *);
	void (*unlock)(struct mmshim *, struct hold *);
	/* Reclaim's: a page, without waiting; false: somebody relies on it. */
	bool (*try_page)(struct mmshim *, struct hold *, uint64_t address);
	/* A read of more by one who reads already; NULL: lock_range() will do. */
	void (*lock_nested)(struct mmshim *, struct hold *, uint64_t start, uint64_t end,
			    const struct hold *outer);

	/* Whole calls.  map sets attr.start. */
	int (*map)(struct mmshim *, struct map *);
	int (*unmap)(struct mmshim *, uint64_t start, uint64_t end);
	int (*fault)(struct mmshim *, struct fault *);
	int (*populate)(struct mmshim *, uint64_t start, uint64_t end, uint32_t birth);
};

extern const struct protocol rl_mm_mmap_sem, rl_mm_mmap_sem_range, rl_mm_retry, rl_mm_populate,
    rl_mm_coarse, rl_mm_fine, rl_mm_fine_chosen;

/* Each breaks one thing. */
enum mutant {
	MUTANT_NONE,
	MUTANT_NO_VM_DEAD,
	MUTANT_NO_RECHECK,
	MUTANT_NO_RESERVATION_CHECK,
	MUTANT_USE_AFTER_MERGE,
	MUTANT_DOWNGRADE_BESIDE_STACK,
	MUTANT_BLOCKING_RECLAIM,
	MUTANT_FREE_SHARED_TABLE,
	MUTANT_NO_SHOOTDOWN,
	MUTANT_LOST_FRAME,
	N_MUTANTS
};

/* ---- The whole ---- */

/* How long something was held. */
struct durations {
	_Atomic uint64_t n, ns, max;
};

void rl_mm_note_duration(struct durations *, int64_t since);

struct mmshim {
	const struct protocol *protocol;
	struct mmshim_config config;
	enum mutant mutant;
	unsigned caps; /* of the engine */
	uint64_t id;
	struct machine *machine;
	struct mmshim *next, *next_live;

	pthread_mutex_t index_lock;
	struct index *_Atomic index;
	_Atomic uint32_t seq; /* of the last change; written under the index lock */
	int64_t index_since;
	struct durations short_mutex, unmaps; /* MMSHIM_TIMES */

	struct table *root;
	_Atomic uint64_t n_tables;
	struct retirement retirement;

	pthread_mutex_t threads_lock;
	struct thread *threads;

	_Atomic uint32_t pinned;       /* reclaim leaves the whole space alone */
	uint64_t heap_start, heap_end; /* under lock_all */

	/* The protocols'. */
	struct rangelock range;
	pthread_mutex_t writers;
	pthread_rwlock_t sem;

	struct history *history;
	_Atomic uint64_t violations;
	pthread_mutex_t report_lock;
	char report[512];
};

int64_t rl_mm_now(void);

/* Tell that a point is reached; its errno. */
static inline int rl_mm_point(struct mmshim *mm, enum mmshim_point point, uint64_t address)
{
	return rl_unlikely(mm->config.inject != NULL)
		   ? mm->config.inject(mm->config.inject_arg, point, address)
		   : 0;
}

/* ---- Faults and changes: how a thing is done, once the protocol has locked ---- */

/* Set the entry for address, by a copy of its mapping.  0, an errno, or RETRY_*. */
int rl_mm_handle_fault(struct mmshim *, const struct vma_attr *, const struct fault *);
/* What the fault waits for outside of all locks, after RETRY_IO or RETRY_MEMORY. */
int rl_mm_wait_for_fault(struct mmshim *, const struct vma_attr *, struct fault *, int why);
bool rl_mm_allows(const struct vma_attr *, unsigned prot);
/* Extend a stack; the caller holds what lets it. */
bool rl_mm_grow(struct mmshim *, uint64_t address, struct vma_attr *ret);

/* Clear [start, end), made for VMAs before `before`, and give back what it mapped. */
void rl_mm_zap(struct mmshim *, uint64_t start, uint64_t end, uint32_t before);
/* munmap of what hold covers, for write, in the mode that is configured; gives it up. */
int rl_mm_unmap_held(struct mmshim *, struct hold *, uint64_t start, uint64_t end);
/* mmap of what is held for write. */
int rl_mm_map_held(struct mmshim *, struct map *, struct edit *);
/* mmap by one who has locked all: chooses the address, replaces what is there. */
int rl_mm_map_all(struct mmshim *, struct map *);
int rl_mm_protect_all(struct mmshim *, uint64_t start, uint64_t end, unsigned prot);
int rl_mm_remap_all(struct mmshim *, struct hold *, uint64_t address, uint64_t old_length,
		    uint64_t new_length, uint64_t *ret_address);
int rl_mm_fork_tables(struct mmshim *parent, struct mmshim *child);
/* What is to be populated next, at or above f->address; *missing is set to ENOMEM where something
 * is not mapped, or another's.  False: that was all. */
bool rl_mm_populate_next(struct mmshim *, struct fault *f, uint64_t end, struct vma_attr *ret,
			 int *missing);
int rl_mm_populate_by_faults(struct mmshim *, uint64_t start, uint64_t end, uint32_t birth);

#endif
