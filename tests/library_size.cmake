# The shared library without its symbols must stay under 8 MB.
file(MAKE_DIRECTORY ${WORK})
execute_process(COMMAND ${STRIP} -o ${WORK}/stripped.so ${LIBRARY} COMMAND_ERROR_IS_FATAL ANY)
file(SIZE ${WORK}/stripped.so size)
message("${size} bytes")
if(size GREATER_EQUAL 8000000)
  message(FATAL_ERROR "the library has ${size} bytes without its symbols; 8,000,000 are the limit")
endif()
