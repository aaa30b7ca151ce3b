# cmake -DPROGRAM=lenet -DFIGURE="test accuracy" -DLEAST=91 -P quality_test.cmake
#
# An example, trained in full, learns what it is said to learn: the last line of its output that matches FIGURE, as a regular
# expression with the number in its first group, has at least LEAST there.
execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM}: ${status}\n${output}${errors}")
endif()
string(REGEX MATCHALL "${FIGURE}" lines "${output}")
if(NOT lines)
  message(FATAL_ERROR "${PROGRAM} printed no \"${FIGURE}\":\n${output}")
endif()
list(POP_BACK lines last)
string(REGEX REPLACE "${FIGURE}" "\\1" figure "${last}")
message(STATUS "${figure}, at least ${LEAST} is asked for")
if(figure LESS LEAST)
  message(FATAL_ERROR "${PROGRAM}: ${last}: less than ${LEAST}")
endif()
