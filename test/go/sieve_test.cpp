// test/go/sieve_test.cpp: prime numbers from chains of goroutines.
//
// Follows Go's test/chan/sieve1.go and test/chan/sieve2.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

constexpr std::array primes_to_100{2,  3,  5,  7,  11, 13, 17, 19, 23, 29, 31, 37, 41,
                                   43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97};

using go_sieve = test::on_workers;

// Trial division: a linear chain of filters, one goroutine for each prime. Every stage but the
// first ends because its input is closed, as a pipeline does.
namespace trial_division {

// Sends 2, 3, 4, ... until `stop` is closed.
void generate(const send_chan<int>& out, const recv_chan<unit>& stop) {
    for (int i = 2; select(on_send(out, i), on_recv(stop)) == 0; ++i) {
    }
    out.close();
}

// Passes on what `prime` does not divide.
void filter(const recv_chan<int>& in, const send_chan<int>& out, int prime,
            const recv_chan<unit>& stop) {
    for (const int i : in) {
        if (i % prime != 0 && select(on_send(out, i), on_recv(stop)) == 1) {
            break;
        }
    }
    out.close();
}

void sieve(const send_chan<int>& primes, const recv_chan<unit>& stop, wait_group& running) {
    auto ch = make_chan<int>();
    running.go([=] { generate(ch, stop); });
    while (const std::optional<int> prime = ch.recv()) {
        if (select(on_send(primes, *prime), on_recv(stop)) == 1) {
            return;
        }
        auto next = make_chan<int>();
        running.go([=, prime = *prime] { filter(ch, next, prime, stop); });
        ch = next;
    }
}

}  // namespace trial_division

TEST_P(go_sieve, trial_division_finds_the_primes_to_100) {
    run([] {
        auto primes = make_chan<int>();
        auto stop = make_chan<unit>();
        wait_group running;
        running.go([&, primes, stop] { trial_division::sieve(primes, stop, running); });
        for (const int prime : primes_to_100) {
            EXPECT_EQ(primes.recv(), prime);
        }
        stop.close();
        running.wait();
    });
}

// Eratosthenes: the multiples of all primes found so far, merged in order by a heap of channels,
// are struck from the odd numbers.
namespace eratosthenes {

// first, first + step, first + 2 * step, ...
recv_chan<int> count(test::crew& crew, int first, int step, std::ptrdiff_t capacity) {
    auto out = make_chan<int>(capacity);
    crew.go([=, &crew] {
        for (int n = first;; n += step) {
            crew.send(out, n);
        }
    });
    return out;
}

recv_chan<int> odds(test::crew& crew) { return count(crew, 5, 2, 50); }

recv_chan<int> odd_multiples(test::crew& crew, int p) { return count(crew, p * p, 2 * p, 10); }

// A channel and the value already received from it.
struct peeked {
    int head;
    recv_chan<int> rest;

    friend bool operator>(const peeked& a, const peeked& b) { return a.head > b.head; }
};

using peeked_heap = std::priority_queue<peeked, std::vector<peeked>, std::greater<>>;

// A channel to send on without ever blocking for long: a goroutine stores values for `out`.
send_chan<int> unbounded(test::crew& crew, const send_chan<int>& out) {
    auto proxy = make_chan<int>(10);
    crew.go([=, &crew] {
        std::deque<int> stored;
        for (;;) {
            // With nothing stored the send is disabled: its channel is nil.
            const send_chan<int> target = stored.empty() ? send_chan<int>{} : out;
            const int first = stored.empty() ? 0 : stored.front();
            std::optional<int> arrived;
            switch (select(on_recv(proxy, arrived), on_send(target, first), on_recv(crew.stop()))) {
                case 0:
                    stored.push_back(arrived.value());
                    break;
                case 1:
                    stored.pop_front();
                    break;
                default:
                    return;
            }
        }
    });
    return proxy;
}

// Takes the smallest head off the heap and puts its channel back with the next one.
int pop_smallest(test::crew& crew, peeked_heap& heap) {
    peeked smallest = heap.top();
    heap.pop();
    const int head = smallest.head;
    smallest.head = crew.recv(smallest.rest);
    heap.push(std::move(smallest));
    return head;
}

// Merges the multiples of `primes` into `composites`, in increasing order.
void merge(test::crew& crew, const recv_chan<int>& primes, const send_chan<int>& composites) {
    peeked_heap heap;
    int smallest = 15;
    for (;;) {
        auto multiples = odd_multiples(crew, crew.recv(primes));
        const int head = crew.recv(multiples);
        while (smallest < head) {
            crew.send(composites, smallest);
            smallest = pop_smallest(crew, heap);
        }
        while (smallest == head) {
            smallest = pop_smallest(crew, heap);
        }
        crew.send(composites, head);
        const int next = crew.recv(multiples);
        heap.push({.head = next, .rest = std::move(multiples)});
    }
}

// Sends on what is among the candidates and not among the composites.
void strike(test::crew& crew, const recv_chan<int>& composites, const send_chan<int>& primes,
            const send_chan<int>& out) {
    auto candidates = odds(crew);
    int p = crew.recv(candidates);
    for (;;) {
        const int composite = crew.recv(composites);
        while (p < composite) {
            crew.send(primes, p);
            crew.send(out, p);
            p = crew.recv(candidates);
        }
        if (p == composite) {
            p = crew.recv(candidates);
        }
    }
}

recv_chan<int> sieve(test::crew& crew) {
    auto out = make_chan<int>(10);
    out.send(2);
    out.send(3);
    auto composites = make_chan<int>(50);
    auto primes = make_chan<int>(10);
    primes.send(3);
    crew.go([=, &crew] { merge(crew, primes, composites); });
    // The merge receives primes far more slowly than they are found; without the proxy the two
    // goroutines would wait for each other.
    crew.go([=, &crew] { strike(crew, composites, unbounded(crew, primes), out); });
    return out;
}

}  // namespace eratosthenes

TEST_P(go_sieve, eratosthenes_finds_the_primes_to_100) {
    run([] {
        test::crew crew;
        auto primes = eratosthenes::sieve(crew);
        for (const int prime : primes_to_100) {
            EXPECT_EQ(primes.recv(), prime);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_sieve, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
