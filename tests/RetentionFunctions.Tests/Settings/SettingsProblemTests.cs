using Microsoft.Extensions.Configuration;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Settings;

public sealed class SettingsProblemTests
{
    public static TheoryData<string, string, string> Wrong => new()
    {
        // setting, value, words that the founder reads
        { "Flows:SilentDays", "abc", "'abc' is not a whole number" },
        { "Flows:SilentDays", "1.5", "'1.5' is not a whole number" },
        { "Flows:SilentDays", "99999999999", "'99999999999' is too large" },
        { "Flows:SilentDays", "-3", "-3 is out of range: it must be from 1 to 365" },
        { "Flows:UseFellTo", "0,5", "'0,5' is not a number (decimals have a point" },
        { "Flows:UseFellTo", "NaN", "'NaN' is not a number" },
        { "Flows:MaxStartsPerDay", "-1", "-1 is out of range" },
        { "Flows:Mode", "dry", "'dry' is not one of: live, preview" },
        { "Flows:Mode", "1", "'1' is not one of: live, preview" },
        { "Flows:RetryWindowDays", "0", "from 1 to 62" },
        { "Flows:Definitions:win-back:HoldOut", "1.2", "1.2 is out of range: it must be from 0 to 1" },
        { "Flows:Definitions:win-back:CooldownDays", "-1", "-1 is out of range" },
        { "Flows:Definitions:win-back:Enabled", "yes", "'yes' is neither true nor false" },
        { "Flows:Definitions:win-back:PersonalNoteFor", "D", "'D' is not one of: a, b, c" },
        { "Flows:Definitions:win-back:Kind", "transactional", "is marketing, by law" },
        { "Flows:Definitions:win-back:Window:FromHour", "24", "24 is out of range" },
        { "Customers:PastDueDays", "-1", "-1 is out of range" },
        { "Customers:TierAShare", "1.1", "from 0 to 1" },
        { "Customers:TierAFrom:usd", "-1", "at least 0" },
        { "Customers:TierAFrom:dollar", "1", "'dollar' is not a currency" },
        { "Sweep:Hour", "24", "it must be from 0 to 23, because it is an hour" },
        { "Product:TimeZone", "Mars/Olympus", "'Mars/Olympus' is not an IANA time zone" },
        { "Product:TimeZone", "W. Europe Standard Time", "its IANA name is 'Europe/Berlin'" },
        { "Product:Name", " ", "It is empty" },
        { "Product:Url", "app.example.com", "is not a whole web address" },
        { "Product:Url", "/relative", "is not a whole web address" },
        { "Product:Url", "javascript:alert(1)", "is not a whole web address" },
        { "Web:PublicUrl", "ftp://x.example", "is not a whole web address" },
        { "Web:MaxAppBodyBytes", "100", "because Segment's SDKs send batches of up to 500 KB" },
        { "Email:From", "hello", "'hello' is not an e-mail address" },
        { "Email:From", "Ada <ada@example.com>", "is not an e-mail address" },
        { "Email:ReplyTo", "ada@localhost", "is not an e-mail address" },
        { "Email:FromName", "Ada\nBcc: everybody@example.com", "line break" },
        { "Stripe:ToleranceSeconds", "0", "from 1 to 3600" },
        { "Stripe:WebhookSecrets:0", "sk_test_1234567890", "does not begin with whsec_" },
        { "Stripe:WebhookSecrets", "whsec_123", "It is a list; this is a single value" },
        { "Admin:Key", "short", "has 5 characters; it needs at least 8" },
        { "Product:Name:First", "Acme", "single value, not a group" },
        { "Flows:Definitions:win-back:Steps:first:Day", "0", "is not a place in it" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_wrong_setting_is_named_with_what_is_wrong_and_an_example(string key, string value, string words)
    {
        var problem = Given.Problems(null, (key, value))[0];
        Assert.Contains(words, problem.Problem, StringComparison.Ordinal);
        Assert.StartsWith(problem.Key, key, StringComparison.Ordinal);
        Assert.Equal(problem.Key.Replace(":", "__"), problem.EnvironmentKey);
        Assert.NotEmpty(problem.Example);
    }

    [Fact]
    public void All_problems_are_told_at_once_each_in_both_spellings_with_an_example()
    {
        var exception = Assert.Throws<SettingsException>(() => Given.Settings("""{ "flows": { "silentDays": "abc" }, "product": { "url": "acme" } }""", ("Sweep:Hour", "25")));
        Assert.Equal(["Flows:SilentDays", "Product:Url", "Sweep:Hour"], exception.Problems.Select(p => p.Key).Order());
        Assert.StartsWith("3 settings are wrong:", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Flows:SilentDays (environment: Flows__SilentDays)", exception.Message, StringComparison.Ordinal);
        Assert.Contains("'abc' is not a whole number. It is set in: retention.json.", exception.Message, StringComparison.Ordinal);
        Assert.Contains("""Example: "flows": { "silentDays": 30 } in retention.json""", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "flows": { "silentDay": 20 } }""", "Flows:silentDay", "Did you mean 'flows.silentDays'?")]
    [InlineData("""{ "silentDays": 20 }""", "silentDays", "Did you mean 'flows.silentDays'?")]
    [InlineData("""{ "prodcut": { "name": "Acme" } }""", "prodcut", "Did you mean 'product'?")]
    [InlineData("""{ "flows": { "definitions": { "win-back": { "holdout%": 0.1 } } } }""", "Flows:Definitions:win-back:holdout%", "Did you mean 'flows.definitions.win-back.holdOut'?")]
    [InlineData("""{ "flows": { "definitions": { "win-back": { "window": { "zzzzzzzz": 1 } } } } }""", "Flows:Definitions:win-back:Window:zzzzzzzz", "Known here: fromHour, toHour, weekdaysOnly.")]
    [InlineData("""{ "notes": {} }""", "notes", "There is no such setting (set in: retention.json).")]
    [InlineData("""{ "comment": null }""", "comment", "There is no such setting")]
    public void A_mistyped_name_in_the_file_is_refused_with_the_nearest(string json, string key, string words)
    {
        var problem = Given.Problem(json);
        Assert.Equal(key, problem.Key);
        Assert.Contains(words, problem.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mistyped_environment_variable_is_refused_only_in_our_sections()
    {
        Assert.Equal("Flows:SilentDay", Given.Problem(null, ("Flows:SilentDay", "20")).Key);
        Given.Settings(null, ("PATH", "/bin"), ("Logging:LogLevel:Default", "Debug"), ("EMAIL", "me@example.com"), ("WEB", "1"));
    }

    [Theory]
    [InlineData("""{ "stripe": { "webhookSecrets": ["whsec_verysecret"] } }""", "Stripe:WebhookSecrets")]
    [InlineData("""{ "appEvents": { "writeKey": "verysecret-key" } }""", "AppEvents:WriteKey")]
    [InlineData("""{ "admin": { "key": "verysecret-verysecret" } }""", "Admin:Key")]
    [InlineData("""{ "product": { "name": "sk_live_verysecret" } }""", "Product:Name")]
    public void A_secret_in_the_file_is_refused_and_not_repeated(string json, string key)
    {
        var exception = Assert.Throws<SettingsException>(() => Given.Settings(json));
        var problem = Assert.Single(exception.Problems);
        Assert.Equal(key, problem.Key);
        Assert.Contains("retention.json", problem.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("verysecret", exception.Message, StringComparison.Ordinal);
        if (key != "Product:Name") Assert.Matches("^dotnet user-secrets set \"", problem.Example);
    }

    [Fact]
    public void A_secret_in_the_file_is_refused_even_where_the_environment_sets_another() =>
        Assert.Equal("Admin:Key", Given.Problem("""{ "admin": { "key": "verysecret-verysecret" } }""", ("Admin:Key", "another-key-of-16-letters")).Key);

    [Theory]
    [InlineData("Stripe:WebhookSecrets:0", "verysecret")]
    [InlineData("Admin:Key", "secret!")]
    public void A_wrong_secret_is_not_repeated(string key, string value) =>
        Assert.DoesNotContain("verysecret", Assert.Throws<SettingsException>(() => Given.Settings(null, (key, value))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("[]", "Flows:Definitions:win-back:Steps", "switched on and has no steps")]
    [InlineData("""[{ "day": 1, "template": "a" }]""", "Flows:Definitions:win-back:Steps:0:Day", "The first e-mail is on day 0, not 1")]
    [InlineData("""[{ "day": 0, "template": "a" }, { "day": 5, "template": "b" }, { "day": 3, "template": "c" }]""", "Flows:Definitions:win-back:Steps:2:Day", "Day 3 does not come after day 5")]
    [InlineData("""[{ "day": 0, "template": "a" }, { "day": 0, "template": "b" }]""", "Flows:Definitions:win-back:Steps:1:Day", "Day 0 does not come after day 0")]
    [InlineData("""[{ "day": 0, "template": "a" }, { "day": 0.5, "template": "b" }]""", "Flows:Definitions:win-back:Steps:1:Day", "never under 24 hours apart")]
    [InlineData("""[{ "day": 0, "template": " " }]""", "Flows:Definitions:win-back:Steps:0:Template", "It is empty")]
    [InlineData("""[{ "day": 0 }]""", "Flows:Definitions:win-back:Steps:0:Template", "It is missing")]
    [InlineData("""[{ "day": "x", "template": "a" }]""", "Flows:Definitions:win-back:Steps:0:Day", "'x' is not a number")]
    [InlineData("[null]", "Flows:Definitions:win-back:Steps:0", "must not be null")]
    public void Steps_stand_in_order_from_day_0_at_least_a_day_apart(string steps, string key, string words)
    {
        var problem = Given.Problems($$"""{ "flows": { "definitions": { "win-back": { "steps": {{steps}} } } } }""")[0];
        Assert.Equal(key, problem.Key);
        Assert.Contains(words, problem.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flow_that_is_switched_off_needs_no_steps() =>
        Assert.False(Given.Settings("""{ "flows": { "definitions": { "win-back": { "enabled": false, "steps": [] } } } }""").Flows.Definitions["win-back"].Enabled);

    [Fact]
    public void The_window_opens_before_it_closes() =>
        Assert.Equal("Flows:Definitions:dunning:Window", Given.Problem("""{ "flows": { "definitions": { "dunning": { "window": { "fromHour": 17, "toHour": 9 } } } } }""").Key);

    [Fact]
    public void The_tiers_are_shares_of_one_whole() =>
        Assert.Contains("together are more than all customers", Given.Problem(null, ("Customers:TierAShare", "0.7"), ("Customers:TierBShare", "0.4")).Problem, StringComparison.Ordinal);

    [Theory]
    [InlineData("Win Back")]
    [InlineData("a|b")]
    public void The_name_of_a_flow_fits_into_keys_and_addresses(string name) =>
        Assert.Contains("cannot name a flow", Given.Problem($$"""{ "flows": { "definitions": { "{{name}}": { "steps": [ { "day": 0, "template": "x" } ] } } } }""").Problem, StringComparison.Ordinal);

    [Theory]
    [InlineData("{\n  \"product\": {\n    \"name\": oops\n  }\n}", "line 3, column 13")]
    [InlineData("{ \"product\": { \"name\": \"Ä\", \"url\" } }", "line 1, column 35")]
    [InlineData("", "line 1, column 1")]
    public void A_file_that_is_not_JSON_is_refused_with_the_place(string json, string place)
    {
        var problem = Given.Problem(json);
        Assert.Contains("retention.json, " + place, problem.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", problem.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_stands_twice_is_refused() =>
        Assert.Contains("'flows.SilentDays' stands twice", Given.Problem("""{ "flows": { "silentDays": 1, "SilentDays": 2 } }""").Problem, StringComparison.Ordinal);

    [Fact]
    public void A_colon_in_a_name_of_the_file_belongs_to_the_name() =>
        Assert.Contains("'a:b' is not a currency", Given.Problem("""{ "customers": { "tierAFrom": { "a:b": 1 } } }""").Problem, StringComparison.Ordinal);

    [Fact]
    public void A_list_is_no_file_of_settings() =>
        Assert.Contains("settings stand between { and }", Given.Problem("[1]").Problem, StringComparison.Ordinal);

    [Fact]
    public void A_file_that_was_asked_for_must_be_there() =>
        Assert.Contains("There is no file", Assert.Throws<SettingsException>(() =>
            SettingsLoader.AddSources(new ConfigurationBuilder(), Path.Combine(Path.GetTempPath(), "no-such-directory", "retention.json"), userSecretsId: null).Build()).Message, StringComparison.Ordinal);

    [Fact]
    public void A_host_may_insist_on_what_others_can_do_without()
    {
        var problem = Assert.Single(Assert.Throws<SettingsException>(() => SettingsLoader.Load(Given.Configuration(null), SettingRequirement.AdminKey)).Problems);
        Assert.Equal("Admin:Key", problem.Key);
        Assert.Contains("Admin__Key=", problem.Example, StringComparison.Ordinal);
        Assert.Equal(2, Assert.Throws<SettingsException>(() => SettingsLoader.Load(Given.Configuration(null), SettingRequirement.WriteKey, SettingRequirement.AdminKey)).Problems.Count);
        SettingsLoader.Load(Given.Configuration(null, ("Admin:Key", "0123456789abcdef")), SettingRequirement.AdminKey);
        // A wrong one is told once, not also as missing.
        Assert.Single(Assert.Throws<SettingsException>(() => SettingsLoader.Load(Given.Configuration(null, ("Admin:Key", "x")), SettingRequirement.AdminKey)).Problems);
    }

    [Theory]
    [InlineData("silentDay", "silentDays")]
    [InlineData("holdotu", "holdOut")]
    [InlineData("xyz", null)]
    public void The_nearest_name_is_found_where_it_is_near(string typed, string? meant) =>
        Assert.Equal(meant, Spelling.Nearest(typed, ["silentDays", "holdOut", "mode"]));
}
