using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Insight;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Insight;

/// <summary>What becomes of invoices whose first attempt failed. Day 0 is Monday, 2 February 2026, noon; the figures are counted on day 20 where nothing else is said.</summary>
public class RecoveryTests
{
    private static readonly DateTimeOffset Monday = new(2026, 2, 2, 12, 0, 0, TimeSpan.Zero);

    /// <summary>The edge cases of docs/definitions.md, one invoice of $49 each: the week, the kind, what became of it.</summary>
    public static TheoryData<string, Case, string> Cases => new()
    {
        { "Stripe's retry succeeds before our first e-mail", Renewal(paid: 1) with { Mails = [Mail(2)] }, "2026-02-02, insufficient_funds, silent after 1" },
        { "paid after an e-mail that the provider took", Renewal(paid: 3.5) with { Mails = [Mail(0), Mail(3)] }, "2026-02-02, insufficient_funds, after_email after 3" },
        { "the e-mail was refused, so nobody had it", Renewal(paid: 3) with { Mails = [Mail(0, MailResult.Refused)] }, "2026-02-02, insufficient_funds, silent after 3" },
        { "nobody knows whether the e-mail went", Renewal(paid: 3) with { Mails = [Mail(0, MailResult.Unknown)] }, "2026-02-02, insufficient_funds, email_unknown after 3" },
        { "held out, and paid all the same", Renewal(paid: 3) with { Outcome = RunOutcome.HeldOut }, "2026-02-02, insufficient_funds, held_out after 3" },
        { "paid while flows were a preview", Renewal(paid: 3) with { Preview = true, Mails = [Mail(0, MailResult.Previewed)] }, "2026-02-02, insufficient_funds, preview after 3" },
        { "paid while dunning was switched off", Renewal(paid: 3) with { HasRun = false }, "2026-02-02, insufficient_funds, no_flow after 3" },
        { "not paid yet, and young", Renewal(), "2026-02-02, insufficient_funds, still_open" },
        { "not paid in 30 days", Renewal() with { AsOf = 30 }, "2026-02-02, insufficient_funds, unpaid" },
        { "voided", Renewal() with { Voided = 5 }, "2026-02-02, insufficient_funds, unpaid" },
        { "paid after 40 days", Renewal(paid: 40) with { AsOf = 41, Mails = [Mail(0)] }, "2026-02-02, insufficient_funds, after_email after 40" },
        { "the bank wants a confirmation", Renewal(paid: 1) with { Asked = true, Failures = [] }, "2026-02-02, authentication_required, silent after 1" },
        { "the bank wants a confirmation, and a later attempt is declined", Renewal(paid: 9) with { Asked = true, FailedThen = 3, Failures = [Failure(3, "expired_card")] }, "2026-02-02, authentication_required, silent after 9" },
        { "failed on Sunday, one minute to midnight", Renewal(paid: 8) with { Failed = 6 + (11 * 60 + 59) / 1440.0, Failures = [Failure(6.4, "insufficient_funds")] }, "2026-02-02, insufficient_funds, silent after 1" },
        { "failed on Monday at midnight", Renewal(paid: 8) with { Failed = 6.5, Failures = [Failure(6.5, "insufficient_funds")] }, "2026-02-09, insufficient_funds, silent after 1" },
        { "no reason is told", Renewal(paid: 1) with { Failures = [] }, "2026-02-02, unknown, silent after 1" },
        { "the first attempt decides the kind, not the second", Renewal(paid: 9) with { Failures = [Failure(0, "insufficient_funds"), Failure(3, "expired_card")] }, "2026-02-02, insufficient_funds, silent after 9" },
        { "an upgrade that is billed at once", Renewal(paid: 1) with { Reason = "subscription_update" }, "2026-02-02, insufficient_funds, silent after 1" },
        { "the first invoice of a subscription", Renewal(paid: 1) with { Reason = "subscription_create" }, "no part" },
        { "the first invoice after a trial", Renewal(paid: 1) with { TrialEnd = 0 }, "no part" },
        { "a one-off invoice", Renewal(paid: 1) with { OneOff = true }, "no part" },
        { "an invoice over nothing", Renewal(paid: 1) with { Amount = 0 }, "no part" },
        { "an invoice that never failed", Renewal(paid: 1) with { Failed = null, Failures = [] }, "no part" },
    };

