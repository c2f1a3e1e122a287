# moesim_layer(NAME SOURCES a.cpp ... USES core catalog ... [LIBRARIES fmt::fmt ...])
# One static library per folder of src/. USES names the layers of its row in src/LAYERS.txt,
# LIBRARIES third-party details that no header of the layer shows. MANY_HEADERS: most of the time of
# compiling a file goes to headers, so with MOESIM_UNITY (a whole build, as in CI) several files are
# compiled as one; names in their unnamed namespaces must then differ.
function(moesim_layer name)
  cmake_parse_arguments(ARG "MANY_HEADERS" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "moesim_layer(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  add_library(moesim_${name} STATIC ${ARG_SOURCES})
  add_library(moesim::${name} ALIAS moesim_${name})
  target_include_directories(moesim_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM ARG_USES PREPEND moesim::)
  target_link_libraries(moesim_${name}
    PUBLIC moesim_options ${ARG_USES}
    PRIVATE moesim_warnings ${ARG_LIBRARIES})
  if(MOESIM_UNITY AND ARG_MANY_HEADERS)
    set_target_properties(moesim_${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()
