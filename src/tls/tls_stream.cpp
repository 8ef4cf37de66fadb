#include <openssl/pem.h>

#include <stdexcept>
#include <tuple>
#include <utility>

#include <runnel/net/tls.hpp>

#include "src/tls/config.hpp"
#include "src/tls/engine.hpp"

namespace runnel::net::tls {

tls_stream::tls_stream() noexcept = default;
tls_stream::tls_stream(tls_stream&&) noexcept = default;
tls_stream::tls_stream(std::unique_ptr<detail::tls_engine> engine) noexcept
    : engine_(std::move(engine)) {}

tls_stream& tls_stream::operator=(tls_stream&& other) noexcept {
    if (this != &other) {
        close();
        engine_ = std::move(other.engine_);
    }
    return *this;
}

tls_stream::~tls_stream() { close(); }

void tls_stream::handshake(const context& ctx, std::error_code& ec) {
    if (!engine_) {
        ec = errc::closed;
        return;
    }
    engine_->handshake(ctx, ec);
}

void tls_stream::handshake(const context& ctx) {
    std::error_code ec;
    handshake(ctx, ec);
    if (ec) {
        throw_error(ec, "tls handshake");
    }
}

std::size_t tls_stream::read_some(const context& ctx, std::span<std::byte> in,
                                  std::error_code& ec) {
    if (!engine_) {
        ec = errc::closed;
        return 0;
    }
    return engine_->read_some(ctx, in, ec);
}

std::size_t tls_stream::write(const context& ctx, std::span<const std::byte> out,
                              std::error_code& ec) {
    if (!engine_) {
        ec = errc::closed;
        return 0;
    }
    return engine_->write(ctx, out, ec);
}

void tls_stream::set_read_deadline(clock::time_point t) {
    if (engine_) {
        engine_->below().set_read_deadline(t);
    }
}

void tls_stream::set_write_deadline(clock::time_point t) {
    if (engine_) {
        engine_->below().set_write_deadline(t);
    }
}

void tls_stream::shutdown_write(std::error_code& ec) {
    if (!engine_) {
        ec = errc::closed;
        return;
    }
    engine_->shutdown_write(ec);
}

void tls_stream::close() {
    if (engine_) {
        engine_->close();
    }
}

endpoint tls_stream::local_address() const {
    return engine_ ? engine_->below().local_address() : endpoint();
}

endpoint tls_stream::remote_address() const {
    return engine_ ? engine_->below().remote_address() : endpoint();
}

std::string tls_stream::alpn() const {
    return !engine_ ? std::string() : engine_->ask([](SSL* s) {
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(s, &name, &size);
        return std::string(reinterpret_cast<const char*>(name), size);
    });
}

bool tls_stream::resumed() const {
    return engine_ && engine_->ask([](SSL* s) { return SSL_session_reused(s) == 1; });
}

std::string tls_stream::protocol() const {
    return !engine_ ? std::string()
                    : engine_->ask([](SSL* s) { return std::string(SSL_get_version(s)); });
}

std::string tls_stream::server_name() const {
    return !engine_ ? std::string() : engine_->ask([](SSL* s) {
        const char* const name = SSL_get_servername(s, TLSEXT_NAMETYPE_host_name);
        return std::string(name != nullptr ? name : "");
    });
}

std::string tls_stream::peer_certificate() const {
    if (!engine_) {
        return {};
    }
    return engine_->ask([](SSL* s) {
        const detail::certificate_owner shown(SSL_get1_peer_certificate(s));
        const detail::bio_owner out(BIO_new(BIO_s_mem()));
        if (!shown || !out || PEM_write_bio_X509(out.get(), shown.get()) != 1) {
            return std::string();
        }
        char* text = nullptr;
        const long size = BIO_get_mem_data(out.get(), &text);
        return std::string(text, static_cast<std::size_t>(size));
    });
}

tls_stream client(any_stream below, const client_config& config, const std::string& server_name) {
    if (server_name.empty() && config.get()->verifies()) {
        throw std::invalid_argument("runnel: tls: a client that verifies needs the server's name");
    }
    detail::ssl_owner ssl = config.get()->make(server_name);
    auto owner = std::make_unique<detail::tls_session_owner>(
        detail::tls_session_owner{.context = config.get(), .name = server_name});
    if (SSL_set_ex_data(ssl.get(), detail::session_owner_index(), owner.get()) == 1) {
        std::ignore = owner.release();  // the state's now
    }
    return tls_stream(
        std::make_unique<detail::tls_engine>(std::move(below), std::move(ssl), config.get()));
}

tls_stream server(any_stream below, const server_config& config) {
    return tls_stream(
        std::make_unique<detail::tls_engine>(std::move(below), config.get()->make(), config.get()));
}

tls_stream tls_listener::accept(const context& ctx, std::error_code& ec) {
    any_stream below = below_.accept(ctx, ec);
    return ec ? tls_stream() : server(std::move(below), config_);
}

tls_stream tls_listener::accept(const context& ctx) {
    std::error_code ec;
    tls_stream s = accept(ctx, ec);
    if (ec) {
        throw_error(ec, "accept");
    }
    return s;
}

}  // namespace runnel::net::tls
