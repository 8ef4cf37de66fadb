// runnel/detail/select_case.hpp: the typed edge of each case of a select.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <runnel/detail/chan_core.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/element.hpp>
#include <runnel/detail/select_core.hpp>

namespace runnel::detail {

/// The case has no handler.
struct no_handler {};

template <class H>
inline constexpr bool is_no_handler = std::same_as<std::remove_cvref_t<H>, no_handler>;

/// What a handler without arguments returns; void where there is none.
template <class H>
struct plain_result : std::invoke_result<H> {};
template <class H>
    requires is_no_handler<H>
struct plain_result<H> : std::type_identity<void> {};

template <class H>
typename plain_result<H>::type run_plain(H& handler) {
    if constexpr (!is_no_handler<H>) {
        return std::invoke(std::forward<H>(handler));
    }
}

/// Handlers are kept as references; an absent one as a value, since it comes from a default
/// argument.
template <class H>
using kept_handler = std::conditional_t<is_no_handler<H>, no_handler, H&&>;

/// Lives only inside the call to select.
struct immovable {
    immovable() = default;
    immovable(const immovable&) = delete;
    immovable& operator=(const immovable&) = delete;
};

template <class T, class H>
struct recv_result : plain_result<H> {};
template <class T, class H>
    requires std::invocable<H, std::optional<T>>
struct recv_result<T, H> : std::invoke_result<H, std::optional<T>> {};
template <class T, class H>
    requires std::same_as<std::remove_reference_t<H>, std::optional<T>>
struct recv_result<T, H> : std::type_identity<void> {};

template <class T, class H>
class [[nodiscard]] recv_case : immovable {
    static constexpr bool has_slot = std::same_as<std::remove_reference_t<H>, std::optional<T>>;
    static_assert(is_no_handler<H> || (has_slot && std::is_lvalue_reference_v<H>) ||
                      std::invocable<H, std::optional<T>> || std::invocable<H>,
                  "on_recv(ch, h): h takes a std::optional<T> or nothing, or is a slot, a "
                  "std::optional<T>& that outlives the call");

public:
    using select_case_tag = void;
    using result = typename recv_result<T, H>::type;

    recv_case(chan_core* ch, H&& handler) : channel_(ch), handler_(std::forward<H>(handler)) {}

    void bind(select_case& c, select_call& call) noexcept {
        static_cast<void>(call);
        c.kind = case_kind::recv;
        c.channel = channel_;
        c.slot = in_.address();
    }
    [[nodiscard]] static ticks deadline() noexcept { return never; }
    void settle(select_case& c, bool chosen) noexcept {
        static_cast<void>(c);
        static_cast<void>(chosen);
    }

    /// In place of run(): nobody will take what has arrived.
    void discard(select_case& c) noexcept {
        if (c.node.ok) {
            in_.discard();
        }
    }

    result run(select_case& c) {
        std::optional<T> value;
        if (c.node.ok) {
            value.emplace(in_.take());
        } else {
            rethrow_close_error(channel_);
        }
        if constexpr (has_slot) {
            handler_ = std::move(value);
        } else if constexpr (std::invocable<H, std::optional<T>>) {
            return std::invoke(std::forward<H>(handler_), std::move(value));
        } else {
            return run_plain<H>(handler_);
        }
    }

private:
    chan_core* channel_;
    kept_handler<H> handler_;
    incoming<T> in_;
};

template <class T, class V, class H>
class [[nodiscard]] send_case : immovable {
    static_assert(is_no_handler<H> || std::invocable<H>, "on_send(ch, value, h): h takes nothing");

