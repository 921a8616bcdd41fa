using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;
using RetentionFunctions.Torture.Histories;

namespace RetentionFunctions.Torture.Burst;

/// <summary>The whole host under more webhooks than it can handle at once, and after three days in which it could take none.</summary>
public class BurstTests(ITestOutputHelper output)
{
    private const int PerCustomer = 40;
    private const int Connections = 32;
    private static readonly int Customers = Form.Times(50, 5_000);
    private static readonly DateTimeOffset Begin = new(2026, 2, 2, 9, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_burst_is_taken_whole_and_handled_in_order_and_so_is_a_three_days_outage_replayed_with_every_event_twice()
    {
        using var folder = new TempFolder();
        var (data, outage) = (Path.Combine(folder.Path, "data"), Path.Combine(folder.Path, "outage"));
        var stories = Enumerable.Range(0, Customers).Select(n => new Story($"cus_B{n:D4}", $"b{n}@example.com")).ToList();
        var lives = stories.Select(Life).ToList();
        var later = stories.Select(story => Later(story).ToList()).ToList();

        // Some customers at a time, each one's events one after the other, every one answered before its next is sent.
        var handled = new Handled();
        await using (var host = await StartAsync(data, Begin.AddDays(30), handled))
        {
            var watch = Stopwatch.StartNew();
            await SendAsync(host, lives);
            var sent = watch.Elapsed;
            var waiting = await host.QueuedAsync();
            await host.SettleAsync();
            var drained = watch.Elapsed;
            var count = lives.Sum(life => life.Count);
            output.WriteLine($"burst: {count} signed webhooks of {Customers} customers over {Connections} connections, all answered 200 in {sent.TotalSeconds:F1} s ({count / sent.TotalSeconds:F0}/s), " +
                $"{waiting} still waiting then; drained {(drained - sent).TotalSeconds:F1} s later ({count / drained.TotalSeconds:F0}/s from the first request to the last commit)");
            await AllOnceAsync(host, lives);
            for (var n = 0; n < Customers; n++)
                Assert.Equal(lives[n].Select(Id), handled.Of(stories[n].Customer));
            output.WriteLine($"0 lost, 0 disorder: {Customers} customers were each handled in the order of arrival");
        }
        CopyFolder(data, outage);

        // As it would have been: the three days go by, and each event comes as it happens.
        SortedDictionary<string, string> expected;
        await using (var host = await StartAsync(data, Begin.AddDays(30)))
        {
            for (var day = 30; day < 33; day++)
            {
                var (from, to) = (Begin.AddDays(day), Begin.AddDays(day + 1));
                await SendAsync(host, [.. later.Select(own => own.Where(e => At(e) >= from && At(e) < to).ToList())]);
                await host.AdvanceToAsync(to);
            }
            expected = await EndAsync(host);
        }

        // As it was: nobody answered for three days, then everything comes at once, each event twice, in no order.
        await using (var host = await StartAsync(outage, Begin.AddDays(33)))
        {
            var all = later.SelectMany(own => own).SelectMany(e => new[] { e, e }).ToArray();
            new Random(4711).Shuffle(all);
            var watch = Stopwatch.StartNew();
            await SendAsync(host, [.. all.Chunk(Math.Max(1, all.Length / Connections)).Select(part => part.ToList())]);
            var sent = watch.Elapsed;
            await host.SettleAsync();
            output.WriteLine($"outage: {all.Length} webhooks ({all.Length / 2} events, each twice, in no order) answered in {sent.TotalSeconds:F1} s ({all.Length / sent.TotalSeconds:F0}/s), backlog drained to 0 after {watch.Elapsed.TotalSeconds:F1} s");
            await AllOnceAsync(host, [.. lives.Zip(later, (life, own) => life.Concat(own).ToList())]);
            var found = await EndAsync(host);
            FinalState.Same(expected, found);
            output.WriteLine($"{found.Count} rows as in the undisturbed end; 0 differ");
        }
    }

    // The power-cut-proof commit of the product, which TestHost's stories do without.
    private static async Task<TestHost> StartAsync(string data, DateTimeOffset clock, Handled? handled = null)
    {
        var host = await TestHost.StartAsync(clock.ToString("O", CultureInfo.InvariantCulture), data: data, services: handled is null ? null : services => handled.Watch(services));
        host.Services.GetRequiredService<SqliteStore>().SurvivePowerCut(true);
        return host;
    }

    // A subscription that changes hands, plans and addresses: whatever is said twice differently shows in the end.
    private static List<JsonObject> Life(Story story)
    {
        var events = story.SignsUp(Begin).ToList();
        for (var n = events.Count; n < PerCustomer; n++)
        {
            var at = Begin.AddHours(n * 12);
            events.Add((n % 3) switch
            {
                0 => story.CustomerUpdated(at, $"{n}.{story.Email}"),
                1 => Priced(story.Renews(at), 1000 + (n * 100)),
                _ => story.PaysAfterAll(at, $"extra{n}").First(),
            });
        }
        return events;
    }

    private static IEnumerable<JsonObject> Later(Story story)
    {
        var (dice, at) = (new Random(story.Customer.GetHashCode(StringComparison.Ordinal) & 0xFFFF), Begin.AddDays(30).AddHours(1));
        var way = int.Parse(story.Customer.AsSpan(5), CultureInfo.InvariantCulture) % 5;
        yield return story.CustomerUpdated(at.AddMinutes(dice.Next(600)), $"later.{story.Email}");
        foreach (var e in story.PaymentFails(at.AddHours(12), Renewal(story), next: at.AddDays(3))) yield return e;
        if (way is 1 or 2)
            foreach (var e in story.PaysAfterAll(at.AddHours(40), Renewal(story))) yield return e;
        if (way == 3) yield return Priced(story.Renews(at.AddHours(50)), 9900);
        if (way == 4) yield return story.Cancels(at.AddHours(60), "payment_failed");
    }

    private static string Renewal(Story story) => $"late{story.Customer[4..]}";

    private static JsonObject Priced(JsonObject e, long amount)
    {
        var price = e["data"]!["object"]!["items"]!["data"]![0]!["price"]!;
        price["unit_amount"] = amount;
        price["unit_amount_decimal"] = $"{amount}";
        return e;
    }

    private static string Id(JsonObject e) => (string)e["id"]!;

    private static DateTimeOffset At(JsonObject e) => DateTimeOffset.FromUnixTimeSeconds((long)e["created"]!);

    private static async Task SendAsync(TestHost host, IReadOnlyList<List<JsonObject>> sequences)
    {
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Connections, UseCookies = false }) { BaseAddress = host.Http.BaseAddress, Timeout = TimeSpan.FromMinutes(2) };
        var (now, wrong, next) = (host.Now, new ConcurrentQueue<string>(), -1);
        await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var n && n < sequences.Count)
                foreach (var e in sequences[n])
                {
                    var body = Encoding.UTF8.GetBytes(e.ToJsonString());
                    using var request = new HttpRequestMessage(HttpMethod.Post, "/stripe/webhook") { Content = new ByteArrayContent(body) };
                    request.Headers.TryAddWithoutValidation(StripeSignature.HeaderName, StripeSignature.Sign(body, TestHost.Secret, now));
                    using var answer = await http.SendAsync(request);
                    if (answer.StatusCode != HttpStatusCode.OK) wrong.Enqueue($"{Id(e)}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
                }
        })));
        Assert.Empty(wrong);
    }

    // The queue is empty, nothing is a dead letter, and of each event there is the one marker.
    private static async Task AllOnceAsync(TestHost host, IReadOnlyList<List<JsonObject>> lives)
    {
        Assert.Equal(0, await host.QueuedAsync());
        Assert.Empty(await host.DeadLettersAsync());
        var markers = await host.Services.GetRequiredService<SqliteStore>().ReadAsync(reader => reader.List("SELECT key FROM rows WHERE key LIKE 'event|%'", row => Keys.Parts(row.Text(0))[2]));
        Assert.Equal(lives.SelectMany(life => life.Select(Id)).Order(StringComparer.Ordinal), markers.Order(StringComparer.Ordinal));
    }

    // After the sweep of the same day in both.
    private static async Task<SortedDictionary<string, string>> EndAsync(TestHost host)
    {
        await host.AdvanceToAsync(Begin.AddDays(34));
        Assert.Equal(0, await host.QueuedAsync());
        var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
        await foreach (var row in host.Tables().ScanAsync())
            if (FinalState.Counts(row.At)) rows[row.At.ToString()] = FinalState.Of(row.At, row.Body);
        return rows;
    }

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(from)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }

    /// <summary>Sees in what order the events of each customer were committed.</summary>
    private sealed class Handled
    {
        private readonly ConcurrentDictionary<string, ConcurrentQueue<string>> orders = new(StringComparer.Ordinal);

        public IEnumerable<string> Of(string customer) => orders.GetValueOrDefault(customer) ?? [];

        public void Watch(IServiceCollection services) => services.AddSingleton<ITables>(all => new Watched(all.GetRequiredService<SqliteTables>(), this));

        private sealed class Watched(ITables inner, Handled handled) : ITables
        {
            public Task<Row?> GetAsync(RowKey key, CancellationToken cancel = default) => inner.GetAsync(key, cancel);

            public IAsyncEnumerable<Row> QueryAsync(KeyRange range, CancellationToken cancel = default) => inner.QueryAsync(range, cancel);

            public IAsyncEnumerable<Row> ScanAsync(RowKey? after = null, CancellationToken cancel = default) => inner.ScanAsync(after, cancel);

            public Task<IReadOnlyList<string>> BucketsInUseAsync(CancellationToken cancel = default) => inner.BucketsInUseAsync(cancel);

            public async Task<bool> TryCommitAsync(string partition, IReadOnlyList<Write> writes, CancellationToken cancel = default)
            {
                if (!await inner.TryCommitAsync(partition, writes, cancel)) return false;
                foreach (var marker in writes.OfType<Write.Insert>())
                    if (marker.Key.StartsWith("event|", StringComparison.Ordinal) && Keys.Parts(marker.Key) is [_, var customer, var id]) handled.orders.GetOrAdd(customer, _ => new()).Enqueue(id);
                return true;
            }
        }
    }
}
