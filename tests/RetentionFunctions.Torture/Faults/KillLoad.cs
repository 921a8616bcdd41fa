using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Faults;

/// <summary>What comes in while a host is killed: Stripe's events, requests of the app with one item or many, reports of the mail provider; and the clock is moved.</summary>
internal sealed class KillLoad
{
    private const int Connections = 8;

    // Of a batch ten items are one user's, one after another.
    private const int OfOneUser = 10;

    private readonly KilledHost host;
    private readonly string folder;
    private readonly Random dice;
    private readonly int batch = Form.Times(20, 100);
    private readonly DateTimeOffset start;
    private readonly Story[] stories;
    private readonly ConcurrentQueue<Sending> first, later;
    private readonly ConcurrentBag<Sending> done = [];
    private readonly HashSet<string> reported = new(StringComparer.Ordinal);
    private int signIns;
    private long acknowledged, repeated, app, stripe, mail;
    private int waitingFirst;
    private volatile bool ending;

    public KillLoad(KilledHost host, string folder, Random dice, int customers, int days)
    {
        (this.host, this.folder, this.dice, Days) = (host, folder, dice, days);
        start = host.Now;
        // Signed up a month ago, and the renewal fails now.
        stories = [.. Enumerable.Range(0, customers).Select(i => new Story(IdOf(i), $"c{i}@example.com"))];
        var told = stories.SelectMany(Told).ToArray();
        dice.Shuffle(told);
        first = new(told);
        waitingFirst = told.Length;
        var more = Enumerable.Range(0, Form.Times(1, 20)).SelectMany(n => stories.Select(s => Of(s, s.CustomerUpdated(start.AddMinutes(-4).AddSeconds(n), s.Email)))).ToArray();
        dice.Shuffle(more);
        later = new(more);
    }

    /// <summary>How many days the clock is moved on; 0 on the real one.</summary>
    public int Days { get; }

    public IReadOnlyList<Story> Stories => stories;

    /// <summary>Events that got their answer: of a request with many each.</summary>
    public long Acknowledged => Interlocked.Read(ref acknowledged);

    /// <summary>Events that were sent more than once: nobody answered, or as copies.</summary>
    public long Repeated => Interlocked.Read(ref repeated);

    public string Kinds => $"{app:N0} of the app, {stripe:N0} of Stripe, {mail:N0} of the mail provider";

    /// <summary>The messages that got their answer, each once.</summary>
    public IEnumerable<Sending> Done => done;

    public static string IdOf(int number) => $"cus_{number:D3}";

    /// <summary>Whose payment comes in after all, after four days.</summary>
    public static bool Pays(int number) => number % 3 == 0;

    /// <summary>Whose user the app names.</summary>
    public static bool IsTied(int number) => number % 2 == 0;

    public Task Begin() => Task.WhenAll(Enumerable.Range(0, Connections).Select(n => Task.Run(() => ConnectionAsync(n))).Append(Task.Run(TimeAsync)));

    /// <summary>Ends when so many events have their answer.</summary>
    public async Task EndAsync(long events)
    {
        while (Acknowledged < events) await Task.Delay(5);
        ending = true;
    }

    /// <summary>Copies of what was handled.</summary>
    public async Task RepeatAsync(int copies)
    {
        var all = done.OrderBy(s => s.Name, StringComparer.Ordinal).ToArray();
        dice.Shuffle(all);
        foreach (var copy in all.Take(copies))
        {
            Interlocked.Add(ref repeated, copy.Ids.Count);
            while (!await copy.Send(host)) await Task.Delay(20);
        }
    }

    /// <summary>Waits until all that was acknowledged is done.</summary>
    public async Task SettleAsync()
    {
        var until = TimeProvider.System.GetUtcNow().AddMinutes(Form.Times(1, 20));
        while (StoredFile.Read(folder, "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM rows WHERE key LIKE 'run|%' AND CAST(body AS TEXT) LIKE '%\"status\":\"starting\"%')").Single() is not "0")
        {
            Assert.True(TimeProvider.System.GetUtcNow() < until, "The inbox does not run empty.");
            await Task.Delay(100);
        }
    }

    private async Task ConnectionAsync(int number)
    {
        for (var turn = number; ; turn++)
        {
            if (turn % 3 == 0 && first.TryDequeue(out var told))
            {
                await UntilAnsweredAsync(told);
                Interlocked.Decrement(ref waitingFirst);
            }
            else if (turn % 5 == 1 && later.TryDequeue(out var more)) await UntilAnsweredAsync(more);
            else if (!ending) await UntilAnsweredAsync(turn % 7 == 2 ? SignIns(1) : SignIns(batch));
            else if (first.IsEmpty && later.IsEmpty) return;
        }
    }

