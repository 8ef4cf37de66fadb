#include "src/sched/idle.hpp"

#include <mutex>

namespace runnel::detail {

worker* idle_workers::pick() noexcept {
    const std::lock_guard hold(lock_);
    worker* const w = sleepers_.pop_front();
    if (w != nullptr) {
        w->listed = false;
        word_.fetch_add(one_searching - one_sleeping);  // [I-5]
    }
    return w;
}

bool idle_workers::begin_search(std::uint32_t active) noexcept {
    std::uint64_t word = word_.load();
    for (;;) {
        const counts c = unpack(word);
        const std::uint32_t awake = active > c.sleeping ? active - c.sleeping : 0;
        if (2 * c.searching >= awake) {
            return false;
        }
        if (word_.compare_exchange_weak(word, word + one_searching)) {
            return true;
        }
    }
}

bool idle_workers::end_search() noexcept {
    return unpack(word_.fetch_sub(one_searching)).searching == 1;
}

std::uint32_t idle_workers::enter(worker& w, bool was_searching) noexcept {
    const std::lock_guard hold(lock_);
    sleepers_.push_front(&w);
    w.listed = true;
    const std::uint64_t change = one_sleeping - (was_searching ? one_searching : 0);
    return unpack(word_.fetch_add(change) + change).sleeping;  // [I-2]
}

bool idle_workers::leave(worker& w) noexcept {
    const std::lock_guard hold(lock_);
    if (!w.listed) {
        return false;
    }
    sleepers_.remove(&w);
    w.listed = false;
    word_.fetch_add(one_searching - one_sleeping);  // [I-5]
    return true;
}

}  // namespace runnel::detail
