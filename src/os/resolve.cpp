#include "src/os/resolve.hpp"

#include <netdb.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace runnel::os {
namespace {

struct free_list {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

socket_address copy_of(const addrinfo& entry) {
    if (entry.ai_family == AF_INET) {
        sockaddr_in raw{};
        std::memcpy(&raw, entry.ai_addr, sizeof raw);
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &raw.sin_addr, bytes.size());
        return socket_address::v4(bytes, 0);
    }
    sockaddr_in6 raw{};
    std::memcpy(&raw, entry.ai_addr, sizeof raw);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &raw.sin6_addr, bytes.size());
    return socket_address::v6(bytes, raw.sin6_scope_id, 0);
}

}  // namespace

lookup_status lookup_host(const std::string& host, std::vector<socket_address>& out, int& error) {
    error = 0;
    if (host.find('\0') != std::string::npos) {
        return lookup_status::no_such_host;
    }
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    const int system_error = errno;
    const std::unique_ptr<addrinfo, free_list> owned(status == 0 ? found : nullptr);
    switch (status) {
        case 0:
            break;
        case EAI_NONAME:
        case EAI_NODATA:
        case EAI_ADDRFAMILY:
            return lookup_status::no_such_host;
        case EAI_AGAIN:
            return lookup_status::try_again;
        default:
            error = status == EAI_SYSTEM ? system_error : status == EAI_MEMORY ? ENOMEM : EIO;
            return lookup_status::failed;
    }
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
        if (entry->ai_family == AF_INET || entry->ai_family == AF_INET6) {
            out.push_back(copy_of(*entry));
        }
    }
    return out.empty() ? lookup_status::no_such_host : lookup_status::found;
}

}  // namespace runnel::os
