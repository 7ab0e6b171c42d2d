// SPDX-License-Identifier: BSD-2-Clause
// The C++ header: guards hold and give back, move, try, time out and change; vectors and
// reservations.
#include <rangelock/rangelock.hpp>

#include <cstdio>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

static_assert(std::is_nothrow_move_constructible_v<rgl::write_guard>);
static_assert(std::is_nothrow_move_assignable_v<rgl::write_guard>);
static_assert(!std::is_copy_constructible_v<rgl::write_guard>);
static_assert(!std::is_copy_constructible_v<rgl::lock>);
static_assert(std::is_nothrow_move_constructible_v<rgl::vector_guard>);
static_assert(std::is_nothrow_move_assignable_v<rgl::vector_guard>);
static_assert(!std::is_copy_constructible_v<rgl::vector_guard>);
static_assert(std::is_nothrow_move_constructible_v<rgl::reservation>);
static_assert(std::is_nothrow_move_assignable_v<rgl::reservation>);
static_assert(!std::is_copy_constructible_v<rgl::reservation>);

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

template <typename Call> static int thrown_by(Call call)
{
	try {
		call();
		return 0;
	} catch (const std::system_error &e) {
		return e.code().category() == std::generic_category() ? e.code().value() : -1;
	}
}

static int count_waiting(const rangelock_info *info, void *arg)
{
	*static_cast<int *>(arg) += info->state == RANGELOCK_WAITING || info->blockers > 0;
	return 0;
}

static void await_waiting(rgl::lock &l, int n)
{
	for (int waiting = 0; waiting != n; std::this_thread::yield()) {
		waiting = 0;
		rangelock_walk(l.native_handle(), count_waiting, &waiting);
	}
}

static void test_changes(rgl::lock &l)
{
	rgl::write_guard w(l, 0, 100);
	rgl::read_guard r = std::move(w).downgrade();

	check(!w && r && held(l, 0, 100, RANGELOCK_READ) && !held(l, 0, 100, RANGELOCK_WRITE),
	      "a write guard becomes a read guard");
	check(thrown_by([&] { w.reduce(0, 1); }) == EINVAL, "one that has nothing throws EINVAL");
	{
		rgl::read_guard other(l, 50, 60);

		check(!std::move(r).try_upgrade() && r && held(l, 0, 100, RANGELOCK_READ),
		      "try_upgrade fails beside another reader; the read guard lives on");

		rgl::read_guard second(l, 0, 100);
		std::thread first([&] {
			rgl::write_guard upgraded = std::move(r).upgrade();
			w = std::move(upgraded);
		});
		await_waiting(l, 1);
		check(thrown_by([&] { std::move(second).upgrade(); }) == EDEADLK && second,
		      "the second upgrade throws EDEADLK; its read guard lives on");
		second.unlock();
		other.unlock();
		first.join();
		check(!r && w && held(l, 0, 100, RANGELOCK_WRITE),
		      "the first waits, and holds for write");
	}
	r = std::move(w).downgrade();
	if (auto upgraded = std::move(r).try_upgrade())
		w = std::move(*upgraded);
	check(w && !r && held(l, 0, 100, RANGELOCK_WRITE),
	      "try_upgrade takes what nobody else reads");

	w.reduce(10, 90);
	check(held(l, 10, 90, RANGELOCK_WRITE) && !held(l, 9, 10, RANGELOCK_READ) &&
		  !held(l, 90, 91, RANGELOCK_READ),
	      "reduce keeps a part");
	check(thrown_by([&] { w.reduce(0, 90); }) == EINVAL && held(l, 10, 90, RANGELOCK_WRITE),
	      "what is no part throws EINVAL");

	rgl::write_guard tail = w.split(50);
	w.unlock();
	check(tail && held(l, 50, 90, RANGELOCK_WRITE) && !held(l, 49, 50, RANGELOCK_READ),
	      "split makes two guards, each with its own end");

	rgl::read_guard wall(l, 100, 110);
	check(tail.try_extend(40, 100) && held(l, 40, 100, RANGELOCK_WRITE), "try_extend grows");
	check(!tail.try_extend(40, 101) && held(l, 40, 100, RANGELOCK_WRITE),
	      "and does not where another is in the way");

	rangelock_req *req = tail.native_handle();
	std::unique_ptr<rangelock_req> released = tail.release();
	check(!tail && released.get() == req && rangelock_unlock(l.native_handle(), req) == 0,
	      "a released request is the caller's to unlock");
}

static void test_nested(rgl::lock &l)
{
	rgl::read_guard outer(l, 0, 1000);
	std::thread writer([&] { rgl::write_guard w(l, 500, 1500); });

	await_waiting(l, 1);
	check(!rgl::read_guard::try_(l, 900, 1100), "a writer that waits is in the way of a read");
	{
		auto inner = rgl::read_guard::nested(outer, 900, 1100);

		check(inner && held(l, 900, 1100, RANGELOCK_READ), "but not of a nested one");
	}
	outer.unlock();
	writer.join();
	check(thrown_by([&] { rgl::read_guard::nested(outer, 0, 1); }) == EINVAL,
	      "an outer guard that has nothing throws EINVAL");
}

