#include "src/sched/timers.hpp"

#include <algorithm>

#include "src/sched/current.hpp"
#include "src/sched/registry.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {

timer_armer::timer_armer()
    : on_(current_worker()), home_(on_ != nullptr ? on_->home : process_scheduler()) {}

ticks timer_armer::now() const noexcept { return home_.now(); }

void timer_armer::link(timer_node& node) {
    when_ = std::min(when_, node.when);
    if (on_ != nullptr) {
        interrupt_ = home_.link_timer(*on_, node) || interrupt_;
    } else {
        home_.link_foreign_timer(node);
    }
}

void timer_armer::tell() noexcept {
    if (on_ == nullptr) {
        home_.watch_foreign_timer(when_);
    } else if (interrupt_) {
        home_.interrupt_poller();
    }
}

void arm_timer(timer_node& node) {
    timer_armer armer;
    armer.link(node);
    armer.tell();
}

bool disarm_timer(timer_node& node) noexcept {
    return node.heap != nullptr && node.heap->remove(node);
}

}  // namespace runnel::detail
