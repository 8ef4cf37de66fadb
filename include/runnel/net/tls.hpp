// runnel/net/tls.hpp: TLS over any stream (component runnel::tls; OpenSSL 3).
//
//     const net::tls::client_config config;   // the system's authorities, TLS 1.2 and later
//     auto s = net::tls::client(net::any_stream(net::dial(ctx, "example.com:443")), config,
//                               "example.com");
//     s.handshake(ctx);
//
// A peer is verified, chain and name, unless a configuration says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <runnel/net/stream.hpp>

namespace runnel::detail {
struct tls_identity;
struct tls_roots;
class tls_client_context;
class tls_server_context;
class tls_engine;
}  // namespace runnel::detail

namespace runnel::net::tls {

/// Errors of the handshake and of records, with OpenSSL's number and text.
[[nodiscard]] const std::error_category& library_category() noexcept;
/// Why a certificate was refused, with X509_V_ERR_... as number and its text.
[[nodiscard]] const std::error_category& verify_category() noexcept;

/// A certificate chain with its private key. A handle: copies share it, and it does not change.
class identity {
public:
    /// PEM: the certificate first, then those that lead to the authority. Throws std::system_error
    /// for what cannot be read, and for a key that is not the certificate's.
    [[nodiscard]] static identity from_pem(std::string_view chain, std::string_view key);
    [[nodiscard]] static identity from_files(const std::string& chain, const std::string& key);
    /// A fresh certificate, its own authority, for these names and addresses: for tests. Valid from
    /// an hour ago for `days`.
    [[nodiscard]] static identity self_signed(const std::vector<std::string>& hosts, int days = 30);

    /// The chain.
    [[nodiscard]] std::string certificate_pem() const;
    /// True if its certificate is for that host.
    [[nodiscard]] bool is_for(const std::string& host) const;

    [[nodiscard]] const detail::tls_identity* get() const noexcept { return held_.get(); }

private:
    explicit identity(std::shared_ptr<const detail::tls_identity> held) noexcept
        : held_(std::move(held)) {}
    std::shared_ptr<const detail::tls_identity> held_;
};

/// Whose signatures are believed. A handle.
class roots {
public:
    /// The system's.
    [[nodiscard]] static roots system();
    /// Those in PEM; at least one, else it throws.
    [[nodiscard]] static roots from_pem(std::string_view certificates);
    [[nodiscard]] static roots from_file(const std::string& path);

    [[nodiscard]] const detail::tls_roots* get() const noexcept { return held_.get(); }

private:
    explicit roots(std::shared_ptr<const detail::tls_roots> held) noexcept
        : held_(std::move(held)) {}
    std::shared_ptr<const detail::tls_roots> held_;
};

enum class version : std::uint8_t { tls_1_2, tls_1_3 };

struct client_options {
    /// False: anybody may pose as the server. For tests only.
    bool verify = true;
    std::optional<tls::roots> roots{};        ///< none: the system's
    std::optional<tls::identity> identity{};  ///< to show to servers that ask for one
    std::vector<std::string> alpn{};          ///< protocols, the preferred first
    version min_version = version::tls_1_2;
};

/// How clients behave: made once, used for many connections, whose sessions it keeps so that later
/// ones to the same name are resumed. A handle. Throws for what OpenSSL does not take.
class client_config {
public:
    explicit client_config(const client_options& options = {});
    [[nodiscard]] const std::shared_ptr<detail::tls_client_context>& get() const noexcept {
        return held_;
    }

private:
    std::shared_ptr<detail::tls_client_context> held_;
};

struct server_options {
    /// At least one. The first that is for the name that the client asks for is shown, else the
    /// first of all.
    std::vector<tls::identity> identities{};
    /// Given: clients must show a certificate signed by these.
    std::optional<roots> client_roots{};
    /// Protocols, the preferred first. A client that offers others only is refused.
    std::vector<std::string> alpn{};
    version min_version = version::tls_1_2;
};

/// How a server behaves. A handle.
class server_config {
public:
    explicit server_config(const server_options& options);
    /// What handshakes show from now on; connections that exist go on. Any goroutine.
    void reload(std::vector<identity> identities) const;
    [[nodiscard]] const std::shared_ptr<detail::tls_server_context>& get() const noexcept {
        return held_;
    }

private:
    std::shared_ptr<detail::tls_server_context> held_;
};

/// A TLS connection: a stream over a stream. Move-only; its destructor closes it.
///
/// The first call that needs the handshake makes it, under its context and the deadlines. A
/// handshake, and a write, that has failed, for whatever reason, cannot be continued: later calls
/// fail likewise (a record may have gone out in part). A stream that ends without close_notify was
/// cut: errc::unexpected_eof.
class tls_stream : public stream_forms<tls_stream> {
public:
    /// One that is closed.
    tls_stream() noexcept;
    tls_stream(tls_stream&&) noexcept;
    tls_stream& operator=(tls_stream&& other) noexcept;
    ~tls_stream();

    /// Blocks until both sides are sure of each other. Errors: of the stream below;
    /// library_category(); verify_category().
    void handshake(const context& ctx, std::error_code& ec);
    void handshake(const context& ctx = {});

    using stream_forms::read_some;
    using stream_forms::shutdown_write;
    using stream_forms::write;
    std::size_t read_some(const context& ctx, std::span<std::byte> in, std::error_code& ec);
    std::size_t write(const context& ctx, std::span<const std::byte> out, std::error_code& ec);
    void set_read_deadline(clock::time_point t);
    void set_write_deadline(clock::time_point t);
    /// Sends close_notify.
    void shutdown_write(std::error_code& ec);
    /// Sends close_notify if that is possible at once, and closes the stream below.
    void close();
    [[nodiscard]] endpoint local_address() const;
    [[nodiscard]] endpoint remote_address() const;

    // Known after the handshake.
    [[nodiscard]] std::string alpn() const;  ///< empty: none was agreed on
    [[nodiscard]] bool resumed() const;
    [[nodiscard]] std::string protocol() const;          ///< "TLSv1.3"
    [[nodiscard]] std::string server_name() const;       ///< that the client has asked for
    [[nodiscard]] std::string peer_certificate() const;  ///< PEM; empty: it has shown none

private:
    friend tls_stream client(any_stream below, const client_config& config,
                             const std::string& server_name);
    friend tls_stream server(any_stream below, const server_config& config);
    explicit tls_stream(std::unique_ptr<detail::tls_engine> engine) noexcept;

    std::unique_ptr<detail::tls_engine> engine_;
};

/// The client's side of a connection over `below`, with the server of that name (or address), which
/// its certificate must be for. Throws std::invalid_argument for an empty name, unless `config`
/// does not verify.
[[nodiscard]] tls_stream client(any_stream below, const client_config& config,
                                const std::string& server_name);
/// The server's side.
[[nodiscard]] tls_stream server(any_stream below, const server_config& config);

/// A listener whose connections speak TLS. accept() does not wait for the handshake, which the
/// connection's first call makes: a slow client holds up nobody else.
class tls_listener {
public:
    tls_listener(any_listener below, server_config config)
        : below_(std::move(below)), config_(std::move(config)) {}

    [[nodiscard]] tls_stream accept(const context& ctx, std::error_code& ec);
    [[nodiscard]] tls_stream accept(const context& ctx = {});
    void close() { below_.close(); }
    [[nodiscard]] endpoint local_address() const { return below_.local_address(); }

private:
    any_listener below_;
    server_config config_;
};

}  // namespace runnel::net::tls
