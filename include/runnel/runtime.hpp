// runnel/runtime.hpp: where goroutines run: how many workers, explicit instances, run().
//
// Nothing needs to be initialised: the process-wide runtime starts on first use, with as many
// workers as RUNNEL_MAXPROCS says, else as the process may use processors (affinity, cgroup quota).
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <runnel/detail/closure.hpp>

namespace runnel {

/// Which goroutine stacks end in pages that fault on overflow.
enum class guard_policy : std::uint8_t {
    automatic,      ///< as many as the system allows; one warning when it allows no more
    required,       ///< all; starting a goroutine throws when the system allows no more
    mprotect_only,  ///< as automatic, with the method of kernels before Linux 6.13
    none,           ///< none: an overflow destroys the memory below the stack
};

struct runtime_options {
    std::size_t workers = 0;              ///< 0: RUNNEL_MAXPROCS, else what the process may use
    std::size_t stack_size = 256 * 1024;  ///< bytes of address space; 16 KiB to 1 GiB
    guard_policy guards = guard_policy::automatic;
    /// How long ~runtime waits for goroutines before it reports them and terminates.
    std::chrono::nanoseconds shutdown_limit = std::chrono::seconds(10);
    std::optional<std::uint64_t> seed = std::nullopt;  ///< of every random choice; default: random
};

namespace detail {
class scheduler;
class latch_word;

/// Runs the started goroutine's body to its end from a plain thread; see run().
void run_main(scheduler* where, const start_info& info, void (*body)(void*), void* argument);

template <class F>
int run_body(F& f) {
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        std::invoke(f);
        return 0;
    } else {
        static_assert(std::convertible_to<std::invoke_result_t<F&>, int>,
                      "run(f): f returns nothing or an int");
        return std::invoke(f);
    }
}

template <class F>
int run_on(scheduler* where, F& f, const start_info& info) {
    struct call {
        F& f;
        int result;
    } main{f, 0};
    run_main(
        where, info,
        [](void* argument) {
            auto& self = *static_cast<call*>(argument);
            self.result = run_body(self.f);
        },
        &main);
    return main.result;
}
}  // namespace detail

/// Sets the options of the process-wide runtime. Throws std::logic_error once it has started, and
/// std::invalid_argument for an option that is out of range.
void configure(const runtime_options& options);

/// Runs `f` as the main goroutine of the process-wide runtime; blocks until it returns, and returns
/// its int (0 if it returns nothing). Goroutines that are left over go on; the end of the process
/// does not wait for them. An exception that leaves `f` ends the process as with go(). Called from
/// a goroutine, throws std::logic_error. When every goroutine is asleep for good: a report of who
/// waits where, and exit status 2.
template <class F>
int run(F f, const std::source_location& where = std::source_location::current()) {
    return detail::run_on(nullptr, f, {.file = where.file_name(), .line = where.line()});
}

/// Runs a call that blocks its thread (a file, a name lookup, a foreign lock) on a thread that is
/// kept for that, so that no worker is held back. Blocks the calling goroutine; returns what `f`
/// returns, or throws what it throws. On a plain thread it just calls `f`. Inside `f` channels work
/// as on any plain thread.
template <class F>
std::invoke_result_t<F&> blocking(F f);

/// A runtime of its own, for tests and isolation. Channels work across runtimes.
class runtime {
public:
    /// Throws std::invalid_argument for an option that is out of range.
    explicit runtime(const runtime_options& options = {});
    /// Waits for the goroutines that are left; after options.shutdown_limit it reports who they are
    /// and terminates.
    ~runtime();
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;

    /// As runnel::run, on this runtime; blocks a plain thread or a goroutine of another runtime.
    template <class F>
    int run(F f, const std::source_location& where = std::source_location::current()) {
        return detail::run_on(scheduler_.get(), f,
                              {.file = where.file_name(), .line = where.line()});
    }

    [[nodiscard]] std::size_t workers() const noexcept;

private:
    struct stop_and_delete {
        void operator()(detail::scheduler* s) const noexcept;
    };
    std::unique_ptr<detail::scheduler, stop_and_delete> scheduler_;
};

namespace detail {
/// Calls body(argument), which must not throw, on a thread of the blocking pool; the calling
/// goroutine waits.
void run_blocking(void (*body)(void*), void* argument);
}  // namespace detail

template <class F>
std::invoke_result_t<F&> blocking(F f) {
    using result = std::invoke_result_t<F&>;
    struct call {
        F& f;
        std::exception_ptr error;
        // A reference is kept as a pointer.
        std::optional<
            std::conditional_t<std::is_void_v<result>, char,
                               std::conditional_t<std::is_reference_v<result>,
                                                  std::remove_reference_t<result>*, result>>>
            value;
    } work{f, nullptr, {}};
    detail::run_blocking(
        [](void* argument) {
            auto& self = *static_cast<call*>(argument);
            try {
                if constexpr (std::is_void_v<result>) {
                    std::invoke(self.f);
                } else if constexpr (std::is_reference_v<result>) {
                    auto&& value = std::invoke(self.f);
                    self.value = std::addressof(value);
                } else {
                    self.value.emplace(std::invoke(self.f));
                }
            } catch (...) {
                self.error = std::current_exception();
            }
        },
        &work);
    if (work.error) {
        std::rethrow_exception(std::move(work.error));
    }
    if constexpr (!std::is_void_v<result>) {
        if constexpr (std::is_reference_v<result>) {
            return static_cast<result>(**work.value);
        } else {
            return std::move(*work.value);
        }
    }
}

}  // namespace runnel
