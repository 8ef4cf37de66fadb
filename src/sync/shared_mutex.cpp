// sync/shared_mutex.cpp
//
// Invariants
//   H1  While lock_ is free, the bit `waiting` is set exactly if somebody stands in line. While it
//       is set nobody enters by the fast path but a writer that finds the lock free.
//       (under lock_)
//   H2  Readers stand in line only while a writer holds the lock, stands in line, or was taken out
//       of line to compete and has not tried yet.       (lock_shared_slow; unlock_slow and
//       pass_on_share let all of them in, and so does the last writer to give up)
//   H3  While somebody stands in line, the lock is held, or a writer that was taken out of line is
//       awake and competes for it: so there is an unlock to come that looks after the others.
//   H4  The step by which an unlock gives the lock away is the last that touches it, because the
//       next owner may destroy it; or it gives the lock to waiters, who have not returned. Their
//       nodes live in their own frames.                            (unlock_slow, pass_on_share)
//   H5  The last reader hands the lock to a waiting writer; a writer lets it compete with others,
//       until it has lost `patience` times: then it is handed the lock too. Nobody starves.
// Memory order: all operations on word_ are sequentially consistent. A node's `ok` is written
// before the wake-up and read after it.
// Locks: lock_ (leaf).
#include <runnel/sync/shared_mutex.hpp>

#include <mutex>

#include <runnel/detail/context.hpp>
#include <runnel/detail/event.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/registry.hpp"

namespace runnel {
namespace {

// What ends the wait of a writer: it may compete, or it insists on being handed the lock. A node
// whose `ok` is set was handed the lock in either case.
enum : std::uint32_t { may_compete = 1, insists = 2 };
constexpr int patience = 4;

std::uint64_t length(const detail::wait_node* list) noexcept {
    std::uint64_t n = 0;
    for (; list != nullptr; list = list->next) {
        ++n;
    }
    return n;
}

bool expired(const detail::wait_limits& limits) noexcept {
    return limits.deadline != detail::never && limits.deadline <= detail::now();
}

}  // namespace

shared_mutex::~shared_mutex() {
    if (word_.load() != 0 && !detail::waiters_may_be_left()) {
        detail::fatal("a shared_mutex was destroyed while it is locked or waited for");
    }
}

op_status shared_mutex::lock(const context& ctx) noexcept {
    if (detail::has_ended(ctx)) {
        return detail::status_of(ctx);
    }
    if (try_lock() || lock_slow(detail::limits_of(ctx), __builtin_return_address(0))) {
        return op_status::ok;
    }
    return detail::status_of(ctx);
}

op_status shared_mutex::lock_shared(const context& ctx) noexcept {
    if (detail::has_ended(ctx)) {
        return detail::status_of(ctx);
    }
    if (try_lock_shared() ||
        lock_shared_slow(detail::limits_of(ctx), __builtin_return_address(0))) {
        return op_status::ok;
    }
    return detail::status_of(ctx);
}

/// Enters with `share` if that is allowed and nothing of `keeps_out` is in the word, and returns
/// true; else sets the bit `waiting`: the caller then lines up.
bool shared_mutex::enter_or_announce(bool may_enter, std::uint64_t keeps_out,
                                     std::uint64_t share) noexcept {
    std::uint64_t word = word_.load();
    for (;;) {
        const bool enters = may_enter && (word & keeps_out) == 0;
        if (word_.compare_exchange_weak(word, enters ? word + share : word | waiting)) {
            return enters;
        }
    }
}

void shared_mutex::update_waiting() noexcept {
    if (writers_.empty() && readers_.empty()) {
        word_.fetch_and(~waiting);
    }
}

bool shared_mutex::lock_slow(const detail::wait_limits& limits, const void* where) noexcept {
    for (int lost = 0;;) {
        if (try_lock()) {
            return true;
        }
        if (expired(limits)) {
            if (lost > 0) {
                give_up(nullptr);
            }
            return false;
        }
        detail::waiter who;
        who.contested = limits.any();
        detail::wait_node node{.owner = &who, .index = lost < patience ? may_compete : insists};
        {
            const std::lock_guard hold(lock_);
            if (enter_or_announce(true, ~waiting, writer)) {
                return true;
            }
            detail::begin_wait(who, detail::wait_kind::shared_mutex, where);
            if (lost == 0) {
                writers_.push_back(node);
            } else {
                writers_.push_front(node);
            }
        }
        detail::park_limited(who, limits);
        if (node.ok) {
            return true;
        }
        if (who.how() != node.index) {
            give_up(&node);
            return false;
        }
        ++lost;
    }
}

/// A writer that stands in line with `node`, or competes (null), waits no longer.
void shared_mutex::give_up(detail::wait_node* node) noexcept {
    detail::wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        if (node != nullptr) {
            writers_.remove(*node);
        }
        list = admit_readers();
        update_waiting();
    }
    detail::wake_all(list);
}

