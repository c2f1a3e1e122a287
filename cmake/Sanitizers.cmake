# MOESIM_SANITIZE=address,undefined or thread; applies to every target that links moesim_options.
if(MOESIM_SANITIZE)
  target_compile_options(moesim_options INTERFACE
    -fsanitize=${MOESIM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(moesim_options INTERFACE -fsanitize=${MOESIM_SANITIZE})
endif()
