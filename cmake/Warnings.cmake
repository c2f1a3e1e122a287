# Warnings of our own code; generated code is included as SYSTEM.
add_library(moesim_warnings INTERFACE)
target_compile_options(moesim_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdouble-promotion
  -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<BOOL:${MOESIM_WARNINGS_AS_ERRORS}>:-Werror>)

# GCC 12 raises these falsely once the optimiser has inlined library code: maybe-uninitialized inside
# Boost.Graph and std::optional, the others on sums of std::string (GCC bugs 105329, 105651). Clang's
# analyzer and the sanitizers look for the real thing.
target_compile_options(moesim_warnings INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds
  -Wno-stringop-overflow -Wno-stringop-overread>)
