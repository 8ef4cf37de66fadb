// runnel/patterns/shutdown.hpp: ends the components of a program in order, within a limit.
//
//     shutdown_report report = sequential_shutdown(
//         10s, named("listener", std::ref(server)), named("pool", pool), [](clock::duration left) {
//             return flush_logs(left);
//         });
//     if (report.error()) { ... report.components() ... }
//
// A component is anything with `shutdown(clock::duration) -> std::error_code`, or a callable of
// that shape; it is handed the time it has. The call may return before a component that takes
// longer, so callables and rvalues are moved (or copied) into it, and any other component is passed
// by std::ref or as a shared_ptr, by somebody who waits for shutdown_report::stragglers().
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <ranges>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/clock.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/error.hpp>

namespace runnel {

class any_shutdowner;

namespace detail {

template <class S>
concept has_shutdown = requires(S& s, clock::duration d) {
    { s.shutdown(d) } -> std::convertible_to<std::error_code>;
};
template <class S>
concept shutdown_callable = requires(S& s, clock::duration d) {
    { s(d) } -> std::convertible_to<std::error_code>;
};

}  // namespace detail

/// What can be shut down: it is given the time it has, which may be zero, and returns its error.
/// An exception that it throws counts as its error, too.
template <class S>
concept shutdowner = detail::has_shutdown<S> || detail::shutdown_callable<S>;

namespace detail {

template <class S>
inline constexpr bool is_component_handle = false;
template <shutdowner S>
inline constexpr bool is_component_handle<std::reference_wrapper<S>> = true;
template <shutdowner S>
inline constexpr bool is_component_handle<std::shared_ptr<S>> = true;

/// What any_shutdowner holds: a component, or a handle of one.
template <class S>
concept shutdown_part =
    is_component_handle<S> || (shutdowner<S> && !std::same_as<S, any_shutdowner>);

/// The component itself; null for a null handle.
template <class S>
[[nodiscard]] auto* component_of(S& s) noexcept {
    if constexpr (is_component_handle<std::remove_const_t<S>>) {
        if constexpr (requires { s.use_count(); }) {
            return s.get();
        } else {
            return std::addressof(s.get());
        }
    } else {
        return std::addressof(s);
    }
}

class shutdown_model {
public:
    shutdown_model() = default;
    shutdown_model(const shutdown_model&) = delete;
    shutdown_model& operator=(const shutdown_model&) = delete;
    virtual ~shutdown_model() = default;
    [[nodiscard]] virtual bool is_null() = 0;
    virtual std::error_code shutdown(clock::duration d) = 0;
};

template <class S>
class shutdown_model_of final : public shutdown_model {
public:
    explicit shutdown_model_of(S part) : part_(std::move(part)) {}

    [[nodiscard]] bool is_null() override {
        auto* const component = component_of(part_);
        if (component == nullptr) {
            return true;
        }
        if constexpr (requires { bool(*component == nullptr); }) {
            return *component == nullptr;
        } else {
            return false;
        }
    }
    std::error_code shutdown(clock::duration d) override {
        auto& component = *component_of(part_);
        if constexpr (has_shutdown<std::remove_reference_t<decltype(component)>>) {
            return component.shutdown(d);
        } else {
            return std::invoke(component, d);
        }
    }

private:
    S part_;
};

}  // namespace detail

/// A component of any type. A handle: copies name the same component, which lives as long as one of
/// them. Default-constructed, it is none: to shut it down is an error.
class any_shutdowner {
public:
    any_shutdowner() = default;
    /// Takes `part` in; see the head of this file for what may be an lvalue. Its name is what
    /// `part.name()` says, if it has that.
    template <class S>
        requires detail::shutdown_part<std::decay_t<S>>
    any_shutdowner(S&& part)  // so that a component stands where one of these is expected
        : name_(name_of(part)) {
        using stored = std::decay_t<S>;
        static_assert(
            !std::is_lvalue_reference_v<S> || detail::is_component_handle<stored> ||
                !detail::has_shutdown<stored>,
            "runnel: pass a component that stays yours by std::ref or as a shared_ptr, or move it "
            "in: a shutdown may return before the component does");
        model_ = std::make_shared<detail::shutdown_model_of<stored>>(std::forward<S>(part));
    }

    /// Empty if it has none.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] any_shutdowner with_name(std::string name) const {
        any_shutdowner renamed(*this);
        renamed.name_ = std::move(name);
        return renamed;
    }

    /// There is no component, or it is an empty std::function, a null pointer to a function, or a
    /// null shared_ptr.
    [[nodiscard]] bool is_null() const { return model_ == nullptr || model_->is_null(); }
    /// Shuts the component down. Throws what it throws; std::invalid_argument if it is null.
    [[nodiscard]] std::error_code shutdown(clock::duration d) const;

private:
    template <class S>
    static std::string name_of(S& part) {
        auto* const component = detail::component_of(part);
        if constexpr (requires { std::string(component->name()); }) {
            return component != nullptr ? std::string(component->name()) : std::string();
        } else {
            return {};
        }
    }

    std::shared_ptr<detail::shutdown_model> model_;
    std::string name_;
};

/// Gives a component a name for the report.
template <class S>
    requires std::constructible_from<any_shutdowner, S>
