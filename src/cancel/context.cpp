#include <runnel/detail/context.hpp>

#include <runnel/detail/closure.hpp>

#include "src/cancel/cancel_node.hpp"

namespace runnel {
namespace detail {

bool context_node::try_retain() noexcept {
    std::uint32_t shares = shares_.load();
    while (shares != 0) {
        if (shares_.compare_exchange_weak(shares, shares + 1)) {
            return true;
        }
    }
    return false;
}

context_node::context_node(context_ref parent) noexcept
    : parent_(parent.take()), canceler_(parent_ != nullptr ? parent_->canceler() : nullptr) {}

context_node::context_node(context_ref parent, cancel_node* canceler) noexcept
    : parent_(parent.take()), canceler_(canceler) {}

void retain(context_node* node) noexcept {
    if (node != nullptr) {
        node->shares_.fetch_add(1, std::memory_order_relaxed);  // [S-1]
    }
}

/// Its last share has gone: destroys it, and those above whose last share it had.
void context_node::destroy(context_node* node) noexcept {
    do {
        context_node* const parent = node->parent_;  // outlives it
        delete node;
        node = parent;
    } while (node != nullptr && node->shares_.fetch_sub(1) == 1);
}

void release(context_node* node) noexcept {
    if (node != nullptr && node->shares_.fetch_sub(1) == 1) {
        context_node::destroy(node);
    }
}

void release_aside(context_node* node) noexcept {
    if (node != nullptr && node->shares_.fetch_sub(1) == 1) {
        start_closure({}, [node] { context_node::destroy(node); });
    }
}

namespace {

cancel_node* canceler_of(const context& ctx) noexcept {
    const context_node* const node = ctx.node().get();
    return node != nullptr ? node->canceler() : nullptr;
}

}  // namespace

wait_limits limits_of(const context& ctx) noexcept {
    cancel_node* const node = canceler_of(ctx);
    return {.cancel = node != nullptr ? &node->word() : nullptr};
}

op_status status_of(const context& ctx) noexcept {
    return ctx.err() == errc::deadline_exceeded ? op_status::timeout : op_status::canceled;
}

bool has_ended(const context& ctx) noexcept {
    const cancel_node* const node = canceler_of(ctx);
    return node != nullptr && node->canceled();
}

void see_end(const context& ctx) noexcept {
    if (cancel_node* const node = canceler_of(ctx); node != nullptr && node->canceled()) {
        node->announce();
    }
}

}  // namespace detail

std::error_code context::err() const noexcept {
    detail::cancel_node* const node = detail::canceler_of(*this);
    if (node == nullptr || !node->canceled()) {
        return {};
    }
    node->announce();  // whoever is about to close done() may not have come to it yet
    return make_error_code(node->error());
}

std::exception_ptr context::cause() const {
    detail::cancel_node* const node = detail::canceler_of(*this);
    if (node == nullptr || !node->canceled()) {
        return nullptr;
    }
    node->announce();
    if (node->cause()) {
        return node->cause();
    }
    return node->error() == errc::canceled
               ? std::make_exception_ptr(canceled_error())
               : std::make_exception_ptr(timeout_error(errc::deadline_exceeded));
}

std::optional<clock::time_point> context::deadline() const noexcept {
    const detail::cancel_node* const node = detail::canceler_of(*this);
    if (node == nullptr || node->deadline() == detail::never) {
        return std::nullopt;
    }
    return clock::time_point(clock::duration(node->deadline()));
}

const void* context::find(const void* key) const noexcept {
    for (const detail::context_node* node = node_.get(); node != nullptr; node = node->parent()) {
        if (const void* const value = node->find(key); value != nullptr) {
            return value;
        }
    }
    return nullptr;
}

}  // namespace runnel
