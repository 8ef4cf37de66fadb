// runnel/sync.hpp: umbrella of the synchronisation primitives.
#pragma once

#include <runnel/sync/barrier.hpp>             // IWYU pragma: export
#include <runnel/sync/condition_variable.hpp>  // IWYU pragma: export
#include <runnel/sync/latch.hpp>               // IWYU pragma: export
#include <runnel/sync/mutex.hpp>               // IWYU pragma: export
#include <runnel/sync/once.hpp>                // IWYU pragma: export
#include <runnel/sync/semaphore.hpp>           // IWYU pragma: export
#include <runnel/sync/shared_mutex.hpp>        // IWYU pragma: export
#include <runnel/sync/wait_group.hpp>          // IWYU pragma: export
#include <runnel/task/group.hpp>               // IWYU pragma: export
#include <runnel/task/singleflight.hpp>        // IWYU pragma: export
