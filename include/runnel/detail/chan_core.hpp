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

class cancel_word;
class chan_core;

/// One blocking channel operation; lives in the caller's frame. After the suspension that started
/// it, node.ok tells whether a value was handed over; if not, the channel is closed.
struct chan_call {
    wait_node node;
    waiter who;
};

/// Throws std::length_error for a negative or impossible capacity.
[[nodiscard]] chan_core* make_chan_core(std::ptrdiff_t capacity, const element_ops& ops);
/// A channel that counts its receive handles: when the last is dropped, what is buffered is
/// destroyed, and sends end as cancelled. It starts with two shares, one of them a receiver's.
[[nodiscard]] chan_core* make_counted_chan_core(std::ptrdiff_t capacity, const element_ops& ops);
void retain(chan_core* c) noexcept;
void release(chan_core* c) noexcept;
/// The same for a share that receives; where receive handles are not counted, no more than that.
void retain_receiver(chan_core* c) noexcept;
void release_receiver(chan_core* c) noexcept;

[[nodiscard]] suspension chan_send(chan_core* c, void* from, chan_call& call) noexcept;
[[nodiscard]] suspension chan_recv(chan_core* c, void* to, chan_call& call) noexcept;

/// Never block.
op_status chan_try_send(chan_core* c, void* from) noexcept;
op_status chan_try_recv(chan_core* c, void* to) noexcept;

/// Block until the limits, too.
op_status chan_send_limited(chan_core* c, void* from, const wait_limits& limits) noexcept;
op_status chan_recv_limited(chan_core* c, void* to, const wait_limits& limits) noexcept;

/// Throws channel_closed if it is closed, std::logic_error for the nil channel, and what the
/// channel was abandoned for.
void chan_close(chan_core* c, std::exception_ptr error);
/// False, and nothing is done, if close() was called already.
bool chan_try_close(chan_core* c, std::exception_ptr error) noexcept;
/// Ends a channel that is open because of `why`: what is buffered is destroyed; receivers, send()
/// and the first close() get `why`; status forms say closed to receivers and canceled to senders.
/// False, and nothing is done, if it is closed.
[[nodiscard]] bool chan_abandon(chan_core* c, std::exception_ptr why) noexcept;
/// Cancelled when a counted channel is abandoned: what its producer waits on besides sending. The
/// producer may cancel it itself, to end its own waits.
[[nodiscard]] cancel_word* chan_unwanted(chan_core* c) noexcept;
/// True once nobody can receive any more from a channel that was open then.
[[nodiscard]] bool chan_is_abandoned(const chan_core* c) noexcept;
/// Closes it unless it is closed already; when it returns, it is.
void chan_close_if_open(chan_core* c) noexcept;
[[nodiscard]] std::exception_ptr chan_close_error(chan_core* c) noexcept;
[[nodiscard]] std::size_t chan_len(chan_core* c) noexcept;
[[nodiscard]] std::size_t chan_cap(chan_core* c) noexcept;

/// Throws what a send throws that was not taken: channel_closed, or if nobody can receive any more
/// what the channel was abandoned for, else canceled_error.
[[noreturn]] void throw_not_sent(const chan_core* c);
/// Throws what the channel was closed with, if anything.
void rethrow_close_error(const chan_core* c);

/// A counted share of a channel, which Retain and Release count.
template <void (*Retain)(chan_core*) noexcept, void (*Release)(chan_core*) noexcept>
class basic_chan_ref {
public:
    basic_chan_ref() = default;
    /// Takes over one count.
    explicit basic_chan_ref(chan_core* c) noexcept : core_(c) {}
    basic_chan_ref(const basic_chan_ref& other) noexcept : core_(shared(other.core_)) {}
    basic_chan_ref(basic_chan_ref&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    basic_chan_ref& operator=(basic_chan_ref other) noexcept {
        std::swap(core_, other.core_);
        return *this;
    }
    ~basic_chan_ref() {
        if (core_ != nullptr) {
            Release(core_);
        }
    }

    /// One more share of a channel that somebody holds; null stays null.
    [[nodiscard]] static basic_chan_ref share(chan_core* c) noexcept {
        return basic_chan_ref(shared(c));
    }

    [[nodiscard]] chan_core* get() const noexcept { return core_; }

private:
    [[nodiscard]] static chan_core* shared(chan_core* c) noexcept {
        if (c != nullptr) {
            Retain(c);
        }
        return c;
    }

    chan_core* core_ = nullptr;
};

/// A share of a channel. One that receives through it counts as a receiver, too, where that is
/// counted.
using chan_ref = basic_chan_ref<retain, release>;
using recv_ref = basic_chan_ref<retain_receiver, release_receiver>;

}  // namespace runnel::detail
