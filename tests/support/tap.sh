# SPDX-License-Identifier: BSD-2-Clause
# TAP for shell tests: `check NAME COMMAND...` runs a command and reports it;
# `tap_end` prints the plan.  A failing command's output is shown.

tap_count=0
tap_dir=$(mktemp -d)
trap 'rm -rf "$tap_dir"' EXIT

check() {
	tap_name=$1
	shift
	tap_count=$((tap_count + 1))
	if "$@" >"$tap_dir/output" 2>&1; then
		echo "ok $tap_count - $tap_name"
	else
		echo "not ok $tap_count - $tap_name (exit $?: $*)"
		sed 's/^/# /' "$tap_dir/output"
	fi
}

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

tap_end() {
	echo "1..$tap_count"
}

# exits WITH STATUS: the command's exit status is exactly this.
exits() {
	tap_status=$1
	shift
	"$@"
	[ $? -eq "$tap_status" ]
}

# refuses PROGRAM OPTION ARGUMENTS...: exit 2, and a message that names the option.
refuses() {
	tap_program=$1 tap_option=$2
	shift 2
	"$tap_program" "$@" >"$tap_dir/out" 2>"$tap_dir/err"
	[ $? -eq 2 ] && grep -F -- "$tap_option" "$tap_dir/err"
}
