# Azure refuses to change the first month of a budget: it is noted once, in the environment of azd.
$ErrorActionPreference = 'Stop'
if (-not $env:BUDGET_START) { azd env set BUDGET_START ([DateTime]::UtcNow.ToString('yyyy-MM-01')) }
