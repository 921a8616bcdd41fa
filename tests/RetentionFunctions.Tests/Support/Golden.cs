using System.Runtime.CompilerServices;

namespace RetentionFunctions.Tests.Support;

/// <summary>
/// Compares with a file under Approved/, exactly. What differs is written beside it as <c>*.received.*</c>, for a person to look at and to
/// rename: nothing is ever approved by a program.
/// </summary>
public static class Golden
{
    public static void Matches(string name, string received)
    {
        var approved = Path.Combine(Folder(), name);
        var beside = Path.Combine(Path.GetDirectoryName(approved)!, $"{Path.GetFileNameWithoutExtension(name)}.received{Path.GetExtension(name)}");
        var expected = File.Exists(approved) ? File.ReadAllText(approved).ReplaceLineEndings("\n") : null;
        if (received == expected)
        {
            File.Delete(beside);
            return;
        }
        Directory.CreateDirectory(Path.GetDirectoryName(beside)!);
        File.WriteAllText(beside, received);
        Assert.Fail(expected is null ? $"There is no approved file {name}: look at {beside} and rename it." : $"{name} differs from {beside}.");
    }

    private static string Folder([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "Approved"));
}
