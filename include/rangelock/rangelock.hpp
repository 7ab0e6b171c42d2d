// SPDX-License-Identifier: BSD-2-Clause
//
// rangelock for C++17: a lock, guards and reservations over the calls of
// rangelock.h, which says what they mean.  Header only.
//
//	rgl::lock file;
//
//	{
//		rgl::write_guard guard(file, 4096, 8192);
//		...bytes 4096 to 8191 are ours...
//	}
//	if (auto guard = rgl::read_guard::try_(file, 0, 4096))
//		...
//
//	rgl::read_guard r(file, 0, 4096);
//	if (auto w = std::move(r).try_upgrade())
//		...*w holds it for write...
//	else
//		...r still holds it for read...
//
// Failures throw std::system_error of std::generic_category(); what is named
// try_ or until answers std::nullopt (or false) for what it was told to expect.
// A call that fails or expects in vain leaves its object as it was.  An object
// that was moved from, or has given up what it had, has nothing: it can be
// destroyed and assigned to, and other calls on it throw EINVAL.
//
// A guard can be moved, but a request must stay in place: so a guard keeps it
// on the heap, one allocation each.  Where that is too much, and for submit,
// enter and lock_chosen, use the C calls with lock::native_handle().
//
#ifndef RANGELOCK_RANGELOCK_HPP
#define RANGELOCK_RANGELOCK_HPP

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <rangelock/rangelock.h>

namespace rgl {

using time_point = std::chrono::steady_clock::time_point;

// No upper bound, as an end.
inline constexpr std::uint64_t max = RANGELOCK_MAX;

namespace detail {

inline void check(int error, const char *what)
{
	if (error)
		throw std::system_error(error, std::generic_category(), what);
}

// 0: true; what was expected: false; all else throws.
inline bool unless(int expected, int error, const char *what)
{
	if (error != expected)
		check(error, what);
	return error == 0;
}

inline timespec absolute(time_point t)
{
	using namespace std::chrono;

	// steady_clock is CLOCK_MONOTONIC; floor, so that tv_nsec is sound
	// for times before its start too.
	auto s = floor<seconds>(t);
	timespec ts{};
	ts.tv_sec = static_cast<decltype(ts.tv_sec)>(s.time_since_epoch().count());
	ts.tv_nsec = static_cast<decltype(ts.tv_nsec)>(duration_cast<nanoseconds>(t - s).count());
	return ts;
}

} // namespace detail

class reservation;

// A range lock.  It must outlive its guards, and nothing may be held when it
// goes.
class lock {
public:
	lock() = default;

	// Throws what rangelock_init() answers.
	explicit lock(const rangelock_attr &attr)
	{
		detail::check(rangelock_init(&lock_, &attr), "rangelock_init");
	}

	~lock()
	{
		rangelock_destroy(&lock_);
	}

	lock(const lock &) = delete;
	lock &operator=(const lock &) = delete;

	// For the C calls.
	rangelock *native_handle() noexcept
	{
		return &lock_;
	}

private:
	rangelock lock_ = RANGELOCK_INITIALIZER;
};

namespace detail {

using request = std::unique_ptr<rangelock_req>;

// How a guard ends what it has.
struct unlock {
	rangelock *native = nullptr;

	void operator()(rangelock_req *req) const noexcept
	{
		rangelock_unlock(native, req);
		delete req;
	}
};

struct unlock_all {
	rangelock *native = nullptr;
	std::size_t n = 0;

	void operator()(rangelock_req *reqs) const noexcept
	{
		rangelock_unlockv(native, reqs, n);
		delete[] reqs;
	}
};

struct unreserve {
	rangelock *native = nullptr;

