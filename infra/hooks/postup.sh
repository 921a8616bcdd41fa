#!/bin/sh
# Prints where everything is, and what only the founder can do. azd gives what infra/main.bicep put out.
set -eu
sed -e "s|@DASHBOARD_URL@|$DASHBOARD_URL|g" \
    -e "s|@APP_URL@|$APP_URL|" \
    -e "s|@STRIPE_WEBHOOK_URL@|$STRIPE_WEBHOOK_URL|" \
    -e "s|@SENDGRID_WEBHOOK_URL@|$SENDGRID_WEBHOOK_URL|" \
    -e "s|@FLOWS_MODE_DEPLOYED@|$FLOWS_MODE_DEPLOYED|" \
    -e "s|@STRIPE_WEBHOOK_STATE@|$STRIPE_WEBHOOK_STATE|" \
    -e "s|@SENDGRID_WEBHOOK_STATE@|$SENDGRID_WEBHOOK_STATE|" \
    "$(dirname "$0")/next-steps.txt"