    [Theory, MemberData(nameof(Cases))]
    public void An_invoice_is_counted_once(string name, Case it, string told) => Assert.Equal((name, told), (name, Told(it)));

    [Theory, MemberData(nameof(Cases))]
    public void The_case_stands_in_the_definitions(string name, Case it, string told)
    {
        Assert.NotNull(it);
        Assert.Contains($"| {name} | {told} |", File.ReadAllText(Path.Combine(Repository.Root, "docs", "definitions.md")));
    }

    [Fact]
    public void The_rate_of_a_week_is_known_when_none_is_open_any_more()
    {
        Case[] cases = [Renewal(paid: 1), Renewal(paid: 3.5) with { Mails = [Mail(3)] }, Renewal(), Renewal() with { Voided = 5 }];
        var young = Report(cases, 20);
        Assert.Equal((4, 2, 1, 1), (young.Young.Failed.Count, young.Young.Recovered.Count, young.Young.StillOpen.Count, young.Young.Of(InvoiceFate.Unpaid).Count));
        Assert.Null(young.Weeks.Single().Figures.Rate.Value);
        Assert.Equal((0.5, 0.75), (young.Weeks.Single().Figures.AtLeast.Value, young.Weeks.Single().Figures.AtMost.Value));
        // Nothing of it is in the rate of the whole, good or bad.
        Assert.Equal(0, young.Decided.Failed.Count);
        // Monday and its week, and 30 days: from 11 March on.
        var over = Report(cases, 37);
        Assert.Equal((new Ratio(2, 4), new Ratio(9800, 19600)), (over.Decided.Rate, over.Decided.AmountRate));
        Assert.True(over.Weeks.Single().IsOver);
        Assert.False(Report(cases, 36).Weeks.Single().IsOver);
    }

    [Fact]
    public void The_median_and_the_buckets_of_the_days()
    {
        var report = Report([Renewal(paid: 0.2), Renewal(paid: 1), Renewal(paid: 2), Renewal(paid: 9), Renewal()], 60);
        Assert.Equal(1.5, report.Decided.MedianDays);
        Assert.Equal([1, 2, 0, 1, 0, 0], RecoveryReport.ByBucket(report.Decided));
        Assert.Equal(2, Report([Renewal(paid: 0.2), Renewal(paid: 2), Renewal(paid: 9)], 60).Decided.MedianDays);
        Assert.Null(Report([Renewal()], 60).Decided.MedianDays);
        Assert.Equal(1, Report([Renewal(paid: 200)], 300).Decided.Days[RecoveryFacts.MostDays]);
    }

    [Fact]
    public void Currencies_and_weeks_that_are_not_asked_for_are_left_out()
    {
        Case[] cases = [Renewal(paid: 1), Renewal(paid: 1) with { Currency = "eur", Failures = [] }, Renewal(paid: 9) with { Failed = 7 }];
        var cells = RecoveryFacts.Sum(cases.SelectMany(Cells));
        Assert.Equal(["usd", "eur"], Of(new(new(2026, 2, 2), new(2026, 2, 9), null)).Select(r => r.Currency));
        Assert.Equal(["eur"], Of(new(new(2026, 2, 2), new(2026, 2, 9), "eur")).Select(r => r.Currency));
        Assert.Equal([new DateOnly(2026, 2, 9)], Of(new(new(2026, 2, 9), new(2026, 3, 2), null)).Single().Weeks.Select(w => w.Week));

        IReadOnlyList<RecoveryReport> Of(RecoveryRequest request) => RecoveryReport.Of(cells, request, 30, Monday.AddDays(100));
    }

