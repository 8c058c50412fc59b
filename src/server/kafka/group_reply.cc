#include "server/kafka/group_reply.h"

namespace millrace {

std::string ClientHost(KafkaRequest& request) {
  std::string_view peer = request.client().peer;
  if (const std::size_t colon = peer.rfind(':'); colon != std::string_view::npos) peer = peer.substr(0, colon);
  if (peer.starts_with('[') && peer.ends_with(']')) peer = peer.substr(1, peer.size() - 2);
  return "/" + std::string(peer);
}

}  // namespace millrace
