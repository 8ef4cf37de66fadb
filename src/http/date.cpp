#include "src/http/date.hpp"

#include <algorithm>
#include <chrono>

#include "src/http/grammar.hpp"

namespace runnel::http::detail {
namespace {

constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void put_number(std::string& out, unsigned value, unsigned digits) {
    unsigned scale = 1;
    for (unsigned i = 1; i < digits; ++i) {
        scale *= 10;
    }
    for (; scale > 0; scale /= 10) {
        out += static_cast<char>('0' + value / scale % 10);
    }
}

void put_time(std::string& out, std::int64_t second_of_day) {
    put_number(out, static_cast<unsigned>(second_of_day / 3600), 2);
    out += ':';
    put_number(out, static_cast<unsigned>(second_of_day / 60 % 60), 2);
    out += ':';
    put_number(out, static_cast<unsigned>(second_of_day % 60), 2);
}

/// The parts of a date, in any of the three orders.
struct parts {
    std::optional<std::uint64_t> year, day, hour, minute, second;
    std::size_t month = months.size();
};

void take_month(parts& p, std::string_view name) {
    p.month = static_cast<std::size_t>(std::ranges::find(months, name) - months.begin());
}

bool take_time(parts& p, std::string_view text) {
    if (text.size() != 8 || text[2] != ':' || text[5] != ':') {
        return false;
    }
    p.hour = parse_digits(text.substr(0, 2));
    p.minute = parse_digits(text.substr(3, 2));
    p.second = parse_digits(text.substr(6, 2));
    return true;
}

std::optional<std::int64_t> to_seconds(const parts& p) {
    if (!p.year || !p.day || !p.hour || !p.minute || !p.second || p.month >= months.size() ||
        *p.hour > 23 || *p.minute > 59 || *p.second > 60 || *p.year > 9999) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*p.year)),
                                           std::chrono::month(static_cast<unsigned>(p.month + 1)),
                                           std::chrono::day(static_cast<unsigned>(*p.day))};
    if (!date.ok()) {
        return std::nullopt;
    }
    const auto day = std::chrono::sys_days(date).time_since_epoch().count();
    return static_cast<std::int64_t>(day) * 86400 +
           static_cast<std::int64_t>(*p.hour * 3600 + *p.minute * 60 + *p.second);
}

}  // namespace

std::string format_date(std::int64_t seconds) {
    using namespace std::chrono;
    const sys_seconds time{std::chrono::seconds(seconds)};
    const sys_days day = floor<std::chrono::days>(time);
    const year_month_day date(day);
    std::string out;
    out.reserve(29);
    out.append(days[weekday(day).c_encoding()]).append(", ");
    put_number(out, static_cast<unsigned>(date.day()), 2);
    out.append(" ").append(months[static_cast<unsigned>(date.month()) - 1]).append(" ");
    put_number(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    out += ' ';
    put_time(out, (time - day).count());
    return out += " GMT";
}

std::optional<std::int64_t> parse_date(std::string_view text) {
    std::array<std::string_view, 6> words;
    std::size_t n = 0;
    while (n < words.size()) {
        text.remove_prefix(std::min(text.size(), text.find_first_not_of(' ')));
        if (text.empty()) {
            break;
        }
        words.at(n) = text.substr(0, text.find(' '));
        text.remove_prefix(words.at(n++).size());
    }
    parts p;
    if (n == 6 && words[0].ends_with(',') && words[5] == "GMT") {  // Sun, 06 Nov 1994 08:49:37 GMT
        p.day = parse_digits(words[1]);
        take_month(p, words[2]);
        p.year = parse_digits(words[3]);
        return take_time(p, words[4]) ? to_seconds(p) : std::nullopt;
    }
    if (n == 4 && words[1].size() == 9 && words[3] == "GMT") {  // Sunday, 06-Nov-94 08:49:37 GMT
        p.day = parse_digits(words[1].substr(0, 2));
        take_month(p, words[1].substr(3, 3));
        p.year = parse_digits(words[1].substr(7));
        if (p.year) {
            *p.year += *p.year < 70 ? 2000 : 1900;
        }
        return take_time(p, words[2]) ? to_seconds(p) : std::nullopt;
    }
    if (n == 5) {  // Sun Nov  6 08:49:37 1994
        take_month(p, words[1]);
        p.day = parse_digits(words[2]);
        p.year = parse_digits(words[4]);
        return take_time(p, words[3]) ? to_seconds(p) : std::nullopt;
    }
    return std::nullopt;
}

std::string_view date_cache::now() {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &t);
    if (t.tv_sec != seconds_) {
        seconds_ = t.tv_sec;
        text_ = format_date(seconds_);
    }
    return text_;
}

}  // namespace runnel::http::detail
