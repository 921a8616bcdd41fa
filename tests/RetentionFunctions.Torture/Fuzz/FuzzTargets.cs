using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Logging.Abstractions;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Intake.Mail;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Fuzz;

/// <summary>What a fuzzer gives any bytes to. A target throws where one of its promises is broken, and returns otherwise.</summary>
internal static class FuzzTargets
{
    public delegate void Target(ReadOnlySpan<byte> input);

    private static readonly DateTimeOffset Now = new(2026, 3, 3, 9, 30, 0, TimeSpan.Zero);
    private static readonly RetentionSettings Settings = new();
    private static readonly StandingClock Clock = new(Now);
    private static readonly ValueTierThresholds Tiers = ValueTierThresholds.Of(Enumerable.Repeat(("usd", 4900L), 10), Settings.Customers);

    public static IReadOnlyDictionary<string, Target> All { get; } = new Dictionary<string, Target>(StringComparer.Ordinal)
    {
        ["stripe"] = Stripe, ["segment"] = Segment, ["links"] = Links, ["mail"] = Mail,
    };

    /// <summary>
    /// An event of Stripe. It is read, or refused as <see cref="UnreadableException"/> and nothing else; door and reader agree on it; what was read is handled at
    /// the first try, a copy changes nothing, the MRR is the sum of the ledger, and the sweep gets over the customer at any time.
    /// </summary>
    public static void Stripe(ReadOnlySpan<byte> input)
    {
        var body = input.ToArray();
        var envelope = Readable(() => StripeEnvelope.Read(body));
        var fact = Readable(() => StripeReader.Read(body, Settings.Customers));
        if (envelope is null)
        {
            Sane(fact is null, "the reader takes what the door refuses");
            return;
        }
        Sane(envelope is { Id.Length: > 0 and <= 255, Session.Length: > 0 and <= 255 } && !envelope.Session.Any(char.IsControl), "the session or id is no key");
        if (fact is null) return;
        Sane(fact.Stamp.EventId == envelope.Id && fact.Stamp.EventType == envelope.Type && fact.Stamp.At == envelope.CreatedAt, "reader and door read two events");
        Sane(fact.CustomerId is null || fact.CustomerId == envelope.CustomerId, "reader and door read two customers");
        Sane(fact.CustomerId is null || envelope.Session == fact.CustomerId, "an event of a customer goes by another session");
        if (fact is SubscriptionChanged { Snapshot: var snapshot })
            Sane(snapshot is { Mrr: >= 0, IntervalCount: >= 1, Status.Length: > 0, Currency.Length: > 0, SubscriptionId.Length: > 0 }, $"no sane subscription: {snapshot}");
        if (fact is InvoiceChanged { Invoice: var invoice }) Sane(invoice is { InvoiceId.Length: > 0, Currency.Length: > 0, AttemptCount: >= 0 }, $"no sane invoice: {invoice}");
        Sane(fact.References.All(r => r.Id.Length is > 0 and <= 255), "a reference is no id");

        var bench = new Bench();
        bench.StripeIntake.HandleAsync(body).GetAwaiter().GetResult();
        var commits = bench.Tables.Commits;
        bench.StripeIntake.HandleAsync(body).GetAwaiter().GetResult();
        Sane(fact.CustomerId is null || bench.Tables.Commits == commits, "a copy changed something");
        if (fact.CustomerId is not { } customerId) return;
        var customer = bench.Tables.GetAsync<Customer>(Keys.Customer(customerId)).GetAwaiter().GetResult()!.Value;
        bench.IsBalanced(customer);
        bench.Sweep(customerId);
    }

