using System.Text.Json;
using RetentionFunctions.Local.Sandbox;

namespace RetentionFunctions.Local.Demo;

/// <summary>Which year is played.</summary>
/// <param name="Customers">How many people sign up in it.</param>
/// <param name="Days">How long it is.</param>
/// <param name="Seed">Which of all such years: the same seed gives the same year.</param>
/// <param name="StartsAt">Its first midnight, UTC.</param>
internal sealed record DemoYear(int Customers, int Days, ulong Seed, DateTimeOffset StartsAt);

/// <summary>An e-mail that a customer finds.</summary>
/// <param name="Links">The addresses of its links by purpose.</param>
internal sealed record DemoMail(string CustomerId, string Flow, int Step, DateTimeOffset SentAt, IReadOnlyDictionary<string, string> Links);

/// <summary>Something that the world outside does to the product.</summary>
internal abstract record DemoStep(string CustomerId)
{
    /// <summary>Stripe tells of an action: its events, in Stripe's order.</summary>
    internal sealed record Tells(string CustomerId, IReadOnlyList<SandboxEvent> Events) : DemoStep(CustomerId);

    /// <summary>A customer presses the button behind the link of an e-mail.</summary>
    internal sealed record Clicks(string CustomerId, string Link, IReadOnlyList<KeyValuePair<string, string>> Form) : DemoStep(CustomerId);
}

/// <summary>
/// A company like a founder's, with its customers and its Stripe account. Pure: no port, no clock; the same year, asked the same way and shown the same e-mails,
/// does the same. What a customer does is decided in <see cref="DemoLife"/>; here it is put in its order.
/// </summary>
internal sealed class DemoCompany
{
    private readonly PriorityQueue<Func<DateTimeOffset, IEnumerable<DemoStep>>, (DateTimeOffset At, long Number)> plans = new();
    private readonly Dictionary<string, DemoPerson> byCustomer;
    private readonly PriorityQueue<DemoAppEvent, (DateTimeOffset At, long Number)> held = new();
    private readonly DemoLife life;
    private long number;

    /// <param name="year">Which.</param>
    /// <param name="invoicePage">Where its invoices can be paid; null: nowhere, nobody is there to do it.</param>
    public DemoCompany(DemoYear year, string? invoicePage = null)
    {
        Year = year;
        var options = new SandboxOptions();
        Stripe = new SandboxStripe(invoicePage is null ? options : options with { InvoicePage = invoicePage });
        People = [.. Enumerable.Range(1, year.Customers).Select(index => DemoPerson.Draw(year.Seed, index, year.StartsAt, year.Days))];
        byCustomer = People.ToDictionary(p => p.CustomerId, StringComparer.Ordinal);
        life = new DemoLife(this);
        foreach (var person in People) life.Begin(person);
    }

    public DemoYear Year { get; }

    public SandboxStripe Stripe { get; }

    public IReadOnlyList<DemoPerson> People { get; }

    /// <summary>Whether it has this customer, or will have.</summary>
    public bool Has(string customerId) => byCustomer.ContainsKey(customerId);

    /// <summary>Something is done to a customer at Stripe from outside the company's own life: by a link of an e-mail, or by the founder. The customer knows of it.</summary>
    /// <exception cref="SandboxRefusedException">Stripe would not do it; nothing is changed.</exception>
    public IReadOnlyList<SandboxEvent> Act(string customerId, SandboxAct act, DateTimeOffset at)
    {
        var events = act.Do(Stripe, customerId, at);
        foreach (var told in events) Notice(told, at);
        var person = byCustomer[customerId];
        person.CancelScheduled = Stripe.Subscription(person.SubscriptionId) is { IsEnded: false, CancelAtPeriodEnd: true };
        return events;
    }

    /// <summary>What will happen at a time.</summary>
    public void Plan(DateTimeOffset at, Func<DateTimeOffset, IEnumerable<DemoStep>> what) => plans.Enqueue(what, (at, ++number));

    /// <summary>All that happens before a moment, in order, that did not happen yet.</summary>
    public IReadOnlyList<DemoStep> Until(DateTimeOffset to)
    {
        var steps = new List<DemoStep>();
        while (true)
        {
            var planned = plans.TryPeek(out _, out var first) ? first.At : DateTimeOffset.MaxValue;
            var falls = Stripe.NextAt ?? DateTimeOffset.MaxValue;
            if (planned >= to && falls >= to) return steps;
            if (falls <= planned)
            {
                // Several customers' renewals may fall on one second: each is told on its own.
                foreach (var own in Stripe.AdvanceTo(falls).GroupBy(e => e.CustomerId)) Take(new DemoStep.Tells(own.Key, [.. own]), falls);
            }
            else
            {
                var plan = plans.Dequeue();
                try
                {
                    foreach (var step in plan(planned)) Take(step, planned);
                }
                catch (SandboxRefusedException)
                {
                    // Somebody from outside was faster, and Stripe does it no more: then it is not done.
                }
            }
        }

        void Take(DemoStep step, DateTimeOffset at)
        {
            if (step is DemoStep.Tells { Events: var events })
            {
                if (events.Count == 0) return;
                foreach (var told in events) Notice(told, at);
            }
            steps.Add(step);
        }
    }

    /// <summary>A customer finds an e-mail, and may do something about it: an hour or days later.</summary>
    /// <param name="mail">The e-mail.</param>
    /// <param name="notBefore">The present: nothing is done in the past.</param>
    public void Read(DemoMail mail, DateTimeOffset notBefore)
    {
        if (byCustomer.GetValueOrDefault(mail.CustomerId) is { } person) life.Read(person, mail, notBefore);
    }

    /// <summary>What the app sends of a day (UTC): its own events and what was held back from days before, in order. Each day is asked for once, in order.</summary>
    public IReadOnlyList<DemoAppEvent> AppEvents(DateOnly day)
    {
        foreach (var person in People)
            if (person.SignedUp)
                foreach (var one in DemoUse.Day(Year.Seed, person, day, DemoTruths.Planted)) held.Enqueue(one, (one.At, ++number));
        var end = new DateTimeOffset(day.AddDays(1).ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);
        var sent = new List<DemoAppEvent>();
        while (held.TryPeek(out var one, out var order) && order.At < end)
        {
            held.Dequeue();
            sent.Add(one);
        }
        return sent;
    }

    // What Stripe did by itself that a customer notices.
    private void Notice(SandboxEvent told, DateTimeOffset at)
    {
        if (byCustomer.GetValueOrDefault(told.CustomerId) is not { } person) return;
        switch (told.Type)
        {
            case "invoice.payment_failed":
                life.PaymentFailed(person, InvoiceOf(told), at);
                break;
            case "invoice.paid":
                person.OpenInvoice = null;
                person.LastPaidInvoice = InvoiceOf(told);
                break;
            case "customer.subscription.paused":
                life.TrialRanOut(person, at);
                break;
            case "customer.subscription.resumed":
                person.Subscribed = true;
                break;
            case "customer.subscription.deleted":
                life.SubscriptionEnded(person, at);
                break;
        }
    }

    private static string InvoiceOf(SandboxEvent told)
    {
        using var body = JsonDocument.Parse(told.Body);
        return body.RootElement.GetProperty("data").GetProperty("object").GetProperty("id").GetString()!;
    }
}
