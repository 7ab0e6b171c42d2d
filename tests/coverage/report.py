#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Line and branch coverage of lib/ without lib/mm/, after tests have run in a build with -Db_coverage=true.

Usage: report.py SOURCE_ROOT BUILD_ROOT EXPLORER

Prints what each file has and, by TAP, whether the goals are met and whether every line with
something uncovered stands in uncovered.txt with a reason.  An entry there is

    FILE: text of the line, as it stands, without indentation
        reason

A line that is covered in one run and not in the next may stand there too; and the explorer,
which meets some of them by chance, has more runs while there is one without a reason.
"""
import collections
import itertools
import json
import pathlib
import subprocess
import sys

ROOT, BUILD = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
EXPLORER = sys.argv[3]
RUNS = 4
LINES_GOAL, BRANCHES_GOAL = 98, 92


def measure():
    """{file: {line: [count, [count of each branch]]}}, added up over all objects.

    The explorer's are among them: it runs the orders of threads that otherwise come by chance.
    """
    files = collections.defaultdict(dict)
    for data in itertools.chain(BUILD.glob("lib/**/*.gcda"), BUILD.glob("tests/explore/**/*.gcda")):
        out = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", data.name],
                             cwd=data.parent, check=True, capture_output=True, text=True).stdout
        for file in json.loads(out)["files"]:
            path = (BUILD / file["file"]).resolve()
            # The address space has tests and mutants of its own.
            if not path.is_relative_to(ROOT / "lib") or path.is_relative_to(ROOT / "lib/mm"):
                continue
            lines = files[str(path.relative_to(ROOT))]
            for line in file["lines"]:
                branches = [b["count"] for b in line["branches"]]
                known = lines.setdefault(line["line_number"], [0, [0] * len(branches)])
                known[0] += line["count"]
                # Around the explorer's seam a line may have other branches, which say nothing here.
                if len(branches) == len(known[1]):
                    known[1] = [a + b for a, b in zip(known[1], branches)]
    return files


def reasons():
    """{(file, text): reason}"""
    entries, key = {}, None
    for line in (ROOT / "tests/coverage/uncovered.txt").read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace():
            entries[key] = (entries[key] + " " + line.strip()).strip()
        else:
            key = tuple(line.split(": ", 1))
            entries[key] = ""
    return entries


def percent(part, whole):
    return 100 * part / whole if whole else 100.0


def all_have_reasons(files, excused):
    return all(count and all(branches)
               or (name, (ROOT / name).read_text().splitlines()[number - 1].strip()) in excused
               for name, lines in files.items() for number, (count, branches) in lines.items())


def main():
    files, excused = measure(), reasons()
    for _ in range(RUNS):
        if all_have_reasons(files, excused):
            break
        print("# the explorer once more")
        subprocess.run([EXPLORER, "--budget", "16"], stdout=subprocess.DEVNULL)
        files = measure()
    totals, unexcused, used = [0, 0, 0, 0], [], set()
    for name in sorted(files):
        text = (ROOT / name).read_text().splitlines()
        counts = [0, 0, 0, 0]
        for number, (count, branches) in sorted(files[name].items()):
            counts[0] += count > 0
            counts[1] += 1
            counts[2] += sum(b > 0 for b in branches)
            counts[3] += len(branches)
            if count and all(branches):
                continue
            key = (name, text[number - 1].strip())
            what = (f"{sum(b == 0 for b in branches)} of {len(branches)} branches" if count
                    else "not run")
            if excused.get(key):
                used.add(key)
                print(f"# excused: {name}:{number}: {what}: {key[1]}: {excused[key]}")
            else:
                unexcused.append(f"{name}:{number}: {what}: {key[1]}")
        totals = [a + b for a, b in zip(totals, counts)]
        print(f"# {name:24} lines {counts[0]:4}/{counts[1]:<4} {percent(*counts[:2]):5.1f} %   "
              f"branches {counts[2]:4}/{counts[3]:<4} {percent(*counts[2:]):5.1f} %")
    for key in excused.keys() - used:
        print(f"# covered this time: {key[0]}: {key[1]}")
    lines, branches = percent(*totals[:2]), percent(*totals[2:])
    print("1..3")
    failed = 0
    for i, (good, what) in enumerate(
            [(totals[1] and lines >= LINES_GOAL, f"{lines:.1f} % of lines, at least {LINES_GOAL}"),
             (totals[3] and branches >= BRANCHES_GOAL,
              f"{branches:.1f} % of branches, at least {BRANCHES_GOAL}"),
             (not unexcused, "what is not covered has a reason")], 1):
        print(f"{'ok' if good else 'not ok'} {i} - {what}")
        failed += not good
    for line in unexcused:
        print(f"# no reason: {line}")
    return failed > 0


sys.exit(main())
