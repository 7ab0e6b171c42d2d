#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every engine, strict and barging, under random calls, with few threads and with many.
# RANGELOCK_STRESS_SECONDS sets how long each of them runs (default 2).
# Usage: stress.sh SOURCE_ROOT PROGRAM
# Meson sets MESON_EXE_WRAPPER, to several words, where the program is to be emulated.
. "$1/tests/support/tap.sh"
seconds=${RANGELOCK_STRESS_SECONDS:-2}

for threads in 1 2 8 24; do
	check "no violation with $threads threads in $seconds s" \
		$MESON_EXE_WRAPPER "$2" --engine all --threads $threads --seconds "$seconds"
done
check "no violation, and all is counted, with 6 threads in $seconds s" \
	$MESON_EXE_WRAPPER "$2" --engine all --threads 6 --stats --seconds "$seconds"
tap_end
