// os/symbols.hpp: names for code addresses.
#pragma once

#include <string>

namespace runnel::os {

/// "function+0x12 (program+0x3456)" as far as the symbols of the running program tell; the part in
/// parentheses is what addr2line takes.
[[nodiscard]] std::string describe_address(const void* address);

}  // namespace runnel::os
