// runnel/patterns.hpp: umbrella of the patterns.
#pragma once

#include <runnel/patterns/batch.hpp>     // IWYU pragma: export
#include <runnel/patterns/fan_in.hpp>    // IWYU pragma: export
#include <runnel/patterns/parallel.hpp>  // IWYU pragma: export
#include <runnel/patterns/produce.hpp>   // IWYU pragma: export
#include <runnel/patterns/stage.hpp>     // IWYU pragma: export
