using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Configuration;
using RetentionFunctions.Health;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Tests.Health;

public sealed class HealthSettingsTests
{
    [Theory]
    [InlineData(-5, 0)]
    [InlineData(0, 0)]
    [InlineData(25, 20)]
    [InlineData(50, 40)]
    [InlineData(70, 70)]
    [InlineData(90, 100)]
    [InlineData(1e9, 100)]
    [InlineData(double.PositiveInfinity, 100)]
    public void A_curve_is_straight_between_its_points_and_level_outside(double x, double score)
    {
        Assert.True(HealthCurve.TryParse("0:0, 50:40, 90:100", out var curve, out _));
        Assert.Equal(score, curve.At(x), 1e-9);
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("0")]
    [InlineData("0:0:0")]
    [InlineData("0:0, x:1")]
    [InlineData("0:0, 1:101")]
    [InlineData("0:-1")]
    [InlineData("1:0, 1:5")]
    [InlineData("2:0, 1:5")]
    [InlineData("NaN:0")]
    public void What_is_no_curve_is_refused_with_a_reason(string? text)
    {
        Assert.False(HealthCurve.TryParse(text, out _, out var problem));
        Assert.NotEmpty(problem);
    }

    [Fact]
    public void A_curve_never_leaves_0_to_100() =>
        Prop.ForAll(Gen.Choose(-10_000, 10_000).ToArbitrary(), x =>
            new HealthSettings().Signals.Values.All(s => s.ScoreAt(x / 10.0) is >= 0 and <= 100)).QuickCheckThrowOnFailure();

    [Fact]
    public void The_defaults_are_valid_and_every_number_has_its_reason()
    {
        var settings = new HealthSettings();

        Assert.Empty(settings.Validate(new AppEventSettings()));
        Assert.All(settings.Signals.Values, s => Assert.NotEmpty(s.Why));
        Assert.All(settings.Profiles.Values, p => Assert.NotEmpty(p.Why));
        Assert.Equal(HealthSignals.BuiltIn.Keys.Order(), settings.Signals.Keys.Order());
        // Within a dimension the weights read as percent.
        Assert.All(settings.Signals.Values.GroupBy(s => s.Dimension), d => Assert.Equal(100, d.Sum(s => s.Weight)));
    }

    [Fact]
    public void What_the_founder_sets_is_merged_over_the_defaults_by_key()
    {
        var settings = Bind(
            ("Health:Signals:SIGNINS:Weight", "7"),
            ("Health:Signals:tenure:Curve", "0:10, 5:20"),
            ("Health:Signals:exports:Dimension", "engagement"),
            ("Health:Signals:exports:Weight", "3"),
            ("Health:Signals:exports:Curve", "0:0, 9:100"),
            ("Health:Profiles:value:Use", "90"),
            ("Health:NewFeatures:0:Name", "export"),
            ("Health:NewFeatures:0:Since", "2026-01-31"),
            ("AppEvents:Signals:exports:Event", "Exported"));
        var health = settings.Health;

        Assert.Equal(7, health.Signals["signIns"].Weight);
        Assert.Equal("0:0, 50:40, 90:100", health.Signals["signIns"].Curve);
        Assert.Equal(20, health.Signals["tenure"].ScoreAt(5));
        Assert.Equal(Dimension.Engagement, health.Signals["exports"].Dimension);
        Assert.Equal((90, 10), (health.Profiles[Stage.Value].Use, health.Profiles[Stage.Value].Service));
        Assert.Equal(60, health.Profiles[Stage.Habit].Use);
        Assert.Equal(new DateOnly(2026, 1, 31), Assert.Single(health.NewFeatures).Since);
        Assert.Empty(health.Validate(settings.AppEvents));
    }

    [Theory]
    [InlineData("Health:Signals:signIns:Weight", "-1", "Health:Signals:signIns:Weight")]
    [InlineData("Health:Signals:signIns:Weight", "NaN", "Health:Signals:signIns:Weight")]
    [InlineData("Health:Signals:signIns:Curve", "5:0, 1:100", "Health:Signals:signIns:Curve")]
    [InlineData("Health:Signals:signIns:Days", "91", "Health:Signals:signIns:Days")]
    [InlineData("Health:Signals:signIns:WhenMissing", "0", "Health:Signals:signIns:WhenMissing")]
    [InlineData("Health:Signals:sigIns:Curve", "0:0", "Health:Signals:sigIns")]
    [InlineData("Health:Profiles:habit:Use", "-1", "Health:Profiles:Habit:Use")]
    [InlineData("Health:NewFeatures:0:Name", "export", "Health:NewFeatures:0:Since")]
    [InlineData("Health:NothingKnownScore", "101", "Health:NothingKnownScore")]
    public void A_mistake_is_named_by_its_key(string key, string value, string reported)
    {
        var settings = Bind((key, value));
        var (named, problem, example) = Assert.Single(settings.Health.Validate(settings.AppEvents));

        Assert.Equal(reported, named);
        Assert.NotEmpty(problem);
        Assert.NotEmpty(example);
    }

    [Fact]
    public void A_stage_without_any_weight_is_a_mistake()
    {
        var settings = new HealthSettings { Profiles = { [Stage.Value] = new() } };

        Assert.Equal("Health:Profiles:Value", Assert.Single(settings.Validate()).Key);
    }

    private static RetentionSettings Bind(params (string Key, string Value)[] values)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(values.Select(v => KeyValuePair.Create(v.Key, (string?)v.Value))).Build();
        var settings = new RetentionSettings();
        configuration.Bind(settings);
        return settings;
    }
}
