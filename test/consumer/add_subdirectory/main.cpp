// A user with runnel in their tree: workers share one channel of jobs and one of results.
#include <cstdio>

#include <runnel/runnel.hpp>

int main() {
    auto jobs = runnel::make_chan<int>();
    auto results = runnel::make_chan<int>(4);
    runnel::wait_group workers;
    for (int i = 0; i < 4; ++i) {
        workers.go([=] {
            for (int job : jobs) {
                results.send(job * job);
            }
        });
    }
    runnel::go([=] {
        for (int job = 1; job <= 10; ++job) {
            jobs.send(job);
        }
        jobs.close();
    });

    int sum = 0;
    for (int i = 0; i < 10; ++i) {
        sum += results.recv().value_or(0);
    }
    workers.wait();
    std::printf("%d\n", sum);
    return sum == 385 ? 0 : 1;
}
