// net/pipe.cpp: connections within the process.
//
// Purpose   A pipe_core has two lanes, one for each direction. A lane is a ring of bytes, or, with
//           capacity 0, the bytes of the writer that waits in it.
// Invariants
//   B1  Whoever changes what a waiter of the lane waits for (bytes, room, a deadline, the end) ends
//       the waits that it concerns, under the lane's lock, and wakes them after it. The woken look
//       again.
//   B2  `direct_` lies in the frame of a writer that waits: it is set and cleared by that writer,
//       and shortened by readers, under the lock.
// Locks     lock_ of a lane (leaf); held while at most a lane's capacity is copied.
// Order     What was written happens before the read that returns it (the lane's lock).
#include <runnel/net/pipe.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <tuple>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/detail/event.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/detail/spin_lock.hpp>

namespace runnel::detail {
namespace {

/// Both sides of a lane wait in the same way: `line`, until `deadline`.
struct lane_side {
    wait_queue line;
    ticks deadline = never;
};

class lane {
public:
    explicit lane(std::size_t capacity) : capacity_(capacity) {}

    std::size_t read(const context& ctx, std::span<std::byte> in, std::error_code& ec,
                     const void* where);
    std::size_t write(const context& ctx, std::span<const std::byte> out, std::error_code& ec,
                      const void* where) {
        return capacity_ != 0 ? write_through_ring(ctx, out, ec, where)
                              : write_direct(ctx, out, ec, where);
    }
    void set_deadline(lane_side& side, ticks deadline) noexcept;
    /// The writer's end has been shut down, or closed for good.
    std::error_code end_writes(bool closed) noexcept;
    void close_reader() noexcept;

    lane_side reader;
    lane_side writer;

private:
    [[nodiscard]] std::error_code refusal(const context& ctx, const lane_side& side,
                                          bool closed) const noexcept;
    [[nodiscard]] std::error_code write_refusal(const context& ctx) const noexcept;
    std::size_t write_through_ring(const context& ctx, std::span<const std::byte> out,
                                   std::error_code& ec, const void* where);
    std::size_t write_direct(const context& ctx, std::span<const std::byte> out,
                             std::error_code& ec, const void* where);
    void reserve_ring();
    static void wait(const context& ctx, lane_side& side, std::unique_lock<spin_lock>& hold,
                     wait_kind kind, const void* where);
    std::size_t take(std::span<std::byte> in) noexcept;
    std::size_t put(std::span<const std::byte> out) noexcept;
    static void wake_after_unlock(std::unique_lock<spin_lock>& hold, wait_queue& line) noexcept;

