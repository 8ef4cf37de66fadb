#include <runnel/context.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

#include "src/context/context_state.hpp"

namespace runnel {
namespace detail {

const timer_ops context_state::deadline_ops{
    .claim =
        [](timer_node& node) noexcept {
            return static_cast<deadline_timer&>(node).owner->try_retain();
        },
    .fire =
        [](timer_node& node) noexcept {
            context_state* const owner = static_cast<deadline_timer&>(node).owner;
            owner->cancel(errc::deadline_exceeded, nullptr);
            release(owner);
        },
    .abandon = [](timer_node& node) noexcept { release(static_cast<deadline_timer&>(node).owner); },
};

context_ref context_state::make(const context_ref& parent, ticks deadline) {
    const cancel_node* const above = parent.get() != nullptr ? parent.get()->canceler() : nullptr;
    const ticks inherited = above != nullptr ? above->deadline() : never;
    auto* const node = new context_state(parent, std::min(deadline, inherited));
    context_ref made(node);
    if (deadline < inherited && deadline <= now()) {
        node->cancel(errc::deadline_exceeded, nullptr);
    } else if (deadline < inherited) {
        node->timer_.when = deadline;
        node->timer_.ops = &deadline_ops;
        node->timer_.owner = node;
        arm_timer(node->timer_);
    }
    node->adopt();
    return made;
}

context_state::~context_state() {
    if (timer_.owner != nullptr) {
        disarm_timer(timer_);
    }
    // What waits for a cancellation that cannot come any more is dropped; its destructors are the
    // user's, so one after the other.
    while (cancel_callback* const callback = callbacks_.pop_front()) {
        const std::shared_ptr<cancel_callback> last = std::move(callback->self);
    }
}

void context_state::announce() noexcept {
    if (announced_.load()) {
        return;
    }
    if (timer_.owner != nullptr) {
        disarm_timer(timer_);
    }
    chan<unit> done;
    intrusive_list<cancel_callback> started;
    {
        const std::lock_guard hold(lock_);
        announcing_ = true;
        done = done_;
        started.splice_back(callbacks_);
    }
    if (done) {
        chan_close_if_open(done.core());
    }
    announced_.store(true);
    while (cancel_callback* const callback = started.pop_front()) {
        const std::shared_ptr<cancel_callback> last = std::move(callback->self);
        last->start();
    }
}

recv_chan<unit> context_state::done() {
    auto fresh = make_chan<unit>();
    {
        const std::lock_guard hold(lock_);
        if (!done_ && !announcing_) {
            done_ = fresh;
        }
        if (done_) {
            return done_;
        }
    }
    fresh.close();  // before anybody can see it: X1
    const std::lock_guard hold(lock_);
    if (!done_) {
        done_ = fresh;
    }
    return done_;
}

bool context_state::add(const std::shared_ptr<cancel_callback>& callback) noexcept {
    const std::lock_guard hold(lock_);
    if (announcing_) {
        return false;
    }
    callback->self = callback;
    callbacks_.push_back(callback.get());
    return true;
}

bool context_state::remove(cancel_callback& callback) noexcept {
    std::shared_ptr<cancel_callback> dropped;
    {
        const std::lock_guard hold(lock_);
        if (announcing_ || callback.self == nullptr) {
            return false;
        }
        callbacks_.remove(&callback);
        dropped = std::move(callback.self);
    }
    return true;
}

namespace {

/// Keeps the values of its parent, and nothing else.
class uncancelable_node final : public context_node {
public:
    explicit uncancelable_node(context_ref parent) noexcept
        : context_node(std::move(parent), nullptr) {}
};

context_state* state_of(const context_ref& node) noexcept {
    return node.get() != nullptr ? static_cast<context_state*>(node.get()->canceler()) : nullptr;
}

}  // namespace

cancel_scope make_cancelable(const context& parent, ticks deadline) {
    const context_ref node = context_state::make(parent.node(), deadline);
    return {context(node), cancel_func(node)};
}

void cancel_context(context_node* node, std::exception_ptr cause) noexcept {
    if (node != nullptr) {
        node->canceler()->cancel(errc::canceled, std::move(cause));
    }
}

void add_callback(const context& ctx, const std::shared_ptr<cancel_callback>& callback) {
    context_state* const state = state_of(ctx.node());
    if (state != nullptr && !state->add(callback)) {
        callback->start();
    }
}

bool remove_callback(const context& ctx, cancel_callback& callback) noexcept {
    context_state* const state = state_of(ctx.node());
    return state != nullptr ? state->remove(callback) : true;
}

}  // namespace detail

recv_chan<unit> context::done() const {
    detail::cancel_node* const node = node_.get() != nullptr ? node_.get()->canceler() : nullptr;
    return node != nullptr ? node->done() : recv_chan<unit>();
}

context without_cancel(const context& parent) {
    return context(detail::context_ref(new detail::uncancelable_node(parent.node())));
}

bool cancel_registration::stop() noexcept {
    const std::shared_ptr<detail::cancel_callback> callback = std::move(callback_);
    return callback != nullptr && detail::remove_callback(ctx_, *callback);
}

}  // namespace runnel
