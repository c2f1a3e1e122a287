# Warnings of our own code; generated code is included as SYSTEM.
add_library(moesim_warnings INTERFACE)
target_compile_options(moesim_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdouble-promotion
  -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<BOOL:${MOESIM_WARNINGS_AS_ERRORS}>:-Werror>)
