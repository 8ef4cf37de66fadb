// test/go/chan_barrier_test.cpp: values that own memory, handed over by very short goroutines.
//
// Follows Go's src/runtime/chanbarrier_test.go, which looks for a missing write barrier; here the
// same traffic shows, under ASan, that a value changes hands exactly once.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

struct answer {
    std::unique_ptr<std::string> response;
    std::exception_ptr error;
};

class refused : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

answer request(bool with_select) {
    auto ch = make_chan<std::unique_ptr<answer>>();
    auto done = make_chan<unit>();
    go([=] {
        auto result = std::make_unique<answer>();
        result->error = std::make_exception_ptr(refused("no"));
        if (with_select) {
            select(on_send(ch, std::move(result)), on_recv(done));
        } else {
            ch.send(std::move(result));
        }
    });
    auto result = ch.recv().value();
    yield();
    return std::move(*result);
}

void request_from_many_goroutines(bool with_select) {
    const std::size_t clients = test::scaled(100, 20);
    const std::size_t requests = test::scaled(1'000, 100);
    std::atomic<std::size_t> refusals = 0;
    wait_group all;
    for (std::size_t i = 0; i < clients; ++i) {
        all.go([&, requests, with_select] {
            std::vector<char> garbage;
            for (std::size_t j = 0; j < requests; ++j) {
                try {
                    std::rethrow_exception(request(with_select).error);
                } catch (const refused&) {
                    ++refusals;
                }
                garbage = std::vector<char>(1024);
            }
        });
    }
    all.wait();
    EXPECT_EQ(refusals, clients * requests);
}

using go_chan_barrier = test::on_workers;

TEST_P(go_chan_barrier, owned_values_survive_a_send) {
    run([] { request_from_many_goroutines(false); });
}

TEST_P(go_chan_barrier, owned_values_survive_a_send_in_a_select) {
    run([] { request_from_many_goroutines(true); });
}

INSTANTIATE_TEST_SUITE_P(workers, go_chan_barrier, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
