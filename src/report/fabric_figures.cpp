// The figures of a fabric, as text and as JSON.
#include <fmt/format.h>

#include <string>

#include "fabric.pb.h"
#include "report/fabric_drawing.h"
#include "report/fabric_report.h"
#include "report/fabric_use.h"
#include "report/message_json.h"
#include "report/number_text.h"
#include "report/text_layout.h"
#include "topology/overview.h"

namespace moesim::report {
namespace {

using namespace moesim::literals;
using topology::Overview;
using topology::Topology;

std::string micros(Seconds time) { return number_text(time / 1.0_us, 4) + " us"; }

std::string counted(std::int64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count_text(count), count == 1 ? one : many);
}

const std::string& name_of(const Topology& t, GpuId gpu) { return t.vertices()[gpu.index()].name; }

/// " of 450 GB/s": what the data sheet says, unless it is all usable.
std::string peak(const catalog::Fabric& fabric) {
  return fmt::format("{}, {} of {} usable, {}", fabric.name, percent_text(fabric.efficiency),
                     rate_text(fabric.bandwidth), micros(fabric.latency));
}

std::string scale_up_lines(const Topology& t, const Overview& o) {
  const topology::Cluster& c = t.cluster();
  std::string page = labelled("scale-up", peak(c.scale_up));
  if (o.gpus_per_domain < 2 && c.gpus_per_node < 2) return page;
  if (c.gpu.scale_up == catalog::ScaleUpKind::NvLinkBridge) {
    return page + labelled("", fmt::format("bridges of {} GPUs: {} to one of them; the others "
                                           "over the host",
                                           c.gpu.scale_up_domain, rate_text(o.scale_up_pair)));
  }
  if (c.gpu.scale_up == catalog::ScaleUpKind::Pcie) {
    return page + labelled("", fmt::format("over the host, {} of a GPU to all others together",
                                           rate_text(o.scale_up_all)));
  }
  return page + labelled("", fmt::format("a GPU reaches {} to all others at once, {} to one; {} "
                                         "domain{} of {} GPUs",
                                         rate_text(o.scale_up_all), rate_text(o.scale_up_pair),
                                         count_text(o.domains), o.domains == 1 ? "" : "s",
                                         o.gpus_per_domain));
}

std::string scale_out_lines(const Topology& t, const Overview& o) {
  const topology::Cluster& c = t.cluster();
  if (o.nics == 0) return labelled("scale-out", "none");
  std::string page = labelled("scale-out", peak(c.nic));
  page +=
      labelled("", fmt::format("{} of {} a node, {} per GPU while all send; GPU to NIC over {}",
                               counted(c.nics_per_node, "port", "ports"),
                               rate_text(c.nic.bandwidth), rate_text(o.scale_out), c.pcie.name));
  if (o.leaf_up > BytesPerSecond{}) {
    page +=
        labelled("", fmt::format("a full leaf: {} down, {} up, oversubscription {}:1; {} per "
                                 "switch",
                                 rate_text(o.leaf_down), rate_text(o.leaf_up),
                                 number_text(o.oversubscription(), 3), micros(c.switch_latency)));
  } else {
    page += labelled("", fmt::format("a full leaf: {} down, no uplinks; {} per switch",
                                     rate_text(o.leaf_down), micros(c.switch_latency)));
  }
  return page;
}

std::string degraded_lines(const Topology& t, const Overview& o) {
  std::string page;
  for (const topology::DegradedLink& d : t.cluster().degraded) {
    page += labelled(page.empty() ? "degraded" : "",
                     d.share > 0.0 ? fmt::format("{} at {} of its rate", d.link, d.share)
                                   : fmt::format("{} is down", d.link));
  }
  if (o.down > 0) {
    page += labelled("", fmt::format("{} of {} directed links are down", o.down, o.links));
  }
  return page;
}

void write_counts(const Topology& t, const Overview& o, proto::FabricCounts& out) {
  const auto narrow = [](std::int64_t count) { return static_cast<std::int32_t>(count); };
  out.set_gpus(narrow(o.gpus));
  out.set_nodes(narrow(o.nodes));
  out.set_gpus_per_node(narrow(t.cluster().gpus_per_node));
  out.set_scale_up_domains(narrow(o.domains));
  out.set_gpus_per_scale_up_domain(narrow(o.gpus_per_domain));
  out.set_nics(narrow(o.nics));
  out.set_nic_ports(narrow(o.ports));
  out.set_leaves(narrow(o.leaves));
  out.set_spines(narrow(o.spines));
  out.set_links(narrow(o.links));
  out.set_links_down(narrow(o.down));
}

double per_gpu(const Overview& o) {
  if (o.bisection_gpus == 0) return 0.0;
  return o.bisection / 1.0_GBps / static_cast<double>(o.bisection_gpus);
}

void write_rates(const Overview& o, proto::FabricRates& out) {
  const auto rate = [](BytesPerSecond value) { return rounded(value / 1.0_GBps); };
  out.set_scale_up_gb_per_s(rate(o.scale_up_all));
  out.set_scale_up_pair_gb_per_s(rate(o.scale_up_pair));
  out.set_scale_out_gb_per_s(rate(o.scale_out));
  out.set_nic_gb_per_s(rate(o.nic));
  out.set_leaf_down_gb_per_s(rate(o.leaf_down));
  out.set_leaf_up_gb_per_s(rate(o.leaf_up));
  out.set_oversubscription(rounded(o.oversubscription()));
  out.set_bisection_gb_per_s(rate(o.bisection));
  out.set_bisection_gb_per_s_per_gpu(rounded(per_gpu(o)));
}

}  // namespace

