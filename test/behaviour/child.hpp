// test/behaviour/child.hpp: runs a program of ours that is meant to die, hang or be measured.
//
// A process full of worker threads cannot be forked and used further, so whatever ends a process
// is a scenario of a small program beside the tests, started afresh and judged from outside.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace runnel::test {

/// How a child ended and what it wrote.
struct child_result {
    int exit_status = -1;  ///< -1: it did not exit by itself
    int signal = 0;        ///< the signal that ended it, or 0
    bool timed_out = false;
    std::string out;
    std::string err;

    [[nodiscard]] bool wrote(std::string_view text) const {
        return err.find(text) != std::string::npos;
    }
};

/// What a failed expectation prints.
inline std::string describe(const child_result& r) {
    std::string end = r.timed_out ? "killed after its time limit"
                      : r.signal  ? "ended by signal " + std::to_string(r.signal)
                                  : "exit status " + std::to_string(r.exit_status);
    return end + "\n--- standard output\n" + r.out + "--- standard error\n" + r.err + "---";
}

/// A started program with its three standard streams at hand. Killed when destroyed.
class child_process {
public:
    using variables = std::vector<std::string>;  ///< "NAME=value"

    /// Starts `command` (searched in PATH when it has no slash). `extra` is added to the
    /// environment, from which every RUNNEL_ variable of our own has been taken.
    explicit child_process(std::vector<std::string> command, const variables& extra = {}) {
        int in[2], out[2], err[2];
        open_pipe(in);
        open_pipe(out);
        open_pipe(err);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
        std::vector<std::string> environment = own_environment(extra);
        const int rc = ::posix_spawnp(&pid_, command.front().c_str(), &actions, nullptr,
                                      pointers(command).data(), pointers(environment).data());
        posix_spawn_file_actions_destroy(&actions);
        ::close(in[0]);
        ::close(out[1]);
        ::close(err[1]);
        in_ = in[1];
        out_ = out[0];
        err_ = err[0];
        if (rc != 0) {
            pid_ = -1;
            close_all();
            throw std::system_error(rc, std::generic_category(), "starting " + command.front());
        }
    }
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        close_all();
    }

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Reads until `text` has appeared on standard output; false when the child ended before, or
    /// `limit` passed.
    bool wait_for_output(std::string_view text, std::chrono::milliseconds limit) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (seen_.out.find(text) == std::string::npos) {
            if (!read_some(end)) {
                return false;
            }
        }
        return true;
    }

    void close_input() {
        if (in_ >= 0) {
            ::close(std::exchange(in_, -1));
        }
    }

    /// Waits for the end; kills the child once `limit` has passed.
    child_result wait(std::chrono::milliseconds limit) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (read_some(end)) {
        }
        if (out_ >= 0 || err_ >= 0) {  // still open: the limit has passed
            seen_.timed_out = true;
            ::kill(pid_, SIGKILL);
        }
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        if (WIFEXITED(status)) {
            seen_.exit_status = WEXITSTATUS(status);
        } else if (WIFSIGNALED(status)) {
            seen_.signal = WTERMSIG(status);
        }
        return std::move(seen_);
    }

private:
    static void open_pipe(int (&ends)[2]) {
        if (::pipe2(ends, O_CLOEXEC) != 0) {
            throw std::system_error(errno, std::generic_category(), "pipe2");
        }
    }

    static std::vector<char*> pointers(std::vector<std::string>& texts) {
        std::vector<char*> result;
        result.reserve(texts.size() + 1);
        for (std::string& text : texts) {
            result.push_back(text.data());
        }
        result.push_back(nullptr);
        return result;
    }

    static std::vector<std::string> own_environment(const variables& extra) {
        std::vector<std::string> result;
        for (char** entry = environ; *entry != nullptr; ++entry) {
            if (std::strncmp(*entry, "RUNNEL_", 7) != 0) {
                result.emplace_back(*entry);
            }
        }
        result.insert(result.end(), extra.begin(), extra.end());
        return result;
    }

    // Takes what has come on either stream; false at the end of both, or when `end` has passed.
    bool read_some(std::chrono::steady_clock::time_point end) {
        if (out_ < 0 && err_ < 0) {
            return false;
        }
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        pollfd streams[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
        const int ready = ::poll(streams, 2, static_cast<int>(std::max<long>(left.count(), 0)));
        if (ready < 0) {
            return errno == EINTR;
        }
        if (streams[0].revents != 0) {
            take(out_, seen_.out);
        }
        if (streams[1].revents != 0) {
            take(err_, seen_.err);
        }
        return ready > 0;
    }

    static void take(int& from, std::string& into) {
        char buffer[4096];
        const ssize_t n = ::read(from, buffer, sizeof buffer);
        if (n > 0) {
            into.append(buffer, static_cast<std::size_t>(n));
        } else if (n == 0) {
            ::close(std::exchange(from, -1));
        }
    }

    void close_all() {
        for (int* fd : {&in_, &out_, &err_}) {
            if (*fd >= 0) {
                ::close(std::exchange(*fd, -1));
            }
        }
    }

    pid_t pid_ = -1;
    int in_ = -1;
    int out_ = -1;
    int err_ = -1;
    child_result seen_;
};

/// The path of the child program `name`, which stands beside the tests.
inline std::string child_path(std::string_view name) {
    // Not by operator+: with folders of some lengths g++ 12 warns that it copies out of bounds.
    std::string path = RUNNEL_CHILD_DIR "/";
    path += name;
    return path;
}

/// Runs the child program `name` to its end.
inline child_result run_child(std::string_view name, std::vector<std::string> arguments,
                              const child_process::variables& environment = {},
                              std::chrono::milliseconds limit = std::chrono::seconds(60)) {
    arguments.insert(arguments.begin(), child_path(name));
    child_process child(std::move(arguments), environment);
    child.close_input();
    return child.wait(limit);
}

}  // namespace runnel::test
