#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The library as others use it: installed into a prefix and found by
# pkg-config, shared and static; as a Meson subproject; and README's example.
# Usage: consumer.sh SOURCE_ROOT VERSION
. "$1/tests/support/tap.sh"
source=$(cd "$1" && pwd)
version=$2
prefix=$tap_dir/prefix
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
strict="-std=c11 -Wall -Wextra -Werror"
unset CFLAGS LDFLAGS

installs() {
	meson setup "$tap_dir/build" "$source" --prefix "$prefix" --libdir lib --buildtype release \
		-Dtests=disabled -Dtools=disabled && meson install -C "$tap_dir/build"
}

builds_shared() { # source, program
	cc $strict "$1" $(pkg-config --cflags --libs rangelock) -o "$2"
}

builds_static() {
	cc $strict "$1" $(pkg-config --cflags rangelock) -static $(pkg-config --static --libs rangelock) \
		-o "$2"
}

builds_with_mm() {
	cc $strict "$source/doc/examples/address-space.c" $(pkg-config --cflags --libs rangelock-mm) -o "$1"
}

builds_static_with_mm() {
	cc $strict "$source/doc/examples/address-space.c" $(pkg-config --cflags rangelock-mm) -static \
		$(pkg-config --static --libs rangelock-mm) -o "$1"
}

runs() {
	LD_LIBRARY_PATH="$prefix/lib" "$1"
}

says_version() {
	LD_LIBRARY_PATH="$prefix/lib" "$1" | grep -F "rangelock $version:"
}

pkg_config_says_version() {
	[ "$(pkg-config --modversion rangelock)" = "$version" ]
}

needs_no_private_packages() {
	! grep -E '^Requires' "$PKG_CONFIG_PATH/rangelock.pc" | grep -vx 'Requires.private: liburcu-bp'
}

makes_subproject() {
	mkdir -p "$tap_dir/host/subprojects"
	ln -s "$source" "$tap_dir/host/subprojects/rangelock"
	cp "$source/doc/examples/ten-lines.c" "$tap_dir/host/main.c"
	cat >"$tap_dir/host/meson.build" <<-'END'
		project('host', 'c', default_options: ['warning_level=3', 'werror=true'])
		executable('main', 'main.c', dependencies: dependency('rangelock', fallback: 'rangelock'))
	END
	env -u PKG_CONFIG_PATH meson setup "$tap_dir/host/build" "$tap_dir/host" &&
		meson compile -C "$tap_dir/host/build"
}

subproject_builds_no_tests() {
	! find "$tap_dir/host/build" -name 'test-*' -o -name 'rangelock-stress' -o -name 'rangelock-bench' |
		grep .
}

first_c_block() {
	awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' "$source/README.md" \
		>"$tap_dir/readme.c"
	[ -s "$tap_dir/readme.c" ]
}

check "the library installs into a prefix" installs
check "pkg-config knows its version" pkg_config_says_version
check "it asks for no other package but liburcu, which is its own business" needs_no_private_packages
check "ten lines build with pkg-config alone" builds_shared "$source/doc/examples/ten-lines.c" "$tap_dir/ten"
check "and run" runs "$tap_dir/ten"
check "the library says the same version" says_version "$tap_dir/ten"
check "they build statically" builds_static "$source/doc/examples/ten-lines.c" "$tap_dir/ten-static"
check "and run" runs "$tap_dir/ten-static"
check "an address space builds with pkg-config alone" builds_with_mm "$tap_dir/mm"
check "and runs" runs "$tap_dir/mm"
check "it builds statically" builds_static_with_mm "$tap_dir/mm-static"
check "and runs" runs "$tap_dir/mm-static"
check "they build with the library as a Meson subproject" makes_subproject
check "and run" "$tap_dir/host/build/main"
check "a subproject builds no tests and tools" subproject_builds_no_tests
check "README has a C example" first_c_block
check "it is a whole program that compiles without a warning" builds_shared "$tap_dir/readme.c" "$tap_dir/readme"
check "and exits 0" runs "$tap_dir/readme"
tap_end
