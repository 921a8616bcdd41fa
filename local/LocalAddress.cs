using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace RetentionFunctions.Local;

/// <summary>Where this host can be reached, known once it listens (a port of 0 is chosen then).</summary>
public sealed class LocalAddress(IServer server)
{
    /// <summary>The first address, with a name that a browser on this machine can open.</summary>
    public Uri Root => RootOrNull ?? throw new InvalidOperationException("The host does not listen yet.");

    /// <summary>The same; null before the host listens.</summary>
    public Uri? RootOrNull => server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() is { } first
        && new Uri(first.Replace("//[::]:", "//127.0.0.1:", StringComparison.Ordinal).Replace("//0.0.0.0:", "//127.0.0.1:", StringComparison.Ordinal).Replace("//*:", "//127.0.0.1:", StringComparison.Ordinal).Replace("//+:", "//127.0.0.1:", StringComparison.Ordinal)) is { Port: > 0 } root
        ? root : null;
}
