using Microsoft.Extensions.Configuration;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Intake.App;

public sealed class AppEventSettingsTests
{
    [Theory]
    [InlineData("Signed In", AppEventMeaning.SignIn)]
    [InlineData("signed_in", AppEventMeaning.SignIn)]
    [InlineData("SignedIn", AppEventMeaning.SignIn)]
    [InlineData("LOGIN", AppEventMeaning.SignIn)]
    [InlineData("session-ended", AppEventMeaning.Minutes)]
    [InlineData("feature used", AppEventMeaning.CoreUse)]
    [InlineData("Email Link Clicked", AppEventMeaning.EmailClicked)]
    public void Events_mean_what_they_say_however_they_are_spelled(string name, AppEventMeaning meaning) =>
        Assert.Equal(meaning, new AppEventSettings().MappingOf(name)?.Meaning);

    [Fact]
    public void What_the_founder_sets_is_merged_over_the_defaults_by_name()
    {
        var settings = Bind(
            ("AppEvents:WriteKey", "wk_3f9a61c07be2"),
            ("AppEvents:Events:Report Exported:Meaning", "coreUse"),
            ("AppEvents:Events:Report Exported:Feature", "export"),
            ("AppEvents:Events:signed_in:Meaning", "ignore"),
            ("AppEvents:Events:Visit:Meaning", "minutes"),
            ("AppEvents:Events:Visit:Property", "length"),
            ("AppEvents:Events:Visit:Unit", "seconds"),
            ("AppEvents:Signals:exports:Event", "Report Exported"),
            ("AppEvents:Signals:exports:Aggregate", "sum"),
            ("AppEvents:Signals:exports:Property", "rows")).AppEvents;

        Assert.Equal("export", settings.MappingOf("report exported")?.Feature);
        Assert.Null(settings.MappingOf("Signed In"));
        Assert.Equal(TimeUnit.Seconds, settings.MappingOf("visit")?.Unit);
        Assert.Equal(AppEventMeaning.TicketOpened, settings.MappingOf("Ticket Opened")?.Meaning);
        Assert.Equal(SignalAggregate.Sum, settings.Signals["Exports"].Aggregate);
        Assert.Empty(settings.Validate());
    }

    [Fact]
    public void The_defaults_are_valid() => Assert.Empty(new AppEventSettings().Validate());

    public static TheoryData<string, string, string> Mistakes => new()
    {
        { "AppEvents:WriteKey", "two words", "AppEvents:WriteKey" },
        { "AppEvents:Events:Rated:Max", "0", "AppEvents:Events:Rated:Max" },
        { "AppEvents:Events:Rated:Property", " ", "AppEvents:Events:Rated:Property" },
        { "AppEvents:Events:_:Meaning", "signIn", "AppEvents:Events:_" },
        { "AppEvents:Signals:exports:Property", "rows", "AppEvents:Signals:exports" },
        { "AppEvents:Signals:a|b:Event", "X", "AppEvents:Signals:a|b" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_named_by_its_key(string key, string value, string reported)
    {
        var (named, problem, example) = Assert.Single(Bind((key, value)).AppEvents.Validate());

        Assert.Equal(reported, named);
        Assert.NotEmpty(problem);
        Assert.NotEmpty(example);
    }

    [Fact]
    public void A_sum_needs_the_property_to_add_up() =>
        Assert.Equal("AppEvents:Signals:rows:Property", Assert.Single(Bind(("AppEvents:Signals:rows:Event", "X"), ("AppEvents:Signals:rows:Aggregate", "max")).AppEvents.Validate()).Key);

    [Fact]
    public void There_is_a_most_of_signals() =>
        Assert.Equal("AppEvents:Signals", Assert.Single(Bind([.. Enumerable.Range(0, 11).Select(i => ($"AppEvents:Signals:s{i}:Event", "X"))]).AppEvents.Validate()).Key);

    private static RetentionSettings Bind(params (string Key, string Value)[] values)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(values.Select(v => KeyValuePair.Create(v.Key, (string?)v.Value))).Build();
        var settings = new RetentionSettings();
        configuration.Bind(settings);
        return settings;
    }
}
