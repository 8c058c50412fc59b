// The score of the planted bugs: each mistake switched on alone must be caught by the row it names, by the property it
// breaks. A crash of the program does not count as caught.
#pragma once

#include <string_view>

namespace millrace::sim {

/// Prints one line a bug and `score: N/N`. True: every bug of base/bugs.h is in the code, in the table and caught, and
/// the control run was clean. Always false in a build without planted bugs.
bool ScorePlantedBugs();

/// The same for one bug, by its name in the table.
bool TryPlantedBug(std::string_view name);

}  // namespace millrace::sim
