#include <runnel/context.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

#include "src/context/context_state.hpp"

namespace runnel {
namespace detail {
namespace {

context_state* state_of(const context_ref& node) noexcept {
    return node.get() != nullptr ? static_cast<context_state*>(node.get()->canceler()) : nullptr;
}

/// The goroutine owns the callback, and destroys it if nobody else has it.
void start_callback(std::shared_ptr<cancel_callback> callback) {
    const start_info place{.file = callback->where.file_name(), .line = callback->where.line()};
    start_closure(place, [own = std::move(callback)] { own->run(); });
}

void start_callbacks(intrusive_list<cancel_callback>& list) noexcept {
    while (cancel_callback* const callback = list.pop_front()) {
        start_callback(std::move(callback->self));
    }
}

}  // namespace

ticks deadline_of(const context_ref& parent) noexcept {
    const context_state* const above = state_of(parent);
    return above != nullptr ? above->deadline() : never;
}

const timer_ops context_state::deadline_ops{
    .claim =
        [](timer_node& node) noexcept {
            return static_cast<deadline_timer&>(node).owner->try_retain();
        },
    .fire =
        [](timer_node& node) noexcept {
            context_state* const owner = static_cast<deadline_timer&>(node).owner;
            owner->cancel(errc::deadline_exceeded, nullptr);
            release_aside(owner);
        },
    .abandon =
        [](timer_node& node) noexcept { static_cast<deadline_timer&>(node).owner->lose_timer(); },
};

context_ref context_state::make(const context_ref& parent, ticks deadline) {
    const context_state* const above = state_of(parent);
    const bool sooner = deadline < deadline_of(parent);
    auto* const node = new context_state(parent, sooner ? deadline : deadline_of(parent));
    context_ref made(node);
    const bool armed = sooner && deadline > now() && (above == nullptr || !above->canceled());
    if (armed) {
        node->timer_.when = deadline;
        node->timer_.ops = &deadline_ops;
        node->timer_.owner = node;
        arm_timer(node->timer_);
    }
    node->adopt();
    if (sooner && !armed) {
        node->cancel(errc::deadline_exceeded, nullptr);  // unless the parent was first
    }
    return made;
}

context_state::~context_state() {
    if (timer_.owner != nullptr) {
        disarm_timer(timer_);
    }
    bequeath();
}

/// What waits here goes to the context above; if there is none, nobody can cancel it any more, and
/// it is dropped. Its destructors are the user's, so one after the other.
void context_state::bequeath() noexcept {
    if (callbacks_.empty()) {
        return;
    }
    if (auto* const up = static_cast<context_state*>(above()); up != nullptr) {
        if (!up->inherit(callbacks_)) {
            start_callbacks(callbacks_);
        }
        return;
    }
    while (cancel_callback* const callback = callbacks_.pop_front()) {
        const std::shared_ptr<cancel_callback> last = std::move(callback->self);
    }
}

bool context_state::inherit(intrusive_list<cancel_callback>& list) noexcept {
    const std::lock_guard hold(lock_);
    if (announcing_) {
        return false;
    }
    callbacks_.splice_back(list);
    if (deadline_may_come() && !held_) {
        held_ = true;
        retain(this);
    }
    return true;
}

/// The runtime that the timer was armed in has gone, and the deadline with it.
void context_state::lose_timer() noexcept {
    bool held = false;
    {
        const std::lock_guard hold(lock_);
        timer_lost_ = true;
        held = std::exchange(held_, false);
    }
    if (held) {
        release(this);
    }
    release(this);  // the claim's
}

void context_state::announce() noexcept {
    if (announced_.load()) {
        return;
    }
    chan<unit> done;
    intrusive_list<cancel_callback> started;
    std::stop_source stop{std::nostopstate};
    bool held = false;
    {
        const std::lock_guard hold(lock_);
        announcing_ = true;
        done = done_;
        started.splice_back(callbacks_);
        stop.swap(stop_);
        held = std::exchange(held_, false);
    }
    if (done) {
        chan_close_if_open(done.core());
    }
    announced_.store(true);
    if (timer_.owner != nullptr) {
        disarm_timer(timer_);
    }
    start_callbacks(started);
    if (stop.stop_possible()) {
        start_closure({}, [source = std::move(stop)]() mutable { source.request_stop(); });
    }
    if (held) {
        release_aside(this);
    }
}

recv_chan<unit> context_state::done() {
    if (canceled()) {
        announce();  // whoever sees a closed channel sees it from all who ask
    }
    {
        const std::lock_guard hold(lock_);
        if (done_) {
            return done_;
        }
    }
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

std::stop_token context_state::token() {
    {
        const std::lock_guard hold(lock_);
        if (stop_.stop_possible()) {
            return stop_.get_token();
        }
    }
    std::stop_source fresh;
    {
        const std::lock_guard hold(lock_);
        if (!announcing_) {
            if (!stop_.stop_possible()) {
                stop_ = fresh;
            }
            return stop_.get_token();
        }
    }
    fresh.request_stop();
    return fresh.get_token();
}

bool context_state::add(const std::shared_ptr<cancel_callback>& callback) noexcept {
    const std::lock_guard hold(lock_);
    if (announcing_) {
        return false;
    }
    callback->self = callback;
    callbacks_.push_back(callback.get());
    if (deadline_may_come() && !held_) {
        held_ = true;
        retain(this);
    }
    return true;
}

bool context_state::remove(cancel_callback& callback) noexcept {
    std::shared_ptr<cancel_callback> dropped;
    bool held = false;
    {
        const std::lock_guard hold(lock_);
        if (announcing_ || callback.self == nullptr) {
            return false;
        }
        callbacks_.remove(&callback);
        dropped = std::move(callback.self);
        held = callbacks_.empty() && std::exchange(held_, false);
    }
    if (held) {
        release(this);
    }
    return true;
}

context_ref stoppable_state::make(const context_ref& parent, std::stop_token token) {
    auto* const node = new stoppable_state(parent, deadline_of(parent));
    context_ref made(node);
    node->adopt();
    node->link_.emplace(std::move(token), on_stop{node});
    return made;
}

void stoppable_state::on_stop::operator()() const noexcept {
    // Its destructor waits until we have returned, and so must not run here.
    if (stoppable_state* const self = node; self->try_retain()) {
        self->cancel(errc::canceled, nullptr);
        release_aside(self);
    }
}

namespace {

/// Keeps the values of its parent, and nothing else.
class uncancelable_node final : public context_node {
public:
    explicit uncancelable_node(context_ref parent) noexcept
        : context_node(std::move(parent), nullptr) {}
};

cancel_scope scope_of(const context_ref& node) { return {context(node), cancel_func(node)}; }

}  // namespace

cancel_scope make_cancelable(const context& parent, ticks deadline) {
    return scope_of(context_state::make(parent.node(), deadline));
}

cancel_scope make_stoppable(const context& parent, std::stop_token token) {
    return scope_of(stoppable_state::make(parent.node(), std::move(token)));
}

void cancel_context(context_node* node, std::exception_ptr cause) noexcept {
    if (node != nullptr) {
        auto* const state = static_cast<context_state*>(node->canceler());
        state->cancel(errc::canceled, std::move(cause));
        state->withdraw();
    }
}

void add_callback(const context& ctx, const std::shared_ptr<cancel_callback>& callback) {
    context_state* const state = state_of(ctx.node());
    if (state != nullptr && !state->add(callback)) {
        start_callback(callback);
    }
}

bool remove_callback(const context& ctx, cancel_callback& callback) noexcept {
    context_state* const state = state_of(ctx.node());
    return state != nullptr ? state->remove(callback) : true;
}

}  // namespace detail

recv_chan<unit> context::done() const {
    detail::context_state* const state = detail::state_of(node_);
    return state != nullptr ? state->done() : recv_chan<unit>();
}

context without_cancel(const context& parent) {
    return context(detail::context_ref(new detail::uncancelable_node(parent.node())));
}

std::stop_token stop_token(const context& ctx) {
    detail::context_state* const state = detail::state_of(ctx.node());
    return state != nullptr ? state->token() : std::stop_token();
}

bool cancel_registration::stop() noexcept {
    const std::shared_ptr<detail::cancel_callback> callback = std::move(callback_);
    return callback != nullptr && detail::remove_callback(ctx_, *callback);
}

}  // namespace runnel
