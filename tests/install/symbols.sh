#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the libraries show to the linker, and what they ask of it.
# Usage: symbols.sh SOURCE_ROOT SHARED_LIBRARY STATIC_LIBRARY MM_SHARED_LIBRARY MM_STATIC_LIBRARY
. "$1/tests/support/tap.sh"
header=$1/include/rangelock/rangelock.h
shared=$2
static=$3
mm_header=$1/include/rangelock/mm.h
mm_shared=$4
mm_static=$5

exported() {
	nm -D --defined-only "$shared" | awk '$2 == "T" { print $3 }' | sed 's/@.*//' | sort
}

declared() { # every call of the header
	sed -n '/^RANGELOCK_API/,/;/p' "$header" | grep -oE '\brangelock_[a-z_]+\(' | tr -d '(' | sort -u
}

exports_what_the_header_declares() {
	declared >"$tap_dir/declared"
	exported >"$tap_dir/exported"
	[ -s "$tap_dir/declared" ] && diff "$tap_dir/declared" "$tap_dir/exported"
}

mm_exports_what_its_header_declares() {
	sed -n '/^RANGELOCK_API/,/;/p' "$mm_header" | grep -oE '\bmmshim_[a-z_]+\(' | tr -d '(' | sort -u \
		>"$tap_dir/declared"
	nm -D --defined-only "$mm_shared" | awk '$2 == "T" { print $3 }' | sed 's/@.*//' | sort \
		>"$tap_dir/exported"
	[ -s "$tap_dir/declared" ] && diff "$tap_dir/declared" "$tap_dir/exported"
}

mm_static_hides() {
	! readelf -sW "$mm_static" | awk '$5 == "GLOBAL" && $7 != "UND"' |
		awk '!($8 ~ /^mmshim_/ && $6 == "DEFAULT") && !($8 ~ /^rl_/ && $6 == "HIDDEN")' |
		grep .
}

# It is a user of the lock like any other.
mm_uses_public_calls() {
	! nm -A --undefined-only "$mm_static" | awk '{ print $NF }' | grep '^rl_' | sort -u |
		grep -v '^rl_mm_'
}

versioned() {
	! nm -D --defined-only "$shared" | awk '$2 == "T"' | grep -v '@@RANGELOCK_'
}

soname() {
	readelf -d "$shared" | grep -F 'soname: [librangelock.so.0]'
}

# Whatever the static library defines for others is ours by name, and all that
# is not of the header is hidden.
static_hides() {
	! readelf -sW "$static" | awk '$5 == "GLOBAL" && $7 != "UND"' |
		awk '!($8 ~ /^rangelock_/ && $6 == "DEFAULT") && !($8 ~ /^rl_/ && $6 == "HIDDEN")' |
		grep .
}

# Nothing but init and destroy allocates, the counters of RANGELOCK_STATS, and the list's
# pools: the rest of the library does not even know how.
no_allocator() {
	! nm -A --undefined-only "$static" 2>&1 | grep -v -e 'front_life\.c\.o:.* \(calloc\|free\)$' \
		-e 'base_rcu\.c\.o:.* aligned_alloc$' |
		grep -E ' (malloc|calloc|realloc|reallocarray|free|aligned_alloc|posix_memalign|mmap|brk|sbrk|__tls_get_addr)(@|$)'
}

no_more_than_libc_and_urcu() {
	! readelf -d "$shared" | grep NEEDED | grep -vE 'lib(c|pthread|tsan|asan|ubsan|urcu-bp|urcu-common)\.so|ld-linux'
}

check "the shared library exports the calls of the header and no more" exports_what_the_header_declares
check "every export has a version" versioned
check "the soname is that of the major version" soname
check "the static library hides its internals" static_hides
check "none but init, destroy and the pools ask for an allocator" no_allocator
check "nothing but the C library and liburcu is needed" no_more_than_libc_and_urcu
check "so does the address space's" mm_exports_what_its_header_declares
check "the address space's static library hides its internals" mm_static_hides
check "and uses public calls of the lock alone" mm_uses_public_calls
tap_end
