using RetentionFunctions.Local.Sandbox;

namespace RetentionFunctions.Local.Demo;

/// <summary>
/// Brings the events of the demo year to the door in the order in which <see cref="SandboxDelivery"/> says that they arrive: delayed, now and then swapped, a few twice. What
/// arrives only after a stop of the clock is brought at the next, so that the year is played in no more rounds for it.
/// </summary>
internal sealed class DemoPostman
{
    private readonly PriorityQueue<SandboxEvent, (DateTimeOffset At, long Number)> onTheWay = new();
    private long number;

    /// <summary>What the world outside does up to a stop: the steps as they are, and instead of what Stripe tells of them what arrives up to then.</summary>
    public IReadOnlyList<DemoStep> Bring(IEnumerable<DemoStep> steps, DateTimeOffset to)
    {
        var brought = new List<DemoStep>();
        foreach (var step in steps)
            if (step is not DemoStep.Tells tells) brought.Add(step);
            else
                foreach (var (at, told) in SandboxDelivery.Arrivals(tells.Events)) onTheWay.Enqueue(told, (at, ++number));
        while (onTheWay.TryPeek(out var told, out var when) && when.At <= to)
        {
            onTheWay.Dequeue();
            brought.Add(new DemoStep.Tells(told.CustomerId, [told]));
        }
        return brought;
    }
}
