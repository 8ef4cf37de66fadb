// os/interface.hpp: the names of network interfaces.
#pragma once

#include <cstdint>
#include <string>

namespace runnel::os {

/// 0 if there is none of that name.
[[nodiscard]] std::uint32_t interface_index(const std::string& name) noexcept;
/// Empty if there is none.
[[nodiscard]] std::string interface_name(std::uint32_t index);

}  // namespace runnel::os
