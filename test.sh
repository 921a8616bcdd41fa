#!/usr/bin/env bash
# Restores, builds and tests everything. Needs the .NET 10 SDK; with Node.js it also tests with Segment's own SDK and Azure's emulator of tables, with chromium in a real browser.
# Projects whose packages this machine's feed lacks, and tests whose tools it lacks, are left out and said; REQUIRE_ALL=1 makes that a failure.
# The last line is "N passed, N failed" or "N passed, N failed, N skipped"; the exit code is 0 only if something ran and nothing failed.
set -u
cd "$(dirname "$0")" || exit 1
# Messages are read below, so they must be English whatever the machine speaks.
export DOTNET_CLI_UI_LANGUAGE=en DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 MSBUILDDISABLENODEREUSE=1

solution=RetentionFunctions.sln
results=TestResults
rm -rf "$results" && mkdir -p "$results" || exit 1

say() { printf '%s\n' "$*"; }
lacking() { # a tool is missing: its tests are skipped, unless everything is required
  [ -z "${REQUIRE_ALL:-}" ] || give_up "$* REQUIRE_ALL is set."
  say "$*"
}
give_up() { # nothing could run: that counts as one failure
  say "$*"
  say "0 passed, 1 failed"
  exit 1
}

command -v dotnet >/dev/null 2>&1 || give_up "There is no 'dotnet'. Install the .NET 10 SDK: https://dotnet.microsoft.com/download"

errors_of() { # the errors of a build log, each once, with paths from here
  sed -n 's/^[[:space:]]*\(.*error [A-Z][A-Za-z]*[0-9]*:.*\)$/\1/p' "$1" | sed "s|$PWD/||g; s/ \[[^]]*\]\$//" | sort -u
}

pin_of() { sed -n "s/.*<PackageVersion Include=\"$1\" Version=\"\[\{0,1\}\([^]\"]*\)\]\{0,1\}\".*/\1/p" Directory.Packages.props | head -n 1; }

listed() { # id, version: in restore-exceptions.txt; there '*' stands for a version that another package chose, never for a pin of ours
  awk -v id="$1" -v version="$2" -v pin="$(pin_of "$1")" '
    !/^#/ && NF >= 3 && tolower($2) == tolower(id) && (($3 == "*" && pin == "") || $3 == version) { found = 1 } END { exit !found }' restore-exceptions.txt
}

listed_on() { awk -v id="$1" '!/^#/ && tolower($2) == tolower(id) { print $1; exit }' restore-exceptions.txt; } # a package: since when, whatever the version

# A restore error that restore-exceptions.txt explains: for a listed package in the listed version, NU1101 (no such package here), NU1102 (not in this version)
# and NU1603, which is the same lack where the feed has a later version; also of what a listed package asks for: it is as good as lacking then.
# NU1101 does not say which version was asked for: there the pin says it, so that a mistyped one is told here too.
explained() { # one error line
  local id
  case $1 in
    *"error NU1102: "*" - Found "*) return 0 ;; # the second line of an NU1102: what the feed has instead
    *"error NU1101:"*)
      id=$(printf '%s\n' "$1" | sed -n 's/.*Unable to find package \([^ ]*\)\. .*/\1/p')
      listed "$id" "$(pin_of "$id")" ;;
    *"error NU1102:"*)
      id=$(printf '%s\n' "$1" | sed -n 's/.*Unable to find package \([^ ]*\) with version.*/\1/p')
      listed "$id" "$(printf '%s\n' "$1" | sed -n 's/.*with version ([>=[:space:][]*\([^],) ]*\).*/\1/p')" ;;
    *"error NU1603:"*" was not found. "*" was resolved instead."*)
      id=$(printf '%s\n' "$1" | sed -n 's/.* but \([^ ]*\) [^ ]* was not found\. .*/\1/p')
      listed "$id" "$(printf '%s\n' "$1" | sed -n 's/.* but [^ ]* \([^ ]*\) was not found\. .*/\1/p')" && return 0
      # Who asks: a package and its version, or a project of ours without one.
      [ -n "$(listed_on "$(printf '%s\n' "$1" | sed -n 's/.*error NU1603: \(Warning As Error: \)\{0,1\}\([^ ]*\) [^ ]* depends on .*/\2/p')")" ] ;;
    *) return 1 ;;
  esac
}

