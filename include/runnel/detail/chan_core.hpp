// runnel/detail/chan_core.hpp: the compiled channel that every chan<T> is an edge of.
//
// A null core is the nil channel. Values are passed by address; see element.hpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <runnel/detail/element.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/error.hpp>

namespace runnel::detail {

class chan_core;

/// One blocking channel operation; lives in the caller's frame. After the suspension that started
/// it, node.ok tells whether a value was handed over; if not, the channel is closed.
struct chan_call {
    wait_node node;
    waiter who;
};

/// Throws std::length_error for a negative or impossible capacity.
[[nodiscard]] chan_core* make_chan_core(std::ptrdiff_t capacity, const element_ops& ops);
void retain(chan_core* c) noexcept;
void release(chan_core* c) noexcept;

[[nodiscard]] suspension chan_send(chan_core* c, void* from, chan_call& call) noexcept;
[[nodiscard]] suspension chan_recv(chan_core* c, void* to, chan_call& call) noexcept;

/// Never block.
op_status chan_try_send(chan_core* c, void* from) noexcept;
op_status chan_try_recv(chan_core* c, void* to) noexcept;

/// Block until the limits, too.
op_status chan_send_limited(chan_core* c, void* from, const wait_limits& limits) noexcept;
op_status chan_recv_limited(chan_core* c, void* to, const wait_limits& limits) noexcept;

/// Throws channel_closed if it is closed, std::logic_error for the nil channel.
void chan_close(chan_core* c, std::exception_ptr error);
/// Closes it unless it is closed already; when it returns, it is.
void chan_close_if_open(chan_core* c) noexcept;
[[nodiscard]] std::exception_ptr chan_close_error(chan_core* c) noexcept;
[[nodiscard]] std::size_t chan_len(chan_core* c) noexcept;
[[nodiscard]] std::size_t chan_cap(chan_core* c) noexcept;

[[noreturn]] void throw_send_on_closed();
/// Throws what the channel was closed with, if anything.
void rethrow_close_error(chan_core* c);

/// Counts its channel's handles.
class chan_ref {
public:
    chan_ref() = default;
    /// Takes over one count.
    explicit chan_ref(chan_core* c) noexcept : core_(c) {}
    chan_ref(const chan_ref& other) noexcept : core_(other.core_) {
        if (core_ != nullptr) {
            retain(core_);
        }
    }
    chan_ref(chan_ref&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    chan_ref& operator=(chan_ref other) noexcept {
        std::swap(core_, other.core_);
        return *this;
    }
    ~chan_ref() {
        if (core_ != nullptr) {
            release(core_);
        }
    }

    [[nodiscard]] chan_core* get() const noexcept { return core_; }
    friend bool operator==(const chan_ref& a, const chan_ref& b) noexcept {
        return a.core_ == b.core_;
    }

private:
    chan_core* core_ = nullptr;
};

}  // namespace runnel::detail
