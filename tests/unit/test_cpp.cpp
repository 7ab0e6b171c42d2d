// SPDX-License-Identifier: BSD-2-Clause
// The C++ header: guards hold and give back, move, try and time out.
#include <rangelock/rangelock.hpp>

#include <cstdio>
#include <type_traits>
#include <utility>

static_assert(std::is_nothrow_move_constructible_v<rgl::write_guard>);
static_assert(std::is_nothrow_move_assignable_v<rgl::write_guard>);
static_assert(!std::is_copy_constructible_v<rgl::write_guard>);
static_assert(!std::is_copy_constructible_v<rgl::lock>);

static int count, failed;

static void check(bool ok, const char *what)
{
	std::printf("%sok %d - %s\n", ok ? "" : "not ", ++count, what);
	failed += !ok;
}

static bool held(rgl::lock &l, std::uint64_t start, std::uint64_t end, rangelock_mode mode)
{
	return rangelock_is_locked(l.native_handle(), start, end, mode);
}

static int thrown_by(rgl::lock &l, std::uint64_t start, std::uint64_t end)
{
	try {
		rgl::read_guard guard(l, start, end);
		return 0;
	} catch (const std::system_error &e) {
		return e.code().category() == std::generic_category() ? e.code().value() : -1;
	}
}

int main()
{
	using clock = std::chrono::steady_clock;
	using namespace std::chrono_literals;
	rgl::lock l;

	{
		rgl::write_guard w(l, 0, 10);
		rgl::read_guard r(l, 10, rgl::max);

		check(held(l, 0, 10, RANGELOCK_WRITE) && held(l, 10, rgl::max, RANGELOCK_READ),
		      "guards hold their ranges in their modes");
		check(!rgl::write_guard::try_(l, 9, 12), "try_ finds a conflict");
		check(rgl::read_guard::try_(l, 20, 30).has_value(), "try_ takes what is free");

		auto before = clock::now();
		check(!rgl::write_guard::until(l, 5, 6, before + 20ms) && clock::now() - before >= 20ms,
		      "until waits for its time");
		check(!rgl::write_guard::until(l, 5, 6, clock::time_point(-1500ms)),
		      "until knows a time before the clock's start");
		check(rgl::read_guard::until(l, 20, 30, before).has_value(),
		      "until takes what is free, whatever the time");
	}
	check(!held(l, 0, 1, RANGELOCK_READ), "they give them back at the end of their lives");

	{
		rgl::write_guard a(l, 0, 10);
		rgl::write_guard b = std::move(a);

		check(!a.owns_lock() && b.owns_lock() && held(l, 0, 10, RANGELOCK_WRITE),
		      "a moved guard holds on");
		rgl::write_guard c(l, 20, 30);
		c = std::move(b);
		check(!held(l, 20, 21, RANGELOCK_READ) && held(l, 0, 10, RANGELOCK_WRITE),
		      "a guard that is assigned to gives its own range back");
		c.unlock();
		c.unlock();
		check(!held(l, 0, 1, RANGELOCK_READ), "a guard can be unlocked before its end");
	}
	check(thrown_by(l, 5, 5) == EINVAL, "a bad range throws EINVAL");

	rangelock_attr attr{};
	attr.flags = 0x80000000u;
	try {
		rgl::lock bad(attr);
		check(false, "a bad flag throws EINVAL");
	} catch (const std::system_error &e) {
		check(e.code().value() == EINVAL, "a bad flag throws EINVAL");
	}
	check(rangelock_destroy(l.native_handle()) == 0, "nothing is left");
	std::printf("1..%d\n", count);
	return failed != 0;
}
