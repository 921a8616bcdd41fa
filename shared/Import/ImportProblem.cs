namespace RetentionFunctions.Import;

/// <summary>What is wrong with a file, and what to write instead.</summary>
/// <param name="Row">The row as a spreadsheet numbers it: the header is 1; null where it is the whole file.</param>
/// <param name="Column">The column as its header has it; null where it is the whole row.</param>
/// <param name="Message">In words for the founder.</param>
public sealed record ImportProblem(int? Row, string? Column, string Message)
{
    /// <summary>As one sentence: <c>row 17, column Amount: '12,5O' is no amount; write 12.50</c>.</summary>
    public override string ToString() => Row is null ? Message : Column is null ? FormattableString.Invariant($"row {Row}: {Message}") : FormattableString.Invariant($"row {Row}, column {Column}: {Message}");
}

/// <summary>The problems of a file: all of them up to a bound, since whoever mends a file wants to do it once.</summary>
internal sealed class ImportProblems
{
    /// <summary>A page of them. A file that is wrong in each row is wrong in one way.</summary>
    public const int Most = 100;

    private readonly List<ImportProblem> all = [];

    /// <summary>The first ones, in the order of their rows.</summary>
    public IReadOnlyList<ImportProblem> All => [.. all.OrderBy(p => p.Row ?? 0)];

    /// <summary>How many there are, also beyond <see cref="Most"/>.</summary>
    public int Count { get; private set; }

    public void Add(int? row, string? column, string message)
    {
        Count++;
        if (all.Count < Most) all.Add(new ImportProblem(row, column, message));
    }
}
