using RetentionFunctions.Customers;
using RetentionFunctions.Email;

namespace RetentionFunctions.Flows;

/// <summary>The flows that every founder starts with. <c>retention.json</c> changes single values of them by name, or adds others.</summary>
public static class FlowDefaults
{
    /// <summary>The name of the flow for customers who stopped using the product.</summary>
    public const string WinBack = "win-back";

    /// <summary>The name of the flow for failed payments.</summary>
    public const string Dunning = "dunning";

    // Five e-mails on days 0, 3, 7, 10, 14: two weeks, which is also Stripe's recommended length of Smart Retries,
    // so that dunning ends about when the last retry does.
    private static readonly double[] Days = [0, 3, 7, 10, 14];

    /// <summary>A fresh copy each time, by name: nobody can change the defaults of another.</summary>
    public static Dictionary<string, FlowDefinition> Definitions() => new(StringComparer.OrdinalIgnoreCase)
    {
        [WinBack] = new FlowDefinition
        {
            Kind = MailKind.Marketing,
            Trigger = FlowTrigger.Inactivity,
            Steps = Steps(WinBack),
            // A quarter: who did not answer five e-mails is left alone for as long as activity is kept.
            CooldownDays = 90,
            Window = new SendWindow { FromHour = 9, ToHour = 17, WeekdaysOnly = true },
            PersonalNoteFor = ValueTier.A,
            PersonalNoteDays = 2,
        },
        [Dunning] = new FlowDefinition
        {
            Kind = MailKind.Transactional,
            Trigger = FlowTrigger.FailedPayment,
            Steps = Steps(Dunning),
            // Keyed to the invoice: the next invoice that fails is another occasion, however soon.
            CooldownDays = 0,
            Window = new SendWindow { FromHour = 9, ToHour = 17, WeekdaysOnly = false },
        },
    };

    private static FlowStep[] Steps(string flow) => [.. Days.Select((day, index) => new FlowStep(day, $"{flow}-{index + 1}"))];
}
