// runnel/detail/select_core.hpp: the compiled select, over an array of cases in the caller's frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <runnel/detail/chan_core.hpp>
#include <runnel/detail/park.hpp>

namespace runnel::detail {

enum class case_kind : std::uint8_t {
    send,
    recv,
    done,       ///< chosen when `word` is cancelled
    timeout,    ///< chosen when the call's deadline passes
    otherwise,  ///< chosen when no other case can proceed
    none,       ///< disabled: never ready
};

/// One case. `slot` is where the value comes from or goes to.
struct select_case {
    case_kind kind = case_kind::none;
    chan_core* channel = nullptr;
    cancel_word* word = nullptr;
    void* slot = nullptr;
    void* (*prepare)(void* source) = nullptr;  ///< makes the value to send, when it is needed
    void* source = nullptr;
    std::uint32_t order = 0;  ///< which case lines up at this place
    wait_node node;           ///< node.ok after the choice: a value was handed over
};

struct select_call {
    std::span<select_case> cases;
    wait_limits limits;
    bool blocking = true;
    std::size_t chosen = nothing;  ///< index of the chosen case
    waiter who;

    static constexpr std::size_t nothing = SIZE_MAX;          ///< nothing was ready
    static constexpr std::size_t out_of_time = SIZE_MAX - 1;  ///< the deadline passed
    static constexpr std::size_t canceled = SIZE_MAX - 2;
};

/// Chooses a ready case, or lines up in all of them and parks. When the suspension is over, call
/// select_finish(). Throws only what preparing a value throws, or std::bad_alloc, with
/// nothing changed but that values may have been prepared.
[[nodiscard]] suspension select_begin(select_call& call);
void select_finish(select_call& call) noexcept;

/// The whole of it, for calls that have limits.
void select_limited(select_call& call);

}  // namespace runnel::detail
