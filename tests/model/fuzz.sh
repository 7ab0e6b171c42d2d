#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Sequences of calls that fuzzers found: replayed, and looked for anew.
# Usage: fuzz.sh SOURCE_ROOT REPLAY [FUZZER]     FUZZER: built with libFuzzer
#
# The corpus, anew, where what the bytes mean has changed: what covers most, and what
# finds each model that is wrong, shrunk (from WORK, or from a crash of fuzz-model with it).
#	fuzz-model -max_total_time=120 -max_len=1024 WORK
#	for length in 80 1024; do
#		fuzz-model -set_cover_merge=1 -use_counters=0 -max_len=$length NEW WORK
#	done
#	for fault in $(replay-model --faults); do
#		RANGELOCK_MODEL_FAULT=$fault replay-model WORK/* 2>&1 |
#			sed -n 's/.*--hex //p' | xxd -r -p >NEW/$fault
#	done
. "$1/tests/support/tap.sh"
corpus=$1/tests/model/corpus
replay=$2
fuzzer=${3-}
seconds=${RANGELOCK_FUZZ_SECONDS:-20}

# What is found goes to a folder of its own, and is gone with it.
fuzz() { # seconds, then more options and what to begin with
	time=$1
	shift
	rm -rf "$tap_dir/work"
	mkdir "$tap_dir/work"
	"$fuzzer" -timeout=10 -max_len=1024 -verbosity=1 -print_final_stats=1 \
		-artifact_prefix="$tap_dir/" -max_total_time="$time" "$tap_dir/work" "$@"
}

says_what_differs() {
	! "$@" >"$tap_dir/out" 2>&1 && grep -F DIFFERENCE: "$tap_dir/out"
}

finds_fault_in() {
	RANGELOCK_MODEL_FAULT=$1 says_what_differs fuzz 60 -seed=1
}

replay_corpus_with() {
	RANGELOCK_MODEL_FAULT=$1 says_what_differs "$replay" "$corpus"/*
}

# A printed sequence shows the same difference again.
repeats() {
	RANGELOCK_MODEL_FAULT=adjacent-conflict "$replay" "$corpus"/* >"$tap_dir/out" 2>&1
	hex=$(sed -n 's/.*--hex //p' "$tap_dir/out")
	difference=$(sed -n 's/^DIFFERENCE: //p' "$tap_dir/out")
	"$replay" --hex "$hex" || return 1
	RANGELOCK_MODEL_FAULT=adjacent-conflict "$replay" --hex "$hex" | grep -Fx -- "$difference"
}

faults=$("$replay" --faults)

check "the corpus shows no difference" "$replay" "$corpus"/*
check "a printed sequence can be repeated" repeats
for fault in $faults; do
	check "the corpus finds a model with $fault" replay_corpus_with "$fault"
done
if [ -n "$fuzzer" ]; then
	check "$seconds seconds of fuzzing show no difference" fuzz "$seconds" "$corpus"
	sed -n 's/^stat::/# &/p' "$tap_dir/output"
	# Of the faults the first few, or those that are asked for, since it takes a while.
	for fault in ${RANGELOCK_FUZZ_FAULTS:-$(echo "$faults" | head -6)}; do
		check "fuzzing from nothing finds a model with $fault" finds_fault_in "$fault"
	done
else
	skip "fuzzing" "this build has no libFuzzer"
fi
tap_end
