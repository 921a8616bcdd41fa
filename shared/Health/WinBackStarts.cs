using System.Globalization;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Health;

/// <summary>The part of the daily sweep that starts win-back for whom it is called for, at most so many a day.</summary>
internal sealed class WinBackStarts(ITables tables, FlowDispatch flows, RetentionSettings settings)
{
    /// <summary>The customer, where win-back is called for; else null.</summary>
    public Candidate? CandidateOf(Customer customer, ActivityView view, DateTimeOffset now) =>
        settings.Flows.Definitions.TryGetValue(FlowDispatch.WinBackFlow, out var winBack)
        && FlowStart.WinBack(customer, view, settings.Flows, winBack, FlowDispatch.WinBackFlow, now) is { } reason
            ? new Candidate(customer.Id, customer.Mrr.Values.DefaultIfEmpty().Max(), reason.Because)
            : null;

    /// <summary>Whether it was started for a customer on a day. Counted on the customers themselves: a counter beside them would forget those that were started just before a crash.</summary>
    public bool StartedOn(Customer customer, DateOnly day) =>
        (customer.LastStarts.TryGetValue(FlowDispatch.WinBackFlow, out var at) && Today(at) == day) ||
        customer.OpenRuns.Any(r => r.Flow == FlowDispatch.WinBackFlow && r.Occasion == FlowStart.Occasion(Occasion(day), FlowMode.Preview));

    /// <summary>Starts as many as a day may have, in their order.</summary>
    /// <param name="candidates">The most valuable first.</param>
    /// <param name="already">Started earlier on this day.</param>
    /// <param name="now">The moment of the whole sweep.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>How many it started.</returns>
    public async Task<int> StartAsync(List<Candidate> candidates, int already, DateTimeOffset now, CancellationToken cancel)
    {
        if (candidates.Count == 0 || !settings.Flows.Definitions.TryGetValue(FlowDispatch.WinBackFlow, out var definition)) return 0;
        var today = Today(now);
        var started = 0;
        foreach (var candidate in candidates)
        {
            if (already + started >= settings.Flows.MaxStartsPerDay) break;
            if (await StartAsync(candidate.CustomerId, definition, today, now, cancel)) started++;
        }
        return started;
    }

    private async Task<bool> StartAsync(string customerId, FlowDefinition definition, DateOnly today, DateTimeOffset now, CancellationToken cancel)
    {
        for (var attempt = 0; attempt < 10; attempt++)
        {
            // Read again: the sweep may have taken a while, and the customer may be back.
            if (await CustomerView.LoadAsync(tables, customerId, cancel) is not { } view) return false;
            if (StartedOn(view.Customer, today))
            {
                // By this very sweep, before it was interrupted: it counts, and the engine may not know of it.
                await flows.AfterChangeAsync(view.Customer, cancel);
                return true;
            }
            if (FlowStart.WinBack(view.Customer, ActivityView.Of(view.Activities, now), settings.Flows, definition, FlowDispatch.WinBackFlow, now) is not { } reason) return false;
            var run = FlowStart.Begin(FlowDispatch.WinBackFlow, definition, view.Customer, Occasion(today), null, reason.Because, settings.Flows.Mode, now) with { UseFell = reason.UseFell };
            if (await flows.StartAsync(run, view, cancel)) return true;
            // Started before, or the customer changed between reading and writing: then once more.
            if (await tables.GetAsync(Keys.Run(customerId, FlowDispatch.WinBackFlow, run.Id.Occasion), cancel) is not null) return false;
        }
        throw new TransientStorageException("A customer was changed by others ten times in a row.");
    }

    private static string Occasion(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private DateOnly Today(DateTimeOffset now) => DailySweep.Day(now, settings);
}
