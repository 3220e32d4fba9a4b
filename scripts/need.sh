#!/usr/bin/env bash
# need.sh COMMAND… makes sure that each command is there: what is missing is installed by the system's package manager,
# and the script says so before it does it. It fails when it cannot.
set -euo pipefail

package() { # the package of command $1 for package manager $2
	case "$1:$2" in
	redis-server:brew) echo redis ;;
	redis-server:apt) echo redis-server ;;
	postgres:brew) echo postgresql ;;
	postgres:apt) echo postgresql ;;
	etcd:apt) echo etcd-server ;;
	cc:brew) echo gcc ;;
	cc:apt) echo gcc libc6-dev ;;
	*) echo "$1" ;;
	esac
}

there() { # Debian keeps these off the PATH, where internal/pgtest finds them
	command -v "$1" >/dev/null && return
	case "$1" in
	postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ;;
	pgbouncer) [ -x /usr/sbin/pgbouncer ] ;;
	*) return 1 ;;
	esac
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_updated=
apt_install() {
	export DEBIAN_FRONTEND=noninteractive
	if [ -z "$apt_updated" ]; then
		as_root apt-get -qq update || echo "apt-get update failed; trying with the package lists that are there" >&2
		apt_updated=yes
	fi
	# A private server is started by each test: the distribution's own service is not wanted.
	as_root env RUNLEVEL=1 apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

for cmd in "$@"; do
	there "$cmd" && continue
	if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }; then
		read -ra packages <<<"$(package "$cmd" apt)"
		echo "$cmd is missing: installing ${packages[*]} with apt-get" >&2
		apt_install "${packages[@]}"
	elif command -v brew >/dev/null; then
		echo "$cmd is missing: installing $(package "$cmd" brew) with Homebrew" >&2
		brew install "$(package "$cmd" brew)"
	fi
	if ! there "$cmd"; then
		echo "$cmd is missing and could not be installed here: please install it, then run this again" >&2
		exit 1
	fi
done
