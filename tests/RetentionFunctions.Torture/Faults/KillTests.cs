using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Intake;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Faults;

/// <summary>A real process, killed under load and started again on the same folder: every acknowledged event is handled exactly once.</summary>
public class KillTests
{
    private const int Customers = 20;
    private const int Connections = 8;

    // RETENTION_KILLS=50 makes a long night of it.
    private static readonly int Kills = int.TryParse(Environment.GetEnvironmentVariable("RETENTION_KILLS"), NumberStyles.None, CultureInfo.InvariantCulture, out var kills) ? kills : 3;

    private sealed record Sending(string Customer, string EventId, JsonObject? Stripe, JsonObject? App, string Call);

    [Theory]
    [InlineData(null)]
    // A Monday morning inside the send window: dunning mails go out while the process is killed.
    [InlineData("2026-02-09T10:00:00Z")]
    public async Task Every_acknowledged_event_is_handled_exactly_once(string? clockText)
    {
        DateTimeOffset? clock = clockText is null ? null : DateTimeOffset.Parse(clockText, CultureInfo.InvariantCulture);
        var now = clock ?? TimeProvider.System.GetUtcNow();
        var random = new Random(4711);
        using var folder = new TempFolder();
        using var host = new KilledHost(folder.Path, clock);
        await host.StartAsync();

        var waiting = new ConcurrentQueue<Sending>(Shuffled(StripeEvents(now), random));
        var all = waiting.ToList();
        var acknowledged = new ConcurrentBag<Sending>();
        var signIns = 0;
        var killing = true;

        async Task ConnectionAsync()
        {
            for (var turn = 0; ; turn++)
            {
                // While there is killing there is load: one more sign-in wherever Stripe has nothing to say, and beside it.
                Sending? next = null;
                if ((turn % 3 == 0 || !Volatile.Read(ref killing)) && !waiting.TryDequeue(out next) && !Volatile.Read(ref killing)) return;
                next ??= SignIn(Interlocked.Increment(ref signIns), now);
                while (!await SendAsync(host, next)) await Task.Delay(20);
                acknowledged.Add(next);
            }
        }

        var connections = Enumerable.Range(0, Connections).Select(_ => Task.Run(ConnectionAsync)).ToList();
        for (var kill = 0; kill < Kills; kill++)
        {
            await Task.Delay(random.Next(50, 350));
            await host.KillAsync();
            await host.StartAsync();
        }
        Volatile.Write(ref killing, false);
        await Task.WhenAll(connections).WaitAsync(TimeSpan.FromMinutes(2));
        foreach (var copy in Shuffled(acknowledged.OrderBy(a => a.EventId, StringComparer.Ordinal), random).Take(30)) Assert.True(await SendAsync(host, copy));
        Assert.True(acknowledged.Count >= all.Count);

        await EmptyAsync(folder.Path);
        await host.KillAsync();
        Assert.Equal("ok", Integrity(folder.Path));
        await using var store = SqliteStore.Open(Path.Combine(folder.Path, "data"));
        await HandledOnceAsync(store, [.. acknowledged], clock is not null);
    }

