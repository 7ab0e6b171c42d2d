#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# rangelock-stress as a user meets it.
# Usage: stress.sh SOURCE_ROOT PROGRAM
. "$1/tests/support/tap.sh"
stress=$2

helps() {
	"$stress" --help | grep -F -- --engine
}

# A run that fails, within 2 seconds, and says on what.
catches_busted() {
	exits 1 timeout 10 "$stress" --engine busted --seconds 2 "$@" >"$tap_dir/out" 2>&1 &&
		grep -F VIOLATION "$tap_dir/out"
}

tells_json() { # engine, violations, then the arguments
	engine=$1 violations=$2
	shift 2
	"$stress" --engine "$engine" --seconds 0.5 --seed 7 --json "$tap_dir/j" "$@"
	python3 - "$tap_dir/j" "$engine" "$violations" <<-'END'
		import json, sys
		j = json.load(open(sys.argv[1]))
		assert j["engine"] == sys.argv[2] and j["seed"] == 7, j
		assert j["violations"] == int(sys.argv[3]), j
		# Strict FIFO, or RANGELOCK_MAX_BYPASS.
		most = {"tree": 0, "busted": 0}.get(sys.argv[2], 4096)
		assert j["max_bypass"] <= most and j["judged"] <= j["operations"], j
		assert sys.argv[2] == "busted" or j["judged"] > 0, j
		assert j["operations"] == sum(j["calls"].values()) > 0, j
		few = {"upgrade"} # needs one who holds nothing else
		assert sys.argv[2] == "busted" or all(n > 0 for c, n in j["calls"].items() if c not in few), j
	END
}

# Nobody sits a round out: the threads go on as long as the run does.
keeps_all_busy() {
	"$stress" --engine tree --seconds 1.6 --threads 4 --json "$tap_dir/j" &&
		python3 - "$tap_dir/j" <<-'END'
			import json, sys
			j = json.load(open(sys.argv[1]))
			assert j["rounds"] >= 3 and j["idle"] < j["rounds"], j
		END
}

# Of calls that are right a checked lock says nothing.
says_nothing_of_what_is_right() { # the engine
	"$stress" --engine "$1" --checked --seconds 2 --threads 6 2>"$tap_dir/err" &&
		exits 1 grep '^rangelock:' "$tap_dir/err"
}

json_on_stdout() {
	"$stress" --engine tree --seconds 0.2 --json - 2>/dev/null | python3 -m json.tool
}

check "--help" helps
check "refuses an unknown engine" refuses "$stress" --engine --engine nonsense
check "refuses 0 threads" refuses "$stress" --threads --threads 0
check "refuses threads that are no number" refuses "$stress" --threads --threads 2x
check "refuses negative seconds" refuses "$stress" --seconds --seconds -1
check "refuses a bad seed" refuses "$stress" --seed --seed -5
check "refuses an unknown option" refuses "$stress" --bogus --bogus
check "refuses an option without its value" refuses "$stress" --threads --threads
check "refuses a stray word" refuses "$stress" stray stray
check "refuses an unwritable file before it starts" refuses "$stress" --json --json /nonexistent/file
check "takes decimals" "$stress" --seconds 0.1 --threads 2
for threads in 1 2 8; do
	for seed in 1 2 3; do
		check "catches the busted lock, $threads threads, seed $seed" \
			catches_busted --threads $threads --seed $seed
	done
done
check "catches it on a fresh seed" catches_busted
check "JSON of a clean run" tells_json tree 0 --threads 4
check "JSON of a clean run with barging" tells_json tree-barging 0 --threads 4
check "keeps all threads busy in every round" keeps_all_busy
check "JSON of a checked run" tells_json tree 0 --checked
check "no report from a checked lock" says_nothing_of_what_is_right tree
check "no report from a checked lock with barging" says_nothing_of_what_is_right tree-barging
check "JSON of all engines" tells_json all 0
check "JSON of a violation" tells_json busted 1
check "JSON alone on standard output" json_on_stdout
tap_end
