// runnel/detail/context_node.hpp: what a context handle points to.
//
// Contexts form a tree that hangs together by the children: each node keeps its parent alive. A
// node that can be cancelled is a cancel_node (src/cancel); every other one lets the nearest such
// node above it speak.
//
// Memory order
//   shares_: retain() is relaxed [S-1], because whoever copies a handle has one; the decrement is
//   sequentially consistent, so the last owner sees all that the others have done.
#pragma once

#include <atomic>
#include <cstdint>

namespace runnel::detail {

class cancel_node;
class context_node;
void retain(context_node* node) noexcept;  ///< null does nothing
/// Drops a share; a chain of any length goes without recursion. The last one destroys values and
/// functions of the user's, which may block.
void release(context_node* node) noexcept;
/// The same where that must not happen: if it is the last share, a goroutine destroys the node.
void release_aside(context_node* node) noexcept;

/// A share of a node, or of none.
class context_ref {
public:
    context_ref() noexcept = default;
    /// Takes over one share.
    explicit context_ref(context_node* node) noexcept : node_(node) {}
    context_ref(const context_ref& other) noexcept : node_(other.node_) { retain(node_); }
    context_ref(context_ref&& other) noexcept : node_(other.node_) { other.node_ = nullptr; }
    context_ref& operator=(context_ref other) noexcept {
        context_node* const mine = node_;
        node_ = other.node_;
        other.node_ = mine;
        return *this;
    }
    ~context_ref() { release(node_); }

    [[nodiscard]] context_node* get() const noexcept { return node_; }
    /// Gives the share away.
    [[nodiscard]] context_node* take() noexcept {
        context_node* const node = node_;
        node_ = nullptr;
        return node;
    }

private:
    context_node* node_ = nullptr;
};

class context_node {
public:
    /// A node below `parent` (none: the background) that is cancelled with it. It starts with one
    /// share, the caller's.
    explicit context_node(context_ref parent) noexcept;
    /// The same with a canceler of its own, or with none.
    context_node(context_ref parent, cancel_node* canceler) noexcept;
    context_node(const context_node&) = delete;
    context_node& operator=(const context_node&) = delete;

    /// A share for somebody who has none: false if the last one has gone.
    [[nodiscard]] bool try_retain() noexcept;
    [[nodiscard]] context_node* parent() const noexcept { return parent_; }
    /// Who decides when this context is cancelled; null if nobody can.
    [[nodiscard]] cancel_node* canceler() const noexcept { return canceler_; }

    /// The value that this very node has for `key`; null if it has none.
    [[nodiscard]] virtual const void* find(const void* key) const noexcept {
        static_cast<void>(key);
        return nullptr;
    }

protected:
    virtual ~context_node() = default;

private:
    friend void retain(context_node* node) noexcept;
    friend void release(context_node* node) noexcept;
    friend void release_aside(context_node* node) noexcept;
    static void destroy(context_node* node) noexcept;

    std::atomic<std::uint32_t> shares_ = 1;
    context_node* const parent_;  ///< a share of it, which release() drops
    cancel_node* const canceler_;
};

/// One address for each key type.
template <class Key>
inline char key_identity = 0;

}  // namespace runnel::detail
