using Microsoft.Extensions.Configuration;
using RetentionFunctions.Functions;
using RetentionFunctions.Settings;

namespace RetentionFunctions.FunctionsTests;

public sealed class AzureSettingsTests
{
    private static readonly Dictionary<string, string?> Right = new()
    {
        ["Stripe:WebhookSecrets:0"] = "whsec_0123456789abcdef0123456789abcdef",
        ["AppEvents:WriteKey"] = "write-key",
        ["Admin:Key"] = "0123456789abcdef",
        ["Tables:tableServiceUri"] = "https://acme.table.core.windows.net",
        ["Backups:containerUri"] = "https://acme.blob.core.windows.net/backups",
        ["ServiceBus:fullyQualifiedNamespace"] = "acme.servicebus.windows.net",
        ["SENDGRID_API_KEY"] = "SG.test",
        ["STRIPE_API_KEY"] = "sk_test_1",
        ["WEBSITE_HOSTNAME"] = "acme.azurewebsites.net",
    };

    private static AzureSettings Load(Dictionary<string, string?> values) => AzureSettings.Load(new ConfigurationBuilder().AddInMemoryCollection(values).Build()).Azure;

    [Fact]
    public void With_all_that_it_needs_it_starts_at_its_own_address()
    {
        var azure = Load(Right);
        Assert.Equal((new Uri("https://acme.azurewebsites.net"), true), (azure.PublicUrl, azure.OnAzure));
    }

    [Fact]
    public void Connection_strings_stand_in_for_the_identity_and_a_developers_machine_is_not_Azure()
    {
        var azure = Load(new(Right) { ["Tables:tableServiceUri"] = null, ["Tables"] = "UseDevelopmentStorage=true", ["WEBSITE_HOSTNAME"] = "localhost:7071" });
        Assert.Equal("UseDevelopmentStorage=true", azure.Tables.String);
        Assert.Equal((new Uri("http://localhost:7071"), false), (azure.PublicUrl, azure.OnAzure));
    }

    [Fact]
    public void Everything_that_is_missing_is_told_at_once()
    {
        var problems = Assert.Throws<SettingsException>(() => Load([])).Problems.Select(p => p.Key);
        Assert.Equal(["Admin:Key", "AppEvents:WriteKey", "Backups:containerUri", "SENDGRID_API_KEY", "STRIPE_API_KEY", "ServiceBus:fullyQualifiedNamespace", "Tables:tableServiceUri"], problems.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Before_the_endpoints_at_Stripe_and_SendGrid_exist_it_starts_and_says_what_is_still_to_be_done()
    {
        var first = new Dictionary<string, string?>(Right);
        first.Remove("Stripe:WebhookSecrets:0");
        var (settings, _) = AzureSettings.Load(new ConfigurationBuilder().AddInMemoryCollection(first).Build());
        Assert.Collection(AzureSettings.Pending(settings),
            stripe => Assert.Contains("azd env set STRIPE_WEBHOOK_SECRET", stripe, StringComparison.Ordinal),
            sendGrid => Assert.Contains("azd env set SENDGRID_EVENT_KEY", sendGrid, StringComparison.Ordinal));
        settings.Stripe.WebhookSecrets = ["whsec_1"];
        settings.Email.SendGrid.EventPublicKeys = ["key"];
        Assert.Empty(AzureSettings.Pending(settings));
    }

    [Fact]
    public void A_reference_that_Azure_could_not_read_is_no_key()
    {
        const string unread = "@Microsoft.KeyVault(SecretUri=https://kv-acme.vault.azure.net/secrets/admin-key/1)";
        var problems = Assert.Throws<SettingsException>(() => Load(new(Right) { ["Admin:Key"] = unread, ["STRIPE_API_KEY"] = unread })).Problems;
        Assert.Equal(["Admin:Key", "STRIPE_API_KEY"], problems.Select(p => p.Key));
        Assert.All(problems, problem => Assert.DoesNotContain("kv-acme", problem.Problem + problem.Example, StringComparison.Ordinal));
    }
}