std::string wiring_words(topology::ScaleOut wiring) {
  switch (wiring) {
    case topology::ScaleOut::None:
      return "none";
    case topology::ScaleOut::Rail:
      return "rail";
    case topology::ScaleOut::LeafSpine:
      return "leaf-spine";
    case topology::ScaleOut::RailOnly:
      return "rail-only";
  }
  return "none";
}

std::string rate_text(BytesPerSecond rate) { return number_text(rate / 1.0_GBps, 4) + " GB/s"; }

std::string link_text(const Topology& t, LinkId link) {
  const topology::Link& l = t.links()[link.index()];
  return t.vertices()[static_cast<std::size_t>(l.from)].name + " -> " +
         t.vertices()[static_cast<std::size_t>(l.to)].name;
}

std::string fabric_text(const FabricSubject& subject, const Topology& t) {
  const Overview o = topology::overview(t);
  const topology::Cluster& c = t.cluster();
  std::string page = subject.name + "\n";
  for (const std::string& line : wrapped(subject.description, kPageWidth)) {
    if (!line.empty()) page += line + "\n";
  }
  page += "\n" + node_drawing(t) + network_drawing(t) + "\n";
  page += labelled("cluster",
                   fmt::format("{} {} in {} of {}; {}, {}, {}, {}", count_text(o.gpus), c.gpu.name,
                               counted(o.nodes, "node", "nodes"), c.gpus_per_node,
                               counted(o.nics, "NIC", "NICs"), counted(o.leaves, "leaf", "leaves"),
                               counted(o.spines, "spine", "spines"),
                               counted(o.links, "directed link", "directed links")));
  page += scale_up_lines(t, o) + scale_out_lines(t, o);
  if (o.gpus > 1) {
    page +=
        labelled("bisection", fmt::format("{} each way between {} GPUs and the rest: {} per GPU",
                                          rate_text(o.bisection), count_text(o.bisection_gpus),
                                          number_text(per_gpu(o), 4) + " GB/s"));
    page +=
        labelled("farthest",
                 fmt::format("{} to {}: {}, {}, narrowest {} at {}", name_of(t, o.longest_from),
                             name_of(t, o.longest_to), micros(o.longest.latency),
                             counted(static_cast<std::int64_t>(o.longest.hops), "hop", "hops"),
                             link_text(t, o.longest.bottleneck), rate_text(o.longest.bandwidth)));
    if (c.gpus_per_node > 1) {
      page += labelled("", fmt::format("inside a node: {}", micros(o.near)));
    }
  }
  page += degraded_lines(t, o);
  if (!subject.source.empty()) page += labelled("source", subject.source);
  for (const std::string& note : subject.notes) page += labelled("note", note);
  return page;
}

std::string fabric_json(const FabricSubject& subject, const Topology& t,
                        const serving::RunResult* run) {
  const Overview o = topology::overview(t);
  proto::FabricReport report;
  report.set_name(subject.name);
  report.set_description(subject.description);
  report.set_source(subject.source);
  for (const std::string& note : subject.notes) report.add_notes(note);
  report.set_gpu(t.cluster().gpu.name);
  report.set_wiring(wiring_words(t.cluster().scale_out));
  write_counts(t, o, *report.mutable_counts());
  write_rates(o, *report.mutable_rates());
  report.set_near_latency_us(rounded(o.near / 1.0_us));
  if (o.longest.hops > 0) {
    proto::FabricPath& path = *report.mutable_longest_path();
    path.set_from(name_of(t, o.longest_from));
    path.set_to(name_of(t, o.longest_to));
    path.set_hops(static_cast<std::int32_t>(o.longest.hops));
    path.set_latency_us(rounded(o.longest.latency / 1.0_us));
    path.set_gb_per_s(rounded(o.longest.bandwidth / 1.0_GBps));
    path.set_narrowest(link_text(t, o.longest.bottleneck));
  }
  for (const topology::DegradedLink& d : t.cluster().degraded) {
    proto::FabricDegradedLink& out = *report.add_degraded();
    out.set_link(d.link);
    out.set_share(rounded(d.share));
  }
  if (run != nullptr) {
    constexpr std::size_t kAll = 10;
    write_use(run->fabric, run->time, kAll, *report.mutable_use());
  }
  return message_json(report);
}

}  // namespace moesim::report
