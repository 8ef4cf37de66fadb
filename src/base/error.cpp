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
            case errc::exception_thrown:
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
