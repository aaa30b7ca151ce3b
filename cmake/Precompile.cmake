# gradloom_precompile(TARGET [HEADER...]): the standard headers that most sources include, and HEADERs, are read once for
# TARGET instead of once for each of its sources: that is most of what a small source takes. Only headers of others, so
# that a change to one of ours compiles no more than before. The presets debug and clang do without
# (CMAKE_DISABLE_PRECOMPILE_HEADERS), so that a forgotten #include is found.
function(gradloom_precompile target)
  target_precompile_headers(${target} PRIVATE
    <algorithm> <cmath> <cstddef> <cstdint> <cstring> <functional> <limits> <map> <memory> <optional> <set> <span> <string>
    <string_view> <utility> <variant> <vector> ${ARGN})
endfunction()
