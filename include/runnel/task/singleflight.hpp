// runnel/task/singleflight.hpp: many ask for the same thing at once, one fetches it.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include <runnel/detail/closure.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/event.hpp>
#include <runnel/detail/failure.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/sync/mutex.hpp>

namespace runnel {

/// Concurrent calls for one key share one call of a function, its result and its exception. When
/// that call has ended, the next one for the key starts anew: nothing is cached. All members may be
/// called from any goroutine or thread; the object may be destroyed while calls are under way.
///
/// V is void or can be copied: every caller gets a copy. The hash and the comparison of keys run
/// under a lock: they must not call back, nor throw.
///
/// Order: the end of the call happens before the return of everybody who shares it. (Go's
/// x/sync/singleflight)
template <class K, class V, class Hash = std::hash<K>, class Equal = std::equal_to<K>>
class singleflight {
    static_assert(std::is_void_v<V> || std::copy_constructible<V>,
                  "runnel: singleflight: every caller gets a copy of the value");

public:
    singleflight() : table_(std::make_shared<table>()) {}

    /// Returns what the call for `key` that is under way will return, or calls `f` itself. Blocks
    /// until that is known; throws what the call throws. Calling it for the same key from `f` never
    /// returns.
    template <class F>
        requires std::invocable<F>
    V do_(const K& key, F&& f) {
        const auto [call, mine] = enter(key);
        if (mine) {
            const std::shared_ptr<table> kept = table_;  // *this may go meanwhile
            run(*kept, key, call, std::forward<F>(f));
        } else {
            call->ended.wait({}, detail::wait_kind::join, __builtin_return_address(0));
        }
        return result(*call);
    }

    /// The same unless `ctx` ends first: that throws canceled_error, or timeout_error if it was its
    /// deadline. It concerns this caller alone: the call itself, which runs in a goroutine of its
    /// own with a decay-copied `f`, goes on for the others, and when nobody is left its outcome is
    /// dropped.
    template <class F>
        requires std::invocable<std::decay_t<F>>
    V do_(const context& ctx, const K& key, F&& f,
          const std::source_location& where = std::source_location::current()) {
        if (detail::has_ended(ctx)) {
            detail::throw_ended(ctx);
        }
        const auto [call, mine] = enter(key);
        if (mine) {
            start(key, call, std::forward<F>(f), where);
        }
        if (!call->ended.wait(detail::limits_of(ctx), detail::wait_kind::join,
                              __builtin_return_address(0))) {
            detail::throw_ended(ctx);
        }
        return result(*call);
    }

    /// Lets the next call for `key` start anew, also while one is under way.
    void forget(const K& key) {
        typename map::node_type dropped;  // destroyed after the lock is released
        const std::lock_guard hold(table_->lock);
        dropped = table_->calls.extract(key);
    }

private:
    struct nothing {};

    struct shared_call {
        detail::one_time_event ended;
        // Written before ended.set(), read after it.
        std::optional<std::conditional_t<std::is_void_v<V>, nothing, V>> value;
        std::exception_ptr error;
    };
    using call_ptr = std::shared_ptr<shared_call>;
    using map = std::unordered_map<K, call_ptr, Hash, Equal>;

    /// Kept by every call, which takes itself out at its end.
    struct table {
        mutex lock;
        map calls;  // protected by lock
    };

    struct entry {
        call_ptr call;
        bool mine;  ///< the caller is to make the call
    };

    entry enter(const K& key) {
        auto fresh = std::make_shared<shared_call>();
        const std::lock_guard hold(table_->lock);
        const auto [at, inserted] = table_->calls.try_emplace(key, fresh);
        return {at->second, inserted};
    }

    template <class F>
    static void run(table& t, const K& key, const call_ptr& call, F&& f) noexcept {
        try {
            if constexpr (std::is_void_v<V>) {
                std::invoke(std::forward<F>(f));
            } else {
                call->value.emplace(std::invoke(std::forward<F>(f)));
            }
        } catch (...) {
            call->error = std::current_exception();
        }
        leave(t, key, *call);
    }

    template <class F>
    void start(const K& key, const call_ptr& call, F&& f, const std::source_location& where) {
        try {
            detail::start_closure(
                {.file = where.file_name(), .line = where.line()},
                [t = table_, key, call](std::decay_t<F>&& given) {
                    std::decay_t<F> body = std::move(given);
                    run(*t, key, call, std::move(body));
                },
                std::forward<F>(f));
        } catch (...) {
            call->error = std::current_exception();  // for those who have joined already, too
            leave(*table_, key, *call);
        }
    }

    static void leave(table& t, const K& key, shared_call& call) noexcept {
        typename map::node_type dropped;  // destroyed after the lock is released
        {
            const std::lock_guard hold(t.lock);
            const auto at = t.calls.find(key);
            if (at != t.calls.end() && at->second.get() == &call) {  // else forgotten
                dropped = t.calls.extract(at);
            }
        }
        call.ended.set();
    }

    static V result(const shared_call& call) {
        if (call.error) {
            std::rethrow_exception(call.error);
        }
        if constexpr (!std::is_void_v<V>) {
            return *call.value;
        }
    }

    std::shared_ptr<table> table_;
};

}  // namespace runnel
