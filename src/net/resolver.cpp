// net/resolver.cpp: lookups that are shared, and that their callers need not wait out.
//
// Invariants
//   L1  A lookup is in the table from its start until it has ended; whoever asks for its name
//       meanwhile waits for it. What it found belongs to its flight, which its waiters keep alive.
//   L2  The system's lookups, which nobody can interrupt, run in the process-wide runtime: one that
//       its callers have left behind holds back no other runtime's end.
// Locks     lock_ (a runnel::mutex; nothing blocks under it).
#include <runnel/net/resolver.hpp>

#include <charconv>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <runnel/detail/event.hpp>
#include <runnel/error.hpp>
#include <runnel/goroutine.hpp>
#include <runnel/net/stream.hpp>
#include <runnel/runtime.hpp>
#include <runnel/sync/mutex.hpp>

#include "src/net/socket_address.hpp"
#include "src/os/resolve.hpp"
#include "src/sched/registry.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

using addresses = std::vector<net::ip_address>;

addresses ask_system(const std::string& host, std::error_code& ec) {
    addresses found;
    std::vector<os::socket_address> raw;
    int error = 0;
    switch (runnel::blocking([&] { return os::lookup_host(host, raw, error); })) {
        case os::lookup_status::found:
            ec.clear();
            break;
        case os::lookup_status::no_such_host:
            ec = errc::host_not_found;
            break;
        case os::lookup_status::try_again:
            ec = errc::try_again;
            break;
        case os::lookup_status::failed:
            ec = {error, std::generic_category()};
    }
    for (const os::socket_address& a : raw) {
        found.push_back(to_endpoint(a).address());
    }
    return found;
}

struct flight {
    one_time_event ended;
    // Written before `ended` is set.
    addresses found;
    std::error_code error;
};

}  // namespace

class lookup_table : public std::enable_shared_from_this<lookup_table> {
public:
    explicit lookup_table(net::resolver::function f) : ask_(std::move(f)) {}

    addresses lookup(const context& ctx, const std::string& host, std::error_code& ec,
                     const void* where) {
        const std::shared_ptr<flight> mine = enter(host);
        const wait_kind kind = ask_ ? wait_kind::join : wait_kind::blocking;
        if (!mine->ended.wait(limits_of(ctx), kind, where) && !mine->ended.is_set()) {
            ec = ctx.err();
            return {};
        }
        ec = mine->error;
        return mine->found;
    }

private:
    /// What the goroutine of a lookup needs.
    struct task {
        std::shared_ptr<lookup_table> table;
        std::shared_ptr<flight> under_way;
        std::string host;
    };

    std::shared_ptr<flight> enter(const std::string& host) {
        const std::lock_guard hold(lock_);
        const auto [at, fresh] = flights_.try_emplace(host);
        if (fresh) {
            try {
                at->second = std::make_shared<flight>();
                begin({shared_from_this(), at->second, host});
            } catch (...) {
                flights_.erase(at);
                throw;
            }
        }
        return at->second;
    }

    void begin(task t) {
        if (ask_) {
            go([t = std::move(t)]() mutable { run(t); });
            return;
        }
        auto owned = std::make_unique<task>(std::move(t));
        start_on(
            process_scheduler(), {}, "net-lookup",
            [](void* argument) {
                const std::unique_ptr<task> mine(static_cast<task*>(argument));
                run(*mine);
            },
            owned.get());
        std::ignore = owned.release();  // the goroutine's now
    }

    static void run(task& t) {
        flight& f = *t.under_way;
        try {
            f.found = t.table->ask_ ? t.table->ask_(t.host, f.error) : ask_system(t.host, f.error);
        } catch (const std::system_error& error) {
            f.error = error.code();
        } catch (...) {
            f.error = errc::exception_thrown;
        }
        if (!f.error && f.found.empty()) {
            f.error = errc::host_not_found;
        }
        {
            const std::lock_guard hold(t.table->lock_);
            t.table->flights_.erase(t.host);
        }
        f.ended.set();
    }

    const net::resolver::function ask_;  ///< empty: the system's way
    mutex lock_;
    std::unordered_map<std::string, std::shared_ptr<flight>> flights_;  ///< protected by lock_
};

}  // namespace runnel::detail

namespace runnel::net {

resolver::resolver() : table_(std::make_shared<detail::lookup_table>(resolver::function())) {}

resolver::resolver(function f) : table_(std::make_shared<detail::lookup_table>(std::move(f))) {}

std::vector<ip_address> resolver::lookup(const context& ctx, std::string_view host,
                                         std::error_code& ec) const {
    const ip_address itself = ip_address::parse(host, ec);
    if (!ec) {
        return {itself};
    }
    if (ec != errc::bad_address) {
        return {};  // an address in a zone that does not exist
    }
    ec.clear();
    if (host.empty()) {
        ec = errc::host_not_found;
        return {};
    }
    if (detail::has_ended(ctx)) {
        ec = ctx.err();
        return {};
    }
    return table_->lookup(ctx, std::string(host), ec, __builtin_return_address(0));
}

std::vector<ip_address> resolver::lookup(const context& ctx, std::string_view host) const {
    std::error_code ec;
    auto found = lookup(ctx, host, ec);
    if (ec) {
        throw_error(ec, "lookup " + std::string(host));
    }
    return found;
}

const resolver& resolver::system() {
    static const auto* const instance = new resolver;
    return *instance;
}

std::uint16_t lookup_port(std::string_view port, std::error_code& ec) {
    ec.clear();
    std::uint16_t value = 0;
    const char* const end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data(), end, value);
    if (error == std::errc() && stop == end) {
        return value;
    }
    const int known = port.empty() || error == std::errc::result_out_of_range
                          ? -1
                          : os::service_port(std::string(port), "tcp");
    if (known < 0) {
        ec = errc::bad_address;
        return 0;
    }
    return static_cast<std::uint16_t>(known);
}

}  // namespace runnel::net
