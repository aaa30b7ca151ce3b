# cmake -DBENCH=gradloom_bench -DCASE=mlp_tiny -DTABLE=README.md [-DFAST=ON] -P losses_test.cmake
#
# The first three losses of a case agree to five digits with those in the table of peers/README.md, which other frameworks
# computed from the same numbers; and on 1, 2 and 3 threads they are the same to the last bit (9 digits tell any two floats
# apart). The third loss of resnet20 is given to three: see the README. FAST: with fast_convolution, to four digits.
cmake_minimum_required(VERSION 3.25)

set(exact --exact)
set(share 100000)
if(FAST)
  set(exact)
  set(share 10000)
endif()

# losses(THREADS OUT): the list of the first three.
function(losses threads out)
  execute_process(COMMAND ${BENCH} --case ${CASE} ${exact} --losses 3 --threads ${threads}
                  OUTPUT_VARIABLE text ERROR_VARIABLE error RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${CASE} on ${threads} threads: status ${status}\n${error}")
  endif()
  string(REGEX MATCHALL "[0-9.e+-]+" found "${text}")
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# billionths(DECIMAL OUT): CMake computes with integers only. 0.6940717 -> 694071700
function(billionths decimal out)
  if(NOT decimal MATCHES "^([0-9]+)\\.([0-9]+)$")
    message(FATAL_ERROR "${CASE}: ${decimal} is no plain decimal number")
  endif()
  string(SUBSTRING "${CMAKE_MATCH_2}000000000" 0 9 fraction)
  math(EXPR value "${CMAKE_MATCH_1} * 1000000000 + 1${fraction} - 1000000000") # 1...: a leading 0 would mean octal
  set(${out} ${value} PARENT_SCOPE)
endfunction()

file(STRINGS ${TABLE} row REGEX "^\\| `${CASE}` \\| [0-9.]+ \\| [0-9.]+ \\| [0-9.]+ \\|$")
string(REGEX REPLACE "`${CASE}`" "" row "${row}")
string(REGEX MATCHALL "[0-9.]+" expected "${row}")

losses(1 computed)
list(LENGTH expected expected_count)
list(LENGTH computed computed_count)
if(NOT expected_count EQUAL 3 OR NOT computed_count EQUAL 3)
  message(FATAL_ERROR "${CASE}: three losses were expected: ${expected}; computed: ${computed}")
endif()
set(steps 0 1 2)
foreach(step a b IN ZIP_LISTS steps expected computed)
  billionths(${a} wanted)
  billionths(${b} got)
  math(EXPR difference "${got} - ${wanted}")
  if(difference LESS 0)
    math(EXPR difference "-(${difference})")
  endif()
  math(EXPR tolerance "${wanted} / ${share}")
  if(CASE STREQUAL resnet20 AND step EQUAL 2)
    math(EXPR tolerance "${wanted} / 1000")
  endif()
  if(difference GREATER tolerance)
    message(FATAL_ERROR "${CASE}: the losses are ${computed}, not ${expected}")
  endif()
endforeach()

foreach(threads 2 3)
  losses(${threads} again)
  if(NOT again STREQUAL computed)
    message(FATAL_ERROR "${CASE}: ${computed} on 1 thread, ${again} on ${threads}")
  endif()
endforeach()
message(STATUS "${CASE}: ${computed}")
