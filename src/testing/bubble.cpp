// testing/bubble.cpp
//
// Purpose   Virtual time rests on one moment: every worker asleep and every queue empty. The
//           scheduler calls quiescent() then (on the worker that fell asleep last); it wakes
//           whoever settles, or moves the clock to the next timer, or finds that nothing can ever
//           move.
// Invariants
//   V1  quiescent() acts only if, under lock_, everybody is asleep: two workers may both have seen
//       it.
//   V2  Nothing outside the runtime makes its goroutines runnable while none of them waits for a
//       mutex of either kind, another's call_once, a descriptor or a blocking call: then "all
//       asleep" is final, and not only for the moment.
//       Who waits for a mutex that nobody unlocks is found by the thread that waits in run().
//       (find_stall)
//   V3  Once the root has ended, time stands still: what is then blocked is left over.
// Locks     lock_, above all of the scheduler's. Settlers are woken under it by pushing into a run
//           queue.
#include <runnel/testing/bubble.hpp>

#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <runnel/detail/event.hpp>
#include <runnel/detail/limits.hpp>

#include "src/sched/current.hpp"
#include "src/sched/report.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::testing {
namespace {

// Midnight UTC, 1 January 2000, as Go's bubbles begin.
constexpr detail::ticks start_of_time = 946'684'800LL * 1'000'000'000;

constexpr std::chrono::milliseconds look_for_stall{20};  // real time, and how often

std::string join_lines(const std::string& what, const std::vector<std::string>& lines) {
    std::string text = what;
    for (const std::string& line : lines) {
        text += "\n  " + line;
    }
    return text;
}

/// Waits for something that is locked, by somebody who need not be in the bubble.
bool waits_for_mutex(const detail::goroutine& g) {
    switch (g.waiting_now()) {
        case detail::wait_kind::mutex:
        case detail::wait_kind::shared_mutex:
        case detail::wait_kind::shared_mutex_shared:
        case detail::wait_kind::once:
            return true;
        default:
            return false;
    }
}

bool durably_blocked(const detail::goroutine& g) {
    switch (g.waiting_now()) {
        case detail::wait_kind::none:
        case detail::wait_kind::poll:
        case detail::wait_kind::blocking:
        case detail::wait_kind::socket_read:
        case detail::wait_kind::socket_write:
            return false;
        default:
            return !waits_for_mutex(g);
    }
}

}  // namespace

bubble_error::bubble_error(const std::string& what, std::vector<std::string> goroutines)
    : std::runtime_error(join_lines(what, goroutines)), goroutines_(std::move(goroutines)) {}

class bubble::state {
public:
    explicit state(const runtime_options& options) {
        time_.now = start_of_time;
        time_.quiescent = [this] { return quiescent(); };
        scheduler_ = std::make_unique<detail::scheduler>(options, &time_);
    }

    ~state() { scheduler_->stop(); }
    state(const state&) = delete;
    state& operator=(const state&) = delete;

    /// After a run that has failed.
    [[nodiscard]] bool stranded() const noexcept { return stranded_; }
    void run(const detail::start_info& info, void (*body)(void*), void* argument);
    void settle(const void* where);

private:
    struct root_call {
        void (*body)(void*);
        void* argument;
        state* self;
        std::exception_ptr error;
    };

    /// Since when nothing has moved.
    struct stall {
        std::optional<std::chrono::steady_clock::time_point> since;
        std::uint64_t moves = 0;
    };

    static void run_root(void* argument);
    void find_stall(stall& seen);
    bool waits_for_mutex_only();
    bool quiescent();
    bool all_durably_blocked();
    bool wake_settlers();
    void finish(std::string verdict);

    detail::virtual_time time_;
    std::unique_ptr<detail::scheduler> scheduler_;
    detail::one_time_event* over_ = nullptr;  ///< of the run that is under way

    std::mutex lock_;
    // Protected by lock_.
    detail::wait_queue settlers_;
    bool root_ended_ = false;
    bool running_ = false;
    std::string verdict_;
    bool stranded_ = false;
};

/// On a worker of the bubble; see the head of this file.
bool bubble::state::quiescent() {
    const std::lock_guard hold(lock_);
    if (!running_ || !scheduler_->all_asleep() || !all_durably_blocked()) {
        return false;
    }
    if (scheduler_->live() == 0) {
        finish("");
        return false;
    }
    if (wake_settlers()) {
        return true;
    }
    const detail::ticks next = scheduler_->earliest_timer();
    if (next != detail::never && !root_ended_) {
        time_.now = next;
        scheduler_->fire_timers(*detail::current_worker(), next);
        return true;
    }
    finish(root_ended_ ? "bubble: the root has returned, but goroutines are left"
                       : "bubble: deadlock: every goroutine is blocked for good");
    return false;
}

