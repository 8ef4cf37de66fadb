#include "src/tls/engine.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>

#include <runnel/net/tls.hpp>

namespace runnel::detail {
namespace {

/// So much plain text is made into records before they are sent.
constexpr std::size_t write_batch = 64 * 1024;
/// Read at first, on the stack, so that an idle connection holds no buffer; and when that was not
/// enough.
constexpr std::size_t small_read = 4096;
constexpr std::size_t large_read = 64 * 1024;

}  // namespace

tls_engine::tls_engine(net::any_stream below, ssl_owner ssl, std::shared_ptr<void> config)
    : below_(std::move(below)), config_(std::move(config)), ssl_(std::move(ssl)) {
    bio_owner in(BIO_new(BIO_s_mem()));
    bio_owner out(BIO_new(BIO_s_mem()));
    if (!in || !out) {
        throw_openssl_error("memory");
    }
    BIO_set_mem_eof_return(in.get(), -1);
    SSL_set_bio(ssl_.get(), in.release(), out.release());
}

/// Why a call has failed; under lock_, right after it.
std::error_code tls_engine::failure() noexcept {
    const long verified = SSL_get_verify_result(ssl_.get());
    const std::error_code ec = take_openssl_error();
    if (verified != X509_V_OK && !SSL_is_init_finished(ssl_.get())) {
        return {static_cast<int>(verified), net::tls::verify_category()};
    }
    return ec ? ec : std::make_error_code(std::errc::protocol_error);
}

/// One call of OpenSSL's, which returns a positive number if it is done.
template <class F>
tls_engine::outcome tls_engine::call(F f) {
    const std::lock_guard hold(lock_);
    ERR_clear_error();
    const int result = f(ssl_.get());
    if (result > 0) {
        return {next::done, {}};
    }
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return {next::more_input, {}};
        case SSL_ERROR_ZERO_RETURN:
            return {next::ended, {}};
        default:
            return {next::failed, failure()};
    }
}

std::size_t tls_engine::take_output(std::span<std::byte> out) {
    const std::lock_guard hold(lock_);
    const int count = BIO_read(SSL_get_wbio(ssl_.get()), out.data(), static_cast<int>(out.size()));
    return count > 0 ? static_cast<std::size_t>(count) : 0;
}

/// T2; sending_ is held.
std::error_code tls_engine::flush(const context& ctx) {
    while (!write_error_) {
        const std::size_t waiting = ask([](SSL* s) { return BIO_ctrl_pending(SSL_get_wbio(s)); });
        if (waiting == 0) {
            break;
        }
        outgoing_.resize(waiting);
        const std::size_t count = take_output(outgoing_);
        below_.write(ctx, std::span(outgoing_).first(count), write_error_);
    }
    outgoing_.clear();
    outgoing_.shrink_to_fit();
    return write_error_;
}

/// What reading has made to be sent; if somebody sends, he takes it along, now or next time.
void tls_engine::flush_if_free(const context& ctx) {
    if (ask([](SSL* s) { return BIO_ctrl_pending(SSL_get_wbio(s)); }) != 0 && sending_.try_lock()) {
        const std::lock_guard hold(sending_, std::adopt_lock);
        static_cast<void>(flush(ctx));
    }
}

/// Puts what comes next into the state.
std::error_code tls_engine::feed(const context& ctx) {
    std::array<std::byte, small_read> small;
    const std::span<std::byte> room =
        incoming_.empty() ? std::span<std::byte>(small) : std::span<std::byte>(incoming_);
    std::error_code ec;
    const std::size_t count = below_.read_some(ctx, room, ec);
    if (ec) {
        return ec;
    }
    if (count == 0) {
        return errc::unexpected_eof;
    }
    const int put = ask(
        [&](SSL* s) { return BIO_write(SSL_get_rbio(s), room.data(), static_cast<int>(count)); });
    if (put != static_cast<int>(count)) {
        return std::make_error_code(std::errc::not_enough_memory);
    }
    if (count == room.size() && incoming_.empty()) {
        incoming_.resize(large_read);
    } else if (count < small_read && !incoming_.empty()) {
        incoming_ = {};
    }
    return {};
}

