using System.Globalization;
using System.Net;

namespace RetentionFunctions.Local;

/// <summary>The command line.</summary>
public sealed record LocalOptions
{
    /// <summary>Where it listens; several are separated by semicolons.</summary>
    public string Urls { get; init; } = "http://127.0.0.1:5080";

    /// <summary>The folder of the data file.</summary>
    public string DataFolder { get; init; } = ".data";

    /// <summary>Where a simulated clock starts; null: the real clock.</summary>
    public DateTimeOffset? Clock { get; init; }

    /// <summary>A backup to begin with, in the place of the data file; null: none.</summary>
    public string? Restore { get; init; }

    /// <summary>Play a demo year into the data folder; implies a simulated clock.</summary>
    public bool Demo { get; init; }

    /// <summary>How many customers the demo year has; null: 300, or as many as the folder already has.</summary>
    public int? Customers { get; init; }

    /// <summary>Which of all demo years; null: 1, or the one of the folder.</summary>
    public ulong? Seed { get; init; }

    /// <summary>A CSV file to import, and then to end; null: start the host.</summary>
    public string? Import { get; init; }

    /// <summary>With <see cref="Import"/>: only say what would be written.</summary>
    public bool DryRun { get; init; }

    /// <summary>Settings given on the command line, <c>--Section:Key=value</c>.</summary>
    public IReadOnlyList<string> Settings { get; init; } = [];

    /// <summary>It was asked what can be said.</summary>
    public bool Help { get; init; }

    /// <summary>What can be said.</summary>
    public const string Usage = """
        dotnet run --project local [-- OPTIONS]

          --urls URL              where to listen              (http://127.0.0.1:5080)
          --data DIR              where to keep the data       (.data)
          --clock TIME            start on a simulated clock   (--clock 2026-01-01T00:00:00Z)
          --restore FILE          begin with a backup of .data/backups; what stood there is kept beside it
          --demo                  play a year of a made-up company, which ends today (or at --clock)
          --customers N           how many customers it has    (300)
          --seed N                which of all such years      (1)
          --Section:Key=VALUE     a setting of retention.json  (--Flows:Mode=preview)

        dotnet run --project local -- import FILE [--dry-run] [--data DIR]

          writes a CSV file of customers or subscriptions into the data (docs/import.md) and ends; --dry-run only says what it would write
        """;

    /// <summary>Reads the command line.</summary>
    /// <exception cref="LocalStartException">An option is unknown or its value is wrong: one plain sentence.</exception>
    public static LocalOptions Parse(IReadOnlyList<string> args)
    {
        var options = new LocalOptions();
        var settings = new List<string>();
        for (var i = 0; i < args.Count; i++)
        {
            var (name, value) = args[i].Split('=', 2) is [var left, var right] ? (left, right) : (args[i], null);
            if (name is "--help" or "-h" or "-?") return options with { Help = true };
            if (i == 0 && args[i] == "import")
            {
                options = options with { Import = ++i < args.Count && !args[i].StartsWith("--", StringComparison.Ordinal) ? args[i] : throw new LocalStartException($"import needs a file: import customers.csv\n\n{Usage}") };
                continue;
            }
            if (name is "--dry-run" && value is null)
            {
                options = options with { DryRun = true };
                continue;
            }
            if (name is "--demo" && value is null)
            {
                options = options with { Demo = true };
                continue;
            }
            if (name.StartsWith("--", StringComparison.Ordinal) && name.Contains(':'))
            {
                settings.Add($"{name}={value ?? Next(args, ref i, name)}");
                continue;
            }
            options = name switch
            {
                "--urls" => options with { Urls = CheckUrls(value ?? Next(args, ref i, name)) },
                "--data" => options with { DataFolder = NotEmpty(value ?? Next(args, ref i, name), name) },
                "--restore" => options with { Restore = NotEmpty(value ?? Next(args, ref i, name), name) },
                "--clock" => options with { Clock = Time(value ?? Next(args, ref i, name)) },
                "--customers" => options with { Customers = CustomersOf(value ?? Next(args, ref i, name)) },
                "--seed" => options with { Seed = SeedOf(value ?? Next(args, ref i, name)) },
                _ => throw new LocalStartException($"There is no option '{args[i]}'.\n\n{Usage}"),
            };
        }
        if (options.DryRun && options.Import is null) throw new LocalStartException("--dry-run is of the import: import FILE --dry-run.");
        if (options.Import is not null && options.Demo) throw new LocalStartException("A demo year's customers and your own would mix: import into a folder without --demo.");
        if (!options.Demo && (options.Customers is not null || options.Seed is not null)) throw new LocalStartException("--customers and --seed say which demo year is played: give --demo too.");
        return options with { Settings = settings };
    }

    // An empty one comes of a variable of the shell that is not set.
    private static string NotEmpty(string value, string name) => value.Length > 0 ? value : throw new LocalStartException($"The option {name} needs a value.\n\n{Usage}");

    private static string Next(IReadOnlyList<string> args, ref int i, string name) =>
        ++i < args.Count ? args[i] : throw new LocalStartException($"The option {name} needs a value.\n\n{Usage}");

    // No https: a certificate belongs into the proxy that makes this host reachable from elsewhere.
    private static string CheckUrls(string text)
    {
        var urls = text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (urls.Length == 0) throw NoAddress(text);
        foreach (var url in urls)
        {
            BindingAddress address;
            try
            {
                // Read as the server itself reads it.
                address = BindingAddress.Parse(url);
            }
            catch (FormatException)
            {
                throw NoAddress(text);
            }
            var local = address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase);
            if (!address.Scheme.Equals("http", StringComparison.OrdinalIgnoreCase) || address.PathBase.Length > 0 || address.IsUnixPipe || address.IsNamedPipe || (local && address.Port == 0)) throw NoAddress(text);
            // The server takes any other name for "all addresses of this machine", which is not what somebody means who names one.
            if (!local && address.Host is not ("+" or "*") && !IPAddress.TryParse(address.Host, out _))
                throw new LocalStartException($"--urls '{text}' names '{address.Host}', and by a name other than localhost it would listen on every address of this machine: give one of its IP addresses, localhost, or * for all of them. Example: --urls http://127.0.0.1:5080");
        }
        return text;
    }

    private static LocalStartException NoAddress(string text) => new($"--urls '{text}' is not an http address. Example: --urls http://127.0.0.1:5080");

    private static int CustomersOf(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is >= 1 and <= 5000
        ? count
        : throw new LocalStartException($"--customers '{text}' is not a whole number from 1 to 5000. Example: --customers 300");

    private static ulong SeedOf(string text) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
        ? seed
        : throw new LocalStartException($"--seed '{text}' is not a whole number from 0 on. Example: --seed 7");

    private static DateTimeOffset Time(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time
            : throw new LocalStartException($"--clock '{text}' is not a time. Example: --clock 2026-01-01T00:00:00Z");
}

/// <summary>The host cannot start; the message is one plain sentence for the founder.</summary>
public sealed class LocalStartException(string message) : Exception(message);
