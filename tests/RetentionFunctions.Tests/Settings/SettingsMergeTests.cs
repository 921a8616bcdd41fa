using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Configuration;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Settings;

public sealed class SettingsMergeTests
{
    private static readonly FlowDefinition DefaultWinBack = FlowDefaults.Definitions()["win-back"];

    private static void Same(FlowDefinition expected, FlowDefinition actual)
    {
        Assert.Equal(expected.Steps, actual.Steps);
        Assert.Equal(expected with { Steps = [] }, actual with { Steps = actual.Steps is [] ? actual.Steps : [] });
    }

    [Fact]
    public void Nothing_given_gives_the_defaults()
    {
        var settings = Given.Settings();
        Assert.Equal("Acme", settings.Product.Name);
        Assert.Equal(300, settings.Stripe.ToleranceSeconds);
        Assert.Equal(10_000, settings.Customers.TierAFrom["usd"]);
        Assert.Equal(["dunning", "win-back"], settings.Flows.Definitions.Keys.Order());
        Same(DefaultWinBack, settings.Flows.Definitions["win-back"]);
        Same(FlowDefaults.Definitions()["dunning"], settings.Flows.Definitions["dunning"]);
    }

    [Fact]
    public void Win_back_writes_five_times_in_two_weeks_on_weekdays_and_A_customers_hear_from_the_founder_first()
    {
        Assert.Equal([new(0, "win-back-1"), new(3, "win-back-2"), new(7, "win-back-3"), new(10, "win-back-4"), new FlowStep(14, "win-back-5")], DefaultWinBack.Steps);
        Assert.Equal((MailKind.Marketing, FlowTrigger.Inactivity, 90, ValueTier.A, 2), (DefaultWinBack.Kind, DefaultWinBack.Trigger, DefaultWinBack.CooldownDays, DefaultWinBack.PersonalNoteFor, DefaultWinBack.PersonalNoteDays));
        Assert.Equal(new SendWindow { FromHour = 9, ToHour = 17, WeekdaysOnly = true }, DefaultWinBack.Window);
    }

    [Fact]
    public void Dunning_writes_five_times_in_two_weeks_on_any_day_and_again_for_the_next_invoice()
    {
        var dunning = FlowDefaults.Definitions()["dunning"];
        Assert.Equal([new(0, "dunning-1"), new(3, "dunning-2"), new(7, "dunning-3"), new(10, "dunning-4"), new FlowStep(14, "dunning-5")], dunning.Steps);
        Assert.Equal((MailKind.Transactional, FlowTrigger.FailedPayment, 0, (ValueTier?)null), (dunning.Kind, dunning.Trigger, dunning.CooldownDays, dunning.PersonalNoteFor));
        Assert.Equal(new SendWindow { FromHour = 9, ToHour = 17, WeekdaysOnly = false }, dunning.Window);
    }

    public static TheoryData<string?, string?> OneHoldOut => new()
    {
        { """{ "flows": { "definitions": { "win-back": { "holdOut": 0.1 } } } }""", null },
        { """{ "FLOWS": { "Definitions": { "Win-Back": { "HOLDOUT": 0.1 } } } }""", null },
        { null, "Flows:Definitions:win-back:HoldOut" },
        { null, "FLOWS:DEFINITIONS:WIN-BACK:HOLDOUT" },
    };

    [Theory]
    [MemberData(nameof(OneHoldOut))]
    public void Changing_only_the_hold_out_of_a_flow_keeps_everything_else_of_it(string? json, string? key)
    {
        var settings = key is null ? Given.Settings(json) : Given.Settings(json, (key, "0.1"));
        Same(DefaultWinBack with { HoldOut = 0.1 }, settings.Flows.Definitions["win-back"]);
        Same(FlowDefaults.Definitions()["dunning"], settings.Flows.Definitions["dunning"]);
        Assert.Equal(2, settings.Flows.Definitions.Count);
    }

    [Fact]
    public void Environment_variables_with_two_underscores_change_one_value_of_one_flow()
    {
        const string name = "Flows__Definitions__win-back__HoldOut";
        Environment.SetEnvironmentVariable(name, "0.25");
        try
        {
            var configuration = SettingsLoader.AddSources(new ConfigurationBuilder(), Given.File("""{ "flows": { "definitions": { "win-back": { "holdOut": 0.1, "cooldownDays": 60 } } } }"""), userSecretsId: null).Build();
            var winBack = SettingsLoader.Load(configuration).Flows.Definitions["win-back"];
            Same(DefaultWinBack with { HoldOut = 0.25, CooldownDays = 60 }, winBack);
            Assert.Contains(new SettingLine("Flows:Definitions:win-back:HoldOut", "0.25", "environment"), SettingsReport.Of(configuration, SettingsLoader.Load(configuration)));
        }
        finally
        {
            Environment.SetEnvironmentVariable(name, null);
        }
    }

    [Fact]
    public void One_hour_of_the_window_can_be_changed_alone()
    {
        var winBack = Given.Settings("""{ "flows": { "definitions": { "win-back": { "window": { "toHour": 12 } } } } }""").Flows.Definitions["win-back"];
        Same(DefaultWinBack with { Window = new SendWindow { FromHour = 9, ToHour = 12, WeekdaysOnly = true } }, winBack);
    }

