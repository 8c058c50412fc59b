// The one binary.
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/program.h"

int main(int argc, char** argv) {
  millrace::FillStandardDescriptors();
  millrace::InstallSignalActions();
  millrace::Output out(STDOUT_FILENO), err(STDERR_FILENO);
  err.LineByLine();
  std::vector<std::string> words(argv + 1, argv + argc);
  return static_cast<int>(millrace::RunProgram(words, out, err));
}
