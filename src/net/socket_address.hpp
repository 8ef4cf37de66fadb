// net/socket_address.hpp: between endpoints and the addresses of system calls.
#pragma once

#include <system_error>

#include <runnel/net/address.hpp>

#include "src/os/socket.hpp"

namespace runnel::detail {

/// An endpoint of family none gives an address of none.
[[nodiscard]] os::socket_address to_socket_address(const net::endpoint& e, std::error_code& ec);
[[nodiscard]] net::endpoint to_endpoint(const os::socket_address& a);

}  // namespace runnel::detail
