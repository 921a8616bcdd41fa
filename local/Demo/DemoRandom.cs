using System.Text;

namespace RetentionFunctions.Local.Demo;

/// <summary>
/// Chance that comes out the same on every machine and runtime: SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
/// Each question has a stream of its own, named by who, what and when, so that one answer more somewhere does not turn everybody else's year.
/// </summary>
internal struct DemoRandom(ulong state)
{
    private ulong state = state;

    /// <summary>The stream of a question.</summary>
    public static DemoRandom Of(ulong seed, int who, string what, int when = 0)
    {
        // FNV-1a over the name; SplitMix64's own finalizer then spreads neighbouring seeds, people and days apart.
        var hash = 14695981039346656037UL;
        foreach (var unit in Encoding.UTF8.GetBytes(what)) hash = (hash ^ unit) * 1099511628211UL;
        var mixed = new DemoRandom(seed);
        mixed.state ^= mixed.Next() ^ hash;
        mixed.state ^= mixed.Next() + (ulong)(uint)who * 0x9E3779B97F4A7C15UL;
        mixed.state ^= mixed.Next() + (ulong)(uint)when * 0xD1B54A32D192ED03UL;
        return new DemoRandom(mixed.Next());
    }

    public ulong Next()
    {
        var z = state += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <summary>From 0 to below 1.</summary>
    public double Share() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>From <paramref name="from"/> to <paramref name="to"/>, both possible.</summary>
    public int Whole(int from, int to) => from + (int)(Next() % (ulong)(to - from + 1));

    public bool Chance(double share) => Share() < share;

    public T Pick<T>(IReadOnlyList<T> of) => of[Whole(0, of.Count - 1)];

    /// <summary>One of several, each as often as its weight says.</summary>
    public T Pick<T>(IReadOnlyList<T> of, Func<T, double> weight)
    {
        var at = Share() * of.Sum(weight);
        foreach (var one in of)
            if ((at -= weight(one)) < 0) return one;
        return of[^1];
    }
}
