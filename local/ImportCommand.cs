using RetentionFunctions.Import;
using RetentionFunctions.Jobs;

namespace RetentionFunctions.Local;

/// <summary><c>import FILE [--dry-run]</c>: the same check and job as the page's, in a host that does not listen.</summary>
internal static class ImportCommand
{
    /// <summary>Runs it; 0 where the file was written, or could be, else 1.</summary>
    public static async Task<int> RunAsync(IServiceProvider services, string path, bool dryRun, TextWriter output, TextWriter errors)
    {
        if (!File.Exists(path)) throw new LocalStartException($"There is no file '{path}'.");
        if (new FileInfo(path).Length > Imports.MaxBytes) throw new LocalStartException(Imports.TooLarge);
        var imports = services.GetRequiredService<Imports>();
        var file = await File.ReadAllBytesAsync(path);
        if ((dryRun ? await imports.CheckAsync(file) : await imports.KeepAsync(file)) is not var (reading, summary))
            throw new LocalStartException("Another file is being written into this data. Start the host without import, and it goes on; then try again.");
        foreach (var problem in reading.Problems) await errors.WriteLineAsync(problem.ToString());
        if (!reading.IsSound)
        {
            if (reading.ProblemCount > reading.Problems.Count) await errors.WriteLineAsync($"… and {reading.ProblemCount - reading.Problems.Count} more.");
            await errors.WriteLineAsync("Nothing was written.");
            return 1;
        }
        var told = $"{summary}{(summary.Erased > 0 ? $"; {summary.Erased} of the customers were erased and are left out" : "")}{(summary.Ignored.Count > 0 ? $"; not read: {string.Join(", ", summary.Ignored)}" : "")}";
        if (dryRun)
        {
            await output.WriteLineAsync($"No mistakes. It would write: {told}.");
            return 0;
        }
        if (await imports.StartAsync(summary.Id) is not ImportStart.Begun) throw new LocalStartException("The file could not be kept to be written. Try again.");
        await services.GetRequiredService<LocalPump>().HandleQueuedAsync();
        var state = (await services.GetRequiredService<JobRunner>().StateAsync(ImportJob.JobName))!;
        if (state.Failed is { } failed) throw new LocalStartException(failed);
        await output.WriteLineAsync(state.IsRunning ? "It could not be written to the end yet, and goes on when the host is started." : $"Written: {told}.");
        return state.IsRunning ? 1 : 0;
    }
}
