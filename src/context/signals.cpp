#include "src/context/signals.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include <runnel/detail/closure.hpp>
#include <runnel/signal.hpp>

#include "src/chan/chan_core.hpp"
#include "src/context/context_state.hpp"
#include "src/os/thread.hpp"

namespace runnel {
namespace detail {

signal_set::signal_set(std::initializer_list<int> signals) {
    if (signals.size() == 0) {
        throw std::invalid_argument("runnel: no signal was given to wait for");
    }
    for (const int signal : signals) {
        if (const char* const why = os::why_not_caught(signal); why != nullptr) {
            throw std::invalid_argument("runnel: signal " + os::signal_name(signal) +
                                        " cannot be waited for: " + why);
        }
        bits_ |= std::uint64_t{1} << (signal - 1);
    }
}

signal_hub& the_signals() {
    static auto* const hub = new signal_hub;
    return *hub;
}

void signal_hub::add(signal_listener& l) {
    const std::lock_guard change(changing_);
    start();
    try {
        {
            const std::lock_guard hold(lock_);
            listeners_.push_back(&l);
        }
        use(l);
    } catch (...) {
        {
            const std::lock_guard hold(lock_);
            std::erase(listeners_, &l);
        }
        stop_if_alone();
        throw;
    }
    l.listed_ = true;
    os::wake_catcher();  // it accepts the new signals
}

void signal_hub::remove(signal_listener& l) noexcept {
    const std::lock_guard change(changing_);
    if (!l.listed_) {
        return;
    }
    l.listed_ = false;
    unuse(l, os::last_signal + 1);
    {
        const std::lock_guard hold(lock_);
        std::erase(listeners_, &l);
    }
    stop_if_alone();
}

void signal_hub::use(const signal_listener& l) {
    for (int signal = 1; signal <= os::last_signal; ++signal) {
        if (!l.wanted_.has(signal) || users_[static_cast<std::size_t>(signal)]++ != 0) {
            continue;
        }
        if (const int error = os::catch_signal(signal); error != 0) {
            unuse(l, signal + 1);
            throw std::system_error(-error, std::generic_category(),
                                    "runnel: sigaction of " + os::signal_name(signal));
        }
    }
}

/// Takes back use() of the signals below `end`.
void signal_hub::unuse(const signal_listener& l, int end) noexcept {
    for (int signal = 1; signal < end; ++signal) {
        if (l.wanted_.has(signal) && --users_[static_cast<std::size_t>(signal)] == 0) {
            os::uncatch_signal(signal);
        }
    }
}

void signal_hub::start() {
    if (thread_.joinable()) {
        return;
    }
    if (const int error = os::open_catcher(); error != 0) {
        throw std::system_error(-error, std::generic_category(), "runnel: eventfd for signals");
    }
    ending_ = false;  // nobody else is there
    const os::signals_blocked quiet;
    thread_ = std::thread([this] { listen(); });
}

void signal_hub::stop_if_alone() noexcept {
    {
        const std::lock_guard hold(lock_);
        if (!listeners_.empty()) {
            return;
        }
        ending_ = true;
    }
    os::wake_catcher();
    thread_.join();
}

void signal_hub::listen() noexcept {
    os::name_this_thread("runnel-signals");
    for (;;) {
        os::accept_caught();
        os::await_caught();
        {
            const std::lock_guard hold(lock_);
            if (ending_) {
                return;
            }
        }
        for (int signal = 1; signal <= os::last_signal; ++signal) {
            for (std::uint32_t left = os::take_caught(signal); left > 0; --left) {
                deliver(signal);
            }
        }
    }
}

void signal_hub::deliver(int signal) noexcept {
    std::vector<signal_listener*> told;
    {
        const std::lock_guard hold(lock_);
        std::ranges::copy_if(listeners_, std::back_inserter(told), [signal](signal_listener* l) {
            return l->wanted_.has(signal) && l->share();
        });
    }
    for (signal_listener* const l : told) {
        l->deliver(signal);
        l->drop_share();
    }
}

namespace {

/// A context that signals cancel.
class signal_state final : public context_state, public signal_listener {
public:
    static context_ref make(const context_ref& parent, signal_set wanted) {
        auto* const node = new signal_state(parent, wanted);
        context_ref made(node);
        node->adopt();
        the_signals().add(*node);
        return made;
    }

