#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# rangelock-bench as a user meets it.
# Usage: bench.sh SOURCE_ROOT PROGRAM
. "$1/tests/support/tap.sh"
bench=$2
quick="--seconds 0.01 --repeat 2"

lists() {
	"$bench" --list >"$tap_dir/list"
	for name in pair-write pair-read disjoint-write full-write full-mix oversub file \
		tree tree-barging list pthread_mutex pthread_rwlock kara-bueso kogan ofd; do
		grep -qE "^  $name " "$tap_dir/list" || { echo "$name is missing"; return 1; }
	done
}

tells_json() {
	"$bench" $quick --threads 1,3 --json "$tap_dir/j" &&
		python3 - "$tap_dir/j" <<-'END'
			import json, sys
			j = json.load(open(sys.argv[1]))
			assert j["machine"]["processors"] >= 1
			locks, workloads = set(), set()
			for r in j["results"]:
			    locks.add(r["lock"])
			    workloads.add(r["workload"])
			    assert (r["threads"] in (1, 3) or r["workload"] == "oversub") and isinstance(r["param"], str), r
			    for k in "ops_per_s", "ns_per_op":
			        assert 0 < r[k]["min"] <= r[k]["median"] <= r[k]["max"], r
			    if r["workload"] == "file":
			        assert r["torn"] == 0, r
			assert {"tree", "tree-barging", "list", "pthread_mutex", "pthread_rwlock", "kara-bueso", "kogan", "ofd"} == locks, locks
			assert len(workloads) == 7, workloads
		END
}

# Without a lock the verification of `file` must find torn records.  Many short
# rounds: what one lock has left in the file must not be blamed on the next.
finds_tearing() {
	"$bench" --workload file --lock tree,none --threads 4 --seconds 0.02 --repeat 40 --json "$tap_dir/j" &&
		python3 - "$tap_dir/j" <<-'END'
			import json, sys
			torn = {r["lock"]: r["torn"] for r in json.load(open(sys.argv[1]))["results"]}
			assert torn["tree"] == 0 and torn["none"] > 0, torn
		END
}

json_on_stdout() {
	"$bench" $quick --workload pair-write --json - 2>/dev/null | python3 -m json.tool
}

check "--help" "$bench" --help
check "--list names workloads and locks" lists
check "refuses an unknown workload" refuses "$bench" --workload --workload pair-write,nonsense
check "refuses an empty item" refuses "$bench" --workload --workload pair-write,
check "refuses an unknown lock" refuses "$bench" --lock --lock tree,nonsense
check "refuses 0 threads" refuses "$bench" --threads --threads 1,0
check "refuses 0 seconds" refuses "$bench" --seconds --seconds 0
check "refuses 0 rounds" refuses "$bench" --repeat --repeat 0
check "refuses an unknown option" refuses "$bench" --bogus --bogus
check "refuses a stray word" refuses "$bench" stray stray
check "refuses a directory that is not there" refuses "$bench" --dir --dir /nonexistent --workload pair-write
check "refuses an unwritable file before it starts" refuses "$bench" --json --json /nonexistent/file
check "a very short round still has a figure" "$bench" --seconds 0.000001 --repeat 1 --json "$tap_dir/j" \
	--workload full-write --threads 64 --lock tree,kara-bueso
check "text that cannot be written is an error" exits 1 sh -c '"$1" --workload pair-write $2 >/dev/full' - \
	"$bench" "$quick"
check "every workload with every lock, and the JSON of it" tells_json
check "the file workload finds tearing without a lock, and none with one" finds_tearing
check "JSON alone on standard output" json_on_stdout
tap_end
