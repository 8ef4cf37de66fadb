// A user of an installed runnel: one goroutine produces, main consumes, and the same once more on
// virtual time.
#include <chrono>
#include <cstdio>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

namespace {

int sum_of_first(int count) {
    auto numbers = runnel::make_chan<int>();
    runnel::go([=] {
        for (int n = 1; n <= count; ++n) {
            numbers.send(n);
        }
        numbers.close();
    });
    int sum = 0;
    for (int n : numbers) {
        sum += n;
    }
    return sum;
}

// An hour that takes no time.
int sum_after_an_hour() {
    int sum = 0;
    runnel::testing::bubble bubble;
    bubble.run([&] {
        runnel::sleep_for(std::chrono::hours(1));
        sum = sum_of_first(10);
    });
    return sum;
}

}  // namespace

int main() {
    const int at_once = sum_of_first(100);
    const int later = sum_after_an_hour();
    std::printf("%d %d\n", at_once, later);
    return at_once == 5050 && later == 55 ? 0 : 1;
}