[[nodiscard]] any_shutdowner named(std::string name, S&& component) {
    return any_shutdowner(std::forward<S>(component)).with_name(std::move(name));
}

/// How one component's shutdown went.
struct component_report {
    std::string name;  ///< as named(), else what its name() said, else its position from "0"
    /// What it returned. errc::timed_out if it had not returned by the limit (or what the context's
    /// err() is, if that ended the call). For an exception: the code of a std::system_error, else
    /// errc::exception_thrown.
    std::error_code error;
    std::exception_ptr exception = nullptr;  ///< what it threw, if it did
    clock::duration taken{};                 ///< until it returned, or until the report was made
    bool finished = false;                   ///< it had returned when the report was made
};

/// How a shutdown went. Copyable.
class [[nodiscard]] shutdown_report {
public:
    shutdown_report(std::vector<component_report> components, std::error_code limit,
                    recv_chan<unit> stragglers) noexcept
        : components_(std::move(components)), limit_(limit), stragglers_(std::move(stragglers)) {}

    /// None if every component has finished without an error; else the error of the first one, in
    /// the order of the arguments, that has finished with one; else errc::timed_out, or the err()
    /// of the context that ended the call.
    [[nodiscard]] std::error_code error() const noexcept;

    /// In the order of the arguments.
    [[nodiscard]] const std::vector<component_report>& components() const noexcept {
        return components_;
    }

    /// A channel that closes when the last component has returned: at once, unless the limit came
    /// first.
    [[nodiscard]] const recv_chan<unit>& stragglers() const noexcept { return stragglers_; }

private:
    std::vector<component_report> components_;
    std::error_code limit_;  ///< what those that had not finished were stopped by
    recv_chan<unit> stragglers_;
};

namespace detail {

enum class shutdown_order : bool { concurrent, sequential };

[[nodiscard]] shutdown_report shut_down(shutdown_order order, const context& ctx,
                                        std::chrono::nanoseconds timeout,
                                        std::vector<any_shutdowner> components, const void* where);

template <class R>
concept shutdown_range =
    std::ranges::input_range<R> &&
    std::same_as<std::remove_cvref_t<std::ranges::range_reference_t<R>>, any_shutdowner>;

template <class... S>
[[nodiscard]] std::vector<any_shutdowner> gather_components(S&&... components) {
    std::vector<any_shutdowner> all;
    all.reserve(sizeof...(components));
    (all.emplace_back(std::forward<S>(components)), ...);
    return all;
}
template <shutdown_range R>
[[nodiscard]] std::vector<any_shutdowner> gather_components(R&& components) {
    std::vector<any_shutdowner> all;
    for (auto&& each : components) {
        all.push_back(each);
    }
    return all;
}

template <class... S>
concept shutdown_arguments = (std::constructible_from<any_shutdowner, S> && ...) ||
                             (sizeof...(S) == 1 && (shutdown_range<S> && ...));

}  // namespace detail

/// Shuts all components down at the same time, each in a goroutine of its own that is handed the
/// whole `timeout`. Takes the components, or one range of any_shutdowner. Blocks until all have
/// returned, or until `timeout` is over; those that have not returned then go on, and end by
/// themselves.
template <class Rep, class Period, class... S>
    requires detail::shutdown_arguments<S...>
shutdown_report concurrent_shutdown(std::chrono::duration<Rep, Period> timeout, S&&... components) {
    return detail::shut_down(
        detail::shutdown_order::concurrent, {}, detail::to_nanoseconds(timeout),
        detail::gather_components(std::forward<S>(components)...), __builtin_return_address(0));
}
/// The same with a context that may end the call earlier; its deadline shortens what the components
/// are handed, and when it has ended that is zero.
template <class Rep, class Period, class... S>
    requires detail::shutdown_arguments<S...>
shutdown_report concurrent_shutdown(const context& ctx, std::chrono::duration<Rep, Period> timeout,
                                    S&&... components) {
    return detail::shut_down(
        detail::shutdown_order::concurrent, ctx, detail::to_nanoseconds(timeout),
        detail::gather_components(std::forward<S>(components)...), __builtin_return_address(0));
}

/// Shuts the components down one after the other, each in a goroutine of its own that is handed
/// what is left of `timeout`. Takes the components, or one range of any_shutdowner. Goes on after
/// an error, and after the limit: whoever comes then is handed zero, and is waited for only while
/// it does not block.
template <class Rep, class Period, class... S>
    requires detail::shutdown_arguments<S...>
shutdown_report sequential_shutdown(std::chrono::duration<Rep, Period> timeout, S&&... components) {
    return detail::shut_down(
        detail::shutdown_order::sequential, {}, detail::to_nanoseconds(timeout),
        detail::gather_components(std::forward<S>(components)...), __builtin_return_address(0));
}
/// The same with a context, as concurrent_shutdown().
template <class Rep, class Period, class... S>
    requires detail::shutdown_arguments<S...>
shutdown_report sequential_shutdown(const context& ctx, std::chrono::duration<Rep, Period> timeout,
                                    S&&... components) {
    return detail::shut_down(
        detail::shutdown_order::sequential, ctx, detail::to_nanoseconds(timeout),
        detail::gather_components(std::forward<S>(components)...), __builtin_return_address(0));
}

}  // namespace runnel
