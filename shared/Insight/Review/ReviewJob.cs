using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Jobs;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Insight;

/// <summary>Every night: asks the engine to keep time for the e-mails of the review that the day asks for. Asked twice, it keeps time once; what was sent is not sent again.</summary>
public sealed class ReviewJob(ITables tables, IFlowEngine engine, RetentionSettings settings, TimeProvider clock) : INightlyJob
{
    /// <inheritdoc/>
    public string Name => "review";

    /// <inheritdoc/>
    public async Task<JobStep> StepAsync(JobState state, CancellationToken cancel)
    {
        if (settings.Review.Email is not { Length: > 0 }) return JobStep.NothingToDo;
        var begun = 0;
        foreach (var occasion in ReviewOccasion.On(DailySweep.Day(clock.GetUtcNow(), settings)))
        {
            if (!await RanBeforeAsync(occasion.RanBefore, cancel) || await IsSettledAsync(occasion, cancel)) continue;
            await engine.StartAsync(FounderMail.RunOf(occasion.Key), cancel);
            begun++;
        }
        return new JobStep(null, new Dictionary<string, long> { ["e-mails due"] = begun });
    }

    // The product was set up when it first swept: the months before that it only read of.
    private async Task<bool> RanBeforeAsync(DateOnly day, CancellationToken cancel)
    {
        await foreach (var _ in tables.QueryAsync(Keys.SweepsBetween(DateOnly.MinValue, day.AddDays(-1)), cancel)) return true;
        return false;
    }

    private async Task<bool> IsSettledAsync(ReviewOccasion occasion, CancellationToken cancel) =>
        await tables.GetAsync<MailRecord>(Keys.ReviewMail(occasion.Key), cancel) is { Value.Result: not (MailResult.Sending or MailResult.NotSent) };
}
