// tls/engine.hpp: one TLS connection.
//
// Purpose   OpenSSL works on memory: what the stream below brings is put in, what is to go out is
//           taken out. It never sees a descriptor and never blocks.
// Invariants
//   T1  The state is touched under lock_ only, and nothing blocks under it.
//   T2  Records go out in the order in which they were made: whoever holds sending_ takes out all
//       there is and writes it, until there is none.                                      (flush)
//   T3  Only the reader reads from the stream below; during the handshake, whoever makes it, under
//       shaking_.
//   T4  An error of the handshake, or of a write, stays: part of a record may have gone out.
// Locks     shaking_ < sending_ < lock_ (all runnel::mutex).
// Memory order: done_ is sequentially consistent.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/net/stream.hpp>
#include <runnel/sync/mutex.hpp>

#include "src/tls/config.hpp"
#include "src/tls/openssl.hpp"

namespace runnel::detail {

class tls_engine {
public:
    tls_engine(net::any_stream below, ssl_owner ssl, std::shared_ptr<void> config);

    void handshake(const context& ctx, std::error_code& ec);
    std::size_t read_some(const context& ctx, std::span<std::byte> in, std::error_code& ec);
    std::size_t write(const context& ctx, std::span<const std::byte> out, std::error_code& ec);
    void shutdown_write(std::error_code& ec);
    void close();

    [[nodiscard]] net::any_stream& below() noexcept { return below_; }

    /// Reads from the state, under its lock.
    template <class F>
    auto ask(F f) {
        lock_.lock();
        auto answer = f(ssl_.get());
        lock_.unlock();
        return answer;
    }

private:
    /// What a call of OpenSSL's wants next.
    enum class next : std::uint8_t { done, more_input, ended, failed };

    struct outcome {
        next what;
        std::error_code error;
    };

    template <class F>
    outcome call(F f);
    [[nodiscard]] std::error_code failure() noexcept;
    [[nodiscard]] std::error_code shake(const context& ctx);
    std::error_code feed(const context& ctx);
    std::error_code flush(const context& ctx);
    void flush_if_free(const context& ctx);
    [[nodiscard]] std::size_t take_output(std::span<std::byte> out);

    net::any_stream below_;
    const std::shared_ptr<void> config_;  ///< what the state's callbacks point to

    mutex shaking_;
    std::atomic<bool> done_ = false;
    std::error_code shake_error_;  ///< protected by shaking_

    mutex sending_;
    std::error_code write_error_;      ///< protected by sending_
    std::vector<std::byte> outgoing_;  ///< protected by sending_
    std::atomic<bool> write_ended_ = false;

    std::vector<std::byte> incoming_;  ///< the reader's, while much comes

    mutex lock_;
    ssl_owner ssl_;  ///< protected by lock_
};

}  // namespace runnel::detail
