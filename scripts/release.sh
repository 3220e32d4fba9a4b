#!/usr/bin/env bash
# release.sh VERSION makes a release in a temporary clone, and fetches each module of it as a user would: a dry run. With
# PUBLISH=yes it makes the same commit and tags here, and prints the command that pushes them; it never pushes itself.
#
# A release is one commit on main. In it every module requires this version of the main one, and the changelog has a heading
# for it; the tag of a module in DIR is DIR/VERSION. go install refuses a command whose go.mod replaces modules, and without
# replace directives main could not be built: so the tag of such a command is on a commit beside main. See CONTRIBUTING.md.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
version=${1:-}
root=github.com/lockkeeper/lockkeeper

fail() { echo "release: $*" >&2; exit 1; }

[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "want VERSION=v1.2.3, or v1.2.3-rc.1; have ${version:-none}"
[[ $version =~ ^v[01]\. ]] || fail "from v2 on the module path ends in /v2: change it first"
[ -z "$(git status --porcelain)" ] || fail "there are changes that are not committed"
[ -z "$(git tag -l "$version")" ] || fail "there is a tag $version"
awk '/^## /{n++} n == 1 && /^- /{found = 1} END {exit !found}' CHANGELOG.md || fail "CHANGELOG.md says nothing under Unreleased"

modules=()
for f in backends/*/go.mod contrib/*/go.mod cmd/*/go.mod cmd/lockkeeper/*/go.mod; do modules+=("${f%/go.mod}"); done

commit() { # in the current directory
	awk -v head="## ${version#v} ($(date -u +%F))" '{print} /^## Unreleased$/{print ""; print head}' CHANGELOG.md >CHANGELOG.new
	mv CHANGELOG.new CHANGELOG.md
	for m in "${modules[@]}"; do
		grep -q "^replace $root " "$m/go.mod" || continue # it does not use the main module
		if grep -q "^replace $root/backends/postgres " "$m/go.mod"; then # it uses that module as well
			(cd "$m" && $GO mod edit -require="$root/backends/postgres@$version")
		fi
		(cd "$m" && $GO mod edit -require="$root@$version" && $GO mod tidy && $GO build ./... && $GO vet ./...)
	done
	git commit -qam "Release $version"
	git tag -a -m "$version" "$version"
	for m in "${modules[@]}"; do
		if is_command "$m" && grep -q '^replace ' "$m/go.mod"; then
			git checkout -q --detach
			sed -i '/^replace /d' "$m/go.mod"
			git commit -qam "Release $version of $m: without replace directives, for go install"
			git tag -a -m "$m $version" "$m/$version"
			git checkout -q -
		else
			git tag -a -m "$m $version" "$m/$version"
		fi
	done
}

is_command() { [ -f "$1/main.go" ]; } # whether a module is a command

tags=("$version")
for m in "${modules[@]}"; do tags+=("$m/$version"); done

if [ "${PUBLISH:-}" = yes ]; then
	[ "$(git branch --show-current)" = main ] || fail "this is not branch main"
	commit
	printf 'made the commit and %d tags. To publish them:\n  git push --atomic origin main %s\n' "${#tags[@]}" "${tags[*]}"
	exit
fi

temp=$(mktemp -d)
trap 'chmod -R u+w "$temp" && rm -rf "$temp"' EXIT
git clone -q . "$temp/repository"
(cd "$temp/repository" && commit)

# A module that uses all of them, fetched from the clone in place of the server.
cat >"$temp/gitconfig" <<EOF
[url "file://$temp/repository"]
	insteadOf = https://$root
EOF
mkdir "$temp/user"
cd "$temp/user"
known=file://$($GO env GOMODCACHE)/cache/download # others' modules are mostly here already
GOPROXY=$known,$($GO env GOPROXY)
export GOPROXY GIT_CONFIG_GLOBAL=$temp/gitconfig GOFLAGS=-modcacherw GONOPROXY=$root,$root/* GONOSUMDB=$root,$root/* GOMODCACHE=$temp/modules GOWORK=off
$GO mod init example.com/user 2>/dev/null
$GO get "$root/manager@$version"
for m in "${modules[@]}"; do
	$GO get "$root/$m/...@$version" # with what its packages need, those for its tests included
	$GO build "$root/$m/..."
	echo "fetched and built $root/$m@$version"
done
for m in cmd/lockkeeper "${modules[@]}"; do
	is_command "$temp/repository/$m" || continue
	GOBIN=$temp/bin $GO install "$root/$m@$version"
	echo "installed $root/$m@$version"
done
echo "dry run: nothing was changed here. Tags: ${tags[*]}"
