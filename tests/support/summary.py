#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Add up Meson test logs, case by case.

Usage: summary.py LABEL=TESTLOG.json...

Prints what failed with what it said of that and, last, `N passed, N failed`; exits 1 if anything did.
"""
import json
import re
import sys

COMMENTS = 20  # of a test that failed, the last ones

passed = failed = skipped = 0
for argument in sys.argv[1:]:
    label, path = argument.split("=", 1)
    for line in open(path):
        test = json.loads(line)
        cases = re.findall(r"^((?:not )?ok) \d+ ?(.*)$", test.get("stdout") or "", re.M)
        bad = [text for verdict, text in cases if verdict == "not ok"]
        skips = [text for verdict, text in cases if verdict == "ok" and "# SKIP" in text]
        if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and not bad:
            bad = [f"{test['result']}, returned {test['returncode']}"]
        if not cases and not bad:
            bad = ["reported nothing"]
        passed += len(cases) - len(skips) - sum(verdict == "not ok" for verdict, _ in cases)
        skipped += len(skips)
        failed += len(bad)
        for text in bad:
            print(f"FAILED {label}: {test['name']}: {text}")
        if bad:  # and what it says of that, which stands behind
            for comment in re.findall(r"^# .*$", test.get("stdout") or "", re.M)[-COMMENTS:]:
                print("  " + comment)

print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(failed > 0 or passed == 0)