    [Fact]
    public void In_any_order_and_any_buckets_the_parts_add_up_to_the_whole() => Prop.ForAll(Lives.ToArbitrary(), cases =>
    {
        var cells = cases.SelectMany(Cells).ToList();
        var whole = RecoveryFacts.Sum(cells);
        var shuffled = RecoveryFacts.Sum(cells.AsEnumerable().Reverse().Chunk(3).SelectMany(bucket => StoredRecovery.Of(RecoveryFacts.Sum(bucket)).Cells()));
        Assert.Equal(Text(whole), Text(shuffled));
        foreach (var report in RecoveryReport.Of(whole, new(new(2026, 1, 5), new(2026, 6, 1), null), 30, Monday.AddDays(50)))
        {
            var all = whole.Where(c => c.Key.Currency == report.Currency).ToList();
            Assert.Equal(all.Sum(c => c.Count), report.Decided.Failed.Count + report.Young.Failed.Count);
            Assert.Equal(all.Sum(c => c.Amount), report.Weeks.Sum(w => w.Figures.Failed.Amount));
            Assert.Equal(report.Decided.Failed, report.Kinds.Aggregate(new Tally(), (sum, k) => sum + k.Figures.Failed));
            Assert.All(report.Weeks, w => Assert.Equal(w.Figures.Failed, Enum.GetValues<InvoiceFate>().Aggregate(new Tally(), (sum, fate) => sum + w.Figures.Of(fate))));
            Assert.All(report.Weeks, w => Assert.Equal(w.Figures.Recovered, w.Figures.Of(InvoiceFate.Silent) + w.Figures.Of(InvoiceFate.AfterEmail) + w.Figures.Other));
            Assert.All(report.Weeks, w => Assert.Equal(w.Figures.Recovered.Count, w.Figures.Days.Values.Sum()));
            Assert.Equal(0, report.Decided.StillOpen.Count);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_the_summary_counts_of_rows_is_what_follows_from_the_invoices()
    {
        var it = Renewal(paid: 3.5) with { Mails = [Mail(0)] };
        var (customer, invoice, run) = it.Rows();
        var rows = CustomerRows.Of(customer, [(CustomerNouns.Invoices, invoice), (CustomerNouns.Invoices, new Invoice { Id = "in_never_failed" }), (CustomerNouns.Runs, run!), .. it.Failures.Select(f => (CustomerNouns.Failures, (object)f))]);
        var stored = (StoredRecovery)new RecoverySummary(new RetentionSettings()).Count([rows], Monday.AddDays(20))!;
        Assert.Equal(Text(Cells(it)), Text(stored.Cells()));
        Assert.Equal(["m202602"], stored.Keys);
        // What is written is what is read.
        var read = System.Text.Json.JsonSerializer.Deserialize<StoredRecovery>(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(stored, TablesExtensions.Json), TablesExtensions.Json)!;
        Assert.Equal(Text(stored.Cells()), Text(read.Cells()));
        Assert.Null(new RecoverySummary(new RetentionSettings()).Count([CustomerRows.Of(customer)], Monday));
    }

    [Fact]
    public void An_invoice_stays_open_as_long_as_its_MRR_counts_or_Stripe_retries() =>
        Assert.Equal((30, 60), (RecoveryFacts.OpenDays(new RetentionSettings()), RecoveryFacts.OpenDays(new RetentionSettings { Flows = { RetryWindowDays = 60 } })));

    [Theory]
    [InlineData("card_declined", "insufficient_funds", DeclineGroup.InsufficientFunds)]
    [InlineData("card_declined", "51", DeclineGroup.InsufficientFunds)]
    [InlineData("expired_card", null, DeclineGroup.CardExpired)]
    [InlineData("card_declined", "do_not_honor", DeclineGroup.Declined)]
    [InlineData("card_declined", null, DeclineGroup.Declined)]
    [InlineData("authentication_required", "authentication_required", DeclineGroup.AuthenticationRequired)]
    [InlineData("card_declined", "stolen_card", DeclineGroup.LostOrFraud)]
    [InlineData("incorrect_cvc", "incorrect_cvc", DeclineGroup.CardNotUsable)]
    [InlineData("processing_error", null, DeclineGroup.BankNotReached)]
    [InlineData("card_declined", "revocation_of_authorization", DeclineGroup.Revoked)]
    [InlineData("card_declined", "a_code_of_next_year", DeclineGroup.Other)]
    [InlineData(null, null, DeclineGroup.Unknown)]
    public void Codes_are_grouped_by_the_banks_reason_first(string? code, string? decline, DeclineGroup group) => Assert.Equal(group, DeclineGroups.Of(code, decline));

    /// <summary>What the e-mails call hard, expired or revoked is in a group of its own kind: the two lists of codes do not contradict each other.</summary>
    [Theory]
    [InlineData("expired_card")]
    [InlineData("stop_payment_order")]
    [InlineData("authentication_required")]
    [InlineData("lost_card")]
    [InlineData("insufficient_funds")]
    public void The_groups_agree_with_what_the_e_mails_are_worded_by(string code)
    {
        var kind = Declines.Kind(null, code);
        var group = DeclineGroups.Of(null, code);
        Assert.Equal(kind == DeclineKind.ExpiredCard, group == DeclineGroup.CardExpired);
        Assert.Equal(kind == DeclineKind.Revoked, group == DeclineGroup.Revoked);
        Assert.Equal(kind == DeclineKind.AuthenticationRequired, group == DeclineGroup.AuthenticationRequired);
    }

    [Fact]
    public void Which_failure_is_an_invoices_own_does_not_depend_on_their_order()
    {
        var invoice = Renewal().Rows().Invoice;
        PaymentFailure other = Failure(0.01, "lost_card") with { Amount = 100 }, named = Failure(0.02, "expired_card") with { InvoiceId = "in_other" };
        PaymentFailure[] all = [other, named, Failure(0, "insufficient_funds"), Failure(0.5, "do_not_honor") with { Id = "ch_2" }];
        Assert.Equal(DeclineGroup.InsufficientFunds, DeclineGroups.OfFirst(invoice, all));
        Assert.Equal(DeclineGroup.InsufficientFunds, DeclineGroups.OfFirst(invoice, all.Reverse()));
        // The one that names the invoice goes before any that only has its amount.
        Assert.Equal(DeclineGroup.CardExpired, DeclineGroups.OfFirst(invoice, all.Append(Failure(0.3, "expired_card") with { InvoiceId = invoice.Id })));
        // Of the first attempt the charge has no reason, its payment intent has.
        Assert.Equal(DeclineGroup.LostOrFraud, DeclineGroups.OfFirst(invoice, [Failure(0, null) with { Code = "card_declined" }, Failure(0.0001, "lost_card") with { Id = "pi_1" }]));
    }

    internal static Case Renewal(double? paid = null) => new() { Paid = paid };

    internal static (double Day, MailResult Result) Mail(double day, MailResult result = MailResult.Accepted) => (day, result);

    internal static PaymentFailure Failure(double day, string? decline) => new() { Id = $"ch_{day}", At = Monday.AddDays(day), Code = "card_declined", DeclineCode = decline, Amount = 4900, Currency = "usd" };

    private static IEnumerable<RecoveryCell> Cells(Case it)
    {
        var (customer, invoice, run) = it.Rows();
        return RecoveryFacts.Of(customer, [invoice], [.. it.Failures], run is null ? [] : [run], 30, Monday.AddDays(it.AsOf));
    }

    private static RecoveryReport Report(IEnumerable<Case> cases, double asOf) => RecoveryReport.Of(
        RecoveryFacts.Sum(cases.SelectMany(c => Cells(c with { AsOf = asOf }))), new RecoveryRequest(new DateOnly(2026, 1, 5), new DateOnly(2026, 6, 1), null), 30, Monday.AddDays(asOf)).Single();

    private static string Told(Case it) => Cells(it).SingleOrDefault() is not { } cell ? "no part"
        : $"{cell.Key.Week:yyyy-MM-dd}, {RetentionFunctions.Web.Words.Of(cell.Key.Kind)}, {RetentionFunctions.Web.Words.Of(cell.Key.Fate)}{(cell.Days is { } days ? $" after {days.Keys.Single()}" : "")}";

    private static List<string> Text(IEnumerable<RecoveryCell> cells) => [.. cells.Select(c => $"{c.Key} {c.Count} {c.Amount} {string.Join(' ', (c.Days ?? new Dictionary<int, int>()).OrderBy(d => d.Key))}")];

    private static Gen<Case[]> Lives { get; } =
        (from failed in Gen.Choose(0, 60)
         from after in Gen.Choose(0, 70)
         from mail in Gen.Choose(0, 30)
         from result in Gen.Elements(MailResult.Accepted, MailResult.Unknown, MailResult.Refused)
         from outcome in Gen.Elements(RunOutcome.Completed, RunOutcome.HeldOut)
         from currency in Gen.Elements("usd", "eur")
         from decline in Gen.Elements("insufficient_funds", "expired_card", "lost_card", "what")
         from has in Gen.Elements(true, true, false)
         select new Case
         {
             Failed = failed, Paid = after > 50 ? null : failed + (after / 2.0), Mails = [Mail(failed + mail, result)], Outcome = outcome, Currency = currency, HasRun = has, AsOf = 50,
             Failures = [Failure(failed, decline) with { Currency = currency }],
         }).ArrayOf();

    /// <summary>One invoice and what happened to it; days count from the Monday.</summary>
    public sealed record Case
    {
        public double? Failed { get; init; } = 0;

        public double? Paid { get; init; }

        public double? Voided { get; init; }

        public double? TrialEnd { get; init; }

        public double AsOf { get; init; } = 20;

        public bool Asked { get; init; }

        /// <summary>Where the bank asked first: when an attempt failed after that.</summary>
        public double? FailedThen { get; init; }

        public bool OneOff { get; init; }

        public bool HasRun { get; init; } = true;

        public bool Preview { get; init; }

        public long Amount { get; init; } = 4900;

        public string Currency { get; init; } = "usd";

        public string Reason { get; init; } = "subscription_cycle";

        public RunOutcome? Outcome { get; init; } = RunOutcome.Completed;

        public IReadOnlyList<(double Day, MailResult Result)> Mails { get; init; } = [];

        public IReadOnlyList<PaymentFailure> Failures { get; init; } = [Failure(0, "insufficient_funds")];

        public (Customer Customer, Invoice Invoice, Run? Run) Rows()
        {
            var stamp = Stamp.Of(Monday.AddDays(-90), "evt_1", "customer.subscription.created");
            var snapshot = new SubscriptionSnapshot { SubscriptionId = "sub_1", Stamp = stamp, Status = "active", Mrr = 4900, Currency = Currency, CreatedAt = stamp.At, TrialEndAt = At(TrialEnd) };
            var customer = new Customer { Id = "cus_1", Subscriptions = [new Subscription { Latest = snapshot, Mrr = 4900, State = SubscriptionState.Active }] };
            var failed = At(Failed);
            var invoice = new Invoice
            {
                Id = "in_1", FirstFailedAt = Asked ? At(FailedThen) : failed, ActionRequiredAt = Asked ? failed : null, PaidAt = At(Paid), VoidedAt = At(Voided),
                Latest = new InvoiceSnapshot { InvoiceId = "in_1", Change = InvoiceChange.PaymentFailed, SubscriptionId = OneOff ? null : "sub_1", BillingReason = Reason, AmountDue = Amount, Currency = Currency, CreatedAt = Monday },
            };
            var run = new Run
            {
                Id = new RunId("cus_1", "dunning", "in_1"), Definition = FlowDefaults.Definitions()[FlowDefaults.Dunning], StartedAt = failed ?? Monday, InvoiceId = "in_1", Because = "a payment failed", Status = RunStatus.Ended,
                Outcome = Outcome, Preview = Preview, Sent = [.. Mails.Select((m, i) => new SentStep(i + 1, "t", At(m.Day)!.Value, m.Result))],
            };
            return (customer, invoice, HasRun ? run : null);
        }

        private static DateTimeOffset? At(double? day) => day is { } days ? Monday.AddDays(days) : null;
    }
}
