// runnel/detail/closure.hpp: a callable with its arguments, stored in a goroutine's record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

namespace runnel {
struct go_options;
}

namespace runnel::detail {

class goroutine;

/// Where a goroutine was started, and with which options.
struct start_info {
    const char* file = nullptr;
    std::uint32_t line = 0;
    const void* pc = nullptr;
    const go_options* options = nullptr;
};

/// A record that is not started yet, and room in it for the closure.
struct start_slot {
    goroutine* record;
    void* storage;
};

/// Takes a record with room for a closure. Throws std::invalid_argument for a bad stack size.
[[nodiscard]] start_slot prepare_start(std::size_t size, std::size_t align, const start_info& info);

/// Gives back a record that was never started; its closure has not been made.
void abandon_start(start_slot slot) noexcept;

/// Makes the goroutine runnable. `invoke` runs the closure in `storage` and destroys it.
void start(start_slot slot, void (*invoke)(void* storage)) noexcept;

template <class F, class... Args>
class closure {
public:
    template <class... Given>
    explicit closure(Given&&... given) noexcept(
        std::is_nothrow_constructible_v<std::tuple<F, Args...>, Given...>)
        : parts_(std::forward<Given>(given)...) {}

    static void invoke(void* storage) {
        // Destroyed also when the callable throws: the goroutine's report comes after its defers.
        struct owner {
            closure* self;
            ~owner() { self->~closure(); }
        } own{static_cast<closure*>(storage)};
        std::apply([](F&& f, Args&&... args) { std::invoke(std::move(f), std::move(args)...); },
                   std::move(own.self->parts_));
    }

private:
    std::tuple<F, Args...> parts_;
};

/// Starts a goroutine that runs Stored::invoke() on a Stored made of `given`.
template <class Stored, class... Given>
void start_stored(const start_info& info, Given&&... given) {
    const start_slot slot = prepare_start(sizeof(Stored), alignof(Stored), info);
    if constexpr (std::is_nothrow_constructible_v<Stored, Given...>) {
        ::new (slot.storage) Stored(std::forward<Given>(given)...);
    } else {
        try {
            ::new (slot.storage) Stored(std::forward<Given>(given)...);
        } catch (...) {
            abandon_start(slot);
            throw;
        }
    }
    start(slot, &Stored::invoke);
}

/// Starts a goroutine that runs f(args...), all decay-copied as by std::thread.
template <class F, class... Args>
void start_closure(const start_info& info, F&& f, Args&&... args) {
    start_stored<closure<std::decay_t<F>, std::decay_t<Args>...>>(info, std::forward<F>(f),
                                                                  std::forward<Args>(args)...);
}

}  // namespace runnel::detail
