# moesim_layer(NAME SOURCES a.cpp ... USES core catalog ... [LIBRARIES fmt::fmt ...])
# One static library per folder of src/. USES names the layers of its row in src/LAYERS.txt,
# LIBRARIES third-party details that no header of the layer shows.
function(moesim_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
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
endfunction()
