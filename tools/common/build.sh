# SPDX-License-Identifier: BSD-2-Clause
# What scripts need to build: packages, and build directories below build/.  Sourced, with the
# source's root as working directory; $0 names the script in messages.

name=$(basename "$0")

# Packages to build and run the demo; and what the tests need beyond them.
build_packages="gcc libc6-dev meson ninja-build pkg-config libck-dev liburcu-dev libjansson-dev"
test_packages="g++ clang libclang-rt-14-dev check valgrind python3 binutils util-linux groff-base
	mandoc"

need_packages() {
	command -v dpkg-query >/dev/null || {
		echo "$name: this is no Debian; it needs what these packages have: $*" >&2
		return 0
	}
	local missing=()
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
			missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return 0

	if [ "$(id -u)" -ne 0 ]; then
		echo "$name: these packages are missing: ${missing[*]}" >&2
		echo "$name: install them with: sudo apt-get install ${missing[*]}" >&2
		exit 1
	fi
	echo "Installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	{
		apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"
	} >build/apt.log 2>&1 || {
		tail -20 build/apt.log >&2
		echo "$name: apt-get failed; see build/apt.log" >&2
		exit 1
	}
}

# configure and build DIR, with the rest as meson options
build() {
	local dir=build/$1 targets=()
	shift
	case " $* " in *" -Dtests=enabled "*) targets=(meson-test-prereq) ;; esac
	[ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >"$dir.log" 2>&1 || {
		cat "$dir.log" >&2
		exit 1
	}
	ninja -C "$dir" all "${targets[@]}" >>"$dir.log" 2>&1 || {
		grep -E -A12 'error|FAILED' "$dir.log" >&2 || tail -40 "$dir.log" >&2
		exit 1
	}
}

# build_variants NAME...: of the four builds that tests run in.
build_variants() {
	local all="-Dwerror=true -Dtests=enabled -Dtools=enabled"
	for variant in "$@"; do
		case $variant in
		gcc) CC=gcc CXX=g++ build gcc $all ;;
		clang) CC=clang CXX=clang++ build clang $all ;;
		asan)
			CC=clang CXX=clang++ build asan $all -Db_sanitize=address,undefined \
				-Db_lundef=false
			;;
		tsan) CC=gcc CXX=g++ build tsan $all -Db_sanitize=thread -Db_lundef=false ;;
		esac
	done
}
