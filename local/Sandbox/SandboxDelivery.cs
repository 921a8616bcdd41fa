using System.Security.Cryptography;
using System.Text;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// When events arrive, as a function of their ids: the same event always takes the same way. Stripe promises neither order nor once: "Stripe doesn't guarantee the
/// delivery of events in the order that they're generated", an endpoint "might occasionally receive the same event more than once", and what the endpoint does not
/// take is tried again "for up to three days with an exponential back off" (docs.stripe.com/webhooks). The shares and the lengths below are ours: Stripe names none.
/// </summary>
internal static class SandboxDelivery
{
    /// <summary>The longest that a first delivery takes.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(15);

    // Stripe: "up to three days".
    private static readonly TimeSpan GivenUpAfter = TimeSpan.FromDays(3);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromHours(12);

    /// <summary>
    /// How long after it happened an event arrives for the first time: four of five within 1 to 4 seconds, most others within a minute, three of a hundred within
    /// <see cref="Longest"/>. So neighbours of one action arrive swapped now and then. Whole seconds.
    /// </summary>
    public static TimeSpan Delay(string eventId)
    {
        var (kind, length) = Chances(eventId, "delay");
        return TimeSpan.FromSeconds(kind < .80 ? 1 + (int)(length * 4) : kind < .97 ? 5 + (int)(length * 56) : 61 + (int)(length * (Longest.TotalSeconds - 60)));
    }

    /// <summary>How long after its first arrival the event comes a second time, from seconds to an hour; null for the 96 of a hundred that come once (about as many copies as are reported).</summary>
    public static TimeSpan? CopyAfter(string eventId)
    {
        var (kind, length) = Chances(eventId, "copy");
        return kind < .04 ? TimeSpan.FromSeconds(1 + (int)(length * length * 3600)) : null;
    }

    /// <summary>How long Stripe waits after the endpoint did not take an event for the n-th time: 5 minutes, four times as long each time, at most 12 hours; null once three days would be over.</summary>
    /// <param name="failures">How often it was not taken, from 1.</param>
    public static TimeSpan? RetryAfter(int failures)
    {
        var (after, waited) = (TimeSpan.Zero, TimeSpan.Zero);
        for (var n = 1; n <= failures; n++)
        {
            after = n == 1 ? FirstRetry : after * 4 < LongestRetry ? after * 4 : LongestRetry;
            waited += after;
        }
        return waited <= GivenUpAfter ? after : null;
    }

    /// <summary>Each event with when it arrives, copies included, in the order of arrival.</summary>
    public static IReadOnlyList<(DateTimeOffset At, SandboxEvent Event)> Arrivals(IEnumerable<SandboxEvent> events)
    {
        var arrivals = new List<(DateTimeOffset At, SandboxEvent Event)>();
        foreach (var told in events)
        {
            var at = told.CreatedAt + Delay(told.Id);
            arrivals.Add((at, told));
            if (CopyAfter(told.Id) is { } later) arrivals.Add((at + later, told));
        }
        // A stable sort: what arrives in the same second does so in the order in which it happened.
        return [.. arrivals.OrderBy(a => a.At)];
    }

    // Two numbers from 0 to below 1 that only the id and the question decide.
    private static (double First, double Second) Chances(string eventId, string question)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{question} {eventId}"));
        return (Share(hash), Share(hash.AsSpan(8)));

        static double Share(ReadOnlySpan<byte> bytes) => (BitConverter.ToUInt64(bytes) >> 11) * (1.0 / (1UL << 53));
    }
}
