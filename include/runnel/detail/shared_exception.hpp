// runnel/detail/shared_exception.hpp: exceptions that cross from one thread to another.
#pragma once

#include <exception>

namespace runnel::detail {

/// Call before `error` is handed to another thread (a channel's or a context's end, a result). The
/// standard library counts the owners where ThreadSanitizer does not look, so the last one's
/// destructor seems to race with what the others have read; in such a build one more owner is added
/// that never goes. Does nothing in all others.
void share_exception(const std::exception_ptr& error) noexcept;

}  // namespace runnel::detail
