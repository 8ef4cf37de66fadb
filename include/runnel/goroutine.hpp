// runnel/goroutine.hpp: starting goroutines.
//
// A goroutine is a function that runs concurrently on the runtime's workers. It costs a record
// until it first runs and a page of stack afterwards; any function may block in it, at any depth.
//
// Order: the start of a goroutine happens after the call that started it; its exit happens before
// nothing: wait for it with a channel, a wait_group or spawn().
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

#include <runnel/detail/closure.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/go_options.hpp>

namespace runnel {

/// Starts a goroutine that runs `f`, which is decay-copied. An exception that leaves `f` ends the
/// process: a message with the goroutine's id, name, where it was started and what(), then
/// std::terminate.
template <class F>
    requires std::invocable<std::decay_t<F>>
void go(F&& f, const std::source_location& where = std::source_location::current()) {
    detail::start_closure({.file = where.file_name(), .line = where.line()}, std::forward<F>(f));
}

/// The same with arguments, which are decay-copied as by std::thread (std::ref passes a reference).
template <class F, class... Args>
    requires(sizeof...(Args) > 0 && std::invocable<std::decay_t<F>, std::decay_t<Args>...>)
void go(F&& f, Args&&... args) {
    detail::start_closure({}, std::forward<F>(f), std::forward<Args>(args)...);
}

/// The same with a name and a stack size of its own. Throws std::invalid_argument for a stack size
/// out of range; nothing is started then.
template <class F>
    requires std::invocable<std::decay_t<F>>
void go(const go_options& options, F&& f,
        const std::source_location& where = std::source_location::current()) {
    detail::start_closure({.file = where.file_name(), .line = where.line(), .options = &options},
                          std::forward<F>(f));
}
template <class F, class... Args>
    requires(sizeof...(Args) > 0 && std::invocable<std::decay_t<F>, std::decay_t<Args>...>)
void go(const go_options& options, F&& f, Args&&... args) {
    detail::start_closure({.options = &options}, std::forward<F>(f), std::forward<Args>(args)...);
}

/// Lets other goroutines run; on a plain thread, other threads.
inline void yield() noexcept { detail::suspend(detail::begin_yield()); }

namespace this_goroutine {

/// A number that no other goroutine of the process's runtime has had; 0 on a plain thread.
[[nodiscard]] std::uint64_t id() noexcept;

/// The name it was started with; empty if it has none, and on a plain thread.
[[nodiscard]] std::string name();

}  // namespace this_goroutine

}  // namespace runnel
