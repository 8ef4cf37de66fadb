#include "src/fiber/stack.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "src/base/fatal.hpp"
#include "src/fiber/valgrind.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t arena_bytes = std::size_t{64} << 20;
constexpr std::size_t kept_hot = 16 * 1024;     // the top of a stack stays committed
constexpr std::size_t depot_keeps_warm = 1024;  // scavenged stacks whose top stays committed
constexpr std::size_t scavenged_at_once = 16;
constexpr std::size_t first_batch = 4;

/// Collects pages to discard, and discards them together.
class discarding {
public:
    ~discarding() { flush(); }
    discarding() = default;
    discarding(const discarding&) = delete;
    discarding& operator=(const discarding&) = delete;

    /// All of `s` but the last `keep` bytes.
    void add(const stack& s, std::size_t keep) noexcept {
        if (s.size() <= keep) {
            return;
        }
        if (count_ == ranges_.size()) {
            flush();
        }
        ranges_[count_++] = {.start = s.low, .bytes = s.size() - keep};
    }
    void flush() noexcept { os::discard(std::span(ranges_).first(std::exchange(count_, 0))); }

private:
    std::array<os::page_range, 64> ranges_;
    std::size_t count_ = 0;
};

}  // namespace

stack_depot::~stack_depot() {
    for (const arena& a : arenas_) {
        os::release(a.start, a.bytes);
    }
}

bool stack_depot::guard(std::byte* start) noexcept {
    if (policy_.method == os::guard_method::none) {
        unguarded_.fetch_add(1);
        return false;
    }
    if (policy_.method == os::guard_method::mprotect && guards_.load() >= policy_.guard_budget) {
        if (unguarded_.fetch_add(1) == 0 && policy_.warn_unguarded) {
            print_error("warning: no mappings left for guard pages (vm.max_map_count); further "
                        "stacks are unguarded");
        }
        return false;
    }
    if (!os::install_guard(start, guard_bytes, policy_.method)) {
        if (unguarded_.fetch_add(1) == 0 && policy_.warn_unguarded) {
            print_error(
                "warning: the system refused a guard page; further stacks may be unguarded");
        }
        return false;
    }
    guards_.fetch_add(1);
    return true;
}

void stack_depot::open_arena() noexcept {
    const std::size_t slot = policy_.size + guard_bytes;
    const std::size_t count = std::max<std::size_t>(arena_bytes / slot, 1);
    std::byte* const start = os::reserve(count * slot);
    if (start == nullptr) {
        fatal("cannot reserve address space for goroutine stacks (limits: ulimit -v, "
              "vm.overcommit_memory)");
    }
    arenas_.push_back({.start = start, .bytes = count * slot, .stacks = std::vector<stack>(count)});
}

/// Takes the next stacks of an arena, in a number that grows with those that there are.
std::span<stack> stack_depot::cut(std::size_t wanted) noexcept {
    const std::lock_guard hold(lock_);
    if (arenas_.empty() || arenas_.back().carved == arenas_.back().stacks.size()) {
        open_arena();
    }
    arena& a = arenas_.back();
    const std::size_t slot = policy_.size + guard_bytes;
    const std::size_t count =
        std::min({std::max(carved_ / 4, first_batch), std::max(batch_bytes / slot, std::size_t{1}),
                  wanted, a.stacks.size() - a.carved});
    const std::span batch = std::span(a.stacks).subspan(a.carved, count);
    for (stack& s : batch) {
        s.low = a.start + a.carved++ * slot + guard_bytes;
        s.top = s.low + policy_.size;
        s.pooled = true;
    }
    carved_ += count;
    return batch;
}

void stack_depot::guard_all(std::span<stack> batch, std::span<os::page_range> room) noexcept {
    std::size_t done = 0;
    if (policy_.method == os::guard_method::install) {
        for (std::size_t i = 0; i < batch.size(); ++i) {
            room[i] = {.start = batch[i].low - guard_bytes, .bytes = guard_bytes};
        }
        done = os::install_guards(room.first(batch.size()));
        guards_.fetch_add(done);
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
        batch[i].guarded = i < done || guard(batch[i].low - guard_bytes);
    }
}

stack* stack_depot::carve(std::size_t wanted, std::span<os::page_range> room) noexcept {
    const std::span batch = cut(std::min(wanted, room.size()));
    guard_all(batch, room);
    stack* list = nullptr;
    for (stack& s : batch) {
        tell_valgrind_stack(s.low, s.top);
        s.empty = true;
        s.next = list;
        list = &s;
    }
    return list;
}

stack* stack_depot::take(std::size_t wanted, std::span<os::page_range> room) noexcept {
    stack* list = take_from_stock(wanted);
    if (list == nullptr) {
        list = carve(wanted, room);
    }
    fill(list, room);
    return list;
}

