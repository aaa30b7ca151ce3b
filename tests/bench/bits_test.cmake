# cmake -DBENCH=gradloom_bench -P bits_test.cmake
#
# Every case computes the same losses, outputs and parameters, to the last bit, on 1, 2, 3 and 8 threads, in ten runs, and
# when nothing is fused.
cmake_minimum_required(VERSION 3.25)

# run(CASE OUT OPTION...): ten losses and a hash of all results. Empty where Fashion-MNIST is not installed.
function(run case out)
  execute_process(COMMAND ${BENCH} --case ${case} --losses 10 --hash ${ARGN}
                  OUTPUT_VARIABLE text ERROR_VARIABLE error RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    if(case MATCHES "^fashion_" AND error MATCHES "cannot be opened")
      set(text "")
    else()
      message(FATAL_ERROR "${case} ${ARGN}: status ${status}\n${error}")
    endif()
  endif()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

execute_process(COMMAND ${BENCH} --list OUTPUT_VARIABLE cases COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" cases "${cases}")
foreach(case ${cases})
  run(${case} expected --threads 1)
  if(expected STREQUAL "")
    message(STATUS "${case}: left out, there is no Fashion-MNIST")
    continue()
  endif()
  if(NOT expected MATCHES "^([^\n]+\n)+[0-9a-f]+\n$")
    message(FATAL_ERROR "${case} printed\n${expected}")
  endif()
  foreach(threads 1 2 3 8 2 3 8 3 8)
    run(${case} got --threads ${threads})
    if(NOT got STREQUAL expected)
      message(FATAL_ERROR "${case}: on 1 thread\n${expected}on ${threads}\n${got}")
    endif()
  endforeach()
  run(${case} unfused --threads 2 --without fuse)
  if(NOT unfused STREQUAL expected)
    message(FATAL_ERROR "${case}: fused\n${expected}unfused\n${unfused}")
  endif()
  message(STATUS "${case}: the same ten times")
endforeach()
