// runnel/signal.hpp: signals of the process, as a context and as a channel.
//
//     auto [ctx, cancel] = with_signals(background(), {SIGINT, SIGTERM});
//     serve(ctx);   // a first Ctrl-C ends it in order; what the program did before on such a
//                   // signal comes back with the end of the scope
//
// While somebody listens for a signal, the program's own disposition of it is put aside; it comes
// back when the last listener is gone (unless the program has set another meanwhile). Nothing is
// set up before the first listener, and the thread that hands signals on ends with the last.
//
// Signals for which somebody listens reach it whichever threads block them. A child process gets
// the program's own dispositions.
#pragma once

#include <csignal>
#include <cstddef>
#include <initializer_list>
#include <stdexcept>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>

namespace runnel {

/// The cause of a context that a signal has cancelled; what() names the signal.
class signal_error : public std::runtime_error {
public:
    explicit signal_error(int signal);
    [[nodiscard]] int signal() const noexcept { return signal_; }

private:
    int signal_;
};

/// A child of `parent` that is also cancelled when one of `signals` arrives; cause() then holds a
/// signal_error. The program's own dispositions come back when cancel is called or destroyed, or
/// the context dropped, but not with the signal's arrival: a second one does not kill a program
/// that is ending in order. (Go's signal.NotifyContext)
///
/// Throws std::invalid_argument that names the signal if one cannot be caught, or there is none;
/// std::system_error if the system refuses.
[[nodiscard]] cancel_scope with_signals(const context& parent, std::initializer_list<int> signals);

/// A channel of the `which` that arrive, which buffers `capacity` of them; more are dropped. The
/// program's own dispositions come back when its last handle is dropped. Signals that arrive close
/// together may come in the order of their numbers, and the system merges those of one number that
/// are still on their way. (Go's signal.Notify)
///
/// Throws as with_signals(); std::length_error for a negative or impossible capacity.
[[nodiscard]] recv_chan<int> signals(std::initializer_list<int> which,
                                     std::ptrdiff_t capacity = 16);

}  // namespace runnel
