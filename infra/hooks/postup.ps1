# Prints where everything is, and what only the founder can do. azd gives what infra/main.bicep put out.
$ErrorActionPreference = 'Stop'
$text = Get-Content -Raw (Join-Path $PSScriptRoot 'next-steps.txt')
foreach ($name in 'DASHBOARD_URL', 'APP_URL', 'STRIPE_WEBHOOK_URL', 'SENDGRID_WEBHOOK_URL', 'FLOWS_MODE_DEPLOYED', 'STRIPE_WEBHOOK_STATE', 'SENDGRID_WEBHOOK_STATE') {
    $text = $text.Replace("@$name@", [Environment]::GetEnvironmentVariable($name))
}
Write-Host $text