std::error_code tls_engine::shake(const context& ctx) {
    for (;;) {
        const outcome o = call([](SSL* s) { return SSL_do_handshake(s); });
        std::error_code sent;
        {
            const std::lock_guard hold(sending_);
            sent = flush(ctx);  // also the alert that says why it has failed
        }
        if (o.what == next::done) {
            return sent;
        }
        if (o.what != next::more_input) {
            return o.error ? o.error : make_error_code(errc::unexpected_eof);
        }
        if (sent) {
            return sent;
        }
        if (const std::error_code ec = feed(ctx)) {
            return ec;
        }
    }
}

void tls_engine::handshake(const context& ctx, std::error_code& ec) {
    ec.clear();
    if (done_.load()) {
        return;
    }
    if (shaking_.lock(ctx) != op_status::ok) {
        ec = ctx.err();
        return;
    }
    const std::lock_guard hold(shaking_, std::adopt_lock);
    if (!done_.load() && !shake_error_) {
        shake_error_ = shake(ctx);
        done_.store(!shake_error_);
    }
    ec = shake_error_;
}

std::size_t tls_engine::read_some(const context& ctx, std::span<std::byte> in,
                                  std::error_code& ec) {
    handshake(ctx, ec);
    if (ec || in.empty()) {
        return 0;
    }
    for (;;) {
        std::size_t count = 0;
        const outcome o =
            call([&](SSL* s) { return SSL_read_ex(s, in.data(), in.size(), &count); });
        flush_if_free(ctx);
        switch (o.what) {
            case next::done:
                return count;
            case next::ended:
                return 0;
            case next::failed:
                ec = o.error;
                return 0;
            case next::more_input:
                break;
        }
        ec = feed(ctx);
        if (ec) {
            return 0;
        }
    }
}

std::size_t tls_engine::write(const context& ctx, std::span<const std::byte> out,
                              std::error_code& ec) {
    handshake(ctx, ec);
    if (ec) {
        return 0;
    }
    if (sending_.lock(ctx) != op_status::ok) {
        ec = ctx.err();
        return 0;
    }
    const std::lock_guard hold(sending_, std::adopt_lock);
    std::size_t done = 0;
    while (!write_error_ && done < out.size()) {
        if (write_ended_.load()) {
            write_error_ = std::make_error_code(std::errc::broken_pipe);
            break;
        }
        const auto part = out.subspan(done, std::min(out.size() - done, write_batch));
        std::size_t count = 0;
        const outcome o =
            call([&](SSL* s) { return SSL_write_ex(s, part.data(), part.size(), &count); });
        if (o.what != next::done) {
            write_error_ = o.error ? o.error : std::make_error_code(std::errc::protocol_error);
            break;
        }
        if (!flush(ctx)) {
            done += count;
        }
    }
    ec = write_error_;
    return done;
}

void tls_engine::shutdown_write(std::error_code& ec) {
    handshake(context(), ec);
    if (ec) {
        return;
    }
    const std::lock_guard hold(sending_);
    if (!write_ended_.exchange(true) && !write_error_) {
        static_cast<void>(ask([](SSL* s) {
            ERR_clear_error();
            return SSL_shutdown(s);
        }));
        static_cast<void>(flush(context()));
    }
    ec = write_error_;
}

void tls_engine::close() {
    constexpr auto patience = std::chrono::milliseconds(50);
    if (done_.load() && !write_ended_.load() && sending_.try_lock()) {
        const std::lock_guard hold(sending_, std::adopt_lock);
        if (!write_ended_.exchange(true) && !write_error_) {
            below_.set_write_deadline(clock::now() + patience);
            static_cast<void>(ask([](SSL* s) {
                ERR_clear_error();
                return SSL_shutdown(s);
            }));
            static_cast<void>(flush(context()));
        }
    }
    below_.close();
}

}  // namespace runnel::detail
