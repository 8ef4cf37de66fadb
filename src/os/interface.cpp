#include "src/os/interface.hpp"

#include <net/if.h>

#include <array>

namespace runnel::os {

std::uint32_t interface_index(const std::string& name) noexcept {
    return ::if_nametoindex(name.c_str());
}

std::string interface_name(std::uint32_t index) {
    std::array<char, IF_NAMESIZE> name{};
    return ::if_indextoname(index, name.data()) != nullptr ? name.data() : "";
}

}  // namespace runnel::os
