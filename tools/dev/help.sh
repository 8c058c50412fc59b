# ./dev help [VERB]
#
# Lists the verbs, or explains one.

run_verb() {
  if [[ -n ${1:-} ]]; then
    [[ -e tools/dev/$1.sh && $1 != ground ]] || fail "there is no verb '$1'" 2
    print_help "$1"
    return
  fi
  echo "usage: ./dev VERB [--help]"
  local verb
  for verb in setup build demo test unit check bench sim soak fuzz mutants fmt install help; do
    printf '  %-8s %s\n' "$verb" "$(print_help "$verb" | sed -n 3p)"
  done
}
