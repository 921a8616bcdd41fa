namespace RetentionFunctions.Torture.Faults;

/// <summary>Runs tasks one at a time on one thread, each next one by dice: everything that is written for many at the same time, in an order that a seed repeats. Nothing sleeps.</summary>
internal sealed class DiceScheduler(Random dice) : TaskScheduler
{
    private readonly List<Task> ready = [];

    /// <summary>Runs to the end.</summary>
    public Task RunAsync(Func<Task> work) => Task.Run(() =>
    {
        var all = Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.None, this).Unwrap();
        while (!all.IsCompleted)
        {
            if (ready.Count == 0) throw new InvalidOperationException("Everything waits for something that is not on this scheduler.");
            var place = dice.Next(ready.Count);
            var next = ready[place];
            ready[place] = ready[^1];
            ready.RemoveAt(ready.Count - 1);
            TryExecuteTask(next);
        }
        all.GetAwaiter().GetResult();
    });

    protected override void QueueTask(Task task) => ready.Add(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    protected override IEnumerable<Task> GetScheduledTasks() => ready;
}
