using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RetentionFunctions.Intake;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Functions;

/// <summary>Writes what was only counted every minute, and when the instance is taken away: a scaled-out instance does not live to be asked.</summary>
public sealed partial class CounterFlush(IntakeCounters counters, TimeProvider clock, ILogger<CounterFlush> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await counters.FlushAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                try
                {
                    await counters.FlushAsync(stoppingToken);
                }
                catch (TransientStorageException e)
                {
                    // What could not be written stays counted, and is written a minute later.
                    Log.Later(log, e);
                }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The instance is being taken away.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The counts could not be written; they are kept for the next minute")]
        public static partial void Later(ILogger log, Exception e);
    }
}
