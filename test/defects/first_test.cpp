// Rows 31 to 33 and 35: the first of several answers, over plain functions.
#include "naive/first.hpp"

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "trial.hpp"

namespace runnel::defects {
namespace {

using namespace std::chrono_literals;

/// A server: answers after a time unless its context ends before, or fails.
struct server {
    clock::duration time;
    std::string body;   ///< empty: it fails
    bool deaf = false;  ///< an answer that is under way cannot be taken back
};

/// What the caller of `first` gets.
struct answer {
    std::string body;
    std::vector<std::string> errors;  ///< of the servers, if all have failed
};

/// Runs the request of `s`; false if its context ended first.
bool wait_for_answer(const server& s, const context& ctx) {
    if (s.deaf) {
        sleep_for(s.time);
        return true;
    }
    return sleep_for(ctx, s.time) == op_status::ok;
}

using servers = std::vector<server>;

std::vector<naive::query> naive_queries(const servers& all) {
    std::vector<naive::query> queries;
    for (const server& s : all) {
        queries.emplace_back([=](const context& ctx) {
            if (!wait_for_answer(s, ctx)) {
                return naive::answer("", naive::error("context canceled"));
            }
            return s.body.empty() ? naive::answer("", naive::error("connection refused"))
                                  : naive::answer(s.body, naive::error());
        });
    }
    return queries;
}

template <naive::answer (*First)(const std::vector<naive::query>&)>
struct naive_first {
    static answer ask(const servers& all) { return {First(naive_queries(all)).first, {}}; }
    template <class F>
    static void ask_function(F f) {
        First({[=](const context& ctx) {
            f(ctx);
            return naive::answer("", naive::error("context canceled"));
        }});
    }
};

struct our_first {
    using request = std::function<std::string(const context&)>;

    static answer ask(const servers& all) {
        std::vector<request> requests;
        for (const server& s : all) {
            requests.emplace_back([=](const context& ctx) {
                if (!wait_for_answer(s, ctx)) {
                    throw canceled_error();
                }
                return s.body.empty() ? throw std::runtime_error("connection refused") : s.body;
            });
        }
        auto [limit, cancel] = with_timeout(background(), 500ms);
        try {
            return {first(limit, requests), {}};
        } catch (const all_failed& failed) {
            return {"", texts_of(failed)};
        }
    }
    template <class F>
    static void ask_function(F f) {
        auto [limit, cancel] = with_timeout(background(), 500ms);
        try {
            first(limit, [=](const context& ctx) -> std::string {
                f(ctx);
                throw canceled_error();
            });
        } catch (const timeout_error&) {  // what happened to the request is what counts
        }
    }

private:
    static std::vector<std::string> texts_of(const all_failed& failed) {
        std::vector<std::string> texts;
        for (const std::exception_ptr& error : failed.errors()) {
            try {
                std::rethrow_exception(error);
            } catch (const std::exception& e) {
                texts.emplace_back(e.what());
            }
        }
        return texts;
    }
};

const servers all_fail{{100ms, ""}, {200ms, ""}, {300ms, ""}};

/// Row 31.
template <class First>
finding all_servers_fail(const setting& with) {
    return look(with, [](trial& t) {
        const answer got = First::ask(all_fail);
        t.expect(got.errors.size() == 3, bite::lost_error, "the errors are lost");
    });
}

/// Row 32.
template <class First>
finding what_is_told_when_all_fail(const setting& with) {
    return look(with, [](trial& t) {
        const auto asked = clock::now();
        const answer got = First::ask(all_fail);
        t.expect(got.errors == std::vector<std::string>(3, "connection refused"), bite::lost_error,
                 "a timeout is reported in place of the errors");
        t.expect(clock::now() - asked == 300ms, bite::wrong_result, "it takes longer than it must");
    });
}

/// Row 33.
template <class First>
finding answers_that_come_at_once(const setting& with) {
    return look(with, [](trial& t) {
        const answer got = First::ask({{100ms, "a", true}, {100ms, "b", true}, {200ms, "c", true}});
        t.expect(got.body == "a" || got.body == "b", bite::wrong_result, "no answer");
        sleep_for(1h);
    });
}

/// Row 35.
template <class First>
finding what_a_request_knows_of_its_limit(const setting& with) {
    return look(with, [](trial& t) {
        auto knows = make_chan<bool>(1);
        auto reason = make_chan<std::error_code>(1);
        First::ask_function([=](const context& ctx) {
            knows.send(ctx.deadline().has_value());
            static_cast<void>(sleep_for(ctx, 1h));
            reason.send(ctx.err());
        });
        t.expect(knows.recv() == true, bite::wrong_result, "the request knows no deadline");
        t.expect(reason.recv() == make_error_code(errc::deadline_exceeded), bite::wrong_result,
                 "a deadline that has passed looks like a cancellation");
    });
}

INSTANTIATE_TEST_SUITE_P(
    first, seed_defect,
    ::testing::Combine(
        ::testing::Values(row{"row_31", bite::hang, "[chan recv]",
                              all_servers_fail<naive_first<naive::first_v1>>,
                              all_servers_fail<our_first>},
                          row{"row_32", bite::lost_error, "in place of the errors",
                              what_is_told_when_all_fail<naive_first<naive::first_v2>>,
                              what_is_told_when_all_fail<our_first>},
                          row{"row_33", bite::leak, "[chan send]",
                              answers_that_come_at_once<naive_first<naive::first_v3>>,
                              answers_that_come_at_once<our_first>},
                          row{"row_35", bite::wrong_result, "knows no deadline",
                              what_a_request_knows_of_its_limit<naive_first<naive::first_v3>>,
                              what_a_request_knows_of_its_limit<our_first>}),
        ::testing::Values(1, 2, 8)),
    row_name);

}  // namespace
}  // namespace runnel::defects
