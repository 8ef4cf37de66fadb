#include <runnel/patterns/worker_pool.hpp>

#include <stdexcept>
#include <string>

namespace runnel::detail {

void pool_base::end_worker() noexcept {
    if (running_.fetch_sub(1) == 1) {
        let_go();
        ended_.set();
    }
}

op_status pool_base::wait(const wait_limits& limits, op_status otherwise, const void* where) {
    if (!ended_.wait(limits, wait_kind::join, where)) {
        return otherwise;
    }
    failure_.rethrow();
    return op_status::ok;
}

void pool_base::finish() noexcept {
    static_cast<void>(ended_.wait({}, wait_kind::join, nullptr));
    failure_.check_taken("whose worker_pool nobody waited for");
}

void throw_pool_ended() {
    throw channel_closed("runnel: worker_pool: submit to a pool whose context has ended");
}

void throw_no_pool() { throw std::logic_error("runnel: worker_pool: it has been moved from"); }

void check_workers(std::ptrdiff_t n) {
    if (n <= 0) {
        throw std::invalid_argument("runnel: worker_pool: " + std::to_string(n) +
                                    " workers: there must be at least one");
    }
}

}  // namespace runnel::detail