    /// The value can be handed over from where it is: nothing happens to it unless it is chosen.
    static constexpr bool in_place =
        std::same_as<std::remove_cvref_t<V>, T> && !needs_box<T> &&
        (std::is_trivially_copyable_v<T> ||
         (std::is_rvalue_reference_v<V&&> && !std::is_const_v<std::remove_reference_t<V>>));
    /// It had to be moved out before it was certain to be sent, and must go back if it was not.
    static constexpr bool goes_back =
        needs_box<T> && std::same_as<V, T> && !std::copy_constructible<T>;

public:
    using select_case_tag = void;
    using result = typename plain_result<H>::type;

    send_case(chan_core* ch, V&& value, H&& handler)
        : channel_(ch), value_(std::forward<V>(value)), handler_(std::forward<H>(handler)) {}

    void bind(select_case& c, select_call& call) noexcept {
        static_cast<void>(call);
        c.kind = case_kind::send;
        c.channel = channel_;
        if constexpr (in_place) {
            c.slot = const_cast<T*>(std::addressof(value_));  // copied from if it is const
        } else {
            c.source = this;
            c.prepare = [](void* self) { return static_cast<send_case*>(self)->make(); };
        }
    }
    [[nodiscard]] static ticks deadline() noexcept { return never; }

    void settle(select_case& c, bool chosen) {
        if constexpr (goes_back) {
            if (made_ && *made_ && !(chosen && c.node.ok)) {
                value_ = std::move(**made_);
            }
        } else {
            static_cast<void>(c);
            static_cast<void>(chosen);
        }
    }

    result run(select_case& c) {
        if (!c.node.ok) {
            throw_not_sent(channel_);
        }
        return run_plain<H>(handler_);
    }

private:
    /// What the value is made from: a const one where that will do, so that it stays as it is.
    using source =
        std::conditional_t<!goes_back && std::constructible_from<T, const V&>, const V&, V&&>;

    void* make() {
        if constexpr (needs_box<T>) {
            made_ = std::make_unique<T>(static_cast<source>(value_));
        } else if constexpr (!in_place) {
            made_.emplace(static_cast<source>(value_));
        }
        return std::addressof(*made_);
    }

    chan_core* channel_;
    V&& value_;
    kept_handler<H> handler_;
    std::optional<stored_t<T>> made_;
};

template <class H>
class [[nodiscard]] timeout_case : immovable {
    static_assert(is_no_handler<H> || std::invocable<H>, "on_timeout(d, h): h takes nothing");

public:
    using select_case_tag = void;
    using result = typename plain_result<H>::type;

    timeout_case(ticks deadline, H&& handler)
        : deadline_(deadline), handler_(std::forward<H>(handler)) {}

    void bind(select_case& c, select_call& call) noexcept {
        c.kind = case_kind::timeout;
        if (deadline_ < call.limits.deadline) {
            call.limits.deadline = deadline_;
        }
    }
    [[nodiscard]] ticks deadline() const noexcept { return deadline_; }
    static void settle(select_case& c, bool chosen) noexcept {
        static_cast<void>(c);
        static_cast<void>(chosen);
    }
    result run(select_case& c) {
        static_cast<void>(c);
        return run_plain<H>(handler_);
    }

private:
    ticks deadline_;
    kept_handler<H> handler_;
};

template <class H>
class [[nodiscard]] done_case : immovable {
    static_assert(is_no_handler<H> || std::invocable<H>, "on_done(ctx, h): h takes nothing");

public:
    using select_case_tag = void;
    using result = typename plain_result<H>::type;

    done_case(const context& ctx, H&& handler)
        : word_(limits_of(ctx).cancel), ctx_(&ctx), handler_(std::forward<H>(handler)) {}
    done_case(cancel_word* word, H&& handler) : word_(word), handler_(std::forward<H>(handler)) {}

