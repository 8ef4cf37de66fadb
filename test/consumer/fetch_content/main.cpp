// A user who fetched runnel: a select between two goroutines that answer, until both have.
#include <cstdio>
#include <optional>

#include <runnel/runnel.hpp>

int main() {
    auto words = runnel::make_chan<int>();
    auto letters = runnel::make_chan<int>();
    const int status = runnel::run([&] {
        runnel::go([=] { words.send(2); });
        runnel::go([=] { letters.send(10); });
        int sum = 0;
        const auto add = [&](std::optional<int> n) { sum += n.value_or(0); };
        for (int i = 0; i < 2; ++i) {
            runnel::select(runnel::on_recv(words, add), runnel::on_recv(letters, add));
        }
        std::printf("%d\n", sum);
        return sum == 12 ? 0 : 1;
    });
    return status;
}
