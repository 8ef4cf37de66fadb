// test/go/powser.hpp: power series as goroutines that compute their coefficients on demand.
//
// A series is a pair of channels: a request on one is answered by the next coefficient on the
// other. Its goroutines run until the algebra that made them is destroyed.
//
// Follows Go's test/chan/powser1.go and powser2.go (original code in Newsqueak by Doug McIlroy,
// "Squinting at Power Series").
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <optional>
#include <ostream>
#include <utility>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"

namespace runnel::test {

/// A rational number in lowest terms; a denominator of zero marks the end of a series.
struct rational {
    std::int64_t num = 0;
    std::int64_t den = 1;

    rational() = default;
    explicit rational(std::int64_t n, std::int64_t d = 1) : num(n), den(d) {
        const std::int64_t common = std::gcd(n, d) * (d < 0 ? -1 : 1);
        num /= common;
        den /= common;
    }

    friend bool operator==(const rational&, const rational&) = default;
    friend rational operator+(rational u, rational v) {
        const std::int64_t g = std::gcd(u.den, v.den);
        return rational(u.num * (v.den / g) + v.num * (u.den / g), u.den * (v.den / g));
    }
    friend rational operator*(rational u, rational v) {
        const std::int64_t g1 = std::gcd(u.num, v.den);
        const std::int64_t g2 = std::gcd(v.num, u.den);
        return rational((u.num / g1) * (v.num / g2), (u.den / g2) * (v.den / g1));
    }
    friend rational operator-(rational u) { return rational(-u.num, u.den); }
    friend std::ostream& operator<<(std::ostream& out, rational u) {
        return out << u.num << '/' << u.den;
    }
};

inline const rational zero{0};
inline const rational one{1};
inline const rational end_mark{1, 0};

inline bool is_end(rational u) { return u.den == 0; }

/// Makes series whose channels carry `Item`; `Item::box` and `unbox` turn coefficients into items.
template <class Boxing>
class series_algebra {
public:
    using item = typename Boxing::item;

    struct series {
        chan<unit> req = make_chan<unit>();
        chan<item> dat = make_chan<item>();
    };
    using series_pair = std::array<series, 2>;

    /// The next coefficient of `in`.
    rational get(const series& in) const {
        crew_.send(in.req, unit{});
        return Boxing::unbox(crew_.recv(in.dat));
    }

    /// c, c, c, ...
    series repeat(rational c) {
        return spawn([this, c](const series& out) {
            for (;;) {
                put(c, out);
            }
        });
    }

    series add(const series& u, const series& v) {
        return spawn([this, u, v](const series& out) {
            for (;;) {
                crew_.recv(out.req);
                const auto [a, b] = get_both(u, v);
                if (is_end(a) && is_end(b)) {
                    answer(end_mark, out);
                } else if (is_end(a)) {
                    answer(b, out);
                    copy(v, out);
                } else if (is_end(b)) {
                    answer(a, out);
                    copy(u, out);
                } else {
                    answer(a + b, out);
                }
            }
        });
    }

    /// u, times a constant.
    series scale(rational c, const series& u) {
        return spawn([this, c, u](const series& out) {
            for (;;) {
                crew_.recv(out.req);
                const rational a = get(u);
                if (is_end(a)) {
                    answer(end_mark, out);
                    return;
                }
                answer(c * a, out);
            }
        });
    }

    series subtract(const series& u, const series& v) { return add(u, scale(-one, v)); }

    /// With u = a + x*uu and v = b + x*vv: u*v = a*b + x*(a*vv + b*uu) + x*x*uu*vv.
    series multiply(const series& u, const series& v) {
        return spawn([this, u, v](const series& out) {
            crew_.recv(out.req);
            const auto [a, b] = get_both(u, v);
            if (is_end(a) || is_end(b)) {
                answer(end_mark, out);
                return;
            }
            answer(a * b, out);
            const series_pair uu = split(u);
            const series_pair vv = split(v);
            const series w = add(scale(a, vv[0]), scale(b, uu[0]));
            crew_.recv(out.req);
            answer(get(w), out);
            copy(add(w, multiply(uu[1], vv[1])), out);
        });
    }

    series differentiate(const series& u) {
        return spawn([this, u](const series& out) {
            crew_.recv(out.req);
            if (!is_end(get(u))) {
                for (std::int64_t i = 1;; ++i) {
                    const rational a = get(u);
                    if (is_end(a)) {
                        break;
                    }
                    answer(rational(i) * a, out);
                    crew_.recv(out.req);
                }
            }
            answer(end_mark, out);
        });
    }

