// tour/stages.hpp: what the pipelines of P12, P13 and P17 share.
//
// A stage is a goroutine between two channels. The rules that keep a pipeline from leaking:
// whoever sends on a channel closes it, on every way out; whoever sends also listens to `stop`;
// whoever reads the end of the pipeline owns the stopper, so that leaving early ends every stage.
// A stage ends soon after that, not at once: what its step uses must live as long as the step, so
// steps own what they use.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

namespace tour {

/// Tells all stages to stop when it goes out of scope.
class stopper {
public:
    stopper() = default;
    ~stopper() { stop_.close(); }
    stopper(const stopper&) = delete;
    stopper& operator=(const stopper&) = delete;

    [[nodiscard]] runnel::recv_chan<runnel::unit> channel() const { return stop_; }

private:
    runnel::chan<runnel::unit> stop_ = runnel::make_chan<runnel::unit>();
};

/// Sends `value`; gives up and returns false once `stop` is closed.
template <class Out, class T>
[[nodiscard]] bool send_or_stop(const Out& out, T value,
                                const runnel::recv_chan<runnel::unit>& stop) {
    return runnel::select(runnel::on_send(out, std::move(value)), runnel::on_recv(stop)) == 0;
}

/// What a stage does with a number: its replacement, or nothing to drop it.
using step = std::function<std::optional<int>(int)>;

inline std::optional<int> drop_odd(int number) {
    return number % 2 == 0 ? std::optional(number) : std::nullopt;
}
inline std::optional<int> square(int number) { return number * number; }
inline std::optional<int> drop_over_100(int number) {
    return number <= 100 ? std::optional(number) : std::nullopt;
}

using numbers = runnel::recv_chan<int>;
using stop_signal = runnel::recv_chan<runnel::unit>;

/// Sends `count` numbers from `start` on. (P12)
numbers generate(int start, int count, const stop_signal& stop);

/// Takes `in` through `f` to `out`, until `in` ends or `stop` closes; `out` stays open. (P12)
void work_through(const step& f, const numbers& in, const runnel::send_chan<int>& out,
                  const stop_signal& stop);

/// One goroutine that takes `in` through `f`. An exception in `f` reaches the consumer. (P12)
numbers stage(const step& f, const numbers& in, const stop_signal& stop);

/// `workers` goroutines that take `in` through `f`; what comes out has no order. (P13)
numbers fan_out(const std::string& name, int workers, const step& f, const numbers& in,
                const stop_signal& stop);

/// All that is left in `in`.
inline std::vector<int> drain(const numbers& in) {
    std::vector<int> all;
    for (const int number : in) {
        all.push_back(number);
    }
    return all;
}

}  // namespace tour