    /// <summary>
    /// A request of Segment's API; its first byte picks the call. Each item is accepted, ignored or rejected; what is accepted has a user, an id and a time that can
    /// be, comes back as it was from the queue, and is counted at the first try, once.
    /// </summary>
    public static void Segment(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return;
        var call = (SegmentCall)(input[0] % 7);
        var body = input[1..].ToArray();
        var read = Readable(() => SegmentReader.Read(call, body, Now, "request-1"));
        if (read is null) return;
        var items = 1;
        if (call == SegmentCall.Batch)
        {
            using var document = JsonDocument.Parse(body.AsMemory(body.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0), new JsonDocumentOptions { MaxDepth = 1000 });
            items = document.RootElement.GetProperty("batch").GetArrayLength();
        }
        Sane(read.Accepted.Count + read.Ignored + read.Rejected.Count == items, "an item is neither accepted nor ignored nor rejected");
        Sane(read.Rejected.All(r => r.Index >= 0 && r.Index < items && r.Reason.Length > 0), "a rejection says nothing");
        foreach (var one in read.Accepted)
        {
            Sane(one.UserId.Length is > 0 and <= SegmentReader.MaxNameLength && one.MessageId.Length is > 0 and <= 100, "no user or no id");
            Sane(one.At <= Now && one.At.Year >= 2000 && one.At.Offset == TimeSpan.Zero, "a time that cannot be");
            Sane(one.Type != AppEventType.Track || one.Name is { Length: > 0 }, "something without a name was done");
        }
        var messages = AppMessages.Of(read.Accepted, Now);
        var back = messages.Sum(m => AppMessages.Read(m.Body).Count);
        Sane(back == read.Accepted.DistinctBy(e => (e.UserId, e.MessageId)).Count(), "the queue loses or doubles events");
        var bench = new Bench();
        foreach (var message in messages) bench.AppIntake.HandleAsync(message.Body).GetAwaiter().GetResult();
        var rows = bench.Rows();
        foreach (var message in messages) bench.AppIntake.HandleAsync(message.Body).GetAwaiter().GetResult();
        Sane(rows.SequenceEqual(bench.Rows()), "a copy changed something");
        foreach (var user in read.Accepted.Select(e => e.UserId).Distinct().Take(3)) bench.Sweep(Keys.UntiedUser(user));
    }

    /// <summary>
    /// A link's token. Its first byte picks what is tried: any text as a token, any claims signed and read back, a signed token with one place changed, or two tokens
    /// put together, or any text that was signed. Nothing throws, and what is valid is what was signed.
    /// </summary>
    public static void Links(ReadOnlySpan<byte> input)
    {
        if (input.Length < 4) return;
        var how = input[0] % 5;
        var rest = input[1..];
        if (how == 0)
        {
            Forged(Encoding.UTF8.GetString(rest));
            return;
        }
        if (how == 4)
        {
            // As if somebody had our key: still no exception.
            Signed.Read(Base64Url.EncodeToString(rest));
            return;
        }
        var parts = Encoding.UTF8.GetString(rest[2..]).Split('\n');
        var claims = new LinkClaims
        {
            CustomerId = parts[0], Purpose = (LinkPurpose)(rest[0] % 6), Flow = parts.ElementAtOrDefault(1) ?? "", Occasion = parts.ElementAtOrDefault(2) ?? "", Step = 1 + rest[1],
            Subject = parts.ElementAtOrDefault(3), ExpiresAt = Now.AddSeconds((rest[1] - 128) * 100_000L),
        };
        var token = Tokens.Create(claims);
        if (how == 1)
        {
            // What is longer is refused before it is looked at; ids have 255 characters at most.
            var read = Tokens.Read(token);
            if (token.Length <= 4096) Sane(claims == (read as LinkReading.Valid)?.Claims || claims == (read as LinkReading.Expired)?.Claims, "what was signed is not what is read");
            if (token.Length <= 4096) Sane(read is LinkReading.Valid == claims.ExpiresAt > Now, "too old and valid, or the other way round");
            if (token.Length <= 4096) Sane(Tokens.Read(token, (LinkPurpose)((rest[0] + 1) % 6)) is LinkReading.WrongPurpose, "one link does another's work");
        }
        else if (how == 2)
        {
            var at = (rest[0] * 256 + rest[1]) % token.Length;
            var other = (char)(rest[^1] % 128);
            if (token[at] != other) Forged($"{token[..at]}{other}{token[(at + 1)..]}");
        }
        else
        {
            var second = Tokens.Create(claims with { CustomerId = "cus_other" });
            var spliced = token[..(rest[0] % token.Length)] + second[Math.Min(rest[1], second.Length)..];
            if (spliced != second && spliced != token) Forged(spliced);
        }

        static void Forged(string token)
        {
            Sane(Tokens.Read(token) is LinkReading.Forged, $"'{token}' passes for ours");
            Sane(Tokens.Read(token, LinkPurpose.Pay) is LinkReading.Forged, $"'{token}' passes for ours");
        }
    }

