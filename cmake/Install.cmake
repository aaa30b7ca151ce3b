# cmake --install: headers, library, and a package for find_package(gradloom).
include(CMakePackageConfigHelpers)

foreach(part ${GRADLOOM_PARTS})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${part} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradloom
          FILES_MATCHING PATTERN "*.hpp" PATTERN "gradloom.hpp" EXCLUDE)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/nn/gradloom.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradloom)
install(TARGETS gradloom_static gradloom_shared EXPORT gradloom-targets)
install(EXPORT gradloom-targets NAMESPACE gradloom:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/gradloom)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/gradloom-config.cmake.in
                              ${PROJECT_BINARY_DIR}/gradloom-config.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/gradloom)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gradloom-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gradloom-config.cmake ${PROJECT_BINARY_DIR}/gradloom-config-version.cmake
              ${PROJECT_SOURCE_DIR}/cmake/Kernels.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/gradloom)
