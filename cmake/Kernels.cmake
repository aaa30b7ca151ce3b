# gradloom_add_kernels(TARGET SOURCE...): compiles each source once per instruction set, with GRADLOOM_KERNEL_ISA naming
# it, and links the objects into TARGET. Installed with the package, for ops of one's own.
#
# -ffp-contract=off: whether a multiply and an add fuse must not depend on which ops share a kernel; see
# ops/kernel_internal.hpp. Always -O3: xsimd's always_inline functions do not even compile without optimisation. No
# exception passes through a kernel, and tables for one would be 3 % of the library.
set(GRADLOOM_KERNEL_FLAGS -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-exceptions
    -fno-asynchronous-unwind-tables)
if(GRADLOOM_SANITIZE MATCHES "address")
  # A watch on the scope of every SIMD vector keeps it out of the registers: the slowest sources took 86 s to compile
  # instead of 3. A pointer that is null, or misaligned for a vector, traps by itself.
  list(APPEND GRADLOOM_KERNEL_FLAGS -fno-sanitize-address-use-after-scope -fno-sanitize=null,alignment)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The frames that outlive a call are aligned to 32 bytes, but g++ 12 relies on the 64 that it gives arrays in them
    # (its bug 110027): aligned loads then trap, or not, as the frame happens to lie.
    list(APPEND GRADLOOM_KERNEL_FLAGS --param=asan-use-after-return=0)
  endif()
endif()
set(GRADLOOM_KERNEL_FLAGS_baseline -march=x86-64-v2)
set(GRADLOOM_KERNEL_FLAGS_avx2 -march=x86-64-v3)
set(GRADLOOM_KERNEL_FLAGS_avx512 -march=x86-64-v4 -mprefer-vector-width=512)

function(gradloom_add_kernels target)
  foreach(isa baseline avx2 avx512)
    set(objects ${target}_${isa})
    add_library(${objects} OBJECT ${ARGN})
    target_compile_definitions(${objects} PRIVATE GRADLOOM_KERNEL_ISA=${isa})
    target_compile_options(${objects} PRIVATE ${GRADLOOM_KERNEL_FLAGS} ${GRADLOOM_KERNEL_FLAGS_${isa}})
    if(COMMAND gradloom_warnings)
      gradloom_warnings(${objects})
    endif()
    # GCC 12 takes the undefined vectors in its own AVX-512 headers for uninitialised variables.
    target_compile_options(${objects} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized -Wno-maybe-uninitialized>)
    target_compile_features(${objects} PRIVATE cxx_std_20)
    set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    if(GRADLOOM_INCLUDE)  # in Gradloom's own tree
      target_include_directories(${objects} PRIVATE ${GRADLOOM_INCLUDE})
      gradloom_precompile(${objects} <xsimd/xsimd.hpp>)
    else()
      target_link_libraries(${objects} PRIVATE gradloom::gradloom)
    endif()
    target_link_libraries(${objects} PRIVATE xsimd)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()

# gradloom_op_table(TARGET): the table of all ops, as plain constant data, made from the definitions in graph/, ops/ and
# autodiff/. (Objects that register themselves would be dropped from a static library.)
function(gradloom_op_table target)
  set(table ${PROJECT_BINARY_DIR}/generated/op_table.cpp)
  file(GLOB op_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/ops/*.cpp ${PROJECT_SOURCE_DIR}/autodiff/*.cpp
       ${PROJECT_SOURCE_DIR}/graph/builtin_ops.cpp)
  add_custom_command(
    OUTPUT ${table}
    COMMAND ${CMAKE_COMMAND} "-DSOURCES=${op_sources}" -DTABLE=${table} -P ${PROJECT_SOURCE_DIR}/cmake/OpTable.cmake
    DEPENDS ${op_sources} ${PROJECT_SOURCE_DIR}/cmake/OpTable.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${table})
endfunction()
