#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Build each mutant of mutants.py, run the tests on it, and report by TAP which
were killed.  A survivor is a missing test.

Usage: run.py SOURCE_ROOT [--only PROGRAM] [WORDS]
    only mutants whose text contains WORDS; judged by PROGRAM alone
With RANGELOCK_MUTANTS_SHARE=N in the environment every Nth is tried, others tomorrow.
"""
import collections
import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from mutants import MUTANTS, ORDER_MUTANTS

ROOT = pathlib.Path(sys.argv[1]).resolve()
ONLY = sys.argv[3] if sys.argv[2:3] == ["--only"] else None
WORDS = " ".join(sys.argv[4 if ONLY else 2:])

NATIVE = ["base/rcu.c"]  # which the explorer has its own of
LIBRARY = [str(p.relative_to(ROOT / "lib")) for p in sorted((ROOT / "lib").glob("*/*.c"))]
# The address space has mutants and tests of its own (tests/mm/).
LIBRARY = [f for f in LIBRARY if f not in NATIVE and not f.startswith("mm/")]
PROGRAMS = {
    "itree": ["tests/unit/test_itree.c"],
    "annotate": ["tests/unit/test_annotate.c"],
    "arguments": ["tests/unit/test_arguments.c"],
    "barging": ["tests/unit/test_barging.c"],
    "checked": ["tests/unit/test_checked.c"],
    "conflicts": ["tests/unit/test_conflicts.c"],
    "observe": ["tests/unit/test_observe.c"],
    "wait": ["tests/unit/test_wait.c"],
    "faults": ["tests/unit/test_faults.c"],
    "queue": ["tests/unit/test_queue.c"],
    "change": ["tests/unit/test_change.c"],
    "vector": ["tests/unit/test_vector.c"],
    "reserve": ["tests/unit/test_reserve.c"],
    "list-arguments": ["tests/unit/test_arguments.c"],
    "list-change": ["tests/unit/test_change.c"],
    "list-fork": ["tests/unit/test_fork.c"],
    "list-observe": ["tests/unit/test_observe.c"],
    "list-reserve": ["tests/unit/test_reserve.c"],
    "list-vector": ["tests/unit/test_vector.c"],
    "list": ["tests/unit/test_list.c"],
    "stats": ["tests/unit/test_stats.c"],
    "fork": ["tests/unit/test_fork.c"],
    "model": ["tests/model/test_model.c", "tests/model/differential.c", "tests/model/model.c",
              "tests/model/operation.c", "tests/model/shrink.c", "tests/model/world.c"],
    "stress": [str(p.relative_to(ROOT)) for p in sorted((ROOT / "tools/stress").glob("*.c"))]
              + ["tools/common/args.c"],
}
SUPPORT = ["tests/support/actor.c", "tests/support/fiber.c", "tests/support/suite.c"]
ARGUMENTS = {"stress": ["--engine", "tree", "--threads", "6", "--seconds", "4", "--watchdog", "3"],
             "explore": ["--budget", "10"],
             # Of the explorer, what forks: a few steps among many, found by going through all.
             "explore-forks": ["--memory", "sc", "--search", "dfs", "--seconds", "1",
                               *(f"list-fork-{s}" for s in
                                 ("unlocked", "changes-alone", "vectors-alone", "submissions-alone",
                                  "reservations-alone", "two-locks", "looks", "submissions",
                                  "kept", "kept-alone", "kept-elsewhere"))]}

# The explorer has a library of its own, compiled around the seam.
# What it sees of plain accesses comes by the calls that the compiler
# makes for ThreadSanitizer; where that itself is at work they are its own.
EXPLORE_SEEN = [f"tests/explore/{f}.c" for f in
                ("checked", "generated", "litmus", "oracle", "scenarios", "seeded")]
EXPLORE_UNSEEN = [f"tests/explore/{f}.c" for f in ("machine", "memory", "search", "main")] \
                 + ["tools/common/args.c"]
EXPLORE_SEAM = ["tests/explore/seam.c", "tests/support/fiber.c"]
DEFINES = ['-DRANGELOCK_VERSION_STRING="0"', '-DRANGELOCK_TEST_VERSION="0"', "-D_GNU_SOURCE"]
LIBS = ["-lcheck_pic", "-lsubunit", "-ljansson", "-lurcu-bp", "-lm", "-lrt", "-pthread"]
TIMEOUT = 60
SHARE = int(os.environ.get("RANGELOCK_MUTANTS_SHARE", "1"))
TURN = int(time.time()) // 86400 % SHARE
NOT_UNDER_TSAN = ["model"]  # slow there, and blind to orders: it is one thread


def compile_all(sources, out, include, extra):
    """Compile sources into the folder out, one call for each of their folders; the objects."""
    folders = collections.defaultdict(list)
    for source in map(pathlib.Path, sources):
        folders[source.parent].append(source)
    for folder, group in folders.items():
        (out / folder.name).mkdir(parents=True, exist_ok=True)
        command = ["cc", "-std=c11", "-O1", "-g", "-w", "-c", *extra, *DEFINES,
                   *(f"-I{i}" for i in include), *map(str, group)]
        subprocess.run(command, cwd=out / folder.name, check=True)
    return [out / s.parent.name / (s.stem + ".o") for s in map(pathlib.Path, sources)]


def build_tests(work, extra):
    """The tests' own objects, shared by all mutants."""
    include = [ROOT / "include", ROOT / "lib", ROOT / "tools", ROOT / "tests"]
    support = compile_all([ROOT / s for s in SUPPORT], work / "support", include, extra)
    tests = {name: compile_all([ROOT / s for s in sources], work / name, include,
                               extra + ["-DTEST_ON_LIST"] * name.startswith("list-"))
                   + ([] if name == "stress" else support)
             for name, sources in PROGRAMS.items()}
    tests["explore"] = [
        *compile_all([ROOT / s for s in EXPLORE_SEEN], work / "seen", include, seen_flags(extra)),
        *compile_all([ROOT / s for s in EXPLORE_SEAM], work / "seam", include,
                     [*seam_flags(extra), *extra]),
        *compile_all([ROOT / s for s in EXPLORE_UNSEEN], work / "unseen", include,
                     seam_flags(extra))]
    # And the library without a fault, as the explorer has it and as the others do.
    for explored in (False, True):
        tests[explored] = build_library(ROOT, work / f"library-{explored}", explored, extra)
    return tests