    private async Task UntilAnsweredAsync(Sending sending)
    {
        var again = false;
        for (; !await sending.Send(host); again = true) await Task.Delay(20);
        if (again) Interlocked.Add(ref repeated, sending.Ids.Count);
        done.Add(sending);
        Interlocked.Add(ref acknowledged, sending.Ids.Count);
        Interlocked.Add(ref sending.Kind == SendingKind.App ? ref app : ref sending.Kind == SendingKind.Stripe ? ref stripe : ref mail, sending.Ids.Count);
    }

    // One day after another; on the fourth some pay, and every day the provider reports of the e-mails that went out.
    private async Task TimeAsync()
    {
        if (Days == 0) return;
        while (Volatile.Read(ref waitingFirst) > 0) await Task.Delay(10);
        for (var day = 1; day <= Days; day++)
        {
            while (host.Now < start.AddDays(day))
                if (!await host.MoveAsync(start.AddDays(day))) await Task.Delay(20);
            // Not everybody is silent: the app itself is alive.
            await UntilAnsweredAsync(Track("somebody", [$"day {day}"], start.AddDays(day).AddMinutes(-1)));
            if (day == 4)
                foreach (var (story, number) in stories.Select((s, n) => (s, n)))
                    if (Pays(number))
                        foreach (var e in story.PaysAfterAll(start.AddDays(4).AddMinutes(-1))) await UntilAnsweredAsync(Of(story, e));
            await ReportAsync();
        }
    }

    private async Task ReportAsync()
    {
        var fresh = StoredFile.Read(folder, "SELECT id FROM outbox").Where(reported.Add).ToList();
        foreach (var part in fresh.Chunk(20))
        {
            var at = start.AddSeconds(1);
            JsonObject[] events = [.. part.SelectMany(id => new[] { MailProvider.Event(id, "processed", at), MailProvider.Event(id, "delivered", at.AddSeconds(1)) })];
            await UntilAnsweredAsync(new Sending(SendingKind.Mail, $"mail {part[0]}", "", [.. events.Select(e => (string)e["sg_event_id"]!)], host => host.MailAsync(events)));
        }
    }

    private IEnumerable<Sending> Told(Story story, int number)
    {
        foreach (var e in story.SignsUp(start.AddDays(-31)).Concat(story.PaymentFails(start.AddMinutes(-5), next: start.AddDays(3))).ToList())
        {
            // So large that the queue carries only its key.
            if (number % 10 == 0 && (string)e["type"]! == "customer.created") e["data"]!["object"]!["description"] = new string('x', 250_000);
            yield return Of(story, e);
        }
        if (!IsTied(number)) yield break;
        var body = new JsonObject { ["userId"] = $"u{number}", ["messageId"] = $"tie {number}", ["timestamp"] = start.AddMinutes(-2).ToString("O", CultureInfo.InvariantCulture), ["traits"] = new JsonObject { ["stripeCustomerId"] = story.Customer } };
        yield return new Sending(SendingKind.App, $"tie {number}", $"u{number}", [$"tie {number}"], host => host.AppAsync("identify", body));
    }

    private static Sending Of(Story story, JsonObject e) => new(SendingKind.Stripe, (string)e["id"]!, story.Customer, [(string)e["id"]!], host => host.StripeAsync(e));

    // The next sign-ins, by turns of everybody.
    private Sending SignIns(int count)
    {
        if (count == 1)
        {
            var n = Interlocked.Increment(ref signIns) - 1;
            return Track(UserOf(n), [$"sign-in {n}"], start.AddMinutes(-1));
        }
        var to = Interlocked.Add(ref signIns, count);
        var items = Enumerable.Range(to - count, count).Select(n => Item(UserOf(n), $"sign-in {n}", start.AddMinutes(-1))).ToList();
        var body = new JsonObject { ["batch"] = new JsonArray([.. items]) };
        return new Sending(SendingKind.App, $"sign-ins {to}", "", [.. items.Select(i => $"{i["userId"]}:{i["messageId"]}")], host => host.AppAsync("batch", body));
    }

    private string UserOf(int number) => $"u{number / OfOneUser % stories.Length}";

    private static Sending Track(string user, string[] ids, DateTimeOffset at)
    {
        var body = Item(user, ids[0], at);
        return new Sending(SendingKind.App, $"{user} {ids[0]}", user, [$"{user}:{ids[0]}"], host => host.AppAsync("track", body));
    }

    private static JsonObject Item(string user, string id, DateTimeOffset at) => new()
    {
        ["type"] = "track", ["userId"] = user, ["event"] = "Signed In", ["messageId"] = id, ["timestamp"] = at.ToString("O", CultureInfo.InvariantCulture),
    };
}

internal enum SendingKind
{
    App,
    Stripe,
    Mail,
}

/// <summary>One request.</summary>
/// <param name="Kind">By which door.</param>
/// <param name="Name">What it is known by.</param>
/// <param name="Of">Whose, where it is one customer's or user's.</param>
/// <param name="Ids">The events in it: of the app with their user.</param>
/// <param name="Send">True where it was answered.</param>
internal sealed record Sending(SendingKind Kind, string Name, string Of, IReadOnlyList<string> Ids, Func<KilledHost, Task<bool>> Send);
