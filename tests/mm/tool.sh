#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# rangelock-mm as a user meets it; and the oracle, over every protocol, and over what is broken
# on purpose.
# Usage: tool.sh SOURCE_ROOT PROGRAM
. "$1/tests/support/tap.sh"
source=$1
mm=$2
protocols="mmap-sem mmap-sem-range retry populate coarse fine fine-chosen"
workloads="ebizzy pft page_fault1 page_fault2 page_fault3 mmap1 mmap2 brk malloc-large malloc-small
	full-range munmap false-conflicts"

helps() {
	"$mm" --help >"$tap_dir/help" || return 1
	for option in protocol unmap copy workload size threads seconds engine backend check mutant json list; do
		grep -F -- "--$option" "$tap_dir/help" || { echo "--$option is missing"; return 1; }
	done
}

lists() {
	"$mm" --list >"$tap_dir/list"
	for name in $protocols $workloads no-vm-dead no-recheck; do
		grep -qE "^  $name( |$)" "$tap_dir/list" || { echo "$name is missing"; return 1; }
	done
}

judges() { # arguments: nothing to object, and something was judged
	"$mm" --check --seconds 0.4 --json "$tap_dir/j" "$@" &&
		python3 - "$tap_dir/j" <<-'END'
			import json, sys
			for r in json.load(open(sys.argv[1]))["results"]:
			    assert r["violations"] == 0 and r["checked"] > 1000, r
			    assert r["counters"]["segv"] > 0 and r["counters"]["faults"] > 0, r
		END
}

finds() { # mutant: objects, and says to what
	exits 1 timeout 60 "$mm" --mutant "$1" --seconds 10 --json "$tap_dir/j" 2>"$tap_dir/err" &&
		grep -F VIOLATION "$tap_dir/err" &&
		python3 - "$tap_dir/j" <<-'END'
			import json, sys
			r = json.load(open(sys.argv[1]))["results"]
			assert len(r) == 1 and r[0]["violations"] > 0 and r[0]["report"], r
		END
}

measures() {
	"$mm" --seconds 0.05 --threads 3 --protocol mmap-sem,fine --json "$tap_dir/j" \
		--workload "$(echo $workloads | tr ' ' ,)" &&
		python3 - "$tap_dir/j" $workloads <<-'END'
			import json, sys
			rows = json.load(open(sys.argv[1]))["results"]
			assert len(rows) == 2 * len(sys.argv[2:]), len(rows)
			for r in rows:
			    assert r["workload"] in sys.argv[2:] and r["protocol"] in ("mmap-sem", "fine"), r
			    assert r["violations"] == 0 and r["threads"] == 3 and r["ops_per_s"] > 0, r
			    assert r["checked"] == 0, r
			    ns = r["fault_ns"]
			    assert 0 <= ns["p50"] <= ns["p99"] <= ns["p999"], r
			    c = r["counters"]
			    assert {"success", "abort", "retry", "miss"} <= c.keys(), r
			    if r["protocol"] == "fine" and r["workload"] in ("ebizzy", "page_fault2", "malloc-large"):
			        assert c["fine"] > 100 * c["coarse"], r
			    if r["workload"] not in ("mmap1", "mmap2", "brk"):
			        assert c["success"] > 0 and ns["p50"] > 0, r
		END
}

compares() { # munmap of one size: what others met while it populated, and while it unmapped
	"$mm" --seconds 0.3 --threads 2 --protocol mmap-sem,fine --workload munmap --size 64 --unmap detach \
		--json "$tap_dir/j" &&
		python3 - "$tap_dir/j" <<-'END'
			import json, sys
			for r in json.load(open(sys.argv[1]))["results"]:
			    assert [m["bytes"] for m in r["munmap"]] == [64 << 20], r
			    for part in ("populating_ns", "unmapping_ns"):
			        assert 0 < r[part]["p50"] <= r[part]["p999"] <= r["fault_ns"]["max"], r
			    c = r["counters"]
			    assert 0 < c["unmap_max_ns"] <= c["unmap_ns"] and c["unmap_holds"] > 0, r
			    assert c["unmap_ns"] < r["munmap"][0]["ns"] * c["unmap_holds"], r
		END
}

