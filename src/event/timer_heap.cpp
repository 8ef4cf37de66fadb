#include "src/event/timer_heap.hpp"

#include <mutex>

namespace runnel::detail {
namespace {

constexpr std::size_t children = 4;

constexpr timer_ops wait_timer_ops{
    .claim =
        [](timer_node& node) noexcept {
            return static_cast<wait_timer&>(node).owner->end(wait_timed_out);
        },
    .fire = [](timer_node& node) noexcept { wake(*static_cast<wait_timer&>(node).owner); },
};

}  // namespace

wait_timer::wait_timer(waiter& w) noexcept : owner(&w) { ops = &wait_timer_ops; }

void timer_heap::place(std::size_t at, const entry& e) noexcept {
    entries_[at] = e;
    e.node->position = at;
}

void timer_heap::sift_up(std::size_t at, const entry& e) noexcept {
    while (at > 0) {
        const std::size_t parent = (at - 1) / children;
        if (!e.before(entries_[parent])) {
            break;
        }
        place(at, entries_[parent]);
        at = parent;
    }
    place(at, e);
}

void timer_heap::sift_down(std::size_t at, const entry& e) noexcept {
    for (;;) {
        const std::size_t first = at * children + 1;
        if (first >= entries_.size()) {
            break;
        }
        std::size_t least = first;
        for (std::size_t c = first + 1; c < first + children && c < entries_.size(); ++c) {
            if (entries_[c].before(entries_[least])) {
                least = c;
            }
        }
        if (!entries_[least].before(e)) {
            break;
        }
        place(at, entries_[least]);
        at = least;
    }
    place(at, e);
}

void timer_heap::take_out(std::size_t at) noexcept {
    entries_[at].node->position = timer_node::out;
    const entry last = entries_.back();
    entries_.pop_back();
    if (at == entries_.size()) {
        return;
    }
    if (at > 0 && last.before(entries_[(at - 1) / children])) {
        sift_up(at, last);
    } else {
        sift_down(at, last);
    }
}

void timer_heap::update_earliest() noexcept {
    earliest_.store(entries_.empty() ? never : entries_.front().when,
                    std::memory_order_relaxed);  // [T-1]
}

void timer_heap::add(timer_node& node, std::uint64_t tie) {
    const std::lock_guard hold(lock_);
    const entry e{.when = node.when, .tie = tie, .node = &node};
    entries_.push_back(e);
    node.heap = this;
    sift_up(entries_.size() - 1, e);
    update_earliest();
}

bool timer_heap::remove(timer_node& node) noexcept {
    const std::lock_guard hold(lock_);
    if (node.position == timer_node::out) {
        return false;
    }
    take_out(node.position);
    update_earliest();
    return true;
}

timer_node* timer_heap::pop_due(ticks now) noexcept {
    timer_node* first = nullptr;
    timer_node** end = &first;
    const std::lock_guard hold(lock_);
    while (!entries_.empty() && entries_.front().when <= now) {
        timer_node* const node = entries_.front().node;
        take_out(0);
        if (node->ops->claim(*node)) {
            node->next = nullptr;
            *end = node;
            end = &node->next;
        }
    }
    update_earliest();
    return first;
}

std::size_t timer_heap::size() noexcept {
    const std::lock_guard hold(lock_);
    return entries_.size();
}

}  // namespace runnel::detail
