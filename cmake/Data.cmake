# Where the program finds its catalog and scenarios, in this order: the environment variable
# MOESIM_DATA, MOESIM_INSTALL_DATA_DIR relative to the folder of the executable, and
# MOESIM_SOURCE_DATA_DIR, so that build/release/moesim runs without being installed.
if(TARGET moesim_scenario)
  file(RELATIVE_PATH moesim_data_from_bin
    ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_DATADIR}/moesim/scenarios)
  target_compile_definitions(moesim_scenario PRIVATE
    MOESIM_INSTALL_DATA_DIR="${moesim_data_from_bin}"
    MOESIM_SOURCE_DATA_DIR="${PROJECT_SOURCE_DIR}/scenarios")
endif()
