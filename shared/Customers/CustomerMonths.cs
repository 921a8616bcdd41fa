
namespace RetentionFunctions.Customers;

/// <summary>
/// One customer's share in the facts of each month, derived from the same timelines and ledger as its MRR: so any order of events gives the same months, and
/// what one customer adds can be taken back again when a late event says otherwise.
/// </summary>
public static class CustomerMonths
{
    /// <summary>Counted up when what a cell, or <see cref="Customer.FirstPlan"/>, says changes: the sweep then derives every customer once more.</summary>
    public const int Version = 3;

    /// <summary>Whether a customer's row is of before there were months, or of before these.</summary>
    public static bool AreMissing(Customer customer) => customer.MonthsVersion < Version && customer.Subscriptions.Count > 0;

    private const int StripeDays = 30;

    /// <summary>The cells that are not empty. A customer who pays in two currencies is one in each.</summary>
    /// <param name="timelines">All subscriptions.</param>
    /// <param name="ledger">The movements that follow from them, up to <paramref name="asOf"/>.</param>
    /// <param name="asOf">What stands later has not happened yet.</param>
    public static IReadOnlyDictionary<CellKey, MonthCell> Derive(IReadOnlyList<SubscriptionTimeline> timelines, IReadOnlyList<Movement> ledger, DateTimeOffset asOf)
    {
        var cells = new Dictionary<CellKey, MonthCell>();
        foreach (var currency in timelines.GroupBy(t => t.Snapshots[^1].Currency, StringComparer.Ordinal))
        {
            List<Movement> movements = [.. ledger.Where(m => m.Currency == currency.Key)];
            if (movements.Count > 0) new OfCurrency(currency.Key, [.. currency], movements, asOf, cells).Derive();
        }
        return cells.Where(c => c.Value != default).ToDictionary();
    }

    // One customer in one currency.
    private sealed class OfCurrency(string currency, List<SubscriptionTimeline> timelines, List<Movement> movements, DateTimeOffset asOf, Dictionary<CellKey, MonthCell> cells)
    {
        private readonly DateTimeOffset _first = movements[0].At;

        public void Derive()
        {
            foreach (var month in Months()) Add(month);
        }

        // Those in which anything changes; in all others the customer is as before.
        private IEnumerable<Month> Months()
        {
            var months = new SortedSet<Month>();
            foreach (var at in timelines.SelectMany(t => t.Steps.Select(s => s.At).Concat(t.Snapshots.Select(s => s.Stamp.At))))
            {
                if (at > asOf) continue;
                var month = Month.Of(at);
                months.Add(month);
                // The last 30 days of February begin in January; what is derived in January must know it, since nothing may happen later to derive it again.
                if (at >= month.Plus(1).End.AddDays(-StripeDays)) months.Add(month.Plus(1));
            }
            return months.Where(m => m >= Month.Of(_first));
        }

        private void Add(Month month)
        {
            var (start, end) = (month.Start, month.End);
            var (before, after) = (Before(start), Before(end));
            List<Movement> own = [.. movements.Where(m => m.At >= start && m.At < end)];
            var isNew = _first >= start && _first < end;
            // Of who was none at the start, the term of the first subscription that begins.
            var began = before.IsCustomer || own.Count == 0 ? start : own[0].At.AddTicks(1);
            var term = Before(began).Term;
            var lost = before.IsCustomer && !after.IsCustomer;
            var next = after.IsCustomer ? after.Term : term;
            var window = end.AddDays(-StripeDays);
            var then = Before(window);
            var joined = _first >= window && _first < end;
            var involuntary = own.LastOrDefault(m => m.Kind == MovementKind.Churned)?.Involuntary == true;
            var cell = new MonthCell
            {
                New = Count(isNew),
                Lost = Count(lost),
                LostInvoluntary = Count(lost && involuntary),
                Early = Count(isNew && !after.IsCustomer),
                Returned = Count(!before.IsCustomer && !isNew && after.IsCustomer),
                Paying = Count(after.Pays) - Count(before.Pays),
                MrrNew = Sum(MovementKind.New),
                MrrExpansion = Sum(MovementKind.Expansion),
                MrrContraction = Sum(MovementKind.Contraction),
                MrrChurned = Sum(MovementKind.Churned),
                MrrReactivation = Sum(MovementKind.Reactivation),
                MrrPaused = Sum(MovementKind.Paused),
                MrrResumed = Sum(MovementKind.Resumed),
                New30 = Count(joined),
                Lost30 = Count((then.IsCustomer || joined) && !after.IsCustomer),
                Change30 = Count(after.IsCustomer) - Count(then.IsCustomer),
            };
            Put(month, term, cell);
            if (next == term) return;
            Put(month, term, new MonthCell { Switched = -1, Paying = -Count(after.Pays), MrrSwitched = -after.Mrr });
            Put(month, next, new MonthCell { Switched = 1, Paying = Count(after.Pays), MrrSwitched = after.Mrr });

            long Sum(MovementKind kind) => own.Where(m => m.Kind == kind).Sum(m => m.Amount);
        }

        private void Put(Month month, BillingTerm term, MonthCell cell)
        {
            var key = new CellKey(month, currency, term);
            cells[key] = cells.GetValueOrDefault(key) + cell;
        }

        // What the customer is right before a moment.
        private (bool IsCustomer, bool Pays, long Mrr, BillingTerm Term) Before(DateTimeOffset moment)
        {
            var known = moment <= asOf ? moment : asOf.AddTicks(1);
            var (pays, paused, yearly, mrr) = (false, false, false, 0L);
            foreach (var timeline in timelines)
            {
                if (timeline.Steps.LastOrDefault(s => s.At < known) is not { } step) continue;
                var on = step.Mrr > 0 || step.State == SubscriptionState.Paused;
                pays |= step.Mrr > 0;
                // Paused before anything was paid is nobody's pause.
                paused |= step.State == SubscriptionState.Paused && _first < known;
                yearly |= on && IsYearly(timeline.Snapshots.LastOrDefault(s => s.Stamp.At < known) ?? timeline.Snapshots[0]);
                mrr += step.Mrr;
            }
            return (pays || paused, pays, mrr, yearly ? BillingTerm.Yearly : BillingTerm.Monthly);
        }

        private static bool IsYearly(SubscriptionSnapshot snapshot) => snapshot.Interval == "year" || (snapshot.Interval == "month" && snapshot.IntervalCount >= 12);

        private static int Count(bool one) => one ? 1 : 0;
    }
}
