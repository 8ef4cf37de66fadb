#include <runnel/error.hpp>

namespace runnel {
namespace {

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "runnel"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::canceled:
                return "context canceled";
            case errc::deadline_exceeded:
                return "context deadline exceeded";
            case errc::timed_out:
                return "timed out";
            case errc::exception_thrown:
                return "an exception was thrown";
            case errc::closed:
                return "closed";
            case errc::unexpected_eof:
                return "unexpected end of input";
            case errc::bad_address:
                return "malformed address";
            case errc::missing_port:
                return "missing port in address";
            case errc::host_not_found:
                return "no such host";
            case errc::try_again:
                return "temporary failure in name resolution";
        }
        return "unknown runnel error " + std::to_string(value);
    }

    [[nodiscard]] std::error_condition default_error_condition(int value) const noexcept override {
        switch (static_cast<errc>(value)) {
            case errc::canceled:
                return std::errc::operation_canceled;
            case errc::deadline_exceeded:
            case errc::timed_out:
                return std::errc::timed_out;
            case errc::bad_address:
            case errc::missing_port:
                return std::errc::invalid_argument;
            case errc::closed:
                return std::errc::bad_file_descriptor;
            case errc::try_again:
                return std::errc::resource_unavailable_try_again;
            case errc::exception_thrown:
            case errc::unexpected_eof:
            case errc::host_not_found:
                break;
        }
        return {value, *this};
    }
};

}  // namespace

const std::error_category& error_category() noexcept {
    static const category instance;
    return instance;
}

std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), error_category()}; }

}  // namespace runnel
