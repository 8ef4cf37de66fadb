// test/go/exhaustive.hpp: runs a piece of logic once for each way through its choices.
//
// Follows the path enumerator of Go's test/chan/select5.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <vector>

namespace runnel::test {

/// `while (x.next()) { logic }`, where the logic asks choose() and maybe(), visits every path.
class exhaustive {
public:
    /// Moves to the next path; false when all have been taken.
    bool next() {
        asked_ = 0;
        if (!started_) {
            started_ = true;
            return true;
        }
        while (!path_.empty() && path_.back().taken + 1 == path_.back().options) {
            path_.pop_back();
        }
        if (path_.empty()) {
            return false;
        }
        ++path_.back().taken;
        return true;
    }

    /// One of 0 ... `options` - 1.
    std::size_t choose(std::size_t options) {
        if (asked_ == path_.size()) {
            path_.push_back({.taken = 0, .options = options});
        }
        const choice& here = path_[asked_++];
        if (here.options != options) {
            throw std::logic_error("the choices of one path differ between two runs");
        }
        return here.taken;
    }

    bool maybe() { return choose(2) == 0; }

private:
    struct choice {
        std::size_t taken;
        std::size_t options;
    };

    std::vector<choice> path_;
    std::size_t asked_ = 0;
    bool started_ = false;
};

}  // namespace runnel::test
