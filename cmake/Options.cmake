# Language level and code generation shared by every target of the project.
add_library(moesim_options INTERFACE)
target_compile_features(moesim_options INTERFACE cxx_std_20)
# Bit-identical results on every x86-64 machine: no fused multiply-add contraction.
target_compile_options(moesim_options INTERFACE -ffp-contract=off)
target_compile_definitions(moesim_options INTERFACE
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
set(CMAKE_CXX_EXTENSIONS OFF)
