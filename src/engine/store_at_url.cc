#include "engine/store_at_url.h"

#include <utility>

#include "base/try.h"
#include "engine/data_layout.h"
#include "store/open_object_store.h"
#include "store/retrying_object_store.h"

namespace millrace {

Result<StoreAtUrl> OpenStoreAtUrl(const std::string& url, const std::string& name_space) {
  if (url == "file:" || url == "memory:")
    return Error(ErrorCode::kInvalidArgument, url + " is no place of its own", "name it as file:///PATH");
  EngineOptions options;
  options.data_dir = "/";  // names nothing that is looked at
  options.name_space = name_space;
  StoreAtUrl place{
      .key_prefix = DataLayout::Of(options).key_prefix, .machine = Components::Machine(options), .objects = nullptr};
  const Components& machine = place.machine;
  MR_ASSIGN_OR_RETURN(auto store,
                      OpenObjectStore(url, options.data_dir, *machine.file_system, *machine.clock, *machine.random));
  place.objects =
      std::make_unique<RetryingObjectStore>(std::move(store), RetryOptions{}, *machine.clock, *machine.random);
  return place;
}

}  // namespace millrace
