#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Build the comparison of library and model for AFL++, and let afl-fuzz look for a
# difference, from the corpus.  Exit 1 if it finds one; findings are left in DIR.
# Needs afl-clang-fast and afl-fuzz: Debian's package afl++.
# Usage: tests/model/afl.sh [SECONDS [DIR]]     60 seconds, build/afl
set -eu
for tool in afl-clang-fast afl-fuzz; do
	command -v $tool >/dev/null || {
		echo "afl.sh: $tool is missing; install it with: sudo apt-get install afl++" >&2
		exit 1
	}
done
root=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-60}
dir=${2:-$root/build/afl}

mkdir -p "$dir"
cd "$root"
afl-clang-fast -std=c11 -O2 -g -D_GNU_SOURCE -DRANGELOCK_VERSION_STRING='"0"' \
	-Iinclude -Ilib -Itools -Itests -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	tests/model/fuzz.c tests/model/differential.c tests/model/model.c tests/model/operation.c \
	tests/model/shrink.c tests/model/world.c tests/support/fiber.c lib/*/*.c -lurcu-bp -pthread -o "$dir/fuzz-model"

# It runs on machines that are not set up for it, too.
AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1 AFL_NO_UI=1 \
	AFL_AUTORESUME=1 \
	afl-fuzz -V "$seconds" -i tests/model/corpus -o "$dir/findings" -- "$dir/fuzz-model"
grep -E 'execs_done|execs_per_sec|corpus_count|edges_found|saved_crashes|saved_hangs' \
	"$dir/findings/default/fuzzer_stats"

set -- "$dir/findings/default/crashes"/id* "$dir/findings/default/hangs"/id*
for found in "$@"; do
	[ ! -e "$found" ] || { echo "found: $found" && exit 1; }
done
