#include <runnel/detail/locals.hpp>

#include <algorithm>

#include "src/fiber/goroutine.hpp"
#include "src/sched/current.hpp"
#include "src/sched/worker.hpp"

namespace runnel::detail {

goroutine_locals::~goroutine_locals() {
    while (!values_.empty()) {
        const value last = values_.back();
        values_.pop_back();
        last.destroy(last.object);
    }
}

void* goroutine_locals::find(const void* key) const noexcept {
    const auto at = std::ranges::find(values_, key, &value::key);
    return at != values_.end() ? at->object : nullptr;
}

goroutine_locals& current_locals() {
    worker* const on = current_worker();
    goroutine_locals*& mine =
        on != nullptr && on->current != nullptr ? on->current->locals : thread_locals();
    if (mine == nullptr) {
        mine = new goroutine_locals;
    }
    return *mine;
}

}  // namespace runnel::detail
