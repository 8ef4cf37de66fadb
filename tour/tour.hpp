// tour/tour.hpp: what every pattern of the tour uses to speak and to check itself.
//
// A pattern is one function in one file. It prints what happens, checks its own results with
// check(), and leaves no goroutine behind. What it prints is the same each time: the guide quotes
// it. The table of patterns stands in main.cpp.
#pragma once

#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>

namespace tour {

/// Notes a wrong result: the tour goes on, names the pattern and ends with a non-zero status.
/// May be called from any goroutine.
void check(bool ok, std::string_view what);

/// Prints one whole line; lines of different goroutines do not mix.
void print_line(const std::string& line);

/// How many goroutines the pattern has started that are still there. Waits a little for those that
/// are on their way out.
std::size_t goroutines_left();

/// Prints `parts`, put together, as one line.
template <class... Parts>
void say(const Parts&... parts) {
    std::ostringstream line;
    (line << ... << parts);
    print_line(line.str());
}

/// Says what the seed's program gets wrong here, and how one sees that this one does not.
template <class... Parts>
void say_fixed(const Parts&... parts) {
    say("fixed: ", parts...);
}

/// The values with a blank between them.
template <class Range>
std::string list(const Range& values) {
    std::ostringstream text;
    std::string_view blank;
    for (const auto& value : values) {
        text << blank << value;
        blank = " ";
    }
    return text.str();
}

void p01_communicating();
void p02_creation();
void p03_detached();
void p04_join_one();
void p05_exit_status();
void p06_join_many();
void p07_join_with_timeout();
void p08_notify_one();
void p09_notify_many();
void p10_concurrent_shutdown();
void p11_sequential_shutdown();
void p12_pipeline();
void p13_fan_out_fan_in();
void p14_first();
void p15_first_with_limit();
void p16_first_cancels();
void p17_order();

}  // namespace tour
