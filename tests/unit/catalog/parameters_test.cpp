#include "catalog/parameters.h"

#include <rapidcheck.h>

#include "tests/support/catch.h"
#include "tests/unit/catalog/toy_models.h"

namespace moesim::catalog {
namespace {
using moesim::test::WithinRel;

double gb(Bytes bytes) { return bytes / kByte * 1e-9; }

TEST_CASE("count_parameters: DeepSeek-V3 has 671,026,419,200", "[catalog][oracle]") {
  // Attention of a layer: 7168*1536 + 1536*128*192 + 7168*(512+64) + 512*128*(128+128)
  //   + 128*128*7168 = 187'105'280; of 61 layers: 11'413'422'080.
  // Dense blocks: 3 * 3*7168*18432 = 1'189'085'184.
  // One expert: 3*7168*2048 = 44'040'192; routed: 58*256 of them = 653'908'770'816;
  //   shared: 58 of them = 2'554'331'136. Routers: 58*(7168*256 + 256) = 106'445'312.
  // Norms: 61*(2*7168 + 1536 + 512) + 7168 = 1'006'592.
  // Embedding and head: 129280*7168 = 926'679'040 each. Sum: 671'026'419'200.
  const ModelParameters p = count_parameters(test::deepseek_v3());
  CHECK(p.attention == 11'413'422'080);
  CHECK(p.dense_ffn == 1'189'085'184);
  CHECK(p.routed_experts == 653'908'770'816);
  CHECK(p.shared_experts == 2'554'331'136);
  CHECK(p.router == 106'445'312);
  CHECK(p.norms == 1'006'592);
  CHECK(p.embedding == 926'679'040);
  CHECK(p.head == 926'679'040);
  CHECK(p.total() == 671'026'419'200);
  // Active: 248 of 256 experts stay idle: 671'026'419'200 - 58*248*44'040'192 = 37'552'297'472.
  CHECK(p.active == 37'552'297'472);
}

TEST_CASE("layer_parameters: latent attention splits over heads but for its down-projections",
          "[catalog][oracle]") {
  const Model model = test::deepseek_v3();
  const LayerParameters layer = layer_parameters(model, model.kinds[1]);
  // Replicated: 7168*1536 + 7168*576 = 15'138'816. Sharded: the rest of 187'105'280.
  CHECK(layer.attention_replicated == 15'138'816);
  CHECK(layer.attention_kv == 0);
  CHECK(layer.attention_sharded == 187'105'280 - 15'138'816);
  CHECK(layer.routed_expert == 44'040'192);
  CHECK(layer.routed_expert_count == 256);
  CHECK(layer.active_expert_count == 8);
}

TEST_CASE("weight_bytes: DeepSeek-V3 in fp8 takes 673.2 GB, its files 688.5 GB",
          "[catalog][oracle]") {
  // Linear weights at 8 + 32/16384 bits, the rest at 16:
  //   11'413'422'080 + 1'189'085'184 + 653'908'770'816 + 2'554'331'136 = 669'065'609'216,
  //   times (1 + 4/16384) B = 669.2290 GB;
  //   106'445'312 + 1'006'592 + 2*926'679'040 = 1'960'809'984, times 2 B = 3.9216 GB.
  // Sum: 673.1506 GB. MTP: 11.6101 * (1 + 4/16384) = 11.6129 GB and copies of 3.7067 GB: 688.470.
  const Catalog formats = test::formats_only();
  const ModelParameters p = count_parameters(test::deepseek_v3());
  const auto fp8 = formats.precision("fp8");
  REQUIRE(fp8.has_value());
  CHECK_THAT(gb(weight_bytes(p, *fp8)), WithinRel(673.1506, 1e-6));
  CHECK_THAT(gb(checkpoint_bytes(p, *fp8)), WithinRel(688.470, 1e-5));
}

TEST_CASE("weight_bytes: a 70B model takes 141.1 GB in bf16 and 43.1 GB in Q4_K_M",
          "[catalog][oracle]") {
  // 80 * (2*8192*8192 + 2*8192*1024 + 3*8192*28672 + 2*8192) + 8192 + 2*128256*8192
  //   = 70'553'706'496; times 2 B = 141.107 GB; times 4.8944/8 B = 43.165 GB.
  const Catalog formats = test::formats_only();
  const ModelParameters p = count_parameters(test::llama_70b());
  CHECK(p.total() == 70'553'706'496);
  CHECK(p.active == p.total());
  CHECK_THAT(gb(weight_bytes(p, *formats.precision("bf16"))), WithinRel(141.107413, 1e-8));
  const double q4 = gb(weight_bytes(p, *formats.precision("q4_k_m")));
  CHECK(q4 > 43.1);
  CHECK(q4 < 43.2);
}

TEST_CASE("layer_parameters: narrow experts stand between two projections", "[catalog][oracle]") {
  // hidden 100, latent 10: experts 3*10*20 = 600 each; router 100*4; projections 2*100*10 = 2000.
  // Dense block beside them: 3*100*30 = 9000. Biases: 5 per expert.
  Model model;
  model.hidden = 100;
  LayerKind kind;
  kind.attention.kind = AttentionKind::Linear;
  kind.feed_forward = {.dense_intermediate = 30,
                       .routed_experts = 4,
                       .expert_intermediate = 20,
                       .expert_hidden = 10,
                       .expert_parameters_other = 5,
                       .top_k = 2};
  const LayerParameters layer = layer_parameters(model, kind);
  CHECK(layer.attention() == 0);
  CHECK(layer.dense_ffn == 9000);
  CHECK(layer.router == 400 + 2000);
  CHECK(layer.routed_expert == 605);
  CHECK(layer.total() == 9000 + 2400 + 4 * 605);
  CHECK(layer.active() == 9000 + 2400 + 2 * 605);
}

TEST_CASE("layer_parameters: queries and outputs in two steps, values that are keys, gates",
          "[catalog][oracle]") {
  // hidden 100, 4 heads of 8, 1 key-value head. Query through rank 6: 100*6 replicated, 6*4*8.
  // Key = value: 100*8. Output through rank 5 in 2 groups: 4*8*5 + 2*5*100.
  Model model;
  model.hidden = 100;
  LayerKind kind;
  kind.attention = {.heads = 4,
                    .kv_heads = 1,
                    .head_dim = 8,
                    .v_head_dim = 8,
                    .shared_kv = true,
                    .q_lora_rank = 6,
                    .o_lora_rank = 5,
                    .o_groups = 2};
  const LayerParameters two_steps = layer_parameters(model, kind);
  CHECK(two_steps.attention_replicated == 600);
  CHECK(two_steps.attention_kv == 800);
  CHECK(two_steps.attention_sharded == 192 + 160 + 1000);
  // A gate doubles the query projection: 2 * 100*4*8, and the output has 4*8*100.
  kind.attention = {.heads = 4, .kv_heads = 1, .head_dim = 8, .v_head_dim = 8, .output_gate = true};
  CHECK(layer_parameters(model, kind).attention_sharded == 6400 + 3200);
  CHECK(layer_parameters(model, kind).attention_kv == 1600);
}

TEST_CASE("count_parameters: a tied head is counted once and vision is never active",
          "[catalog][oracle]") {
  Model model = test::llama_70b();
  const ModelParameters apart = count_parameters(model);
  model.tied_embeddings = true;
  model.parameters_vision = 1000;
  model.parameters_other = 7;
  const ModelParameters tied = count_parameters(model);
  CHECK(tied.head == 0);
  CHECK(tied.total() == apart.total() - apart.head + 1000 + 7);
  CHECK(tied.active == apart.active - apart.head + 7);
}

TEST_CASE("count_parameters: more experts, wider blocks and more layers never shrink a model",
          "[catalog][property]") {
  CHECK(rc::check([] {
    Model model = test::deepseek_v3();
    FeedForward& f = model.kinds[1].feed_forward;
    f.routed_experts = *rc::gen::inRange<std::int64_t>(1, 512);
    f.top_k = *rc::gen::inRange<std::int64_t>(1, f.routed_experts + 1);
    f.expert_intermediate = *rc::gen::inRange<std::int64_t>(1, 8192);
    const ModelParameters p = count_parameters(model);
    RC_ASSERT(p.active <= p.total());
    ++f.routed_experts;
    RC_ASSERT(count_parameters(model).total() > p.total());
    // An idle expert adds to the active ones only its column of the router.
    RC_ASSERT(count_parameters(model).active == p.active + 58 * model.hidden);
    ++model.runs[1].count;
    RC_ASSERT(count_parameters(model).active > p.active);
  }));
}

}  // namespace
}  // namespace moesim::catalog
