// The prime sieve: a chain of goroutines, one for each prime, each of which drops the multiples of
// its prime. Prints the primes below 1000 and checks how many there are.
#include <cstdio>

#include <runnel/runnel.hpp>

namespace {

using runnel::go;
using runnel::make_chan;
using runnel::recv_chan;

/// Sends 2, 3, ... below `limit`, then closes.
recv_chan<int> generate(int limit) {
    auto out = make_chan<int>();
    go([=] {
        for (int i = 2; i < limit; ++i) {
            out.send(i);
        }
        out.close();
    });
    return out;
}

/// Passes on what `prime` does not divide, until `in` ends.
recv_chan<int> filter(const recv_chan<int>& in, int prime) {
    auto out = make_chan<int>();
    go([=] {
        for (const int number : in) {
            if (number % prime != 0) {
                out.send(number);
            }
        }
        out.close();
    });
    return out;
}

}  // namespace

int main() {
    return runnel::run([] {
        int primes = 0;
        int last = 0;
        // Every filter is read to its end, so that no goroutine stays blocked in a send.
        recv_chan<int> numbers = generate(1000);
        while (const auto prime = numbers.recv()) {
            std::printf("%d\n", *prime);
            ++primes;
            last = *prime;
            numbers = filter(numbers, *prime);
        }
        return primes == 168 && last == 997 ? 0 : 1;
    });
}
