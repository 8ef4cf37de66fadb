// test/go/powser_test.cpp: power series, over channels of values and of shared objects.
//
// Follows Go's test/chan/powser1.go and powser2.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include "test/go/powser.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using test::one;
using test::rational;
using test::zero;

// powser1: the channels carry plain values.
struct by_value {
    using item = rational;
    static item box(rational c) { return c; }
    static rational unbox(item i) { return i; }
};

// powser2: the channels carry an interface, Go's `chan item`.
struct by_interface {
    class number {
    public:
        number() = default;
        number(const number&) = delete;
        number& operator=(const number&) = delete;
        virtual ~number() = default;
        [[nodiscard]] virtual rational value() const = 0;
    };

    class boxed : public number {
    public:
        explicit boxed(rational c) : value_(c) {}
        [[nodiscard]] rational value() const override { return value_; }

    private:
        rational value_;
    };

    using item = std::shared_ptr<const number>;
    static item box(rational c) { return std::make_shared<boxed>(c); }
    static rational unbox(const item& i) { return i->value(); }
};

template <class Boxing>
class go_powser : public ::testing::Test {
protected:
    // Runs `f(algebra, ones, twos)` at each worker count.
    template <class F>
    void run_at_each_worker_count(F f) {
        for (const std::size_t workers : test::worker_numbers) {
            runtime rt{{.workers = workers}};
            rt.run([&] {
                test::series_algebra<Boxing> algebra;
                f(algebra, algebra.repeat(one), algebra.repeat(rational(2)));
            });
        }
    }

    template <class Algebra, class Series>
    static void expect_terms(const Algebra& algebra, const Series& s,
                             const std::vector<rational>& terms) {
        for (std::size_t i = 0; i < terms.size(); ++i) {
            EXPECT_EQ(algebra.get(s), terms[i]) << "term " << i;
        }
    }
};

using boxings = ::testing::Types<by_value, by_interface>;
TYPED_TEST_SUITE(go_powser, boxings);

constexpr std::int64_t term_count = 10;

std::vector<rational> constant(rational c) { return std::vector(term_count, c); }

TYPED_TEST(go_powser, constants_are_added_scaled_and_subtracted) {
    this->run_at_each_worker_count([this](auto& algebra, const auto& ones, const auto& twos) {
        this->expect_terms(algebra, ones, constant(one));
        this->expect_terms(algebra, algebra.add(ones, ones), constant(rational(2)));
        this->expect_terms(algebra, algebra.add(ones, twos), constant(rational(3)));
        this->expect_terms(algebra, algebra.scale(-one, twos), constant(rational(-2)));
        this->expect_terms(algebra, algebra.subtract(ones, twos), constant(rational(-1)));
    });
}

// 1 + 2x + 3x^2 + ... is both the derivative of 1/(1-x) and its square.
TYPED_TEST(go_powser, derivative_and_square_of_the_geometric_series_agree) {
    this->run_at_each_worker_count([this](auto& algebra, const auto& ones, const auto&) {
        std::vector<rational> terms;
        for (std::int64_t i = 1; i <= term_count; ++i) {
            terms.emplace_back(i);
        }
        this->expect_terms(algebra, algebra.differentiate(ones), terms);
        this->expect_terms(algebra, algebra.multiply(ones, ones), terms);
    });
}

TYPED_TEST(go_powser, integral_of_the_geometric_series) {
    this->run_at_each_worker_count([this](auto& algebra, const auto& ones, const auto&) {
        std::vector<rational> terms{zero};
        for (std::int64_t i = 1; i < term_count; ++i) {
            terms.emplace_back(1, i);
        }
        this->expect_terms(algebra, algebra.integrate(zero, ones), terms);
    });
}

TYPED_TEST(go_powser, exponential_of_the_geometric_series) {
    this->run_at_each_worker_count([this](auto& algebra, const auto& ones, const auto&) {
        this->expect_terms(
            algebra, algebra.exponential(ones),
            {rational(1), rational(1), rational(3, 2), rational(13, 6), rational(73, 24),
             rational(167, 40), rational(4051, 720), rational(37633, 5040), rational(43817, 4480),
             rational(4596553, 362880)});
    });
}

// The integral of 1/(1+x^2): x - x^3/3 + x^5/5 - ...
TYPED_TEST(go_powser, arc_tangent) {
    this->run_at_each_worker_count([this](auto& algebra, const auto& ones, const auto&) {
        std::vector<rational> terms;
        for (std::int64_t i = 0, sign = 1; i < term_count; ++i) {
            if (i % 2 == 0) {
                terms.push_back(zero);
            } else {
                terms.emplace_back(sign, i);
                sign = -sign;
            }
        }
        const auto powers = algebra.substitute_monomial(ones, -one, 2);
        this->expect_terms(algebra, algebra.integrate(zero, powers), terms);
    });
}

}  // namespace
}  // namespace runnel
