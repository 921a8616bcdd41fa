using RetentionFunctions.Email;

namespace RetentionFunctions.Flows;

/// <summary>A flow: data, not code. Every run keeps the definition that it started with.</summary>
public sealed record FlowDefinition
{
    /// <summary>False switches the flow off: nothing new starts.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Marketing flows need the customer's leave, keep weekdays, and only one runs at a time.</summary>
    public MailKind Kind { get; init; }

    /// <summary>What starts it.</summary>
    public FlowTrigger Trigger { get; init; }

    /// <summary>The steps, in order of their offsets.</summary>
    public IReadOnlyList<FlowStep> Steps { get; init; } = [];

    /// <summary>Share of customers, 0–1, that get nothing, chosen by a stable hash: what would have happened without us.</summary>
    public double HoldOut { get; init; }

    /// <summary>Days before it may start again for the same customer, counted from the last start.</summary>
    public int CooldownDays { get; init; }

    /// <summary>When e-mails may go out, in the customer's time zone.</summary>
    public SendWindow Window { get; init; } = new();

    /// <summary>Customers of this value tier get a note for the founder to write personally first; null: nobody.</summary>
    public Customers.ValueTier? PersonalNoteFor { get; init; }

    /// <summary>How long the founder has for the personal e-mail before the flow begins.</summary>
    public int PersonalNoteDays { get; init; } = 2;
}

/// <summary>What starts a flow.</summary>
public enum FlowTrigger
{
    /// <summary>The sweep finds a paying customer who stopped using the product.</summary>
    Inactivity,

    /// <summary>A recurring payment failed.</summary>
    FailedPayment,
}

/// <summary>One e-mail of a flow.</summary>
/// <param name="Day">Days after the first send; 0 for the first.</param>
/// <param name="Template">The name of its template.</param>
public sealed record FlowStep(double Day, string Template);

/// <summary>The hours in which e-mails go out; a step that falls outside waits for the next such hour, never the other way.</summary>
public sealed record SendWindow
{
    /// <summary>First hour, 0–23.</summary>
    public int FromHour { get; init; } = 9;

    /// <summary>The hour before which it closes, 1–24.</summary>
    public int ToHour { get; init; } = 17;

    /// <summary>Monday to Friday only.</summary>
    public bool WeekdaysOnly { get; init; }
}
