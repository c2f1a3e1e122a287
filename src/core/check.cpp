#include "core/check.h"

#include <cstdio>
#include <cstdlib>

namespace moesim {

void fail_check(const char* file, int line, const char* condition, const char* what) {
  std::fprintf(stderr, "%s:%d: check failed: %s: %s\nThis is a bug of moesim.\n", file, line,
               condition, what);
  std::abort();
}

}  // namespace moesim
