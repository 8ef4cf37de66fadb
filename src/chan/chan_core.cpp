#include "src/chan/chan_core.hpp"

#include <mutex>
#include <new>
#include <stdexcept>
#include <string>

#include <runnel/detail/cancel_word.hpp>
#include <runnel/detail/shared_exception.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/switch.hpp"

namespace runnel::detail {

chan_core::~chan_core() {
    if ((!senders.empty() || !receivers.empty()) && !waiters_may_be_left()) {
        fatal("a channel was destroyed while somebody waits on it: a handle that an operation uses "
              "must live as long as the operation");
    }
    destroy_values(count.load());
}

/// Destroys the oldest `n` values. Nobody else may touch the ring.
void chan_core::destroy_values(std::size_t n) noexcept {
    if (kind == element_kind::object) {
        for (; n > 0; --n) {
            ops.destroy(at(head));
            head = wrap(head + 1);
        }
    }
}

bool chan_core::may_send() const noexcept {
    if (closed.load(std::memory_order_acquire)) {  // [C-2]
        return true;
    }
    return !receivers.empty() || count.load(std::memory_order_acquire) < capacity;  // [C-2]
}

bool chan_core::may_recv() const noexcept {
    if (count.load(std::memory_order_acquire) > 0 || senders.seen_waiting()) {  // [C-1]
        return true;
    }
    return closed.load(std::memory_order_acquire);  // [C-1]
}

/// Under the lock: takes everybody out of the lines, without a value. Waiters that have been ended
/// stay in their frames until they are woken: their nodes carry the list.
wait_node* chan_core::end_waiters() noexcept {
    wait_node* first = nullptr;
    wait_node** end = &first;
    for (wait_queue* queue : {&receivers, &senders}) {
        while (wait_node* const node = queue->pop()) {
            node->ok = false;
            node->next = nullptr;
            *end = node;
            end = &node->next;
        }
    }
    return first;
}

namespace {

void wake_list(wait_node* first) noexcept {
    while (first != nullptr) {
        wait_node* const node = first;
        first = node->next;
        wake(*node->owner);
    }
}

}  // namespace

bool chan_core::close(std::exception_ptr why) noexcept {
    wait_node* waiters = nullptr;
    {
        const std::lock_guard hold(lock);
        if (closed.load(std::memory_order_relaxed)) {  // [C-1] under the lock
            return abandoned && !std::exchange(close_accepted, true);
        }
        close_error = std::move(why);
        closed.store(true, std::memory_order_release);  // [C-1]
        waiters = end_waiters();
    }
    wake_list(waiters);
    return true;
}

bool chan_core::abandon_now(bool last_drop, std::exception_ptr why) noexcept {
    wait_node* waiters = nullptr;
    std::size_t left = 0;
    bool was_open = false;
    {
        const std::lock_guard hold(lock);
        was_open = !closed.load(std::memory_order_relaxed);  // [C-1] under the lock
        if (!was_open && !last_drop) {
            return false;
        }
        if (was_open) {
            abandoned = true;
            close_error = std::move(why);
            closed.store(true, std::memory_order_release);  // [C-1]
        }
        left = count.load(std::memory_order_relaxed);  // [C-1] under the lock
        set_count(0);
        waiters = end_waiters();
    }
    wake_list(waiters);
    if (was_open) {
        runnel::detail::counted(*this).unwanted.cancel();
    }
    destroy_values(left);
    return was_open;
}

void chan_core::abandon() noexcept { abandon_now(true, nullptr); }

bool chan_core::abandon(std::exception_ptr why) noexcept {
    return abandon_now(false, std::move(why));
}

namespace {

/// A call on the nil channel: nobody will ever end it but its limits.
suspension wait_forever(chan_call& call, wait_kind kind, const void* where) noexcept {
    begin_wait(call.who, kind, where);
    return park(call.who);
}

op_status wait_on_nil(wait_kind kind, const void* where, const wait_limits& limits) noexcept {
    waiter who;
    who.contested = true;
    begin_wait(who, kind, where);
    park_limited(who, limits);
    return who.how() == wait_canceled ? op_status::canceled : op_status::timeout;
}

/// Under the lock: puts the caller in line.
void line_up(wait_queue& queue, chan_call& call, void* slot, wait_kind kind,
             const void* where) noexcept {
    begin_wait(call.who, kind, where);
    call.node.owner = &call.who;
    call.node.slot = slot;
    queue.push_back(call.node);
}

/// Why a send that found the channel closed, or was ended by its closing, has failed.
op_status not_sent(const chan_core& c) noexcept {
    return c.abandoned ? op_status::canceled : op_status::closed;
}

/// `blocked` is what it means that the operation would have to wait.
op_status status_of_recv(attempt result, op_status blocked) noexcept {
    switch (result) {
        case attempt::done:
            return op_status::ok;
        case attempt::closed:
            return op_status::closed;
        case attempt::would_block:
            break;
    }
    return blocked;
}

/// Asks why the channel is closed only if it is: until then that may still change (C5).
op_status status_of_send(const chan_core& c, attempt result, op_status blocked) noexcept {
    return result == attempt::closed ? not_sent(c) : status_of_recv(result, blocked);
}

/// Parks a lined-up call within its limits and leaves the line.
op_status wait_in_line(chan_core& c, wait_queue& queue, chan_call& call,
                       const wait_limits& limits) noexcept {
    park_limited(call.who, limits);
    switch (call.who.how()) {
        case wait_timed_out:
        case wait_canceled: {
            const std::lock_guard hold(c.lock);
            queue.remove(call.node);
            return call.who.how() == wait_canceled ? op_status::canceled : op_status::timeout;
        }
        default:
            if (call.node.ok) {
                return op_status::ok;
            }
            return &queue == &c.senders ? not_sent(c) : op_status::closed;
    }
}

bool has_passed(const wait_limits& limits) noexcept {
    return limits.deadline != never && limits.deadline <= now();
}

/// A call on behalf of something that is cancelled does nothing any more, even if it could.
bool is_canceled(const wait_limits& limits) noexcept {
    return limits.cancel != nullptr && limits.cancel->canceled();
}

/// Both blocking operations, one for each direction.
template <bool Sending>
[[gnu::always_inline]] inline suspension operate(chan_core* c, void* slot, chan_call& call,
                                                 const void* where) noexcept {
    if (c == nullptr) [[unlikely]] {
        return wait_forever(call, Sending ? wait_kind::chan_send_nil : wait_kind::chan_recv_nil,
                            where);
    }
    waiter* peer = nullptr;
    c->lock.lock();
    const attempt result =
        Sending ? c->send_now(slot, peer, nullptr) : c->recv_now(slot, peer, nullptr);
    if (result == attempt::would_block) {
        worker* const on = current_worker();
        begin_wait_on(on, call.who, Sending ? wait_kind::chan_send : wait_kind::chan_recv, where);
        call.node.owner = &call.who;
        call.node.slot = slot;
        (Sending ? c->senders : c->receivers).push_back(call.node);
        c->lock.unlock();
        return park_on(on, call.who);
    }
    c->lock.unlock();
    call.node.ok = result == attempt::done;
    if (peer != nullptr) {
        wake_on(current_worker(), *peer);
    }
    if constexpr (!Sending) {
        c->after_recv();
    }
    return {nullptr, nullptr};
}

}  // namespace

// Flattened: what stands in their way to the next goroutine is expanded here, since each call saves
// and restores six registers. A round trip between two goroutines takes 637 instructions, not 815.
[[gnu::flatten]] suspension chan_send(chan_core* c, void* from, chan_call& call) noexcept {
    return operate<true>(c, from, call, __builtin_return_address(0));
}

[[gnu::flatten]] suspension chan_recv(chan_core* c, void* to, chan_call& call) noexcept {
    return operate<false>(c, to, call, __builtin_return_address(0));
}

op_status chan_try_send(chan_core* c, void* from) noexcept {
    if (c == nullptr || !c->may_send()) {
        return op_status::full;
    }
    waiter* peer = nullptr;
    c->lock.lock();
    const attempt result = c->send_now(from, peer, nullptr);
    c->lock.unlock();
    if (peer != nullptr) {
        wake(*peer);
    }
    return status_of_send(*c, result, op_status::full);
}

op_status chan_try_recv(chan_core* c, void* to) noexcept {
    if (c == nullptr || !c->may_recv()) {
        return op_status::empty;
    }
    waiter* peer = nullptr;
    c->lock.lock();
    const attempt result = c->recv_now(to, peer, nullptr);
    c->lock.unlock();
    if (peer != nullptr) {
        wake(*peer);
    }
    c->after_recv();
    return status_of_recv(result, op_status::empty);
}

op_status chan_send_limited(chan_core* c, void* from, const wait_limits& limits) noexcept {
    const void* const where = __builtin_return_address(0);
    if (is_canceled(limits)) {
        return op_status::canceled;
    }
    if (c == nullptr) {
        return has_passed(limits) ? op_status::timeout
                                  : wait_on_nil(wait_kind::chan_send_nil, where, limits);
    }
    chan_call call;
    call.who.contested = true;
    waiter* peer = nullptr;
    c->lock.lock();
    const attempt result = c->send_now(from, peer, nullptr);
    if (result != attempt::would_block || has_passed(limits)) {
        c->lock.unlock();
        if (peer != nullptr) {
            wake(*peer);
        }
        return status_of_send(*c, result, op_status::timeout);
    }
    line_up(c->senders, call, from, wait_kind::chan_send, where);
    c->lock.unlock();
    return wait_in_line(*c, c->senders, call, limits);
}

op_status chan_recv_limited(chan_core* c, void* to, const wait_limits& limits) noexcept {
    const void* const where = __builtin_return_address(0);
    if (is_canceled(limits)) {
        return op_status::canceled;
    }
    if (c == nullptr) {
        return has_passed(limits) ? op_status::timeout
                                  : wait_on_nil(wait_kind::chan_recv_nil, where, limits);
    }
    chan_call call;
    call.who.contested = true;
    waiter* peer = nullptr;
    c->lock.lock();
    const attempt result = c->recv_now(to, peer, nullptr);
    if (result != attempt::would_block || has_passed(limits)) {
        c->lock.unlock();
        if (peer != nullptr) {
            wake(*peer);
        }
        c->after_recv();
        return status_of_recv(result, op_status::timeout);
    }
    line_up(c->receivers, call, to, wait_kind::chan_recv, where);
    c->lock.unlock();
    return wait_in_line(*c, c->receivers, call, limits);
}

namespace {

chan_core* new_chan_core(std::ptrdiff_t capacity, const element_ops& ops, bool counted) {
    constexpr auto limit = std::size_t{1} << 40;  // bytes; no machine has the memory
    const auto wanted = static_cast<std::size_t>(capacity);
    if (capacity < 0 || (ops.size != 0 && wanted > limit / ops.size)) {
        throw std::length_error("runnel: make_chan: impossible capacity " +
                                std::to_string(capacity));
    }
    const std::size_t bytes = ops.kind == element_kind::nothing ? 0 : wanted * ops.size;
    std::byte* ring = nullptr;
    if (bytes != 0) {
        ring = static_cast<std::byte*>(::operator new(bytes, std::align_val_t(ops.align)));
    }
    try {
        return counted ? new counted_chan_core(wanted, ops, ring)
                       : new chan_core(wanted, ops, ring, false);
    } catch (...) {
        ::operator delete(ring, std::align_val_t(ops.align));
        throw;
    }
}

}  // namespace

chan_core* make_chan_core(std::ptrdiff_t capacity, const element_ops& ops) {
    return new_chan_core(capacity, ops, false);
}

chan_core* make_counted_chan_core(std::ptrdiff_t capacity, const element_ops& ops) {
    chan_core* const c = new_chan_core(capacity, ops, true);
    retain(c);
    return c;
}

void retain(chan_core* c) noexcept {
    c->handles.fetch_add(1, std::memory_order_relaxed);  // [C-3]
}

void release(chan_core* c) noexcept {
    if (c->handles.fetch_sub(1) != 1) {
        return;
    }
    if (c->hooked) {
        c->hooks->dispose(c);
        return;
    }
    std::byte* const ring = c->ring;
    const std::size_t align = c->ops.align;
    if (c->counted) {
        delete &counted(*c);
    } else {
        delete c;
    }
    ::operator delete(ring, std::align_val_t(align));
}

void retain_receiver(chan_core* c) noexcept {
    retain(c);
    if (c->counted) {
        counted(*c).receive_handles.fetch_add(1, std::memory_order_relaxed);  // [C-3]
    }
}

void release_receiver(chan_core* c) noexcept {
    if (c->counted && counted(*c).receive_handles.fetch_sub(1) == 1) {
        c->abandon();
        if (c->hooked && c->hooks->abandoned != nullptr) {
            c->hooks->abandoned(c);
        }
    }
    release(c);
}

void chan_close(chan_core* c, std::exception_ptr error) {
    if (c == nullptr) {
        throw std::logic_error("runnel: close of a nil channel");
    }
    share_exception(error);
    if (!c->close(std::move(error))) {
        throw channel_closed("runnel: close of a closed channel");
    }
    if (c->abandoned) {
        rethrow_close_error(c);
    }
}

bool chan_try_close(chan_core* c, std::exception_ptr error) noexcept {
    return c->close(std::move(error));
}

bool chan_abandon(chan_core* c, std::exception_ptr why) noexcept {
    return c->abandon(std::move(why));
}

cancel_word* chan_unwanted(chan_core* c) noexcept { return &counted(*c).unwanted; }

bool chan_is_abandoned(const chan_core* c) noexcept {
    return c->closed.load(std::memory_order_acquire) && c->abandoned;  // [C-1]
}

void chan_close_if_open(chan_core* c) noexcept { static_cast<void>(c->close(nullptr)); }

std::exception_ptr chan_close_error(chan_core* c) noexcept {
    if (c == nullptr || !c->closed.load(std::memory_order_acquire)) {  // [C-1]
        return nullptr;
    }
    return c->close_error;
}

void rethrow_close_error(const chan_core* c) {
    if (c->close_error) {
        std::rethrow_exception(c->close_error);
    }
}

std::size_t chan_len(chan_core* c) noexcept {
    return c == nullptr || c->hides_ring() ? 0 : c->count.load();
}

std::size_t chan_cap(chan_core* c) noexcept {
    return c == nullptr || c->hides_ring() ? 0 : c->capacity;
}

void throw_not_sent(const chan_core* c) {
    if (c->abandoned) {
        rethrow_close_error(c);
        throw canceled_error();
    }
    throw channel_closed("runnel: send on a closed channel");
}

}  // namespace runnel::detail
