# Writes TABLE: every `const OpDef NAME_def{` at the start of a line of SOURCES, sorted by name.
set(names)
foreach(source ${SOURCES})
  file(STRINGS ${source} lines REGEX "^const OpDef [a-z0-9_]+_def{")
  foreach(line ${lines})
    string(REGEX REPLACE "^const OpDef ([a-z0-9_]+)_def{.*" "\\1" name "${line}")
    list(APPEND names ${name})
  endforeach()
endforeach()
list(SORT names)
set(declarations "")
set(entries "")
foreach(name ${names})
  string(APPEND declarations "extern const OpDef ${name}_def;\n")
  string(APPEND entries "    &${name}_def,\n")
endforeach()
set(text "// Generated from the sources in ops/; do not edit.
#include <gradloom/ops/op_table.hpp>

namespace gradloom::inline v0 {

${declarations}
namespace {
constexpr const OpDef* table[] = {
${entries}};
}

std::span<const OpDef* const> all_ops() { return table; }

}  // namespace gradloom::inline v0
")
if(EXISTS ${TABLE})
  file(READ ${TABLE} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${TABLE} "${text}")
else()
  file(TOUCH ${TABLE})
endif()
