# What a user gets beside the program (src/cli): the schemas, the catalog and the scenarios.
if(TARGET moesim)
  # The README promises build/<preset>/moesim, wherever src/cli stands in the tree.
  set_target_properties(moesim PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/proto/ DESTINATION ${CMAKE_INSTALL_DATADIR}/moesim/proto
        FILES_MATCHING PATTERN "*.proto")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/scenarios/
        DESTINATION ${CMAKE_INSTALL_DATADIR}/moesim/scenarios)
