#include "src/base/fatal.hpp"

#include <unistd.h>

#include <array>
#include <cstring>
#include <exception>

namespace runnel::detail {

void print_error(std::string_view text) noexcept {
    // One write, so that lines of several threads do not mix.
    std::array<char, 1024> line;
    constexpr std::string_view prefix = "runnel: ";
    const std::size_t room = line.size() - prefix.size() - 1;
    const std::size_t length = text.size() < room ? text.size() : room;
    std::memcpy(line.data(), prefix.data(), prefix.size());
    std::memcpy(line.data() + prefix.size(), text.data(), length);
    line[prefix.size() + length] = '\n';
    [[maybe_unused]] const auto written =
        ::write(STDERR_FILENO, line.data(), prefix.size() + length + 1);
}

void fatal(std::string_view text) noexcept {
    print_error(text);
    std::terminate();
}

}  // namespace runnel::detail
