// os/pages.hpp: address space, guard pages, and giving memory back.
#pragma once

#include <cstddef>
#include <cstdint>

namespace runnel::os {

[[nodiscard]] std::size_t page_size() noexcept;

/// Reserves address space that is committed by touching it, never in huge pages; null on failure.
[[nodiscard]] std::byte* reserve(std::size_t bytes) noexcept;
void release(std::byte* start, std::size_t bytes) noexcept;

/// Gives the memory of whole pages back to the system; they read as zero afterwards. Guards stay.
void discard(std::byte* start, std::size_t bytes) noexcept;

/// How pages can be made to fault.
enum class guard_method : std::uint8_t {
    none,      ///< not at all
    mprotect,  ///< PROT_NONE: each guard costs two of the process's mappings (vm.max_map_count)
    install,   ///< MADV_GUARD_INSTALL, Linux 6.13: costs no mapping
};

/// The best method of this kernel, found once by its effect: some emulators accept the call and do
/// nothing.
[[nodiscard]] guard_method best_guard_method() noexcept;

/// Makes the pages fault. Returns false if the kernel refused.
[[nodiscard]] bool install_guard(std::byte* start, std::size_t bytes, guard_method method) noexcept;

}  // namespace runnel::os
