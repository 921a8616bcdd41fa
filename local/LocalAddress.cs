using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace RetentionFunctions.Local;

/// <summary>Where this host can be reached, known once it listens (a port of 0 is chosen then).</summary>
public sealed class LocalAddress(IServer server)
{
    /// <summary>The first address, with a name that a browser on this machine can open.</summary>
    public Uri Root
    {
        get
        {
            var first = server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? throw new InvalidOperationException("The host does not listen yet.");
            return new Uri(first.Replace("//[::]:", "//127.0.0.1:", StringComparison.Ordinal).Replace("//0.0.0.0:", "//127.0.0.1:", StringComparison.Ordinal).Replace("//*:", "//127.0.0.1:", StringComparison.Ordinal).Replace("//+:", "//127.0.0.1:", StringComparison.Ordinal));
        }
    }
}
