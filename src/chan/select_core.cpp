// chan/select_core.cpp: select.
//
// Purpose   Chooses uniformly among the ready cases; if none is ready, stands in line in all
//           channels at once and sleeps until exactly one of them has ended the wait.
// Method    First without waiting: cases that look ready are tried in random order, each under its
//           own lock. Then the cases line up one channel at a time, so no two locks are held at
//           once; a case that turns out to be ready meanwhile is taken at once, if nobody was
//           faster. Afterwards the nodes that are still in line are taken out: quiet channels
//           collect no stale waiters.
// Invariants
//   S1  A value moves only after the waiter has been ended for that case, so exactly one case
//       fires.
//   S2  Between lining up and taking out, only a peer, a limit, or this call itself ends the
//       waiter.
//   S3  A node that lost its place to nobody (the peer it met was ended elsewhere) starts the call
//       over, after everything is taken out: the waiter is fresh then.                    (line_up,
//       begin)
//   S4  `otherwise` is chosen only if at one moment no case could proceed: with several cases that
//       moment is made by holding all locks, in the order of their addresses.      (nothing_ready)
// Locks     the channels' and the cancel words'; one at a time, but for S4.
#include <runnel/detail/select_core.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <memory>
#include <mutex>

#include <runnel/detail/cancel_word.hpp>

#include "src/chan/chan_core.hpp"
#include "src/sched/park.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t mask_bits = 64;

bool may_proceed(const select_case& c) noexcept {
    switch (c.kind) {
        case case_kind::send:
            return c.channel != nullptr && c.channel->may_send();
        case case_kind::recv:
            return c.channel != nullptr && c.channel->may_recv();
        case case_kind::done:
            return c.word->canceled();
        default:
            return false;
    }
}

/// Makes the value to be sent, if that was put off until it is needed. No lock is held.
void prepare(select_case& c) {
    if (c.prepare != nullptr) {
        c.slot = c.prepare(c.source);
        c.prepare = nullptr;
    }
}

bool names_channel(const select_case& c) noexcept {
    return c.channel != nullptr && (c.kind == case_kind::send || c.kind == case_kind::recv);
}

attempt try_locked(select_case& c, waiter*& peer, const waiter* self) noexcept {
    return c.kind == case_kind::send ? c.channel->send_now(c.slot, peer, self)
                                     : c.channel->recv_now(c.slot, peer, self);
}

/// Tries one case without waiting.
bool try_case(select_call& call, std::size_t index) {
    select_case& c = call.cases[index];
    if (c.kind == case_kind::done) {
        call.chosen = index;  // it looked cancelled, which is for good
        return true;
    }
    prepare(c);
    waiter* peer = nullptr;
    c.channel->lock.lock();
    const attempt result = try_locked(c, peer, nullptr);
    c.channel->lock.unlock();
    if (result == attempt::would_block) {
        return false;
    }
    c.node.ok = result == attempt::done;
    call.chosen = index;
    if (peer != nullptr) {
        wake(*peer);
    }
    c.channel->after_recv();
    return true;
}

/// Tries the cases (at most mask_bits of them) that look ready, in random order.
bool try_few(select_call& call) {
    std::uint64_t ready = 0;
    for (std::size_t i = 0; i < call.cases.size(); ++i) {
        ready |= std::uint64_t{may_proceed(call.cases[i])} << i;
    }
    while (ready != 0) {
        const int left = std::popcount(ready);
        std::uint64_t rest = ready;
        if (left > 1) {
            for (std::uint32_t skip = random_below(static_cast<std::uint32_t>(left)); skip > 0;
                 --skip) {
                rest &= rest - 1;
            }
        }
        const int bit = std::countr_zero(rest);
        if (try_case(call, static_cast<std::size_t>(bit))) {
            return true;
        }
        ready &= ~(std::uint64_t{1} << bit);
    }
    return false;
}

