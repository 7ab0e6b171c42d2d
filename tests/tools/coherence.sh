#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# tools/bench-coherence: what it counts of locks of which that is known.
# Usage: coherence.sh SOURCE_ROOT PROGRAM
. "$1/tests/support/tap.sh"
coherence=$1/tools/bench-coherence program=$2
quick="--pairs 20 --warm-up 20"

# Accesses made up: written, fetched, and what is its own or nobody else's.
caches() {
	python3 - "$coherence" <<-'END_OF_PYTHON'
		import importlib.machinery, importlib.util, sys
		sys.dont_write_bytecode = True
		loader = importlib.machinery.SourceFileLoader("coherence", sys.argv[1])
		module = importlib.util.module_from_spec(importlib.util.spec_from_loader("coherence", loader))
		loader.exec_module(module)
		def counts(*accesses):
		    caches = module.Caches()
		    for core, kind in accesses:
		        (caches.write if kind == "w" else caches.read)(core, 1)
		    return caches.written[1], caches.fetched[1]
		assert counts((0, "w"), (0, "w"), (0, "r")) == (0, 0)          # its own
		assert counts((0, "r"), (1, "r"), (0, "r")) == (0, 1)          # first come, then shared by both
		assert counts((0, "w"), (1, "w"), (0, "w")) == (2, 0)          # to and fro
		assert counts((0, "w"), (1, "r"), (1, "w")) == (1, 1)          # fetched, then taken
		assert counts((0, "w"), (1, "r"), (0, "w"), (0, "w")) == (1, 1)  # another had a copy
	END_OF_PYTHON
}

# One lock's row has what is known of it.
counts() {
	"$coherence" $quick --program "$program" --lock "$1" --order "$2" --json "$tap_dir/j" &&
		python3 - "$tap_dir/j" "$1" "$3" <<-'END_OF_PYTHON'
			import json, sys
			rows = [r for r in json.load(open(sys.argv[1]))["results"] if r["lock"] == sys.argv[2]]
			assert len(rows) == 1 and rows[0]["pairs"] == 40, rows
			assert eval(sys.argv[3], {}, rows[0]), rows
		END_OF_PYTHON
}

reads() {
	"$coherence" $quick --program "$program" --lock pthread_rwlock --order together --mode read |
		grep -E "^pthread_rwlock +together +1.00 +1 +2.00"
}

# A simulation that sees nothing is found out by its own controls.
is_found_blind() {
	sed 's/self.written\[line\] += 1/pass/' "$coherence" >"$tap_dir/blind" &&
		! cmp -s "$coherence" "$tap_dir/blind" && chmod +x "$tap_dir/blind" &&
		exits 1 "$tap_dir/blind" $quick --program "$program" --lock none --order pairs
}

check "copies and owners of a line" caches
if command -v valgrind >/dev/null; then
	check "no lock writes nothing in common" counts none together "written == 0 and fetched == 0"
	check "a mutex is a line" counts pthread_mutex pairs "written == most_written == transfers == 1"
	check "readers write the line of their lock, to and fro" reads
	check "all of glibc's accesses are seen" counts pthread_rwlock pairs "written == most_written == 1"
	check "the tree and its requests" counts tree overlap "1 < written <= 6 and written <= transfers"
	check "alone in turn the list is one word" counts list pairs "written == 1 and fetched == 0"
	check "the order of calls matters" counts tree pairs "written == transfers == 1"
	check "says which lines, and who writes them" sh -c '"$@" | grep "lock, bytes 0 to 63: .*pthread_mutex"' - \
		"$coherence" $quick --program "$program" --lock pthread_mutex --order pairs --lines
	check "a simulation that is blind is found out" is_found_blind
	check "refuses to let two hold a mutex" refuses "$coherence" --order $quick --program "$program" \
		--lock pthread_mutex --order together
	check "refuses an unknown lock" refuses "$coherence" nonsense --program "$program" --lock nonsense
else
	skip "what locks write in common" "valgrind is not installed"
fi
check "--help" "$coherence" --help
check "refuses a program that is none" refuses "$coherence" --program --program /nonexistent
check "refuses 0 pairs" refuses "$coherence" --pairs --program "$program" --pairs 0
check "refuses an unknown order" refuses "$coherence" --order --order backwards
check "refuses a file that cannot be written" refuses "$coherence" --json --program "$program" --json /nonexistent/file
tap_end
