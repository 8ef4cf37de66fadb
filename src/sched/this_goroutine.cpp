#include <runnel/goroutine.hpp>

#include "src/sched/current.hpp"
#include "src/sched/worker.hpp"

namespace runnel::this_goroutine {
namespace {

const detail::goroutine* current() noexcept {
    const detail::worker* const on = detail::current_worker();
    return on != nullptr ? on->current : nullptr;
}

}  // namespace

std::uint64_t id() noexcept {
    const detail::goroutine* const g = current();
    return g != nullptr ? g->id.load() : 0;
}

std::string name() {
    const detail::goroutine* const g = current();
    return g != nullptr && g->name ? *g->name : std::string();
}

}  // namespace runnel::this_goroutine
