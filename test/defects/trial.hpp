// test/defects/trial.hpp: looks at one implementation of a pattern, the seed's or ours, for one
// defect.
//
// A check is a function template over the implementation; it runs the pattern in a bubble of its
// own, on virtual time, and returns what it has found. A row of the table names the check twice: on
// our port, which must be free of the defect, and on the naive form, which must show it.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "naive/go.hpp"

namespace runnel::defects {

enum class bite {
    none,
    leak,          ///< a goroutine is left behind for ever
    hang,          ///< a caller waits for ever, or past its limit
    lost_error,    ///< an error reaches nobody
    wrong_result,  ///< the answer is wrong, or depends on chance
    panic,         ///< the process would have ended
};

[[nodiscard]] inline const char* name_of(bite b) {
    switch (b) {
        case bite::none:
            return "no defect";
        case bite::leak:
            return "leak";
        case bite::hang:
            return "hang";
        case bite::lost_error:
            return "lost error";
        case bite::wrong_result:
            return "wrong result";
        case bite::panic:
            return "panic";
    }
    return "?";
}

inline void PrintTo(bite b, std::ostream* out) { *out << name_of(b); }

struct finding {
    bite what = bite::none;
    std::string how;
};

inline std::ostream& operator<<(std::ostream& out, const finding& f) {
    return out << name_of(f.what) << (f.how.empty() ? "" : ": ") << f.how;
}

/// What a check runs with.
struct setting {
    std::size_t workers = 1;
    std::optional<std::uint64_t> seed = std::nullopt;
};

/// What the body of a check speaks to.
class trial {
public:
    explicit trial(testing::bubble& world) : world_(world) {}

    /// All other goroutines are blocked when it returns.
    void settle() { world_.settle(); }

    /// Notes a defect unless `ok`; the first one counts.
    void expect(bool ok, bite what, std::string how) {
        if (!ok && found_.what == bite::none) {
            found_ = {what, std::move(how)};
        }
    }
    [[nodiscard]] const finding& found() const noexcept { return found_; }

private:
    testing::bubble& world_;
    finding found_;
};

namespace detail {

/// What goroutines that are left behind may still wait on must not be destroyed.
inline void keep_for_ever(std::shared_ptr<const void> kept) {
    static auto* const all = new std::vector<std::shared_ptr<const void>>();
    all->push_back(std::move(kept));
}

template <class F>
struct stage_of {
    F body;
    trial seen;
};

}  // namespace detail

/// Runs `body(trial&)` as the root of a bubble. A goroutine that is left is a leak, a deadlock a
/// hang; what the body itself notes comes before these, and a panic before everything.
template <class F>
finding look(const setting& with, F body) {
    naive::panics = 0;
    testing::bubble world{{.workers = with.workers, .seed = with.seed}};
    const auto kept = std::make_shared<detail::stage_of<F>>(std::move(body), trial(world));
    finding stranded;
    try {
        world.run([kept = kept.get()] { kept->body(kept->seen); });
    } catch (const testing::bubble_error& error) {
        detail::keep_for_ever(kept);
        const std::string text = error.what();
        const bool deadlock = text.find("deadlock") != std::string::npos;
        stranded = {deadlock ? bite::hang : bite::leak, text};
    } catch (const std::exception& error) {
        return {bite::panic, error.what()};
    }
    if (naive::panics != 0) {
        return {bite::panic, std::to_string(naive::panics) + " goroutines panicked"};
    }
    return kept->seen.found().what == bite::none ? stranded : kept->seen.found();
}

/// Runs `body` with many seeds on one worker, which replays a run for each; returns the first
/// defect.
template <class F>
finding look_often(int times, const F& body) {
    for (int i = 0; i < times; ++i) {
        const auto seed = static_cast<std::uint64_t>(i);
        finding found = look({.workers = 1, .seed = seed}, body);
        if (found.what != bite::none) {
            found.how += " (seed " + std::to_string(i) + ")";
            return found;
        }
    }
    return {};
}

/// A line of the table.
struct row {
    const char* name;
    bite naive_shows;
    const char* naive_says;  ///< what its finding mentions
    finding (*on_naive)(const setting&);
    finding (*on_port)(const setting&);
};

inline void PrintTo(const row& r, std::ostream* out) { *out << r.name; }

/// One row with 1, 2 and 8 workers.
class seed_defect : public ::testing::TestWithParam<std::tuple<row, int>> {
protected:
    [[nodiscard]] static const row& line() { return std::get<0>(GetParam()); }
    [[nodiscard]] static setting with() {
        return {.workers = static_cast<std::size_t>(std::get<1>(GetParam()))};
    }
};

inline std::string row_name(const ::testing::TestParamInfo<std::tuple<row, int>>& info) {
    return std::string(std::get<0>(info.param).name) + "_workers_" +
           std::to_string(std::get<1>(info.param));
}

}  // namespace runnel::defects