bool bubble::state::all_durably_blocked() {
    bool all = true;
    scheduler_->for_each_goroutine(
        [&](const detail::goroutine& g) { all = all && durably_blocked(g); });
    return all;
}

bool bubble::state::wake_settlers() {
    detail::wait_node* const list = detail::end_all(settlers_);
    detail::wake_all(list);
    return list != nullptr;
}

/// The run is over: as it should be if `verdict` is empty.
void bubble::state::finish(std::string verdict) {
    running_ = false;
    verdict_ = std::move(verdict);
    stranded_ = !verdict_.empty();
    over_->set();
}

void bubble::state::run_root(void* argument) {
    auto& call = *static_cast<root_call*>(argument);
    try {
        call.body(call.argument);
    } catch (...) {
        call.error = std::current_exception();
    }
    const std::lock_guard hold(call.self->lock_);
    call.self->root_ended_ = true;
}

void bubble::state::run(const detail::start_info& info, void (*body)(void*), void* argument) {
    root_call root{.body = body, .argument = argument, .self = this, .error = nullptr};
    detail::one_time_event over;
    {
        const std::lock_guard hold(lock_);
        if (running_ || stranded_) {
            throw std::logic_error("runnel: bubble::run: another run is under way, or has failed");
        }
        running_ = true;
        root_ended_ = false;
        over_ = &over;
        // Under the lock: nobody must find everything asleep before the root is in a queue.
        detail::start_on(*scheduler_, info, "root", &state::run_root, &root);
    }
    stall seen;
    while (!over.wait(detail::after(look_for_stall), detail::wait_kind::join, nullptr)) {
        find_stall(seen);
    }
    std::string verdict;
    {
        const std::lock_guard hold(lock_);
        verdict = verdict_;
    }
    std::vector<std::string> left;
    if (!verdict.empty()) {
        left = detail::describe_all(*scheduler_);
        scheduler_->abandon();
    }
    if (root.error) {  // the root's own failure is why the others are left
        std::rethrow_exception(std::move(root.error));
    }
    if (!verdict.empty()) {
        throw bubble_error(verdict, std::move(left));
    }
}

/// Who waits for a mutex may be woken from outside (V2); but for how long does one wait for that?
/// Not at all if nobody is outside; else until nothing has moved for the bubble's shutdown_limit,
/// in real time.
void bubble::state::find_stall(stall& seen) {
    const std::lock_guard hold(lock_);
    const std::uint64_t moves = scheduler_->movements();
    if (!running_ || !scheduler_->all_asleep() || !waits_for_mutex_only()) {
        seen = {};
        return;
    }
    const auto at = std::chrono::steady_clock::now();
    if (!seen.since || seen.moves != moves) {
        seen = {.since = at, .moves = moves};
    }
    constexpr std::size_t in_run = 1;
    if (at - *seen.since >= scheduler_->options().shutdown_limit ||
        scheduler_->stands_still_alone(in_run)) {
        finish("bubble: deadlock: a mutex is waited for that nobody unlocks; meanwhile time stands "
               "still");
    }
}

/// True if nothing but the unlocking of a mutex keeps this from being a deadlock.
bool bubble::state::waits_for_mutex_only() {
    bool mutex = false;
    bool other = false;
    scheduler_->for_each_goroutine([&](const detail::goroutine& g) {
        const bool blocked = durably_blocked(g);
        mutex = mutex || waits_for_mutex(g);
        other = other || (!blocked && !waits_for_mutex(g));
    });
    return mutex && !other;
}

void bubble::state::settle(const void* where) {
    const detail::worker* const on = detail::current_worker();
    if (on == nullptr || &on->home != scheduler_.get()) {
        throw std::logic_error("runnel: bubble::settle() was called from outside the bubble");
    }
    detail::waiter who;
    detail::wait_node node{.owner = &who};
    {
        const std::lock_guard hold(lock_);
        detail::begin_wait(who, detail::wait_kind::settle, where);
        settlers_.push_back(node);
    }
    detail::park_here(who);
}

bubble::bubble(const runtime_options& options) : state_(std::make_unique<state>(options)) {}

bubble::~bubble() {
    if (state_->stranded()) {
        // The stacks of those left behind hold objects that nobody can destroy: leave it all as it
        // is.
        [[maybe_unused]] const state* const left = state_.release();
    }
}

void bubble::run_root(const detail::start_info& info, void (*body)(void*), void* argument) {
    if (detail::current_worker() != nullptr) {
        throw std::logic_error("runnel: bubble::run() was called from a goroutine");
    }
    state_->run(info, body, argument);
}

void bubble::settle() { state_->settle(__builtin_return_address(0)); }

}  // namespace runnel::testing
