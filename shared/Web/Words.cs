using System.Globalization;
using System.Text.Json;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;

namespace RetentionFunctions.Web;

/// <summary>The words of the JSON API and of the pages. Those of the API are a contract: <c>snake_case</c>, and Stripe's where Stripe has one.</summary>
internal static class Words
{
    /// <summary>Statuses: <c>none, trialing, active, past_due, paused, canceled, not_paying</c>.</summary>
    public static string Of(CustomerStatus status) => status == CustomerStatus.Paying ? "active" : Snake(status);

    /// <summary>Any other enum as the API says it; <c>unknown</c> where a newer version wrote it, or nobody of ours.</summary>
    public static string Of<T>(T value) where T : struct, Enum => Enum.IsDefined(value) ? Snake(value) : "unknown";

    /// <summary>As a person reads it: <c>past_due</c> is "Past due".</summary>
    public static string Shown(string word) => word.Length == 0 ? "" : char.ToUpperInvariant(word[0]) + word[1..].Replace('_', ' ');

    /// <summary>What became of an e-mail, as a founder says it; the API keeps the mailer's words.</summary>
    public static string Shown(MailResult result) => result switch
    {
        MailResult.Accepted => "Sent",
        MailResult.Unknown => "Perhaps sent",
        MailResult.Previewed => "Would be sent",
        _ => Shown(Of(result)),
    };

    /// <summary>Takes <see cref="Of{T}(T)"/> back, in any case; null where it is none of them.</summary>
    public static T? Parse<T>(string? word) where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>())
            if ((value is CustomerStatus status ? Of(status) : Snake(value)).Equals(word, StringComparison.OrdinalIgnoreCase)) return value;
        return null;
    }

    /// <summary>All words of an enum, for the message that names them.</summary>
    public static string All<T>() where T : struct, Enum =>
        string.Join(", ", Enum.GetValues<T>().Select(value => value is CustomerStatus status ? Of(status) : Snake(value)));

    /// <summary>How long ago, or in how long: "3 days ago", "in 2 h". Whole units, rounded down, so that it never says more time than has passed.</summary>
    public static string Relative(DateTimeOffset at, DateTimeOffset now)
    {
        var apart = (now - at).Duration();
        var span = apart switch
        {
            { TotalMinutes: < 1 } => null,
            { TotalHours: < 1 } => $"{(int)apart.TotalMinutes} min",
            { TotalDays: < 1 } => $"{(int)apart.TotalHours} h",
            { TotalDays: < 2 } => "1 day",
            { TotalDays: < 60 } => $"{(int)apart.TotalDays} days",
            { TotalDays: < 730 } => $"{(int)(apart.TotalDays / 30.44)} months",
            _ => $"{(int)(apart.TotalDays / 365.25)} years",
        };
        return span is null ? "just now" : at > now ? $"in {span}" : $"{span} ago";
    }

    /// <summary>A moment as it is told in passing: relative within 30 days, where "3 days ago" says more; the day itself beyond, where "2 months ago" says too little.</summary>
    public static string Near(DateTimeOffset at, DateTimeOffset now) =>
        (now - at).Duration() <= TimeSpan.FromDays(30) ? Relative(at, now) : at.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    /// <summary>A moment in UTC: <c>2026-01-01 12:00 UTC</c>.</summary>
    public static string Utc(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    private static string Snake<T>(T value) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