left_out="" # projects, one a line
restore() { # a solution or project; 0 restored, 1 failed, 2 failed for listed packages only
  local log="$results/restore.log" error
  dotnet restore "$1" -v q >"$log" 2>&1 && return 0
  errors_of "$log" >"$results/restore-errors.txt"
  if [ ! -s "$results/restore-errors.txt" ]; then cat "$log"; return 1; fi
  while IFS= read -r error; do
    explained "$error" || { say "Restore failed:"; cat "$results/restore-errors.txt"; return 1; }
  done <"$results/restore-errors.txt"
  if [ -n "${REQUIRE_ALL:-}" ]; then say "Restore failed, and REQUIRE_ALL is set:"; cat "$results/restore-errors.txt"; return 1; fi
  sed 's/ *: error .*//' "$results/restore-errors.txt" | sort -u >"$results/restore-projects.txt"
  return 2
}

tell_left_out() {
  local project
  while IFS= read -r project; do
    say "Left out: $project, because this machine's package feed lacks:"
    sed -n "s|^$project *: error [A-Z0-9]*: Unable to find package \([^ ]*[^. ]\)\.\{0,1\} .*|\1|p; s|^$project *: error NU1603: \(Warning As Error: \)\{0,1\}\([^ ]*\) .* but \([^ ]*\) [^ ]* was not found\. .*|\3 \2|p" "$results/restore-errors.txt" | sort -u | while read -r package asker; do
      if [ -n "$(listed_on "$package")" ]; then say "  $package (listed in restore-exceptions.txt on $(listed_on "$package"))"
      else say "  $package, for which $asker asks (listed in restore-exceptions.txt on $(listed_on "$asker"))"; fi
    done
    left_out="$left_out$project
"
  done <"$results/restore-projects.txt"
}

is_left_out() { printf '%s' "$left_out" | grep -qxF -- "$1"; }
in_solution() { grep -qF -- "\"$(printf '%s' "$1" | sed 's,/,\\,g')\"" "$solution"; }

build() { # a solution or project
  dotnet build "$1" --no-restore -v q >"$results/build.log" 2>&1 && return 0
  say "Build failed:"
  errors_of "$results/build.log" >"$results/build-errors.txt"
  if [ -s "$results/build-errors.txt" ]; then cat "$results/build-errors.txt"; else cat "$results/build.log"; fi
  return 1
}

find functions local shared tests -name '*.csproj' ! -path '*/bin/*' ! -path '*/obj/*' ! -path '*/node_modules/*' 2>/dev/null | sort >"$results/projects.txt"

say "Restoring and building."
target=$solution
restore "$solution"
case $? in
  1) give_up "Nothing was built." ;;
  2)
    tell_left_out
    # The rest of the solution, as a filter of it.
    target="$results/rest.slnf"
    {
      printf '{ "solution": { "path": "../%s", "projects": [' "$solution"
      separator=""
      while IFS= read -r project; do
        if in_solution "$project" && ! is_left_out "$project"; then
          printf '%s "%s"' "$separator" "$(printf '%s' "$project" | sed 's,/,\\\\,g')"
          separator=","
        fi
      done <"$results/projects.txt"
      printf ' ] } }\n'
    } >"$target"
    dotnet restore "$target" -v q >"$results/restore.log" 2>&1 || { errors_of "$results/restore.log"; give_up "Restore of the rest failed."; } ;;
esac
build "$target" || give_up "Nothing was tested."

# Projects that stand beside the solution.
while IFS= read -r project; do
  in_solution "$project" && continue
  restore "$project" </dev/null
  case $? in
    0) build "$project" </dev/null || give_up "Nothing was tested." ;;
    1) give_up "Nothing was tested." ;;
    # Errors name every project on the way to the package, so one that only refers to it is left out with it.
    2) printf '%s\n' "$project" >>"$results/restore-projects.txt"; sort -u -o "$results/restore-projects.txt" "$results/restore-projects.txt"
       while IFS= read -r other; do is_left_out "$other" || printf '%s\n' "$other"; done <"$results/restore-projects.txt" >"$results/new.txt"
       mv "$results/new.txt" "$results/restore-projects.txt"; tell_left_out ;;
  esac
done <"$results/projects.txt"