	void operator()(rangelock_req *req) const noexcept
	{
		rangelock_unreserve(native, req);
		delete req;
	}
};

// A held range, given back at the end of its life.
template <rangelock_mode Mode> class guard {
	static constexpr bool writes = Mode == RANGELOCK_WRITE;
	using read_guard = guard<RANGELOCK_READ>;
	using write_guard = guard<RANGELOCK_WRITE>;

public:
	// Wait as long as it takes.
	guard(lock &l, std::uint64_t start, std::uint64_t end)
	{
		auto req = std::make_unique<rangelock_req>();
		auto call = writes ? rangelock_wrlock : rangelock_rdlock;

		check(call(l.native_handle(), req.get(), start, end),
		      writes ? "rangelock_wrlock" : "rangelock_rdlock");
		hold(l.native_handle(), std::move(req));
	}

	// Nothing where a conflicting request is held or waiting.
	static std::optional<guard> try_(lock &l, std::uint64_t start, std::uint64_t end)
	{
		auto req = std::make_unique<rangelock_req>();
		auto call = writes ? rangelock_trywrlock : rangelock_tryrdlock;

		if (!unless(EBUSY, call(l.native_handle(), req.get(), start, end),
			    writes ? "rangelock_trywrlock" : "rangelock_tryrdlock"))
			return std::nullopt;
		return guard(l.native_handle(), std::move(req));
	}

	// Nothing where the time has passed.
	static std::optional<guard> until(lock &l, std::uint64_t start, std::uint64_t end,
					  time_point time)
	{
		auto req = std::make_unique<rangelock_req>();
		auto call = writes ? rangelock_timedwrlock : rangelock_timedrdlock;
		timespec abstime = absolute(time);

		if (!unless(ETIMEDOUT, call(l.native_handle(), req.get(), start, end, &abstime),
			    writes ? "rangelock_timedwrlock" : "rangelock_timedrdlock"))
			return std::nullopt;
		return guard(l.native_handle(), std::move(req));
	}

	// A further read for who holds outer: goes before writers that wait for outer.
	template <rangelock_mode Outer>
	static guard nested(const guard<Outer> &outer, std::uint64_t start, std::uint64_t end)
	{
		static_assert(!writes, "only reads nest");
		auto req = std::make_unique<rangelock_req>();

		check(rangelock_rdlock_nested(outer.native(), req.get(), start, end,
					      outer.req_.get()),
		      "rangelock_rdlock_nested");
		return guard(outer.native(), std::move(req));
	}

	// Read instead of write.  Those who only read come in at once.
	read_guard downgrade() &&
	{
		static_assert(writes, "a read guard is one already");
		check(rangelock_downgrade(native(), req_.get()), "rangelock_downgrade");
		return read_guard(native(), release());
	}

	// Write instead of read, no writer getting in between; throws EDEADLK where
	// another upgrade that waits overlaps.
	write_guard upgrade() &&
	{
		static_assert(!writes, "a write guard is one already");
		check(rangelock_upgrade(native(), req_.get()), "rangelock_upgrade");
		return write_guard(native(), release());
	}

	// Nothing where another request that overlaps is held or waiting.
	std::optional<write_guard> try_upgrade() &&
	{
		static_assert(!writes, "a write guard is one already");
		if (!unless(EBUSY, rangelock_tryupgrade(native(), req_.get()),
			    "rangelock_tryupgrade"))
			return std::nullopt;
		return write_guard(native(), release());
	}

	// Keep only this part.
	void reduce(std::uint64_t start, std::uint64_t end)
	{
		check(rangelock_reduce(native(), req_.get(), start, end), "rangelock_reduce");
	}

	// Keep what lies below at; the rest is the new guard's.
	[[nodiscard]] guard split(std::uint64_t at)
	{
		auto tail = std::make_unique<rangelock_req>();

		check(rangelock_split(native(), req_.get(), at, tail.get()), "rangelock_split");
		return guard(native(), std::move(tail));
	}

	// Grow; false where a conflicting request is in the way.
	[[nodiscard]] bool try_extend(std::uint64_t start, std::uint64_t end)
	{
		return unless(EBUSY, rangelock_tryextend(native(), req_.get(), start, end),
			      "rangelock_tryextend");
	}

	// Give it back now; harmless where it was given back or moved away.
	void unlock() noexcept
	{
		req_.reset();
	}

	bool owns_lock() const noexcept
	{
		return req_ != nullptr;
	}

	explicit operator bool() const noexcept
	{
		return owns_lock();
	}

	// The held request, for the C calls: the guard goes on to own it, or does no more.
	rangelock_req *native_handle() noexcept
	{
		return req_.get();
	}

	[[nodiscard]] std::unique_ptr<rangelock_req> release() noexcept
	{
		return request(req_.release());
	}

private:
	template <rangelock_mode> friend class guard;
	friend class rgl::reservation;

	guard(rangelock *native, request held)
	{
		hold(native, std::move(held));
	}

	void hold(rangelock *native, request held)
	{
		req_ = { held.release(), detail::unlock{ native } };
	}

	rangelock *native() const
	{
		return req_.get_deleter().native;
	}

	std::unique_ptr<rangelock_req, detail::unlock> req_;
};

} // namespace detail

using read_guard = detail::guard<RANGELOCK_READ>;
using write_guard = detail::guard<RANGELOCK_WRITE>;

// A range and how a vector_guard is to hold it.
using range = rangelock_range;

inline constexpr range read(std::uint64_t start, std::uint64_t end)
{
	return { start, end, RANGELOCK_READ };
}

inline constexpr range write(std::uint64_t start, std::uint64_t end)
{
	return { start, end, RANGELOCK_WRITE };
}

// Several ranges as one arrival, all or none.
//
//	rgl::vector_guard both(file, { rgl::read(0, 10), rgl::write(20, 30) });
//
class vector_guard {
public:
	vector_guard(lock &l, std::initializer_list<range> ranges)
		: vector_guard(l, ranges.begin(), ranges.size())
	{
	}

