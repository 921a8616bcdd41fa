namespace RetentionFunctions.Import;

/// <summary>One row, read: what its cells say, each by itself.</summary>
internal sealed record ImportLine
{
    public required int Row { get; init; }

    public required string CustomerId { get; init; }

    public string? Email { get; init; }

    public string? Name { get; init; }

    public string? Country { get; init; }

    public string? TimeZone { get; init; }

    public string? UserId { get; init; }

    public DateTimeOffset? CustomerSince { get; init; }

    public IReadOnlyList<(string Name, string Value)> Traits { get; init; } = [];

    /// <summary>Null where the row is about the person only.</summary>
    public string? SubscriptionId { get; init; }

    public string? Plan { get; init; }

    public string Status { get; init; } = "active";

    /// <summary>In major units for one unit of the quantity.</summary>
    public decimal? Amount { get; init; }

    public string? Currency { get; init; }

    public (string Interval, int Count)? Interval { get; init; }

    public long Quantity { get; init; } = 1;

    public DateTimeOffset? Started { get; init; }

    public DateTimeOffset? From { get; init; }

    public DateTimeOffset? TrialEnd { get; init; }

    public DateTimeOffset? PeriodStart { get; init; }

    public DateTimeOffset? PeriodEnd { get; init; }

    public DateTimeOffset? CanceledAt { get; init; }

    public bool CancelAtPeriodEnd { get; init; }

    public DateTimeOffset? Ended { get; init; }

    public string? Reason { get; init; }

    public string? Comment { get; init; }

    // A thousand quarters. Stripe takes three years at the most.
    private const int MostIntervals = 3000;

    // By which a row of our own layout is about a subscription.
    private static readonly ImportField[] OfSubscription = [ImportField.SubscriptionId, ImportField.Amount, ImportField.Currency, ImportField.Interval, ImportField.Status, ImportField.Started, ImportField.From, ImportField.Ended, ImportField.TrialEnd, ImportField.Plan];

    /// <summary>Reads a row; null where a cell is wrong, which is then among the problems: all of its cells are looked at.</summary>
    public static ImportLine? Read(ImportRow row, ImportColumns columns, ImportProblems problems, DateTimeOffset now)
    {
        var before = problems.Count;
        var own = columns.Layout == ImportLayout.Own;
        var subscription = columns.Layout == ImportLayout.StripeSubscriptions || (own && OfSubscription.Any(f => Cell(f) is not null));
        var customer = Required(ImportField.CustomerId, ImportCells.Id);
        // A spreadsheet that knows one subscription of each customer need not name it.
        var id = !subscription ? null : own ? Of(ImportField.SubscriptionId, ImportCells.Id) ?? customer : Required(ImportField.SubscriptionId, ImportCells.Id);
        // Stripe leaves the amount of a subscription with several items empty.
        var amount = !subscription ? null : own ? RequiredValue(ImportField.Amount, ImportCells.Amount) : Value(ImportField.Amount, ImportCells.Amount);
        var priced = subscription && (own || amount is not null);
        var count = Value(ImportField.IntervalCount, t => ImportCells.Count(t));
        var interval = priced ? RequiredValue(ImportField.Interval, ImportCells.Interval) : Value(ImportField.Interval, ImportCells.Interval);
        var period = (interval?.Count ?? 1) * (count ?? 1);
        if (period > MostIntervals) problems.Add(row.Number, columns.NameOf(ImportField.IntervalCount), FormattableString.Invariant($"makes a period of {period} times the interval; {MostIntervals} are the most"));
        var line = new ImportLine
        {
            Row = row.Number,
            CustomerId = customer ?? "",
            Email = Of(ImportField.Email, ImportCells.Email),
            Name = Of(ImportField.Name, t => ImportCells.Text(t)),
            Country = Of(ImportField.Country, t => ImportCells.Text(t)),
            TimeZone = Of(ImportField.TimeZone, t => ImportCells.Text(t)),
            UserId = Of(ImportField.UserId, t => ImportCells.Text(t)),
            CustomerSince = Value(ImportField.CustomerSince, t => ImportCells.Time(t, now)),
            Traits = [.. columns.Traits.Select(t => (t.Name, Value: row.Cells[t.Index], t.Index)).Where(t => t.Value.Length > 0).Select(t => (t.Name, Checked(ImportCells.Text(t.Value), columns.Headers[t.Index]) ?? ""))],
            SubscriptionId = id,
            Plan = Of(ImportField.Plan, t => ImportCells.Text(t)),
            Status = (own ? Of(ImportField.Status, ImportCells.Status) : subscription ? Required(ImportField.Status, ImportCells.Status) : null) ?? "active",
            Amount = amount,
            Currency = subscription ? Required(ImportField.Currency, ImportCells.Currency) : null,
            Interval = interval is { } known ? (known.Interval, (int)period) : null,
            Quantity = Value(ImportField.Quantity, t => ImportCells.Count(t, zero: true)) ?? 1,
            Started = subscription && (!own || Cell(ImportField.From) is null) ? RequiredValue(ImportField.Started, t => ImportCells.Time(t, now)) : Value(ImportField.Started, t => ImportCells.Time(t, now)),
            From = Value(ImportField.From, t => ImportCells.Time(t, now)),
            // A trial may end in the future, and so does a period.
            TrialEnd = Value(ImportField.TrialEnd, t => ImportCells.Time(t, DateTimeOffset.MaxValue.AddDays(-2))),
            PeriodStart = Value(ImportField.PeriodStart, t => ImportCells.Time(t, now)),
            PeriodEnd = Value(ImportField.PeriodEnd, t => ImportCells.Time(t, DateTimeOffset.MaxValue.AddDays(-2))),
            CanceledAt = Value(ImportField.CanceledAt, t => ImportCells.Time(t, now)),
            CancelAtPeriodEnd = Value(ImportField.CancelAtPeriodEnd, ImportCells.Flag) ?? false,
            Ended = Value(ImportField.Ended, t => ImportCells.Time(t, now)),
            Reason = Of(ImportField.Reason, t => ImportCells.Text(t)),
            Comment = Of(ImportField.Comment, t => ImportCells.Text(t, 5000)),
        };
        return problems.Count == before ? line : null;

        string? Cell(ImportField field) => columns.IndexOf(field) is >= 0 and var index && row.Cells[index].Length > 0 ? row.Cells[index] : null;

        T? Checked<T>((T? Value, string? Wrong) read, string column)
        {
            if (read.Wrong is { } wrong) problems.Add(row.Number, column, wrong);
            return read.Value;
        }

        string? Of(ImportField field, Func<string, (string?, string?)> read) => Cell(field) is { } text ? Checked(read(text), columns.NameOf(field)) : null;

        T? Value<T>(ImportField field, Func<string, (T?, string?)> read) where T : struct => Cell(field) is { } text ? Checked(read(text), columns.NameOf(field)) : null;

        string? Required(ImportField field, Func<string, (string?, string?)> read)
        {
            if (Cell(field) is null) Lacks(field);
            return Of(field, read);
        }

        T? RequiredValue<T>(ImportField field, Func<string, (T?, string?)> read) where T : struct
        {
            if (Cell(field) is null) Lacks(field);
            return Value(field, read);
        }

        void Lacks(ImportField field) => problems.Add(row.Number, columns.NameOf(field), "is empty");
    }
}
