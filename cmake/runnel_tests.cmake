# One GoogleTest program per folder.
include(GoogleTest)

# Empty: the installed GoogleTest. Else a folder with its source, to be compiled with this build's
# own flags, as sanitizers and other processors need it.
set(RUNNEL_GTEST_SOURCE "" CACHE PATH "Folder of GoogleTest's source, empty for the installed one")
set(RUNNEL_TEST_TIMEOUT 120 CACHE STRING "Seconds after which ctest ends a test")
# 0: ctest starts a process for each test. Else one for each program, or for each of so many parts
# of it: under a sanitizer a start takes longer than most tests do.
set(RUNNEL_TEST_PARTS 0 CACHE STRING "Into how many ctest tests a test program is divided")

if(RUNNEL_GTEST_SOURCE)
    set(INSTALL_GTEST OFF)
    add_subdirectory("${RUNNEL_GTEST_SOURCE}" "${PROJECT_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL
        SYSTEM)
else()
    find_package(GTest REQUIRED)
endif()

# What nearly every test includes takes longer to read than the test itself: it is compiled once.
# Each test still names what it uses; the cross build compiles it without.
option(RUNNEL_TEST_PCH "Compile the tests with a precompiled header" ON)

# What all test programs share, so that they can share the precompiled header.
add_library(test_settings INTERFACE)
target_link_libraries(test_settings
    INTERFACE runnel::testing GTest::gtest GTest::gmock GTest::gtest_main)
target_compile_definitions(test_settings
    INTERFACE "RUNNEL_CHILD_DIR=\"${CMAKE_CURRENT_BINARY_DIR}/children\"")
if(RUNNEL_TEST_PCH)
    file(GENERATE OUTPUT test_pch.cpp CONTENT "")
    add_library(test_pch OBJECT "${CMAKE_CURRENT_BINARY_DIR}/test_pch.cpp")
    runnel_compile_options(test_pch)
    target_link_libraries(test_pch PRIVATE test_settings)
    target_precompile_headers(test_pch PRIVATE <gmock/gmock.h> <gtest/gtest.h>
        <runnel/runnel.hpp> <runnel/testing/bubble.hpp>)
endif()

# runnel_test_program(room source...): the program test_<room>; its tests are called <room>/... and
# carry the label <room>.
function(runnel_test_program room)
    runnel_program(test_${room} ${ARGN})
    target_link_libraries(test_${room} PRIVATE test_settings)
    if(TARGET runnel::${room})
        target_link_libraries(test_${room} PRIVATE runnel::${room})
    endif()
    if(RUNNEL_TEST_PCH)
        target_precompile_headers(test_${room} REUSE_FROM test_pch)
    endif()

    # What measures, or loads every core, runs alone.
    set(serial OFF)
    if(room MATCHES "^(behaviour|stress)$")
        set(serial ON)
    endif()
    # A million first touches of memory take minutes on some virtual machines.
    set(timeout ${RUNNEL_TEST_TIMEOUT})
    if(room STREQUAL "stress")
        math(EXPR timeout "5 * ${RUNNEL_TEST_TIMEOUT}")
    endif()
    if(RUNNEL_TEST_PARTS)
        runnel_test_parts(${room} ${serial} ${timeout})
        return()
    endif()
    gtest_discover_tests(test_${room}
        TEST_PREFIX "${room}/"
        DISCOVERY_MODE PRE_TEST
        DISCOVERY_TIMEOUT 60
        PROPERTIES LABELS "${room}" TIMEOUT ${timeout} RUN_SERIAL ${serial})
endfunction()

# runnel_test_parts(room serial timeout): the tests <room>/part_0, ...; what
# runs alone is not divided.
function(runnel_test_parts room serial timeout)
    set(parts ${RUNNEL_TEST_PARTS})
    if(serial)
        set(parts 1)
    endif()
    math(EXPR last "${parts} - 1")
    foreach(part RANGE ${last})
        add_test(NAME ${room}/part_${part} COMMAND test_${room})
        set_tests_properties(${room}/part_${part} PROPERTIES
            LABELS "${room}" TIMEOUT ${timeout} RUN_SERIAL ${serial}
            ENVIRONMENT "GTEST_TOTAL_SHARDS=${parts};GTEST_SHARD_INDEX=${part}")
    endforeach()
endfunction()

# runnel_test_folder(room folder pattern): the same from the files that are there; none is fine.
function(runnel_test_folder room folder pattern)
    file(GLOB sources CONFIGURE_DEPENDS "${folder}/${pattern}")
    if(sources)
        runnel_test_program(${room} ${sources})
    endif()
endfunction()

# runnel_test_children(room folder): the programs <name>_child that test_<room> starts, each from
# one file <name>_child.cpp, put where RUNNEL_CHILD_DIR says.
function(runnel_test_children room folder)
    file(GLOB sources CONFIGURE_DEPENDS "${folder}/*_child.cpp")
    foreach(source IN LISTS sources)
        get_filename_component(child "${source}" NAME_WE)
        runnel_program(${child} "${source}")
        target_link_libraries(${child} PRIVATE runnel::testing)
        set_target_properties(${child} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/children")
        add_dependencies(test_${room} ${child})
    endforeach()
endfunction()
