// Two goroutines return a number to each other over two unbuffered channels. Prints the time of a
// round trip; checks that every number came back one larger.
#include <chrono>
#include <cstdio>

#include <runnel/runnel.hpp>

namespace {

constexpr int rounds = 100'000;

/// Answers every number with the next one, until `in` is closed.
void pong(const runnel::recv_chan<int>& in, const runnel::send_chan<int>& out) {
    for (const int number : in) {
        out.send(number + 1);
    }
    out.close();
}

}  // namespace

int main() {
    return runnel::run([] {
        auto there = runnel::make_chan<int>();
        auto back = runnel::make_chan<int>();
        auto player = runnel::spawn(pong, there, back);

        const auto start = std::chrono::steady_clock::now();
        int right = 0;
        for (int i = 0; i < rounds; ++i) {
            there.send(i);
            right += back.recv() == i + 1 ? 1 : 0;
        }
        const std::chrono::duration<double, std::nano> taken =
            std::chrono::steady_clock::now() - start;
        there.close();
        player.join();

        std::printf("%d round trips, %.0f ns each\n", right, taken.count() / rounds);
        return right == rounds ? 0 : 1;
    });
}
