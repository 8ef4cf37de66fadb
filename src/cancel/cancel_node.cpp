#include "src/cancel/cancel_node.hpp"

#include <mutex>
#include <utility>

#include <runnel/detail/shared_exception.hpp>

namespace runnel::detail {

cancel_node::~cancel_node() {
    if (cancel_node* const up = above(); up != nullptr) {
        up->remove_child(*this);
    }
}

std::size_t cancel_node::child_count() noexcept {
    const std::lock_guard hold(lock_);
    return children_.size();
}

cancel_node* cancel_node::above() const noexcept {
    return parent() != nullptr ? parent()->canceler() : nullptr;
}

/// Fixes why the node is cancelled; false if that was done before.
bool cancel_node::end(errc error, std::exception_ptr cause) noexcept {
    const std::lock_guard hold(lock_);
    if (ended_) {
        return false;
    }
    ended_ = true;
    error_ = error;
    cause_ = std::move(cause);
    return true;
}

void cancel_node::publish() noexcept {
    word_.cancel();
    announce();
}

/// The first child that lives, with a share for the caller; null if there is none.
cancel_node* cancel_node::first_child() noexcept {
    const std::lock_guard hold(lock_);
    while (cancel_node* const child = children_.front()) {
        if (child->try_retain()) {
            return child;
        }
        children_.remove(child);  // it is being destroyed: K1
        child->linked_ = false;
    }
    return nullptr;
}

void cancel_node::remove_child(cancel_node& child) noexcept {
    const std::lock_guard hold(lock_);
    if (child.linked_) {
        child.linked_ = false;
        children_.remove(&child);
    }
}

void cancel_node::adopt() noexcept {
    cancel_node* const up = above();
    if (up == nullptr) {
        return;
    }
    bool too_late = false;
    {
        const std::lock_guard hold(up->lock_);
        too_late = up->ended_;
        if (!too_late) {
            up->children_.push_back(this);
            linked_ = true;
        }
    }
    if (too_late) {
        up->publish();                   // nobody sees a child end before its parent
        cancel(up->error_, up->cause_);  // K3: fixed, and seen under the lock
    } else if (canceled()) {
        up->remove_child(*this);  // its deadline was faster, and found nothing to leave
    }
}

void cancel_node::cancel(errc error, std::exception_ptr cause) noexcept {
    retain(this);
    share_exception(cause);
    end(error, std::move(cause));
    publish();
    cancel_node* at = this;
    for (;;) {
        if (cancel_node* const child = at->first_child(); child != nullptr) {
            child->end(at->error_, at->cause_);
            child->publish();
            at = child;
            continue;
        }
        cancel_node* const up = at->above();
        if (up != nullptr) {
            up->remove_child(*at);
        }
        const bool all = at == this;
        release_aside(at);
        if (all) {
            return;
        }
        at = up;
    }
}

}  // namespace runnel::detail
