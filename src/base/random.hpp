// base/random.hpp: choices that must be cheap and fair, not secret.
#pragma once

#include <cstdint>

namespace runnel::detail {

/// xorshift64*: one multiplication, good enough for choices, not for secrets.
class random_source {
public:
    explicit random_source(std::uint64_t seed) noexcept : state_(mix(seed)) {}

    std::uint64_t next() noexcept {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1dULL;
    }

    /// Uniform in [0, bound).
    std::uint32_t below(std::uint32_t bound) noexcept {
        return static_cast<std::uint32_t>((next() >> 32) * bound >> 32);
    }

private:
    /// Spreads the seed over all bits (splitmix64): close seeds give different sequences, and the
    /// state is never zero.
    static std::uint64_t mix(std::uint64_t seed) noexcept {
        seed += 0x9e3779b97f4a7c15ULL;
        seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ULL;
        seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebULL;
        seed ^= seed >> 31;
        return seed != 0 ? seed : 1;
    }

    std::uint64_t state_;
};

}  // namespace runnel::detail
