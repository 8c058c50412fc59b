# ./dev fmt
#
# Formats every C++ file of the tree in place with clang-format-19.

run_verb() { cpp_files | xargs -0 clang-format-19 -i; }
