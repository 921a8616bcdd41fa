using RetentionFunctions.Links;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Demo;

/// <content>
/// What is done to the demo's customers at Stripe by a link, a page of the sandbox or its API: by the founder who tries it, or by the product for a customer who clicked. It
/// is the same Stripe account that the company has. Each act is kept with the stop after which it came, so that a life that is lived again has it in its place.
/// </content>
public sealed partial class DemoPlayer
{
    // The company is one for all threads: the player's, and those of requests.
    private readonly object stage = new();
    private readonly List<Done> acts = [];
    private int replayed;
    private bool stale;

    /// <summary>Whether the customer is one of the demo company's.</summary>
    internal async Task<bool> HasAsync(string customerId, CancellationToken cancel = default) => await CompanyAsync(cancel) is { } known && known.Has(customerId);

    /// <summary>Whose the invoice is, where it is of one of the demo's customers.</summary>
    internal async Task<string?> OwnerAsync(string invoiceId, CancellationToken cancel = default)
    {
        if (await CompanyAsync(cancel) is not { } known) return null;
        lock (stage) return known.Stripe.Invoice(invoiceId)?.CustomerId;
    }

    /// <summary>A customer of the demo's as its pages show it; null where there is none, or none any more.</summary>
    internal async Task<SandboxView?> ViewAsync(string customerId, CancellationToken cancel = default)
    {
        if (await CompanyAsync(cancel) is not { } known) return null;
        lock (stage) return SandboxView.Of(known.Stripe, customerId);
    }

    /// <summary>Does something to a customer of the demo's, now, and puts the events on their way. The same key again changes nothing.</summary>
    internal async Task<BillingResult> ActAsync(string customerId, string key, SandboxAct act, CancellationToken cancel = default)
    {
        var known = await CompanyAsync(cancel) ?? throw new InvalidOperationException("There is no demo company.");
        IReadOnlyList<SandboxEvent> events;
        Done done;
        lock (stage)
        {
            if (acts.Exists(a => a.CustomerId == customerId && a.Key == key)) return new BillingResult.Done();
            if (replayed < acts.Count) throw new TransientBillingException("The demo company is being lived again; try again in a moment.");
            done = new Done(acts.Count + 1, customerId, key, clock.GetUtcNow(), stoppedAt, act);
            try
            {
                events = known.Act(customerId, act, done.At);
            }
            catch (SandboxRefusedException refused)
            {
                return new BillingResult.Refused(refused.Message);
            }
            acts.Add(done);
            replayed = acts.Count;
        }
        try
        {
            await post.TryQueueAsync(events, [new Write.Upsert(Keys.SandboxAct(done.Number).Key, TablesExtensions.Write(done))], cancel);
        }
        catch
        {
            // The company knows more than is stored: it is lived again.
            stale = true;
            throw;
        }
        return new BillingResult.Done();
    }

    /// <summary>Looks at the company's Stripe account, as it stands at the given time; the default where there is no company. Also from within the pump: never waits for the clock.</summary>
    /// <exception cref="TransientBillingException">The company is being lived again.</exception>
    internal async Task<T?> LookAsync<T>(Func<SandboxStripe, DateTimeOffset, T> look, CancellationToken cancel = default)
    {
        if ((company is null || stale) && await YearAsync(tables, cancel) is { } year)
        {
            if (!await playing.WaitAsync(TimeSpan.Zero, cancel)) throw new TransientBillingException("The demo company is being lived again; try again in a moment.");
            try
            {
                if (company is null || stale) await RelivedAsync(year, cancel);
            }
            finally
            {
                playing.Release();
            }
        }
        if (company is not { } known) return default;
        lock (stage) return look(known.Stripe, stoppedAt);
    }

    /// <summary>Moves the simulated clock, unless it is being moved at this moment.</summary>
    internal async Task TryAdvanceAsync(DateTimeOffset to, CancellationToken cancel = default)
    {
        if (!await playing.WaitAsync(TimeSpan.Zero, cancel)) return;
        try
        {
            await AdvanceNowAsync(to, cancel);
        }
        finally
        {
            playing.Release();
        }
    }

    // Where a host was started anew, and nobody moved the clock yet, the company is lived again first.
    private async Task<DemoCompany?> CompanyAsync(CancellationToken cancel)
    {
        if (company is { } known && !stale) return known;
        if (await YearAsync(tables, cancel) is not { } year) return null;
        await playing.WaitAsync(cancel);
        try
        {
            if (company is not null && !stale) return company;
            await RelivedAsync(year, cancel);
            // The stop at which the clock stands is told once more, and with it what was done after it is in its place.
            await AdvanceNowAsync(clock.GetUtcNow(), cancel);
            return company;
        }
        finally
        {
            playing.Release();
        }
    }

    private async Task LoadActsAsync(CancellationToken cancel)
    {
        var stored = await tables.ListAsync<Done>(Keys.SandboxActs, cancel);
        lock (stage)
        {
            acts.Clear();
            acts.AddRange(stored);
            replayed = 0;
            stale = false;
        }
    }

    // The acts that came after the stop at which the company has arrived. Their events are told again only where the stop itself is: the others arrived, or are on their way.
    private List<DemoStep> Replayed()
    {
        var steps = new List<DemoStep>();
        for (; replayed < acts.Count && acts[replayed].After == stoppedAt; replayed++)
            if (company!.Act(acts[replayed].CustomerId, acts[replayed].Act, acts[replayed].At) is { Count: > 0 } events) steps.Add(new DemoStep.Tells(acts[replayed].CustomerId, events));
        return steps;
    }

    /// <summary>An act as it is stored.</summary>
    /// <param name="Number">From 1.</param>
    /// <param name="CustomerId">To whom.</param>
    /// <param name="Key">Names it among those of the customer.</param>
    /// <param name="At">When.</param>
    /// <param name="After">The last stop before it.</param>
    /// <param name="Act">What.</param>
    private sealed record Done(int Number, string CustomerId, string Key, DateTimeOffset At, DateTimeOffset After, SandboxAct Act);
}
