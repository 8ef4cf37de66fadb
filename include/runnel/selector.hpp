// runnel/selector.hpp: select over cases that are known only at run time.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/detail/select_core.hpp>

namespace runnel {

/// A set of cases that may be waited on again and again: receive cases stay, a send case that was
/// chosen is spent until it is given a new value by another add_send(). Holds its channels; the
/// slots belong to the caller and must outlive it. Used by one goroutine at a time.
class selector {
public:
    selector() = default;
    selector(selector&&) noexcept = default;
    selector& operator=(selector&&) noexcept = default;

    /// Adds a receive case; when it is chosen, `slot` becomes the value, or empty if the channel is
    /// closed and drained. Returns its index.
    template <receivable C>
    std::size_t add_recv(const C& ch, std::optional<typename C::value_type>& slot) {
        return add(std::make_unique<recv_entry<typename C::value_type>>(ch.core(), slot));
    }

    /// Adds a send case, which owns `value` until it is sent or taken back. Returns its index.
    template <sendable C>
    std::size_t add_send(const C& ch, typename C::value_type value) {
        return add(
            std::make_unique<send_entry<typename C::value_type>>(ch.core(), std::move(value)));
    }

    /// Adds a case that is chosen once `ctx` has ended. Returns its index.
    std::size_t add_done(const context& ctx) { return add(std::make_unique<done_entry>(ctx)); }

    /// For patterns: the same of a word, which must outlive the selector.
    std::size_t add_done(detail::cancel_word* word) {
        return add(std::make_unique<word_entry>(word));
    }

    /// Blocks until a case can proceed; returns the index of the chosen one. For ever if there is
    /// none. Throws channel_closed for a chosen send on a closed channel (whose value can then be
    /// taken), and the error that a chosen receive's channel was closed with.
    std::size_t wait() { return *choose(true, {}); }
    /// The same without blocking; nullopt if no case can proceed.
    std::optional<std::size_t> try_wait() { return choose(false, {}); }
    /// The same within a time.
    template <class Rep, class Period>
    std::optional<std::size_t> wait_for(std::chrono::duration<Rep, Period> d) {
        return choose(true, detail::after(d));
    }
    template <class Clock, class Duration>
    std::optional<std::size_t> wait_until(std::chrono::time_point<Clock, Duration> t) {
        return choose(true, detail::at(t));
    }

    /// The same until `ctx` ends.
    std::optional<std::size_t> wait(const context& ctx) {
        const std::optional<std::size_t> chosen = choose(true, detail::limits_of(ctx));
        if (!chosen) {
            detail::see_end(ctx);
        }
        return chosen;
    }

    /// Case `i` is not chosen any more. Throws std::out_of_range for an index that was never given.
    void disable(std::size_t i);

    /// Takes the unsent value of send case `i` out, which is then spent. Throws std::logic_error if
    /// it has none, or is not a send case of T.
    template <class T>
    T take(std::size_t i) {
        auto* const e = dynamic_cast<send_entry<T>*>(entries_.at(i).get());
        if (e == nullptr || !e->value) {
            throw std::logic_error("runnel: selector: the case has no unsent value of this type");
        }
        e->passed_over();
        T value = std::move(*e->value);
        e->value.reset();
        e->enabled = false;
        return value;
    }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    struct entry {
        entry() = default;
        entry(const entry&) = delete;
        entry& operator=(const entry&) = delete;
        virtual ~entry() = default;
        /// Describes the case to the core.
        virtual void bind(detail::select_case& c) = 0;
        /// It was chosen (`ok`: a value was handed over), or not.
        virtual void chosen(bool ok) = 0;
        virtual void passed_over() {}

        bool enabled = true;
    };

    template <class T>
    struct recv_entry final : entry {
        recv_entry(detail::chan_core* ch, std::optional<T>& s)
            : channel(detail::recv_ref::share(ch)), slot(s) {}
        void bind(detail::select_case& c) override {
            c.kind = detail::case_kind::recv;
            c.channel = channel.get();
            c.slot = in.address();
        }
        void chosen(bool ok) override {
            if (ok) {
                slot = in.take();
            } else {
                slot.reset();
                detail::rethrow_close_error(channel.get());
            }
        }

        detail::recv_ref channel;
        std::optional<T>& slot;
        detail::incoming<T> in;
    };

    template <class T>
    struct send_entry final : entry {
        send_entry(detail::chan_core* ch, T&& v)
            : channel(detail::chan_ref::share(ch)), value(std::move(v)) {}
        void bind(detail::select_case& c) override {
            c.kind = detail::case_kind::send;
            c.channel = channel.get();
            if (!out) {  // else the value is still out: giving it back has failed before
                out.emplace(*value);
            }
            c.slot = out->address();
        }
        void chosen(bool ok) override {
            if (!ok) {
                passed_over();
                detail::throw_not_sent(channel.get());
            }
            out.reset();
            value.reset();
            this->enabled = false;
        }
        void passed_over() override {
            if (out) {
                out->not_sent();
                out.reset();
            }
        }

        detail::chan_ref channel;
        std::optional<T> value;
        std::optional<detail::outgoing<T>> out;
    };

    struct done_entry final : entry {
        explicit done_entry(context c) noexcept : ctx(std::move(c)) {}
        void bind(detail::select_case& c) override {
            c.word = detail::limits_of(ctx).cancel;
            c.kind = c.word != nullptr ? detail::case_kind::done : detail::case_kind::none;
        }
        void chosen(bool ok) override {
            static_cast<void>(ok);
            detail::see_end(ctx);
        }

        context ctx;
    };

    struct word_entry final : entry {
        explicit word_entry(detail::cancel_word* w) noexcept : word(w) {}
        void bind(detail::select_case& c) override {
            c.word = word;
            c.kind = detail::case_kind::done;
        }
        void chosen(bool ok) override { static_cast<void>(ok); }

        detail::cancel_word* word;
    };

    std::size_t add(std::unique_ptr<entry> e);
    void run_core(detail::select_call& call);
    std::optional<std::size_t> choose(bool blocking, const detail::wait_limits& limits);

    std::vector<std::unique_ptr<entry>> entries_;
    std::vector<detail::select_case> cases_;
};

}  // namespace runnel
