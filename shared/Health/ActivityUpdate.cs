using RetentionFunctions.Intake.App;

namespace RetentionFunctions.Health;

/// <summary>
/// What an event does to the activity of its user. Pure, and the same row in any order of the events (each counted once, by its marker):
/// sums, least and greatest values only, and what is kept depends on the set of events, not on their order.
/// </summary>
public static class ActivityUpdate
{
    /// <summary>
    /// Days for which use is kept per feature; breadth looks at no more. All days of all features would not fit into one table property
    /// (32 K characters: <see cref="Storage.TableLimits.PropertyBytes"/>).
    /// </summary>
    public const int FeatureDaysKept = 30;

    /// <summary>Most features counted by day, per app user: the first by name, so that the order of events does not matter. For the same limit.</summary>
    public const int MaxFeaturesByDay = 16;

    /// <summary>Most features whose first use is kept, per app user, the first by name. For the same limit.</summary>
    public const int MaxFeatures = 100;

    /// <summary>Names of features are cut to this many characters. For the same limit.</summary>
    public const int MaxFeatureName = 32;

    // A day has so many; a longer session ended today, but was not all of today.
    private const double MinutesOfDay = 24 * 60;

    // Amounts beyond are mistakes of a unit; thousandths of them still add up exactly in a double.
    private const double MaxAmount = 1e9;

    /// <summary>The activity after an event.</summary>
    public static Activity Apply(Activity? before, AppEvent e, AppEventSettings settings) => Apply(before, [e], settings);

    /// <summary>The activity after some events of its user; the same as one after the other, in any order.</summary>
    /// <param name="before">The user's row; null where there is none.</param>
    /// <param name="events">The events, at least one.</param>
    /// <param name="settings">What it means.</param>
    /// <returns>
    /// A new row; <paramref name="before"/> is not changed. An event older than the 90 days before the latest adds to no counter; the first and
    /// the latest of everything take it in all the same, since otherwise its order would matter. An event without a meaning, and a number that
    /// cannot be read, only say that the user was seen.
    /// </returns>
    public static Activity Apply(Activity? before, IReadOnlyList<AppEvent> events, AppEventSettings settings)
    {
        ArgumentOutOfRangeException.ThrowIfZero(events.Count);
        var draft = new Draft(before, events[0].UserId, events[0].At);
        foreach (var e in events)
        {
            draft.At(e.At);
            if (e.Type == AppEventType.Track && settings.MappingOf(e.Name) is { } mapping) Count(draft, e, mapping);
            foreach (var (name, signal) in settings.Signals)
            {
                if (!string.IsNullOrWhiteSpace(signal.Trait))
                {
                    if (e.Traits.Number(signal.Trait) is { } value) draft.Trait(name, value);
                }
                else if (e.Type == AppEventType.Track && e.Name is not null && signal.Event is not null && EventNameComparer.Instance.Equals(signal.Event, e.Name))
                {
                    var amount = signal.Aggregate == SignalAggregate.Count ? 1 : signal.Property is { } property ? e.Properties.Number(property) : null;
                    if (amount is { } known) draft.Add(signal.Aggregate == SignalAggregate.Max ? Counter.SignalMax(name) : Counter.Signal(name), known);
                }
            }
        }
        return draft.Result();
    }

    /// <summary>The activity after something that was counted by the product itself, for example an e-mail sent, opened or clicked under the source <c>mail</c>.</summary>
    /// <param name="before">The row; null where there is none.</param>
    /// <param name="source">Its <see cref="Activity.Source"/>.</param>
    /// <param name="at">When it happened.</param>
    /// <param name="counter">One of <see cref="Counter"/>.</param>
    /// <param name="amount">How much to add.</param>
    public static Activity Count(Activity? before, string source, DateTimeOffset at, string counter, double amount = 1)
    {
        var draft = new Draft(before, source, at);
        draft.Add(counter, amount);
        if (counter is Counter.SignIns or Counter.CoreUses or Counter.Minutes) draft.Active();
        return draft.Result();
    }

    /// <summary>The sum of several rows as one, by the same rules: all app users of a customer. Null where there are none.</summary>
    public static Activity? Merge(IEnumerable<Activity> rows)
    {
        Draft? draft = null;
        foreach (var row in rows)
            if (draft is null) draft = new Draft(row, row.Source, row.LastSeenAt);
            else draft.Take(row);
        return draft?.Result();
    }

