#include "src/event/timer_heap.hpp"

#include <array>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace runnel::detail {
namespace {

constexpr std::size_t children = 4;

constexpr timer_ops wait_timer_ops{
    .claim =
        [](timer_node& node) noexcept {
            waiter& owner = *static_cast<wait_timer&>(node).owner;
            __builtin_prefetch(owner.self);
            return owner.end(wait_timed_out);
        },
    .fire = [](timer_node& node) noexcept { wake(*static_cast<wait_timer&>(node).owner); },
};

}  // namespace

wait_timer::wait_timer(waiter& w) noexcept : owner(&w) { ops = &wait_timer_ops; }

void timer_heap::put(std::size_t at, const entry& e) noexcept {
    entries_[at] = e;
    places_[e.place].at = at;
}

std::size_t timer_heap::take_place(timer_node& node) {
    const std::size_t mine = free_;
    if (mine == timer_node::out) {
        places_.push_back({.node = &node, .at = 0});
        return places_.size() - 1;
    }
    free_ = places_[mine].at;
    places_[mine].node = &node;
    return mine;
}

void timer_heap::sift_up(std::size_t at, const entry& e) noexcept {
    while (at > 0) {
        const std::size_t parent = (at - 1) / children;
        if (!e.before(entries_[parent])) {
            break;
        }
        put(at, entries_[parent]);
        at = parent;
    }
    put(at, e);
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
        put(at, entries_[least]);
        at = least;
    }
    put(at, e);
}

/// The caller tells the node that it is out.
timer_node* timer_heap::take_out(std::size_t at) noexcept {
    const std::size_t freed = entries_[at].place;
    timer_node* const node = places_[freed].node;
    places_[freed] = {.node = nullptr, .at = std::exchange(free_, freed)};
    const entry last = entries_.back();
    entries_.pop_back();
    if (at == entries_.size()) {
        return node;
    }
    if (at > 0 && last.before(entries_[(at - 1) / children])) {
        sift_up(at, last);
    } else {
        sift_down(at, last);
    }
    return node;
}

void timer_heap::update_earliest() noexcept {
    earliest_.store(entries_.empty() ? never : entries_.front().when,
                    std::memory_order_relaxed);  // [T-1]
}

void timer_heap::add(timer_node& node, std::uint64_t tie) {
    const std::lock_guard hold(lock_);
    entries_.emplace_back();
    try {
        node.place = take_place(node);
    } catch (const std::bad_alloc&) {
        entries_.pop_back();
        throw;
    }
    node.heap = this;
    sift_up(entries_.size() - 1, {.when = node.when, .tie = tie, .place = node.place});
    update_earliest();
}

bool timer_heap::remove(timer_node& node) noexcept {
    const std::lock_guard hold(lock_);
    if (node.place == timer_node::out) {
        return false;
    }
    static_cast<void>(take_out(places_[node.place].at));
    node.place = timer_node::out;
    update_earliest();
    return true;
}

std::span<timer_node*> timer_heap::pop_due(ticks now, std::span<timer_node*> room) noexcept {
    const std::lock_guard hold(lock_);
    std::size_t count = 0;
    const auto some_due = [&] { return !entries_.empty() && entries_.front().when <= now; };
    while (count < room.size() && some_due()) {
        std::size_t taken = count;
        while (taken < room.size() && some_due()) {
            room[taken] = take_out(0);
            __builtin_prefetch(room[taken++]);  // all at once, not one miss after another
        }
        for (timer_node* const node : room.subspan(count, taken - count)) {
            node->place = timer_node::out;
            if (node->ops->claim(*node)) {
                room[count++] = node;
            }
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