    /// The integral of u, with the constant c.
    series integrate(rational c, const series& u) {
        return spawn([this, c, u](const series& out) {
            put(c, out);
            for (std::int64_t i = 1;; ++i) {
                crew_.recv(out.req);
                const rational a = get(u);
                if (is_end(a)) {
                    answer(end_mark, out);
                    return;
                }
                answer(rational(1, i) * a, out);
            }
        });
    }

    /// e to the u, whose constant term is taken as zero: z = exp(u), so z' = z * u'.
    series exponential(const series& u) {
        const series_pair z{};
        split_into(integrate(one, multiply(z[0], differentiate(u))), z);
        return z[1];
    }

    /// u(c * x^n): the i-th term times c^i, followed by n - 1 zeros.
    series substitute_monomial(const series& u, rational c, int n) {
        return spawn([this, u, c, n](const series& out) {
            for (rational power = one;; power = power * c) {
                crew_.recv(out.req);
                const rational a = get(u);
                if (is_end(a)) {
                    answer(end_mark, out);
                    return;
                }
                answer(a * power, out);
                for (int i = 1; i < n; ++i) {
                    put(zero, out);
                }
            }
        });
    }

private:
    template <class F>
    series spawn(F f) {
        series out;
        crew_.go([out, f = std::move(f)] { f(out); });
        return out;
    }

    void answer(rational c, const series& out) const { crew_.send(out.dat, Boxing::box(c)); }

    void put(rational c, const series& out) const {
        crew_.recv(out.req);
        answer(c, out);
    }

    void copy(const series& in, const series& out) const {
        for (;;) {
            crew_.recv(out.req);
            answer(get(in), out);
        }
    }

    /// One coefficient of each of two series, in whichever order they come.
    std::array<rational, 2> get_both(const series& u, const series& v) const {
        const std::array from{u, v};
        std::array<chan<unit>, 2> req{u.req, v.req};
        std::array<chan<item>, 2> dat{};  // nil until the request has been taken
        std::array<std::optional<item>, 2> got{};
        for (int steps = 4; steps > 0; --steps) {
            const std::size_t chosen =
                select(on_send(req[0], unit{}), on_send(req[1], unit{}), on_recv(dat[0], got[0]),
                       on_recv(dat[1], got[1]), on_recv(crew_.stop()));
            if (chosen == 4) {
                throw crew::dismissed{};
            }
            const std::size_t side = chosen % 2;
            if (chosen < 2) {
                req.at(side) = {};
                dat.at(side) = from.at(side).dat;
            } else {
                dat.at(side) = {};
            }
        }
        return {Boxing::unbox(got[0].value()), Boxing::unbox(got[1].value())};
    }

    /// Two series identical to `in`, which may be read at different rates.
    series_pair split(const series& in) {
        const series_pair out{};
        crew_.go([=, this] { split_into(in, out); });
        return out;
    }

    void split_into(const series& in, const series_pair& out) {
        auto release = make_chan<unit>();
        crew_.go([=, this] { serve_split(in, out, release); });
        crew_.send(release, unit{});
    }

    /// Serves one coefficient to both outputs. The newest generation serves out[0]; all others hold
    /// what out[1] has not asked for yet, and the oldest of them serves it. When that is done, it
    /// tells the next generation to begin with out[1].
    void serve_split(const series& in, series_pair out, const chan<unit>& wait) {
        bool oldest = false;
        switch (select(on_recv(out[0].req), on_recv(wait), on_recv(crew_.stop()))) {
            case 0:
                break;
            case 1:
                oldest = true;
                serve_either(out);
                break;
            default:
                return;
        }
        crew_.send(in.req, unit{});
        auto release = make_chan<unit>();
        crew_.go([=, this] { serve_split(in, out, release); });
        const item value = crew_.recv(in.dat);
        crew_.send(out[0].dat, value);
        if (!oldest) {
            crew_.recv(wait);
        }
        crew_.recv(out[1].req);
        crew_.send(out[1].dat, value);
        crew_.send(release, unit{});
    }

    /// Takes a request on either output, and swaps them so that it was on out[0].
    void serve_either(series_pair& out) const {
        switch (select(on_recv(out[0].req), on_recv(out[1].req), on_recv(crew_.stop()))) {
            case 0:
                break;
            case 1:
                std::swap(out[0], out[1]);
                break;
            default:
                throw crew::dismissed{};
        }
    }

    crew crew_;
};

}  // namespace runnel::test
