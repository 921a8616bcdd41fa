namespace RetentionFunctions.Local.Sqlite;

/// <summary>The data folder cannot be used. The message is one plain sentence for the person who started the program: which folder, what is wrong, what to do.</summary>
public sealed class DataFolderException : Exception
{
    /// <summary>With the sentence, and what the system said.</summary>
    public DataFolderException(string message, Exception? inner = null) : base(message, inner) { }

    /// <summary>It was opened, and the first rows could not be written.</summary>
    public static DataFolderException NotWritten(string folder, Exception inner) =>
        new($"The data folder '{folder}' cannot be written to at the moment ({inner.Message.TrimEnd('.')}); make space on its disk, or name another folder with --data.", inner);
}