    private static async Task HandledOnceAsync(SqliteStore store, List<Sending> acknowledged, bool mailsWentOut)
    {
        var tables = new SqliteTables(store);
        Assert.Empty(await tables.ListAsync<DeadLetter>(Keys.DeadLetters));
        foreach (var customer in acknowledged.Where(a => a.Stripe is not null).GroupBy(a => a.Customer))
        {
            var markers = await tables.ListAsync<EventMarker>(Keys.Events(customer.Key));
            Assert.Equal(customer.Select(e => e.EventId).Distinct().Order(StringComparer.Ordinal), markers.Where(m => !m.FromApp).Select(m => m.Id).Order(StringComparer.Ordinal));
            var snapshots = await tables.ListAsync<SubscriptionSnapshot>(Keys.Snapshots(customer.Key));
            Assert.Equal(customer.Count(e => ((string)e.Stripe!["type"]!).StartsWith("customer.subscription.", StringComparison.Ordinal)), snapshots.Count);
            var invoices = await tables.ListAsync<Invoice>(Keys.Invoices(customer.Key));
            Assert.Equal(2, invoices.Count);
            Assert.NotNull(invoices.Single(i => i.Id.EndsWith("first", StringComparison.Ordinal)).PaidAt);
            Assert.True(invoices.Single(i => i.Id.EndsWith("renewal", StringComparison.Ordinal)).IsFailing);
            var known = (await tables.GetAsync<Customer>(Keys.Customer(customer.Key)))!.Value;
            Assert.Equal((CustomerStatus.PastDue, 4900L), (known.Status, known.Mrr["usd"]));
            Assert.Equal(4900, (await tables.ListAsync<Movement>(Keys.Ledger(customer.Key))).Sum(m => m.Amount));

            var run = Assert.Single(await tables.ListAsync<Run>(Keys.Runs(customer.Key)));
            if (!mailsWentOut) continue;
            Assert.Equal(MailResult.Accepted, Assert.Single(run.Sent).Result);
            Assert.Equal(MailResult.Accepted, Assert.Single(await tables.ListAsync<MailRecord>(Keys.Mails(customer.Key))).Result);
        }
        if (mailsWentOut) Assert.Equal(Customers, await new SqliteOutbox(store, TimeProvider.System).CountAsync());

        foreach (var user in acknowledged.Where(a => a.Call == "track").GroupBy(a => (string)a.App!["userId"]!))
        {
            var tie = (await tables.GetAsync<UserTie>(Keys.UserTie(user.Key)))?.Value;
            var rows = await tables.ListAsync<Activity>(Keys.Activities(tie?.CustomerId ?? Keys.UntiedUser(user.Key)));
            Assert.Equal(user.Select(e => e.EventId).Distinct().Count(), rows.SelectMany(r => r.Days.Values).Sum(d => d.GetValueOrDefault(Counter.SignIns)));
        }
    }

    private static async Task<bool> SendAsync(KilledHost host, Sending sending) =>
        sending.Stripe is { } stripe ? await host.StripeAsync(stripe) : await host.AppAsync(sending.Call, sending.App!);

    // Signed up a month ago and the renewal fails now; every second customer has a user whom the app ties in the middle of it all. Every tenth event of the
    // customer itself is so large that the queue carries only its key.
    private static IEnumerable<Sending> StripeEvents(DateTimeOffset now)
    {
        for (var i = 0; i < Customers; i++)
        {
            var story = new Story($"cus_{i:D2}", $"c{i:D2}@example.com");
            var signUp = now.AddDays(-31);
            foreach (var e in story.SignsUp(signUp).Concat(story.PaymentFails(now.AddMinutes(-5), next: now.AddDays(3))))
            {
                if (i % 10 == 0 && (string)e["type"]! == "customer.created") e["data"]!["object"]!["description"] = new string('x', 250_000);
                yield return new Sending(story.Customer, (string)e["id"]!, e, null, "");
            }
            if (i % 2 == 0)
                yield return new Sending(story.Customer, $"tie {i}", null, new JsonObject
                {
                    ["userId"] = $"u{i}", ["messageId"] = $"tie {i}", ["traits"] = new JsonObject { ["stripeCustomerId"] = story.Customer },
                }, "identify");
        }
    }

    private static Sending SignIn(int number, DateTimeOffset now)
    {
        var user = number % Customers;
        return new Sending($"cus_{user:D2}", $"sign-in {number}", null, new JsonObject
        {
            ["userId"] = $"u{user}", ["event"] = "Signed In", ["messageId"] = $"sign-in {number}", ["timestamp"] = now.AddMinutes(-1).ToString("O", CultureInfo.InvariantCulture),
        }, "track");
    }

    private static List<T> Shuffled<T>(IEnumerable<T> items, Random random)
    {
        var list = items.ToArray();
        random.Shuffle(list);
        return [.. list];
    }

    // The inbox is empty and no run waits to be looked at for the first time: all that was acknowledged is done.
    private static async Task EmptyAsync(string folder)
    {
        var until = TimeProvider.System.GetUtcNow().AddMinutes(1);
        while (Read(folder, "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM rows WHERE key LIKE 'run|%' AND CAST(body AS TEXT) LIKE '%\"status\":\"starting\"%')") is not "0")
        {
            Assert.True(TimeProvider.System.GetUtcNow() < until, "The inbox does not run empty.");
            await Task.Delay(50);
        }
    }

    private static string Integrity(string folder) => Read(folder, "PRAGMA integrity_check");

    private static string Read(string folder, string sql)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = Path.Combine(folder, "data", SqliteStore.FileName), Mode = SqliteOpenMode.ReadOnly, Pooling = false,
        }.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToString(command.ExecuteScalar(), CultureInfo.InvariantCulture)!;
    }
}
