using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using RetentionFunctions.Customers;
using RetentionFunctions.Health;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Benchmarks;

/// <summary>
/// The daily sweep as the local host does it (read, derive, score, write back, start what is called for), beside a bare program that reads the same rows by the same index,
/// parses them into the same types with the same serializer, and writes as many rows back: the customer's with the bytes that it read, the score's with as many bytes as the
/// product's has. The bare one too works on all cores, one bucket to each, and commits a bucket at a time, on the disk. Each round is a process of its own.
/// </summary>
internal static class Sweep
{
    /// <summary>
    /// Runs it: <c>--customers N</c> (100,000), <c>--rounds N</c> (5). With <c>--store DIR</c> the data file is made there where it is missing, and left, so that what takes long (a million
    /// customers) is made once; <c>--rounds 0</c> only makes it.
    /// </summary>
    public static async Task RunAsync(IReadOnlyList<string> args)
    {
        if (Options.Text(args, "--child", "") is { Length: > 0 } child)
        {
            var folder = Options.Text(args, "--folder", "");
            await (child == "product" ? ProductAsync(folder) : BareAsync(folder));
            return;
        }
        var (customers, rounds) = (Options.Number(args, "--customers", 100_000), Options.Number(args, "--rounds", Rounds.Least));
        using var temp = new TempFolder();
        var store = Options.Text(args, "--store", temp.Path);
        if (!File.Exists(Path.Combine(store, SqliteStore.FileName))) await SeededStore.WriteAsync(store, customers, TimeProvider.System.GetUtcNow());
        if (rounds == 0) return;
        var peaks = new Dictionary<string, double>();
        var results = await Rounds.MeasureAsync([new("the bare program", () => ChildAsync("bare")), new("the product's sweep", () => ChildAsync("product"))], rounds);
        var bytes = new FileInfo(Path.Combine(store, SqliteStore.FileName)).Length;
        Rounds.Print(string.Create(CultureInfo.InvariantCulture, $"The daily sweep of {customers:N0} customers ({bytes / 1024.0 / 1024:N0} MiB)"), "seconds", results);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\nPeak memory of the process: the product's {peaks["product"]:N0} MiB, the bare program's {peaks["bare"]:N0} MiB. {results[1].Median / customers * 1e6:N0} µs a customer."));

        async Task<double> ChildAsync(string which)
        {
            // Until the day's scores stand a sweep inserts them; from the first on it replaces them, as the bare program does.
            if (peaks.Count == 0) await Part.RunAsync("sweep", "--child", "product", "--folder", store);
            var (seconds, peak) = await Part.RunAsync("sweep", "--child", which, "--folder", store);
            peaks[which] = Math.Max(peak, peaks.GetValueOrDefault(which));
            return seconds;
        }
    }

    private static async Task ProductAsync(string folder)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Product:Name"] = "Acme", ["Web:PublicUrl"] = "https://acme.example" }).Build();
        await using var app = await LocalHost.CreateAsync(new LocalOptions { DataFolder = folder }, configuration);
        var pump = app.Services.GetRequiredService<LocalPump>();
        var from = TimeProvider.System.GetTimestamp();
        var result = await pump.SweepAsync();
        Part.Say(TimeProvider.System.GetElapsedTime(from));
        if (result.Customers == 0) throw new InvalidOperationException("Nobody was scored.");
    }

    private static Task BareAsync(string folder)
    {
        var file = Path.Combine(folder, SqliteStore.FileName);
        using var writer = Open();
        Run(writer, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=976; PRAGMA cache_size=-16384; PRAGMA secure_delete=ON");
        byte[]? score = null;
        using (var any = writer.CreateCommand())
        {
            any.CommandText = "SELECT body FROM rows WHERE partition = '00' AND key >= 'score|' AND key < 'score}' LIMIT 1";
            score = (byte[])any.ExecuteScalar()!;
        }
        var day = DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime);
        var from = TimeProvider.System.GetTimestamp();
        Parallel.ForEach(Keys.AllBuckets, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, Open, (bucket, _, reader) =>
        {
            var customers = List<Customer>(reader, Keys.Customers(bucket));
            List<Activity>(reader, Keys.ActivitiesOfBucket(bucket));
            List<Invoice>(reader, Keys.InvoicesOfBucket(bucket));
            lock (writer)
            {
                using var transaction = writer.BeginTransaction();
                using var write = writer.CreateCommand();
                write.Transaction = transaction;
                write.CommandText = "INSERT INTO rows(partition, key, etag, body) VALUES ($1, $2, $3, $4) ON CONFLICT(partition, key) DO UPDATE SET etag = excluded.etag, body = excluded.body";
                for (var i = 1; i <= 4; i++) write.Parameters.AddWithValue($"${i}", DBNull.Value);
                write.Parameters[0].Value = bucket;
                write.Parameters[2].Value = 2L;
                foreach (var (key, body, customer) in customers)
                {
                    (write.Parameters[1].Value, write.Parameters[3].Value) = (key, body);
                    write.ExecuteNonQuery();
                    (write.Parameters[1].Value, write.Parameters[3].Value) = (Keys.Score(customer.Id, day).Key, score);
                    write.ExecuteNonQuery();
                }
                transaction.Commit();
            }
            return reader;
        }, reader => reader.Dispose());
        Part.Say(TimeProvider.System.GetElapsedTime(from));
        return Task.CompletedTask;

        SqliteConnection Open()
        {
            var connection = new SqliteConnection($"Data Source={file};Pooling=False");
            connection.Open();
            return connection;
        }
    }

    private static List<(string Key, byte[] Body, T Value)> List<T>(SqliteConnection reader, KeyRange range)
    {
        using var select = reader.CreateCommand();
        select.CommandText = "SELECT key, body FROM rows WHERE partition = $1 AND key >= $2 AND key < $3 ORDER BY key";
        select.Parameters.AddWithValue("$1", range.Partition);
        select.Parameters.AddWithValue("$2", range.From);
        select.Parameters.AddWithValue("$3", range.To);
        using var rows = select.ExecuteReader();
        var list = new List<(string, byte[], T)>();
        while (rows.Read())
        {
            var body = rows.GetFieldValue<byte[]>(1);
            list.Add((rows.GetString(0), body, new Row(new RowKey(range.Partition, rows.GetString(0)), body, "").Read<T>()));
        }
        return list;
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
