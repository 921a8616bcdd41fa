using System.Threading.Channels;

namespace RetentionFunctions.Local.Sqlite;

/// <summary>
/// "Something changed, look again." Any number of <see cref="Set"/> before a wait release one wait, so a loop that looks, finds nothing and then
/// waits misses nothing that came in between. For one waiting loop; two would take each other's signal.
/// </summary>
public sealed class Signal
{
    private readonly Channel<bool> _one = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Releases the wait that is under way, or else the next one.</summary>
    public void Set() => _one.Writer.TryWrite(true);

    /// <summary>Returns when there was a <see cref="Set"/> since the last wait ended.</summary>
    public async Task WaitAsync(CancellationToken cancel = default) => await _one.Reader.ReadAsync(cancel);
}
