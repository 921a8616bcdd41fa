using System.Text;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

/// <summary>Rows of customers as the other rooms write them.</summary>
internal static class SampleRows
{
    public const string Hostile = "<script>alert(1)</script>\"'><img src=x>";

    private static DateTimeOffset Now => HostedPipeline.Now;

    public static Customer Customer(string id, string? name = null, string? email = null, int? score = null, CustomerStatus status = CustomerStatus.Paying, long mrr = 2900, string currency = "usd") => new()
    {
        Id = id,
        Profile = new StripeProfile { Email = email ?? $"{id}@example.com", Name = name, Currency = currency },
        Status = status,
        Mrr = mrr == 0 ? new Dictionary<string, long>() : new Dictionary<string, long> { [currency] = mrr },
        Health = score is { } s ? Health(s, "sign-ins down 62 % against the last 60 days") : null,
    };

    public static HealthState Health(int score, string reason) => new()
    {
        Score = score,
        Tier = score >= 80 ? HealthTier.Healthy : score >= 60 ? HealthTier.LowRisk : score >= 40 ? HealthTier.MediumRisk : HealthTier.HighRisk,
        Stage = Stage.Value,
        ScoredOn = new DateOnly(2026, 3, 10),
        PreviousScore = score + 8,
        Reasons = [new HealthReason("signIns", reason, -18), new HealthReason("satisfaction", "no ratings: the weight went to the other signals", 0)],
        Dimensions = [new DimensionScore(Dimension.Use, 38, 50), new DimensionScore(Dimension.Service, null, 0), new DimensionScore(Dimension.Commercial, 71.5, 30), new DimensionScore(Dimension.Engagement, 90, 20)],
    };

    public static Run Run(string customer, string flow = "dunning", string occasion = "in_1", RunOutcome? outcome = null) => new()
    {
        Id = new RunId(customer, flow, occasion),
        Definition = new FlowDefinition { Steps = [.. new[] { 0, 3, 7, 10, 14 }.Select((day, i) => new FlowStep(day, $"{flow}-{i + 1}"))] },
        StartedAt = Now.AddDays(-4),
        Because = "the payment of $29.00 failed: insufficient funds",
        Status = outcome is null ? RunStatus.Running : RunStatus.Ended,
        Outcome = outcome,
        EndedAt = outcome is null ? null : Now.AddDays(-1),
        EndedBecause = outcome is null ? null : "the invoice was paid",
        DueAt = outcome is null ? Now.AddDays(3) : null,
        Sent = [new SentStep(1, $"{flow}-1", Now.AddDays(-4), MailResult.Accepted), new SentStep(2, $"{flow}-2", Now.AddDays(-1), MailResult.Accepted)],
    };

    public static Task SeedAsync(this ITables tables, Customer customer) => tables.UpsertAsync(Keys.Customer(customer.Id), customer);

    public static Task SeedAsync(this ITables tables, Run run) => tables.UpsertAsync(Keys.Run(run.Id.CustomerId, run.Id.Flow, run.Id.Occasion), run);