campaigns() { # a part of it; and a program that finds something fails it
	"$source/tools/mm/report" "$mm" campaign --seconds 0.1 --part 5/140 | tee "$tap_dir/campaign" &&
		grep -x '3 passed, 0 failed' "$tap_dir/campaign" &&
		cat >"$tap_dir/liar" <<-END && chmod +x "$tap_dir/liar" &&
			#!/bin/sh
			exec "$mm" "\$@" --mutant lost-frame
		END
		exits 1 "$source/tools/mm/report" "$tap_dir/liar" campaign --seconds 2 --part 400/420 \
			>"$tap_dir/campaign" 2>&1 &&
		grep -x '0 passed, 1 failed' "$tap_dir/campaign"
}

tabulates() {
	"$source/tools/mm/report" "$mm" latency --seconds 0.05 --rounds 1 --only tax | tee "$tap_dir/table" &&
		[ "$(grep -cE '>= 0.95: (met|MISSED)' "$tap_dir/table")" = 7 ]
}

json_on_stdout() {
	"$mm" --seconds 0.05 --protocol fine --json - 2>/dev/null | python3 -m json.tool
}

check "--help names every option" helps
check "--list names what there is" lists
check "refuses an unknown protocol" refuses "$mm" --protocol --protocol nonsense
check "refuses a protocol of another version" refuses "$mm" --protocol --protocol spf-vma
check "refuses an unknown workload" refuses "$mm" --workload --workload nonsense
check "refuses a workload of another version" refuses "$mm" --workload --workload wasm-slots
check "refuses an unknown mutant" refuses "$mm" --mutant --mutant nonsense
check "refuses a mutant of another version" refuses "$mm" --mutant --mutant blind-zap
check "refuses an unknown engine" refuses "$mm" --engine --engine nonsense
check "refuses an engine that lacks what the protocol needs" \
	refuses "$mm" --engine --engine list --protocol fine-chosen
check "refuses an unknown mode of unmapping" refuses "$mm" --unmap --unmap nonsense
check "refuses an unknown mode of copying" refuses "$mm" --copy --copy nonsense
check "refuses a backend of another version" refuses "$mm" uffd --backend uffd
check "refuses a size that munmap has not" refuses "$mm" --size --size 3
check "refuses 0 threads" refuses "$mm" --threads --threads 0
check "refuses 0 seconds" refuses "$mm" --seconds --seconds 0
check "refuses a stray word" refuses "$mm" stray stray
check "refuses an unwritable file before it starts" refuses "$mm" --json --json /nonexistent/file
check "every workload, and the JSON of it" measures
check "JSON alone on standard output" json_on_stdout
check "others' lateness beside munmap" compares
check "the campaign" campaigns
check "the table" tabulates
for protocol in $protocols; do
	for unmap in exclusive vm-dead detach; do
		check "nothing to object to $protocol, $unmap" judges --protocol $protocol --unmap $unmap
	done
done
for copy in pin-pages range atomic-copy; do
	check "nothing to object to copies by $copy" judges --protocol mmap-sem,fine --copy $copy
done
check "nothing to object to the list engine" judges --engine list
check "nothing to object to what is measured" "$mm" --check --seconds 0.1 --protocol fine,mmap-sem \
	--workload ebizzy,pft,page_fault2,page_fault3,malloc-small,munmap
for mutant in no-vm-dead no-recheck no-reservation-check use-after-merge downgrade-beside-stack \
	blocking-reclaim free-shared-table no-shootdown lost-frame; do
	check "finds $mutant" finds $mutant
done
tap_end
