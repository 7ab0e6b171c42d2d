#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Small faults in librangelock-mm, each of which a test must find; by TAP.

Usage: mutants.py SOURCE_ROOT [WORDS]
    only mutants whose text contains WORDS
A mutant is (what is wrong, file below lib/mm, text that occurs once there, what stands in its
place).  With RANGELOCK_MUTANTS_SHARE=N in the environment every Nth is tried, others tomorrow.
"""
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(sys.argv[1]).resolve()
WORDS = " ".join(sys.argv[2:])
SHARE = int(os.environ.get("RANGELOCK_MUTANTS_SHARE", "1"))
TURN = int(time.time()) // 86400 % SHARE

MUTANTS = [
    # Mappings.
    ("mappings of different rights are merged", "vma.c", "a->prot == b->prot && ", ""),
    ("mappings are merged whatever their place in the file", "vma.c",
     "(!a->file || a->offset + page_of(a->end - a->start) == b->offset)", "true"),
    ("what is left above a hole keeps its offset", "vma.c",
     "		a.offset += page_of(start - a.start);\n", ""),
    ("a merged mapping is as old as its lower part", "vma.c",
     "if (a.birth > parts->p[parts->n - 1].a.birth)", "if (0)"),
    ("a stack grows however far below it is touched", "vma.c",
     "ix->v[i]->a.start - start <= GROW_PAGES * MMSHIM_PAGE &&", ""),
    ("what is left of a cut stack is no neighbour", "vma.c",
     "if (ix->v[i]->a.end > e->end)\n			above", "if (0)\n			above"),
    ("a mapping that must not replace does", "vma.c", "if (last > first && e->only_if_empty)",
     "if (0)"),
    ("half of what is mapped is all of it", "vma.c", "start < end && i < ix->n && ix->v[i]->a.start <= start &&",
     "start < end && i < ix->n &&"),
    # Entries and TLBs.
    ("zap does not shoot down", "change.c", "	if (was_present)\n", "	if (0)\n"),
    ("mprotect does not shoot down", "change.c", "	if (changed)\n", "	if (0)\n"),
    ("mremap does not shoot down", "change.c",
     "		if (entry & E_PRESENT)\n			rl_mm_shoot_down(mm, at, at + MMSHIM_PAGE);", ""),
    ("fork does not shoot down", "change.c",
     "			 release);\n	rl_mm_shoot_down(mm, start, end);",
     "			 release);"),
    ("a copy on write does not shoot down", "fault.c",
     "	rl_mm_shoot_down(mm, start, start + MMSHIM_PAGE);\n", ""),
    ("reclaim does not shoot down", "reclaim.c",
     "	rl_mm_shoot_down(mm, address, address + MMSHIM_PAGE);\n", ""),
    ("the last page of a range stays in the TLBs", "thread.c", "page <= last_page", "page < last_page"),
    ("what a shoot-down takes out is all or nothing", "thread.c",
     "if (last_page - first >= TLB_SIZE)", "if (last_page - first > 4 * TLB_SIZE)\n		return;\n	if (0)"),
    ("a TLB entry that may not be written will do", "access.c",
     "const unsigned for_write = E_WRITABLE | E_DIRTY;", "const unsigned for_write = 0;"),
    ("stores leave no mark", "access.c", "(prot == MMSHIM_WRITE ? E_DIRTY : 0)", "0"),
    ("who may not read may after mprotect", "change.c",
     "*prot & MMSHIM_READ ? E_WRITABLE : E_WRITABLE | E_PRESENT", "E_WRITABLE"),
    # Fork.
    ("parent and child write the same page", "change.c", "keep = ~(uint64_t)E_WRITABLE;", ";"),
    ("a page that another has is written in place", "fault.c",
     "	if (is_alone(mm, entry)) {", "	if (!is_cached(mm, entry)) {"),
    ("what a parent has left belongs to nobody", "fault.c",
     "		rl_store(&f->owner, rl_mm_owner(mm, address), release); /*", "		/*"),
    ("a child's swap is its parent's", "change.c",
     "		rl_mm_slot_share(mm->machine, entry_frame(entry));\n", ""),
    # Memory and swap.
    ("what was written is dropped as if it were clean", "reclaim.c", "if (entry & E_DIRTY) {",
     "if (0) {"),
    ("what comes from swap is clean", "fault.c", "E_PRESENT | E_DIRTY | (a->prot", "E_PRESENT | (a->prot"),
    ("a swap slot is never given back", "fault.c",
     "	rl_mm_slot_put(mm->machine, entry_frame(entry));\n", ""),
    ("swap slots are lost by munmap", "change.c",
     "		rl_mm_slot_put(mm->machine, entry_frame(entry));\n", ""),
    ("a file's page is not dirty that was written by a mapping", "change.c",
     "		rl_store(&f->dirty, 1, release);\n", "		;\n"),
    ("a dropped page of a file is not written back", "file.c",
     "if (rl_load(&f->dirty, relaxed)) {", "if (0) {"),
    ("reclaim evicts from a space that is pinned", "reclaim.c",
     "if (!mm || rl_load(&mm->pinned, acquire))", "if (!mm)"),
    ("a fault that finds no memory waits for ever", "reclaim.c",
     "if (++*attempts > (done == RECLAIM_NOTHING ? some : patience))", "if (0)"),
    ("frames are given back twice", "change.c",
     "	rl_mm_frame_put(mm, entry_frame(entry));\n}", "	rl_mm_frame_put(mm, entry_frame(entry));\n	rl_mm_frame_put(mm, entry_frame(entry));\n}"),
    # Files.
    ("a page of a file is read by all who want it", "file.c",
     "while (p->busy && may_wait)", "while (0)"),
    ("a private page is written in the file's cache", "fault.c",
     "		rl_mm_frame_copy(mm->machine, s->fresh, s->cached);\n	if (s->fresh)",
     "		;\n	if (0)"),
    # Tables.
    ("tables are freed beside what still uses them", "table.c",
     "if (base >= floor && base + span <= ceiling) {", "if (base + span <= ceiling) {"),
    ("tables are never freed", "table.c", "if (base >= floor && base + span <= ceiling) {", "if (0) {"),
    ("what is moved leaves its tables", "change.c", "	zap_and_free(mm, hold, &out);\n", ""),
    # Arguments.
    ("the heap may end anywhere", "call.c", " || end > MMSHIM_TOP", ""),
    ("FIXED is stronger than FIXED_NOREPLACE", "call.c", "		flags &= ~MMSHIM_FIXED;", "		;"),
    ("another machine's file is as good", "access.c", "file->machine != mm->machine || ", ""),
    # Failures.
    ("a move that fails stays where it was to go", "change.c", "		remove_mappings(mm, &undo);\n", ""),
    ("a move goes before it is sure", "change.c",
     "	if (!error)\n		error = remove_mappings(mm, &out);\n",
     "	if (!error) {\n		rl_mm_each_leaf(mm, old->start, old->end, move_leaf, &m);\n		error = remove_mappings(mm, &out);\n	}\n"),
    ("a thread that ends keeps what it had", "thread.c", "	last.space = 0;\n", ""),
    # Protocols.
    ("a fixed mapping over others takes everything", "protocols/fine.c",
     "map->flags & MMSHIM_FIXED ? rl_mm_is_converted(mm, start, end)", "0 ? 0"),
    ("a fixed mapping does not look again", "protocols/fine.c",
     "	if (rl_mm_map_is_fine(mm, map))\n		error = rl_mm_map_held", "	if (1)\n		error = rl_mm_map_held"),
    ("the second phase of munmap does not look again", "protocols/fine.c",
     "	lock_to_unmap(mm, hold, hold->start, hold->end);", "	rl_mm_range_lock_again(mm, hold);"),
    ("the second phase of munmap does not choose again", "protocols/fine-chosen.c",
     "	if (lock_chosen(&c, hold, choose_unmap))\n		rl_mm_range_lock_all(mm, hold);", "	(void)c;\n	rl_mm_range_lock_again(mm, hold);"),
    ("a munmap that shares its lock is measured to its end", "change.c",
     "			end_hold(mm, hold, mm->protocol->downgrade);", "			mm->protocol->downgrade(mm, hold);"),
    ("retry holds on over the disk", "protocols/whole.c",
     "f->may_drop = true;", "f->may_drop = false;"),
    ("populate populates what is there", "fault.c", " || a->birth > f->birth", ""),
    ("what is populated ends at a hole", "change.c", "f->address = ret->start;", "f->address = end;"),
    ("populate by chunks ends where another's begins", "protocols/mmap-sem.c",
     "			if (error == EFAULT)\n", "			if (0)\n"),
    ("populate by faults ends where another's begins", "change.c", "if (error == EFAULT)", "if (0)"),
    ("what a fault looked up is not compared", "protocols/fine.c",
     "!rl_mm_lookup(mm, address, &now) || !is_same(&a, &now, address)", "(now = a, 0)"),
    ("rights are no part of what is compared", "protocols/fine.c",
     "return a->prot == b->prot && a->flags", "return a->flags"),
    ("a driver that is not converted gets a range", "protocols/fine.c",
     "	if (!is_converted(a)) {", "	if (0) {"),
    ("a fault locks as far as its range goes, whosesoever that is", "protocols/fine.c",
     "start > a->start ? start : a->start,", "start / 2,"),
    ("munmap takes everything", "protocols/fine.c",
     "	if (rl_mm_is_converted(mm, start, end)) {\n		rl_mm_range_lock", "	if (0) {\n		rl_mm_range_lock"),
    ("a revoked reservation is good enough", "protocols/fine.c",
     "if (mm->mutant != MUTANT_NO_RESERVATION_CHECK)", "if (0)"),
    ("a choice is not made anew", "protocols/fine-chosen.c",
     "	if (!map->known) {\n", "	if (!map->known && !map->attr.start) {\n"),
    ("reclaim does not ask for the range", "protocols/fine.c",
     "return rangelock_trywrlock(&mm->range, &hold->req, start, start + MMSHIM_PAGE) == 0;",
     "return !(hold->end = 0);"),
    ("munmap in phases has one", "change.c",
     "	rl_mm_zap(mm, e->start, e->end, UINT32_MAX);\n	mm->protocol->unlock(mm, hold);\n	rl_mm_point",
     "	rl_mm_point"),
    ("every munmap has phases", "change.c", " && end - start >= mm->config.large_unmap", ""),
    ("munmap is downgraded beside a stack", "change.c",
     "if (!e->beside_stack || mm->mutant == MUTANT_DOWNGRADE_BESIDE_STACK)", "if (1)"),
    ("munmap is never downgraded", "change.c",
     "if (!e->beside_stack || mm->mutant == MUTANT_DOWNGRADE_BESIDE_STACK)", "if (0)"),
    ("a dead mapping is as good as another", "fault.c", "return !(a->flags & VMA_DEAD) && ", "return "),
    # The oracle, blinded.
    ("the judge believes in fresh pages", "judge.c",
     "if (latest != INT64_MIN && !discarded_between(c, latest, a->end))", "if (0)"),
    ("the judge does not know madvise", "judge.c",
     "if (c->discards[i].end > after && c->discards[i].start < before)", "if (0)"),
    ("the judge does not know mremap", "judge.c", "	if (c->kind == CHANGE_MOVE) {", "	if (0) {"),
    ("the judge does not know forks", "judge.c", "(is_inherited(court, life) || made->kind == CHANGE_MOVE)", "0"),
    ("nobody looks for entries without a mapping", "books.c",
     "if (entry && !rl_mm_lookup(mm, at, &a))", "if (0)"),
    ("the check looks at the ranges that reclaim tries", "books.c",
     "		if (mm->protocol->needs)\n			rangelock_walk(&mm->range, nobody, mm);\n		pthread_mutex_unlock(&m->spaces_lock);",
     "		pthread_mutex_unlock(&m->spaces_lock);\n		if (mm->protocol->needs)\n			rangelock_walk(&mm->range, nobody, mm);"),
    ("nobody counts references", "books.c", "used != (b->refs[i] > 0))", "0)"),
    ("nobody looks whether a frame is free", "access.c",
     "if (rl_load(&f->state, relaxed) != FRAME_USED)", "if (0)"),
    ("nobody looks at the state of a VMA", "vma.c",
     "if (state == VMA_FREE || (state == VMA_RETIRED && !rl_mm_in_read_section()))", "if (0)"),
    ("nobody minds a mapping over another", "vma.c", "if (last > first && e->claims_empty)", "if (0)"),
    ("the short mutex is held over the zap", "change.c",
     "	rl_mm_each_leaf(mm, start, end, zap_leaf, &before);",
     "	rl_mm_index_lock(mm);\n	rl_mm_each_leaf(mm, start, end, zap_leaf, &before);\n	rl_mm_index_unlock(mm);"),
]

MM = sorted(str(p.relative_to(ROOT / "lib/mm")) for p in (ROOT / "lib/mm").rglob("*.c"))
LOCK = sorted(str(p) for p in (ROOT / "lib").rglob("*.c") if "mm" not in p.relative_to(ROOT / "lib").parts)
SUPPORT = [str(ROOT / s) for s in ("tests/mm/space.c", "tests/support/suite.c")]
TESTS = ["space", "races"]
FLAGS = ["-std=c11", "-O1", "-g", "-w", "-D_GNU_SOURCE", '-DRANGELOCK_VERSION_STRING="0"']
LATE = ", which takes too long"
LIBS = ["-lcheck_pic", "-lsubunit", "-lurcu-bp", "-lm", "-lrt", "-pthread"]


def compile_one(source, out, lib=None):
    """To an object; lib comes before the real one among the folders of headers."""
    include = [lib] if lib else []
    include += [ROOT / "include", ROOT / "lib", ROOT / "tools", ROOT / "tests"]
    subprocess.run(["cc", *FLAGS, *(f"-I{i}" for i in include), "-c", source, "-o", out], check=True)
    return str(out)


def kill_session(session):
    """What a program has left: Check puts each test in a process group of its own."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[3]) == session:
                os.kill(int(stat.parent.name), signal.SIGKILL)
        except (OSError, IndexError):
            pass  # it has ended meanwhile


