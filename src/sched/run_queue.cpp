#include "src/sched/run_queue.hpp"

#include <algorithm>
#include <utility>

namespace runnel::detail {
namespace {

constexpr std::size_t max_batch = 64;  // bounds how long a lock is held

/// Moves the older half of `from`, as far as the batch goes.
void take_half(goroutine_list& from, goroutine_list& out) noexcept {
    const std::size_t half = std::min((from.size() + 1) / 2, max_batch - out.size());
    for (std::size_t i = 0; i < half; ++i) {
        out.push_back(from.pop_front());
    }
}

}  // namespace

void run_queue::steal(goroutine_list& out, bool with_next) noexcept {
    if (waiting() == 0) {
        return;
    }
    const thief_guard hold(lock_);
    take_half(due_, out);
    take_half(ready_, out);
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

void run_queue::surrender(goroutine_list& out) noexcept {
    if (waiting() == 0) {
        return;
    }
    const thief_guard hold(lock_);
    if (next_ != nullptr) {
        out.push_back(std::exchange(next_, nullptr));
    }
    out.splice_back(due_);
    out.splice_back(ready_);
    out.splice_back(fresh_);
    set_size(0);
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
