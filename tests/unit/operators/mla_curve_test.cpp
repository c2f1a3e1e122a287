#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "operators/kernel_format.h"
#include "operators/mla_block_curve.h"
#include "operators/mla_decode_curve.h"
#include "operators/mla_prefill_curve.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {

using namespace moesim::literals;
using test::WithinRel;

// latent 50, absorbed 90, expanded 40; queries of 20.
constexpr MlaShape kToy{.hidden = 1000,
                        .heads = 10,
                        .q_lora_rank = 100,
                        .kv_lora_rank = 40,
                        .qk_nope_dim = 10,
                        .qk_rope_dim = 10,
                        .v_head_dim = 20};
constexpr MlaShape kDeepSeek{.hidden = 7168,
                             .heads = 16,
                             .q_lora_rank = 1536,
                             .kv_lora_rank = 512,
                             .qk_nope_dim = 128,
                             .qk_rope_dim = 64,
                             .v_head_dim = 128};

KernelFormat format(std::string_view dtype) { return kernel_format(dtype).value(); }

/// A GPU on which one roof is so high that it does not count.
catalog::Gpu memory_only() {
  catalog::Gpu gpu = test::toy_gpu();
  gpu.bf16 = gpu.fp8 = gpu.fp4 = 1e18 * 1_TFLOPs;
  return gpu;
}
catalog::Gpu compute_only() {
  catalog::Gpu gpu = test::toy_gpu();
  gpu.bf16 = 1_TFLOPs;
  gpu.memory_bandwidth = 1e18 * 1_TBps;
  return gpu;
}

// floor 10, sequence 1 (doubled by 10 heads), shares 1, least heads 10, second tile 0.5, nothing
// resident, serial 10 and 0.1 a token (both doubled by 10 heads), in sequence with the reading.
constexpr std::array<double, 13> kDecode{10, 1, 10, 1, 1, 10, 0.5, 0, 50, 10, 0.1, 10, 1};
// floor 10, shares 1, token 0.01, tile 0.5, serial 0.1 a token, in sequence.
constexpr std::array<double, 7> kPrefill{10, 1, 1, 0.01, 0.5, 0.1, 1};
// Shares 1; decode: base 10, row 1, second tile 0.5, serial 20 and 0.2 a token; prefill: base 10,
// row 0.01, tile 0.5, serial 0.1 a token, in sequence.
constexpr std::array<double, 17> kBlock{1,   1,  1,    10, 1, 1,   1,   0.5, 20,
                                        0.2, 10, 0.01, 1,  1, 0.5, 0.1, 1};

constexpr DecodeBatch kTwo{.sequences = 2, .context_tokens = 200};
constexpr MlaPrefillBatch kTwoPrompts{
    .sequences = 2, .new_tokens = 200, .context_tokens = 300, .pairs = 20000};

/// Starting values of an operation: what a fit begins with.
std::vector<double> starts(std::span<const CoefficientSpec> specs) {
  std::vector<double> values;
  for (const CoefficientSpec& spec : specs) values.push_back(spec.start);
  return values;
}

TEST_CASE("MlaShape: heads are divided over the ranks, rounded up", "[operators][mla]") {
  const catalog::Attention attention{.kind = catalog::AttentionKind::Mla,
                                     .heads = 10,
                                     .v_head_dim = 20,
                                     .q_lora_rank = 100,
                                     .kv_lora_rank = 40,
                                     .qk_nope_dim = 10,
                                     .qk_rope_dim = 10};
  const MlaShape shape = MlaShape::of(attention, 1000, 4);
  CHECK(shape.heads == 3);
  CHECK(shape.latent() == 50.0);
  CHECK(shape.absorbed() == 90.0);
  CHECK(shape.expanded() == 40.0);
}

TEST_CASE("MlaDecodeCurve: floor, work blocks, chain and reading", "[operators][mla][oracle]") {
  // Blocks: 2 sequences x 2 us = 4 us. Chain: 100 tokens x 0.2 us = 20 us against 20 us: 10 us.
  // Bytes: 200 x 50 x 2 + 2 x 10 x 90 x 2 = 23,600 B = 0.0236 us. In sequence: 10.0236 us.
  // smooth_max(4, 10.0236) at 0.16: (14.0236 + sqrt(6.0236^2 + 0.64 x 4 x 10.0236)) / 2.
  const MlaDecodeCurve curve(memory_only(), format("bf16"), kToy, kDecode);
  const double joined = (14.0236 + std::sqrt(6.0236 * 6.0236 + 0.64 * 4 * 10.0236)) / 2;
  const OperatorTime t = curve.time(kTwo);
  CHECK_THAT(t.time / 1.0_us, WithinRel(10 + joined, 1e-9));
  CHECK(t.bound == Bound::Launch);
  // Flops: 2 x 10 x 90 x 200 = 360,000 = 0.36 us, 1.2 times as many for a tile of 10 heads.
  const MlaDecodeCurve slow(compute_only(), format("bf16"), kToy, kDecode);
  const double stream = 10.432;
  CHECK_THAT(slow.time(kTwo).time / 1.0_us,
             WithinRel(10 + (4 + stream + std::sqrt(6.432 * 6.432 + 0.64 * 4 * stream)) / 2, 1e-9));
  CHECK(curve.time({}).time == Seconds{});
}