def run_once(program):
    """How it failed, as soon as that is known; None: it passed."""
    env = dict(os.environ, CK_FORK="yes", CK_TIMEOUT_MULTIPLIER="0.1")
    process = subprocess.Popen([program], env=env, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for line in process.stdout:
            if line.startswith("not ok"):
                return line.split(":")[2] + (LATE if "Test timeout expired" in line else "")
        return f"exit {process.returncode}" if process.wait() else None
    finally:
        process.kill()  # first, so that it starts no further test
        process.wait()
        kill_session(process.pid)


def run(program):
    """The same; but on a busy machine what is sound may be late, too, though not twice."""
    how = run_once(program)
    return run_once(program) if how and how.endswith(LATE) else how


def main():
    mutants = [m for m in MUTANTS if WORDS in m[0]][TURN::SHARE]
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            def object_of(source):
                return compile_one(source, work / (source.replace("/", "_") + ".o"))

            shared = list(pool.map(object_of, LOCK + SUPPORT))
            ours = dict(zip(MM, pool.map(object_of, [str(ROOT / "lib/mm" / s) for s in MM])))
            tests = dict(zip(TESTS, pool.map(object_of, [str(ROOT / f"tests/mm/test_{t}.c") for t in TESTS])))

            def attempt(item):
                number, mutant = item
                objects = dict(ours)
                if mutant:
                    _, file, old, new = mutant
                    text = (ROOT / "lib/mm" / file).read_text()
                    if text.count(old) != 1:
                        return mutant, False, f"the text occurs {text.count(old)} times in {file}"
                    changed = work / f"{number}.c"
                    changed.write_text(text.replace(old, new))
                    try:
                        objects[file] = compile_one(str(changed), work / f"{number}.o")
                    except subprocess.CalledProcessError:
                        return mutant, False, "it does not compile"
                for test in TESTS:
                    program = work / f"{number}-{test}"
                    subprocess.run(["cc", tests[test], *objects.values(), *shared, "-o", program, *LIBS],
                                   check=True)
                    how = run(program)
                    program.unlink()
                    if how:
                        return mutant, True, f"{test}: {how}"
                return mutant, False, "nobody"

            failed = 0
            for count, (mutant, killed, by) in enumerate(pool.map(attempt, enumerate([None, *mutants])), 1):
                name = mutant[0] if mutant else "no fault at all: every test passes"
                ok = killed == bool(mutant) and (killed or by == "nobody")
                failed += not ok
                print(f"{'ok' if ok else 'not ok'} {count} - {name} (killed by {by})", flush=True)
    print(f"1..{len(mutants) + 1}")
    return failed > 0


sys.exit(main())
