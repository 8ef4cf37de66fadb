// runnel/net/resolver.hpp: from names to addresses.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/net/address.hpp>

namespace runnel::detail {
class lookup_table;
}

namespace runnel::net {

/// Looks names up. Lookups of one name that are under way at one time are one lookup, which goes on
/// as long as it takes: a caller whose context ends leaves at once. A handle: copies share their
/// lookups, and all members may be called from any goroutine or thread.
class resolver {
public:
    /// Returns the addresses of `host`, or sets the error.
    using function =
        std::function<std::vector<ip_address>(const std::string& host, std::error_code& ec)>;

    /// The system's: /etc/hosts, DNS and whatever else the machine is configured for
    /// (getaddrinfo), on a thread of its own.
    resolver();
    /// Asks `f`, in a goroutine: for tests, and for other ways to look names up.
    explicit resolver(function f);

    /// The addresses of `host`, in the order in which they should be tried; an address as text is
    /// its own. Errors: errc::host_not_found; errc::try_again; those of `ctx`.
    [[nodiscard]] std::vector<ip_address> lookup(const context& ctx, std::string_view host,
                                                 std::error_code& ec) const;
    [[nodiscard]] std::vector<ip_address> lookup(const context& ctx, std::string_view host) const;

    /// The one that is used where none is named.
    [[nodiscard]] static const resolver& system();

private:
    std::shared_ptr<detail::lookup_table> table_;
};

/// A port as text, a number or the name of a service ("http"). Errors: errc::bad_address.
[[nodiscard]] std::uint16_t lookup_port(std::string_view port, std::error_code& ec);

}  // namespace runnel::net
