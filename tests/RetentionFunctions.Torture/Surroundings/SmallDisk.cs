using System.Diagnostics;
using Microsoft.Data.Sqlite;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Surroundings;

/// <summary>A disk of its own that is as small as a test wants it, or read-only: a tmpfs, which only root may mount. Elsewhere the test is skipped and says why.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TempFolder folder = new();

    public SmallDisk(int megabytes)
    {
        if (Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", folder.Path) is { } why)
        {
            folder.Dispose();
            Assert.Skip($"A disk that fills cannot be made here: {why.Trim()}");
        }
    }

    public string Path => folder.Path;

    public long Free => new DriveInfo(folder.Path).AvailableFreeSpace;

    /// <summary>Takes up all space but this much.</summary>
    public void FillUpTo(long free)
    {
        using var ballast = new FileStream(Ballast, FileMode.OpenOrCreate, FileAccess.Write);
        ballast.Seek(0, SeekOrigin.End);
        var block = new byte[4096];
        while (Free > free + block.Length) ballast.Write(block);
    }

    public void FreeAgain() => File.Delete(Ballast);

    public void ReadOnly() => Assert.Null(Run("mount", "-o", "remount,ro", folder.Path));

    /// <summary>What SQLite itself says of the data file: "ok".</summary>
    public static string Integrity(string data)
    {
        using var connection = new SqliteConnection($"Data Source={System.IO.Path.Combine(data, SqliteStore.FileName)};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA integrity_check";
        return (string)command.ExecuteScalar()!;
    }

    public void Dispose()
    {
        Run("umount", "-l", folder.Path);
        folder.Dispose();
    }

    private string Ballast => System.IO.Path.Combine(folder.Path, "ballast");

    private static string? Run(string name, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(name, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            var said = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : said;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return e.Message;
        }
    }
}