/// Lets in the readers that nobody keeps out any more (H2), and returns those to wake.
detail::wait_node* shared_mutex::admit_readers() noexcept {
    if (!writers_.empty() || readers_.empty()) {
        return nullptr;
    }
    // Once a share is taken no writer can come between.
    if (!enter_or_announce(true, writer, reader)) {
        return nullptr;  // the writer that holds the lock lets them in
    }
    detail::wait_node* const list = detail::end_all(readers_);
    word_.fetch_add(length(list) * reader);
    word_.fetch_sub(reader);
    return list;
}

bool shared_mutex::lock_shared_slow(const detail::wait_limits& limits, const void* where) noexcept {
    if (expired(limits)) {
        return false;
    }
    detail::waiter who;
    who.contested = limits.any();
    detail::wait_node node{.owner = &who};
    {
        const std::lock_guard hold(lock_);
        if (enter_or_announce(writers_.empty(), writer, reader)) {
            return true;
        }
        detail::begin_wait(who, detail::wait_kind::shared_mutex_shared, where);
        readers_.push_back(node);
    }
    detail::park_limited(who, limits);
    if (who.how() == node.index) {
        return true;
    }
    const std::lock_guard hold(lock_);
    readers_.remove(node);
    update_waiting();
    return false;
}

void shared_mutex::unlock_slow() noexcept {
    for (;;) {
        std::uint64_t word = writer;
        if (word_.compare_exchange_strong(word, 0)) {
            return;
        }
        if ((word & writer) == 0) {
            detail::fatal("unlock of a shared_mutex that is not locked");
        }
        detail::wait_node* list = nullptr;
        bool given = true;
        {
            const std::lock_guard hold(lock_);
            list = detail::end_all(readers_);
            if (list != nullptr) {
                word_.fetch_add(length(list) * reader - writer);
            } else if (list = writers_.pop(); list != nullptr) {
                list->next = nullptr;
                list->ok = list->index == insists;
                given = list->ok;
            }
            update_waiting();
        }
        if (list == nullptr) {
            continue;  // they have all given up
        }
        if (!given) {
            word_.fetch_and(~writer);  // H4
        }
        detail::wake_all(list);
        return;
    }
}

void shared_mutex::unlock_shared_slow() noexcept {
    for (;;) {
        std::uint64_t word = word_.load();
        if (word < reader || (word & writer) != 0) {
            detail::fatal("unlock_shared of a shared_mutex that nobody shares");
        }
        if (may_leave(word) ? word_.compare_exchange_weak(word, word - reader) : pass_on_share()) {
            return;
        }
    }
}

/// The last reader gives the lock to those in line; false if the caller is not the last, or nobody
/// is in line.
bool shared_mutex::pass_on_share() noexcept {
    detail::wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        if (word_.load() != (reader | waiting)) {
            return false;
        }
        // Nobody but us changes the word now: the readers are kept out, and so are the writers.
        list = writers_.pop();
        if (list != nullptr) {
            list->next = nullptr;
            list->ok = true;
            word_.fetch_sub(reader - writer);
        } else if (list = detail::end_all(readers_); list != nullptr) {
            word_.fetch_add((length(list) - 1) * reader);
        }
        update_waiting();
    }
    detail::wake_all(list);
    return list != nullptr;
}

}  // namespace runnel
