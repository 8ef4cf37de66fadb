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
    ++slots_[index].generation;
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

waiter* poller::collect(const os::readiness& event) noexcept {
    const std::lock_guard hold(lock_);
    slot& s = slots_[static_cast<std::uint32_t>(event.token)];
    if (s.generation != event.token >> 32 || s.owner == nullptr) {
        return nullptr;
    }
    waiter* const w = s.owner;
    s.owner = nullptr;
    return w->end(1) ? w : nullptr;
}

}  // namespace runnel::detail
