#include <runnel/detail/cancel_word.hpp>

#include <mutex>

#include <runnel/detail/park.hpp>

namespace runnel::detail {

bool cancel_word::cancel() noexcept {
    wait_node* first = nullptr;
    wait_node** end = &first;
    {
        const std::lock_guard hold(lock_);
        if (canceled_.load(std::memory_order_relaxed)) {  // written under this lock only
            return false;
        }
        canceled_.store(true, std::memory_order_release);
        // A wait that has been ended stays in its frame until it is woken, so its node may carry
        // the list of those to wake.
        while (wait_node* const node = waits_.pop()) {
            node->next = nullptr;
            *end = node;
            end = &node->next;
        }
    }
    while (first != nullptr) {
        wait_node* const node = first;
        first = node->next;
        wake(*node->owner);
    }
    return true;
}

bool cancel_word::link(wait_node& node) noexcept {
    const std::lock_guard hold(lock_);
    if (canceled_.load(std::memory_order_relaxed)) {  // written under this lock only
        return false;
    }
    waits_.push_back(node);
    return true;
}

void cancel_word::unlink(wait_node& node) noexcept {
    const std::lock_guard hold(lock_);
    waits_.remove(node);
}

void park_limited(waiter& w, const wait_limits& limits) noexcept {
    if (limits.cancel == nullptr) {
        park_until(w, limits.deadline);
        return;
    }
    wait_node link{.owner = &w, .index = wait_canceled};
    if (!limits.cancel->link(link)) {
        if (w.end(wait_canceled)) {
            give_up_wait(w);  // we have ended our own wait: no wake-up comes
            return;
        }
        park_here(w);  // somebody else has ended it: consume the wake-up
        return;
    }
    park_until(w, limits.deadline);
    limits.cancel->unlink(link);
}

}  // namespace runnel::detail
