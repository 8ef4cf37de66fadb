// test/defects/naive/go.hpp: the words of Go that the seed's samples use and runnel has not.
//
// The naive forms follow the samples line by line, so that they have the same defects. Where a
// sample ends a goroutine by runtime.Goexit, or the whole program by a panic, these stand for it.
#pragma once

#include <atomic>
#include <source_location>
#include <utility>

#include <runnel/runnel.hpp>

namespace runnel::naive {

/// Thrown in place of runtime.Goexit (which t.FailNow calls): it ends its goroutine, running what
/// is deferred and nothing else. In C++ the same is any exception that a goroutine's outermost
/// function catches, and any early return that skips the signal at the end.
struct goexit {};

/// How many goroutines have panicked. In Go the first one would have ended the process.
inline std::atomic<int> panics = 0;

/// Go's statement.
template <class F>
void go(F f, const std::source_location& where = std::source_location::current()) {
    runnel::go(
        [f = std::move(f)]() mutable {
            try {
                f();
            } catch (const goexit&) {  // this goroutine ends, and nobody is told
            } catch (...) {
                ++panics;
            }
        },
        where);
}

/// Go's defer.
template <class F>
class defer {
public:
    explicit defer(F f) : f_(std::move(f)) {}
    ~defer() { f_(); }
    defer(const defer&) = delete;
    defer& operator=(const defer&) = delete;

private:
    F f_;
};

/// An error that is nil or has a text, and is equal only to itself (errors.New).
class error {
public:
    error() = default;
    explicit error(const char* text) : text_(text) {}
    /// err != nil
    explicit operator bool() const noexcept { return text_ != nullptr; }
    [[nodiscard]] const char* text() const noexcept { return text_ == nullptr ? "" : text_; }

private:
    const char* text_ = nullptr;
};

}  // namespace runnel::naive
