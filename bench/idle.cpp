// What a program costs that has worked and now waits.
#include <runnel/runnel.hpp>

#include "proc.hpp"
#include "workloads.hpp"

namespace bench {
namespace {

// Half of the goroutines send, half receive.
std::int64_t burst(const row& r) {
    const std::int64_t pairs = r.size("goroutines", 2) / 2;
    const std::int64_t each = r.share(pairs);
    const auto values = runnel::make_chan<std::int64_t>(r.size("buffer", 0));
    const auto sums = runnel::make_chan<std::int64_t>(pairs);
    for (std::int64_t p = 0; p < pairs; ++p) {
        runnel::go([=] {
            for (std::int64_t i = p * each; i < (p + 1) * each; ++i) {
                values.send(i);
            }
        });
        runnel::go([=] {
            std::int64_t sum = 0;
            for (std::int64_t i = 0; i < each; ++i) {
                sum += *values.recv();
            }
            sums.send(sum);
        });
    }
    std::int64_t sum = 0;
    for (std::int64_t p = 0; p < pairs; ++p) {
        sum += *sums.recv();
    }
    return sum;
}

}  // namespace

void idle(const row& r, const report& out) {
    check("sum received", burst(r), sum_below(r.count));
    const consumption before = consumed();
    runnel::sleep_for(std::chrono::seconds(2));
    const consumption after = consumed();
    out.ms("cpu", after.cpu - before.cpu);
    out.figure("switches", static_cast<double>(after.switches - before.switches), "count");
}

}  // namespace bench
