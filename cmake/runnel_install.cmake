# What `cmake --install` puts where, so that find_package(runnel) works.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(runnel_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/runnel")

set(runnel_components runnel runnel_net runnel_testing)
if(RUNNEL_TLS)
    list(APPEND runnel_components runnel_tls)
endif()
if(RUNNEL_HTTP)
    list(APPEND runnel_components runnel_http)
endif()
install(TARGETS ${runnel_components} EXPORT runnelTargets
    INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/runnel"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(EXPORT runnelTargets NAMESPACE runnel:: DESTINATION "${runnel_package_dir}")

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/runnelConfig.cmake.in" "${PROJECT_BINARY_DIR}/runnelConfig.cmake"
    INSTALL_DESTINATION "${runnel_package_dir}")
write_basic_package_version_file(
    "${PROJECT_BINARY_DIR}/runnelConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/runnelConfig.cmake"
              "${PROJECT_BINARY_DIR}/runnelConfigVersion.cmake"
    DESTINATION "${runnel_package_dir}")
