// What every decorator of an object store stands on: each request goes on to the store below. A decorator overrides the
// requests it changes, or `Around`, through which all the others pass, or both.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/object_store.h"

namespace millrace {

/// As safe from several threads as what is overridden. A request of many parts or keys goes on as one.
class ForwardingObjectStore : public ObjectStore {
 public:
  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override;
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override;
  Result<std::vector<SharedBytes>> GetParts(std::string_view key, std::uint64_t offset,
                                            std::span<const std::uint64_t> lengths) override;
  Result<std::vector<SharedBytes>> PrefetchParts(std::string_view key, std::uint64_t offset,
                                                 std::span<const std::uint64_t> lengths) override;
  Result<ObjectDescription> Head(std::string_view key) override;
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override;
  Result<void> Delete(std::string_view key) override;
  Result<void> DeleteMany(std::span<const std::string> keys) override;
  [[nodiscard]] std::string Describe() const override { return inner_->Describe(); }

 protected:
  explicit ForwardingObjectStore(std::shared_ptr<ObjectStore> inner) : inner_(std::move(inner)) {}

  [[nodiscard]] ObjectStore& inner() const { return *inner_; }
  [[nodiscard]] const std::shared_ptr<ObjectStore>& shared_inner() const { return inner_; }

  /// For messages: "put", "get", "head", "list", "delete", and the key, prefix or number of keys.
  struct Subject {
    std::string_view verb, name;
  };
  /// Makes `request` once, again, or not at all and returns an error. What it came to the last time is the answer,
  /// unless this returns an error.
  virtual Result<void> Around(const Subject& subject, const std::function<Result<void>()>& request);

 private:
  template <class Request>
  auto Pass(const Subject& subject, const Request& request) -> decltype(request());

  const std::shared_ptr<ObjectStore> inner_;
};

}  // namespace millrace
