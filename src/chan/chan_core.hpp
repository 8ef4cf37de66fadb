// chan/chan_core.hpp: the channel.
//
// Purpose   One algorithm for all channels: a ring of `capacity` elements (none for an unbuffered
//           one) and two queues of waiters. A value goes straight to a waiting receiver, else into
//           the ring, else its sender waits.
// Invariants (of a channel whose lock is free)
//   C1  At most one of `senders` and `receivers` holds a waiter that can still be ended, except for
//       one goroutine that selects both directions at once.                  (send_now, recv_now)
//   C2  Receivers wait only while the ring is empty; senders wait only while it is full. So nobody
//       overtakes a waiter.                                              (send_now, recv_now,
//       close)
//   C3  A value is constructed in its new place before its owner is woken, and its old place is
//       destroyed at once.                                               (send_now, recv_now)
//   C4  Once closed, nobody waits.                                       (close, abandon)
//   C5  A channel that counts its receive handles is abandoned when the last is dropped: it is
//       closed, its buffer is destroyed, and `abandoned` says why sends fail.         (abandon)
//       The last drop races only with the sending side, since a receive holds a handle until it
//       returns, and a handle can only be made from another. Lock order decides: a send before
//       abandon() is in the buffer or in line, and is destroyed or ended there; a later one finds
//       the channel closed. A close() before it stands, and sends fail as on any closed channel;
//       the first close() after it has nothing left to do, and is no error. Patterns abandon a
//       channel with a reason while there are receive handles; who receives then meets count 0.
// Locks     lock (leaf). No user code runs under it but moves and destructors that do not throw;
//           nobody is woken under it. What abandon() finds in the buffer is destroyed after the
//           unlock: nobody else touches the ring of a channel that is closed and has count 0.
// Memory order
//   count, closed: written under the lock; try operations read them without it to fail fast. A
//   receive reads empty (acquire), then open [C-1]: close() stores after every value that was sent
//   before it, so "empty, and then open" was true together at the first read. A send reads open
//   (acquire), then full [C-2], likewise. The writes are releases.
//   handles, receive_handles: retain() is relaxed [C-3], because whoever copies a handle has one;
//   release() is sequentially consistent, so the last one sees all that the others have done.
//   close_error, abandoned: constant once `closed` is set, so whoever has read that reads them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <exception>

#include <runnel/detail/cancel_word.hpp>
#include <runnel/detail/chan_core.hpp>
#include <runnel/detail/spin_lock.hpp>

namespace runnel::detail {

/// What a locked attempt came to.
enum class attempt : std::uint8_t { done, closed, would_block };

/// What a channel that is part of something larger (a timer, a listener) does differently.
struct chan_hooks {
    /// The last handle has gone: destroys the whole, of which the channel is a part.
    void (*dispose)(chan_core* c) noexcept;
    /// A receive has taken a value without waiting. No lock is held.
    void (*received)(chan_core* c) noexcept;
    /// The last receive handle has gone, where those are counted. Null: nothing to do.
    void (*abandoned)(chan_core* c) noexcept;
    bool hides_ring;  ///< it is the channel's own affair: len() and cap() are 0
};

class chan_core {
public:
    chan_core(std::size_t cap, const element_ops& operations, std::byte* memory,
              bool counts_receivers, const chan_hooks* larger = nullptr) noexcept
        : kind(operations.kind),
          counted(counts_receivers),
          hooked(larger != nullptr),
          element_size(operations.kind == element_kind::nothing ? 0 : operations.size),
          capacity(cap),
          ops(operations),
          ring(memory),
          hooks(larger) {}
    ~chan_core();
    chan_core(const chan_core&) = delete;
    chan_core& operator=(const chan_core&) = delete;

    /// Under the lock: sends or receives without waiting. `peer` becomes the waiter to wake after
    /// the unlock, if any. Waiters of `self` are passed over.
    [[nodiscard]] attempt send_now(void* from, waiter*& peer, const waiter* self) noexcept;
    [[nodiscard]] attempt recv_now(void* to, waiter*& peer, const waiter* self) noexcept;

    /// Without the lock: false only if at some moment during the call the operation would have
    /// blocked.
    [[nodiscard]] bool may_send() const noexcept;
    [[nodiscard]] bool may_recv() const noexcept;

    [[nodiscard]] bool hides_ring() const noexcept { return hooked && hooks->hides_ring; }

    /// After the unlock: somebody has received.
    void after_recv() noexcept {
        if (hooked) [[unlikely]] {
            hooks->received(this);
        }
    }

