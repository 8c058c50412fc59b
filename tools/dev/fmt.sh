# ./dev fmt
#
# Formats every C++ file of the tree in place with clang-format-19.

run_verb() { git ls-files -z '*.h' '*.cc' | xargs -0 clang-format-19 -i && git status --short; }
