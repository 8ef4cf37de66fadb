#include "src/event/poller.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <new>

namespace runnel::detail {

std::uint64_t poller::claim_slot(waiter& w) {
    const std::lock_guard hold(lock_);
    if (free_.empty()) {
        slots_.emplace_back();
        free_.reserve(slots_.size());  // so that release_slot() cannot fail
        free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    slots_[index].owner = &w;
    return std::uint64_t{slots_[index].generation} << 32 | index;
}

void poller::release_slot(std::uint64_t token) noexcept {
    const std::lock_guard hold(lock_);
    const auto index = static_cast<std::uint32_t>(token);
    slots_[index].owner = nullptr;
    slots_[index].generation = (slots_[index].generation + 1) & generations;
    free_.push_back(index);
}

int poller::arm(int fd, bool read, bool write, waiter& w, arming& out) {
    try {
        out.token = claim_slot(w);
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
    out.fd = fd;
    armed_.fetch_add(1);
    int error = add(fd, read, write, out.token);
    if (error == -EEXIST) {
        // Somebody waits for the same descriptor: epoll knows it only once, so watch a copy.
        out.fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
        out.duplicate = out.fd >= 0;
        error = out.duplicate ? add(out.fd, read, write, out.token) : -errno;
    }
    if (error != 0) {
        if (out.duplicate) {
            ::close(out.fd);
        }
        armed_.fetch_sub(1);
        release_slot(out.token);
    }
    return error;
}

int poller::add(int fd, bool read, bool write, std::uint64_t token) {
    const std::lock_guard hold(lock_);
    try {
        latest_.try_emplace(fd, no_token);
    } catch (const std::bad_alloc&) {
        return -ENOMEM;
    }
    const int error = epoll_.add_once(fd, read, write, token);
    if (error == 0) {
        latest_[fd] = token;
    }
    return error;
}

void poller::disarm(const arming& armed) noexcept {
    {
        const std::lock_guard hold(lock_);
        const auto latest = latest_.find(armed.fd);
        if (latest != latest_.end() && latest->second == armed.token) {
            latest_.erase(latest);
            epoll_.remove(armed.fd);
        }  // else the descriptor was closed, and its number is somebody else's now
    }
    if (armed.duplicate) {
        ::close(armed.fd);
    }
    armed_.fetch_sub(1);
    release_slot(armed.token);
}

waiter* poller::collect_armed(const os::readiness& event) noexcept {
    const std::lock_guard hold(lock_);
    slot& s = slots_[static_cast<std::uint32_t>(event.token)];
    if (s.generation != event.token >> 32 || s.owner == nullptr) {
        return nullptr;
    }
    waiter* const w = s.owner;
    s.owner = nullptr;
    return w->end(1) ? w : nullptr;
}

poll_woken poller::collect(const os::readiness& event) noexcept {
    if ((event.token & desc_bit) == 0) {
        return {.read = collect_armed(event)};
    }
    poll_desc& d = poll_desc::at(static_cast<std::uint32_t>(event.token));
    const std::lock_guard hold(d.lock_);
    poll_woken out;
    if (d.home_ != this || d.generation_ != (event.token >> 32 & generations)) {
        return out;
    }
    d.broken_ = d.broken_ || event.broken;
    const auto tell = [](poll_side& s) {
        waiter* const who = poll_desc::take_waiter(s, side_ready);
        s.ready = s.ready || who == nullptr;
        return who;
    };
    if (event.readable) {
        out.read = tell(d.side(poll_direction::read));
    }
    if (event.writable) {
        out.write = tell(d.side(poll_direction::write));
    }
    return out;
}

int poller::adopt(poll_desc& d) noexcept {
    if (d.home_ == this) {
        return 0;
    }
    if (d.home_ != nullptr) {
        if (d.sides_[0].who != nullptr || d.sides_[1].who != nullptr) {
            return 0;
        }
        d.home_->release(d);
    }
    d.generation_ = (d.generation_ + 1) & generations;
    const std::uint64_t token = desc_bit | std::uint64_t{d.generation_} << 32 | d.index_;
    const int error = epoll_.add_edges(d.fd_, token);
    d.home_ = error == 0 ? this : nullptr;
    return error;
}

void poller::release(poll_desc& d) noexcept {
    epoll_.remove(d.fd_);
    d.home_ = nullptr;
}

poll_woken poller::let_go(std::uint32_t index) noexcept {
    poll_desc& d = poll_desc::at(index);
    const std::lock_guard hold(d.lock_);
    if (d.home_ != this) {
        return {};
    }
    release(d);
    return {.read = poll_desc::take_waiter(d.side(poll_direction::read), side_look_again),
            .write = poll_desc::take_waiter(d.side(poll_direction::write), side_look_again)};
}

}  // namespace runnel::detail
