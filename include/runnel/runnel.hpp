// runnel/runnel.hpp: umbrella of the core and the patterns.
#pragma once

#include <runnel/chan.hpp>      // IWYU pragma: export
#include <runnel/clock.hpp>     // IWYU pragma: export
#include <runnel/context.hpp>   // IWYU pragma: export
#include <runnel/error.hpp>     // IWYU pragma: export
#include <runnel/go.hpp>        // IWYU pragma: export
#include <runnel/patterns.hpp>  // IWYU pragma: export
#include <runnel/runtime.hpp>   // IWYU pragma: export
#include <runnel/select.hpp>    // IWYU pragma: export
#include <runnel/signal.hpp>    // IWYU pragma: export
#include <runnel/sync.hpp>      // IWYU pragma: export
#include <runnel/time.hpp>      // IWYU pragma: export