/// The same for more cases than a mask has bits: counts, chooses one, and counts again if that one
/// has gone to somebody else meanwhile.
bool try_many(select_call& call) {
    for (;;) {
        const auto ready =
            static_cast<std::uint32_t>(std::ranges::count_if(call.cases, may_proceed));
        if (ready == 0) {
            return false;
        }
        std::uint32_t skip = random_below(ready);
        for (std::size_t i = 0; i < call.cases.size(); ++i) {
            if (may_proceed(call.cases[i]) && skip-- == 0) {
                if (try_case(call, i)) {
                    return true;
                }
                break;
            }
        }
    }
}

bool try_all(select_call& call) {
    return call.cases.size() <= mask_bits ? try_few(call) : try_many(call);
}

/// Locks every channel of the call once.
class all_locked {
public:
    explicit all_locked(const select_call& call) {
        if (call.cases.size() > few_.size()) {
            many_ = std::make_unique<chan_core*[]>(call.cases.size());
            begin_ = many_.get();
        }
        end_ = begin_;
        for (const select_case& c : call.cases) {
            if (names_channel(c)) {
                *end_++ = c.channel;
            }
        }
        std::sort(begin_, end_, std::less<>());
        end_ = std::unique(begin_, end_);
        std::for_each(begin_, end_, [](chan_core* c) { c->lock.lock(); });
    }
    ~all_locked() {
        std::for_each(begin_, end_, [](chan_core* c) { c->lock.unlock(); });
    }
    all_locked(const all_locked&) = delete;
    all_locked& operator=(const all_locked&) = delete;

private:
    std::array<chan_core*, mask_bits> few_;
    std::unique_ptr<chan_core*[]> many_;
    chan_core** begin_ = few_.data();
    chan_core** end_;
};

std::size_t channel_cases(const select_call& call) noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(call.cases, names_channel));
}

std::size_t done_cases(const select_call& call) noexcept {
    return static_cast<std::size_t>(
        std::ranges::count(call.cases, case_kind::done, &select_case::kind));
}

/// True if no case can proceed, all looked at in one moment (S4).
/// Throws std::bad_alloc.
bool nothing_ready(const select_call& call) {
    if (channel_cases(call) <= 1) {
        // The attempt that found the channel blocked was that moment: a context that has not ended
        // now had not ended then.
        return std::ranges::none_of(call.cases, [](const select_case& c) {
            return c.kind == case_kind::done && c.word->canceled();
        });
    }
    const all_locked hold(call);
    return std::ranges::none_of(call.cases, may_proceed);
}

/// Takes every node out that is still in line.
void leave_lines(select_call& call) noexcept {
    for (select_case& c : call.cases) {
        if (c.node.owner == nullptr) {
            continue;
        }
        if (c.kind == case_kind::done) {
            c.word->unlink(c.node);
            c.node.owner = nullptr;
            continue;
        }
        const std::lock_guard hold(c.channel->lock);
        (c.kind == case_kind::send ? c.channel->senders : c.channel->receivers).remove(c.node);
        c.node.owner = nullptr;
    }
}

/// Under the channel's lock: whether the case can proceed with anybody but the caller itself.
bool ready_for_another(const select_case& c, const waiter& self) noexcept {
    if (!may_proceed(c)) {
        return false;
    }
    const chan_core& ch = *c.channel;
    const std::size_t filled = ch.count.load();
    if (ch.closed.load() || (c.kind == case_kind::send ? filled < ch.capacity : filled > 0)) {
        return true;
    }
    const wait_queue& peers = c.kind == case_kind::send ? ch.receivers : ch.senders;
    const wait_node* node = peers.front();
    while (node != nullptr && node->owner == &self) {
        node = node->next;
    }
    return node != nullptr;
}

enum class lining : std::uint8_t { waiting, ended, chosen, start_over };

/// Puts case `i` in line, unless it can be taken at once.
lining line_up_case(select_call& call, std::size_t i) noexcept {
    select_case& c = call.cases[i];
    waiter* peer = nullptr;
    {
        const std::lock_guard hold(c.channel->lock);
        if (!ready_for_another(c, call.who)) {
            c.node.owner = &call.who;
            c.node.slot = c.slot;
            c.node.index = static_cast<std::uint32_t>(i) + 1;
            (c.kind == case_kind::send ? c.channel->senders : c.channel->receivers)
                .push_back(c.node);
            return lining::waiting;
        }
        if (!call.who.end(static_cast<std::uint32_t>(i) + 1)) {
            return lining::ended;
        }
        const attempt result = try_locked(c, peer, &call.who);
        if (result == attempt::would_block) {
            return lining::start_over;  // S3
        }
        c.node.ok = result == attempt::done;
    }
    call.chosen = i;
    if (peer != nullptr) {
        wake(*peer);
    }
    c.channel->after_recv();
    return lining::chosen;
}

