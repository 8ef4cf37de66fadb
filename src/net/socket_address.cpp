#include "src/net/socket_address.hpp"

#include <algorithm>
#include <array>

#include <runnel/error.hpp>

namespace runnel::detail {

os::socket_address to_socket_address(const net::endpoint& e, std::error_code& ec) {
    ec.clear();
    switch (e.kind()) {
        case net::endpoint::family::ip: {
            const auto bytes = e.address().bytes();
            return e.address().is_v4()
                       ? os::socket_address::v4(bytes.first<4>(), e.port())
                       : os::socket_address::v6(bytes.first<16>(), e.address().zone(), e.port());
        }
        case net::endpoint::family::local: {
            os::socket_address out;
            if (os::socket_address::local(e.path(), out) != 0) {
                ec = std::make_error_code(std::errc::filename_too_long);
            }
            return out;
        }
        case net::endpoint::family::memory:
            ec = std::make_error_code(std::errc::address_family_not_supported);
            break;
        case net::endpoint::family::none:
            break;
    }
    return {};
}

net::endpoint to_endpoint(const os::socket_address& a) {
    const auto bytes = a.bytes();
    switch (a.family()) {
        case AF_INET: {
            std::array<std::uint8_t, 4> v4{};
            std::copy(bytes.begin(), bytes.end(), v4.begin());
            return {net::ip_address::v4(v4), a.port()};
        }
        case AF_INET6: {
            std::array<std::uint8_t, 16> v6{};
            std::copy(bytes.begin(), bytes.end(), v6.begin());
            return {net::ip_address::v6(v6, a.zone()), a.port()};
        }
        case AF_UNIX:
            return net::endpoint::local(a.path());
        default:
            return {};
    }
}

}  // namespace runnel::detail
