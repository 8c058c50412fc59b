// Connections without sockets, over handlers that end requests when the seed says so. What goes into one is known, so
// every byte that comes out of it is, too. Beside them frames and batches whose counts, tags and sizes lie.
//
//   client ─► pieces ─► KafkaConnection ─► handler ─ ─ ─► reply, made of the request's own frame ─► pieces ─► client
#include "wire_row.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "env/seeded_random.h"
#include "kafka/message.h"
#include "kafka/messages/metadata.h"
#include "record/compressor.h"
#include "server/fake_turn_loop.h"
#include "server/kafka/kafka_connection.h"

namespace millrace::sim {
namespace {

constexpr int kSteps = 400;
constexpr std::size_t kClients = 3;
constexpr std::int16_t kProduce = 0, kMetadata = 3;
constexpr std::uint64_t kBudget = 1 << 20;
constexpr std::size_t kHeadBytes = 8;          // of a request: API, version, correlation id
constexpr std::size_t kFrameSlack = 64 << 10;  // what a decoder may hold beside four times the frame

/// One client's end. What it sent and what it must be answered, byte for byte.
struct WireClient {
  std::shared_ptr<KafkaConnection> connection;
  std::string to_send;   // of the stream of requests, what did not go yet
  std::string expected;  // of the stream of replies, what did not come yet
};

class WireWorld {
 public:
  WireWorld(std::uint64_t seed, Report& report) : report_(report), random_(SeededRandom::Mix(seed)) {
    for (WireClient& client : clients_) Connect(client);
  }
  ~WireWorld() {
    for (WireClient& client : clients_)
      if (client.connection != nullptr) client.connection->Abandon();
    open_.clear();
  }
  WireWorld(const WireWorld&) = delete;
  WireWorld& operator=(const WireWorld&) = delete;

  void Run() {
    for (int i = 0; i < kSteps && !report_.enough(); ++i) Step();
    for (int i = 0; i < 10'000 && !report_.enough() && !Quiet(); ++i) {
      for (WireClient& client : clients_) {
        Send(client);
        Receive(client);
      }
      EndOne();
    }
    if (report_.enough()) return;
    report_.Expect(Quiet(), "not-live", "a request is never answered");
    for (WireClient& client : clients_) {
      client.connection->Abandon();
      client.connection.reset();
    }
    report_.Expect(in_flight_.taken() == 0, "budget-leak", fmt::format("{} bytes", in_flight_.taken()));
    report_.Fired("drained");
  }

 private:
  void Connect(WireClient& client) {
    client = {};
    client.connection = std::make_shared<KafkaConnection>(
        loop_, frames_, in_flight_, ConnectionLimits{.request_bytes_max = 256 << 10, .bytes_max = 256 << 10},
        [this](const std::shared_ptr<KafkaRequest>& request) { Handle(request); }, "sim");
  }

  void Step() {
    WireClient& client = clients_[random_.Below(kClients)];
    const std::uint64_t dice = random_.Below(100);
    if (dice < 30) {
      Ask(client);
    } else if (dice < 55) {
      Send(client);
    } else if (dice < 75) {
      EndOne();
    } else if (dice < 98) {
      Receive(client);
    } else {
      report_.Fired("abandoned");
      client.connection->Abandon();
      std::erase_if(open_, [](const auto& request) { return request.use_count() == 1; });
      Connect(client);
    }
  }

