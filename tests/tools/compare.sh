#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# tools/bench-compare: finds what has changed, and no more.
# Usage: compare.sh SOURCE_ROOT
. "$1/tests/support/tap.sh"
compare=$1/tools/bench-compare

python3 - "$tap_dir" <<-'END'
	import json, random, sys
	def run(name, seed, factor, rounds=12):
	    rng, results = random.Random(seed), []
	    for workload in "pair-write", "full-mix":
	        for threads in 1, 2:
	            # The machine is now fast, now slow; the rest is noise of 3 %.
	            drift = [rng.uniform(0.6, 1.4) for _ in range(rounds)]
	            for lock, speed in ("pthread_mutex", 1e7), ("tree", 1.1e7), ("list", 9e6):
	                f = factor(workload, threads, lock)
	                results.append(dict(workload=workload, param="", threads=threads, lock=lock,
	                    rounds=[speed * f * d * rng.uniform(0.97, 1.03) for d in drift]))
	    json.dump({"results": results}, open(f"{sys.argv[1]}/{name}.json", "w"))
	run("a", 1, lambda w, t, l: 1)
	run("same", 2, lambda w, t, l: 1)
	run("slow-machine", 3, lambda w, t, l: 0.5)
	run("changed", 4, lambda w, t, l: 0.8 if (w, t, l) == ("full-mix", 2, "list") else 1)
	run("better", 5, lambda w, t, l: 1.3 if l == "tree" else 1)
	run("few", 6, lambda w, t, l: 0.8 if l == "list" else 1, rounds=3)
	json.dump({"results": []}, open(f"{sys.argv[1]}/none.json", "w"))
END

says() { # the exit status, what it must say, then the arguments
	status=$1 words=$2
	shift 2
	exits "$status" "$compare" "$@" >"$tap_dir/said" 2>&1
	result=$?
	cat "$tap_dir/said"
	[ $result -eq 0 ] && grep -E -- "$words" "$tap_dir/said"
}

one_is_slower() {
	says 1 "^8 compared: 1 slower, 0 faster" "$tap_dir/a.json" "$tap_dir/changed.json" &&
		grep -E "^ +0\.[78][0-9]x +list +full-mix, 2 threads" "$tap_dir/said"
}

check "--help" "$compare" --help
check "a run and itself" says 0 "0 slower, 0 faster" "$tap_dir/a.json" "$tap_dir/a.json"
check "two runs of the same" says 0 "0 slower, 0 faster" "$tap_dir/a.json" "$tap_dir/same.json"
check "a machine of half the speed" says 0 "0 slower, 0 faster" "$tap_dir/a.json" "$tap_dir/slow-machine.json"
check "the same, as it is" says 1 "12 slower, 0 faster" --against none "$tap_dir/a.json" "$tap_dir/slow-machine.json"
check "one cell that is slower" one_is_slower
check "one lock that is faster" says 0 "0 slower, 4 faster" "$tap_dir/a.json" "$tap_dir/better.json"
check "changes that do not matter" says 0 "0 slower, 0 faster" --least 40 "$tap_dir/a.json" "$tap_dir/changed.json"
check "says that rounds are too few" says 0 "too few rounds" "$tap_dir/few.json" "$tap_dir/few.json"
check "refuses a file that is none" says 2 "/dev/null" "$tap_dir/a.json" /dev/null
check "refuses a file that is not there" says 2 "/nonexistent" "$tap_dir/a.json" /nonexistent
check "refuses runs that have nothing in common" says 2 "none.json" "$tap_dir/a.json" "$tap_dir/none.json"
check "refuses an unknown option" says 2 "--bogus" "$tap_dir/a.json" "$tap_dir/a.json" --bogus
tap_end
