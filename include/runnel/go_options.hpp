// runnel/go_options.hpp: what may be said of a goroutine when it is started.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace runnel {

struct go_options {
    std::string name = {};  ///< shown in reports
    /// Bytes of stack, 16 KiB to 1 GiB; default: runtime_options.stack_size.
    std::optional<std::size_t> stack_size = std::nullopt;
};

}  // namespace runnel
