#!/usr/bin/env bash
# Builds hosts of earlier versions from this repository's own history, lets each write a data folder, and opens it with the present one: nothing may be lost.
#   tests/older-data.sh            the versions below
#   tests/older-data.sh REV…       others
# Every clone works that has the history; each version takes a minute.
set -eu
cd "$(dirname "$0")/.."
# One for each stage of the stored data: the demo; the outbox; the first backups; jobs; identity and limits; pages of 16 KB, months and summaries.
[ $# -gt 0 ] || set -- 7833298 09e2228 812cfa6 aebcfd5 2fba3d3 e510c3d
scratch=$(mktemp -d)
cleanup() { for rev in "${built[@]}"; do git worktree remove --force "$scratch/$rev" || true; done; rm -rf "$scratch"; }
built=()
trap cleanup EXIT
hosts=
for rev in "$@"; do
  git worktree add --quiet --detach "$scratch/$rev" "$rev"
  built+=("$rev")
  (cd "$scratch/$rev" && dotnet build local -v q -o "$scratch/$rev/out") || { echo "The version $rev cannot be built."; exit 1; }
  hosts="$hosts;$scratch/$rev/out/RetentionFunctions.Local.dll"
done
OLDER_HOSTS=${hosts#;} dotnet test tests/RetentionFunctions.Torture --filter FullyQualifiedName~OlderFolder --logger "console;verbosity=detailed"