    private static void Count(Draft draft, AppEvent e, EventMapping mapping)
    {
        switch (mapping.Meaning)
        {
            case AppEventMeaning.SignIn:
                draft.Add(Counter.SignIns, 1);
                draft.Active();
                break;
            case AppEventMeaning.Minutes:
                if (Minutes(e, mapping) is not ({ } minutes and > 0)) break;
                draft.Add(Counter.Minutes, Math.Min(minutes, MinutesOfDay));
                draft.Active();
                break;
            case AppEventMeaning.CoreUse:
                draft.Add(Counter.CoreUses, 1);
                draft.Active();
                if ((mapping.Feature ?? e.Properties.Text(mapping.Property ?? "feature")) is { } feature) draft.Feature(feature.Trim());
                break;
            case AppEventMeaning.TicketOpened:
                draft.Add(Counter.TicketsOpened, 1);
                break;
            case AppEventMeaning.TicketResolved:
                draft.Add(Counter.TicketsResolved, 1);
                if (ResolutionHours(e, mapping) is not ({ } hours and >= 0)) break;
                draft.Add(Counter.ResolutionHours, hours);
                draft.Add(Counter.ResolutionsTimed, 1);
                break;
            case AppEventMeaning.Satisfaction:
                if (e.Properties.Number(mapping.Property ?? "score") is not { } score) break;
                // Five stars where nobody says otherwise.
                var best = mapping.Max ?? (e.Properties.Number("max") is { } max and > 0 ? max : 5);
                draft.Add(Counter.SatisfactionSum, Math.Clamp(score / best, 0, 1));
                draft.Add(Counter.SatisfactionCount, 1);
                break;
            case AppEventMeaning.EmailSent:
                draft.Add(Counter.EmailsSent, 1);
                break;
            case AppEventMeaning.EmailOpened:
                draft.Add(Counter.EmailOpens, 1);
                break;
            case AppEventMeaning.EmailClicked:
                draft.Add(Counter.EmailClicks, 1);
                break;
        }
    }

    private static double? Minutes(AppEvent e, EventMapping mapping)
    {
        if (mapping.Property is not { } property)
            return e.Properties.Number("minutes") ?? (e.Properties.Number("duration") / 60);
        var amount = e.Properties.Number(property);
        return mapping.Unit switch
        {
            TimeUnit.Hours => amount * 60,
            TimeUnit.Seconds => amount / 60,
            TimeUnit.Milliseconds => amount / 60_000,
            _ => amount,
        };
    }

    private static double? ResolutionHours(AppEvent e, EventMapping mapping) =>
        e.Properties.Number(mapping.Property ?? "resolutionHours")
        ?? (JsonValues.TryInstant(e.Properties.Text("openedAt"), out var openedAt) ? (e.At - openedAt).TotalHours : null);

    // The row in the making: copied at the start, so that the row before stays as it is.
    private sealed class Draft
    {
        private readonly string source;
        private DateTimeOffset at;
        private readonly SortedList<DateOnly, Dictionary<string, double>> days;
        private readonly HashSet<DateOnly> copied = [];
        private readonly Dictionary<string, DateTimeOffset> firstUses;
        private readonly Dictionary<string, TraitValue> traits;
        private readonly DateOnly? newestBefore;
        private bool featuresChanged;
        private DateTimeOffset firstSeenAt;
        private DateTimeOffset lastSeenAt;
        private DateTimeOffset? lastActiveAt;

        public Draft(Activity? before, string source, DateTimeOffset at)
        {
            this.source = before?.Source ?? source;
            days = before is null ? [] : new(before.Days);
            firstUses = before is null ? [] : new(before.FirstUses);
            traits = before is null ? [] : new(before.Traits);
            firstSeenAt = before?.FirstSeenAt ?? at.ToUniversalTime();
            lastSeenAt = before?.LastSeenAt ?? at.ToUniversalTime();
            lastActiveAt = before?.LastActiveAt;
            newestBefore = before is null ? null : DateOnly.FromDateTime(before.LastSeenAt.UtcDateTime);
            At(at);
        }

        // What follows happened then.
        public void At(DateTimeOffset then)
        {
            at = then.ToUniversalTime();
            if (at < firstSeenAt) firstSeenAt = at;
            if (at > lastSeenAt) lastSeenAt = at;
        }

        public void Active() => lastActiveAt = lastActiveAt > at ? lastActiveAt : at;

