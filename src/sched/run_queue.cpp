#include "src/sched/run_queue.hpp"

#include <algorithm>

namespace runnel::detail {
namespace {

constexpr std::size_t max_batch = 64;  // bounds how long a lock is held

}  // namespace

void run_queue::steal(goroutine_list& out, bool with_next) noexcept {
    if (waiting() == 0) {
        return;
    }
    const thief_guard hold(lock_);
    const std::size_t from_ready = std::min((ready_.size() + 1) / 2, max_batch);
    for (std::size_t i = 0; i < from_ready; ++i) {
        out.push_back(ready_.pop_front());
    }
    if (out.empty()) {
        const std::size_t from_fresh = std::min((fresh_.size() + 1) / 2, max_batch);
        for (std::size_t i = 0; i < from_fresh; ++i) {
            out.push_back(fresh_.pop_back());
        }
    }
    if (out.empty() && with_next && next_ != nullptr) {
        out.push_back(next_);
        next_ = nullptr;
    }
    set_size(waiting() - static_cast<std::uint32_t>(out.size()));
}

void inject_queue::take(goroutine_list& out, std::size_t workers) noexcept {
    if (size() == 0) {
        return;
    }
    const std::lock_guard hold(lock_);
    const std::size_t share =
        std::min({list_.size() / std::max<std::size_t>(workers, 1) + 1, list_.size(), max_batch});
    for (std::size_t i = 0; i < share; ++i) {
        out.push_back(list_.pop_front());
    }
    size_.store(list_.size());
}

}  // namespace runnel::detail