    [Fact]
    public void A_list_that_is_given_replaces_the_default_list_and_is_not_appended_to_it()
    {
        var flow = Given.Settings("""{ "flows": { "definitions": { "win-back": { "steps": [ { "day": 0, "template": "win-back-1" }, { "day": 5.5, "template": "win-back-5" } ] } } } }""").Flows.Definitions["win-back"];
        Assert.Equal([new(0, "win-back-1"), new FlowStep(5.5, "win-back-5")], flow.Steps);
        Assert.Equal(90, flow.CooldownDays);
    }

    [Fact]
    public void A_flow_of_ones_own_has_the_defaults_of_a_flow()
    {
        var flows = Given.Settings("""{ "flows": { "definitions": { "yearly": { "trigger": "inactivity", "steps": [ { "day": 0, "template": "win-back-1" } ] } } } }""").Flows.Definitions;
        Assert.Equal(["dunning", "win-back", "yearly"], flows.Keys.Order());
        Same(new FlowDefinition { Steps = [new(0, "win-back-1")] }, flows["yearly"]);
    }

    [Fact]
    public void Two_webhook_secrets_stand_side_by_side_while_one_is_rotated()
    {
        var settings = Given.Settings(null, ("Stripe:WebhookSecrets:0", "whsec_new"), ("Stripe:WebhookSecrets:1", "whsec_old"));
        Assert.Equal(["whsec_new", "whsec_old"], settings.Stripe.WebhookSecrets);
    }

    [Fact]
    public void A_currency_more_keeps_the_dollars()
    {
        var customers = Given.Settings("""{ "customers": { "tierAFrom": { "eur": 9000 } } }""").Customers;
        Assert.Equal(9_000, customers.TierAFrom["eur"]);
        Assert.Equal(10_000, customers.TierAFrom["usd"]);
    }

    [Theory]
    [InlineData("preview", FlowMode.Preview)]
    [InlineData("Preview", FlowMode.Preview)]
    [InlineData("LIVE", FlowMode.Live)]
    public void Words_of_a_choice_are_taken_without_regard_to_case(string text, FlowMode mode) =>
        Assert.Equal(mode, Given.Settings(null, ("Flows:Mode", text)).Flows.Mode);

    [Fact]
    public void The_file_may_have_comments_trailing_commas_and_a_schema()
    {
        const string json = """
            {
              // for the editor
              "$schema": "./retention.schema.json",
              /* ours */
              "product": { "name": "Acme", "timeZone": "Europe/Berlin", },
            }
            """;
        Assert.Equal(("Acme", "Europe/Berlin"), (Given.Settings(json).Product.Name, Given.Settings(json).Product.TimeZone));
    }

    [Fact]
    public void A_null_takes_a_default_away_where_none_is_allowed_and_an_empty_variable_counts_as_not_set()
    {
        Assert.Null(Given.Settings("""{ "flows": { "definitions": { "win-back": { "personalNoteFor": null } } } }""").Flows.Definitions["win-back"].PersonalNoteFor);
        Assert.Null(Given.Settings(null, ("Admin:Key", "")).Admin.Key);
        Assert.Null(Given.Settings(null, ("Flows:RetryWindowDays", "")).Flows.RetryWindowDays);
    }

    [Fact]
    public void The_defaults_of_one_start_are_not_those_of_another()
    {
        Given.Settings().Flows.Definitions.Clear();
        Assert.Equal(2, Given.Settings().Flows.Definitions.Count);
        Assert.Equal(2, new FlowSettings().Definitions.Count);
    }

    [Fact]
    public void A_dictionary_keeps_the_comparer_that_its_room_chose() =>
        Assert.True(Given.Settings("""{ "flows": { "maxStartsPerDay": 1 } }""").Flows.Definitions.ContainsKey("WIN-BACK"));

    [Fact]
    public void What_is_loaded_written_down_and_loaded_again_is_the_same()
    {
        var numbers = from silent in Gen.Choose(1, 365) from hour in Gen.Choose(0, 23) from share in Gen.Choose(0, 100) from live in Gen.Elements(true, false) select (silent, hour, share, live);
        Prop.ForAll(numbers.ToArbitrary(), given =>
        {
            var settings = Given.Settings(null, ("Flows:SilentDays", $"{given.silent}"), ("Sweep:Hour", $"{given.hour}"),
                ("Flows:Definitions:dunning:HoldOut", FormattableString.Invariant($"{given.share / 100.0}")), ("Flows:Mode", given.live ? "live" : "preview"));
            var tree = SettingsJson.Tree(settings);
            tree.Remove("stripe"); // secrets do not go into a file
            tree["appEvents"]!.AsObject().Remove("writeKey");
            tree.Remove("admin");
            var again = Given.Settings(tree.ToJsonString());
            return (given.silent, given.hour, given.share / 100.0, given.live) == (again.Flows.SilentDays, again.Sweep.Hour, again.Flows.Definitions["dunning"].HoldOut, again.Flows.Mode == FlowMode.Live)
                && SettingsJson.Tree(settings).ToJsonString() == SettingsJson.Tree(again).ToJsonString();
        }).QuickCheckThrowOnFailure();
    }
}
