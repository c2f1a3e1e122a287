# moesim_layer(NAME SOURCES a.cpp ... USES core catalog ... [LIBRARIES fmt::fmt ...])
# One static library per folder of src/. USES names the layers of its row in src/LAYERS.txt,
# LIBRARIES third-party details that no header of the layer shows.
function(moesim_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_library(moesim_${name} STATIC ${ARG_SOURCES})
  add_library(moesim::${name} ALIAS moesim_${name})
  target_include_directories(moesim_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM ARG_USES PREPEND moesim::)
  target_link_libraries(moesim_${name}
    PUBLIC moesim_options ${ARG_USES}
    PRIVATE moesim_warnings ${ARG_LIBRARIES})
endfunction()

# moesim_test(NAME SOURCES a_test.cpp ... USES layer ... [LABELS unit])
# One test program; every TEST_CASE becomes a ctest.
function(moesim_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LABELS;LIBRARIES" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  list(TRANSFORM ARG_USES PREPEND moesim::)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE
    MOESIM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    MOESIM_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")
  target_link_libraries(${name} PRIVATE moesim_options moesim_warnings ${ARG_USES} ${ARG_LIBRARIES}
    rapidcheck Catch2::Catch2WithMain)
  catch_discover_tests(${name} TEST_PREFIX "${name}: "
    PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300 ENVIRONMENT "RC_PARAMS=seed=20250101")
endfunction()
