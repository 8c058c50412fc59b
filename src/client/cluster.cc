#include "client/cluster.h"

#include <fmt/format.h>

#include <vector>

#include "base/try.h"
#include "client/partition_name.h"
#include "client/refusal.h"

namespace millrace::client {
namespace {

using kafka::MetadataRequest;
using kafka::MetadataResponse;

// From 4 on a question creates no topic unless it says so; up to 12, all that the table here shares with servers today.
constexpr kafka::VersionRange kMetadataVersions{4, 12};

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::Open(const ClusterOptions& options, const Alarm& stop) {
  std::unique_ptr<Cluster> cluster(new Cluster(options, stop));
  MR_ASSIGN_OR_RETURN(cluster->first_, cluster->Connect(options.address));
  return cluster;
}

Result<std::unique_ptr<Connection>> Cluster::Connect(const Address& address) const {
  return Connection::Open(address, Within(options_.connect_timeout));
}

void Cluster::Learn(const MetadataResponse& metadata) {
  std::map<std::int32_t, Address> nodes;
  for (const MetadataResponse::Broker& broker : metadata.brokers) {
    if (broker.port < 1 || broker.port > UINT16_MAX || broker.host.empty()) continue;  // cannot be connected to
    nodes[broker.node_id] = {std::string(broker.host), static_cast<std::uint16_t>(broker.port)};
  }
  nodes_ = std::move(nodes);
  controller_ = metadata.controller_id;
  for (const MetadataResponse::Topic& topic : metadata.topics) {
    if (topic.error_code != 0 || !topic.name) continue;
    for (const MetadataResponse::Partition& partition : topic.partitions) {
      const TopicPartition name{std::string(*topic.name), PartitionId(partition.partition_index)};
      if (partition.error_code == 0 && nodes_.contains(partition.leader_id)) {
        leaders_[name] = partition.leader_id;
      } else {
        leaders_.erase(name);
      }
    }
  }
}

Result<Cluster::Metadata> Cluster::AskMetadata(std::optional<std::span<const std::string>> topics) {
  MR_ASSIGN_OR_RETURN(const ConnectionRef node, AnyNode());
  std::vector<MetadataRequest::Topic> asked;
  MetadataRequest request;
  if (topics) {
    for (const std::string& name : *topics) asked.push_back({.name = name});
    request.topics = kafka::Array<MetadataRequest::Topic>(asked);
  } else {
    request.topics = std::nullopt;
  }
  request.allow_auto_topic_creation = false;
  MR_ASSIGN_OR_RETURN(Metadata metadata, node->Call<MetadataResponse>(request, kMetadataVersions, AnswerTime()));
  Learn(metadata.body);
  return metadata;
}

Result<std::int32_t> Cluster::LeaderOf(const TopicPartition& partition) {
  if (const auto known = leaders_.find(partition); known != leaders_.end()) return known->second;
  MR_ASSIGN_OR_RETURN(const Metadata metadata, AskMetadata(std::span(&partition.topic, 1)));
  if (const auto known = leaders_.find(partition); known != leaders_.end()) return known->second;
  const std::string name = PartitionName(partition);
  for (const MetadataResponse::Topic& topic : metadata->topics) {
    if (topic.name.value_or("") != partition.topic) continue;
    if (topic.error_code == kafka::code::kUnknownTopicOrPartition)
      return Error(ErrorCode::kNotFound, fmt::format("there is no topic {}", partition.topic));
    if (topic.error_code != 0) return Refusal(topic.error_code, name);
    for (const MetadataResponse::Partition& one : topic.partitions) {
      if (one.partition_index != partition.partition.value()) continue;
      return Refusal(one.error_code != 0 ? one.error_code : kafka::code::kLeaderNotAvailable, name);
    }
  }
  return Error(ErrorCode::kNotFound, fmt::format("there is no partition {}", name));
}

Result<ConnectionRef> Cluster::Node(std::int32_t id) {
  const auto address = nodes_.find(id);
  if (address == nodes_.end())
    return Error(ErrorCode::kUnavailable, fmt::format("the server names a node {} that it does not tell of", id));
  if (first_ != nullptr && !first_->broken() && first_->address() == address->second) return first_;
  ConnectionRef& connection = connections_[id];
  if (connection != nullptr && !connection->broken() && connection->address() == address->second) return connection;
  auto made = Connect(address->second);
  if (!made) {
    if (address->second == options_.address || made.error().code() == ErrorCode::kClosed) return made.error();
    return made.error().WithHint(fmt::format(
        "{} says that node {} is reached there: see its `--advertise` (advertised.listeners, for Apache Kafka).",
        options_.address.Text(), id));
  }
  connection = *std::move(made);
  return connection;
}

std::vector<std::int32_t> Cluster::NodeIds() const {
  std::vector<std::int32_t> ids;
  for (const auto& [id, address] : nodes_) ids.push_back(id);
  return ids;
}

Result<ConnectionRef> Cluster::LeaderConnection(const TopicPartition& partition) {
  MR_ASSIGN_OR_RETURN(const std::int32_t leader, LeaderOf(partition));
  auto node = Node(leader);
  // It may be another one by the time that there is a next attempt.
  if (!node) Forget(partition);
  return node;
}

Result<ConnectionRef> Cluster::Controller() {
  if (controller_ == kNone) MR_TRY(AskMetadata(std::span<const std::string>()));
  if (controller_ == kNone) return AnyNode();
  auto node = Node(controller_);
  if (node && (*node)->HasEnded()) node = Node(controller_);  // a change is not to be lost in what was idle for long
  if (!node) ForgetController();
  return node;
}

Result<ConnectionRef> Cluster::AnyNode() {
  if (first_ != nullptr && !first_->broken()) return first_;
  for (const auto& [id, connection] : connections_)
    if (connection != nullptr && !connection->broken()) return connection;
  auto again = Connect(options_.address);
  if (again) {
    first_ = *std::move(again);
    return first_;
  }
  for (const auto& [id, address] : nodes_) {
    if (address == options_.address) continue;
    if (auto node = Node(id)) return node;
  }
  return again.error();
}

}  // namespace millrace::client
