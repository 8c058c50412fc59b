// From a frame to its handler: reads the header, and refuses what is not served.
#pragma once

#include "server/kafka/broker.h"
#include "server/kafka/handlers.h"

namespace millrace {

/// An API or a version that is not served closes the connection, as Kafka does; but for ApiVersions, which then says
/// what is.
void HandleRequest(Broker& broker, const RequestRef& request);

}  // namespace millrace
