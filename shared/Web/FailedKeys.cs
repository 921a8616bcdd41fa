using System.Net;
using System.Net.Sockets;

namespace RetentionFunctions.Web;

/// <summary>
/// Slows down who guesses keys: ten wrong ones a minute from one address, and then none are looked at until the minute is over. A key has at
/// least 8 characters, so ten a minute find nothing; the limit is there to keep the log and the processor quiet.
/// </summary>
/// <param name="milliseconds">A monotonic clock.</param>
internal sealed class FailedKeys(Func<long> milliseconds)
{
    public const int PerWindow = 10;
    public const long WindowMilliseconds = 60_000;

    // Bounds the memory that a sweep over many addresses can take; then all begin anew.
    private const int MostAddresses = 10_000;

    private readonly Dictionary<string, (long Since, int Count)> _windows = [];
    private readonly Lock _lock = new();

    /// <summary>How many seconds this address must wait; 0 where it may try.</summary>
    public int WaitSeconds(IPAddress? address)
    {
        lock (_lock)
        {
            if (!_windows.TryGetValue(Name(address), out var window) || window.Count < PerWindow) return 0;
            var left = window.Since + WindowMilliseconds - milliseconds();
            return left <= 0 ? 0 : (int)((left + 999) / 1000);
        }
    }

    /// <summary>Counts a wrong key.</summary>
    public void Count(IPAddress? address)
    {
        lock (_lock)
        {
            var now = milliseconds();
            var name = Name(address);
            if (_windows.TryGetValue(name, out var window) && now - window.Since < WindowMilliseconds)
            {
                _windows[name] = window with { Count = window.Count + 1 };
                return;
            }
            if (_windows.Count >= MostAddresses) _windows.Clear();
            _windows[name] = (now, 1);
        }
    }

    // One household or server has a whole /64 of IPv6 addresses to try from.
    private static string Name(IPAddress? address)
    {
        if (address is null) return "";
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return address.AddressFamily == AddressFamily.InterNetworkV6 ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8)) : address.ToString();
    }
}
