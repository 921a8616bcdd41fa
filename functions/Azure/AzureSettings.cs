using System.Net;
using Azure.Core;
using Azure.Data.Tables;
using Azure.Identity;
using Azure.Messaging.ServiceBus;
using Azure.Storage.Blobs;
using Microsoft.Extensions.Configuration;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Functions;

/// <summary>What only this host needs to know: where its storage and queue are, and the keys of SendGrid and Stripe.</summary>
/// <param name="Tables">The table service: a connection string, or the address that the app's identity may use.</param>
/// <param name="Backups">The container of the nightly backups: a connection string of its storage account, or the address of the container that the app's identity may write to.</param>
/// <param name="ServiceBus">The namespace of the queue, in the same two ways.</param>
/// <param name="SendGridKey">An API key of SendGrid with the right "Mail Send".</param>
/// <param name="StripeKey">A secret or restricted key of Stripe: subscriptions and customer portal to write; customers, payment methods, subscriptions, invoices, prices and events to read.</param>
/// <param name="PublicUrl">The address of this app.</param>
public sealed record AzureSettings(Connection Tables, Connection Backups, Connection ServiceBus, string SendGridKey, string StripeKey, Uri PublicUrl)
{
    /// <summary>The name of the Service Bus connection in the triggers.</summary>
    public const string ServiceBusName = "ServiceBus";

    // Where the setting is a connection string, which names no container.
    private const string BackupsContainer = "backups";

    // Without an admin key the pages are open to the machine itself, and here every request comes through a proxy on the same machine.
    private static readonly SettingRequirement[] Required = [SettingRequirement.WriteKey, SettingRequirement.AdminKey];

    /// <summary>Reads the settings of the product and of this host.</summary>
    /// <exception cref="SettingsException">Something is wrong or missing; it lists everything at once.</exception>
    public static (RetentionSettings Settings, AzureSettings Azure) Load(IConfiguration configuration)
    {
        var problems = new List<SettingProblem>();
        RetentionSettings? settings = null;
        try
        {
            settings = SettingsLoader.Load(configuration, Required);
        }
        catch (SettingsException e)
        {
            problems.AddRange(e.Problems);
        }

        string Key(string name, string why, string example)
        {
            if (configuration[name] is { Length: > 0 } value) return value;
            problems.Add(new SettingProblem(name, why, $"{name}={example}"));
            return "";
        }

        Connection Connect(string name, string part, string why, string example, Func<Connection, string?> wrong)
        {
            var connection = new Connection(Some(configuration[name]), Some(configuration[$"{name}:{part}"]));
            if (connection is (null, null)) problems.Add(new SettingProblem($"{name}:{part}", why, $"{name}__{part}={example}"));
            else if (wrong(connection) is { } problem)
            {
                var key = connection.String is null ? $"{name}:{part}" : name;
                // A reference that Azure could not read has been told as one.
                if (problems.TrueForAll(known => known.Key != key)) problems.Add(new SettingProblem(key, problem, $"{name}__{part}={example}"));
            }
            return connection;
        }

        // Azure leaves the reference itself where it could not read the secret; it would then be the key.
        foreach (var (key, _) in configuration.AsEnumerable().Where(pair => pair.Value?.StartsWith("@Microsoft.KeyVault(", StringComparison.Ordinal) == true).OrderBy(pair => pair.Key, StringComparer.Ordinal))
            problems.Add(new SettingProblem(key, "It refers to a secret of the Key Vault that Azure could not read: the app's identity lacks the role 'Key Vault Secrets User', or has had it for some minutes only.", "restart the function app; if that does not help, azd provision"));

        var azure = new AzureSettings(
            Connect("Tables", "tableServiceUri", "It is missing: nothing can be kept without the table storage. A connection string may stand in 'Tables' instead.", "https://ACCOUNT.table.core.windows.net", WrongTables),
            Connect("Backups", "containerUri", "It is missing: the nightly backups go into a container of blobs. A connection string of its storage account may stand in 'Backups' instead.", "https://ACCOUNT.blob.core.windows.net/backups", WrongBackups),
            Connect(ServiceBusName, "fullyQualifiedNamespace", "It is missing: the inbox is a queue of Service Bus. A connection string may stand in 'ServiceBus' instead.", "NAMESPACE.servicebus.windows.net", WrongServiceBus),
            Key("SENDGRID_API_KEY", "It is missing: e-mails go out through SendGrid.", "SG.…"),
            Key("STRIPE_API_KEY", "It is missing: pausing and paying from an e-mail act on Stripe.", "rk_live_…"),
            // Azure gives the app its name; on a developer's machine the tools listen on 7071.
            configuration["WEBSITE_HOSTNAME"] is { Length: > 0 } name ? new Uri(IsLocal(name) ? $"http://{name}" : $"https://{name}") : new Uri("http://localhost:7071"));
        return problems.Count == 0 ? (settings!, azure) : throw new SettingsException(problems);
    }

