// runnel/patterns/parallel.hpp: one function for every element of a range, several at a time.
//
//     parallel_for_each(ctx, urls, 8, [](const context& ctx, const url& u) { check(ctx, u); });
//     std::vector<page> pages = parallel_map(ctx, urls, 8, fetch);
//
// These calls return when the work has ended: no goroutine outlives them, so the function may use
// what is in the caller's frame.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <mutex>
#include <optional>
#include <ranges>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/detail/flow.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/sync/mutex.hpp>
#include <runnel/task/group.hpp>

namespace runnel {

namespace detail {

/// The elements of a range, one after the other, to whoever asks. Its iterators are user code, so
/// the lock is one that goroutines may wait on.
template <class R>
class dispenser {
public:
    explicit dispenser(R& range)
        : next_(std::ranges::begin(range)), end_(std::ranges::end(range)) {}

    struct element {
        std::ranges::iterator_t<R> at;
        std::size_t index;
    };
    std::optional<element> take() {
        const std::lock_guard hold(lock_);
        if (next_ == end_) {
            return std::nullopt;
        }
        return element{next_++, index_++};
    }

private:
    mutex lock_;
    // Protected by lock_.
    std::ranges::iterator_t<R> next_;
    std::ranges::sentinel_t<R> end_;
    std::size_t index_ = 0;
};

/// Calls f(ctx, element, its index) for each, in `n` goroutines.
template <class R, class F>
void for_each_in(const context& ctx, R& range, std::size_t n, F f,
                 const std::source_location& where) {
    check_not_zero("n", n);
    dispenser<R> elements(range);
    group workers(ctx);
    const auto size = static_cast<std::size_t>(std::ranges::distance(range));
    for (std::size_t i = std::min(n, size); i > 0; --i) {
        workers.go(
            [&elements, &f, under = workers.context()] {
                while (auto e = elements.take()) {
                    if (has_ended(under)) {
                        throw_ended(under);
                    }
                    f(under, *e->at, e->index);
                }
            },
            where);
    }
    workers.wait();
}

}  // namespace detail

/// Calls f(element), or f(ctx, element), for each element of `range`, in up to `n` goroutines, and
/// returns when all calls have. The first exception is rethrown, once those that run have ended;
/// the context that `f` is given is cancelled then, and no more are started. Throws
/// std::invalid_argument if `n` is 0.
template <std::ranges::forward_range R, class F>
    requires detail::invocable_under<F, std::ranges::range_reference_t<R>>
void parallel_for_each(const context& ctx, R&& range, std::size_t n, F&& f,
                       const std::source_location& where = std::source_location::current()) {
    detail::for_each_in(
        ctx, range, n,
        [&f](const context& under, auto&& element, std::size_t) {
            static_cast<void>(
                detail::invoke_under(under, f, std::forward<decltype(element)>(element)));
        },
        where);
}
template <std::ranges::forward_range R, class F>
    requires detail::invocable_under<F, std::ranges::range_reference_t<R>>
void parallel_for_each(R&& range, std::size_t n, F&& f,
                       const std::source_location& where = std::source_location::current()) {
    parallel_for_each(background(), range, n, f, where);
}

/// The same, and returns what `f` has returned, in the order of the elements. If `ctx` ends before
/// all are done, throws canceled_error, or timeout_error if it was the deadline.
template <std::ranges::forward_range R, class F>
    requires detail::invocable_under<F, std::ranges::range_reference_t<R>>
[[nodiscard]] auto parallel_map(
    const context& ctx, R&& range, std::size_t n, F&& f,
    const std::source_location& where = std::source_location::current()) {
    using U = detail::result_under<F, std::ranges::range_reference_t<R>>;
    static_assert(!std::is_void_v<U>, "parallel_map(range, n, f): f returns a value");
    std::vector<std::optional<U>> made(static_cast<std::size_t>(std::ranges::distance(range)));
    detail::for_each_in(
        ctx, range, n,
        [&f, &made](const context& under, auto&& element, std::size_t i) {
            made[i].emplace(
                detail::invoke_under(under, f, std::forward<decltype(element)>(element)));
        },
        where);
    std::vector<U> results;
    results.reserve(made.size());
    for (std::optional<U>& each : made) {
        results.push_back(std::move(*each));
    }
    return results;
}
template <std::ranges::forward_range R, class F>
    requires detail::invocable_under<F, std::ranges::range_reference_t<R>>
[[nodiscard]] auto parallel_map(
    R&& range, std::size_t n, F&& f,
    const std::source_location& where = std::source_location::current()) {
    return parallel_map(background(), range, n, f, where);
}

}  // namespace runnel
