#include "src/os/pages.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace runnel::os {
namespace {

// From newer headers than we compile with.
constexpr int madv_populate_write = 23;          // Linux 5.14
constexpr int madv_guard_install = 102;          // Linux 6.13
constexpr int pidfd_self_thread_group = -10001;  // Linux 6.15: this process

/// Advises the kernel about some of `ranges`, from the first on, in one call. Returns how many it
/// has accepted.
std::size_t advise_at_once(std::span<const page_range> ranges, int advice) noexcept {
    static_assert(sizeof(page_range) == sizeof(iovec) &&
                  offsetof(page_range, start) == offsetof(iovec, iov_base) &&
                  offsetof(page_range, bytes) == offsetof(iovec, iov_len));
    const std::size_t count = std::min(ranges.size(), std::size_t{64});
    auto done =
        ::syscall(SYS_process_madvise, pidfd_self_thread_group, ranges.data(), count, advice, 0U);
    std::size_t whole = 0;
    while (whole < count && done >= static_cast<long>(ranges[whole].bytes)) {
        done -= static_cast<long>(ranges[whole++].bytes);
    }
    return whole;
}

/// Advises the kernel about all of `ranges`. Returns how many, from the first on, it has accepted.
std::size_t advise(std::span<const page_range> ranges, int advice) noexcept {
    std::size_t done = 0;
    while (done < ranges.size()) {
        const auto rest = ranges.subspan(done);
        std::size_t accepted = rest.size() > 1 ? advise_at_once(rest, advice) : 0;
        if (accepted == 0) {  // an older kernel, or one range alone
            accepted = ::madvise(rest.front().start, rest.front().bytes, advice) == 0 ? 1 : 0;
        }
        if (accepted == 0) {
            break;
        }
        done += accepted;
    }
    return done;
}

/// True if the kernel cannot read from `page`: write(2) reports EFAULT instead of a signal.
bool faults(const std::byte* page) noexcept {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    const bool fault = ::write(ends[1], page, 1) < 0 && errno == EFAULT;
    ::close(ends[0]);
    ::close(ends[1]);
    return fault;
}

guard_method probe() noexcept {
    const std::size_t size = page_size();
    std::byte* const page = reserve(size);
    if (page == nullptr) {
        return guard_method::none;
    }
    guard_method found = guard_method::none;
    if (::madvise(page, size, madv_guard_install) == 0 && faults(page)) {
        found = guard_method::install;
    } else if (::mprotect(page, size, PROT_NONE) == 0 && faults(page)) {
        found = guard_method::mprotect;
    }
    release(page, size);
    return found;
}

}  // namespace

std::size_t page_size() noexcept {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

std::byte* reserve(std::size_t bytes) noexcept {
    void* const start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        return nullptr;
    }
    // A huge page would commit many stacks at the first touch of one. Kernels without them refuse.
    ::madvise(start, bytes, MADV_NOHUGEPAGE);
    return static_cast<std::byte*>(start);
}

void release(std::byte* start, std::size_t bytes) noexcept { ::munmap(start, bytes); }

void populate(std::span<const page_range> ranges) noexcept {
    static_cast<void>(advise(ranges, madv_populate_write));
}

void discard(std::span<const page_range> ranges) noexcept {
    static_cast<void>(advise(ranges, MADV_DONTNEED));
}

guard_method best_guard_method() noexcept {
    static const guard_method method = probe();
    return method;
}

bool install_guard(std::byte* start, std::size_t bytes, guard_method method) noexcept {
    switch (method) {
        case guard_method::install:
            return ::madvise(start, bytes, madv_guard_install) == 0;
        case guard_method::mprotect:
            return ::mprotect(start, bytes, PROT_NONE) == 0;
        case guard_method::none:
            break;
    }
    return false;
}

std::size_t install_guards(std::span<const page_range> ranges) noexcept {
    return advise(ranges, madv_guard_install);
}

}  // namespace runnel::os
