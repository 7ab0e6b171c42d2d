#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Race detectors on a user's program (program.c), with the library as it is installed: no
# report where ranges are locked as they should be, and one where they are not.
# Usage: visible.sh SOURCE_ROOT WITH_VALGRIND SHARED_LIBRARY STATIC_LIBRARY
. "$1/tests/support/tap.sh"
source=$1
with_valgrind=$2
shared=$3
static=$4
flags="-std=c11 -D_GNU_SOURCE -Wall -Wextra -g -O1 -I$source/include -pthread"

# ThreadSanitizer cannot always live with address space randomization.
fixed=
setarch -R true 2>/dev/null && fixed="setarch -R"
# How each detector says that it has found something.
export TSAN_OPTIONS="exitcode=99 halt_on_error=1"
valgrind="valgrind -q --error-exitcode=99"

builds() { # program, compiler with options, library
	$2 $flags "$source/tests/visible/program.c" "$3" -Wl,-rpath,"$(dirname "$3")" -lurcu-bp -o "$1"
}

scenarios() { # right or wrong
	"$tap_dir/plain" | sed -n "s/^$1 //p"
}

reports() { # times, command
	reports_left=$1
	shift
	while [ "$reports_left" -gt 0 ]; do
		exits 99 "$@" || return
		reports_left=$((reports_left - 1))
	done
}

is_silent() { # times, command
	silent_left=$1
	shift
	while [ "$silent_left" -gt 0 ]; do
		"$@" || return
		silent_left=$((silent_left - 1))
	done
}

# judge NAME TIMES COMMAND: all that is right in one run, what is wrong one by one.
judge() {
	judge_name=$1 judge_times=$2
	shift 2
	check "$judge_name: silent where all is right" is_silent "$judge_times" "$@" $(scenarios right)
	for scenario in $(scenarios wrong); do
		check "$judge_name: reports $scenario" reports "$judge_times" "$@" "$scenario"
	done
}

check "the program builds" builds "$tap_dir/plain" cc "$shared"
check "and runs" "$tap_dir/plain" $(scenarios right)

for cc in gcc clang; do
	for kind in shared static; do
		what="$cc -fsanitize=thread, $kind"
		if ! command -v "$cc" >/dev/null; then
			skip "$what" "no $cc"
			continue
		elif [ "$kind" = shared ]; then
			library=$shared times=10
		else
			library=$static times=1
		fi
		check "$what: the program builds" builds "$tap_dir/tsan" "$cc -fsanitize=thread" "$library"
		judge "$what" $times $fixed "$tap_dir/tsan"
	done
done

for tool in helgrind drd; do
	if ! command -v valgrind >/dev/null; then
		skip "$tool" "no valgrind"
	elif [ "$with_valgrind" = no ]; then
		skip "$tool" "the library was built without valgrind's headers"
	else
		judge "$tool" 1 $valgrind --tool=$tool "$tap_dir/plain"
	fi
done
tap_end
