// No allocation per flow once paths are known: the program's own operator new counts.
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "net/fabric.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace {

std::atomic<long> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace moesim::net {
namespace {

TEST_CASE("flow_network: the second of two equal exchanges allocates nothing", "[net]") {
  const topology::Topology topology(test::toy_cluster(4, 4));
  Fabric fabric(topology);
  SimTime now;
  const auto exchange = [&] {
    for (int from = 0; from < 16; ++from) {
      for (int to = 0; to < 16; ++to) {
        if (from == to) continue;
        fabric.network().start(now, fabric.path(GpuId{from}, GpuId{to}),
                               1_kB * (1 + (from * 5 + to * 11) % 17), 0);
      }
    }
    fabric.network().rerate(now);
    while (fabric.network().active() > 0) {
      now = fabric.network().next_end();
      (void)fabric.network().end_due(now);
      fabric.network().rerate(now);
    }
  };
  exchange();
  const long before = allocations;
  exchange();
  CHECK(allocations == before);
}

}  // namespace
}  // namespace moesim::net