/// The same for a context.
lining line_up_done(select_call& call, std::size_t i) noexcept {
    select_case& c = call.cases[i];
    c.node.owner = &call.who;
    c.node.index = static_cast<std::uint32_t>(i) + 1;
    if (c.word->link(c.node)) {
        return lining::waiting;
    }
    if (!call.who.end(c.node.index)) {
        return lining::ended;
    }
    call.chosen = i;
    return lining::chosen;
}

/// A random order, so that of several cases on one channel none comes first for ever.
void shuffle(select_call& call) noexcept {
    for (std::uint32_t i = 0; i < call.cases.size(); ++i) {
        const std::uint32_t j = random_below(i + 1);
        call.cases[i].order = call.cases[j].order;
        call.cases[j].order = i;
    }
}

lining line_up_all(select_call& call) noexcept {
    shuffle(call);
    for (std::size_t turn = 0; turn < call.cases.size(); ++turn) {
        const std::size_t i = call.cases[turn].order;
        select_case& c = call.cases[i];
        const bool done = c.kind == case_kind::done;
        if (!done && !names_channel(c)) {
            continue;
        }
        const lining result = done ? line_up_done(call, i) : line_up_case(call, i);
        if (result != lining::waiting) {
            c.node.owner = nullptr;
            return result;
        }
        if (call.who.how() != wait_open) {
            return lining::ended;
        }
    }
    return lining::waiting;
}

/// What the end of the wait means for the call.
void conclude(select_call& call) noexcept {
    switch (call.who.how()) {
        case wait_timed_out:
            call.chosen = select_call::out_of_time;
            return;
        case wait_canceled:
            call.chosen = select_call::canceled;
            return;
        default:
            call.chosen = call.who.how() - 1;
    }
}

/// Stands in line everywhere. True if the caller must park now.
bool line_up(select_call& call, const void* where) {
    for (;;) {
        call.who.reopen();
        std::ranges::for_each(call.cases, prepare);
        const std::size_t queues = channel_cases(call) + done_cases(call);
        call.who.contested = queues > 1 || call.limits.any();
        begin_wait(call.who, queues == 0 ? wait_kind::select_forever : wait_kind::select, where);
        switch (line_up_all(call)) {
            case lining::waiting:
            case lining::ended:
                return true;
            case lining::chosen:
                leave_lines(call);
                give_up_wait(call.who);
                return false;
            case lining::start_over:
                leave_lines(call);
                give_up_wait(call.who);
                if (try_all(call)) {
                    return false;
                }
        }
    }
}

/// First half: true if the call is complete without waiting.
bool settled_at_once(select_call& call) {
    for (;;) {
        call.chosen = select_call::nothing;
        if (try_all(call)) {
            return true;
        }
        if (call.blocking) {
            return false;
        }
        if (nothing_ready(call)) {
            return true;
        }
    }
}

}  // namespace

suspension select_begin(select_call& call) {
    if (settled_at_once(call) || !line_up(call, __builtin_return_address(0))) {
        return {nullptr, nullptr};
    }
    return park(call.who);
}

void select_finish(select_call& call) noexcept {
    if (call.chosen == select_call::nothing && call.blocking) {
        conclude(call);
        leave_lines(call);
    }
}

void select_limited(select_call& call) {
    const void* const where = __builtin_return_address(0);
    if (settled_at_once(call)) {
        return;
    }
    if (call.limits.deadline <= now()) {
        call.chosen = select_call::out_of_time;
        return;
    }
    if (line_up(call, where)) {
        park_limited(call.who, call.limits);
        conclude(call);
        leave_lines(call);
    }
}

}  // namespace runnel::detail
