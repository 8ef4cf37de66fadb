// test/support/clean.hpp: bubbles in which whatever is started has to end.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>

#include <runnel/debug/goroutines.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/go/helpers.hpp"

namespace runnel::test {

/// Runs a test body on virtual time, with 1, 2 and 8 workers. Every goroutine that the body starts
/// must have ended by itself when the body returns, give or take what can still run: the bubble
/// lets no time pass for it.
class clean_bubble : public in_bubble {
protected:
    template <class F>
    void run_clean(F body) {
        const std::size_t before = debug::live_goroutines();
        run([&](testing::bubble& world) {
            const std::size_t inside = debug::live_goroutines();
            body(world);
            world.settle();
            EXPECT_EQ(debug::live_goroutines(), inside);
        });
        EXPECT_EQ(debug::live_goroutines(), before);
    }
};

}  // namespace runnel::test
