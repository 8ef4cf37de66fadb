// test/support/slow_to_go.hpp: tells whether a callable has been destroyed by the time its end is
// seen.
#pragma once

#include <atomic>
#include <utility>

#include <runnel/goroutine.hpp>

namespace runnel::test {

/// To be captured. Its destruction lets everybody else run before it sets `gone`: whoever is told
/// of the end too early sees that it is not set.
class slow_to_go {
public:
    explicit slow_to_go(std::atomic<bool>& gone) noexcept : gone_(&gone) {}
    slow_to_go(slow_to_go&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
    slow_to_go& operator=(slow_to_go&&) = delete;
    ~slow_to_go() {
        if (gone_ != nullptr) {
            for (int i = 0; i < 100; ++i) {
                yield();
            }
            *gone_ = true;
        }
    }

private:
    std::atomic<bool>* gone_;
};

}  // namespace runnel::test
