#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# rangelock-stress in front of locks that lie: each part of the oracle objects.
# Usage: liars.sh SOURCE_ROOT PROGRAM LIAR.so...
. "$1/tests/support/tap.sh"
stress=$2
shift 2

# the liar, what the report must say, and the engine.  Chance may spare a lie for the length of a run.
objects() {
	for try in 1 2 3; do
		exits 1 env LD_PRELOAD="$1" timeout 30 "$stress" --engine "${3:-tree}" --threads 8 \
			--seconds 4 --watchdog 4 >"$tap_dir/out" 2>&1 &&
			cat "$tap_dir/out" && grep -E "^($2)" "$tap_dir/out" && return
		echo "try $try: status $?"
		cat "$tap_dir/out"
	done
	return 1
}

for liar in "$@"; do
	case $liar in
	*always-locked*) words="is_locked:" ;;
	*shows-nothing*) words="walk:" ;;
	*cancels-nobody*) words="cancel:" ;;
	*impatient*) words="time-out:" ;;
	*never-returns*) words="hang:" ;;
	*always-busy*) words="false conflict:" ;;
	*shares-writes*) words="exclusion:|is_locked:|walk:" ;;
	*forgets-unlocks*) words="thread|hang:|drain:" ;;
	*loses-places*) words="fifo:" ;;
	*rarely-busy*) words="false conflict:" ;;
	*grants-late*) words="late grant:" ;;
	*loses-grants*) words="hang:" ;;
	*sham-upgrades*) words="exclusion:|upgrade:|walk:|is_locked:" ;;
	*calls-twice*) words="submit:|exclusion:|thread [0-9]+: unlock" ;;
	*commits-anyway*) words="commit:|exclusion:|is_locked:" ;;
	*always-reserved*) words="exclusion:" ;;
	*revokes-alone*) words="revocation:" ;;
	*no-deadlocks*) words="false conflict:" ;;
	esac
	check "$(basename "$liar" .so)" objects "$liar" "$words"
	case $liar in
	*loses-places* | *rarely-busy* | *grants-late* | *impatient*)
		check "$(basename "$liar" .so), with barging" objects "$liar" "$words" tree-barging
		;;
	*loses-grants*) # "$tap_dir/out" is what it said
		check "the report of a hang shows the lock" grep -E "^  held +write \[" "$tap_dir/out" ;;
	esac
done
tap_end
