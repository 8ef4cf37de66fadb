#include <runnel/net/socket_stream.hpp>

#include <algorithm>
#include <array>
#include <limits>

#include "src/net/socket_call.hpp"
#include "src/os/socket.hpp"

namespace runnel::net {

using detail::poll_direction;
using detail::socket_call;

std::size_t socket_stream::read_some(const context& ctx, std::span<std::byte> in,
                                     std::error_code& ec) {
    socket_call call(socket_.desc(), poll_direction::read, ctx, __builtin_return_address(0));
    ec = call.refusal();
    if (ec || in.empty()) {
        return 0;
    }
    const auto count =
        static_cast<std::size_t>(call.run([&](int fd) { return os::receive(fd, in); }, ec));
    call.note_drained(short_read_drains_ && !ec && count != 0 && count < in.size());
    return count;
}

void socket_stream::wait_readable(const context& ctx, std::error_code& ec) {
    socket_call call(socket_.desc(), poll_direction::read, ctx, __builtin_return_address(0));
    ec = call.refusal();
    if (ec) {
        return;
    }
    std::array<std::byte, 1> one;
    if (call.expects_nothing() || os::peek(call.fd(), one) == -EAGAIN) {
        ec = call.wait(detail::never);
        call.note_drained(false);
    }
}

std::size_t socket_stream::write(const context& ctx, std::span<const std::byte> out,
                                 std::error_code& ec) {
    socket_call call(socket_.desc(), poll_direction::write, ctx, __builtin_return_address(0));
    ec = call.refusal();
    std::size_t done = 0;
    while (!ec && done < out.size()) {
        done += static_cast<std::size_t>(
            call.run([&](int fd) { return os::send(fd, out.subspan(done)); }, ec));
    }
    return done;
}

namespace {

/// What is left of some parts, as many of it as one system call takes.
class parts_left {
public:
    explicit parts_left(std::span<const std::span<const std::byte>> parts) : parts_(parts) {
        skip_empty();
    }

    [[nodiscard]] bool empty() const noexcept { return parts_.empty(); }

    [[nodiscard]] std::span<const iovec> next() noexcept {
        const std::size_t count = std::min(parts_.size(), room_.size());
        for (std::size_t i = 0; i < count; ++i) {
            const auto part = parts_[i].subspan(i == 0 ? taken_ : 0);
            room_[i] = {.iov_base = const_cast<std::byte*>(part.data()), .iov_len = part.size()};
        }
        return std::span(room_).first(count);
    }

    void take(std::size_t count) noexcept {
        taken_ += count;
        skip_empty();
    }

private:
    void skip_empty() noexcept {
        while (!parts_.empty() && taken_ >= parts_.front().size()) {
            taken_ -= parts_.front().size();
            parts_ = parts_.subspan(1);
        }
    }

    std::span<const std::span<const std::byte>> parts_;
    std::size_t taken_ = 0;  ///< of the first part
    std::array<iovec, 16> room_{};
};

}  // namespace

std::size_t socket_stream::writev(const context& ctx,
                                  std::span<const std::span<const std::byte>> parts,
                                  std::error_code& ec) {
    socket_call call(socket_.desc(), poll_direction::write, ctx, __builtin_return_address(0));
    ec = call.refusal();
    parts_left left(parts);
    std::size_t done = 0;
    while (!ec && !left.empty()) {
        const auto next = left.next();
        const auto count = static_cast<std::size_t>(
            call.run([&](int fd) { return os::send_parts(fd, next); }, ec));
        left.take(count);
        done += count;
    }
    return done;
}

std::size_t socket_stream::send_file(const context& ctx, int file, std::uint64_t offset,
                                     std::size_t count, std::error_code& ec) {
    constexpr std::size_t at_once = 1U << 20;  // so that a fast peer does not hold the worker
    socket_call call(socket_.desc(), poll_direction::write, ctx, __builtin_return_address(0));
    ec = call.refusal();
    if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
        ec = std::make_error_code(std::errc::invalid_argument);
    }
    auto from = static_cast<off_t>(offset);
    std::size_t done = 0;
    while (!ec && done < count) {
        const std::size_t want = std::min(count - done, at_once);
        const auto sent = static_cast<std::size_t>(
            call.run([&](int fd) { return os::send_file(fd, file, from, want); }, ec));
        if (sent == 0) {
            break;  // the file has ended
        }
        done += sent;
    }
    return done;
}

void socket_stream::shutdown_write(std::error_code& ec) noexcept {
    detail::poll_desc* const d = socket_.desc();
    if (d == nullptr || !d->begin_use()) {
        ec = errc::closed;
        return;
    }
    const int error = os::shutdown_socket(d->fd(), false, true);
    d->end_use();
    ec = error != 0 ? detail::system_error_code(error) : std::error_code();
}

}  // namespace runnel::net