def seam_flags(extra):
    return ['-DRL_ATOMIC_HEADER="explore/seam.h"',
            "-DRL_MAX_BYPASS=4", "-DRL_POOL_BATCH=1", "-DRL_POOL_CHUNK=1", "-DRL_POOL_SHELVES=1",
            "-DRL_LEFT_MAX=2", "-DRL_STAY=1", "-O2",
            "-DEXPLORE_TSAN" if extra else "-DEXPLORE_OWN_RUNTIME"]


def seen_flags(extra):
    return [*seam_flags(extra), "-fsanitize=thread"]


def build_library(root, out, explored, extra, files=LIBRARY):
    include = [ROOT / "include", root / "lib", ROOT / "tests", ROOT / "tools"]
    if files is LIBRARY and not explored:
        files = LIBRARY + NATIVE
    return compile_all([root / "lib" / f for f in files], out, include,
                       seen_flags(extra) if explored else extra)


def build_mutant(folder, changed, explored, tests, extra):
    """The library with one changed file: the rest is as it was, unless that is a header."""
    file = changed.removeprefix("lib/")
    out = folder / f"library-{explored}"
    if file not in LIBRARY:
        return build_library(folder, out, explored, extra)
    objects = list(tests[explored])
    objects[LIBRARY.index(file)], = build_library(folder, out, explored, extra, [file])
    return objects