TEST_CASE("MlaDecodeCurve: a cache that fits into L2 is read faster", "[operators][mla][oracle]") {
  // resident share 0.5 of 50 MB; one sequence of 1e6 - 18 tokens: 99.9982 MB + 1.8 kB = 100 MB =
  // 100 us; beyond 50 MB: 100 (1 - 0.5 / (1 + 2^4)) = 97.0588 us, below the data-sheet rate: 100.
  std::array<double, 13> values = kDecode;
  values[0] = 1;      // floor
  values[1] = 0;      // blocks
  values[7] = 0.5;    // resident
  values[9] = 1e-12;  // chain
  const MlaDecodeCurve curve(memory_only(), format("bf16"), kToy, values);
  const DecodeBatch batch{.sequences = 1, .context_tokens = 1'000'000 - 18};
  CHECK_THAT(curve.time(batch).time / 1.0_us, WithinRel(100.0, 1e-9));
  values[3] = 0.5;  // memory share: twice 97.0588, and the floor
  const MlaDecodeCurve half(memory_only(), format("bf16"), kToy, values);
  CHECK_THAT(half.time(batch).time / 1.0_us, WithinRel(1 + 200 * (1 - 0.5 / 17), 1e-9));
  CHECK(half.time(batch).bound == Bound::Memory);
}

TEST_CASE("MlaDecodeCurve: 17 to 32 heads pass the cache a second time",
          "[operators][mla][oracle]") {
  // One sequence of 1e6 tokens: 100 MB = 100 us, and 20 heads x 90 x 2 B = 0.0036 us; 1.5 times.
  std::array<double, 13> values = kDecode;
  values[0] = 1;      // floor
  values[1] = 0;      // blocks
  values[9] = 1e-12;  // chain
  MlaShape twenty = kToy;
  twenty.heads = 20;
  const DecodeBatch batch{.sequences = 1, .context_tokens = 1'000'000};
  const MlaDecodeCurve curve(memory_only(), format("bf16"), twenty, values);
  CHECK_THAT(curve.time(batch).time / 1.0_us, WithinRel(1 + 1.5 * 100.0036, 1e-9));
  twenty.heads = 40;  // one tile of 64
  const MlaDecodeCurve wide(memory_only(), format("bf16"), twenty, values);
  CHECK_THAT(wide.time(batch).time / 1.0_us, WithinRel(1 + 100.0072, 1e-9));
}

TEST_CASE("MlaPrefillCurve: floor, chain, tiles and bytes", "[operators][mla][oracle]") {
  // Chain 0.1 x 150 = 15; bytes (200 + 300) x 10 x 40 x 2 = 400,000 B = 0.4 us; tokens 2 us; tiles
  // 2 x 10 x 0.5 = 10 us: with the floor 37.4 us.
  const MlaPrefillCurve curve(memory_only(), format("bf16"), kToy, kPrefill);
  CHECK_THAT(curve.time(kTwoPrompts).time / 1.0_us, WithinRel(37.4, 1e-9));
  // Flops: 2 x 10 x 40 x 20,000 = 16e6 = 16 us instead of the bytes.
  const MlaPrefillCurve slow(compute_only(), format("bf16"), kToy, kPrefill);
  CHECK_THAT(slow.time(kTwoPrompts).time / 1.0_us, WithinRel(53.0, 1e-9));
  CHECK(slow.time({}).time == Seconds{});
}

TEST_CASE("MlaBlockCurve: decode adds its parts", "[operators][mla][oracle]") {
  // Bytes of down, query up, output: 304,600 + 41,200 + 404,800; absorbing 10,000 + 18,400;
  // attention 23,600: 802,600 B = 0.8026 us. Base 10, rows 2, chain 20 x 20 / 40 = 10.
  const MlaBlockCurve curve(memory_only(), format("bf16"), format("bf16"), kToy, kBlock);
  CHECK_THAT(curve.decode(kTwo).time / 1.0_us, WithinRel(22.8026, 1e-9));
  CHECK(curve.decode(kTwo).bound == Bound::Launch);
  // Flops 600,000 + 80,000 + 800,000 + 16,000 + 32,000 = 1.528 us; attention of 10 heads in a tile
  // of 16, smooth_max(10, 16) at 0.04 = (26 + sqrt(36 + 25.6)) / 2: 2 x 90 x 200 times it.
  const MlaBlockCurve slow(compute_only(), format("bf16"), format("bf16"), kToy, kBlock);
  const double heads = (26 + std::sqrt(61.6)) / 2;
  CHECK_THAT(slow.decode(kTwo).time / 1.0_us, WithinRel(22 + 1.528 + 0.036 * heads, 1e-9));
  CHECK(curve.decode({}).time == Seconds{});
}

