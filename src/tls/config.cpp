#include "src/tls/config.hpp"

#include <openssl/x509v3.h>

#include <mutex>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <runnel/net/address.hpp>

namespace runnel::detail {
namespace {

void require(bool well, std::string_view what) {
    if (!well) {
        throw_openssl_error(what);
    }
}

/// Each protocol behind its length (RFC 7301).
std::string wire_format(const std::vector<std::string>& protocols) {
    std::string wire;
    for (const std::string& p : protocols) {
        if (p.empty() || p.size() > 255) {
            throw std::invalid_argument("runnel: tls: an ALPN protocol has 1 to 255 bytes: '" + p +
                                        "'");
        }
        wire += static_cast<char>(p.size());
        wire += p;
    }
    return wire;
}

context_owner make_context(const SSL_METHOD* method, net::tls::version min_version) {
    ERR_clear_error();
    context_owner context(SSL_CTX_new(method));
    require(context != nullptr, "SSL_CTX_new");
    SSL_CTX* const c = context.get();
    const int lowest = min_version == net::tls::version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    require(SSL_CTX_set_min_proto_version(c, lowest) == 1, "minimum version");
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);  // idle connections are many
    return context;
}

void set_roots(SSL_CTX* c, const net::tls::roots& roots) {
    if (roots.get()->system) {
        require(SSL_CTX_set_default_verify_paths(c) == 1, "the system's certificates");
        return;
    }
    X509_STORE* const store = SSL_CTX_get_cert_store(c);
    for (const certificate_owner& root : roots.get()->certificates) {
        require(X509_STORE_add_cert(store, root.get()) == 1, "root certificate");
    }
}

template <class Target>
bool use_identity(Target set, const tls_identity& id) {
    STACK_OF(X509)* const rest = sk_X509_new_null();
    bool well = rest != nullptr;
    for (std::size_t i = 1; well && i < id.chain.size(); ++i) {
        well = sk_X509_push(rest, id.chain[i].get()) > 0;
    }
    well = well && set(id.chain.front().get(), id.key.get(), rest) == 1;
    sk_X509_free(rest);
    return well;
}

bool is_address(const std::string& host) {
    std::error_code ec;
    static_cast<void>(net::ip_address::parse(host, ec));
    return !ec;
}

void free_session_owner(void* /*parent*/, void* data, CRYPTO_EX_DATA* /*all*/, int /*index*/,
                        long /*argument*/, void* /*pointer*/) {
    delete static_cast<tls_session_owner*>(data);
}

/// OpenSSL has a session that the connection's client may use next time; 1: it is ours now.
int new_session(SSL* ssl, SSL_SESSION* session) noexcept {
    session_owner owned(session);
    const auto* const owner =
        static_cast<const tls_session_owner*>(SSL_get_ex_data(ssl, session_owner_index()));
    if (owner == nullptr) {
        std::ignore = owned.release();
        return 0;
    }
    try {
        if (const auto context = owner->context.lock()) {
            context->keep(owner->name, std::move(owned));
        }
    } catch (const std::bad_alloc&) {
        return 1;  // the next connection is not resumed
    }
    return 1;
}

}  // namespace

int session_owner_index() noexcept {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_session_owner);
    return index;
}

tls_client_context::tls_client_context(const net::tls::client_options& options)
    : context_(make_context(TLS_client_method(), options.min_version)), verify_(options.verify) {
    SSL_CTX* const c = context_.get();
    SSL_CTX_set_verify(c, verify_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (verify_) {
        set_roots(c, options.roots ? *options.roots : net::tls::roots::system());
    }
    if (options.identity) {
        require(use_identity(
                    [c](X509* x, EVP_PKEY* k, STACK_OF(X509) * rest) {
                        return SSL_CTX_use_cert_and_key(c, x, k, rest, 1);
                    },
                    *options.identity->get()),
                "identity");
    }
    const std::string wire = wire_format(options.alpn);
    // Returns 0 for success, unlike all others.
    require(wire.empty() ||
                SSL_CTX_set_alpn_protos(c, reinterpret_cast<const unsigned char*>(wire.data()),
                                        static_cast<unsigned>(wire.size())) == 0,
            "ALPN");
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c, new_session);
}

