// Each header of des compiles on its own; the hot path stays in the headers.
#include "des/event_queue.h"
#include "des/priorities.h"
#include "des/simulator.h"

namespace moesim::des {

static_assert(sizeof(Event) == 16, "the payload is two words");
static_assert(sizeof(PendingEvent) == 32, "four children fill two cache lines");
static_assert(event_key(SimTime::from_picoseconds(1), Priority::Hardware, 0) >
              event_key(SimTime::from_picoseconds(0), Priority::Observe, (1ULL << 56) - 1));

}  // namespace moesim::des
