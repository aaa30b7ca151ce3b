# GRADLOOM_SANITIZE=address,undefined | thread: instruments everything that is built after this is included.
# The presets asan and tsan set it. Any finding ends the program, so that a test cannot pass with one.
set(GRADLOOM_SANITIZE "" CACHE STRING "Sanitizers to build with: empty, address,undefined or thread")

if(GRADLOOM_SANITIZE)
  if(NOT GRADLOOM_SANITIZE MATCHES "^(address|undefined|address,undefined|thread)$")
    message(FATAL_ERROR "GRADLOOM_SANITIZE is '${GRADLOOM_SANITIZE}'; the choices are address,undefined (or one of the"
                        " two) and thread")
  endif()
  add_compile_options(-fsanitize=${GRADLOOM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${GRADLOOM_SANITIZE})
  add_compile_definitions(GRADLOOM_SANITIZED=1)  # for tests that measure time or memory
endif()