    /// <summary>A request of SendGrid's event webhook: refused as a whole, or each event is queued, counted, or becomes a dead letter alone.</summary>
    public static void Mail(ReadOnlySpan<byte> input)
    {
        var body = input.ToArray();
        var read = Readable(() => MailMessages.Of(body, Now));
        if (read is null) return;
        var bench = new Bench();
        foreach (var message in read.Messages)
        {
            Sane(message.Session.Length > 0, "no session");
            var events = Readable(() => MailMessages.Read(message.Body));
            if (events is null) continue;
            Sane(events.All(e => e.Run.CustomerId == message.Session && e.At.Year is >= 1970 and <= 9999 && e.Id.Length is > 0 and <= 200), "no sane event of an e-mail");
            if (events.Count == 0) continue;
            // Of what is too long for a key there is no e-mail of ours.
            if (Keys.Mail(events[0].Run.CustomerId, events[0].Run.Flow, events[0].Run.Occasion, events[0].Step).Key.Length < 300) bench.Mailed(events[0].Run, events[0].Step);
            bench.MailIntake.HandleAsync(message.Body).GetAwaiter().GetResult();
            var commits = bench.Tables.Commits;
            bench.MailIntake.HandleAsync(message.Body).GetAwaiter().GetResult();
            Sane(bench.Tables.Commits == commits, "a copy changed something");
        }
    }

    private static readonly LinkTokens Tokens = new(new EphemeralDataProtectionProvider(), Clock);
    private static readonly LinkTokens Signed = new(new OpenProtection(), Clock);

    private static T? Readable<T>(Func<T> read) where T : class
    {
        try
        {
            return read();
        }
        catch (UnreadableException e)
        {
            Sane(e.Message.Length > 10, "the refusal says nothing");
            return null;
        }
    }

    private static void Sane(bool isSo, string otherwise)
    {
        if (!isSo) throw new InvalidOperationException(otherwise);
    }

    /// <summary>The rooms behind the doors, over empty tables.</summary>
    private sealed class Bench
    {
        private readonly DailySweep sweep;

        public Bench()
        {
            var (bodies, ties) = (new BodyStore(Tables), new UserTies(Tables));
            var dispatch = new FlowDispatch(Tables, new Tests.Links.IdleEngine(), Settings, Clock);
            StripeIntake = new StripeIntake(Tables, bodies, ties, dispatch, Settings, Clock);
            AppIntake = new AppIntake(Tables, ties, dispatch, Settings);
            MailIntake = new MailIntake(Tables, dispatch, new IntakeCounters(Tables, Clock), Settings);
            sweep = new DailySweep(Tables, dispatch, Settings, Clock, NullLogger<DailySweep>.Instance);
        }

        public FakeTables Tables { get; } = new();

        public StripeIntake StripeIntake { get; }

        public AppIntake AppIntake { get; }

        public MailIntake MailIntake { get; }

        public List<string> Rows()
        {
            var rows = new List<string>();
            var all = Tables.ScanAsync().GetAsyncEnumerator();
            while (all.MoveNextAsync().AsTask().GetAwaiter().GetResult()) rows.Add($"{all.Current.At} {Encoding.UTF8.GetString(all.Current.Body.Span)}");
            return rows;
        }

        public void IsBalanced(Customer customer)
        {
            var ledger = Tables.ListAsync<Movement>(Keys.Ledger(customer.Id)).GetAwaiter().GetResult();
            foreach (var currency in ledger.Select(m => m.Currency).Union(customer.Mrr.Keys))
                Sane(ledger.Where(m => m.Currency == currency && m.At <= Now).Sum(m => m.Amount) == customer.Mrr.GetValueOrDefault(currency) || ledger.Any(m => m.At > Now), "the MRR is not the sum of the ledger");
        }

        public void Sweep(string customerId)
        {
            // Today, and so late that all that the event announces is over.
            foreach (var at in new[] { Now, Now.AddDays(45), Now.AddYears(3) }) sweep.BucketAsync(Keys.Bucket(customerId), Tiers, at).GetAwaiter().GetResult();
        }

        public void Mailed(RunId run, int step)
        {
            Tables.TryInsertAsync(Keys.Customer(run.CustomerId), new Customer { Id = run.CustomerId }).GetAwaiter().GetResult();
            Tables.TryInsertAsync(Keys.Mail(run.CustomerId, run.Flow, run.Occasion, step), new Email.MailRecord
            {
                Id = Email.MailArguments.IdOf(run, step), CustomerId = run.CustomerId, Flow = run.Flow, Occasion = run.Occasion, Step = step, Template = "t", Subject = "s", To = "ada@example.com",
                At = Now.AddDays(-1), Result = MailResult.Accepted, Attempts = 1,
            }).GetAwaiter().GetResult();
        }
    }

    /// <summary>Takes everything for signed.</summary>
    private sealed class OpenProtection : IDataProtectionProvider, IDataProtector
    {
        public IDataProtector CreateProtector(string purpose) => this;

        public byte[] Protect(byte[] plaintext) => plaintext;

        public byte[] Unprotect(byte[] protectedData) => protectedData;
    }
}
