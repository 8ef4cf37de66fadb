#include <runnel/http/error.hpp>

#include <string>

namespace runnel::http {
namespace {

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "runnel.http"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::malformed:
                return "malformed HTTP message";
            case errc::header_too_large:
                return "HTTP header too large";
            case errc::body_too_large:
                return "HTTP body too large";
            case errc::body_not_allowed:
                return "this response cannot have a body";
            case errc::body_length_mismatch:
                return "the body is not as long as Content-Length says";
            case errc::body_closed:
                return "read of a closed body";
            case errc::invalid_url:
                return "invalid URL";
            case errc::unsupported_scheme:
                return "unsupported URL scheme";
            case errc::too_many_redirects:
                return "too many redirects";
            case errc::bad_redirect:
                return "a redirect that cannot be followed";
            case errc::server_closed:
                return "server closed";
            case errc::bad_encoding:
                return "invalid compressed data";
            case errc::unsolicited_response:
                return "the server sent a response before a request";
        }
        return "unknown HTTP error " + std::to_string(value);
    }
};

}  // namespace

const std::error_category& error_category() noexcept {
    static const category instance;
    return instance;
}

std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), error_category()}; }

}  // namespace runnel::http
