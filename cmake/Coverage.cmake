# gcov instrumentation of our own targets, switched on by the preset "coverage".
option(MOESIM_COVERAGE "Instrument for gcov" OFF)
if(MOESIM_COVERAGE)
  target_compile_options(moesim_options INTERFACE --coverage)
  target_link_options(moesim_options INTERFACE --coverage)
endif()
