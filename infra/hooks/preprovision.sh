#!/bin/sh
# Azure refuses to change the first month of a budget: it is noted once, in the environment of azd.
set -eu
[ -n "${BUDGET_START:-}" ] || azd env set BUDGET_START "$(date -u +%Y-%m-01)"
