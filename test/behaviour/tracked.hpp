// test/behaviour/tracked.hpp: values that know whether each was destroyed exactly once.
//
// Two things are counted. Objects: whatever a constructor made, a destructor must end, once.
// Contents: a value owns its number until it is moved from; a number must be released exactly once
// for each time it was made or copied.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace runnel::test {

/// What all tracked values of one test have done.
struct ledger {
    std::atomic<long> objects = 0;   ///< living ones
    std::atomic<long> contents = 0;  ///< owned numbers
    std::atomic<long> made = 0;      ///< numbers ever made, to see that the test did something
    std::atomic<long> broken = 0;    ///< destroyed twice, used after the end, or at a wrong address
    std::atomic<long> throw_after = -1;  ///< the copy or move that throws; counts down to 0

    void expect_balanced() const {
        EXPECT_EQ(objects, 0);
        EXPECT_EQ(contents, 0);
        EXPECT_EQ(broken, 0);
        EXPECT_GT(made, 0);
    }
};

struct copy_failed : std::runtime_error {
    copy_failed() : std::runtime_error("copying failed") {}
};

/// What a kind of value is like.
struct traits {
    bool copyable;
    bool copy_throws;  // when the ledger says so
    bool move_throws;
    std::size_t alignment;
    std::size_t padding;
};

/// A value of the kind that `Traits` describes. Its number is -1 once it has been moved from.
template <traits Traits>
class alignas(Traits.alignment) tracked {
public:
    tracked(ledger& book, int number) : book_(&book), number_(number) {
        begin();
        own();
    }
    tracked(const tracked& other)
        requires(Traits.copyable)
        : book_(other.book_), number_(other.number_) {
        if constexpr (Traits.copy_throws) {
            maybe_throw();
        }
        begin();
        own();
    }
    tracked(tracked&& other) noexcept(!Traits.move_throws) : book_(other.book_) {
        if constexpr (Traits.move_throws) {
            maybe_throw();
        }
        other.expect_alive();
        number_ = std::exchange(other.number_, -1);
        begin();
    }
    tracked& operator=(const tracked& other)
        requires(Traits.copyable)
    {
        tracked copy(other);
        std::swap(book_, copy.book_);
        std::swap(number_, copy.number_);
        return *this;
    }
    tracked& operator=(tracked&& other) noexcept(!Traits.move_throws) {
        if constexpr (Traits.move_throws) {
            maybe_throw();
        }
        other.expect_alive();
        expect_alive();
        if (this != &other) {
            disown();
            book_ = other.book_;
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    ~tracked() {
        expect_alive();
        disown();
        state_ = dead;
        --book_->objects;
    }

    [[nodiscard]] int number() const { return number_; }

private:
    static constexpr std::uint32_t alive = 0xa11fe;
    static constexpr std::uint32_t dead = 0xdead;

    void begin() {
        state_ = alive;
        ++book_->objects;
        if (reinterpret_cast<std::uintptr_t>(this) % Traits.alignment != 0) {
            ++book_->broken;
        }
    }
    void own() {
        ++book_->made;
        if (number_ >= 0) {
            ++book_->contents;
        }
    }
    void disown() {
        if (number_ >= 0) {
            --book_->contents;
        }
        number_ = -1;
    }
    void expect_alive() const {
        if (state_ != alive) {
            ++book_->broken;
        }
    }
    void maybe_throw() const {
        if (book_->throw_after >= 0 && book_->throw_after-- == 0) {
            throw copy_failed();
        }
    }

    ledger* book_;
    int number_ = -1;
    volatile std::uint32_t state_ = dead;  // volatile: the last write of a destructor is not dead
    [[maybe_unused]] std::byte padding_[Traits.padding];
};

/// Offers a value that a call may take or leave: std::move, and the value may be looked at again.
template <class T>
T&& offer(T& value) {
    return static_cast<T&&>(value);
}

using copyable_value = tracked<traits{true, false, false, alignof(void*), 1}>;
using move_only = tracked<traits{false, false, false, alignof(void*), 1}>;
using over_aligned = tracked<traits{false, false, false, 64, 1}>;
using one_kibibyte = tracked<traits{true, false, false, alignof(void*), 1024 - 16}>;
using throwing_copy = tracked<traits{true, true, false, alignof(void*), 1}>;
using throwing_move = tracked<traits{true, true, true, alignof(void*), 1}>;
using move_only_throwing = tracked<traits{false, false, true, alignof(void*), 1}>;

static_assert(sizeof(one_kibibyte) == 1024);
static_assert(std::is_nothrow_move_constructible_v<throwing_copy>);
static_assert(!std::is_nothrow_move_constructible_v<throwing_move>);

}  // namespace runnel::test
