#include "src/http/connection.hpp"

#include <array>
#include <mutex>
#include <span>
#include <utility>

#include <runnel/error.hpp>

namespace runnel::http::detail {

std::unique_ptr<exchange> exchange_pool::take() {
    {
        const std::lock_guard guard(lock_);
        if (count_ > 0) {
            return std::move(unused_[--count_]);
        }
    }
    return std::make_unique<exchange>();
}

void exchange_pool::put(std::unique_ptr<exchange> e) noexcept {
    const std::lock_guard guard(lock_);
    if (count_ < most) {
        unused_[count_++] = std::move(e);
    }
}

connection::connection(std::shared_ptr<server::state> shared, net::any_stream stream)
    : shared_(std::move(shared)),
      stream_(std::move(stream)),
      remote_(stream_.remote_address().to_string()) {}

void connection::run() {
    std::array<std::byte, 1024> first;  // lies on the stack: an idle connection has no other
    std::size_t count = 0;
    while (wait_for_request(first, count) && serve_requests(std::span(first).first(count))) {
    }
    stream_.close();
}

bool connection::wait_for_request(std::span<std::byte> first, std::size_t& count) {
    const server_options& options = shared_->options;
    const bool fresh = phase_.load() == phase::fresh;
    if (!fresh) {
        phase_.store(phase::idle);
        if (shared_->stopping.load()) {
            return false;
        }
    }
    read_within(fresh ? options.header_timeout : options.idle_timeout);
    std::error_code ec;
    count = stream_.read_some({}, first, ec);
    phase before = fresh ? phase::fresh : phase::idle;
    return phase_.compare_exchange_strong(before, phase::active) && count > 0;
}

bool connection::serve_requests(std::span<const std::byte> first) {
    std::unique_ptr<exchange> e = shared_->pool.take();
    e->attach(*this, first);
    bool go_on = true;
    do {
        go_on = e->serve_one();
    } while (go_on && e->has_more() && !shared_->stopping.load());
    go_on = go_on && !e->has_more();
    e->detach();
    shared_->pool.put(std::move(e));
    return go_on;
}

void connection::end_if_idle() {
    phase before = phase::idle;
    if (phase_.compare_exchange_strong(before, phase::closing)) {
        stream_.close();
    } else if (before == phase::fresh) {
        // It may be about to say something: as in Go, it has 5 seconds from the accept.
        stream_.set_read_deadline(begin_ + std::chrono::seconds(5));
    }
}

void connection::read_within(clock::duration limit) {
    const clock::time_point now = clock::now();
    if (limit <= clock::duration::zero()) {
        if (read_deadline_ != clock::time_point::max()) {
            stream_.set_read_deadline(read_deadline_ = clock::time_point::max());
        }
    } else if (read_deadline_ < now + limit || read_deadline_ > now + limit + limit / 8) {
        stream_.set_read_deadline(read_deadline_ = now + limit + limit / 8);
    }
}

void connection::write_within(clock::duration limit) {
    const clock::time_point now = clock::now();
    if (limit <= clock::duration::zero()) {
        return;
    }
    if (write_deadline_ < now + limit || write_deadline_ > now + limit + limit / 8) {
        stream_.set_write_deadline(write_deadline_ = now + limit + limit / 8);
    }
}

void connection::linger() {
    constexpr auto patience = std::chrono::milliseconds(500);
    constexpr std::size_t most = 256 * 1024;
    std::error_code ec;
    stream_.shutdown_write(ec);
    if (ec) {
        return;
    }
    forget_read_deadline();
    stream_.set_read_deadline(clock::now() + patience);
    std::array<std::byte, 1024> waste;
    for (std::size_t total = 0; total < most;) {
        const std::size_t n = stream_.read_some({}, waste, ec);
        if (n == 0) {
            return;
        }
        total += n;
    }
}

}  // namespace runnel::http::detail
