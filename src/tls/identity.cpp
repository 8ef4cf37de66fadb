#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

#include <runnel/net/tls.hpp>

#include "src/tls/openssl.hpp"

namespace runnel::detail {
namespace {

class library_errors final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "tls"; }
    [[nodiscard]] std::string message(int value) const override {
        const auto code = static_cast<unsigned long>(value);
        const char* const reason = ERR_reason_error_string(code);
        return reason != nullptr ? reason : "TLS error " + std::to_string(code);
    }
};

class verify_errors final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "tls certificate"; }
    [[nodiscard]] std::string message(int value) const override {
        return "certificate refused: " + std::string(X509_verify_cert_error_string(value));
    }
};

bio_owner reader_of(std::string_view text) {
    bio_owner bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    if (!bio) {
        throw_openssl_error("memory");
    }
    return bio;
}

/// No pass phrase is asked for at a terminal.
int no_phrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) { return -1; }

bool is_address(const std::string& host) {
    std::error_code ec;
    static_cast<void>(net::ip_address::parse(host, ec));
    return !ec;
}

void require(bool well, std::string_view what) {
    if (!well) {
        throw_openssl_error(what);
    }
}

void add_extension(X509& to, int kind, const std::string& value) {
    X509V3_CTX ctx{};
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, &to, &to, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &ctx, kind, value.c_str());
    require(extension != nullptr, "certificate extension");
    const bool added = X509_add_ext(&to, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    require(added, "certificate extension");
}

certificate_owner make_certificate(EVP_PKEY& key, const std::vector<std::string>& hosts, int days) {
    constexpr long hour = 3600;
    certificate_owner made(X509_new());
    require(made != nullptr, "certificate");
    X509& x = *made;
    X509_set_version(&x, 2);
    std::uint64_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(&x), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(&x), -hour);
    X509_gmtime_adj(X509_getm_notAfter(&x), 24 * hour * days);
    X509_set_pubkey(&x, &key);
    X509_NAME* const name = X509_get_subject_name(&x);
    const auto* const text = reinterpret_cast<const unsigned char*>("runnel test certificate");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
    X509_set_issuer_name(&x, name);
    std::string names;
    for (const std::string& host : hosts) {
        names += (names.empty() ? "" : ",") + std::string(is_address(host) ? "IP:" : "DNS:") + host;
    }
    add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x, NID_subject_alt_name, names);
    require(X509_sign(&x, &key, EVP_sha256()) != 0, "certificate signature");
    return made;
}

}  // namespace

std::error_code take_openssl_error() noexcept {
    const unsigned long first = ERR_get_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(first)) {
        return {ERR_GET_REASON(first), std::generic_category()};
    }
    return {static_cast<int>(first), net::tls::library_category()};
}

void throw_openssl_error(std::string_view what) {
    throw std::system_error(take_openssl_error(), "runnel: tls: " + std::string(what));
}

std::vector<certificate_owner> read_certificates(std::string_view pem) {
    ERR_clear_error();
    const bio_owner from = reader_of(pem);
    std::vector<certificate_owner> all;
    while (X509* const next = PEM_read_bio_X509(from.get(), nullptr, no_phrase, nullptr)) {
        all.emplace_back(next);
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    require(at_end && !all.empty(), "no certificate in PEM text");
    ERR_clear_error();
    return all;
}

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (!in.good() && text.empty()) {
        throw std::system_error(std::make_error_code(std::errc::no_such_file_or_directory),
                                "runnel: tls: cannot read '" + path + "'");
    }
    return text;
}

}  // namespace runnel::detail

namespace runnel::net::tls {

const std::error_category& library_category() noexcept {
    static const detail::library_errors instance;
    return instance;
}

const std::error_category& verify_category() noexcept {
    static const detail::verify_errors instance;
    return instance;
}

identity identity::from_pem(std::string_view chain, std::string_view key) {
    auto made = std::make_shared<detail::tls_identity>();
    made->chain = detail::read_certificates(chain);
    ERR_clear_error();
    const detail::bio_owner from = detail::reader_of(key);
    made->key.reset(PEM_read_bio_PrivateKey(from.get(), nullptr, detail::no_phrase, nullptr));
    detail::require(made->key != nullptr, "no private key in PEM text");
    detail::require(X509_check_private_key(made->chain.front().get(), made->key.get()) == 1,
                    "the private key is not the certificate's");
    return identity(std::move(made));
}

identity identity::from_files(const std::string& chain, const std::string& key) {
    const std::string certificates = detail::read_file(chain);
    return from_pem(certificates, detail::read_file(key));
}

identity identity::self_signed(const std::vector<std::string>& hosts, int days) {
    if (hosts.empty()) {
        throw std::invalid_argument("runnel: tls: a certificate needs a host");
    }
    ERR_clear_error();
    auto made = std::make_shared<detail::tls_identity>();
    made->key.reset(EVP_EC_gen("P-256"));
    detail::require(made->key != nullptr, "key");
    made->chain.push_back(detail::make_certificate(*made->key, hosts, days));
    return identity(std::move(made));
}

std::string identity::certificate_pem() const {
    ERR_clear_error();
    const detail::bio_owner out(BIO_new(BIO_s_mem()));
    for (const auto& certificate : held_->chain) {
        detail::require(out && PEM_write_bio_X509(out.get(), certificate.get()) == 1, "PEM");
    }
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

bool identity::is_for(const std::string& host) const {
    X509* const x = held_->chain.front().get();
    return detail::is_address(host)
               ? X509_check_ip_asc(x, host.c_str(), 0) == 1
               : X509_check_host(x, host.data(), host.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                                 nullptr) == 1;
}

roots roots::system() {
    auto made = std::make_shared<detail::tls_roots>();
    made->system = true;
    return roots(std::move(made));
}

roots roots::from_pem(std::string_view certificates) {
    auto made = std::make_shared<detail::tls_roots>();
    made->certificates = detail::read_certificates(certificates);
    return roots(std::move(made));
}

roots roots::from_file(const std::string& path) { return from_pem(detail::read_file(path)); }

}  // namespace runnel::net::tls
