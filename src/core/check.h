// Checks of our own reasoning: a failed one is a bug of moesim, never the user's mistake.
//
// Layer: core.
#pragma once

namespace moesim {

/// Prints "file:line: check failed: condition: what" to stderr and aborts.
[[noreturn]] void fail_check(const char* file, int line, const char* condition, const char* what);

}  // namespace moesim

/// Always on. What the user can trigger is a Diagnostic instead.
#define MOESIM_CHECK(cond, what)                               \
  do {                                                         \
    if (!(cond)) [[unlikely]]                                  \
      ::moesim::fail_check(__FILE__, __LINE__, #cond, (what)); \
  } while (false)

/// For hot loops: on in debug builds only.
#ifdef NDEBUG
#define MOESIM_DCHECK(cond, what) \
  do {                            \
  } while (false)
#else
#define MOESIM_DCHECK(cond, what) MOESIM_CHECK(cond, what)
#endif
