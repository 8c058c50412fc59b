// The score of the planted bugs: each mistake switched on alone must be caught by the row it names, by the property it
// breaks. A crash of the program does not count as caught.
#pragma once

namespace millrace::sim {

/// Prints one line a bug and `score: N/N`. True: all caught, at least 25 planted, and the control run was clean. Always
/// false in a build without planted bugs.
bool ScorePlantedBugs();

}  // namespace millrace::sim