npm_ci() { # a folder, and what lies in it; 1 where that cannot be had
  if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    lacking "No Node.js here: the tests with $2 are skipped."
    return 1
  fi
  [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return 0
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error) >"$results/npm.log" 2>&1 && return 0
  if grep -qE 'EUSAGE|ETARGET|EINTEGRITY' "$results/npm.log" || [ ! -s "$results/npm.log" ]; then cat "$results/npm.log"; give_up "npm ci failed in $1."; fi
  rm -rf "$1/node_modules"
  lacking "npm could not fetch $2 ($(sed -n 's/^npm error code //p' "$results/npm.log" | head -n 1)): the tests with it are skipped."
  return 1
}

# Segment's SDK is a real client of our app-event API.
npm_ci tests/segment-client "Segment's own SDK"

# Azure's own emulator of storage; AZURITE_TABLES names another one.
if [ -z "${AZURITE_TABLES:-}" ] && ! is_left_out tests/RetentionFunctions.FunctionsTests/RetentionFunctions.FunctionsTests.csproj && npm_ci tests/azurite "Azure's emulator of storage"; then
  free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }
  tables=$(free_port) blobs=$(free_port)
  # Connections are kept open: on a busy machine it would close one at the moment at which a request comes in on it, and a write is not sent twice.
  node tests/azurite/node_modules/azurite/dist/src/azurite.js --silent --inMemoryPersistence --skipApiVersionCheck --disableTelemetry --tableKeepAliveTimeout 3600 --blobKeepAliveTimeout 3600 --tablePort "$tables" --blobPort "$blobs" --queuePort "$(free_port)" >"$results/azurite.log" 2>&1 </dev/null &
  azurite=$!
  trap 'kill "$azurite" 2>/dev/null' EXIT
  # The account and key of every Azurite, as Microsoft documents them.
  export AZURITE_TABLES="DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;TableEndpoint=http://127.0.0.1:$tables/devstoreaccount1;BlobEndpoint=http://127.0.0.1:$blobs/devstoreaccount1;"
fi

# The tests in a browser drive the machine's own chromium (Browser.cs looks in the same places); Playwright would download one, which we never do.
browser() {
  local name
  if [ -n "${CHROMIUM:-}" ]; then [ -x "$CHROMIUM" ]; return; fi
  for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v "$name" >/dev/null 2>&1 && return; done
  [ -x /snap/bin/chromium ] || [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ] || [ -x /Applications/Chromium.app/Contents/MacOS/Chromium ]
}
install_browser() { # where it costs nobody a password
  [ -z "${CHROMIUM:-}" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; }
}
if [ -d tests/RetentionFunctions.BrowserTests ] && ! browser; then
  install_browser </dev/null >"$results/browser.log" 2>&1
  browser || lacking "No chromium here: the tests in a browser are skipped. Debian: apt-get install chromium; elsewhere name one in the environment variable CHROMIUM."
fi

passed=0 failed=0 skipped=0
counter() { sed -n "s/.*<Counters .*$2=\"\([0-9]*\)\".*/\1/p" "$1" | head -n 1; }
while IFS= read -r project; do
  grep -q 'Microsoft.NET.Test.Sdk' "$project" || continue
  is_left_out "$project" && continue
  name=$(basename "$project" .csproj)
  say "Testing $name."
  dotnet test "$project" --no-build --logger "trx;LogFileName=$name.trx" --results-directory "$results" </dev/null >"$results/$name.log" 2>&1
  code=$?
  trx="$results/$name.trx"
  if [ ! -f "$trx" ]; then
    cat "$results/$name.log"
    say "The tests of $name did not run."
    failed=$((failed + 1))
    continue
  fi
  total=$(counter "$trx" total) executed=$(counter "$trx" executed) ok=$(counter "$trx" passed) bad=$(counter "$trx" failed)
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + total - executed))
  if [ "$bad" -gt 0 ]; then
    say "Failed:"
    # Each failing test with its message and place, as the runner tells it.
    sed -n '/^  Failed /,/^  *at .*:line/p' "$results/$name.log" | sed "s|$PWD/||g"
  elif [ "$code" -ne 0 ]; then
    # All that ran passed, and yet: a crash, or a run that broke off.
    tail -n 20 "$results/$name.log"
    say "The test run of $name broke off."
    failed=$((failed + 1))
  fi
done <"$results/projects.txt"

if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; then say "No test ran."; fi
if [ "$skipped" -gt 0 ]; then say "$passed passed, $failed failed, $skipped skipped"; else say "$passed passed, $failed failed"; fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
