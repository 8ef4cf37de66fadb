// Workloads that are small programs: skynet, the prime sieve, a pipeline.
#include <memory>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>

#include "workloads.hpp"

namespace bench {
namespace {

using numbers = runnel::chan<std::int64_t>;

// A tree of goroutines over the leaves [first, first + leaves); each sends the sum of its leaves.
void skynet_node(const numbers& parent, std::int64_t first, std::int64_t leaves,
                 std::int64_t children) {
    if (leaves == 1) {
        parent.send(first);
        return;
    }
    const auto answers = runnel::make_chan<std::int64_t>();
    const std::int64_t each = leaves / children;
    for (std::int64_t c = 0; c < children; ++c) {
        runnel::go([=] { skynet_node(answers, first + c * each, each, children); });
    }
    std::int64_t sum = 0;
    for (std::int64_t c = 0; c < children; ++c) {
        sum += *answers.recv();
    }
    parent.send(sum);
}

bool is_power(std::int64_t number, std::int64_t base) {
    while (number > 1 && number % base == 0) {
        number /= base;
    }
    return number == 1;
}

void generate(const numbers& out) {
    for (std::int64_t i = 2;; ++i) {
        out.send(i);
    }
}

void filter(const numbers& in, const numbers& out, std::int64_t prime) {
    for (;;) {
        const std::int64_t candidate = *in.recv();
        if (candidate % prime != 0) {
            out.send(candidate);
        }
    }
}

// The sieve's answer by other means: trial division by the primes so far.
std::int64_t nth_prime(std::int64_t n) {
    std::vector<std::int64_t> primes;
    for (std::int64_t i = 2; static_cast<std::int64_t>(primes.size()) < n; ++i) {
        bool prime = true;
        for (std::size_t p = 0; prime && p < primes.size() && primes[p] * primes[p] <= i; ++p) {
            prime = i % primes[p] != 0;
        }
        if (prime) {
            primes.push_back(i);
        }
    }
    return primes.back();
}

// `workers` goroutines that turn what comes from `in` into f(it); closes `out` after the last.
void stage(std::int64_t workers, const numbers& in, const numbers& out,
           std::int64_t (*f)(std::int64_t)) {
    const auto running = std::make_shared<runnel::wait_group>();
    running->add(workers);
    for (std::int64_t w = 0; w < workers; ++w) {
        runnel::go([=] {
            for (const std::int64_t value : in) {
                out.send(f(value));
            }
            running->done();
        });
    }
    runnel::go([=] {
        running->wait();
        out.close();
    });
}

}  // namespace

void skynet(const row& r, const report& out) {
    const std::int64_t children = r.size("children", 2);
    if (!is_power(r.count, children)) {
        throw bad_row("needs a power of " + std::to_string(children) + " leaves");
    }
    const stopwatch watch;
    const auto root = runnel::make_chan<std::int64_t>();
    runnel::go([=, leaves = r.count] { skynet_node(root, 0, leaves, children); });
    const std::int64_t sum = *root.recv();
    const auto time = watch.elapsed();
    check("sum of leaves", sum, sum_below(r.count));
    out.ms("", time);
}

void sieve(const row& r, const report& out) {
    const stopwatch watch;
    auto candidates = runnel::make_chan<std::int64_t>();
    runnel::go([candidates] { generate(candidates); });
    std::int64_t prime = 0;
    for (std::int64_t n = 0; n < r.count; ++n) {
        prime = *candidates.recv();
        const auto rest = runnel::make_chan<std::int64_t>();
        runnel::go([candidates, rest, prime] { filter(candidates, rest, prime); });
        candidates = rest;
    }
    const auto time = watch.elapsed();
    check("last prime", prime, nth_prime(r.count));
    out.ms("", time);
}

void pipeline(const row& r, const report& out) {
    const auto input = runnel::make_chan<std::int64_t>();
    const auto middle = runnel::make_chan<std::int64_t>();
    const auto output = runnel::make_chan<std::int64_t>();
    const stopwatch watch;
    runnel::go([input, count = r.count] {
        for (std::int64_t i = 0; i < count; ++i) {
            input.send(i);
        }
        input.close();
    });
    stage(r.size("first"), input, middle, [](std::int64_t value) { return 2 * value; });
    stage(r.size("second"), middle, output, [](std::int64_t value) { return value + 1; });
    std::int64_t sum = 0;
    for (const std::int64_t value : output) {
        sum += value;
    }
    const auto time = watch.elapsed();
    check("sum received", sum, 2 * sum_below(r.count) + r.count);
    out.ns_each(time, r.count);
}

}  // namespace bench
