using Microsoft.Data.Sqlite;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Benchmarks;

/// <summary>
/// A data file with many customers, written as rows at once: of each a profile, a subscription with three snapshots and its ledger, three invoices, and one user's activity of
/// ninety days. Four in ten come nearly every day, four in ten on three days of five, two in ten on one of seven. The rows lie in the file in the order of the customers, so
/// that those of a bucket are scattered over all of it, as they are where customers came one by one. The same numbers give the same rows.
/// </summary>
internal static class SeededStore
{
    private static readonly string[] Features = ["Report", "Export", "Invite", "Dashboard", "Search"];

    /// <summary>Writes it.</summary>
    /// <param name="folder">An empty one.</param>
    /// <param name="customers">How many.</param>
    /// <param name="now">The end of the ninety days.</param>
    /// <param name="silent">Nobody was seen in the ninety days.</param>
    /// <param name="more">Further rows of a customer; may change it.</param>
    /// <param name="due">Further due times.</param>
    public static async Task WriteAsync(string folder, int customers, DateTimeOffset now, bool silent = false, Func<int, Customer, (Customer, IEnumerable<(RowKey, ReadOnlyMemory<byte>)>)>? more = null, IEnumerable<(string Id, DateTimeOffset At)>? due = null)
    {
        await SqliteStore.Open(folder).DisposeAsync();
        using var file = new SqliteConnection($"Data Source={Path.Combine(folder, SqliteStore.FileName)};Pooling=False");
        file.Open();
        // The index is made at the end: in the order of the customers its pages would be written again and again.
        Run("PRAGMA synchronous=OFF; DROP INDEX rows_by_key; PRAGMA cache_size=-200000");
        using (var transaction = file.BeginTransaction())
        {
            using var insert = Prepare("INSERT INTO rows(partition, key, etag, body) VALUES ($1, $2, $3, $4)", 4);
            using var wait = Prepare("INSERT INTO due(run_id, due_at, version) VALUES ($1, $2, 1)", 2);
            foreach (var rows in Enumerable.Range(0, customers).AsParallel().AsOrdered().Select(i => Rows(i, now, silent, more)))
                foreach (var (at, body) in rows)
                {
                    (insert.Parameters[0].Value, insert.Parameters[1].Value, insert.Parameters[2].Value, insert.Parameters[3].Value) = (at.Partition, at.Key, 1L, body.ToArray());
                    insert.ExecuteNonQuery();
                }
            foreach (var (id, at) in due ?? [])
            {
                (wait.Parameters[0].Value, wait.Parameters[1].Value) = (id, SqliteReader.Ticks(at));
                wait.ExecuteNonQuery();
            }
            transaction.Commit();
        }
        Run("CREATE UNIQUE INDEX rows_by_key ON rows(partition, key); PRAGMA wal_checkpoint(TRUNCATE)");

        void Run(string sql)
        {
            using var command = file.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }

        SqliteCommand Prepare(string sql, int values)
        {
            var command = file.CreateCommand();
            command.CommandText = sql;
            for (var i = 1; i <= values; i++) command.Parameters.AddWithValue($"${i}", DBNull.Value);
            command.Prepare();
            return command;
        }
    }

    /// <summary>The id of a customer.</summary>
    public static string Id(int i) => $"cus_{i:D7}Kq3vT8";

    private static List<(RowKey, ReadOnlyMemory<byte>)> Rows(int i, DateTimeOffset now, bool silent, Func<int, Customer, (Customer, IEnumerable<(RowKey, ReadOnlyMemory<byte>)>)>? more)
    {
        var random = new Random(i);
        var (id, user) = (Id(i), $"user-{i}");
        var since = now.AddDays(-95 - random.Next(300));
        var amount = 1900 + 1000L * random.Next(10);
        var snapshots = new[] { since.AddSeconds(2), now.AddDays(-random.Next(31, 60)), now.AddDays(-random.Next(1, 30)) }.Select((at, n) => new SubscriptionSnapshot
        {
            SubscriptionId = $"sub_{i:D7}Kq3vT8", Stamp = Stamp.Of(at, $"evt_{i:D7}_{n}", n == 0 ? "customer.subscription.created" : "customer.subscription.updated"), Status = "active", Mrr = amount, Currency = "usd",
            Plan = "Pro", Interval = "month", CreatedAt = since.AddSeconds(2), PeriodStartAt = now.AddDays(-10), PeriodEndAt = now.AddDays(20),
        }).ToList();
        var customer = new Customer
        {
            Id = id,
            Profile = new StripeProfile { Email = $"person{i}@company{i}.example", Name = "Ada Lovelace", Country = "GB", Locale = "en-GB", Currency = "usd", CreatedAt = since },
            ProfileFrom = Stamp.Of(since, $"evt_{i:D7}_c", "customer.created"),
            Card = new Card("visa", "4242", 8, 2031) { Id = $"pm_{i:D7}" },
            CardFrom = Stamp.Of(since, $"evt_{i:D7}_p", "payment_method.attached"),
        };
        (customer, var ledger, _) = CustomerDerivation.Derive(customer, snapshots, new CustomerSettings(), now);
        var rows = new List<(RowKey, ReadOnlyMemory<byte>)>();
        foreach (var s in snapshots) Add(Keys.Snapshot(id, s.SubscriptionId, s.Stamp.At, s.Stamp.EventId), s);
        foreach (var (movement, n) in ledger.Select((m, n) => (m, n))) Add(Keys.Movement(id, movement.At, movement.Currency, n), movement);
        for (var n = 0; n < 3; n++) Add(Keys.Invoice(id, $"in_{i:D7}_{n}"), Invoice(id, i, n, amount, now));
        Add(Keys.Activity(id, user), Activity(user, i, random, now, silent));
        if (more is not null)
        {
            (customer, var others) = more(i, customer);
            rows.AddRange(others);
        }
        Add(Keys.Customer(id), customer);
        return rows;

        void Add<T>(RowKey at, T value) => rows.Add((at, TablesExtensions.Write(value)));
    }

