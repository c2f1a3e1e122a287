# MOESIM_SANITIZE=address,undefined or thread; applies to every target that links moesim_options.
if(MOESIM_SANITIZE)
  target_compile_options(moesim_options INTERFACE
    -fsanitize=${MOESIM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(moesim_options INTERFACE -fsanitize=${MOESIM_SANITIZE})
endif()

# Coverage feedback for libFuzzer; the fuzz programs themselves add -fsanitize=fuzzer.
if(MOESIM_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "MOESIM_FUZZ needs clang++; use the preset fuzz")
  endif()
  target_compile_options(moesim_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