    void deliver(int signal) noexcept override {
        cancel(errc::canceled, std::make_exception_ptr(signal_error(signal)));
    }
    bool share() noexcept override { return try_retain(); }
    void drop_share() noexcept override { release_aside(this); }
    void withdraw() noexcept override { the_signals().remove(*this); }

private:
    signal_state(const context_ref& parent, signal_set wanted) noexcept
        : context_state(parent, deadline_of(parent)), signal_listener(wanted) {}
    ~signal_state() override { the_signals().remove(*this); }
};

/// Made before the channel that uses it.
struct signal_ring {
    const std::unique_ptr<int[]> places;
};

/// A channel that signals are sent to, which nobody but the hub does. The user has all receive
/// handles: when the last goes, nobody listens any more, whatever share the hub still has.
class signal_channel final : private signal_ring, public counted_chan_core, public signal_listener {
public:
    static recv_ref make(signal_set wanted, std::size_t capacity) {
        auto* const made = new signal_channel(wanted, capacity);
        recv_ref handle(made);
        the_signals().add(*made);
        return handle;
    }

    void deliver(int signal) noexcept override {
        static_cast<void>(chan_try_send(this, &signal));  // full: dropped
    }
    bool share() noexcept override {
        std::uint32_t shares = handles.load();
        while (shares != 0) {
            if (handles.compare_exchange_weak(shares, shares + 1)) {
                return true;
            }
        }
        return false;
    }
    void drop_share() noexcept override {
        if (handles.fetch_sub(1) == 1) {
            start_closure({}, [this] { delete this; });  // L3
        }
    }

private:
    signal_channel(signal_set wanted, std::size_t places_wanted)
        : signal_ring{std::make_unique<int[]>(places_wanted)},
          counted_chan_core(places_wanted, ops_of<int>, reinterpret_cast<std::byte*>(places.get()),
                            &hooks_of_signals),
          signal_listener(wanted) {}
    ~signal_channel() override { the_signals().remove(*this); }

    static void dispose(chan_core* c) noexcept { delete static_cast<signal_channel*>(c); }
    static void abandoned(chan_core* c) noexcept {
        the_signals().remove(*static_cast<signal_channel*>(c));
    }
    static const chan_hooks hooks_of_signals;
};

const chan_hooks signal_channel::hooks_of_signals{
    .dispose = &signal_channel::dispose,
    .received = [](chan_core*) noexcept {},
    .abandoned = &signal_channel::abandoned,
    .hides_ring = false,
};

}  // namespace
}  // namespace detail

signal_error::signal_error(int signal)
    : std::runtime_error("signal " + os::signal_name(signal) + " received"), signal_(signal) {}

cancel_scope with_signals(const context& parent, std::initializer_list<int> signals) {
    const detail::context_ref node =
        detail::signal_state::make(parent.node(), detail::signal_set(signals));
    return {context(node), cancel_func(node)};
}

recv_chan<int> signals(std::initializer_list<int> which, std::ptrdiff_t capacity) {
    constexpr std::ptrdiff_t limit = std::ptrdiff_t{1} << 30;
    if (capacity < 0 || capacity > limit) {
        throw std::length_error("runnel: signals: a capacity of " + std::to_string(capacity) +
                                " is negative or impossible");
    }
    return recv_chan<int>(detail::signal_channel::make(detail::signal_set(which),
                                                       static_cast<std::size_t>(capacity)));
}

}  // namespace runnel
