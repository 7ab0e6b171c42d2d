#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every exported call has a man page, which the tools for man pages read without a warning, and
# a call that nobody documented fails the build.
# Usage: man.sh SOURCE_ROOT BUILD_ROOT VERSION
. "$1/tests/support/tap.sh"
source=$(cd "$1" && pwd)
build=$2
version=$3
man=$tap_dir/installed/man
header=$source/include/rangelock/rangelock.h
own_calls=$(grep -oE 'rangelock_[a-z_]+;' "$source/lib/rangelock.map" | tr -d ';')
mm_calls=$(grep -oE 'mmshim_[a-z_]+;' "$source/lib/mm/rangelock-mm.map" | tr -d ';')
calls="$own_calls $mm_calls"

installs() {
	DESTDIR=$tap_dir/root meson install -C "$build" --no-rebuild --tags man &&
		mkdir "$tap_dir/installed" &&
		mv "$(dirname "$(find "$tap_dir/root" -type d -name man3)")" "$man"
}

each_call_has_a_page() {
	[ -n "$own_calls" ] && [ -n "$mm_calls" ] || return 1
	for call in $calls; do
		[ -s "$man/man3/$call.3" ] || { echo "no $call.3"; return 1; }
	done
}

shown() { # what a reader of the page sees, in plain letters
	(cd "$man" && groff -man -Tascii -P -cbou -rLL=200n "man$2/$1.$2")
}

each_page_names_its_call() {
	for call in $calls; do
		shown "$call" 3 >"$tap_dir/shown"
		for heading in NAME SYNOPSIS DESCRIPTION "SEE ALSO"; do
			grep -x "$heading" "$tap_dir/shown" || {
				echo "$call.3: no $heading"
				return 1
			}
		done
		grep -E "^ .*\\b$call\\(" "$tap_dir/shown" || {
			echo "$call.3: no $call("
			return 1
		}
	done
}

overview_lists() { # page, calls
	page=$1
	shift
	shown "$page" 7 >"$tap_dir/shown"
	for call; do
		grep -F "$call(3)" "$tap_dir/shown" || {
			echo "$page.7: no $call"
			return 1
		}
	done
}

groff_is_silent() {
	for page in "$man"/man?/*; do
		(cd "$man" && groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null)
	done | tee "$tap_dir/warnings"
	[ ! -s "$tap_dir/warnings" ]
}

# But for a date, which would make two builds differ, and the links.
mandoc_is_silent() {
	for page in "$man"/man?/*; do
		(cd "$man" && mandoc -Tlint -W warning "$page" 2>&1)
	done | grep -vE 'missing date|\.so is fragile' | tee "$tap_dir/warnings"
	[ ! -s "$tap_dir/warnings" ]
}

page() { # edits of the header: make its pages
	mkdir -p "$tap_dir/pages"
	sed "$@" "$header" >"$tap_dir/edited.h"
	! cmp "$header" "$tap_dir/edited.h" && python3 "$source/doc/man/manpages.py" "$version" \
		"$tap_dir/edited.h" "$source/doc/man/rangelock.7.in" \
		$(for call in $own_calls; do echo "$tap_dir/pages/$call.3"; done) \
		"$tap_dir/pages/rangelock.7"
}

refuses_edit() { # call, edits of the header
	call=$1
	shift
	page "$@" >"$tap_dir/said" 2>&1 && return 1
	cat "$tap_dir/said"
	grep -q "$call" "$tap_dir/said" && ! grep -q Traceback "$tap_dir/said"
}

check "man pages are installed" installs
check "each exported call has one" each_call_has_a_page
if command -v groff >/dev/null; then
	check "each shows its call" each_page_names_its_call
	check "the overview lists every call" overview_lists rangelock $own_calls
	check "and that of the address space" overview_lists mmshim $mm_calls
	check "groff finds nothing to warn of" groff_is_silent
else
	skip "each shows its call" "no groff"
	skip "the overview lists every call" "no groff"
	skip "and that of the address space" "no groff"
	skip "groff finds nothing to warn of" "no groff"
fi
if command -v mandoc >/dev/null; then
	check "mandoc finds nothing to warn of" mandoc_is_silent
else
	skip "mandoc finds nothing to warn of" "no mandoc"
fi
check "a harmless edit of the header is accepted" page -e 's/make a lock/make one lock/'
check "a call without documentation is refused" \
	refuses_edit rangelock_cancel -e 's/^ \* rangelock_cancel: /\ * /'
check "so is one that says nothing but its errors" \
	refuses_edit rangelock_unreserve -e 's/\(rangelock_unreserve:\) .*/\1/'
declared='s/^RANGELOCK_API int rangelock_unlock(/RANGELOCK_API int rangelock_novel(int);\n&/'
documented='s/rangelock_unlock: /rangelock_unlock, rangelock_novel: /'
check "and one that joins those of another comment" refuses_edit rangelock_novel -e "$declared"
check "and documentation of a call that is not there" refuses_edit rangelock_novel -e "$documented"
check "and a documented call that is not exported" \
	refuses_edit rangelock_novel -e "$documented" -e "$declared"
tap_end