    /// False, and nothing is done, if it is closed already.
    [[nodiscard]] bool close(std::exception_ptr why) noexcept;
    /// Nobody can receive any more (C5).
    void abandon() noexcept;
    /// The same while there are receive handles, because of `why`, which both sides then get.
    /// False, and nothing is done, if it is closed already.
    [[nodiscard]] bool abandon(std::exception_ptr why) noexcept;

    // The hot words share a cache line.
    spin_lock lock;
    std::atomic<bool> closed = false;
    const element_kind kind;
    const bool counted;  ///< receive_handles counts
    const bool hooked;   ///< `hooks` is set
    std::atomic<std::uint32_t> handles = 1;
    const std::size_t element_size;
    const std::size_t capacity;
    std::atomic<std::size_t> count = 0;
    std::size_t head = 0;  ///< index of the oldest value
    wait_queue senders;
    wait_queue receivers;

    const element_ops& ops;
    std::byte* const ring;
    const chan_hooks* const hooks;
    std::exception_ptr close_error;  ///< written before `closed`
    bool abandoned = false;          ///< written before `closed`
    bool close_accepted = false;     ///< under the lock: close() was called after abandon()

private:
    void move_value(void* to, void* from) const noexcept {
        switch (kind) {
            case element_kind::nothing:
                return;
            case element_kind::word:
                std::memcpy(to, from, sizeof(std::uint64_t));
                return;
            case element_kind::bytes:
                std::memcpy(to, from, element_size);
                return;
            case element_kind::object:
                ops.move(to, from);
                return;
        }
    }
    [[nodiscard]] std::byte* at(std::size_t index) const noexcept {
        return ring + index * element_size;  // no ring, and no offset, for empty values
    }
    [[nodiscard]] std::size_t wrap(std::size_t index) const noexcept {
        return index >= capacity ? index - capacity : index;
    }
    void set_count(std::size_t n) noexcept { count.store(n, std::memory_order_release); }  // [C-1]
    void take_head(void* to) noexcept;
    bool abandon_now(bool last_drop, std::exception_ptr why) noexcept;
    [[nodiscard]] wait_node* end_waiters() noexcept;
    void destroy_values(std::size_t n) noexcept;
};

/// One that counts its receive handles (`counted` is set).
class counted_chan_core : public chan_core {
public:
    counted_chan_core(std::size_t cap, const element_ops& operations, std::byte* memory,
                      const chan_hooks* larger = nullptr) noexcept
        : chan_core(cap, operations, memory, true, larger) {}

    std::atomic<std::uint32_t> receive_handles = 1;
    cancel_word unwanted;  ///< cancelled after the channel was abandoned
};

inline counted_chan_core& counted(chan_core& c) noexcept {
    return static_cast<counted_chan_core&>(c);
}

inline attempt chan_core::send_now(void* from, waiter*& peer, const waiter* self) noexcept {
    if (closed.load(std::memory_order_relaxed)) {  // [C-1] under the lock
        return attempt::closed;
    }
    if (!receivers.empty()) {
        if (wait_node* const receiver = receivers.pop(self); receiver != nullptr) {
            move_value(receiver->slot, from);
            receiver->ok = true;
            peer = receiver->owner;
            return attempt::done;
        }
    }
    const std::size_t filled = count.load(std::memory_order_relaxed);  // [C-1] under the lock
    if (filled < capacity) {
        move_value(at(wrap(head + filled)), from);
        set_count(filled + 1);
        return attempt::done;
    }
    return attempt::would_block;
}

inline void chan_core::take_head(void* to) noexcept {
    std::byte* const oldest = at(head);
    move_value(to, oldest);
    if (kind == element_kind::object) {
        ops.destroy(oldest);
    }
    head = wrap(head + 1);
}

inline attempt chan_core::recv_now(void* to, waiter*& peer, const waiter* self) noexcept {
    const std::size_t filled = count.load(std::memory_order_relaxed);  // [C-1] under the lock
    if (filled > 0) {
        take_head(to);
        // The ring was full if somebody waits: the first in line gets the free place.
        if (!senders.empty()) {
            if (wait_node* const sender = senders.pop(self); sender != nullptr) {
                move_value(at(wrap(head + filled - 1)), sender->slot);
                sender->ok = true;
                peer = sender->owner;
                return attempt::done;
            }
        }
        set_count(filled - 1);
        return attempt::done;
    }
    if (!senders.empty()) {
        if (wait_node* const sender = senders.pop(self); sender != nullptr) {
            move_value(to, sender->slot);
            sender->ok = true;
            peer = sender->owner;
            return attempt::done;
        }
    }
    return closed.load(std::memory_order_relaxed) ? attempt::closed  // [C-1] under the lock
                                                  : attempt::would_block;
}

}  // namespace runnel::detail
