# Catch2 and rapidcheck take most of the time of compiling a test, so all test programs share one
# precompiled header. Tests are compiled at -O1 in Release: the layers they call keep their -O3.
add_library(moesim_test_options INTERFACE)
target_include_directories(moesim_test_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(moesim_test_options INTERFACE
  MOESIM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
  MOESIM_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")
target_compile_options(moesim_test_options INTERFACE
  $<$<CONFIG:Release>:-O1>
  # GCC: a header that does not fit (other macros) is slower, not wrong; and without
  # -fpch-preprocess ccache cannot store what is compiled with it.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-error=invalid-pch -fpch-preprocess>)
target_link_libraries(moesim_test_options INTERFACE moesim_options)

add_library(moesim_test_pch OBJECT EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/support/pch.cpp)
target_link_libraries(moesim_test_pch
  PRIVATE moesim_test_options moesim_warnings rapidcheck Catch2::Catch2WithMain)
target_precompile_headers(moesim_test_pch PRIVATE
  <algorithm> <cstdint> <fstream> <map> <optional> <sstream> <string> <variant> <vector>
  <rapidcheck.h> ${PROJECT_SOURCE_DIR}/tests/support/catch.h)

# A name that matches no test must not count as passed. Catch2 v3 fails by itself when nothing ran.
if(Catch2_VERSION VERSION_LESS 3)
  set(moesim_catch_run --warn NoTests)
  set(moesim_catch_list --list-test-names-only)
else()
  set(moesim_catch_run)
  set(moesim_catch_list --list-tests --verbosity quiet)
endif()

# moesim_test(NAME SOURCES a_test.cpp ... USES layer ... [LABELS unit] [LIBRARIES third::party])
# One test program; every TEST_CASE becomes a ctest.
function(moesim_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LABELS;LIBRARIES" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "moesim_test(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  list(TRANSFORM ARG_USES PREPEND moesim::)
  target_link_libraries(${name} PRIVATE
    moesim_test_options moesim_warnings ${ARG_USES} ${ARG_LIBRARIES}
    rapidcheck Catch2::Catch2WithMain)
  target_precompile_headers(${name} REUSE_FROM moesim_test_pch)

  set(tests ${CMAKE_CURRENT_BINARY_DIR}/${name}_tests.cmake)
  list(JOIN moesim_catch_run " " run)
  list(JOIN moesim_catch_list " " list)
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${PROJECT_SOURCE_DIR}/tests/support/discover_tests
            $<TARGET_FILE:${name}> ${name} "${ARG_LABELS}" "${run}" "${list}" > ${tests}
    BYPRODUCTS ${tests} VERBATIM)
  set(include ${CMAKE_CURRENT_BINARY_DIR}/${name}_include.cmake)
  file(WRITE ${include}
    "if(EXISTS \"${tests}\")\n  include(\"${tests}\")\n"
    "else()\n  add_test(${name}_NOT_BUILT ${name}_NOT_BUILT)\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${include})
endfunction()
