namespace RetentionFunctions.Email;

/// <summary>
/// Which opens and clicks are the customer's own. Pure. Opens that SendGrid itself marks as a machine's (<c>sg_machine_open</c>: Apple's Mail Privacy Protection)
/// do not come this far. User agents and addresses decide nothing: the scanners that matter show those of a browser.
/// </summary>
public static class Engagement
{
    /// <summary>The first open and the first click of the customer; null where there is none. A click is an open too: who blocks images opens unseen.</summary>
    /// <param name="touches">All that opened it or clicked in it, in any order.</param>
    /// <param name="arrivedAt">When it was delivered, or else when the provider began with it; null where neither is known: then the time says nothing.</param>
    /// <param name="rule">The rule.</param>
    public static (DateTimeOffset? OpenedAt, DateTimeOffset? ClickedAt) Of(IReadOnlyList<MailTouch> touches, DateTimeOffset? arrivedAt, EngagementSettings rule)
    {
        DateTimeOffset? opened = null, clicked = null;
        foreach (var touch in touches)
        {
            if (IsMachine(touch, touches, arrivedAt, rule)) continue;
            if (!(opened <= touch.At)) opened = touch.At;
            if (touch.Link is not null && !(clicked <= touch.At)) clicked = touch.At;
        }
        return (opened, clicked);
    }

    private static bool IsMachine(MailTouch touch, IReadOnlyList<MailTouch> all, DateTimeOffset? arrivedAt, EngagementSettings rule)
    {
        // Also before it: a gateway looks into an e-mail before it takes it.
        if (touch.At < arrivedAt + TimeSpan.FromSeconds(touch.Link is null ? rule.OpenSeconds : rule.ClickSeconds)) return true;
        // Whoever tries one link after the other also loads the pictures.
        var around = TimeSpan.FromSeconds(rule.BurstSeconds);
        return all.Where(other => other.Link is not null && (other.At - touch.At).Duration() <= around).Select(other => other.Link).Distinct(StringComparer.Ordinal).Count() >= rule.BurstLinks;
    }
}
