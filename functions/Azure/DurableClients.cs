using Microsoft.DurableTask.Client;

namespace RetentionFunctions.Functions;

/// <summary>
/// The client of the Durable engine. The extension gives it only to triggers, as a binding; each trigger that may start or wake flows passes it on here
/// before it does anything. All of one process are the same, so the latest serves everybody.
/// </summary>
public sealed class DurableClients
{
    private volatile DurableTaskClient? latest;

    /// <summary>The client.</summary>
    /// <exception cref="InvalidOperationException">A trigger did not pass its client on.</exception>
    public DurableTaskClient Client => latest ?? throw new InvalidOperationException("No trigger has passed on its durable client: it must call DurableClients.Use first.");

    /// <summary>Passes on the client of an invocation.</summary>
    public void Use(DurableTaskClient client) => latest = client;
}