    /// <summary>
    /// What is still to be done at Stripe and SendGrid, a sentence each. Their endpoints are made for an address that exists only once this runs, and only then have
    /// secrets; until then the doors refuse, and both send again for days.
    /// </summary>
    public static IEnumerable<string> Pending(RetentionSettings settings)
    {
        if (settings.Stripe.WebhookSecrets.Count == 0)
            yield return "No event of Stripe is taken yet: set Stripe__WebhookSecrets__0 to the signing secret of the endpoint (azd env set STRIPE_WEBHOOK_SECRET whsec_…, then azd provision).";
        if (settings.Email.SendGrid.EventPublicKeys.Count == 0)
            yield return "Nothing is heard of bounces and complaints yet: set Email__SendGrid__EventPublicKeys__0 to the verification key of SendGrid's Event Webhook (azd env set SENDGRID_EVENT_KEY …, then azd provision).";
    }

    /// <summary>This process runs on Azure: its proxy is then the one that says where a request came from.</summary>
    public bool OnAzure => PublicUrl.Scheme == Uri.UriSchemeHttps;

    /// <summary>The client of the product's table.</summary>
    /// <param name="retries">How often it tries again by itself.</param>
    public TableClient TablesClient(int retries)
    {
        var options = new TableClientOptions { Retry = { MaxRetries = retries, NetworkTimeout = TimeSpan.FromSeconds(30) } };
        return Tables.String is { } text ? new TableClient(text, AzureTables.Name, options) : new TableClient(new Uri(Tables.Address!), AzureTables.Name, Identity(), options);
    }

    /// <summary>The client of the backups' container.</summary>
    public BlobContainerClient BackupsClient() =>
        Backups.String is { } text ? new BlobContainerClient(text, BackupsContainer) : new BlobContainerClient(new Uri(Backups.Address!), Identity());

    /// <summary>
    /// The Service Bus client. It gives up on a queue that says nothing after half a minute: whoever waits at the door is then told to come again, while the client's own
    /// four minutes are longer than Azure lets a request last (230 s).
    /// </summary>
    public ServiceBusClient ServiceBusClient()
    {
        var options = new ServiceBusClientOptions { RetryOptions = { TryTimeout = TimeSpan.FromSeconds(10), MaxRetries = 2 } };
        return ServiceBus.String is { } text ? new ServiceBusClient(text, options) : new ServiceBusClient(ServiceBus.Address!, Identity(), options);
    }

    // What Azure's clients would say without the name of the setting, or only at the first request.
    private static string? WrongTables(Connection tables) => tables switch
    {
        { String: { } text } => HasPart(text, "AccountName", "TableEndpoint", "UseDevelopmentStorage") ? null : "It is not the connection string of a storage account: it names no account.",
        _ => Uri.TryCreate(tables.Address, UriKind.Absolute, out var address) && address.Scheme is "https" or "http" ? null : "It is not an address: it begins with https://.",
    };

    private static string? WrongBackups(Connection backups) => backups switch
    {
        { String: { } text } => HasPart(text, "AccountName", "BlobEndpoint", "UseDevelopmentStorage") ? null : "It is not the connection string of a storage account: it names no account.",
        _ => Uri.TryCreate(backups.Address, UriKind.Absolute, out var address) && address.Scheme is "https" or "http" && address.AbsolutePath.Trim('/').Length > 0 ? null : "It is not the address of a container: it begins with https:// and ends with the container's name.",
    };

    private static string? WrongServiceBus(Connection bus) => bus switch
    {
        { String: { } text } => HasPart(text, "Endpoint") ? null : "It is not the connection string of a namespace: it names no endpoint.",
        _ => Uri.CheckHostName(bus.Address) == UriHostNameType.Dns ? null : "It is not the name of a host: it has no sb:// before it and no path behind it.",
    };

    // An unresolved reference to a key vault has none of them.
    private static bool HasPart(string connection, params ReadOnlySpan<string> names)
    {
        foreach (var part in connection.Split(';'))
            foreach (var name in names)
                if (part.TrimStart().StartsWith($"{name}=", StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }

    // Azure keeps a setting that was emptied.
    private static string? Some(string? value) => string.IsNullOrWhiteSpace(value) ? null : value;

    // The app's own identity on Azure (AZURE_CLIENT_ID names it), whoever is signed in to the Azure CLI on a developer's machine.
    internal static TokenCredential Identity() => new DefaultAzureCredential();

    private static bool IsLocal(string name) =>
        name.StartsWith("localhost", StringComparison.OrdinalIgnoreCase) || IPEndPoint.TryParse(name, out _);
}

/// <summary>Where a service is.</summary>
/// <param name="String">A connection string with a key in it.</param>
/// <param name="Address">The address alone, for the app's identity.</param>
public sealed record Connection(string? String, string? Address);
