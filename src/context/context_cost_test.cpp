// context/context_cost_test.cpp: what a context allocates. (S56)
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#include <runnel/runnel.hpp>

#include "src/context/context_state.hpp"
#include "test/support/support.hpp"

namespace {

std::atomic<std::size_t> allocations = 0;

}  // namespace

// Counted for the whole test program. The alignments that contexts need are malloc's. Weak, because
// a sanitizer's own must win.
[[gnu::weak]] void* operator new(std::size_t size) {
    ++allocations;
    if (void* const p = std::malloc(size != 0 ? size : 1); p != nullptr) {
        return p;
    }
    throw std::bad_alloc();
}
[[gnu::weak]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::weak]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace runnel {
namespace {

using namespace std::chrono_literals;

class context_cost : public ::testing::Test {
protected:
    void SetUp() override {
        if (test::under_sanitizer()) {
            GTEST_SKIP() << "a sanitizer has an operator new of its own";
        }
    }
};

template <class F>
std::size_t allocations_of(F f) {
    const std::size_t before = allocations;
    f();
    return allocations - before;
}

struct key {
    using type = int;
};

TEST_F(context_cost, deriving_allocates_once) {
    auto [root, cancel] = with_cancel(background());
    for (int i = 0; i < 64; ++i) {
        auto warm = with_timeout(root, 1h);  // the runtime, and room in every heap of timers
    }
    EXPECT_EQ(allocations_of([&] { auto scope = with_cancel(root); }), 1U);
    EXPECT_EQ(allocations_of([&] { const context ctx = with_value<key>(root, 1); }), 1U);
    EXPECT_EQ(allocations_of([&] { auto scope = with_timeout(root, 1h); }), 1U);
    EXPECT_EQ(allocations_of([&] { const context ctx = root; }), 0U);
}

TEST_F(context_cost, cancelling_allocates_nothing_when_nobody_has_asked_for_done) {
    auto [root, cancel] = with_cancel(background());
    std::vector<cancel_scope> children;
    children.reserve(100);
    for (int i = 0; i < 100; ++i) {
        children.push_back(with_cancel(root));
    }
    EXPECT_EQ(allocations_of([&] { cancel(); }), 0U);
    EXPECT_EQ(children[99].ctx().err(), errc::canceled);
    EXPECT_EQ(allocations_of([&] { EXPECT_TRUE(root.err()); }), 0U);
}

TEST_F(context_cost, done_is_made_once) {
    auto [ctx, cancel] = with_cancel(background());
    const auto first = ctx.done();
    EXPECT_EQ(allocations_of([&] { EXPECT_TRUE(ctx.done() == first); }), 0U);
}

TEST_F(context_cost, waiting_allocates_nothing) {
    auto [ctx, cancel] = with_cancel(background());
    const chan<int> ch = make_chan<int>(1);
    const chan<int> other = make_chan<int>(1);
    ch.send(1);
    EXPECT_EQ(allocations_of([&] {
                  int v = 0;
                  EXPECT_EQ(ch.recv(ctx, v), op_status::ok);
                  EXPECT_EQ(ch.send(ctx, v), op_status::ok);
                  EXPECT_EQ(select(on_recv(ch), on_done(ctx)), 0U);
                  EXPECT_EQ(select(on_recv(other), on_done(ctx), otherwise()), 2U);
              }),
              0U);
}

TEST_F(context_cost, a_node_is_as_small_as_it_was) {
    EXPECT_LE(sizeof(detail::context_state), 256U);
}

}  // namespace
}  // namespace runnel