        public void Add(string counter, double amount) => Add(DateOnly.FromDateTime(at.UtcDateTime), counter, amount);

        public void Feature(string name)
        {
            if (name.Length > MaxFeatureName) name = name[..MaxFeatureName].TrimEnd();
            if (name.Length == 0) return;
            FirstUse(name, at);
            Add(Counter.Feature(name), 1);
        }

        public void Trait(string name, double value) => Trait(name, new TraitValue(Math.Clamp(value, -MaxAmount, MaxAmount), at));

        public void Take(Activity row)
        {
            if (row.FirstSeenAt < firstSeenAt) firstSeenAt = row.FirstSeenAt;
            if (row.LastSeenAt > lastSeenAt) lastSeenAt = row.LastSeenAt;
            if (row.LastActiveAt is { } active && !(lastActiveAt >= active)) lastActiveAt = active;
            foreach (var (day, counters) in row.Days)
                foreach (var (counter, amount) in counters)
                    Add(day, counter, amount);
            foreach (var (feature, first) in row.FirstUses) FirstUse(feature, first);
            foreach (var (name, value) in row.Traits) Trait(name, value);
        }

        public Activity Result()
        {
            var newest = DateOnly.FromDateTime(lastSeenAt.UtcDateTime);
            foreach (var day in days.Keys.TakeWhile(d => d <= newest.AddDays(-Activity.DaysKept)).ToList()) days.Remove(day);

            // Once among the first by name means among the first of every smaller set too: nothing kept at the end was ever dropped on the way.
            if (firstUses.Count > MaxFeatures)
                foreach (var feature in firstUses.Keys.Order(StringComparer.Ordinal).Skip(MaxFeatures).ToList()) firstUses.Remove(feature);
            // Days that no event touched are as they were left, unless the last day moved or the features changed.
            DropFeatures(newest, newest == newestBefore && !featuresChanged ? [.. copied.Where(days.ContainsKey)] : [.. days.Keys]);

            // In order of their names, so that the same activity is the same row to the byte.
            foreach (var day in copied.Where(days.ContainsKey)) days[day] = Ordered(days[day]);
            return new Activity
            {
                Source = source,
                FirstSeenAt = firstSeenAt,
                LastSeenAt = lastSeenAt,
                LastActiveAt = lastActiveAt,
                Days = days,
                FirstUses = featuresChanged ? Ordered(firstUses) : firstUses,
                Traits = Ordered(traits),
            };
        }

        private void DropFeatures(DateOnly newest, List<DateOnly> among)
        {
            var byDay = firstUses.Keys.Order(StringComparer.Ordinal).Take(MaxFeaturesByDay).ToHashSet(StringComparer.Ordinal);
            foreach (var day in among)
            {
                var late = day <= newest.AddDays(-FeatureDaysKept);
                var gone = days[day].Keys.Where(c => Counter.FeatureOf(c) is { } feature && (late || !byDay.Contains(feature))).ToList();
                if (gone.Count == 0) continue;
                var counters = Of(day);
                foreach (var counter in gone) counters.Remove(counter);
            }
        }

        // Rounded to thousandths before and after adding: sums of decimals in doubles depend on their order in the last digit, these do not.
        private void Add(DateOnly day, string counter, double amount)
        {
            var counters = Of(day);
            amount = Math.Round(Math.Clamp(amount, -MaxAmount, MaxAmount), 3);
            counters[counter] = !counters.TryGetValue(counter, out var sum) ? amount
                : Counter.IsMax(counter) ? Math.Max(sum, amount)
                : Math.Round(sum + amount, 3);
        }

        private Dictionary<string, double> Of(DateOnly day)
        {
            if (copied.Add(day)) days[day] = days.TryGetValue(day, out var before) ? new(before) : [];
            return days[day];
        }

        private void FirstUse(string feature, DateTimeOffset first)
        {
            if (firstUses.TryGetValue(feature, out var known) && known <= first) return;
            firstUses[feature] = first;
            featuresChanged = true;
        }

        private void Trait(string name, TraitValue said)
        {
            if (!traits.TryGetValue(name, out var known) || said.At > known.At || (said.At == known.At && said.Value > known.Value)) traits[name] = said;
        }

        private static Dictionary<string, T> Ordered<T>(Dictionary<string, T> of) => of.OrderBy(p => p.Key, StringComparer.Ordinal).ToDictionary(p => p.Key, p => p.Value);
    }
}
