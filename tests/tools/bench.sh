#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# rangelock-bench as a user meets it.
# Usage: bench.sh SOURCE_ROOT PROGRAM
. "$1/tests/support/tap.sh"
bench=$2
workloads="pair-write pair-read disjoint-write disjoint-read full-write full-mix random held wake
	wide-writer burst-timeout oversub file"
locks=tree,tree-barging,list,pthread_mutex,pthread_rwlock,ck_rwlock,ck_pflock,kara-bueso,kogan
locks=$locks,freebsd-queue,segments,song,ofd
quick="--seconds 0.01 --repeat 2"

lists() {
	"$bench" --list >"$tap_dir/list"
	for name in $workloads $(echo "$locks" | tr , " "); do
		grep -qE "^  $name " "$tap_dir/list" || { echo "$name is missing"; return 1; }
	done
}

# All cells with few locks, few cells with all: both takes its time.
tells_json() {
	"$bench" $quick --threads 3 --lock "$1" ${2:+--workload} $2 --json "$tap_dir/j" &&
		python3 - "$tap_dir/j" "$1" "${2:-$workloads}" <<-'END'
			import json, re, sys
			j = json.load(open(sys.argv[1]))
			m = j["machine"]
			assert m["processors"] >= 1 and m["load"] >= 0, m
			assert all(isinstance(m[k], str) and m[k] for k in
			    ("cpu", "arch", "kernel", "compiler", "commit", "rangelock", "numa_nodes", "governor")), m
			locks, workloads = set(), set()
			for r in j["results"]:
			    w = r["workload"]
			    locks.add(r["lock"])
			    workloads.add(w)
			    assert isinstance(r["param"], str), r
			    if w not in ("oversub", "wake", "burst-timeout"):
			        assert r["threads"] in (1, 3), r
			        assert 1 / r["threads"] - 0.01 <= r["fairness"]["min"] <= r["fairness"]["max"] <= 1.01, r
			        assert len(r["per_thread"]) == r["threads"], r
			    for k in "ops_per_s", "ns_per_op":
			        assert 0 < r[k]["min"] <= r[k]["median"] <= r[k]["max"], r
			    assert r["ops_per_s"]["min"] == min(r["rounds"]) and len(r["rounds"]) == r["repeat"] == 2, r
			    l = r["latency_ns"]
			    assert 0 <= l["p50"] <= l["p90"] <= l["p99"] <= l["p99.9"] <= l["p99.99"] <= l["max"] * 1.00001, r
			    assert l["count"] > 0 and [0.5, l["p50"]] in l["curve"], r
			    c = r["per_op"]
			    assert c["observed"] > 0 and c["wakeups"] >= 0, r
			    assert r.get("torn", 0) == 0 and r.get("lost", 0) == 0, r
			    if w == "wake":
			        assert r["vs_raw"]["min"] > 0 and r["raw_ns"]["count"] > 0, r
			    if w == "wide-writer":
			        assert "bypass" in r or "bypass_disturbed" in r, r
			    if (w, r["lock"]) == ("pair-write", "tree") and c["allocations"] is not None:
			        assert c["allocations"] == 0, r
			assert set(sys.argv[2].split(",")) == locks, locks
			assert set(re.split("[, \n\t]+", sys.argv[3])) == workloads, workloads
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

only_wanted() {
	"$bench" $quick --workload full-mix,held --lock tree --threads 1 --param =10 >"$tap_dir/said" &&
		[ "$(grep -cE "^(full-mix|held), (reads|held)=10" "$tap_dir/said")" = 5 ] &&
		[ "$(grep -c "1 thread$" "$tap_dir/said")" = 5 ]
}

one_by_its_name() {
	"$bench" $quick --workload held,full-mix --lock tree --threads 1 --param held=10 >"$tap_dir/said" &&
		[ "$(grep -c "1 thread$" "$tap_dir/said")" = 1 ] && grep "^held, held=10, 1 thread" "$tap_dir/said"
}

# Its own controls: a lock that does nothing, and one that only sleeps, for 100 us at least.
shows_controls() {
	"$bench" --workload disjoint-write --param 0ns --lock none,sleep --threads 1,2 --seconds 0.05 \
		--json "$tap_dir/j" &&
		python3 - "$tap_dir/j" <<-'END'
			import json, sys
			for r in json.load(open(sys.argv[1]))["results"]:
			    if r["param"] != "section=0ns":
			        continue
			    ns, wakes = r["ns_per_op"]["median"], r["per_op"]["wakeups"]
			    if r["lock"] == "sleep":
			        assert ns >= 99e3 and r["latency_ns"]["p50"] >= 98e3 and 0.9 <= wakes <= 1.1, r
			        assert r["fairness"]["median"] > 0.6, r
			    else:
			        assert ns < 10e3 and r["latency_ns"]["p50"] < 10e3 and wakes < 0.1, r
		END
}

cannot() {
	"$bench" $quick --workload held --lock pthread_mutex | grep -F "none of these locks"
}

# Every workload has a picture with all its locks, also from the JSON of a run that is over.
draws() {
	"$bench" $quick --threads 1,2,4 --lock tree,list,kara-bueso --json "$tap_dir/j" --plot "$tap_dir/plots" &&
		"$bench" --from "$tap_dir/j" --plot "$tap_dir/again" &&
		[ "$(ls "$tap_dir/plots")" = "$(ls "$tap_dir/again")" ] &&
		python3 - "$tap_dir/plots" $workloads <<-'END'
			import glob, sys, xml.dom.minidom
			for w in sys.argv[2:]:
			    found = glob.glob(f"{sys.argv[1]}/{w}-*.svg")
			    assert found, w
			    for f in found:
			        svg = xml.dom.minidom.parse(f).documentElement
			        assert svg.tagName == "svg"
			        text = {t.firstChild.data for t in svg.getElementsByTagName("text") if t.firstChild}
			        locks = {"tree", "list"} if w == "burst-timeout" else {"tree", "list", "kara-bueso"}
			        assert locks <= text and any(w in t for t in text), (f, text)
			        drawn = svg.getElementsByTagName("polyline") or svg.getElementsByTagName("rect")
			        assert len(drawn) >= len(locks), f
			        assert "nan" not in open(f).read() and "inf" not in open(f).read(), f
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
check "every workload, and the JSON of it" tells_json tree,pthread_rwlock
check "every lock, and the JSON of it" tells_json "$locks" pair-write,disjoint-read,wide-writer
if "$bench" --list | grep -q "^  rocksdb "; then
	check "RocksDB, and the JSON of it" tells_json rocksdb pair-write,held,wake,wide-writer
else
	skip "RocksDB, and the JSON of it" "built without it"
fi
check "threads on the processors that it is told" "$bench" $quick --workload disjoint-write --lock tree --pin all --warmup 0.01
check "only the settings that are wanted" only_wanted
check "a setting by its whole name is that alone" one_by_its_name
check "a lock that does nothing and one that sleeps are found to" shows_controls
check "refuses settings that there are none of" refuses "$bench" --param --workload pair-write --param nonsense
check "refuses a processor that is not there" refuses "$bench" --pin --pin 1023
check "says what a lock cannot do" cannot
check "the file workload finds tearing without a lock, and none with one" finds_tearing
check "pictures of every workload" draws
check "refuses a directory for pictures that cannot be" refuses "$bench" --plot --plot /nonexistent/there
check "refuses to draw what is no result" refuses "$bench" --from --plot "$tap_dir/p" --from /dev/null
check "JSON alone on standard output" json_on_stdout
tap_end