static void test_vectors(rgl::lock &l)
{
	using namespace std::chrono_literals;
	const std::vector<rgl::range> three = { rgl::write(40, 50), rgl::read(0, 10),
						rgl::read(5, 20) };
	rgl::vector_guard both(l, { rgl::read(0, 10), rgl::write(20, 30) });

	check(held(l, 0, 10, RANGELOCK_READ) && held(l, 20, 30, RANGELOCK_WRITE),
	      "a vector guard holds all its ranges");

	rgl::vector_guard moved = std::move(both);
	check(!both && moved && held(l, 20, 30, RANGELOCK_WRITE), "moved, it holds on");
	check(!rgl::vector_guard::until(l, { rgl::read(0, 5), rgl::read(25, 26) },
					std::chrono::steady_clock::now() + 5ms),
	      "a vector that is late holds nothing");

	both = rgl::vector_guard(l, three.data(), three.size());
	check(held(l, 40, 50, RANGELOCK_WRITE) && held(l, 0, 20, RANGELOCK_READ),
	      "any array will do");
	both.unlock();
	both.unlock();
	moved.unlock();
	check(!held(l, 0, 1, RANGELOCK_READ) && !held(l, 20, 21, RANGELOCK_READ) &&
		  !held(l, 40, 41, RANGELOCK_READ),
	      "unlock gives all of them back");
	check(rgl::vector_guard::until(l, { rgl::write(0, 5) }, rgl::time_point()).has_value(),
	      "until takes what is free, whatever the time");
	check(thrown_by([&] {
		      rgl::vector_guard(l, { rgl::write(0, 5), rgl::read(4, 6) });
	      }) == EINVAL,
	      "ranges that conflict throw EINVAL");
}

static void test_reservations(rgl::lock &l)
{
	using namespace std::chrono_literals;
	auto r = rgl::reservation::try_(l, 0, 100);

	check(r && r->is_reserved() && r->start() == 0 && r->end() == 100, "a range is reserved");
	check(!rgl::reservation::try_(l, 99, 200), "reservations do not overlap");

	auto gap = rgl::reservation::try_gap(l, 50, 64, 0, 1000);
	check(gap && gap->start() == 128 && gap->end() == 178, "a gap is found");
	check(!rgl::reservation::try_gap(l, 50, 64, 0, 150), "or is not there");

	rgl::reservation moved = std::move(*gap);
	check(moved.is_reserved() && !gap->is_reserved(), "a reservation moves");
	{
		auto w = std::move(moved).commit();

		check(w && held(l, 128, 178, RANGELOCK_WRITE) && !moved.is_reserved(),
		      "what is committed is held for write");
	}
	check(!held(l, 128, 129, RANGELOCK_READ), "until its guard ends");
	{
		rgl::read_guard reader(l, 0, 1);

		check(!std::move(*r).commit_until(std::chrono::steady_clock::now() + 5ms) &&
			  r->is_reserved(),
		      "a commit that is late leaves the reservation standing");
	}
	{
		rgl::write_guard robber(l, 50, 51);
	}
	check(!r->is_reserved(), "a write revokes a reservation");
	check(!std::move(*r).commit() && !held(l, 0, 100, RANGELOCK_READ),
	      "what was revoked commits to nothing");
	check(thrown_by([&] { std::move(*r).commit(); }) == EINVAL, "once: then it throws EINVAL");

	r = rgl::reservation::try_(l, 0, 100);
	r->unreserve();
	r->unreserve();
	check(!r->is_reserved() && rgl::reservation::try_(l, 0, 100).has_value(),
	      "one can be given up before its end");
	check(rgl::reservation::try_(l, 0, 100).has_value(), "and is at its end");
	check(thrown_by([&] { rgl::reservation::try_(l, 5, 5); }) == EINVAL,
	      "a bad range throws EINVAL");
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
		check(!rgl::write_guard::until(l, 5, 6, before + 20ms) &&
			  clock::now() - before >= 20ms,
		      "until waits for its time");
		check(!rgl::write_guard::until(l, 5, 6, clock::time_point(-1500ms)),
		      "until knows a time before the clock's start");
		check(rgl::read_guard::until(l, 20, 30, before).has_value(),
		      "until takes what is free, whatever the time");
	}
	check(!held(l, 0, 1, RANGELOCK_READ), "they give them back at the end of their lives");
	{
		auto tried = rgl::write_guard::try_(l, 0, 10);
		auto timed = rgl::write_guard::until(l, 20, 30, clock::time_point());

		check(tried && timed && held(l, 0, 10, RANGELOCK_WRITE) &&
			  held(l, 20, 30, RANGELOCK_WRITE),
		      "write guards by try_ and until hold for write");
	}

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
	check(thrown_by([&] { rgl::read_guard(l, 5, 5); }) == EINVAL, "a bad range throws EINVAL");

	test_changes(l);
	test_nested(l);
	test_vectors(l);
	test_reservations(l);

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
