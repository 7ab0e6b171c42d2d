#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# tools/bench-goals: all can be run, and what it says of figures that are known.  No time is judged here.
# Usage: goals.sh SOURCE_ROOT PROGRAM
. "$1/tests/support/tap.sh"
goals=$1/tools/bench-goals compare=$1/tools/bench-compare bench=$2
build=$(dirname "$(dirname "$bench")")

runs() {
	"$goals" --quick --build "$build" --out "$tap_dir/goals" --name a >"$tap_dir/table" &&
		cmp "$tap_dir/table" "$tap_dir/goals/a.md" && grep -c "not judged" "$tap_dir/table" &&
		! grep "no figure" "$tap_dir/table" | grep -v valgrind
}

# altered FILE PYTHON: the same result with something changed, `r` by workload and lock.
altered() {
	python3 - "$tap_dir/goals/a.json" "$tap_dir/$1" "$2" <<-'END_OF_PYTHON'
		import json, sys
		j = json.load(open(sys.argv[1]))
		j["judged"] = True
		j["machine"]["load"] = 0.0
		def all_of(workload, *locks):
		    return [r for r in j["results"] + j["controls"] if r["workload"] == workload and r["name"] in locks]
		def rate(workload, lock, *rounds, **only):
		    for r in all_of(workload, lock):
		        if all(r[k] == v for k, v in only.items()):
		            r["rounds"], r["repeat"] = list(rounds), len(rounds)
		exec(sys.argv[3])
		json.dump(j, open(sys.argv[2], "w"))
	END_OF_PYTHON
}

# The row that begins so ends so.
has_row() {
	"$goals" --from "$tap_dir/$1" >"$tap_dir/rows"
	grep -F "| $2" "$tap_dir/rows" | grep -F "$3" || { cat "$tap_dir/rows"; return 1; }
}

ratio_is() {
	altered b "rate('pair-write', 'tree', $1); rate('pair-write', 'pthread_mutex', 10, 10, 10)" &&
		has_row b "pair-write: time of tree / pthread_mutex | <= 1 " "$2"
}

mean_is() {
	altered b "
for r in all_of('full-mix', 'list'): r['rounds'] = [10.0 if r['threads'] == 1 else 42.0]
for r in all_of('full-mix', 'pthread_rwlock'): r['rounds'] = [20.0]" &&
		has_row b "full-mix: list / pthread_rwlock, geometric mean of 10 cells | >= 1 " "| 1.02 | met |" &&
		has_row b "full-mix: list / pthread_rwlock, the worst cell | >= 0.75 " "| 0.5 | **not met** |"
}

starves() {
	altered b "
for r in all_of('full-mix', 'list'):
    if r['threads'] == 2: r['by_round'][0]['per_thread'] = [1000000, 1]" &&
		has_row b "full-mix: list, the slowest thread's part of its share" "**not met**"
}

best_of_all() {
	altered b "
for r in all_of('disjoint-write', 'pthread_mutex', 'pthread_rwlock', 'ck_rwlock', 'ck_pflock'): r['rounds'] = [10.0]
rate('disjoint-write', 'ck_pflock', 20.0)
rate('disjoint-write', 'tree', 36.0)" &&
		has_row b "disjoint-write, 400 ns, 2 threads: tree / the best whole-object lock | >= 1.5 | 1.8 | met" ck_pflock
}

allocates() {
	altered b "all_of('pair-read', 'list')[0]['by_round'][0]['per_op']['allocations'] = 0.5" &&
		has_row b "memory: allocations of list per pair | <= 0 | 0.5 " "**not met** | pair-read"
}

# Figures that cannot be: exit 1, and which.
finds() {
	altered b "$1"
	exits 1 "$goals" --from "$tap_dir/b" 2>"$tap_dir/err" && grep -F "$2" "$tap_dir/err"
}

noise_is() {
	altered b "
for r in j['controls']: r['rounds'] = [10.0]
rate('full-mix', \"tree-barging'\", 8.0)" &&
		"$goals" --from "$tap_dir/b" | grep -F "differs by 25.0 %"
}

into_a_document() {
	printf 'before\n<!-- bench-goals: begin -->\nold\n<!-- bench-goals: end -->\nafter\n' >"$tap_dir/doc" &&
		"$goals" --from "$tap_dir/goals/a.json" --doc "$tap_dir/doc" && ! grep old "$tap_dir/doc" &&
		[ "$(head -1 "$tap_dir/doc")" = before ] && [ "$(tail -1 "$tap_dir/doc")" = after ] &&
		cp "$tap_dir/doc" "$tap_dir/doc2" && "$goals" --from "$tap_dir/goals/a.json" --doc "$tap_dir/doc" &&
		cmp "$tap_dir/doc" "$tap_dir/doc2"
}

# The whole document of the project can be made from a result.
own_document() {
	cp "$1/doc/performance.md" "$tap_dir/doc" && "$goals" --from "$tap_dir/goals/a.json" --doc "$tap_dir/doc"
}

check "all runs, with all figures" runs
check "rangelock-bench draws what it writes" "$bench" --from "$tap_dir/goals/a.json" --plot "$tap_dir/plots"
check "bench-compare compares what it writes" "$compare" "$tap_dir/goals/a.json" "$tap_dir/goals/a.json"
check "faster in all rounds is met" ratio_is "20, 40, 25" "| 0.4 (0.25 - 0.5) | met |"
check "slower in all rounds is not" ratio_is "5, 8, 4" "| 2 (1.25 - 2.5) | **not met** |"
check "faster by the median" ratio_is "20, 12.5, 5" "| 0.8 (0.5 - 2) | met, not in all rounds |"
check "slower by the median" ratio_is "20, 8, 5" "| 1.25 (0.5 - 2) | **not met**, but in some rounds |"
check "a mean of cells, and the worst of them" mean_is
check "a thread that starves" starves
check "against the best of all" best_of_all
check "an allocation anywhere" allocates
check "the noise is what twins show" noise_is
check "a sleep that is none is found" finds "rate('pair-write', 'sleep', 1e6); [r.update(ns_per_op={'median': 5.0}) for r in all_of('pair-write', 'sleep')]" "sleeps 100 us takes 5 ns"
check "so is its latency" finds "all_of('pair-write', 'sleep')[0]['by_round'][0]['latency_ns']['p50'] = 500.0" "latency"
check "so are its wake-ups" finds "all_of('pair-write', 'sleep')[0]['by_round'][0]['per_op']['wakeups'] = 0.0" "woken once"
check "no lock that is slow is found" finds "[r['ops_per_s'].update(median=1.0) for r in all_of('pair-write', 'none')]" "slower than a mutex"
check "the table in a document, again and again" into_a_document
check "the project's own document has its place" own_document "$1"
check "--help" "$goals" --help
check "refuses 0 seconds" refuses "$goals" --seconds --seconds 0
check "refuses 0 rounds" refuses "$goals" --repeat --repeat 0
check "refuses a directory without a build" refuses "$goals" --build --build "$tap_dir" --out "$tap_dir/goals"
check "refuses a directory that cannot be" refuses "$goals" --out --out /dev/null/there
check "refuses a result that is none" refuses "$goals" --from --from /dev/null
check "refuses the result of something else" refuses "$goals" --from --from "$1/.clang-format"
check "refuses a document without a place for it" refuses "$goals" --doc --from "$tap_dir/goals/a.json" --doc "$1/README.md"
check "refuses processors that are not there" refuses "$goals" --pin --pin 1023 --quick --build "$build" --out "$tap_dir/goals"
check "refuses an unknown option" refuses "$goals" --bogus --bogus
tap_end
