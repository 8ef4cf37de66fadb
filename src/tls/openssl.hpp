// tls/openssl.hpp: OpenSSL's objects with owners, and its errors as codes.
//
// OpenSSL keeps errors in a queue for each thread, and a goroutine may go on in another: the queue
// is cleared before a call and read right after it, with nothing in between that blocks.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>
#include <system_error>
#include <vector>

namespace runnel::detail {

template <auto Free>
struct openssl_free {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

using bio_owner = std::unique_ptr<BIO, openssl_free<BIO_free>>;
using key_owner = std::unique_ptr<EVP_PKEY, openssl_free<EVP_PKEY_free>>;
using certificate_owner = std::unique_ptr<X509, openssl_free<X509_free>>;
using store_owner = std::unique_ptr<X509_STORE, openssl_free<X509_STORE_free>>;
using context_owner = std::unique_ptr<SSL_CTX, openssl_free<SSL_CTX_free>>;
using ssl_owner = std::unique_ptr<SSL, openssl_free<SSL_free>>;
using session_owner = std::unique_ptr<SSL_SESSION, openssl_free<SSL_SESSION_free>>;

/// What the calling thread's queue says, the first error of it; the queue is empty afterwards.
[[nodiscard]] std::error_code take_openssl_error() noexcept;
/// Throws that with `what` in the message.
[[noreturn]] void throw_openssl_error(std::string_view what);

/// All certificates in PEM text. Throws for one that cannot be read.
[[nodiscard]] std::vector<certificate_owner> read_certificates(std::string_view pem);
/// The text in a file; throws std::system_error that names it.
[[nodiscard]] std::string read_file(const std::string& path);

struct tls_identity {
    std::vector<certificate_owner> chain;  ///< the certificate first; not empty
    key_owner key;
};

struct tls_roots {
    bool system = false;
    std::vector<certificate_owner> certificates;
};

}  // namespace runnel::detail
