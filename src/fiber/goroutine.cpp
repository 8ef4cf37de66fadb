#include "src/fiber/goroutine.hpp"

#include <mutex>
#include <new>

namespace runnel::detail {

void* goroutine::make_room(std::size_t size, std::size_t align) {
    if (size <= inline_closure_bytes && align <= alignof(std::max_align_t)) {
        closure = inline_closure.data();
    } else {
        closure = ::operator new(size, std::align_val_t(align));
        closure_align = align;
    }
    return closure;
}

void goroutine::drop_room() noexcept {
    if (closure != inline_closure.data() && closure != nullptr) {
        ::operator delete(closure, std::align_val_t(closure_align));
    }
    closure = nullptr;
}

goroutine* goroutine_pool::take(std::size_t wanted) {
    const std::lock_guard hold(lock_);
    goroutine* list = nullptr;
    for (std::size_t i = 0; i < wanted; ++i) {
        if (free_ == nullptr) {
            if (list != nullptr) {
                break;
            }
            slabs_.push_back(std::make_unique<slab>());
            for (goroutine& g : *slabs_.back()) {
                g.next = free_;
                free_ = &g;
            }
        }
        goroutine* const g = free_;
        free_ = g->next;
        g->next = list;
        list = g;
    }
    return list;
}

void goroutine_pool::give(goroutine* list) noexcept {
    if (list == nullptr) {
        return;
    }
    goroutine* last = list;
    while (last->next != nullptr) {
        last = last->next;
    }
    const std::lock_guard hold(lock_);
    last->next = free_;
    free_ = list;
}

void goroutine_cache::refill() {
    free_ = pool_.take(capacity / 4);
    count_ = 0;
    for (const goroutine* g = free_; g != nullptr; g = g->next) {
        ++count_;
    }
}

void goroutine_cache::shrink() noexcept {
    goroutine* last_kept = free_;
    for (std::size_t i = 1; i < capacity / 2; ++i) {
        last_kept = last_kept->next;
    }
    goroutine* const cold = last_kept->next;
    last_kept->next = nullptr;
    count_ = capacity / 2;
    pool_.give(cold);
}

}  // namespace runnel::detail
