#include "src/sched/overflow.hpp"

#include <signal.h>

#include <cstdint>
#include <cstdio>

#include "src/base/fatal.hpp"
#include "src/os/pages.hpp"
#include "src/os/signal_frame.hpp"
#include "src/sched/current.hpp"
#include "src/sched/worker.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t alternate_bytes = 64 * 1024;          // sanitizers' own handlers need room
constexpr std::uintptr_t largest_signal_frame = 16 * 1024;  // with all vector and tile registers
struct sigaction previous_segv;
struct sigaction previous_bus;

bool in_guard(const goroutine& g, const void* address) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    const auto low = reinterpret_cast<std::uintptr_t>(g.on->low);
    return at < low && at >= low - guard_bytes;
}

/// The system had no room on the goroutine's stack for the frame of a signal's handler.
bool no_room_for_handler(const goroutine& g, const siginfo_t& info, const void* context) noexcept {
    const auto sp = reinterpret_cast<std::uintptr_t>(os::sp_without_room(info, context));
    const auto low = reinterpret_cast<std::uintptr_t>(g.on->low);
    return sp >= low && sp - low < largest_signal_frame;
}

void report_overflow(const goroutine& g) noexcept {
    char text[512];
    const char* const file = g.started.file.load();
    const char* const name = g.name ? g.name->c_str() : "";
    const int length = std::snprintf(
        text, sizeof text,
        "stack overflow in goroutine %llu%s%s%s: its stack of %zu KiB is used up (started at "
        "%s:%u); "
        "give it more with go_options.stack_size",
        static_cast<unsigned long long>(g.id.load()), g.name ? " '" : "", name, g.name ? "'" : "",
        g.on->size() / 1024, file != nullptr ? file : "?", g.started.line.load());
    print_error({text, length > 0 ? static_cast<std::size_t>(length) : 0});
}

void on_fault(int signal, siginfo_t* info, void* context) {
    if (info->si_code <= 0) {
        // Sent by somebody, not caused by an access: it means what it means without us.
        ::signal(signal, SIG_DFL);
        ::raise(signal);
        return;
    }
    const struct sigaction& previous = signal == SIGSEGV ? previous_segv : previous_bus;
    const worker* const w = current_worker();
    if (w != nullptr && w->current != nullptr && w->current->on != nullptr &&
        (in_guard(*w->current, info->si_addr) ||
         no_room_for_handler(*w->current, *info, context))) {
        report_overflow(*w->current);
        ::signal(signal, SIG_DFL);  // returning faults again and ends the process with a core
        return;
    }
    if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
        previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    } else {
        ::signal(signal, SIG_DFL);
    }
}

}  // namespace

void install_overflow_handler() noexcept {
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGSEGV, &action, &previous_segv);
    ::sigaction(SIGBUS, &action, &previous_bus);
}

alternate_stack::alternate_stack() noexcept : memory_(os::reserve(alternate_bytes)) {
    if (memory_ == nullptr) {
        return;  // an overflow then ends the process without its name
    }
    stack_t own{};
    own.ss_sp = memory_;
    own.ss_size = alternate_bytes;
    ::sigaltstack(&own, nullptr);
}

alternate_stack::~alternate_stack() {
    stack_t off{};
    off.ss_flags = SS_DISABLE;
    ::sigaltstack(&off, nullptr);
    if (memory_ != nullptr) {
        os::release(memory_, alternate_bytes);
    }
}

}  // namespace runnel::detail
