// runnel/detail/element.hpp: how a channel, which does not know T, moves and destroys values of T.
//
// Values move under the channel's lock, so their moves must not throw: a T whose move may throw is
// kept in a box, made before the lock is taken and emptied after it is released.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace runnel::detail {

/// What moving a value takes.
enum class element_kind : std::uint8_t { nothing, word, bytes, object };

struct element_ops {
    element_kind kind;
    std::size_t size;
    std::size_t align;
    void (*move)(void* to, void* from) noexcept;  ///< constructs `to`; `from` is left moved-from
    void (*destroy)(void* value) noexcept;
};

template <class S>
constexpr element_kind kind_of() {
    if constexpr (!std::is_trivially_copyable_v<S>) {
        return element_kind::object;
    } else if constexpr (std::is_empty_v<S>) {
        return element_kind::nothing;
    } else if constexpr (sizeof(S) == sizeof(std::uint64_t)) {
        return element_kind::word;
    } else {
        return element_kind::bytes;
    }
}

template <class S>
inline constexpr element_ops ops_of{
    .kind = kind_of<S>(),
    .size = sizeof(S),
    .align = alignof(S),
    .move = [](void* to, void* from) noexcept { ::new (to) S(std::move(*static_cast<S*>(from))); },
    .destroy = [](void* value) noexcept { static_cast<S*>(value)->~S(); },
};

template <class T>
inline constexpr bool needs_box =
    !std::is_nothrow_move_constructible_v<T> || !std::is_nothrow_destructible_v<T>;

/// What a channel of T keeps.
template <class T>
using stored_t = std::conditional_t<needs_box<T>, std::unique_ptr<T>, T>;

/// The stored form of a value to be sent: the value itself, or a box made from it.
template <class T, bool Boxed = needs_box<T>>
class outgoing {
public:
    explicit outgoing(T& value) noexcept : value_(value) {}
    [[nodiscard]] void* address() noexcept { return std::addressof(value_); }
    void not_sent() noexcept {}

private:
    T& value_;
};

template <class T>
class outgoing<T, true> {
public:
    /// Copies where T can be copied, so that a value that is not sent is left untouched.
    explicit outgoing(T& value)
        : source_(value), box_(std::make_unique<T>(std::move_if_noexcept(value))) {}
    [[nodiscard]] void* address() noexcept { return &box_; }

    /// The value goes back to its owner, if it had to be moved out.
    void not_sent() {
        if constexpr (!std::copy_constructible<T>) {
            source_ = std::move(*box_);
        }
    }

private:
    T& source_;
    std::unique_ptr<T> box_;
};

/// Room for a stored value that a sender constructs.
template <class T>
class incoming {
public:
    incoming() noexcept {}
    incoming(const incoming&) = delete;
    incoming& operator=(const incoming&) = delete;
    ~incoming() {}

    [[nodiscard]] void* address() noexcept { return &stored_; }

    /// The value that has arrived; call once, and only if one has.
    [[nodiscard]] T take() {
        struct owner {
            stored_t<T>& s;
            ~owner() { std::destroy_at(&s); }
        } own{stored_};
        if constexpr (needs_box<T>) {
            return std::move(*stored_);
        } else {
            return std::move(stored_);
        }
    }

    /// Destroys the value that has arrived, in place of taking it.
    void discard() noexcept { std::destroy_at(&stored_); }

    [[nodiscard]] std::optional<T> take_optional() {
        struct owner {
            stored_t<T>& s;
            ~owner() { std::destroy_at(&s); }
        } own{stored_};
        if constexpr (needs_box<T>) {
            return std::optional<T>(std::move(*stored_));
        } else {
            return std::optional<T>(std::move(stored_));
        }
    }

private:
    union {
        stored_t<T> stored_;
    };
};

}  // namespace runnel::detail
