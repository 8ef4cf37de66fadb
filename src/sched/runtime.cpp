// sched/runtime.cpp: run(), and runtimes as objects.
#include <runnel/runtime.hpp>

#include <stdexcept>
#include <string>

#include <runnel/go_options.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/current.hpp"
#include "src/sched/report.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel {
namespace detail {
namespace {

struct plain_call {
    void (*body)(void*);
    void* argument;

    static void invoke(void* storage) {
        const plain_call call = *static_cast<plain_call*>(storage);
        call.body(call.argument);
    }
};

struct main_call {
    scheduler& where;
    void (*body)(void*);
    void* argument;
    waiter done;

    static void invoke(void* self) {
        auto& call = *static_cast<main_call*>(self);
        scheduler& s = call.where;
        // Counted here, not by the thread that waits: until this goroutine runs, all others may be
        // asleep without being deadlocked.
        s.mains.fetch_add(1);
        call.body(call.argument);
        s.mains.fetch_sub(1);
        if (call.done.end(1)) {
            wake(call.done);
        }
    }
};

}  // namespace

void start_on(scheduler& s, const start_info& info, const char* name, void (*body)(void*),
              void* argument) {
    const go_options options{.name = name};
    start_info known = info;
    known.options = &options;
    const start_slot slot = s.prepare(sizeof(plain_call), alignof(plain_call), known);
    ::new (slot.storage) plain_call{.body = body, .argument = argument};
    s.start(slot, &plain_call::invoke);
}

void run_main(scheduler* where, const start_info& info, void (*body)(void*), void* argument) {
    const worker* const on = current_worker();
    if (on != nullptr && (where == nullptr || &on->home == where)) {
        throw std::logic_error("runnel: run() was called from a goroutine of the same runtime");
    }
    scheduler& s = where != nullptr ? *where : process_scheduler();
    main_call call{.where = s, .body = body, .argument = argument, .done = {}};
    begin_wait(call.done, wait_kind::join, __builtin_return_address(0));
    try {
        start_on(s, info, "main", &main_call::invoke, &call);
    } catch (...) {
        give_up_wait(call.done);
        throw;
    }
    park_here(call.done);
}

}  // namespace detail

runtime::runtime(const runtime_options& options)
    : scheduler_(new detail::scheduler(options, nullptr)) {}

runtime::~runtime() = default;

std::size_t runtime::workers() const noexcept { return scheduler_->base_workers(); }

void runtime::stop_and_delete::operator()(detail::scheduler* s) const noexcept {
    if (!s->drain(s->options().shutdown_limit)) {
        detail::print_error("a runtime was destroyed, but goroutines are left after its "
                            "shutdown_limit:");
        for (const std::string& line : detail::describe_all(*s)) {
            detail::print_error(line);
        }
        detail::fatal("goroutines left at the end of a runtime");
    }
    s->stop();
    delete s;
}

}  // namespace runnel
