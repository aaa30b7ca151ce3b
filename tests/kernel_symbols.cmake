# Lists the weak symbols of the kernel objects; each must bear the name of its instruction set: ours through the
# namespace, xsimd's through the architecture in its template arguments.
set(mark_BASELINE "baseline|sse4_2|sse4_1|sse2|ssse3|sse3")
set(mark_AVX2 "avx2|fma3|avx")
set(mark_AVX512 "avx512")
set(failed FALSE)
foreach(isa BASELINE AVX2 AVX512)
  list(FILTER ${isa} INCLUDE REGEX "\\.o$") # not the precompiled headers
  foreach(object ${${isa}})
    execute_process(COMMAND ${NM} ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[^\n]* [VWu] [^\n]*" weak "${symbols}")
    foreach(symbol ${weak})
      if(NOT symbol MATCHES "${mark_${isa}}")
        message(SEND_ERROR "${object}: ${symbol}")
      endif()
    endforeach()
  endforeach()
endforeach()
