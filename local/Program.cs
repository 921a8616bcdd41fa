using RetentionFunctions.Email;
using RetentionFunctions.Local;
using RetentionFunctions.Local.Demo;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

try
{
    // 1. What was asked for.
    var options = LocalOptions.Parse(args);
    if (options.Help)
    {
        Console.WriteLine(LocalOptions.Usage);
        return 0;
    }

    // 2. The founder's settings: retention.json of this folder or one above, user secrets, the environment, the command line.
    var file = SettingsLoader.FindFile(Directory.GetCurrentDirectory());
    var configuration = SettingsLoader.AddSources(new ConfigurationBuilder(), file, args: [.. options.Settings]).Build();

    if (options.Restore is { } backup)
        Console.WriteLine($"The data in '{options.DataFolder}' is that of {backup} now.{(FileRestore.Run(options.DataFolder, backup, TimeProvider.System.GetUtcNow()) is { } kept ? $" What stood there is kept as {kept}." : "")}");

    // 3. The whole product in this process.
    await using var app = await LocalHost.CreateAsync(options, configuration, Path.GetDirectoryName(file));
    if (options.Import is { } import) return await ImportCommand.RunAsync(app.Services, import, options.DryRun, Console.Out, Console.Error);
    try
    {
        await app.StartAsync();
    }
    catch (TransientStorageException e)
    {
        // Nothing runs yet that would try again: the disk is full.
        throw DataFolderException.NotWritten(options.DataFolder, e);
    }

    // 4. A year of a made-up company, if asked for. The pages are open meanwhile.
    if (options.Demo) await DemoTerminal.PlayAsync(app);

    // 5. How to send the first event.
    Console.WriteLine(await Welcome.TextAsync(app, options, file));
    await app.WaitForShutdownAsync();
    return 0;
}
catch (OperationCanceledException)
{
    // Ctrl+C while the demo year was being played: it goes on with the next start.
    return 130;
}
catch (Exception e) when (e is LocalStartException or SettingsException or DataFolderException or EmailTemplateException)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}
catch (Exception e) when (e is System.Net.Sockets.SocketException || e.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
{
    await Console.Error.WriteLineAsync($"It cannot listen there: {e.Message.TrimEnd('.')}. Stop what listens there, or choose another address: --urls http://127.0.0.1:5081");
    return 1;
}
