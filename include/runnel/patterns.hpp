// runnel/patterns.hpp: umbrella of the patterns.
#pragma once

#include <runnel/patterns/batch.hpp>        // IWYU pragma: export
#include <runnel/patterns/fan_in.hpp>       // IWYU pragma: export
#include <runnel/patterns/first.hpp>        // IWYU pragma: export
#include <runnel/patterns/parallel.hpp>     // IWYU pragma: export
#include <runnel/patterns/produce.hpp>      // IWYU pragma: export
#include <runnel/patterns/retry.hpp>        // IWYU pragma: export
#include <runnel/patterns/service.hpp>      // IWYU pragma: export
#include <runnel/patterns/shutdown.hpp>     // IWYU pragma: export
#include <runnel/patterns/stage.hpp>        // IWYU pragma: export
#include <runnel/patterns/worker_pool.hpp>  // IWYU pragma: export
