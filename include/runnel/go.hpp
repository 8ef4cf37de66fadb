// runnel/go.hpp: umbrella of everything about goroutines.
#pragma once

#include <runnel/goroutine.hpp>        // IWYU pragma: export
#include <runnel/goroutine_local.hpp>  // IWYU pragma: export
#include <runnel/join_handle.hpp>      // IWYU pragma: export
