// test/stress/random.hpp: random choices that can be made again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace runnel::test {

/// The seed of this run: RUNNEL_SEED, else a new one. Prints it, so that a failure can be repeated.
inline std::uint64_t chosen_seed() {
    std::uint64_t seed = (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
    if (const char* given = std::getenv("RUNNEL_SEED"); given != nullptr && *given != '\0') {
        seed = std::strtoull(given, nullptr, 0);
    }
    std::printf("[ seed     ] RUNNEL_SEED=%llu\n", static_cast<unsigned long long>(seed));
    return seed;
}

/// A small generator (splitmix64): one for each goroutine, so that none is shared.
class random_source {
public:
    explicit random_source(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    /// A number in [0, limit).
    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() % limit); }

private:
    std::uint64_t state_;
};

}  // namespace runnel::test