  /// Requests of which the reply is known: their frame without its head, or nothing.
  void Ask(WireClient& client) {
    const std::int16_t api = random_.OneIn(5) ? kMetadata : kProduce;
    const auto version = static_cast<std::int16_t>(random_.OneIn(8) ? 1 : 0);  // 1: no reply is wanted
    std::string body(random_.Below(random_.OneIn(3) ? 20'000 : 300), '\0');
    const std::uint64_t salt = random_.Next();
    for (std::size_t i = 0; i < body.size(); ++i)
      body[i] = static_cast<char>(SeededRandom::Mix(salt + i / 8) >> (i % 8 * 8));
    std::array<std::byte, 4 + kHeadBytes> head;
    PutBe(head.data(), static_cast<std::int32_t>(kHeadBytes + body.size()));
    PutBe(head.data() + 4, api);
    PutBe(head.data() + 6, version);
    PutBe(head.data() + 8, ++asked_);
    client.to_send.append(AsText(head));
    client.to_send.append(body);
    report_.Fired("asked");
    if (version == 1) return;
    PutBe(head.data(), static_cast<std::int32_t>(4 + body.size()));
    client.expected.append(AsText(std::span(head).first(4)));
    client.expected.append(AsText(std::span(head).subspan(8)));
    client.expected.append(body);
  }

  void Send(WireClient& client) {
    const std::span<std::byte> room = client.connection->Room();
    if (room.empty()) {
      report_.Fired("no-room", client.to_send.empty() ? 0 : 1);
      return;
    }
    const std::size_t count = std::min({room.size(), client.to_send.size(), std::size_t{1} + random_.Below(9'000)});
    if (count == 0) return;
    std::memcpy(room.data(), client.to_send.data(), count);
    client.to_send.erase(0, count);
    client.connection->Received(count);
    report_.Expect(in_flight_.taken() <= kBudget, "budget-exceeded", fmt::format("{} bytes", in_flight_.taken()));
  }

  void Handle(const std::shared_ptr<KafkaRequest>& request) {
    const std::span<const std::byte> frame = request->frame().bytes;
    request->api_key = GetBe<std::int16_t>(frame.data());
    request->api_version = GetBe<std::int16_t>(frame.data() + 2);
    request->correlation_id = GetBe<std::int32_t>(frame.data() + 4);
    if (random_.OneIn(4)) return End(request);  // at once
    open_.push_back(request);
    if (request->api_key == kProduce) {
      report_.Fired("overlapped", open_.size() > 1 ? 1 : 0);
      request->LetOverlap();
    }
  }

  /// One of those that wait, whichever.
  void EndOne() {
    if (open_.empty()) return;
    const std::size_t index = random_.Below(open_.size());
    report_.Fired("ended-out-of-order", index > 0 ? 1 : 0);
    const std::shared_ptr<KafkaRequest> request = open_[index];
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
    End(request);
  }

  void End(const std::shared_ptr<KafkaRequest>& request) {
    if (request->api_version == 1) return request->EndWithoutReply();
    const FrameMemory& frame = request->frame();
    const std::span<const std::byte> body = std::span<const std::byte>(frame.bytes).subspan(kHeadBytes);
    std::array<std::byte, 8> head;
    PutBe(head.data(), static_cast<std::int32_t>(4 + body.size()));
    PutBe(head.data() + 4, request->correlation_id);
    kafka::WireSlices reply;
    reply.push_back(SharedBytes::Copy(head));
    if (!body.empty()) reply.push_back({frame.owner, body});
    request->Reply(std::move(reply));
  }

  /// As much as the socket takes.
  void Receive(WireClient& client) {
    std::array<iovec, 4> pieces;
    OutboundBytes& outbound = client.connection->outbound();
    const std::size_t count = outbound.Gather(pieces);
    std::size_t wanted = 1 + random_.Below(30'000), came = 0;
    for (std::size_t i = 0; i < count && wanted > 0; ++i) {
      const std::size_t size = std::min(pieces[i].iov_len, wanted);
      const std::string_view bytes(static_cast<const char*>(pieces[i].iov_base), size);
      const bool right = client.expected.compare(came, size, bytes) == 0;
      if (!report_.Expect(right, "wrong-reply", "a client gets bytes that are not the reply to its next request"))
        return;
      came += size;
      wanted -= size;
    }
    if (came == 0) return;
    outbound.Written(came);
    client.expected.erase(0, came);
    report_.Fired("replied");
    client.connection->GoOn();
  }

  [[nodiscard]] bool Quiet() const {
    return open_.empty() && std::ranges::all_of(clients_, [](const WireClient& client) {
             return client.to_send.empty() && client.expected.empty() && !client.connection->busy();
           });
  }

  Report& report_;
  SeededRandom random_;
  FakeTurnLoop loop_;
  FramePool frames_{4 << 20};
  ByteBudget in_flight_{kBudget};
  std::array<WireClient, kClients> clients_;
  std::deque<std::shared_ptr<KafkaRequest>> open_;  // handled, without an end
  std::int32_t asked_ = 0;
};

// What lies.

void PutVarint(std::string& text, std::uint32_t number) {
  for (; number > 0x7f; number >>= 7) text += static_cast<char>((number & 0x7f) | 0x80);
  text += static_cast<char>(number);
}

void JudgeFrame(std::string_view frame, std::int16_t version, std::string_view what, Report& report) {
  kafka::Arena arena;
  kafka::WireReader in(AsBytes(frame), arena);
  (void)kafka::Decode<kafka::MetadataRequest>(in, version);
  report.Expect(arena.held_bytes() <= 4 * frame.size() + kFrameSlack, "memory-beyond-bytes",
                fmt::format("{}: {} bytes hold {}", what, frame.size(), arena.held_bytes()));
  report.Fired(what);
}

void JudgeLies(SeededRandom& random, Report& report) {
  // Topics that are not there, by a count up to a million.
  std::string counts;
  const auto count = static_cast<std::uint32_t>(100'000 + random.Below(900'000));
  std::array<std::byte, 4> number;
  PutBe(number.data(), static_cast<std::int32_t>(count));
  counts.append(AsText(number));
  counts.append(random.Below(200), '\0');
  JudgeFrame(counts, 4, "count-lies", report);
  std::string compact;
  PutVarint(compact, count);
  compact.append(random.Below(200), '\0');
  JudgeFrame(compact, 9, "compact-count-lies", report);
  // No topics, and tags that nobody knows, as many as fit.
  std::string tags;
  PutVarint(tags, 0);    // null
  tags.append(2, '\0');  // flags of v11
  const std::uint32_t unknown = 20'000 + static_cast<std::uint32_t>(random.Below(20'000));
  PutVarint(tags, unknown);
  for (std::uint32_t i = 0; i < unknown; ++i) {
    PutVarint(tags, 100 + i % 1'000);
    PutVarint(tags, 0);
  }
  JudgeFrame(tags, 11, "tags-flood", report);
}

void JudgeBombs(SeededRandom& random, Report& report) {
  const std::vector<std::byte> raw((1 << 20) + random.Below(1 << 20));
  const std::size_t cap = 1'000 + random.Below(100'000);
  for (const Compression codec : {Compression::kGzip, Compression::kSnappy, Compression::kLz4, Compression::kZstd}) {
    const auto bomb = Compress(codec, raw);
    if (!bomb) return report.Fail("unexpected-error", bomb.error().ToString());
    const auto inflated = Inflate(codec, *bomb, cap);
    const std::size_t held = inflated ? inflated->size() : 0;
    report.Expect(held <= cap, "memory-beyond-cap",
                  fmt::format("codec {} made {} bytes of at most {}", static_cast<int>(codec), held, cap));
    report.Fired("bomb");
  }
}

}  // namespace

void RunWire(std::uint64_t seed, Report& report) {
  WireWorld(seed, report).Run();
  SeededRandom random(SeededRandom::Mix(seed + 1));
  JudgeLies(random, report);
  if (seed % 8 == 1) JudgeBombs(random, report);
}

}  // namespace millrace::sim
