#include <runnel/selector.hpp>

#include <exception>

namespace runnel {

std::size_t selector::add(std::unique_ptr<entry> e) {
    if (cases_.capacity() == entries_.size()) {  // so that choose() does not allocate
        cases_.reserve(2 * cases_.capacity() + 1);
    }
    entries_.push_back(std::move(e));
    return entries_.size() - 1;
}

void selector::disable(std::size_t i) { entries_.at(i)->enabled = false; }

/// Describes every case, then runs the core's select.
void selector::run_core(detail::select_call& call) {
    cases_.assign(entries_.size(), {});
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i]->enabled) {
            entries_[i]->bind(cases_[i]);
        }
    }
    call.cases = cases_;
    if (call.limits.any()) {
        detail::select_limited(call);
    } else {
        detail::suspend(detail::select_begin(call));
        detail::select_finish(call);
    }
}

std::optional<std::size_t> selector::choose(bool blocking, const detail::wait_limits& limits) {
    // Whatever throws here, every other case still gets its value back, and what has arrived is
    // taken.
    std::exception_ptr failure;
    const auto guarded = [&failure](auto step) {
        try {
            step();
        } catch (...) {
            failure = failure ? failure : std::current_exception();
        }
    };
    detail::select_call call;
    call.blocking = blocking;
    call.limits = limits;
    guarded([&] { run_core(call); });
    const bool any = call.chosen < entries_.size();
    if (any) {
        guarded([&] { entries_[call.chosen]->chosen(cases_[call.chosen].node.ok); });
    }
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (i != call.chosen && entries_[i]->enabled) {
            guarded([&] { entries_[i]->passed_over(); });
        }
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
    return any ? std::optional(call.chosen) : std::nullopt;
}

}  // namespace runnel
