#include <runnel/http/message.hpp>

#include <memory>

namespace runnel::http {

void request::set_body(std::string text) {
    const auto kept = std::make_shared<const std::string>(std::move(text));
    body = http::body(*kept);
    body_again = [kept] { return http::body(*kept); };
}

std::string_view request::path_value(std::string_view name) const noexcept {
    for (const auto& [key, value] : path_values_) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

void request::set_path_value(std::string_view name, std::string_view value) {
    for (auto& [key, old] : path_values_) {
        if (key == name) {
            old = value;
            return;
        }
    }
    path_values_.emplace_back(name, value);
}

}  // namespace runnel::http
