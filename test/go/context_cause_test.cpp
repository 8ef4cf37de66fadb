// test/go/context_cause_test.cpp: why a context has ended. (S51)
//
// Follows TestCause and its neighbours in Go's src/context/x_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/context_helpers.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::because;

struct cause_case {
    const char* name;
    context (*make)();
    std::error_code error;
    const char* cause;
};

const std::vector<cause_case> cases = {
    {"background", [] { return background(); }, {}, "none"},
    {"cancel",
     [] {
         auto [ctx, cancel] = with_cancel(background());
         cancel();
         return ctx;
     },
     errc::canceled, "canceled"},
    {"cancel_with_cause",
     [] {
         auto [ctx, cancel] = with_cancel(background());
         cancel(because("parent"));
         return ctx;
     },
     errc::canceled, "parent"},
    {"cancel_with_null",
     [] {
         auto [ctx, cancel] = with_cancel(background());
         cancel(nullptr);
         return ctx;
     },
     errc::canceled, "canceled"},
    {"parent_before_child",
     [] {
         auto [parent, cancel_parent] = with_cancel(background());
         auto [ctx, cancel] = with_cancel(parent);
         cancel_parent(because("parent"));
         cancel(because("child"));
         return ctx;
     },
     errc::canceled, "parent"},
    {"parent_after_child",
     [] {
         auto [parent, cancel_parent] = with_cancel(background());
         auto [ctx, cancel] = with_cancel(parent);
         cancel(because("child"));
         cancel_parent(because("parent"));
         return ctx;
     },
     errc::canceled, "child"},
    {"parent_before_child_without",
     [] {
         auto [parent, cancel_parent] = with_cancel(background());
         auto [ctx, cancel] = with_cancel(parent);
         cancel_parent(because("parent"));
         cancel();
         return ctx;
     },
     errc::canceled, "parent"},
    {"parent_after_child_without",
     [] {
         auto [parent, cancel_parent] = with_cancel(background());
         auto [ctx, cancel] = with_cancel(parent);
         cancel();
         cancel_parent(because("parent"));
         return ctx;
     },
     errc::canceled, "canceled"},
    {"child_after_parent_without",
     [] {
         auto [parent, cancel_parent] = with_cancel(background());
         auto [ctx, cancel] = with_cancel(parent);
         cancel_parent();
         cancel(because("child"));
         return ctx;
     },
     errc::canceled, "canceled"},
    {"child_before_parent_without",
     [] {
         auto [parent, cancel_parent] = with_cancel(background());
         auto [ctx, cancel] = with_cancel(parent);
         cancel(because("child"));
         cancel_parent();
         return ctx;
     },
     errc::canceled, "child"},
    {"deadline",
     [] {
         auto [ctx, cancel] = with_timeout(background(), 0s);
         cancel(because("late"));
         return ctx;
     },
     errc::deadline_exceeded, "deadline"},
    {"cancelled_before_the_deadline",
     [] {
         auto [ctx, cancel] = with_timeout(background(), 1h);
         cancel();
         return ctx;
     },
     errc::canceled, "canceled"},
    {"cancelled_before_the_deadline_with_cause",
     [] {
         auto [ctx, cancel] = with_timeout(background(), 1h);
         cancel(because("early"));
         return ctx;
     },
     errc::canceled, "early"},
    {"deadline_before_the_parent",
     [] {
         auto [parent, cancel_parent] = with_cancel(background());
         auto [ctx, cancel] = with_timeout(parent, 0s);
         cancel_parent(because("parent"));
         return ctx;
     },
     errc::deadline_exceeded, "deadline"},
    {"parent_before_the_deadline",
     [] {
         auto [parent, cancel_parent] = with_cancel(background());
         auto [ctx, cancel] = with_timeout(parent, 1h);
         cancel_parent(because("parent"));
         return ctx;
     },
     errc::canceled, "parent"},
    {"cause_passes_values_on_its_way",
     [] {
         struct key {
             using type = int;
         };
         auto [parent, cancel_parent] = with_cancel(background());
         auto [middle, cancel_middle] = with_cancel(with_value<key>(parent, 1));
         const context ctx = with_value<key>(middle, 2);
         cancel_parent(because("parent"));
         return ctx;
     },
     errc::canceled, "parent"},
    {"without_cancel",
     [] {
         auto [parent, cancel] = with_cancel(background());
         const context ctx = without_cancel(parent);
         cancel(because("parent"));
         return ctx;
     },
     {},
     "none"},
    {"without_cancel_of_a_deadline",
     [] {
         auto [parent, cancel] = with_timeout(background(), 0s);
         return without_cancel(parent);
     },
     {},
     "none"},
};

class go_context_cause : public test::anywhere {};
INSTANTIATE_TEST_SUITE_P(places, go_context_cause, test::all_places, test::place_name);

TEST_P(go_context_cause, first_on_the_way_from_the_root_counts) {
    run([] {
        for (const cause_case& c : cases) {
            SCOPED_TRACE(c.name);
            const context ctx = c.make();
            test::expect_end(ctx, c.error);
            EXPECT_EQ(test::text_of(ctx.cause()), c.cause);
        }
    });
}

TEST_P(go_context_cause, may_be_asked_for_while_it_is_given) {
    run([] {
        auto [ctx, cancel] = with_cancel(background());
        const std::exception_ptr given = because("given");
        wait_group canceller;
        canceller.go([&] { cancel(given); });
        while (ctx.cause() == nullptr) {
            yield();
        }
        EXPECT_TRUE(ctx.cause() == given);
        canceller.wait();
    });
}

}  // namespace
}  // namespace runnel