ssl_owner tls_client_context::make(const std::string& server_name) {
    ERR_clear_error();
    ssl_owner ssl(SSL_new(context_.get()));
    require(ssl != nullptr, "SSL_new");
    SSL* const s = ssl.get();
    SSL_set_connect_state(s);
    if (is_address(server_name)) {
        require(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s), server_name.c_str()) == 1,
                "server address");
    } else if (!server_name.empty()) {
        require(SSL_set_tlsext_host_name(s, server_name.c_str()) == 1, "server name");
        SSL_set_hostflags(s, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        require(SSL_set1_host(s, server_name.c_str()) == 1, "server name");
    }
    if (const session_owner session = take(server_name)) {
        SSL_set_session(s, session.get());
    }
    return ssl;
}

session_owner tls_client_context::take(const std::string& server_name) {
    const std::lock_guard hold(lock_);
    const auto at = sessions_.find(server_name);
    if (at == sessions_.end()) {
        return nullptr;
    }
    session_owner session = std::move(at->second);
    sessions_.erase(at);
    return session;
}

void tls_client_context::keep(const std::string& server_name, session_owner session) {
    const std::lock_guard hold(lock_);
    if (sessions_.size() >= most_sessions && !sessions_.contains(server_name)) {
        sessions_.erase(sessions_.begin());
    }
    sessions_[server_name] = std::move(session);
}

tls_server_context::tls_server_context(const net::tls::server_options& options)
    : context_(make_context(TLS_server_method(), options.min_version)),
      protocols_(wire_format(options.alpn)) {
    reload(options.identities);
    SSL_CTX* const c = context_.get();
    SSL_CTX_set_cert_cb(c, choose_identity, this);
    constexpr std::string_view sessions = "runnel";
    require(
        SSL_CTX_set_session_id_context(c, reinterpret_cast<const unsigned char*>(sessions.data()),
                                       static_cast<unsigned>(sessions.size())) == 1,
        "session context");
    if (options.client_roots) {
        set_roots(c, *options.client_roots);
        SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    if (!protocols_.empty()) {
        SSL_CTX_set_alpn_select_cb(c, choose_protocol, this);
    }
}

ssl_owner tls_server_context::make() {
    ERR_clear_error();
    ssl_owner ssl(SSL_new(context_.get()));
    require(ssl != nullptr, "SSL_new");
    SSL_set_accept_state(ssl.get());
    return ssl;
}

void tls_server_context::reload(identities fresh) {
    if (fresh.empty()) {
        throw std::invalid_argument("runnel: tls: a server needs an identity");
    }
    auto shared = std::make_shared<const identities>(std::move(fresh));
    const std::lock_guard hold(lock_);
    identities_.swap(shared);
}

int tls_server_context::choose_identity(SSL* ssl, void* self) noexcept {
    auto& context = *static_cast<tls_server_context*>(self);
    std::shared_ptr<const identities> all;
    {
        const std::lock_guard hold(context.lock_);
        all = context.identities_;
    }
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const net::tls::identity* chosen = &all->front();
    try {
        for (const net::tls::identity& id : *all) {
            if (name != nullptr && id.is_for(name)) {
                chosen = &id;
                break;
            }
        }
    } catch (const std::bad_alloc&) {
        return 0;
    }
    return use_identity(
               [ssl](X509* x, EVP_PKEY* k, STACK_OF(X509) * rest) {
                   return SSL_use_cert_and_key(ssl, x, k, rest, 1);
               },
               *chosen->get())
               ? 1
               : 0;
}

int tls_server_context::choose_protocol(SSL* /*ssl*/, const unsigned char** out,
                                        unsigned char* out_size, const unsigned char* in,
                                        unsigned in_size, void* self) noexcept {
    const std::string& mine = static_cast<tls_server_context*>(self)->protocols_;
    unsigned char* chosen = nullptr;
    const int status = SSL_select_next_proto(&chosen, out_size,
                                             reinterpret_cast<const unsigned char*>(mine.data()),
                                             static_cast<unsigned>(mine.size()), in, in_size);
    *out = chosen;
    return status == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace runnel::detail

namespace runnel::net::tls {

client_config::client_config(const client_options& options)
    : held_(std::make_shared<detail::tls_client_context>(options)) {}

server_config::server_config(const server_options& options)
    : held_(std::make_shared<detail::tls_server_context>(options)) {}

void server_config::reload(std::vector<identity> identities) const {
    held_->reload(std::move(identities));
}

}  // namespace runnel::net::tls
