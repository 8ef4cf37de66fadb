// os/cpus.hpp: how many CPUs this process may use, and how many memory mappings.
//
// Everything here only reads; nothing is cached, so a caller that wants one answer for its lifetime
// keeps it. All functions may be called from any thread at the same time.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>

namespace runnel::os {

/// The most workers a runtime may have, whether asked for or found.
inline constexpr std::size_t max_workers = 1024;

/// The kernel's own default for vm.max_map_count.
inline constexpr std::size_t default_max_map_count = 65530;

/// What bounds this process's use of CPUs.
struct cpu_limits {
    /// CPUs in the affinity mask; at least 1 when it comes from read_cpu_limits.
    std::size_t affinity = 1;
    /// CPU time per wall time that the control groups allow (1.5 is one CPU and a half); nullopt
    /// means no limit.
    std::optional<double> quota;
};

/// Reads the calling thread's affinity mask and the CPU quota of the process's control groups.
///
/// The quota is the smallest one set on the process's own cgroup or on an ancestor of it that is
/// visible through a mount, in the v2 hierarchy (cpu.max) and in the v1 hierarchy of the cpu
/// controller (cpu.cfs_quota_us over cpu.cfs_period_us). Files are looked up below `root`; the mask
/// is always the real one. A file that is missing or makes no sense sets no limit. Throws
/// std::bad_alloc only.
[[nodiscard]] cpu_limits read_cpu_limits(const std::filesystem::path& root = "/");

/// Returns how many workers suit `limits`: the smaller of the affinity and the quota rounded up, at
/// least 1 and at most max_workers.
[[nodiscard]] std::size_t default_workers(const cpu_limits& limits) noexcept;

/// Parses the value of RUNNEL_MAXPROCS: decimal digits only, from 1 to max_workers.
/// Throws std::invalid_argument, which names the variable, the value and the range, otherwise.
[[nodiscard]] std::size_t parse_workers(std::string_view text);

/// Returns vm.max_map_count, how many memory mappings a process may have, as found below `root`;
/// default_max_map_count when it cannot be read.
[[nodiscard]] std::size_t max_map_count(const std::filesystem::path& root = "/");

/// Fills the affinity mask of `bytes` bytes at `mask`; returns 0, or -1 with errno set, where
/// EINVAL says that the mask is too small for this kernel. sched_getaffinity, apart from tests.
using affinity_call = int (*)(std::size_t bytes, void* mask);

/// Counts the CPUs that `call` reports, with a mask that grows until it is large enough. Returns
/// the number of CPUs online (at least 1) when `call` fails or reports none.
[[nodiscard]] std::size_t count_affinity(affinity_call call);

}  // namespace runnel::os
