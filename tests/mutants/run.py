#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Build each mutant of mutants.py, run the tests on it, and report by TAP which
were killed.  A survivor is a missing test.

Usage: run.py SOURCE_ROOT [WORDS]     only mutants whose text contains WORDS
"""
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

from mutants import MUTANTS, TSAN_MUTANTS

ROOT = pathlib.Path(sys.argv[1]).resolve()
WORDS = " ".join(sys.argv[2:])

LIBRARY = ["front/absent.c", "front/life.c", "front/lock.c", "front/word.c", "base/itree.c",
           "tree/tree.c", "wait/wait.c"]
PROGRAMS = {
    "itree": ["tests/unit/test_itree.c"],
    "arguments": ["tests/unit/test_arguments.c"],
    "conflicts": ["tests/unit/test_conflicts.c"],
    "observe": ["tests/unit/test_observe.c"],
    "wait": ["tests/unit/test_wait.c"],
    "faults": ["tests/unit/test_faults.c"],
    "queue": ["tests/unit/test_queue.c"],
    "stress": [str(p.relative_to(ROOT)) for p in sorted((ROOT / "tools/stress").glob("*.c"))]
              + ["tools/common/args.c"],
}
SUPPORT = ["tests/support/actor.c", "tests/support/suite.c"]
ARGUMENTS = {"stress": ["--engine", "tree", "--threads", "6", "--seconds", "4", "--watchdog", "3"]}
DEFINES = ['-DRANGELOCK_VERSION_STRING="0"', '-DRANGELOCK_TEST_VERSION="0"', "-D_GNU_SOURCE"]
LIBS = ["-lcheck_pic", "-lsubunit", "-ljansson", "-lm", "-lrt", "-pthread"]
TIMEOUT = 40


def compile_all(sources, out, include, extra):
    """Compile sources, in one call, into the folder out; the objects."""
    out.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-std=c11", "-O1", "-g", "-w", "-c", *extra, *DEFINES,
               *(f"-I{i}" for i in include), *map(str, sources)]
    subprocess.run(command, cwd=out, check=True)
    return [out / (pathlib.Path(s).stem + ".o") for s in sources]


def build_tests(work, extra):
    """The tests' own objects, shared by all mutants."""
    include = [ROOT / "include", ROOT / "lib", ROOT / "tools", ROOT / "tests"]
    support = compile_all([ROOT / s for s in SUPPORT], work / "support", include, extra)
    return {name: compile_all([ROOT / s for s in sources], work / name, include, extra)
                  + ([] if name == "stress" else support)
            for name, sources in PROGRAMS.items()}


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
               RANGELOCK_TEST_DIVISOR="20", TSAN_OPTIONS="halt_on_error=1")
    process = subprocess.Popen(["setarch", "-R", str(path), *arguments], env=env, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    watchdog = threading.Timer(TIMEOUT, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            if line.startswith("not ok"):
                return line.split(":")[2]
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
    order = list(PROGRAMS)
    if mutant:
        _, file, old, new, killer = mutant
        path = folder / file
        text = path.read_text()
        if text.count(old) != 1:
            return False, f"the text occurs {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))
        order.sort(key=lambda name: name != killer)
    try:
        library = compile_all([folder / "lib" / s for s in LIBRARY], folder,
                              [ROOT / "include", folder / "lib"], extra)
    except subprocess.CalledProcessError:
        return False, "it does not compile"
    for name in order:
        program = folder / name
        subprocess.run(["cc", *extra, *map(str, tests[name] + library), "-o", str(program), *LIBS],
                       check=True)
        how = run_program(program, ARGUMENTS.get(name, []))
        if how:
            shutil.rmtree(folder)
            return True, f"{name}: {how}"
    shutil.rmtree(folder)
    return False, "nobody"


def main():
    count = failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        for kind, mutants, extra in (("", MUTANTS, []),
                                     ("tsan: ", TSAN_MUTANTS, ["-fsanitize=thread"])):
            mutants = [m for m in mutants if WORDS in m[0]]
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
