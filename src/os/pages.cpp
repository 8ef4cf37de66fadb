#include "src/os/pages.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace runnel::os {
namespace {

constexpr int madv_guard_install = 102;  // <linux/mman.h> of 6.13; older headers do not have it

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

void discard(std::byte* start, std::size_t bytes) noexcept {
    ::madvise(start, bytes, MADV_DONTNEED);
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

}  // namespace runnel::os
