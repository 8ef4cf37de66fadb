#include "src/http/response_head.hpp"

#include <array>
#include <charconv>
#include <stdexcept>

#include <runnel/http/status.hpp>

#include "src/http/grammar.hpp"

namespace runnel::http::detail {
namespace {

void put(std::string& out, std::uint64_t value, int base) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
    out.append(digits.data(), end);
}

/// Whether the field goes out as it is; notes what it says.
bool note(const headers::field& f, head_facts& facts) {
    switch (f.name.size()) {
        case 4:
            facts.has_date |= equal_no_case(f.name, "Date");
            return true;
        case 10:
            if (!equal_no_case(f.name, "Connection")) {
                return true;
            }
            for_each_element(f.value, [&](std::string_view token) {
                facts.close |= equal_no_case(token, "close");
                return true;
            });
            // An upgrade is the handler's own business.
            return !facts.close && !equal_no_case(f.value, "keep-alive");
        case 12:
            facts.has_type |= equal_no_case(f.name, "Content-Type");
            return true;
        case 14:
            if (!equal_no_case(f.name, "Content-Length")) {
                return true;
            }
            facts.length = parse_digits(f.value);
            if (!facts.length) {
                throw std::invalid_argument("http: Content-Length: '" + std::string(f.value) + "'");
            }
            return false;
        case 16:
            facts.has_encoding |= equal_no_case(f.name, "Content-Encoding");
            return true;
        case 17:
            return !equal_no_case(f.name, "Transfer-Encoding");
        default:
            return true;
    }
}

}  // namespace

void put_number(std::string& out, std::uint64_t value) { put(out, value, 10); }
void put_hex(std::string& out, std::uint64_t value) { put(out, value, 16); }

void put_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

head_facts begin_head(std::string& out, int status, const headers& fields) {
    if (status == 200) {
        out.append("HTTP/1.1 200 OK\r\n");
    } else {
        const std::string_view text = status_text(status);
        out.append("HTTP/1.1 ");
        put_number(out, static_cast<std::uint64_t>(status));
        out.append(" ").append(text.empty() ? "status code" : text).append("\r\n");
    }
    head_facts facts;
    for (const headers::field f : fields) {
        if (note(f, facts)) {
            put_field(out, f.name, f.value);
        }
    }
    return facts;
}

}  // namespace runnel::http::detail
