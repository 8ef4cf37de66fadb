// os/pages.hpp: address space, guard pages, and giving memory back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace runnel::os {

[[nodiscard]] std::size_t page_size() noexcept;

/// Reserves address space that is committed by touching it, never in huge pages; null on failure.
[[nodiscard]] std::byte* reserve(std::size_t bytes) noexcept;
void release(std::byte* start, std::size_t bytes) noexcept;

/// Whole pages that lie together. An array of them is read by the system, so keep it where that has
/// read before: the first access to a page of a fresh stack from there is dear.
struct page_range {
    std::byte* start;
    std::size_t bytes;
};

/// Commits the pages before they are touched, in one system call where the kernel can: a page fault
/// costs several times as much. Does nothing where that is not supported.
void populate(std::span<const page_range> ranges) noexcept;

/// Gives the memory of the pages back to the system; they read as zero afterwards. Guards stay.
/// Many at once interrupt the other processors once.
void discard(std::span<const page_range> ranges) noexcept;

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

/// The same by guard_method::install for many. Returns how many are done, from the first on: fewer
/// than all if the kernel refused.
[[nodiscard]] std::size_t install_guards(std::span<const page_range> ranges) noexcept;

}  // namespace runnel::os