TEST_CASE("MlaBlockCurve: two queries of each sequence", "[operators][mla][oracle]") {
  // Four rows: 309,200 + 42,400 + 409,600; absorbing 12,000 + 20,800; attention 20,000 read once
  // and 7,200 of queries: 0.8212 us. Base 10, rows 4, chain 10.
  DecodeBatch two = kTwo;
  two.queries = 2;
  const MlaBlockCurve curve(memory_only(), format("bf16"), format("bf16"), kToy, kBlock);
  CHECK_THAT(curve.decode(two).time / 1.0_us, WithinRel(24.8212, 1e-9));
  // Twice the flops; 2 x 10 heads in tiles of 16 for the pair: (36 + sqrt(16 + 51.2)) / 2.
  const MlaBlockCurve slow(compute_only(), format("bf16"), format("bf16"), kToy, kBlock);
  const double heads = (36 + std::sqrt(67.2)) / 2;
  CHECK_THAT(slow.decode(two).time / 1.0_us, WithinRel(24 + 3.056 + 0.036 * heads, 1e-9));
}

TEST_CASE("MlaBlockCurve: what stands before the core", "[operators][mla][oracle]") {
  // Half of base and rows, down, query up and absorption of queries: 304,600 + 41,200 + 10,000 B.
  const MlaBlockCurve curve(memory_only(), format("bf16"), format("bf16"), kToy, kBlock);
  CHECK_THAT(curve.decode_before_core(kTwo) / 1.0_us, WithinRel(6.3558, 1e-9));
}

TEST_CASE("MlaBlockCurve: prefill adds its parts", "[operators][mla][oracle]") {
  // Bytes of down, query up, output: 760,000 + 160,000 + 880,000; expansion of 300 keys 228,000:
  // 2.028 us. Base 10, rows 2; attention: chain 15, bytes 0.4, tiles 10.
  const MlaBlockCurve curve(memory_only(), format("bf16"), format("bf16"), kToy, kBlock);
  CHECK_THAT(curve.prefill(kTwoPrompts).time / 1.0_us, WithinRel(39.428, 1e-9));
  // Flops: 200 x 2 x (150,000 + 20,000 + 200,000) + 300 x 2 x 12,000 = 155.2 us; pairs 16 us.
  const MlaBlockCurve slow(compute_only(), format("bf16"), format("bf16"), kToy, kBlock);
  CHECK_THAT(slow.prefill(kTwoPrompts).time / 1.0_us, WithinRel(12 + 155.2 + 15 + 16 + 10, 1e-9));
  CHECK(slow.prefill(kTwoPrompts).bound == Bound::Compute);
  CHECK(curve.prefill({}).time == Seconds{});
}

TEST_CASE("MlaBlockCurve: queries without a latent of their own", "[operators][mla][oracle]") {
  MlaShape direct = kToy;
  direct.q_lora_rank = 0;
  // One projection of 200 + 50 columns: 500,000 + 2 x 2,500 B instead of 304,600 + 41,200 B.
  const MlaBlockCurve curve(memory_only(), format("bf16"), format("bf16"), direct, kBlock);
  CHECK_THAT(curve.decode(kTwo).time / 1.0_us, WithinRel(22.8026 + 0.1592, 1e-9));
}

