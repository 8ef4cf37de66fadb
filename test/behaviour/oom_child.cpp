// test/behaviour/oom_child.cpp: what happens when there is no memory; see oom_test.cpp.
//
// Replaces operator new by one that fails, on the calling thread, as long as `no_memory` lives.
// Weak, so that a sanitizer's own comes first.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#include <runnel/runnel.hpp>

#include "test/behaviour/scenario.hpp"

using namespace runnel;
using namespace std::chrono_literals;
using runnel::test::scenario_argument;

namespace {

constinit thread_local bool allocation_fails = false;

// Not across anything that switches threads.
struct no_memory {
    no_memory() { allocation_fails = true; }
    ~no_memory() { allocation_fails = false; }
    no_memory(const no_memory&) = delete;
    no_memory& operator=(const no_memory&) = delete;
};

void* allocate(std::size_t size, std::size_t align) {
    void* const memory =
        allocation_fails ? nullptr : std::aligned_alloc(align, (size + align - 1) / align * align);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

}  // namespace

[[gnu::weak]] void* operator new(std::size_t size) {
    return allocate(size, alignof(std::max_align_t));
}
[[gnu::weak]] void* operator new(std::size_t size, std::align_val_t align) {
    return allocate(size, static_cast<std::size_t>(align));
}
[[gnu::weak]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::weak]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::weak]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::weak]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

namespace {

constexpr int survived = 65;

// A runtime with a failure in it, which says how many there were. What has been started runs, and
// nothing is left over: else the runtime reports it at its end.
template <class F>
int with_runtime(F body) {
    int failed = 0;
    {
        runtime rt{{.workers = 1, .shutdown_limit = 5s}};
        body(rt, failed);
    }
    std::printf("failed %d\n", failed);
    return 0;
}

int start(scenario_argument) {
    return with_runtime([](runtime& rt, int& failed) {
        rt.run([&] {
            int started = 0;
            std::atomic<int> ran = 0;
            try {
                const no_memory now;
                for (; started < 10'000; ++started) {
                    go([&ran] { ++ran; });
                }
            } catch (const std::bad_alloc&) {
                ++failed;
            }
            while (ran < started) {
                yield();
            }
        });
    });
}

int start_from_outside(scenario_argument) {
    return with_runtime([](runtime& rt, int& failed) {
        for (int i = 0; i < 3; ++i) {
            try {
                const no_memory now;
                rt.run([] {});
            } catch (const std::bad_alloc&) {
                ++failed;
            }
        }
        rt.run([] {});
    });
}

int blocking_call(scenario_argument) {
    return with_runtime([](runtime& rt, int& failed) {
        rt.run([&] {
            try {
                const no_memory now;
                blocking([] {});
            } catch (const std::bad_alloc&) {
                ++failed;
            }
            blocking([] {});
        });
    });
}

int timer(scenario_argument) {
    runtime rt{{.workers = 1}};
    rt.run([] {
        const no_memory now;
        sleep_for(1ms);
    });
    return survived;
}

constexpr test::scenario scenarios[] = {
    {"start", start},
    {"start_from_outside", start_from_outside},
    {"blocking_call", blocking_call},
    {"timer", timer},
};

}  // namespace

int main(int argc, char** argv) { return test::run_scenario(scenarios, argc, argv); }
