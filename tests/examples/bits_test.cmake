# cmake -DPROGRAM=neuron_on_threads -DFOLDER=... [-DTAKES_THREADS=ON] -P bits_test.cmake
#
# An example prints the same, and saves the same files, on 1, 2, 3 and 8 threads, fused and unfused, in twelve runs. Times may
# differ, and what is said of the tasks of an unfused Program.
# TAKES_THREADS: it has an option for the number.
cmake_minimum_required(VERSION 3.25)

# run(THREADS FUSION OUT): what it prints, without times, and the hashes of the files it writes.
function(run threads fusion out)
  file(REMOVE_RECURSE ${FOLDER})
  file(MAKE_DIRECTORY ${FOLDER})
  set(options --quick)
  if(TAKES_THREADS)
    list(APPEND options --threads ${threads})
  endif()
  execute_process(COMMAND ${PROGRAM} ${threads} ${fusion} ${options} WORKING_DIRECTORY ${FOLDER}
                  OUTPUT_VARIABLE text ERROR_VARIABLE error RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "on ${threads} threads: status ${status}\n${error}")
  endif()
  # Progress lines are overwritten, and each ends in times; so do a few others. Timelines have a line for each thread.
  string(REGEX REPLACE "[^\n]*\r" "" text "${text}")
  string(REGEX REPLACE "\n  thread [^\n]*" "" text "${text}")
  string(REGEX REPLACE "\n[^\n]* (tasks, [0-9]|chunks [0-9])[^\n]*" "" text "${text}")
  string(REGEX REPLACE " *[0-9.]+ (us|s |images/s|threads)" " - \\1" text "${text}")
  file(GLOB_RECURSE files RELATIVE ${FOLDER} ${FOLDER}/*)
  foreach(name ${files})
    file(SHA256 ${FOLDER}/${name} hash)
    string(APPEND text "${name} ${hash}\n")
  endforeach()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

run(1 fused expected)
string(LENGTH "${expected}" length)
if(length LESS 100)
  message(FATAL_ERROR "it printed only\n${expected}")
endif()
foreach(way "1 fused" "2 fused" "3 fused" "8 fused" "2 fused" "3 fused" "8 fused" "3 fused" "8 fused" "1 unfused" "8 unfused")
  separate_arguments(way)
  run(${way} got)
  if(NOT got STREQUAL expected)
    message(FATAL_ERROR "on 1 thread\n${expected}\nwith ${way}\n${got}")
  endif()
endforeach()
