// runnel/error.hpp: what can go wrong, as error codes and as exceptions.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>

namespace runnel {

/// Errors of the library; the category compares them with std::errc where that has the same
/// meaning.
enum class errc {
    canceled = 1,       ///< the operation's context was cancelled (std::errc::operation_canceled)
    deadline_exceeded,  ///< the deadline of its context passed (std::errc::timed_out)
    timed_out,          ///< its own time limit passed (std::errc::timed_out)
    exception_thrown,   ///< what was called threw an exception that has no error code
    closed,             ///< a connection or listener was closed by its own side
    unexpected_eof,     ///< the input ended in the middle of something
    bad_address,        ///< text that is no address, or no host:port
    missing_port,       ///< host:port without a port
    host_not_found,     ///< no such name
    try_again,          ///< a name could not be looked up now; a later try may succeed
};

[[nodiscard]] const std::error_category& error_category() noexcept;
[[nodiscard]] std::error_code make_error_code(errc e) noexcept;

/// A send on a closed channel, or a second close.
class channel_closed : public std::logic_error {
public:
    explicit channel_closed(const std::string& what) : std::logic_error(what) {}
};

/// A time limit passed; code() is errc::timed_out or errc::deadline_exceeded.
class timeout_error : public std::system_error {
public:
    explicit timeout_error(errc e = errc::timed_out) : std::system_error(make_error_code(e)) {}
};

/// An operation's context was cancelled.
class canceled_error : public std::system_error {
public:
    canceled_error() : std::system_error(make_error_code(errc::canceled)) {}
};

/// How an operation that may not complete has ended.
enum class [[nodiscard]] op_status : std::uint8_t {
    ok,
    full,      ///< a send that does not wait found no room and no receiver
    empty,     ///< a receive that does not wait found no value and no sender
    closed,    ///< the channel is closed (for a receive: and drained)
    timeout,   ///< the time limit, or the context's deadline, passed
    canceled,  ///< the context was cancelled
};

}  // namespace runnel

template <>
struct std::is_error_code_enum<runnel::errc> : std::true_type {};
