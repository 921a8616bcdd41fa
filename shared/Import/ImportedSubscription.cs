using System.Globalization;
using RetentionFunctions.Customers;

namespace RetentionFunctions.Import;

/// <summary>
/// Puts the rows of each subscription of one customer together: a snapshot for each moment from which on something else held. What Stripe's export does not tell (a change of plan, when
/// a payment failed) is not made up: the present price holds from the beginning, a failed payment from the start of the period that runs.
/// </summary>
internal static class ImportedSubscription
{
    /// <summary>By which the rows and stamps of what a file told are known.</summary>
    public const string IdPrefix = "import:";

    private static readonly HashSet<string> Reasons = new(StringComparer.Ordinal) { "cancellation_requested", "payment_disputed", "payment_failed" };

    // docs.stripe.com/api/subscriptions/object, cancellation_details.feedback.
    private static readonly HashSet<string> Feedback = new(StringComparer.Ordinal)
    {
        "customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex", "too_expensive", "unused",
    };

    // In minor units. As many as a file has rows still add up to what a number holds.
    private const long MostMrr = 10_000_000_000_000;

    // One moment of a subscription's life.
    private sealed record Moment(DateTimeOffset At, string Status, ImportLine Line);

    /// <summary>The snapshots of all subscriptions of a customer, in order of subscription and time.</summary>
    public static IReadOnlyList<SubscriptionSnapshot> Of(IReadOnlyList<ImportLine> lines, ImportColumns columns, ImportProblems problems, DateTimeOffset now)
    {
        var snapshots = new List<SubscriptionSnapshot>();
        foreach (var subscription in lines.Where(l => l.SubscriptionId is not null).GroupBy(l => l.SubscriptionId!, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            List<ImportLine> rows = [.. subscription.OrderBy(Begins)];
            var began = rows.Min(r => r.Started ?? r.From)!.Value;
            var moments = Moments(rows, columns, problems, now).GroupBy(m => m.At).Select(g => g.Last()).OrderBy(m => m.At);
            foreach (var moment in moments)
                if (Snapshot(moment, began, now) is { } snapshot) snapshots.Add(snapshot);
                else problems.Add(moment.Line.Row, columns.NameOf(ImportField.Amount), "is with its quantity more than can be money");
        }
        return snapshots;
    }

    private static DateTimeOffset Begins(ImportLine line) => line.From ?? line.Started!.Value;

    private static IEnumerable<Moment> Moments(List<ImportLine> rows, ImportColumns columns, ImportProblems problems, DateTimeOffset now)
    {
        for (var i = 0; i < rows.Count; i++)
        {
            var (row, begins, last) = (rows[i], Begins(rows[i]), i == rows.Count - 1);
            if (i > 0 && begins == Begins(rows[i - 1]))
            {
                var first = rows[i - 1].Row;
                problems.Add(row.Row, null, columns.Layout == ImportLayout.Own
                    ? FormattableString.Invariant($"the subscription '{row.SubscriptionId}' begins at the same time in row {first}; where it changed later, say when in the column '{columns.NameOf(ImportField.From)}'")
                    : FormattableString.Invariant($"the subscription '{row.SubscriptionId}' stands in row {first} already"));
                continue;
            }
            var ended = row.Ended ?? (row.Status is "canceled" or "incomplete_expired" ? row.CanceledAt : null);
            var over = row.Status is "canceled" or "incomplete_expired" || ended is not null;
            // A row that only says from when on it was over.
            if (over && ended is null && row.From is not null) ended = row.From;
            if (over && ended is null && row.Status == "incomplete_expired") ended = begins;
            if (over && ended is null)
            {
                problems.Add(row.Row, columns.NameOf(ImportField.Ended), "is empty, and the subscription is over: when did it end?");
                continue;
            }
            if (ended < begins)
            {
                problems.Add(row.Row, columns.NameOf(ImportField.Ended), "is before the subscription began");
                continue;
            }
            if (over && !last)
            {
                problems.Add(row.Row, null, FormattableString.Invariant($"the subscription '{row.SubscriptionId}' ends here and goes on in row {rows[i + 1].Row}; who came back later has a new one, with an id of its own"));
                continue;
            }
            foreach (var moment in Lives(row, begins, ended, now)) yield return moment;
            if (ended is { } end) yield return new Moment(end, row.Status == "incomplete_expired" ? "incomplete_expired" : "canceled", row);
        }
    }

    // What it was up to its end, or to now.
    private static IEnumerable<Moment> Lives(ImportLine row, DateTimeOffset begins, DateTimeOffset? ended, DateTimeOffset now)
    {
        if (ended <= begins) yield break;
        var status = row.Status == "canceled" ? "active" : row.Status == "incomplete_expired" ? "incomplete" : row.Status;
        if (row.TrialEnd is { } trial && trial > begins && status != "trialing")
        {
            yield return new Moment(begins, "trialing", row);
            // It ended in the trial, or the trial still runs whatever the status says.
            if (trial >= (ended ?? now)) yield break;
            begins = trial;
        }
        // Since when a payment fails no export says; before the period that runs all was paid.
        if (status is "past_due" or "unpaid" && row.PeriodStart is { } period && period > begins)
        {
            yield return new Moment(begins, "active", row);
            begins = period;
        }
        yield return new Moment(begins, status, row);
    }

    private static SubscriptionSnapshot? Snapshot(Moment moment, DateTimeOffset began, DateTimeOffset now)
    {
        var line = moment.Line;
        var over = SubscriptionStatus.IsEnded(moment.Status);
        var priced = new PricedSubscription(0, [$"The file says no amount for {line.Plan ?? line.SubscriptionId}; it is not in the MRR."]);
        try
        {
            if (line.Amount is { } amount)
                priced = SubscriptionMrr.Of(
                    [new PriceTerms(line.Plan ?? "The subscription", line.Interval?.Interval, line.Interval?.Count ?? 1) { UnitAmount = ImportCells.Minor(amount, line.Currency!), Quantity = line.Quantity }], [], moment.At, temporaryDiscountsReduce: false);
        }
        catch (OverflowException)
        {
            return null;
        }
        if (priced.Mrr > MostMrr) return null;
        var id = string.Create(CultureInfo.InvariantCulture, $"{IdPrefix}{line.SubscriptionId}:{moment.At.ToUnixTimeSeconds()}");
        var reason = line.Reason?.ToLowerInvariant().Replace(' ', '_');
        return new SubscriptionSnapshot
        {
            SubscriptionId = line.SubscriptionId!,
            Stamp = Stamp.Of(moment.At, id, over ? "customer.subscription.deleted" : "customer.subscription.updated"),
            Status = moment.Status,
            Mrr = priced.Mrr,
            Currency = line.Currency!,
            Unpriced = priced.Unpriced,
            Plan = line.Plan,
            Interval = line.Interval?.Interval,
            IntervalCount = line.Interval?.Count ?? 1,
            CreatedAt = began,
            TrialEndAt = line.TrialEnd,
            PeriodStartAt = line.PeriodStart,
            PeriodEndAt = line.PeriodEnd,
            CancelAt = !over && line.CancelAtPeriodEnd ? line.PeriodEnd : null,
            CanceledAt = over || line.CancelAtPeriodEnd ? line.CanceledAt : null,
            EndedAt = over ? moment.At : null,
            CancellationReason = !over || reason is null ? null : Reasons.Contains(reason) ? reason : Feedback.Contains(reason) ? "cancellation_requested" : null,
            CancellationFeedback = over && reason is not null && Feedback.Contains(reason) ? reason : null,
            CancellationComment = !over ? null : line.Comment ?? (reason is not null && !Reasons.Contains(reason) && !Feedback.Contains(reason) ? line.Reason : null),
            UserId = line.UserId,
            WorkedOut = true,
            Imported = true,
        };
    }
}