	vector_guard(lock &l, const range *ranges, std::size_t n)
	{
		auto reqs = std::make_unique<rangelock_req[]>(n);

		detail::check(rangelock_lockv(l.native_handle(), reqs.get(), ranges, n, nullptr),
			      "rangelock_lockv");
		hold(l, std::move(reqs), n);
	}

	// Nothing where the time has passed.
	static std::optional<vector_guard> until(lock &l, std::initializer_list<range> ranges,
						 time_point time)
	{
		return until(l, ranges.begin(), ranges.size(), time);
	}

	static std::optional<vector_guard> until(lock &l, const range *ranges, std::size_t n,
						 time_point time)
	{
		auto reqs = std::make_unique<rangelock_req[]>(n);
		timespec abstime = detail::absolute(time);

		if (!detail::unless(ETIMEDOUT,
				    rangelock_lockv(l.native_handle(), reqs.get(), ranges, n,
						    &abstime),
				    "rangelock_lockv"))
			return std::nullopt;

		vector_guard g;
		g.hold(l, std::move(reqs), n);
		return g;
	}

	void unlock() noexcept
	{
		reqs_.reset();
	}

	bool owns_lock() const noexcept
	{
		return reqs_ != nullptr;
	}

	explicit operator bool() const noexcept
	{
		return owns_lock();
	}

	// The held requests, an array of as many as there were ranges.  None of them is to
	// be unlocked by itself.
	rangelock_req *native_handle() noexcept
	{
		return reqs_.get();
	}

private:
	vector_guard() = default;

	void hold(lock &l, std::unique_ptr<rangelock_req[]> reqs, std::size_t n)
	{
		reqs_ = { reqs.release(), detail::unlock_all{ l.native_handle(), n } };
	}

	std::unique_ptr<rangelock_req[], detail::unlock_all> reqs_;
};

// "I chose this range and am about to lock it": blocks nobody, and is revoked by a
// write that is granted over it.  Given up at the end of its life.
//
//	while (auto r = rgl::reservation::try_gap(disk, size, 4096, 0, limit)) {
//		prepare(r->start(), size);
//		if (auto w = std::move(*r).commit())
//			return fill(std::move(*w));
//	}
//
class reservation {
public:
	// Nothing where the range overlaps a reservation, or a held or waiting write.
	static std::optional<reservation> try_(lock &l, std::uint64_t start, std::uint64_t end)
	{
		auto req = std::make_unique<rangelock_req>();

		if (!detail::unless(EBUSY,
				    rangelock_reserve(l.native_handle(), req.get(), start, end),
				    "rangelock_reserve"))
			return std::nullopt;
		return reservation(l, std::move(req), start, end);
	}

	// The lowest range of size units within [lo, hi), its start a multiple of align;
	// nothing where there is none.
	static std::optional<reservation> try_gap(lock &l, std::uint64_t size, std::uint64_t align,
						  std::uint64_t lo, std::uint64_t hi)
	{
		auto req = std::make_unique<rangelock_req>();
		std::uint64_t start = 0;

		if (!detail::unless(ENOSPC,
				    rangelock_reserve_gap(l.native_handle(), req.get(), size, align,
							  lo, hi, &start),
				    "rangelock_reserve_gap"))
			return std::nullopt;
		return reservation(l, std::move(req), start, start + size);
	}

	// Hold it for write, waiting as long as it takes.  Nothing where it was revoked
	// (or the call cancelled): the reservation has ended.
	std::optional<write_guard> commit() &&
	{
		return commit(nullptr);
	}

	// Nothing also where the time has passed: the reservation still stands.
	std::optional<write_guard> commit_until(time_point time) &&
	{
		timespec abstime = detail::absolute(time);

		return commit(&abstime);
	}

	// False once revoked, committed or given up.
	bool is_reserved() const noexcept
	{
		return rangelock_is_reserved(native(), req_.get());
	}

	// Give it up now.
	void unreserve() noexcept
	{
		req_.reset();
	}

	// What was reserved.
	std::uint64_t start() const noexcept
	{
		return start_;
	}

	std::uint64_t end() const noexcept
	{
		return end_;
	}

	rangelock_req *native_handle() noexcept
	{
		return req_.get();
	}

private:
	reservation(lock &l, detail::request req, std::uint64_t start, std::uint64_t end)
		: req_(req.release(), detail::unreserve{ l.native_handle() }), start_(start),
		  end_(end)
	{
	}

	std::optional<write_guard> commit(const timespec *abstime)
	{
		int error = rangelock_commit(native(), req_.get(), abstime);

		if (error == ETIMEDOUT)
			return std::nullopt;
		if (error != 0 && error != ECANCELED)
			detail::check(error, "rangelock_commit");

		detail::request req(req_.release());
		if (error)
			return std::nullopt;
		return write_guard(native(), std::move(req));
	}

	rangelock *native() const noexcept
	{
		return req_.get_deleter().native;
	}

	std::unique_ptr<rangelock_req, detail::unreserve> req_;
	std::uint64_t start_, end_;
};

} // namespace rgl

#endif
