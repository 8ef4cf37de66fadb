// tls/config.hpp: what the connections of one configuration share.
//
// Locks     lock_ of each (a runnel::mutex): nothing blocks under it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <runnel/net/tls.hpp>
#include <runnel/sync/mutex.hpp>

#include "src/tls/openssl.hpp"

namespace runnel::detail {

/// The sessions of a client, the last one for each name. A session is taken when it is used: TLS
/// 1.3 wants each to be used once.
class tls_client_context {
public:
    explicit tls_client_context(const net::tls::client_options& options);

    /// A connection's state, prepared for the server of that name.
    [[nodiscard]] ssl_owner make(const std::string& server_name);
    void keep(const std::string& server_name, session_owner session);
    [[nodiscard]] bool verifies() const noexcept { return verify_; }

private:
    [[nodiscard]] session_owner take(const std::string& server_name);

    static constexpr std::size_t most_sessions = 1024;

    context_owner context_;  ///< constant after construction
    const bool verify_;
    mutex lock_;
    std::unordered_map<std::string, session_owner> sessions_;  ///< protected by lock_
};

class tls_server_context {
public:
    explicit tls_server_context(const net::tls::server_options& options);

    [[nodiscard]] ssl_owner make();
    void reload(std::vector<net::tls::identity> identities);

private:
    using identities = std::vector<net::tls::identity>;

    static int choose_identity(SSL* ssl, void* self) noexcept;
    static int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                               const unsigned char* in, unsigned in_size, void* self) noexcept;

    context_owner context_;        ///< constant after construction
    const std::string protocols_;  ///< as they go over the wire
    mutex lock_;
    std::shared_ptr<const identities> identities_;  ///< protected by lock_
};

/// Where the state keeps the name of the server, and its client's context.
struct tls_session_owner {
    std::weak_ptr<tls_client_context> context;
    std::string name;
};
[[nodiscard]] int session_owner_index() noexcept;

}  // namespace runnel::detail
