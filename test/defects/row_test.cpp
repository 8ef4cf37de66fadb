// What every row of the table is asked, with both implementations; the rows stand in the files
// beside this one.
#include <gtest/gtest.h>

#include "trial.hpp"

namespace runnel::defects {
namespace {

TEST_P(seed_defect, the_port_is_free_of_it) {
    const finding found = line().on_port(with());
    EXPECT_EQ(found.what, bite::none) << found;
}

TEST_P(seed_defect, the_naive_form_shows_it) {
    const finding found = line().on_naive(with());
    EXPECT_EQ(found.what, line().naive_shows) << found;
    EXPECT_NE(found.how.find(line().naive_says), std::string::npos) << found;
}

}  // namespace
}  // namespace runnel::defects
