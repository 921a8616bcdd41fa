
namespace RetentionFunctions.Customers;

/// <summary>Whether a customer can pause.</summary>
public abstract record PauseChoice
{
    private PauseChoice() { }

    /// <summary>These subscriptions can.</summary>
    /// <param name="SubscriptionIds">At least one.</param>
    public sealed record Possible(IReadOnlyList<string> SubscriptionIds) : PauseChoice;

    /// <summary>Paused already, or asked for.</summary>
    /// <param name="Until">When it resumes by itself; null where that is not set.</param>
    /// <param name="SubscriptionIds">What is paused.</param>
    public sealed record Paused(DateTimeOffset? Until, IReadOnlyList<string> SubscriptionIds) : PauseChoice;

    /// <summary>Paid by the year: nothing would be charged in the months of the pause anyway.</summary>
    public sealed record Yearly : PauseChoice;

    /// <summary>No subscription that runs.</summary>
    public sealed record Nothing : PauseChoice;
}

/// <summary>Decides about pauses.</summary>
public static class Pausing
{
    /// <summary>Longest pause by a link, in months.</summary>
    public const int MaxMonths = 3;

    /// <summary>What the customer can do. Only active subscriptions with periods under a year that are not about to end can be paused.</summary>
    public static PauseChoice Of(Customer customer, DateTimeOffset now)
    {
        var paused = customer.Subscriptions.Where(IsPaused).ToList();
        if (paused.Count > 0)
            return new PauseChoice.Paused(paused.Max(subscription => subscription.Latest.PauseResumesAt), [.. paused.Select(subscription => subscription.Latest.SubscriptionId)]);
        if (IsRequested(customer, now)) return new PauseChoice.Paused(customer.PauseRequested!.Until, customer.PauseRequested.SubscriptionIds);

        var running = customer.Subscriptions.Where(subscription => subscription is { State: SubscriptionState.Active, EndsAt: null }).ToList();
        var pausable = running.Where(subscription => !IsYearly(subscription.Latest)).Select(subscription => subscription.Latest.SubscriptionId).ToList();
        return pausable.Count > 0 ? new PauseChoice.Possible(pausable) : running.Count > 0 ? new PauseChoice.Yearly() : new PauseChoice.Nothing();
    }

    /// <summary>
    /// Whether <see cref="Customer.PauseRequested"/> still stands for a pause: until it is over, the customer came back, the subscriptions ended,
    /// or Stripe said, later than the request, that one of them runs. (Five minutes later: Stripe's clock may be ahead of ours, and an event about
    /// something else may have been under way.)
    /// </summary>
    public static bool IsRequested(Customer customer, DateTimeOffset now)
    {
        if (customer.PauseRequested is not { } request || request.Until <= now || customer.ReturnedAt > request.At) return false;
        var asked = customer.Subscriptions.Where(subscription => request.SubscriptionIds.Contains(subscription.Latest.SubscriptionId)).ToList();
        return asked.Any(subscription => subscription.State != SubscriptionState.Ended)
            && !asked.Any(subscription => subscription.State == SubscriptionState.Active && !IsPaused(subscription) && subscription.Latest.Stamp.At > request.At.AddMinutes(5));
    }

    // Behavior "void" lets the paid period run out first: until then the state is still active, but Stripe holds the pause.
    private static bool IsPaused(Subscription subscription) =>
        subscription.State == SubscriptionState.Paused || (subscription.State != SubscriptionState.Ended && subscription.Latest.PauseBehavior is not null);

    private static bool IsYearly(SubscriptionSnapshot snapshot) => snapshot.Interval switch
    {
        "year" => true,
        "month" => snapshot.IntervalCount >= 12,
        "week" => snapshot.IntervalCount >= 52,
        "day" => snapshot.IntervalCount >= 365,
        _ => false,
    };
}
