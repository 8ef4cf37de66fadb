#include "src/time/timer_core.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include <runnel/detail/closure.hpp>

namespace runnel::detail {
namespace {

ticks saturated_sum(ticks at, ticks d) noexcept { return d > never - at ? never : at + d; }

/// Where the function lies behind its timer.
std::size_t function_offset(const timer_function& f) noexcept {
    return (sizeof(timer_core) + f.align - 1) / f.align * f.align;
}

std::align_val_t alignment_with(const timer_function& f) noexcept {
    return std::align_val_t(std::max(alignof(timer_core), f.align));
}

}  // namespace

const timer_ops timer_core::heap_ops{
    .claim = &timer_core::claim, .fire = &timer_core::fire, .abandon = &timer_core::abandon};
const chan_hooks timer_core::hooks_of_timers{.dispose = &timer_core::dispose,
                                             .received = &timer_core::received,
                                             .abandoned = nullptr,
                                             .hides_ring = true};

timer_core::timer_core(sort s, const timer_function* f, const char* file,
                       std::uint32_t line) noexcept
    : chan_core(s == sort::function ? 0 : 1, ops_of<clock::time_point>, bytes.data(), false,
                &hooks_of_timers),
      sort_(s),
      line_(line),
      file_(file),
      function_(f) {
    timer_node::ops = &heap_ops;
}

timer_core* timer_core::make_for(const timer_function& f, const char* file, std::uint32_t line) {
    void* const memory = ::operator new(function_offset(f) + f.size, alignment_with(f));
    return ::new (memory) timer_core(sort::function, &f, file, line);
}

void timer_core::free_without_function() noexcept {
    const std::align_val_t align = alignment_with(*function_);
    std::destroy_at(this);
    ::operator delete(static_cast<void*>(this), align);
}

void* timer_core::function_storage() noexcept {
    return reinterpret_cast<std::byte*>(this) + function_offset(*function_);
}

bool timer_core::stop() noexcept {
    const std::lock_guard hold(lock);
    return make_inactive();
}

bool timer_core::start(std::chrono::nanoseconds d) {
    timer_armer armer;
    const ticks at = armer.now();
    const bool at_once = d.count() <= 0;
    waiter* peer = nullptr;
    bool was_active = false;
    {
        const std::lock_guard hold(lock);
        was_active = make_inactive();
        if (sort_ == sort::ticker) {
            period_ = d.count();
        }
        if (!at_once) {
            link(armer, saturated_sum(at, d.count()));
            active_ = true;
        } else if (sends()) {
            peer = send(at);
        }
    }
    armer.tell();
    if (peer != nullptr) {
        wake(*peer);
    }
    if (at_once && !sends()) {
        retain(this);
        start_goroutine(chan_ref(this), true);
    }
    return was_active;
}

bool timer_core::make_inactive() noexcept {
    bool waited = false;
    if (count.load() != 0) {
        clock::time_point dropped;
        waiter* nobody = nullptr;
        waited = recv_now(&dropped, nobody, nullptr) == attempt::done;
    }
    unlink();
    return std::exchange(active_, false) || waited;
}

void timer_core::link(timer_armer& armer, ticks at) {
    when = at;
    armer.link(*this);
    queued_ = true;
    if (!sends()) {
        retain(this);
    }
}

void timer_core::unlink() noexcept {
    if (!std::exchange(queued_, false)) {
        return;
    }
    if (!disarm_timer(*this)) {
        ++stale_;
    } else if (!sends()) {
        release(this);  // not the last: the caller has a handle
    }
}

/// A claim has come down; false if it is stale.
bool timer_core::land() noexcept {
    if (stale_ != 0) {
        --stale_;
        return false;
    }
    queued_ = false;
    return true;
}

/// Puts a tick into the channel, which has none; returns the receiver to be woken, if one waits.
waiter* timer_core::send(ticks at) noexcept {
    clock::time_point due{clock::duration(at)};
    waiter* peer = nullptr;
    static_cast<void>(send_now(&due, peer, nullptr));
    return peer;
}

waiter* timer_core::tick(timer_armer& armer) noexcept {
    waiter* const peer = send(when);
    if (sort_ == sort::once) {
        active_ = false;
    } else if (peer != nullptr) {
        catch_up(armer.now());
        link(armer, when);
    }
    return peer;
}

/// The first tick after `at` that is in step.
void timer_core::catch_up(ticks at) noexcept {
    const ticks steps = std::max<ticks>(at - when, 0) / period_ + 1;
    when = steps > (never - when) / period_ ? never : when + steps * period_;
}

bool timer_core::claim(timer_node& node) noexcept {
    timer_core& self = from(node);
    if (!self.sends()) {
        return true;  // the heap's own reference
    }
    std::uint32_t seen = self.handles.load();
    while (seen != 0 && !self.handles.compare_exchange_weak(seen, seen + 1)) {
    }
    return seen != 0;
}

void timer_core::fire(timer_node& node) noexcept {
    timer_core& self = from(node);
    if (self.sends()) {
        self.send_due();
    } else {
        self.call_due();
    }
}

void timer_core::send_due() noexcept {
    timer_armer armer;
    waiter* peer = nullptr;
    {
        const std::lock_guard hold(lock);
        if (land()) {
            peer = tick(armer);
        }
    }
    armer.tell();
    if (peer != nullptr) {
        wake(*peer);
    }
    release(this);
}

void timer_core::call_due() noexcept {
    bool call = false;
    {
        const std::lock_guard hold(lock);
        call = land();
        active_ = active_ && !call;
    }
    start_goroutine(chan_ref(this), call);
}

/// Calls the function, or only lets go of what may be the last handle, in a new goroutine.
void timer_core::start_goroutine(chan_ref self, bool call) {
    start_closure({.file = file_, .line = line_}, [self = std::move(self), call] {
        timer_core& t = from(self.get());
        if (call) {
            t.function_->call(t.function_storage());
        }
    });
}

void timer_core::abandon(timer_node& node) noexcept {
    timer_core& self = from(node);
    {
        const std::lock_guard hold(self.lock);
        self.active_ = !self.land() && self.active_;
    }
    release(&self);
}

void timer_core::dispose(chan_core* c) noexcept {
    timer_core& self = from(c);
    if (self.sends()) {
        if (self.queued_) {
            static_cast<void>(disarm_timer(self));
        }
        delete &self;
        return;
    }
    self.function_->destroy(self.function_storage());
    self.free_without_function();
}

/// A tick was taken from the ring: a ticker goes on (M2).
void timer_core::received(chan_core* c) noexcept {
    timer_core& self = from(c);
    if (self.sort_ != sort::ticker) {
        return;
    }
    timer_armer armer;
    {
        const std::lock_guard hold(self.lock);
        if (!self.active_ || self.queued_ || self.count.load() != 0) {
            return;
        }
        self.catch_up(armer.now());
        self.link(armer, self.when);
    }
    armer.tell();
}

namespace {

timer_core& timer_behind(chan_core* t, const char* what) {
    if (t == nullptr) {
        throw std::logic_error(std::string("runnel: ") + what +
                               " of a timer or ticker that was default-constructed or moved from");
    }
    return static_cast<timer_core&>(*t);
}

void check_period(std::chrono::nanoseconds period) {
    if (period.count() <= 0) {
        throw std::invalid_argument("runnel: a ticker's period is " +
                                    std::to_string(period.count()) + " ns, but must be positive");
    }
}

chan_core* make_and_start(timer_core::sort s, std::chrono::nanoseconds d) {
    auto made = std::make_unique<timer_core>(s);
    made->start(d);
    return made.release();
}

}  // namespace

chan_core* make_timer(std::chrono::nanoseconds d) {
    return make_and_start(timer_core::sort::once, d);
}

chan_core* make_ticker(std::chrono::nanoseconds period) {
    check_period(period);
    return make_and_start(timer_core::sort::ticker, period);
}

chan_core* timer_channel(chan_core* t) noexcept {
    return t != nullptr && static_cast<timer_core*>(t)->sends() ? t : nullptr;
}

bool timer_stop(chan_core* t) { return timer_behind(t, "stop()").stop(); }

bool timer_reset(chan_core* t, std::chrono::nanoseconds d) {
    return timer_behind(t, "reset()").start(d);
}

bool ticker_reset(chan_core* t, std::chrono::nanoseconds period) {
    timer_core& timer = timer_behind(t, "reset()");
    check_period(period);
    return timer.start(period);
}

function_timer_slot prepare_function_timer(const timer_function& f, const char* file,
                                           std::uint32_t line) {
    timer_core* const made = timer_core::make_for(f, file, line);
    return {.timer = made, .storage = made->function_storage()};
}

void abandon_function_timer(function_timer_slot slot) noexcept {
    static_cast<timer_core*>(slot.timer)->free_without_function();
}

void start_function_timer(chan_core* t, std::chrono::nanoseconds d) {
    static_cast<timer_core*>(t)->start(d);
}

}  // namespace runnel::detail
