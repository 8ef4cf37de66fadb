#include "src/event/timer_heap.hpp"

#include <array>
#include <memory>
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

std::span<timer_node*> timer_heap::pop_due(ticks now, std::span<timer_node*> room) noexcept {
    std::size_t count = 0;
    const std::lock_guard hold(lock_);
    while (count < room.size() && !entries_.empty() && entries_.front().when <= now) {
        timer_node* const node = entries_.front().node;
        take_out(0);
        if (node->ops->claim(*node)) {
            room[count++] = node;
        }
    }
    update_earliest();
    return room.first(count);
}

std::size_t timer_heap::size() noexcept {
    const std::lock_guard hold(lock_);
    return entries_.size();
}

namespace {

/// Reachable for ever, like the heaps in it.
struct heap_pool {
    std::mutex lock;
    // Protected by lock.
    std::vector<std::unique_ptr<timer_heap>> all;
    std::vector<timer_heap*> free;

    timer_heap* take() {
        const std::lock_guard hold(lock);
        if (free.empty()) {
            all.push_back(std::make_unique<timer_heap>());
            free.reserve(all.size());  // so that give() cannot fail
            return all.back().get();
        }
        timer_heap* const heap = free.back();
        free.pop_back();
        return heap;
    }

    void give(timer_heap* heap) noexcept {
        const std::lock_guard hold(lock);
        free.push_back(heap);
    }
};

heap_pool& the_heaps() {
    static auto* const pool = new heap_pool;
    return *pool;
}

}  // namespace

lent_timer_heap::lent_timer_heap() : heap_(the_heaps().take()) {}

lent_timer_heap::~lent_timer_heap() {
    std::array<timer_node*, 64> room;
    for (;;) {
        const auto left = heap_->pop_due(never, room);
        if (left.empty()) {
            break;
        }
        for (timer_node* const node : left) {
            if (node->ops->abandon != nullptr) {
                node->ops->abandon(*node);
            }
        }
    }
    the_heaps().give(heap_);
}

}  // namespace runnel::detail