    const std::size_t capacity_;
    spin_lock lock_;
    // Protected by lock_, as the sides are.
    std::vector<std::byte> ring_;
    std::size_t begin_ = 0;
    std::size_t count_ = 0;
    std::span<const std::byte> direct_;
    bool writes_ended_ = false;
    bool writer_closed_ = false;
    bool reader_closed_ = false;
};

void lane::wake_after_unlock(std::unique_lock<spin_lock>& hold, wait_queue& line) noexcept {
    wait_node* const list = end_all(line);
    hold.unlock();
    wake_all(list);
}

/// Why a call may not go on, before it looks at the bytes.
std::error_code lane::refusal(const context& ctx, const lane_side& side,
                              bool closed) const noexcept {
    if (closed) {
        return errc::closed;
    }
    if (has_ended(ctx)) {
        return ctx.err();
    }
    if (side.deadline != never && side.deadline <= now()) {
        return errc::timed_out;
    }
    return {};
}

/// Unlocks and waits until it is worth while to look again; locks again.
void lane::wait(const context& ctx, lane_side& side, std::unique_lock<spin_lock>& hold,
                wait_kind kind, const void* where) {
    wait_limits limits = limits_of(ctx);
    limits.deadline = side.deadline;
    waiter who;
    who.contested = limits.any();
    wait_node node{.owner = &who};
    begin_wait(who, kind, where);
    side.line.push_back(node);
    hold.unlock();
    park_limited(who, limits);
    hold.lock();
    side.line.remove(node);
}

std::size_t lane::take(std::span<std::byte> in) noexcept {
    if (capacity_ == 0) {
        const std::size_t count = std::min(in.size(), direct_.size());
        std::memcpy(in.data(), direct_.data(), count);
        direct_ = direct_.subspan(count);
        return count;
    }
    const std::size_t count = std::min(in.size(), count_);
    const std::size_t first = std::min(count, capacity_ - begin_);
    std::memcpy(in.data(), ring_.data() + begin_, first);
    std::memcpy(in.data() + first, ring_.data(), count - first);
    begin_ = (begin_ + count) % capacity_;
    count_ -= count;
    return count;
}

std::size_t lane::put(std::span<const std::byte> out) noexcept {
    const std::size_t count = std::min(out.size(), capacity_ - count_);
    const std::size_t at = (begin_ + count_) % capacity_;
    const std::size_t first = std::min(count, capacity_ - at);
    std::memcpy(ring_.data() + at, out.data(), first);
    std::memcpy(ring_.data(), out.data() + first, count - first);
    count_ += count;
    return count;
}

std::size_t lane::read(const context& ctx, std::span<std::byte> in, std::error_code& ec,
                       const void* where) {
    std::unique_lock hold(lock_);
    for (;;) {
        ec = refusal(ctx, reader, reader_closed_);
        if (ec || in.empty()) {
            return 0;
        }
        if (count_ != 0 || !direct_.empty()) {
            const std::size_t count = take(in);
            if (capacity_ != 0 || direct_.empty()) {
                wake_after_unlock(hold, writer.line);
            }
            return count;
        }
        if (writes_ended_) {
            return 0;
        }
        wait(ctx, reader, hold, wait_kind::pipe_read, where);
    }
}

/// Why a write may not go on.
std::error_code lane::write_refusal(const context& ctx) const noexcept {
    const std::error_code ec = refusal(ctx, writer, writer_closed_);
    if (!ec && (writes_ended_ || reader_closed_)) {
        return std::make_error_code(std::errc::broken_pipe);
    }
    return ec;
}

std::size_t lane::write_through_ring(const context& ctx, std::span<const std::byte> out,
                                     std::error_code& ec, const void* where) {
    reserve_ring();
    std::size_t done = 0;
    std::unique_lock hold(lock_);
    for (;;) {
        ec = write_refusal(ctx);
        if (ec || done == out.size()) {
            return done;
        }
        if (count_ == capacity_) {
            wait(ctx, writer, hold, wait_kind::pipe_write, where);
            continue;
        }
        done += put(out.subspan(done));
        wake_after_unlock(hold, reader.line);
        if (done == out.size()) {
            return done;
        }
        hold.lock();
    }
}

std::size_t lane::write_direct(const context& ctx, std::span<const std::byte> out,
                               std::error_code& ec, const void* where) {
    std::unique_lock hold(lock_);
    ec = write_refusal(ctx);
    while (!ec && !direct_.empty()) {  // another writer is not through
        wait(ctx, writer, hold, wait_kind::pipe_write, where);
        ec = write_refusal(ctx);
    }
    if (ec || out.empty()) {
        return 0;
    }
    direct_ = out;
    wake_after_unlock(hold, reader.line);
    hold.lock();
    while (!ec && !direct_.empty() && direct_.data() + direct_.size() == out.data() + out.size()) {
        wait(ctx, writer, hold, wait_kind::pipe_write, where);
        if (!direct_.empty()) {
            ec = write_refusal(ctx);
        }
    }
    const std::size_t done = out.size() - (ec ? direct_.size() : 0);
    if (ec) {
        direct_ = {};
    }
    wake_after_unlock(hold, writer.line);
    return done;
}

/// The ring is there before the lock is taken to write into it.
void lane::reserve_ring() {
    {
        const std::lock_guard hold(lock_);
        if (!ring_.empty()) {
            return;
        }
    }
    std::vector<std::byte> fresh(capacity_);
    const std::lock_guard hold(lock_);
    if (ring_.empty()) {
        ring_.swap(fresh);
    }
}

void lane::set_deadline(lane_side& side, ticks deadline) noexcept {
    std::unique_lock hold(lock_);
    side.deadline = deadline;
    wake_after_unlock(hold, side.line);
}

std::error_code lane::end_writes(bool closed) noexcept {
    std::unique_lock hold(lock_);
    if (writer_closed_) {
        return errc::closed;
    }
    writes_ended_ = true;
    writer_closed_ = writer_closed_ || closed;
    wait_node* const writers = end_all(writer.line);
    wake_after_unlock(hold, reader.line);
    wake_all(writers);
    return {};
}

void lane::close_reader() noexcept {
    std::unique_lock hold(lock_);
    reader_closed_ = true;
    wait_node* const writers = end_all(writer.line);
    wake_after_unlock(hold, reader.line);
    wake_all(writers);
}

}  // namespace

class pipe_core {
public:
    explicit pipe_core(std::size_t capacity) : lanes_{{lane(capacity), lane(capacity)}} {}

