#!/usr/bin/env bash
# setup.sh [DIR]: installs what `hearth bench` compares Hearth with. Finished parts are
# left as they are. DIR is peers in $HEARTH_HOME (~/.hearth) unless given.
#
# Needs python3 with its venv module; versitygw, for the figure "objects", also Go.
set -euo pipefail

root=${1:-${HEARTH_HOME:-$HOME/.hearth}/peers}
mkdir -p "$root"
root=$(cd "$root" && pwd)

# environment NAME PACKAGE...: a Python environment of its own
environment() {
	local name=$1
	shift
	[[ -e $root/$name/complete ]] && return
	echo "installing $*" >&2
	rm -rf "${root:?}/$name"
	python3 -m venv "$root/$name"
	"$root/$name/bin/pip" install --quiet --disable-pip-version-check "$@"
	touch "$root/$name/complete"
}

environment moto 'moto[server]==5.2.1'
environment jupyter 'jupyter_kernel_gateway==3.0.1'

if [[ ! -e $root/bin/versitygw ]]; then
	if command -v go >/dev/null; then
		echo 'installing versitygw' >&2
		GOBIN=$root/bin go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
	else
		echo 'versitygw is left out: it needs Go' >&2
	fi
fi

echo "ready: $root" >&2
