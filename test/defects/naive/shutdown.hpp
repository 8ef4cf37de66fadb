// test/defects/naive/shutdown.hpp: graceful shutdown, all at once and one after another.
// (Seed: use of the exit patterns; rows 16 to 24)
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "go.hpp"

namespace runnel::naive {

/// GracefullyShutdowner, and the functions that are one.
using shutdowner = std::function<error(clock::duration)>;

inline error concurrent_shutdown(clock::duration wait_timeout,
                                 const std::vector<shutdowner>& shutdowners) {
    auto c = make_chan<unit>();
    naive::go([=] {
        auto wg = std::make_shared<wait_group>();
        for (const shutdowner& g : shutdowners) {
            wg->add(1);
            naive::go([=] {
                const defer done([=] { wg->done(); });
                g(wait_timeout);
            });
        }
        wg->wait();
        c.send();
    });

    timer limit(wait_timeout);
    const defer stop([&] { limit.stop(); });
    switch (select(on_recv(c), on_recv(limit.c()))) {
        case 0:
            return {};
        default:
            return error("wait timeout");
    }
}

inline error sequential_shutdown(clock::duration wait_timeout,
                                 const std::vector<shutdowner>& shutdowners) {
    const auto start = clock::now();
    clock::duration left{};
    timer limit(wait_timeout);
    for (const shutdowner& g : shutdowners) {
        const auto elapsed = clock::now() - start;
        left = wait_timeout - elapsed;
        auto c = make_chan<unit>();
        naive::go(
            [=] {  // Go shares `left` with it; its value is the same until the stage has ended
                g(left);
                c.send();
            });
        limit.reset(left);
        if (select(on_recv(c), on_recv(limit.c())) == 1) {
            return error("wait timeout");
        }
    }
    return {};
}

/// The seed's test makes its components by this; what they take has no end before `process_time`.
inline shutdowner shutdown_maker(int process_time) {
    return [=](clock::duration) {
        sleep_for(std::chrono::seconds(process_time));
        return error();
    };
}

/// TestConcurrentShutdown of the seed; returns what it complains about.
inline const char* test_concurrent_shutdown() {
    using namespace std::chrono_literals;
    const shutdowner f1 = shutdown_maker(2);
    const shutdowner f2 = shutdown_maker(6);
    if (concurrent_shutdown(10s, {f1, f2})) {
        return "want nil";
    }
    if (!concurrent_shutdown(4s, {f1, f2})) {
        return "want timeout, actual nil";
    }
    return "";
}

}  // namespace runnel::naive