    private static Invoice Invoice(string customer, int i, int n, long amount, DateTimeOffset now)
    {
        var at = now.AddDays(-10 - 30 * n);
        return new Invoice
        {
            Id = $"in_{i:D7}_{n}",
            Latest = new InvoiceSnapshot
            {
                InvoiceId = $"in_{i:D7}_{n}", Change = InvoiceChange.Paid, SubscriptionId = $"sub_{i:D7}Kq3vT8", Number = $"A-{i}-{n}", Status = "paid", BillingReason = "subscription_cycle", AmountDue = amount, AmountPaid = amount,
                Currency = "usd", AttemptCount = 1, HostedUrl = $"https://invoice.example.com/{customer}/{n}", CreatedAt = at, PaidAt = at, CollectionMethod = "charge_automatically", CustomerEmail = $"person{i}@company{i}.example",
            },
            LatestFrom = Stamp.Of(at, $"evt_{i:D7}_i{n}", "invoice.paid"), PaidAt = at, PaymentIntentId = $"pi_{i:D7}_{n}",
        };
    }

    private static Activity Activity(string user, int i, Random random, DateTimeOffset now, bool silent)
    {
        var share = silent ? 0 : (i % 10) switch { < 4 => 0.9, < 8 => 0.6, _ => 1 / 7.0 };
        var days = new SortedList<DateOnly, Dictionary<string, double>>();
        var today = DateOnly.FromDateTime(now.UtcDateTime);
        for (var d = Health.Activity.DaysKept - 1; d >= 0; d--)
        {
            if (random.NextDouble() >= share) continue;
            var counters = new Dictionary<string, double> { [Counter.CoreUses] = random.Next(1, 20) };
            if (d < ActivityUpdate.FeatureDaysKept) counters[Counter.Feature(Features[random.Next(Features.Length)])] = counters[Counter.CoreUses];
            counters[Counter.Minutes] = random.Next(5, 90);
            counters[Counter.SignIns] = random.Next(1, 4);
            days[today.AddDays(-d)] = counters;
        }
        var last = days.Count == 0 ? now.AddDays(-40) : new DateTimeOffset(days.Keys[^1].ToDateTime(new TimeOnly(3, 0)), TimeSpan.Zero);
        return new Activity
        {
            Source = user, FirstSeenAt = now.AddDays(-95), LastActiveAt = last, LastSeenAt = last, Days = days,
            FirstUses = Features.ToDictionary(f => f, _ => now.AddDays(-90)), App = new AppTraits(now.AddDays(-90), "m1", "Ada Lovelace", "Europe/London"),
        };
    }

    /// <summary>A run of win-back that sent its first e-mail and waits for the second, whose hours are the whole day; and the customer who was not seen for long.</summary>
    public static (Customer, IEnumerable<(RowKey, ReadOnlyMemory<byte>)>) WithRun(Customer customer, DateTimeOffset sentAt, DateTimeOffset dueAt)
    {
        var definition = FlowDefaults.Definitions()[FlowDefaults.WinBack] with { Window = new SendWindow { FromHour = 0, ToHour = 24 } };
        var id = RunOf(customer.Id);
        var run = new Run
        {
            Id = id, Definition = definition, StartedAt = sentAt, Because = "not seen for 40 days", Status = RunStatus.Running, DueAt = dueAt,
            Sent = [new SentStep(1, definition.Steps[0].Template, sentAt, MailResult.Accepted)],
        };
        return (customer with { OpenRuns = [new OpenRun(id.Flow, id.Occasion, definition.Kind)], LastMarketingMailAt = sentAt }, [(Keys.Run(id.CustomerId, id.Flow, id.Occasion), TablesExtensions.Write(run))]);
    }

    /// <summary>The run of <see cref="WithRun"/>.</summary>
    public static RunId RunOf(string customerId) => new(customerId, FlowDefaults.WinBack, "2026-01-01");
}
