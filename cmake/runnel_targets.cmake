# How a folder of sources becomes a target, and the flags that our own code is compiled with.

# Flags for our own code only: nothing here reaches a user of the library.
function(runnel_compile_options target)
    target_compile_features(${target} PRIVATE cxx_std_20)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi
        -fno-omit-frame-pointer) # whole stacks in perf and in crash reports
    if(RUNNEL_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
endfunction()

# The sources in `folder` that belong to a library on this processor.
function(runnel_sources result folder)
    file(GLOB sources CONFIGURE_DEPENDS "${folder}/*.cpp")
    list(FILTER sources EXCLUDE REGEX "_(test|bench)\\.cpp$")
    if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
        list(FILTER sources EXCLUDE REGEX "_x86_64\\.cpp$")
    endif()
    if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
        list(FILTER sources EXCLUDE REGEX "_aarch64\\.cpp$")
    endif()
    set(${result} ${sources} PARENT_SCOPE)
endfunction()

# runnel_library(target alias folder...): the library runnel::<alias> from src/<folder>.
function(runnel_library target alias)
    set(all_sources)
    foreach(folder IN LISTS ARGN)
        runnel_sources(sources "${PROJECT_SOURCE_DIR}/src/${folder}")
        list(APPEND all_sources ${sources})
    endforeach()
    if(NOT all_sources)
        message(FATAL_ERROR "runnel: no sources for ${target} under src/")
    endif()

    add_library(${target} ${all_sources})
    add_library(runnel::${alias} ALIAS ${target})
    runnel_compile_options(${target})
    target_compile_features(${target} PUBLIC cxx_std_20)
    target_include_directories(${target}
        PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
               "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
        PRIVATE "${PROJECT_SOURCE_DIR}")
    set_target_properties(${target} PROPERTIES
        EXPORT_NAME ${alias}
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()

# runnel_program(target source...): an executable of ours; the libraries are linked by the caller.
function(runnel_program target)
    add_executable(${target} ${ARGN})
    runnel_compile_options(${target})
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${target} PRIVATE runnel::runnel)
endfunction()
