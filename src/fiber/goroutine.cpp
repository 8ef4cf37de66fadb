#include "src/fiber/goroutine.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <mutex>
#include <new>

#include "src/os/pages.hpp"

namespace runnel::detail {

void* goroutine::make_room(std::size_t size, std::size_t align) {
    if (size <= inline_closure_bytes && align <= alignof(std::max_align_t)) {
        closure = inline_closure.data();
    } else {
        closure = ::operator new(size, std::align_val_t(align));
        closure_align_log = static_cast<std::uint8_t>(std::countr_zero(align));
    }
    return closure;
}

void goroutine::drop_room() noexcept {
    if (closure != inline_closure.data() && closure != nullptr) {
        ::operator delete(closure, std::align_val_t(std::size_t{1} << closure_align_log));
    }
    closure = nullptr;
}

goroutine_pool::slab::slab(std::size_t pages) {
    const std::size_t page = os::page_size();
    void* const memory = ::operator new(pages * page, std::align_val_t(page));
    const os::page_range all{.start = static_cast<std::byte*>(memory), .bytes = pages * page};
    os::populate({&all, 1});
    memory_ = static_cast<goroutine*>(memory);
    count_ = pages * page / sizeof(goroutine);
    std::uninitialized_default_construct_n(memory_, count_);
}

goroutine_pool::slab::~slab() {
    if (memory_ != nullptr) {
        std::destroy_n(memory_, count_);
        ::operator delete(memory_, std::align_val_t(os::page_size()));
    }
}

goroutine_pool::chain goroutine_pool::take(std::size_t wanted) {
    for (;;) {
        if (const chain taken = take_free(wanted); taken.first != nullptr) {
            return taken;
        }
        make_more();
    }
}

goroutine_pool::chain goroutine_pool::take_free(std::size_t wanted) noexcept {
    const std::lock_guard hold(lock_);
    chain taken;
    while (taken.count < wanted && free_.first != nullptr) {
        taken.push(free_.pop());
    }
    return taken;
}

/// Makes a slab without the lock, which is a spin lock: this takes a while.
void goroutine_pool::make_more() {
    std::size_t pages = 0;
    {
        const std::lock_guard hold(lock_);
        pages = std::exchange(next_slab_, std::min(next_slab_ * 2, largest_slab));
    }
    slab made(pages);
    chain all;
    for (goroutine& g : made.records()) {
        all.push(&g);
    }
    const std::lock_guard hold(lock_);
    slabs_.push_back(std::move(made));
    append(all);
}

void goroutine_pool::give(const chain& records) noexcept {
    if (records.first == nullptr) {
        return;
    }
    const std::lock_guard hold(lock_);
    append(records);
}

void goroutine_pool::append(const chain& records) noexcept {
    records.last->next = free_.first;
    free_.last = free_.first != nullptr ? free_.last : records.last;
    free_.first = records.first;
    free_.count += records.count;
}

void goroutine_cache::refill() {
    free_ = spare_.first != nullptr ? std::exchange(spare_, {}) : pool_.take(batch / 2);
}

}  // namespace runnel::detail