    void bind(select_case& c, select_call& call) noexcept {
        static_cast<void>(call);
        c.kind = word_ != nullptr ? case_kind::done : case_kind::none;
        c.word = word_;
    }
    [[nodiscard]] static ticks deadline() noexcept { return never; }
    static void settle(select_case& c, bool chosen) noexcept {
        static_cast<void>(c);
        static_cast<void>(chosen);
    }
    result run(select_case& c) {
        static_cast<void>(c);
        if (ctx_ != nullptr) {
            see_end(*ctx_);
        }
        return run_plain<H>(handler_);
    }

private:
    cancel_word* word_;             ///< null: never ready
    const context* ctx_ = nullptr;  ///< whose word it is, if it is a context's
    kept_handler<H> handler_;
};

template <class H>
class [[nodiscard]] otherwise_case : immovable {
    static_assert(is_no_handler<H> || std::invocable<H>, "otherwise(h): h takes nothing");

public:
    using select_case_tag = void;
    using result = typename plain_result<H>::type;

    otherwise_case(H&& handler) : handler_(std::forward<H>(handler)) {}  // returned in place

    void bind(select_case& c, select_call& call) noexcept {
        c.kind = case_kind::otherwise;
        call.blocking = false;
    }
    [[nodiscard]] static ticks deadline() noexcept { return never; }
    static void settle(select_case& c, bool chosen) noexcept {
        static_cast<void>(c);
        static_cast<void>(chosen);
    }
    result run(select_case& c) {
        static_cast<void>(c);
        return run_plain<H>(handler_);
    }

private:
    kept_handler<H> handler_;
};

/// Gives every value that was not sent back to its owner, whatever throws meanwhile; `chosen` is
/// the case that was chosen, if any. If something throws, what has arrived is destroyed, and the
/// first exception is the result.
template <class... Cases>
std::exception_ptr settle_all(select_case* bound, std::size_t chosen, Cases&... cases) noexcept {
    std::exception_ptr failure;
    std::size_t i = 0;
    [[maybe_unused]] const auto settle = [&](auto& c) {
        try {
            c.settle(bound[i], i == chosen);
        } catch (...) {
            failure = failure ? failure : std::current_exception();
        }
        ++i;
    };
    (settle(cases), ...);
    i = 0;
    [[maybe_unused]] const auto discard = [&](auto& c) {
        if constexpr (requires { c.discard(bound[i]); }) {
            if (failure && i == chosen) {
                c.discard(bound[i]);
            }
        }
        ++i;
    };
    (discard(cases), ...);
    return failure;
}

template <class C>
concept is_select_case = requires { typename std::remove_reference_t<C>::select_case_tag; };

/// The result of a select: see there.
template <class... Cases>
struct select_result_of {
    using type = std::size_t;
};
template <class First, class... Rest>
struct select_result_of<First, Rest...> {
    using first = typename std::remove_reference_t<First>::result;
    static constexpr bool same =
        (std::same_as<first, typename std::remove_reference_t<Rest>::result> && ...);
    using type = std::conditional_t<std::is_void_v<first>, std::size_t, first>;
    static_assert(same,
                  "select: either every case has a handler and all return one type, or no handler "
                  "returns anything");
};
template <class... Cases>
using select_result = typename select_result_of<Cases...>::type;

template <class Result, class First, class... Rest>
Result run_nth(std::size_t n, select_case& c, First& first, Rest&... rest) {
    if constexpr (sizeof...(Rest) == 0) {
        return first.run(c);
    } else {
        return n == 0 ? first.run(c) : run_nth<Result>(n - 1, c, rest...);
    }
}

/// Runs the chosen one of `cases`. `bound` is a pointer, not the array: g++ 12 folds the instances
/// for different sizes into one and then warns about the bounds.
template <class Result, class... Cases>
Result run_chosen(std::size_t chosen, select_case* bound, Cases&... cases) {
    if constexpr ((std::is_void_v<typename Cases::result> && ...)) {
        std::size_t i = 0;
        static_cast<void>(((i++ == chosen && (cases.run(bound[chosen]), true)) || ...));
        return chosen;
    } else {
        return run_nth<Result>(chosen, bound[chosen], cases...);
    }
}

}  // namespace runnel::detail
