// patterns/flow_test.hpp: what the tests of pipelines share.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/support/clean.hpp"

namespace runnel::test {

/// Counts how many of them there are.
struct tracked {
    explicit tracked(int n = 0) : value(n) { ++alive; }
    tracked(const tracked& other) : value(other.value) { ++alive; }
    tracked(tracked&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
    tracked& operator=(const tracked&) = default;
    tracked& operator=(tracked&& other) noexcept {
        value = std::exchange(other.value, -1);
        return *this;
    }
    ~tracked() { --alive; }

    int value;
    inline static std::atomic<long> alive = 0;
};

/// Sends from, from+1, ... below `to`.
inline auto numbers(int from, int to) {
    return [from, to](const send_chan<int>& out) {
        for (int i = from; i < to; ++i) {
            out.send(i);
        }
    };
}

/// Sends 0, 1, 2, ... for ever.
inline void naturals(const send_chan<int>& out) {
    for (int i = 0;; ++i) {
        out.send(i);
    }
}

template <class Ch>
auto collect(const Ch& in) {
    std::vector<typename Ch::value_type> all;
    for (auto&& value : in) {
        all.push_back(std::move(value));
    }
    return all;
}

/// What a consumer has got when its input ended, and with which error.
template <class Ch>
auto collect_until_error(const Ch& in) {
    std::pair<std::vector<typename Ch::value_type>, std::exception_ptr> result;
    try {
        for (auto&& value : in) {
            result.first.push_back(std::move(value));
        }
    } catch (...) {
        result.second = std::current_exception();
    }
    return result;
}

/// True if `error` is an E.
template <class E>
bool is(const std::exception_ptr& error) {
    if (!error) {
        return false;
    }
    try {
        std::rethrow_exception(error);
    } catch (const E&) {
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace runnel::test