stack* stack_depot::take(std::size_t wanted) noexcept {
    std::array<os::page_range, 16> room;
    return take(wanted, room);
}

/// Commits the last page of each stack that has none.
void stack_depot::fill(stack* list, std::span<os::page_range> room) noexcept {
    const std::size_t page = os::page_size();
    std::size_t count = 0;
    for (stack* s = list; s != nullptr; s = s->next) {
        if (!std::exchange(s->empty, false)) {
            continue;
        }
        room[count++] = {.start = s->top - page, .bytes = page};
        if (count == room.size()) {
            os::populate(room.first(std::exchange(count, 0)));
        }
    }
    os::populate(room.first(count));
}

stack* stack_depot::take_from_stock(std::size_t wanted) noexcept {
    const std::lock_guard hold(lock_);
    stack* list = nullptr;
    for (std::size_t i = 0; i < wanted; ++i) {
        stack* s = nullptr;
        if (hot_ != nullptr) {
            s = std::exchange(hot_, hot_->next);
            --hot_count_;
        } else if (cool_ != nullptr) {
            s = std::exchange(cool_, cool_->next);
            --cool_count_;
        } else {
            break;
        }
        s->next = list;
        list = s;
    }
    lowest_ = std::min<std::size_t>(lowest_, hot_count_);
    surplus_ = std::min<std::size_t>(surplus_, hot_count_);
    return list;
}

void stack_depot::give(stack* list) noexcept {
    stack* last = nullptr;
    std::size_t count = 0;
    for (stack* s = list; s != nullptr; s = s->next) {
        last = s;
        ++count;
    }
    if (last == nullptr) {
        return;
    }
    const std::lock_guard hold(lock_);
    last->next = hot_;
    hot_ = list;
    hot_count_ += count;
}

bool stack_depot::scavenge(std::int64_t at) noexcept {
    if (!stocked()) {
        return false;
    }
    stack* list = nullptr;
    std::size_t warm = 0;
    bool more = false;
    {
        const std::lock_guard hold(lock_);
        if (at - marked_at_ >= keep_for) {
            marked_at_ = at;
            surplus_ = lowest_;
            lowest_ = hot_count_;
        }
        for (std::size_t i = 0; i < scavenged_at_once && surplus_ != 0; ++i, --surplus_) {
            stack* const s = std::exchange(hot_, hot_->next);
            --hot_count_;
            s->next = list;
            list = s;
        }
        lowest_ = std::min<std::size_t>(lowest_, hot_count_);
        warm = cool_count_ < depot_keeps_warm ? depot_keeps_warm - cool_count_ : 0;
        more = surplus_ != 0;
    }
    // Outside the lock: these are ours alone until they are linked in again.
    {
        discarding pages;
        for (stack* s = list; s != nullptr; s = s->next) {
            s->empty = warm == 0;
            pages.add(*s, s->empty ? 0 : kept_hot);
            warm -= s->empty ? 0 : 1;
            s->used = false;
        }
    }
    const std::lock_guard hold(lock_);
    while (list != nullptr) {
        stack* const s = std::exchange(list, list->next);
        s->next = cool_;
        cool_ = s;
        ++cool_count_;
    }
    return more;
}

stack* stack_depot::map_one(std::size_t size) noexcept {
    std::byte* const start = os::reserve(size + guard_bytes);
    if (start == nullptr) {
        fatal("cannot reserve address space for a goroutine's stack");
    }
    auto* s = new stack;
    s->low = start + guard_bytes;
    s->top = s->low + size;
    s->guarded = guard(start);
    tell_valgrind_stack(s->low, s->top);
    return s;
}

void stack_depot::unmap_one(stack* s) noexcept {
    if (s->guarded) {
        guards_.fetch_sub(1);
    }
    os::release(s->low - guard_bytes, s->size() + guard_bytes);
    delete s;
}

void stack_cache::refill() noexcept {
    free_ = depot_.take(capacity / 2, room_);
    count_ = 0;
    for (const stack* s = free_; s != nullptr; s = s->next) {
        ++count_;
    }
}

void stack_cache::shrink() noexcept {
    // The coldest half goes.
    stack* last_kept = free_;
    for (std::size_t i = 1; i < capacity / 2; ++i) {
        last_kept = last_kept->next;
    }
    stack* const cold = last_kept->next;
    last_kept->next = nullptr;
    count_ = capacity / 2;
    depot_.give(cold);
}

void stack_cache::trim() noexcept {
    untrimmed_ = false;
    discarding pages;
    for (stack* s = free_; s != nullptr; s = s->next) {
        if (s->used) {
            s->used = false;
            pages.add(*s, kept_hot);
        }
    }
}

void stack_cache::flush() noexcept {
    stack* const all = free_;
    free_ = nullptr;
    count_ = 0;
    depot_.give(all);
}

}  // namespace runnel::detail
