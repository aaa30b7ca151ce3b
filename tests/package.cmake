# Installs this build into a scratch prefix, then configures, builds and runs tests/package/ against it.
set(prefix ${BUILD}/package_test/${KIND}/prefix)
set(work ${BUILD}/package_test/${KIND}/build)
file(REMOVE_RECURSE ${BUILD}/package_test/${KIND})
if(KIND STREQUAL shared)
  set(shared ON)
else()
  set(shared OFF)
endif()
foreach(step
    "${CMAKE_COMMAND};--install;${BUILD};--prefix;${prefix}"
    "${CMAKE_COMMAND};-S;${SOURCE};-B;${work};-G;Ninja;-DCMAKE_PREFIX_PATH=${prefix};-DBUILD_SHARED_LIBS=${shared};-DCMAKE_CXX_COMPILER=${COMPILER};-DCMAKE_BUILD_TYPE=Release"
    "${CMAKE_COMMAND};--build;${work}"
    "${work}/outside")
  execute_process(COMMAND ${step} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed: ${step}\n${output}")
  endif()
endforeach()
