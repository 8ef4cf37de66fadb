// Workloads on a busy machine: every worker always has a goroutine to run, and something outside
// the run queues becomes ready. How late is it noticed?
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/runnel.hpp>

#include "proc.hpp"
#include "src/sched/wait_fd.hpp"
#include "workloads.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;
using samples = std::vector<std::chrono::nanoseconds>;

[[noreturn]] void fail(int error, const char* what) {
    throw std::system_error(error, std::generic_category(), what);
}

// Keeps every worker busy, by goroutines that only yield, for as long as it lives.
class saturation {
public:
    explicit saturation(std::int64_t goroutines) {
        runnel::wait_group started;
        started.add(goroutines);
        running_.add(goroutines);
        for (std::int64_t g = 0; g < goroutines; ++g) {
            runnel::go([this, &started] {
                started.done();
                while (!stop_) {
                    runnel::yield();
                }
                running_.done();
            });
        }
        started.wait();
    }
    saturation(const saturation&) = delete;
    saturation& operator=(const saturation&) = delete;
    ~saturation() {
        stop_ = true;
        running_.wait();
    }

private:
    std::atomic<bool> stop_ = false;
    runnel::wait_group running_;
};

class pipe_ends {
public:
    pipe_ends() {
        if (::pipe2(ends_.data(), O_CLOEXEC) != 0) {
            fail(errno, "pipe2");
        }
        if (::fcntl(ends_[0], F_SETFL, O_NONBLOCK) != 0) {
            fail(errno, "fcntl");
        }
    }
    pipe_ends(const pipe_ends&) = delete;
    pipe_ends& operator=(const pipe_ends&) = delete;
    ~pipe_ends() {
        ::close(ends_[0]);
        close_writing();
    }

    [[nodiscard]] int reading() const { return ends_[0]; }
    [[nodiscard]] int writing() const { return ends_[1]; }

    void close_writing() {
        if (ends_[1] >= 0) {
            ::close(ends_[1]);
            ends_[1] = -1;
        }
    }

private:
    std::array<int, 2> ends_{-1, -1};
};

std::int64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Starts this program again as the writer of the times. A process, not a thread: then the writer
// is the same for every runtime measured, and none has a hand in it.
pid_t start_writer(int to, std::int64_t count) {
    std::string program = "runnel_bench";
    std::string mode = "write_times";
    std::string times = std::to_string(count);
    std::array<char*, 4> words{program.data(), mode.data(), times.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
    pid_t child = 0;
    const int error =
        ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        fail(error, "posix_spawn");
    }
    return child;
}

// read(2), with -errno for an error. Not inlined: the caller moves between threads, and the
// compiler must not keep the address of one thread's errno for it.
[[gnu::noinline]] ssize_t read_time(int from, std::int64_t& sent) {
    const ssize_t got = ::read(from, &sent, sizeof sent);
    return got < 0 ? -errno : got;
}

// Reads times until the writer has ended; how old was each when it was read?
samples read_ages(int from) {
    samples ages;
    for (;;) {
        std::int64_t sent = 0;
        const ssize_t got = read_time(from, sent);
        if (got == sizeof sent) {
            ages.emplace_back(monotonic_ns() - sent);
        } else if (got == 0) {
            return ages;
        } else if (got == -EAGAIN) {
            runnel::detail::wait_readable(from);
        } else if (got != -EINTR) {
            throw wrong_result("read answered " + std::to_string(got));
        }
    }
}

}  // namespace

void saturated_sleep(const row& r, const report& out) {
    const saturation busy(r.size("per_worker") * workers());
    samples late;
    std::int64_t early = 0;
    for (std::int64_t i = 0; i < r.count; ++i) {
        const stopwatch watch;
        runnel::sleep_for(1ms);
        late.push_back(watch.elapsed() - 1ms);
        early += late.back() < 0ns ? 1 : 0;
    }
    check("sleeps that ended early", early, 0);
    out.latencies(std::move(late));
}

void saturated_pipe(const row& r, const report& out) {
    pipe_ends ends;
    samples ages;
    int status = 0;
    {
        const saturation busy(r.size("per_worker") * workers());
        const pid_t writer = start_writer(ends.writing(), r.count);
        ends.close_writing();
        ages = read_ages(ends.reading());
        ::waitpid(writer, &status, 0);
    }
    check("writer's status", status, 0);
    check("times read", static_cast<std::int64_t>(ages.size()), r.count);
    out.latencies(std::move(ages));
}

void write_times(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const timespec pause{0, 1'000'000};
        ::nanosleep(&pause, nullptr);
        const std::int64_t now = monotonic_ns();
        if (::write(STDOUT_FILENO, &now, sizeof now) != sizeof now) {
            fail(errno, "write");
        }
    }
}

}  // namespace bench
