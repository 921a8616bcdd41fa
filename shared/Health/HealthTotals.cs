using RetentionFunctions.Customers;

namespace RetentionFunctions.Health;

/// <summary>
/// What a sweep counts over the customers still with us (in a trial, paying, past due or paused): who uses the product, what costs points of health, what runs ahead of churn
/// (docs/definitions.md, "Use and health"). Only sums, so that those of the buckets add up.
/// </summary>
public sealed class HealthTotals
{
    /// <summary>A customer active in so many days counts in WAU (DEFINITIONS, "Active").</summary>
    public const int WeekDays = 7;

    /// <summary>The same for MAU; also the days of e-mails and tickets.</summary>
    public const int MonthDays = 30;

    /// <summary>Customers counted: those of whom the rest speaks.</summary>
    public int Customers { get; set; }

    /// <summary>WAU: those with a sign-in or core use in the last 7 days.</summary>
    public int Wau { get; set; }

    /// <summary>MAU: those with one in the last 30 days.</summary>
    public int Mau { get; set; }

    /// <summary>Those of whom no use was ever measured: neither active nor inactive.</summary>
    public int UnknownUse { get; set; }

    /// <summary>Those with an open invoice whose payment failed.</summary>
    public int FailedPayments { get; set; }

    /// <summary>E-mails that reached them in the last 30 days.</summary>
    public long MailsArrived { get; set; }

    /// <summary>E-mails that they opened in the last 30 days, each once.</summary>
    public long MailsOpened { get; set; }

    /// <summary>Tickets that they opened in the last 30 days.</summary>
    public long Tickets { get; set; }

    /// <summary>Those in a better tier than at the sweep before.</summary>
    public int MovedUp { get; set; }

    /// <summary>Those in a worse tier than at the sweep before.</summary>
    public int MovedDown { get; set; }

    /// <summary>Points of health that each signal cost them, by the name of the signal: together 100 for each customer, less the scores.</summary>
    public Dictionary<string, long> PointsLost { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Counts one customer; who is not with us, and who was not scored, does not count.</summary>
    internal void Add(Customer customer, ActivityView view, DateTimeOffset now)
    {
        if (customer.IsUntiedUser || !customer.IsCurrent || customer.Health is not { } health) return;
        Customers++;
        if (!view.EverMeasured) UnknownUse++;
        if (view.LastActiveAt > now.AddDays(-WeekDays)) Wau++;
        if (view.LastActiveAt > now.AddDays(-MonthDays)) Mau++;
        if (customer.FailingInvoices.Count > 0) FailedPayments++;
        MailsArrived += (long)view.Sum(Counter.EmailsSent, MonthDays);
        MailsOpened += (long)view.Sum(Counter.EmailOpens, MonthDays);
        Tickets += (long)view.Sum(Counter.TicketsOpened, MonthDays);
        foreach (var reason in health.Reasons)
            if (reason.Impact < 0) PointsLost[reason.Signal] = PointsLost.GetValueOrDefault(reason.Signal) - reason.Impact;
        if (TierMove.Of(customer) is not { } move) return;
        if (move.IsDown) MovedDown++;
        else MovedUp++;
    }

    /// <summary>Adds those of another bucket.</summary>
    internal void Add(HealthTotals other)
    {
        Customers += other.Customers;
        Wau += other.Wau;
        Mau += other.Mau;
        UnknownUse += other.UnknownUse;
        FailedPayments += other.FailedPayments;
        MailsArrived += other.MailsArrived;
        MailsOpened += other.MailsOpened;
        Tickets += other.Tickets;
        MovedUp += other.MovedUp;
        MovedDown += other.MovedDown;
        foreach (var (signal, points) in other.PointsLost) PointsLost[signal] = PointsLost.GetValueOrDefault(signal) + points;
    }
}
