# ./dev fmt
#
# Formats every C++ file of the tree in place with clang-format-19, and wraps the lines of its documentation.

run_verb() {
  cpp_files | xargs -0 clang-format-19 -i
  python3 tools/wrap_docs.py --write
}