    [[nodiscard]] lane& from(std::size_t side) noexcept { return lanes_[side]; }
    [[nodiscard]] lane& to(std::size_t side) noexcept { return lanes_[1 - side]; }

private:
    std::array<lane, 2> lanes_;
};

struct pipe_listener_core {
    chan<net::pipe_stream> arrivals;
    std::size_t capacity;
};

}  // namespace runnel::detail

namespace runnel::net {

std::pair<pipe_stream, pipe_stream> pipe(std::size_t capacity) {
    const auto core = std::make_shared<detail::pipe_core>(capacity);
    return {pipe_stream(core, 0), pipe_stream(core, 1)};
}

pipe_stream& pipe_stream::operator=(pipe_stream&& other) noexcept {
    if (this != &other) {
        close();
        core_ = std::move(other.core_);
        side_ = other.side_;
    }
    return *this;
}

pipe_stream::~pipe_stream() { close(); }

std::size_t pipe_stream::read_some(const context& ctx, std::span<std::byte> in,
                                   std::error_code& ec) {
    if (!core_) {
        ec = errc::closed;
        return 0;
    }
    return core_->to(side_).read(ctx, in, ec, __builtin_return_address(0));
}

std::size_t pipe_stream::write(const context& ctx, std::span<const std::byte> out,
                               std::error_code& ec) {
    if (!core_) {
        ec = errc::closed;
        return 0;
    }
    return core_->from(side_).write(ctx, out, ec, __builtin_return_address(0));
}

void pipe_stream::set_read_deadline(clock::time_point t) noexcept {
    if (core_) {
        detail::lane& in = core_->to(side_);
        in.set_deadline(in.reader, t.time_since_epoch().count());
    }
}

void pipe_stream::set_write_deadline(clock::time_point t) noexcept {
    if (core_) {
        detail::lane& out = core_->from(side_);
        out.set_deadline(out.writer, t.time_since_epoch().count());
    }
}

void pipe_stream::shutdown_write(std::error_code& ec) noexcept {
    ec = core_ ? core_->from(side_).end_writes(false) : make_error_code(errc::closed);
}

void pipe_stream::close() noexcept {
    if (core_) {
        std::ignore = core_->from(side_).end_writes(true);  // a second close does nothing
        core_->to(side_).close_reader();
    }
}

pipe_listener::pipe_listener(std::size_t backlog, std::size_t capacity)
    : core_(std::make_shared<detail::pipe_listener_core>(
          make_chan<pipe_stream>(static_cast<std::ptrdiff_t>(backlog)), capacity)) {}

pipe_stream pipe_listener::accept(const context& ctx, std::error_code& ec) const {
    pipe_stream s;
    switch (core_->arrivals.recv(ctx, s)) {
        case op_status::ok:
            ec.clear();
            break;
        case op_status::closed:
            ec = errc::closed;
            break;
        default:
            ec = ctx.err();
    }
    return s;
}

pipe_stream pipe_listener::accept(const context& ctx) const {
    std::error_code ec;
    pipe_stream s = accept(ctx, ec);
    if (ec) {
        throw_error(ec, "accept");
    }
    return s;
}

pipe_stream pipe_listener::dial(const context& ctx, std::error_code& ec) const {
    auto [mine, theirs] = pipe(core_->capacity);
    switch (core_->arrivals.send(ctx, std::move(theirs))) {
        case op_status::ok:
            ec.clear();
            return std::move(mine);
        case op_status::closed:
            ec = std::make_error_code(std::errc::connection_refused);
            break;
        default:
            ec = ctx.err();
    }
    return {};
}

pipe_stream pipe_listener::dial(const context& ctx) const {
    std::error_code ec;
    pipe_stream s = dial(ctx, ec);
    if (ec) {
        throw_error(ec, "dial");
    }
    return s;
}

void pipe_listener::close() const noexcept {
    try {
        core_->arrivals.close();
    } catch (const channel_closed&) {
        return;  // a second close does nothing
    }
    pipe_stream left;
    while (core_->arrivals.try_recv(left) == op_status::ok) {
        left.close();
    }
}

}  // namespace runnel::net
