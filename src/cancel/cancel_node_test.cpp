#include "src/cancel/cancel_node.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <runnel/chan.hpp>

namespace runnel::detail {
namespace {

/// What the steps of a walk over a tree have in common.
struct walk {
    std::size_t announced = 0;
    std::size_t destroyed = 0;
    std::uintptr_t lowest = UINTPTR_MAX;
    std::uintptr_t highest = 0;

    /// Where the stack is at this step.
    /// The frame and not a variable: AddressSanitizer moves variables to a stack of its own.
    void note_stack() noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        lowest = std::min(lowest, at);
        highest = std::max(highest, at);
    }
    [[nodiscard]] std::size_t stack_used() const noexcept { return highest - lowest; }
};

class counted_node final : public cancel_node {
public:
    counted_node(context_ref parent, walk& w) : cancel_node(std::move(parent), never), walk_(w) {
        adopt();
    }
    void announce() noexcept override {
        ++walk_.announced;
        walk_.note_stack();
    }
    recv_chan<unit> done() override { return {}; }

private:
    ~counted_node() override {
        ++walk_.destroyed;
        walk_.note_stack();
    }

    walk& walk_;
};

struct tree {
    walk steps;
    std::vector<context_ref> nodes;

    counted_node& add(const context_ref& parent) {
        auto* const node = new counted_node(parent, steps);
        nodes.emplace_back(node);
        return *node;
    }
    [[nodiscard]] cancel_node& at(std::size_t i) const { return *nodes[i].get()->canceler(); }
};

/// The parent of node `i`: of a chain, of a flat tree, of a binary one.
using shape = std::size_t (*)(std::size_t i);
std::size_t chain(std::size_t i) { return i - 1; }
std::size_t flat(std::size_t) { return 0; }
std::size_t binary(std::size_t i) { return (i - 1) / 2; }

std::unique_ptr<tree> grow(shape parent_of, std::size_t size) {
    auto t = std::make_unique<tree>();
    t->nodes.reserve(size);
    t->add({});
    for (std::size_t i = 1; i < size; ++i) {
        t->add(t->nodes[parent_of(i)]);
    }
    return t;
}

using cancel_node_trees = ::testing::TestWithParam<shape>;

TEST_P(cancel_node_trees, are_cancelled_with_one_step_a_node_and_a_constant_stack) {
    for (const std::size_t size : {std::size_t{50'000}, std::size_t{100'000}}) {
        const auto t = grow(GetParam(), size);
        t->at(0).cancel(errc::canceled, nullptr);
        EXPECT_EQ(t->steps.announced, size);
        EXPECT_LT(t->steps.stack_used(), 1000U);
        for (std::size_t i = 0; i < size; ++i) {
            ASSERT_TRUE(t->at(i).canceled());
            ASSERT_EQ(t->at(i).child_count(), 0U);
        }
    }
}

TEST_P(cancel_node_trees, are_dropped_with_one_step_a_node_and_a_constant_stack) {
    for (const std::size_t size : {std::size_t{50'000}, std::size_t{100'000}}) {
        const auto t = grow(GetParam(), size);
        context_ref last = t->nodes.back();  // keeps what is above it
        t->nodes.clear();
        EXPECT_LT(t->steps.destroyed, size);
        last = context_ref();
        EXPECT_EQ(t->steps.destroyed, size);
        EXPECT_LT(t->steps.stack_used(), 1000U);
    }
}

INSTANTIATE_TEST_SUITE_P(shapes, cancel_node_trees, ::testing::Values(&chain, &flat, &binary));

TEST(cancel_node, a_child_that_is_dropped_or_cancelled_leaves_its_parent) {
    tree t;
    cancel_node& root = t.add({});
    for (int i = 0; i < 100; ++i) {
        t.add(t.nodes[0]);
    }
    EXPECT_EQ(root.child_count(), 100U);
    t.nodes.resize(51);
    EXPECT_EQ(root.child_count(), 50U);
    for (std::size_t i = 1; i <= 50; ++i) {
        t.at(i).cancel(errc::canceled, nullptr);
    }
    EXPECT_EQ(root.child_count(), 0U);
    EXPECT_FALSE(root.canceled());
}

TEST(cancel_node, a_child_of_one_that_has_ended_ends_at_once) {
    tree t;
    cancel_node& root = t.add({});
    root.cancel(errc::deadline_exceeded, nullptr);
    cancel_node& child = t.add(t.nodes[0]);
    EXPECT_TRUE(child.canceled());
    EXPECT_EQ(child.error(), errc::deadline_exceeded);
    EXPECT_EQ(root.child_count(), 0U);
}

}  // namespace
}  // namespace runnel::detail
