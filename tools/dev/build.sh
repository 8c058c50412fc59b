# ./dev build [PRESET [TARGET...]]
#
# Builds a preset of CMakePresets.json (release if none is named), all of it or the targets named.
# Presets: release, debug (ASan + UBSan), tsan, fuzz, bugs (planted bugs compiled in), gcc. Results: build/PRESET/.

run_verb() { build_preset "${1:-release}" "${@:2}"; }
