#include <runnel/detail/event.hpp>

#include <mutex>

namespace runnel::detail {

wait_node* end_all(wait_queue& queue) noexcept {
    // A waiter that has been ended stays in its frame until it is woken, so its node carries the
    // list.
    wait_node* first = nullptr;
    wait_node** end = &first;
    while (wait_node* const node = queue.pop()) {
        node->next = nullptr;
        *end = node;
        end = &node->next;
    }
    return first;
}

void wake_all(wait_node* list) noexcept {
    while (list != nullptr) {
        wait_node* const node = list;
        list = node->next;
        wake(*node->owner);
    }
}

void one_time_event::set() noexcept {
    wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        set_.store(true, std::memory_order_release);  // [E-1]
        list = end_all(waiters_);
    }
    wake_all(list);
}

bool one_time_event::wait(const wait_limits& limits, wait_kind kind, const void* where) noexcept {
    if (is_set()) {
        lock_.pass();  // set() is through with the event then, and the caller may destroy it
        return true;
    }
    waiter who;
    wait_node node{.owner = &who};
    who.contested = limits.any();
    {
        const std::lock_guard hold(lock_);
        if (set_.load(std::memory_order_relaxed)) {  // [E-1] under the lock
            return true;
        }
        if (limits.deadline != never && limits.deadline <= now()) {
            return false;
        }
        begin_wait(who, kind, where);
        waiters_.push_back(node);
    }
    park_limited(who, limits);
    if (who.how() == node.index) {
        return true;
    }
    const std::lock_guard hold(lock_);
    waiters_.remove(node);
    return set_.load(std::memory_order_relaxed);  // [E-1] under the lock; it may have come since
}

}  // namespace runnel::detail
