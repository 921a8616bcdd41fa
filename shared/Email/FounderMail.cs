using RetentionFunctions.Flows;

namespace RetentionFunctions.Email;

/// <summary>An e-mail to the founder, of figures and of no customer's name.</summary>
public sealed record FounderMail
{
    /// <summary>What stands where an e-mail to a customer has the customer's id; no id of Stripe's is like it.</summary>
    public const string Addressee = "founder";

    /// <summary>What stands where an e-mail to a customer has the flow.</summary>
    public const string Flow = "review";

    /// <summary>What it is keyed to: a month, or the Monday of a week. One of each is sent.</summary>
    public required string Occasion { get; init; }

    /// <summary>The name of the template.</summary>
    public required string Template { get; init; }

    /// <summary>The address.</summary>
    public required string To { get; init; }

    /// <summary>Which time it is about, in words.</summary>
    public required string Period { get; init; }

    /// <summary>The whole in one line.</summary>
    public required string Headline { get; init; }

    /// <summary>The path of the page that says more.</summary>
    public required string Page { get; init; }

    /// <summary>The figures, a line each.</summary>
    public IReadOnlyList<string> Figures { get; init; } = [];

    /// <summary>What is open, a line each.</summary>
    public IReadOnlyList<string> Actions { get; init; } = [];

    /// <summary>The id by which the engine keeps time for it.</summary>
    public static RunId RunOf(string occasion) => new(Addressee, Flow, occasion);

    /// <summary>Whether an id is that of such an e-mail.</summary>
    public static bool Is(RunId run) => run is { CustomerId: Addressee, Flow: Flow };
}