def kill_session(session):
    """Kill what a program has left: Check puts each test in a process group of its own."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                os.kill(int(stat.parent.name), signal.SIGKILL)
        except (OSError, IndexError):
            pass  # it has ended meanwhile


def run_program(path, arguments):
    """How the program failed, as soon as that is known; None if it passed."""
    env = dict(os.environ, CK_FORK="yes", CK_TIMEOUT_MULTIPLIER="0.1",
               RANGELOCK_TEST_DIVISOR="20",
               # The explorer goes on, to say how the race came about.
               TSAN_OPTIONS=f"halt_on_error={int(path.name != 'explore')}:atexit_sleep_ms=0")
    process = subprocess.Popen(["setarch", "-R", str(path), *arguments], env=env, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    watchdog = threading.Timer(TIMEOUT, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            if line.startswith("not ok"):
                return (line.split(":")[2:] or [line.partition(" - ")[2].strip()])[0]
        return f"exit {process.returncode}" if process.wait() else None
    finally:
        watchdog.cancel()
        process.kill()  # first, so that it starts no further test
        process.wait()
        kill_session(process.pid)


def try_mutant(mutant, work, tests, extra):
    """(killed, by whom) of one mutant; None as mutant is the library as it is."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=work))
    shutil.copytree(ROOT / "lib", folder / "lib")
    order = [ONLY] if ONLY else [p for p in [*PROGRAMS, "explore"]
                                 if not (extra and p in NOT_UNDER_TSAN)]
    if mutant:
        _, file, old, new, killer = mutant
        path = folder / file
        text = path.read_text()
        if text.count(old) != 1:
            return False, f"the text occurs {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))
        if killer == "explore-forks":
            order.append(killer)
        order.sort(key=lambda name: name != killer)
    libraries = {False: tests[False], True: tests[True]}
    for name in order:
        what = "explore" if name == "explore-forks" else name
        program = folder / what
        explored = what == "explore"
        if mutant and libraries[explored] is tests[explored]:
            try:
                libraries[explored] = build_mutant(folder, file, explored, tests, extra)
            except subprocess.CalledProcessError:
                return False, "it does not compile"
        objects = tests[what] + libraries[explored]
        command = ["cc", *extra, *map(str, objects), "-o", str(program), *LIBS]
        if subprocess.run(command).returncode:
            return False, f"{name} does not link"
        how = run_program(program, ARGUMENTS.get(name, []))
        if how:
            shutil.rmtree(folder)
            return True, f"{name}: {how}"
    shutil.rmtree(folder)
    return False, "nobody"


def main():
    count = failed = 0
    if SHARE > 1:
        print(f"# one mutant in {SHARE}, from number {TURN}; RANGELOCK_MUTANTS_SHARE=1: all")
    with tempfile.TemporaryDirectory() as temporary:
        for kind, mutants, extra in (("", MUTANTS + ORDER_MUTANTS, []),
                                     ("tsan: ", ORDER_MUTANTS, ["-fsanitize=thread"])):
            mutants = [m for m in mutants if WORDS in m[0]][TURN::SHARE]
            work = pathlib.Path(temporary) / (kind.strip(": ") or "native")
            tests = build_tests(work, extra)

            def attempt(mutant):
                start = time.monotonic()
                result = try_mutant(mutant, work, tests, extra)
                return mutant, *result, time.monotonic() - start

            with concurrent.futures.ThreadPoolExecutor(2 * os.cpu_count()) as pool:
                for mutant, killed, by, seconds in pool.map(attempt, [None, *mutants]):
                    # The control of the control: without a fault all pass.
                    name = mutant[0] if mutant else "no fault at all: every test passes"
                    ok = killed == bool(mutant) and (killed or by == "nobody")
                    count += 1
                    failed += not ok
                    print(f"{'ok' if ok else 'not ok'} {count} - {kind}{name} (killed by {by}, "
                          f"{seconds:.1f} s)", flush=True)
    print(f"1..{count}")
    return failed > 0


sys.exit(main())