    /// <summary>One customer about whom there is something of everything, with one text put wherever somebody outside could put text.</summary>
    public static async Task FullAsync(HostedPipeline host, string id, string name, string text)
    {
        var tables = host.Tables;
        var stamp = Stamp.Of(Now.AddDays(-40), "evt_1", "customer.created");
        var snapshot = new SubscriptionSnapshot
        {
            SubscriptionId = "sub_1", Stamp = stamp, Status = "past_due", Mrr = 4900, Currency = "usd", Plan = text, Interval = "month", CreatedAt = Now.AddDays(-400),
            PeriodEndAt = Now.AddDays(12), Unpriced = [text],
        };
        await tables.SeedAsync(Customer(id, name, $"{id}@example.com", 34, CustomerStatus.PastDue, 4900) with
        {
            Health = Health(34, text),
            ValueTier = ValueTier.A,
            FirstPaidAt = Now.AddDays(-400),
            Subscriptions = [new Subscription { Latest = snapshot, Mrr = 4900, State = SubscriptionState.PastDue, PastDueSince = Now.AddDays(-4), EndsAt = Now.AddDays(12) }],
            RecentMovements = [new Movement(Now.AddDays(-400), MovementKind.New, 2900, "usd", 2900), new Movement(Now.AddDays(-90), MovementKind.Expansion, 2000, "usd", 4900)],
            Card = new Card(text, "4242", 4, 2026),
            App = new AppTraits(Now, "m", text, text),
            Unsubscribed = new Suppression(Now.AddDays(-2), text),
            Suppressed = new Suppression(Now.AddDays(-1), text),
            Renewal = new Renewal(stamp, 4900, "usd", Now.AddDays(12)),
            OpenRuns = [new OpenRun("dunning", "in_1", MailKind.Transactional)],
        });
        await tables.UpsertAsync(Keys.Activity(id, "u_1"), new Activity { Source = "u_1", FirstSeenAt = Now.AddDays(-90), LastSeenAt = Now.AddDays(-2), LastActiveAt = Now.AddDays(-12) });
        await tables.UpsertAsync(Keys.Activity(id, "mail"), new Activity { Source = "mail", FirstSeenAt = Now.AddDays(-90), LastSeenAt = Now.AddDays(-1), LastActiveAt = Now.AddDays(-1) });
        await tables.SeedAsync(Run(id) with { Because = text });
        await tables.SeedAsync(Run(id, "win-back", "2025-11-02", RunOutcome.Returned) with { EndedBecause = text });
        await tables.UpsertAsync(Keys.Invoice(id, "in_1"), new Invoice
        {
            Id = "in_1", FirstFailedAt = Now.AddDays(-4), NextAttemptAt = Now.AddDays(1),
            Latest = new InvoiceSnapshot { InvoiceId = "in_1", Change = InvoiceChange.PaymentFailed, Number = text, Status = "open", AmountDue = 4900, Currency = "usd", CreatedAt = Now.AddDays(-4) },
        });
        await tables.UpsertAsync(Keys.Invoice(id, "in_0"), new Invoice
        {
            Id = "in_0", PaidAt = Now.AddDays(-34),
            Latest = new InvoiceSnapshot { InvoiceId = "in_0", Change = InvoiceChange.Paid, Number = "LED-0041", Status = "paid", AmountDue = 4900, AmountPaid = 4900, Currency = "usd", CreatedAt = Now.AddDays(-34) },
        });
        await tables.UpsertAsync(Keys.Mail(id, "dunning", "in_1", 1), new MailRecord
        {
            Id = $"{id}-1", CustomerId = id, Flow = "dunning", Occasion = "in_1", Step = 1, Template = "dunning-1", Subject = text, To = $"{id}@example.com", At = Now.AddDays(-4), Result = MailResult.Accepted, Reason = text,
        });
        await tables.UpsertAsync(Keys.Note(id, "n1"), new Note { Id = "n1", At = Now.AddDays(-30), Kind = "answer", Text = text, By = text });
        await tables.UpsertAsync(Keys.Event(id, "evt_9"), new EventMarker("evt_9", "invoice.payment_failed", Now.AddDays(-4), text));
        await tables.UpsertAsync(Keys.Event(id, "u_1 m1"), new EventMarker("u_1 m1", "track", Now.AddDays(-12), text) { FromApp = true });
        host.Mails.Add(new OutboxMail(new OutgoingEmail
        {
            Id = $"{id}-1", CustomerId = id, Flow = "dunning", Occasion = "in_1", Step = 1, Template = "dunning-1", Kind = MailKind.Transactional,
            To = new Mailbox(text, $"{id}@example.com"), From = new Mailbox("Ledgerly Billing", "billing@example.com"), Subject = text,
            Html = "<!doctype html><html><head><title>x</title></head><body style=\"font-family:sans-serif;padding:24px\"><h2>Your payment did not go through</h2><p>Hi Ada, we tried to charge $49.00.</p><p><a href=\"http://127.0.0.1/l/abc\">Update your card</a></p></body></html>",
            Text = text, Links = new Dictionary<string, string> { ["pay"] = "http://127.0.0.1:5080/l/abc", ["trap"] = "javascript:alert(1)" },
            Headers = new Dictionary<string, string> { ["X-Flow"] = text },
        }, Now.AddDays(-4)));
        await host.Letters.KeepAsync(new InboxMessage("cus_1", $"evt_{id}/odd", MessageKind.StripeEvent, default, Now.AddHours(-3)), Encoding.UTF8.GetBytes(text), text, 5, Now.AddHours(-2));
    }
}
