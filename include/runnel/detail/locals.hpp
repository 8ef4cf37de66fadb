// runnel/detail/locals.hpp: values that belong to a goroutine.
#pragma once

#include <cstddef>
#include <vector>

namespace runnel::detail {

/// The values of one goroutine (or plain thread), destroyed with it, last made first.
class goroutine_locals {
public:
    struct value {
        const void* key;
        void* object;
        void (*destroy)(void*);
    };

    goroutine_locals() = default;
    ~goroutine_locals();
    goroutine_locals(const goroutine_locals&) = delete;
    goroutine_locals& operator=(const goroutine_locals&) = delete;

    [[nodiscard]] void* find(const void* key) const noexcept;
    void add(const value& v) { values_.push_back(v); }

private:
    std::vector<value> values_;
};

/// Those of the calling goroutine or thread; made on first use.
[[nodiscard]] goroutine_locals& current_locals();

}  // namespace runnel::detail
