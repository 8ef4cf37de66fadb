// test/go/once_test.cpp: doing something once.
//
// Follows Go's src/sync/once_test.go; what an exception means follows std (docs/deviations.md).
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <stdexcept>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using go_once = test::on_workers;

TEST_P(go_once, ten_goroutines_call_once_and_all_see_it) {  // S32, S42
    run([] {
        for (std::size_t round = test::scaled(300, 100); round > 0; --round) {
            int o = 0;
            once_flag once;
            auto done = make_chan<bool>();
            constexpr int n = 10;
            for (int i = 0; i < n; ++i) {
                go([&, done] {
                    call_once(once, [&] { ++o; });
                    EXPECT_EQ(o, 1);
                    done.send(true);
                });
            }
            for (int i = 0; i < n; ++i) {
                test::drop(done);
            }
            EXPECT_EQ(o, 1);
        }
    });
}

TEST_P(go_once, call_that_throws_has_not_been_made) {  // S42, as std
    run([] {
        once_flag once;
        EXPECT_THROW(call_once(once, [] { throw std::runtime_error("failed"); }),
                     std::runtime_error);
        int calls = 0;
        call_once(once, [&] { ++calls; });
        call_once(once, [&] { ++calls; });
        EXPECT_EQ(calls, 1);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_once, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
