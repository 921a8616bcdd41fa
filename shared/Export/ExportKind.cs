namespace RetentionFunctions.Export;

/// <summary>A file of the export: rows of one kind, with the columns that somebody looks for; all of a row stands in its last column, as it is kept.</summary>
/// <param name="File">The name of the file.</param>
/// <param name="Noun">Of the rows' keys.</param>
/// <param name="Columns">The header of each column, and the path of its value in a row.</param>
internal sealed record ExportKind(string File, string Noun, params IReadOnlyList<(string Header, string Path)> Columns)
{
    /// <summary>All kinds that are known. Rows of others go into a file of their own, so that nothing is left out.</summary>
    public static IReadOnlyList<ExportKind> All { get; } =
    [
        new("customers.csv", "customer", ("status", "status"), ("email", "profile.email"), ("billing_email", "billingEmail"), ("name", "profile.name"), ("country", "profile.country"), ("created_at", "profile.createdAt"), ("mrr", "mrr"),
            ("first_paid_at", "firstPaidAt"), ("churned_at", "churnedAt"), ("health_score", "health.score"), ("health_tier", "health.tier"), ("value_tier", "valueTier"), ("unsubscribed_at", "unsubscribed.at"), ("suppressed_at", "suppressed.at")),
        new("subscription-states.csv", "snapshot", ("subscription_id", "subscriptionId"), ("at", "stamp.at"), ("status", "status"), ("plan", "plan"), ("mrr", "mrr"), ("currency", "currency"), ("interval", "interval"),
            ("interval_count", "intervalCount"), ("created_at", "createdAt"), ("trial_end_at", "trialEndAt"), ("period_end_at", "periodEndAt"), ("cancel_at", "cancelAt"), ("ended_at", "endedAt"), ("reason", "cancellationReason"),
            ("feedback", "cancellationFeedback"), ("comment", "cancellationComment"), ("worked_out", "workedOut"), ("imported", "imported")),
        new("movements.csv", "ledger", ("at", "at"), ("kind", "kind"), ("amount", "amount"), ("currency", "currency"), ("mrr_after", "mrrAfter"), ("involuntary", "involuntary")),
        new("invoices.csv", "invoice", ("invoice_id", "id"), ("number", "latest.number"), ("status", "latest.status"), ("amount_due", "latest.amountDue"), ("currency", "latest.currency"), ("created_at", "latest.createdAt"),
            ("first_failed_at", "firstFailedAt"), ("paid_at", "paidAt"), ("voided_at", "voidedAt"), ("uncollectible_at", "uncollectibleAt")),
        new("months.csv", "months"),
        new("scores.csv", "score", ("on", "scoredOn"), ("score", "score"), ("tier", "tier"), ("stage", "stage")),
        new("activity.csv", "activity", ("user_id", "source"), ("first_seen_at", "firstSeenAt"), ("last_active_at", "lastActiveAt"), ("last_seen_at", "lastSeenAt")),
        new("activity-moved.csv", "moved", ("user_id", "source")),
        new("events.csv", "event", ("event_id", "id"), ("type", "type"), ("at", "at"), ("did", "did")),
        new("runs.csv", "run", ("started_at", "startedAt"), ("because", "because"), ("status", "status"), ("due_at", "dueAt"), ("outcome", "outcome"), ("ended_at", "endedAt"), ("ended_because", "endedBecause"), ("preview", "preview")),
        new("emails.csv", "mail", ("flow", "flow"), ("step", "step"), ("template", "template"), ("subject", "subject"), ("to", "to"), ("at", "at"), ("result", "result"), ("delivered_at", "deliveredAt"), ("opened_at", "openedAt"), ("clicked_at", "clickedAt")),
        new("notes.csv", "note", ("at", "at"), ("kind", "kind"), ("text", "text"), ("by", "by"), ("done_at", "doneAt")),
    ];
}
