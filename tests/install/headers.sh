#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Public headers compile alone, in C and C++, old and new, without a warning,
# and reach no header of liburcu or Concurrency Kit.
# Usage: headers.sh SOURCE_ROOT
. "$1/tests/support/tap.sh"
include=$1/include
strict="-Wall -Wextra -Werror -pedantic -fsyntax-only -I$include"

compiles() { # compiler, language, standard, header
	echo "#include <rangelock/$4>" | $1 $strict -x "$2" -std="$3" -
}

reaches_nothing_private() {
	! echo "#include <rangelock/$1>" | cc -I"$include" -x c -M - | grep -E 'urcu|/ck_'
}

for header in "$include"/rangelock/*.h; do
	header=$(basename "$header")
	for pair in gcc/g++ clang/clang++; do
		c=${pair%/*} cxx=${pair#*/}
		for std in c99 c11 gnu17; do
			if command -v "$c" >/dev/null; then
				check "$header with $c -std=$std" compiles "$c" c "$std" "$header"
			else
				skip "$header with $c -std=$std" "no $c"
			fi
		done
		for std in c++11 c++17 c++20; do
			if command -v "$cxx" >/dev/null; then
				check "$header with $cxx -std=$std" compiles "$cxx" c++ "$std" "$header"
			else
				skip "$header with $cxx -std=$std" "no $cxx"
			fi
		done
	done
	check "$header reaches no private header" reaches_nothing_private "$header"
done
for cxx in g++ clang++; do
	for std in c++17 c++20; do
		if command -v "$cxx" >/dev/null; then
			check "rangelock.hpp with $cxx -std=$std" compiles "$cxx" c++ "$std" rangelock.hpp
		else
			skip "rangelock.hpp with $cxx -std=$std" "no $cxx"
		fi
	done
done
tap_end
