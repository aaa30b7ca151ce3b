# gradloom_warnings(TARGET): the warnings that our own code is free of, as errors, with GCC 12 and clang 14. Headers of
# other projects come in as SYSTEM and are not held to them. GRADLOOM_WERROR=OFF is for packagers with newer compilers.
option(GRADLOOM_WERROR "Treat warnings as errors" ON)

function(gradloom_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic
    -Wshadow                # a name that hides another is read as the other
    -Wconversion            # sizes are int64_t, the standard library's are size_t: each crossing is written out
    -Wno-sign-conversion    # ...but not each index into a vector
    -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wunused -Wformat=2 -Wimplicit-fallthrough -Wvla
    -Wmissing-declarations  # a function without a header is static, or forgotten
    $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op -Wsuggest-override>
    $<$<CXX_COMPILER_ID:Clang>:-Winconsistent-missing-override>
    # Designated initialisers leave members to their defaults on purpose.
    -Wno-missing-field-initializers
    $<$<BOOL:${GRADLOOM_WERROR}>:-Werror>)
endfunction()