TEST_CASE("MLA curves: longer, more and on more heads never take less",
          "[operators][mla][property]") {
  const catalog::Gpu gpu = test::toy_gpu();
  const std::vector<double> decode = starts(MlaDecodeCurve::coefficients());
  const std::vector<double> prefill = starts(MlaPrefillCurve::coefficients());
  const std::vector<double> block = starts(MlaBlockCurve::coefficients());
  CHECK(rc::check([&] {
    const std::int64_t sequences = *rc::gen::inRange<std::int64_t>(1, 2000);
    const std::int64_t length = *rc::gen::inRange<std::int64_t>(1, 200'000);
    const std::int64_t heads = *rc::gen::inRange<std::int64_t>(1, 200);
    const auto kind = *rc::gen::inRange(0, 3);
    const std::int64_t s = sequences + (kind == 0 ? 1 : 0);
    const std::int64_t l = length + (kind == 1 ? 1 : 0);
    MlaShape small = kDeepSeek;
    small.heads = heads;
    MlaShape large = small;
    large.heads += kind == 2 && heads != 32 ? 1 : 0;
    const auto prompts = [](std::int64_t n, std::int64_t each) {
      const auto e = static_cast<double>(each);
      return MlaPrefillBatch{.sequences = n,
                             .new_tokens = n * each,
                             .context_tokens = n * each,
                             .pairs = static_cast<double>(n) * e * (e + 1) / 2};
    };
    const DecodeBatch few{.sequences = sequences, .context_tokens = sequences * length};
    const DecodeBatch more{.sequences = s, .context_tokens = s * l};
    const KernelFormat cache = format(*rc::gen::element("bf16", "fp8"));
    const KernelFormat weights = format(*rc::gen::element("bf16", "fp8b", "nvfp4"));
    RC_ASSERT(MlaDecodeCurve(gpu, cache, small, decode).time(few).time <=
              MlaDecodeCurve(gpu, cache, large, decode).time(more).time);
    RC_ASSERT(MlaPrefillCurve(gpu, cache, small, prefill).time(prompts(sequences, length)).time <=
              MlaPrefillCurve(gpu, cache, large, prefill).time(prompts(s, l)).time);
    const MlaBlockCurve one(gpu, weights, cache, small, block);
    const MlaBlockCurve other(gpu, weights, cache, large, block);
    RC_ASSERT(one.decode(few).time <= other.decode(more).time);
    RC_ASSERT(one.prefill(prompts(sequences, length)).time <= other.prefill(prompts(s, l)).time);
  }));
}

TEST_CASE("MLA curves: never below the data sheet, finite anywhere", "[operators][mla][property]") {
  const catalog::Gpu gpu = test::toy_gpu();
  const auto within = [](std::span<const CoefficientSpec> specs) {
    std::vector<double> values;
    for (const CoefficientSpec& spec : specs) {
      const double at = static_cast<double>(*rc::gen::inRange(0, 101)) / 100.0;
      values.push_back(spec.lower + at * (spec.upper - spec.lower));
    }
    return values;
  };
  CHECK(rc::check([&] {
    MlaShape shape = kDeepSeek;
    shape.heads = *rc::gen::inRange<std::int64_t>(1, 129);
    const auto h = static_cast<double>(shape.heads);
    const std::int64_t sequences = *rc::gen::inRange<std::int64_t>(1, 1'000'000);
    const std::int64_t length = *rc::gen::inRange<std::int64_t>(1, 10'000'000);
    const double entries = static_cast<double>(sequences * length);
    // Absorbed: 2 h 1,088 flops at 1000 TFLOP/s and 1,152 B at 1 TB/s per cached token.
    const double decode_us = std::max(entries * 2 * h * 1088 / 1e9, entries * 1152 / 1e6);
    const DecodeBatch batch{.sequences = sequences, .context_tokens = sequences * length};
    const KernelFormat bf16 = format("bf16");
    const MlaDecodeCurve kernel(gpu, bf16, shape, within(MlaDecodeCurve::coefficients()));
    const double kernel_us = kernel.time(batch).time / 1.0_us;
    RC_ASSERT(std::isfinite(kernel_us));
    RC_ASSERT(kernel_us >= decode_us);
    const MlaBlockCurve block(gpu, bf16, bf16, shape, within(MlaBlockCurve::coefficients()));
    const double block_us = block.decode(batch).time / 1.0_us;
    // And every weight once: down 7,168 x 2,112, up 1,536 x 192 h, absorbed 512 x 256 h, output.
    const double weights = 2 * (7168 * 2112 + h * (1536 * 192 + 512 * 256 + 128 * 7168)) / 1e6;
    RC_ASSERT(std::isfinite(block_us));
    RC_ASSERT(block_us >= decode_us + weights);
    // Expanded: 2 h 320 flops per pair.
    const double pairs = entries * static_cast<double>(length + 1) / 2;
    const MlaPrefillBatch prompts{.sequences = sequences,
                                  .new_tokens = sequences * length,
                                  .context_tokens = sequences * length,
                                  .pairs = pairs};
    const MlaPrefillCurve prefill(gpu, bf16, shape, within(MlaPrefillCurve::coefficients()));
    const double prefill_us = prefill.time(prompts).time / 1.0_us;
    RC_ASSERT(std::isfinite(prefill_us));
    RC_ASSERT(prefill_us >= pairs * 2 * h * 320 / 1e9);
    RC_ASSERT(block.prefill(prompts).time / 1.0_us >= pairs * 2 * h * 320 / 1e9 + weights);
  }));
}

}  // namespace
}  // namespace moesim::operators
