// SPDX-License-Identifier: BSD-2-Clause
//
// rangelock for C++17: a lock and two guards over the calls of rangelock.h.
// Header only.  Failures throw std::system_error of std::generic_category().
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
// A guard can be moved, but a request must stay in place: so a guard keeps it
// on the heap, one allocation each.  Where that is too much, use the C calls.
//
#ifndef RANGELOCK_RANGELOCK_HPP
#define RANGELOCK_RANGELOCK_HPP

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>

#include <rangelock/rangelock.h>

namespace rgl {

// No upper bound, as an end.
inline constexpr std::uint64_t max = RANGELOCK_MAX;

namespace detail {

inline void check(int error, const char *what)
{
	if (error)
		throw std::system_error(error, std::generic_category(), what);
}

inline timespec absolute(std::chrono::steady_clock::time_point t)
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

// A held range, given back at the end of its life.
template <rangelock_mode Mode> class guard {
public:
	// Wait as long as it takes.
	guard(lock &l, std::uint64_t start, std::uint64_t end) : guard(l)
	{
		check(Mode == RANGELOCK_READ ? rangelock_rdlock(native_, req_.get(), start, end)
					     : rangelock_wrlock(native_, req_.get(), start, end),
		      "rangelock");
		held_ = true;
	}

	// Nothing where a conflicting request is held or waiting.
	static std::optional<guard> try_(lock &l, std::uint64_t start, std::uint64_t end)
	{
		guard g(l);

		return g.end_call(Mode == RANGELOCK_READ
					  ? rangelock_tryrdlock(g.native_, g.req_.get(), start, end)
					  : rangelock_trywrlock(g.native_, g.req_.get(), start, end),
				  EBUSY);
	}

	// Nothing where the time has passed.
	static std::optional<guard> until(lock &l, std::uint64_t start, std::uint64_t end,
					  std::chrono::steady_clock::time_point time)
	{
		guard g(l);
		timespec abstime = absolute(time);

		return g.end_call(
			Mode == RANGELOCK_READ
				? rangelock_timedrdlock(g.native_, g.req_.get(), start, end, &abstime)
				: rangelock_timedwrlock(g.native_, g.req_.get(), start, end, &abstime),
			ETIMEDOUT);
	}

	~guard()
	{
		unlock();
	}

	guard(guard &&other) noexcept
		: native_(other.native_), req_(std::move(other.req_)), held_(other.held_)
	{
		other.held_ = false;
	}

	guard &operator=(guard &&other) noexcept
	{
		if (this != &other) {
			unlock();
			native_ = other.native_;
			req_ = std::move(other.req_);
			held_ = other.held_;
			other.held_ = false;
		}
		return *this;
	}

	// Give it back now; harmless where it was given back or moved away.
	void unlock() noexcept
	{
		if (held_)
			rangelock_unlock(native_, req_.get());
		held_ = false;
	}

	bool owns_lock() const noexcept
	{
		return held_;
	}

private:
	explicit guard(lock &l) : native_(l.native_handle()), req_(new rangelock_req()) {}

	std::optional<guard> end_call(int error, int expected)
	{
		if (error == expected)
			return std::nullopt;
		check(error, "rangelock");
		held_ = true;
		return std::move(*this);
	}

	rangelock *native_;
	std::unique_ptr<rangelock_req> req_;
	bool held_ = false;
};

} // namespace detail

using read_guard = detail::guard<RANGELOCK_READ>;
using write_guard = detail::guard<RANGELOCK_WRITE>;

} // namespace rgl

#endif
