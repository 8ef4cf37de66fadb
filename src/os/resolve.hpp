// os/resolve.hpp: names, as the system looks them up.
#pragma once

#include <string>
#include <vector>

#include "src/os/socket.hpp"

namespace runnel::os {

enum class lookup_status : std::uint8_t { found, no_such_host, try_again, failed };

/// Blocks the thread, for as long as the system's resolver takes. `error`: errno if it failed.
lookup_status lookup_host(const std::string& host, std::vector<socket_address>& out, int& error);

}  // namespace runnel::os
