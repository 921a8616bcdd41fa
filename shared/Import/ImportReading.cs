namespace RetentionFunctions.Import;

/// <summary>What a file says, checked as a whole: with a problem in any row nothing of it is written.</summary>
public sealed record ImportReading
{
    /// <summary>Which file it is; null where that cannot be told.</summary>
    public ImportLayout? Layout { get; init; }

    /// <summary>How many rows it has below the header.</summary>
    public int Rows { get; init; }

    /// <summary>Each customer with all that the file says of them, by id.</summary>
    public IReadOnlyList<ImportedCustomer> Customers { get; init; } = [];

    /// <summary>How many subscriptions.</summary>
    public int Subscriptions { get; init; }

    /// <summary>Subscriptions of which the file says no amount: they are written with an MRR of 0, and say so.</summary>
    public int Unpriced { get; init; }

    /// <summary>The MRR at this moment of all that is in the file, in minor units by currency.</summary>
    public IReadOnlyDictionary<string, long> Mrr { get; init; } = new Dictionary<string, long>();

    /// <summary>Columns that are not read.</summary>
    public IReadOnlyList<string> Ignored { get; init; } = [];

    /// <summary>What is wrong, by row: the first hundred.</summary>
    public IReadOnlyList<ImportProblem> Problems { get; init; } = [];

    /// <summary>How much is wrong in all.</summary>
    public int ProblemCount { get; init; }

    /// <summary>Nothing is wrong.</summary>
    public bool IsSound => ProblemCount == 0;
}
