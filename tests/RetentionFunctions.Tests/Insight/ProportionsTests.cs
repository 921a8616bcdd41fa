using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Insight;

namespace RetentionFunctions.Tests.Insight;

public class ProportionsTests
{
    /// <summary>Newcombe, Statistics in Medicine 17 (1998), table II, method 10: the eight examples (a) to (h).</summary>
    [Theory]
    [InlineData(56, 70, 48, 80, 0.0524, 0.3339)]
    [InlineData(9, 10, 3, 10, 0.1705, 0.8090)]
    [InlineData(6, 7, 2, 7, 0.0582, 0.8062)]
    [InlineData(5, 56, 0, 29, -0.0381, 0.1926)]
    [InlineData(0, 10, 0, 20, -0.1611, 0.2775)]
    [InlineData(0, 10, 0, 10, -0.2775, 0.2775)]
    [InlineData(10, 10, 0, 20, 0.6791, 1.0000)]
    [InlineData(10, 10, 0, 10, 0.6075, 1.0000)]
    public void The_interval_of_a_difference_is_that_of_the_paper(int a, int ofA, int b, int ofB, double low, double high)
    {
        var interval = Proportions.Difference(new Ratio(a, ofA), new Ratio(b, ofB));
        Assert.Equal((low, high), (Math.Round(interval.Low, 4), Math.Round(interval.High, 4)));
    }

    /// <summary>R's own example of power.prop.test: p1 = .50, p2 = .75, power = .90 gives n = 76.7 in each of two groups.</summary>
    [Fact]
    public void The_customers_needed_are_those_of_R() => Assert.Equal((long)Math.Ceiling(2 * 76.7), Proportions.Needed(0.50, 0.25, 0.5, power: 0.90));

    [Fact]
    public void A_small_hold_out_needs_more_customers_in_all_and_a_larger_difference_fewer()
    {
        Assert.True(Proportions.Needed(0.10, 0.05, 0.1) > Proportions.Needed(0.10, 0.05, 0.5));
        Assert.True(Proportions.Needed(0.10, 0.10, 0.1) < Proportions.Needed(0.10, 0.05, 0.1));
        // Fleiss's formula worked by hand: 10 % against 15 %, one in ten held out.
        Assert.Equal(3993, Proportions.Needed(0.10, 0.05, 0.1));
    }

    [Theory]
    [InlineData(0.98, 0.05, 0.1)]
    [InlineData(0.10, 0, 0.1)]
    [InlineData(0.10, 0.05, 0)]
    [InlineData(0.10, 0.05, 1)]
    public void What_no_number_of_customers_can_show_has_none(double rate, double difference, double heldOut) => Assert.Null(Proportions.Needed(rate, difference, heldOut));

    [Fact]
    public void Whatever_is_observed_lies_in_its_interval_which_shrinks_with_more_customers() => Prop.ForAll(Counts.ToArbitrary(), counts =>
    {
        var (a, b) = (new Ratio(counts.A, counts.OfA), new Ratio(counts.B, counts.OfB));
        var (interval, observed) = (Proportions.Difference(a, b), a.Value!.Value - b.Value!.Value);
        Assert.InRange(observed, interval.Low - 1e-12, interval.High + 1e-12);
        Assert.True(interval.Low >= -1 && interval.High <= 1);
        var more = Proportions.Difference(new Ratio(counts.A * 4, counts.OfA * 4), new Ratio(counts.B * 4, counts.OfB * 4));
        Assert.True(more.High - more.Low < interval.High - interval.Low);
        // The other way round it is the same, mirrored.
        var mirrored = Proportions.Difference(b, a);
        Assert.Equal((interval.Low, interval.High), (-mirrored.High, -mirrored.Low));
        var alone = Proportions.Of(a);
        Assert.InRange(a.Value.Value, alone.Low, alone.High);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_interval_holds_the_truth_in_about_95_of_100_worlds()
    {
        var random = new Random(7);
        var held = Enumerable.Range(0, 4000).Count(_ =>
        {
            var interval = Proportions.Difference(new Ratio(Drawn(random, 90, 0.2), 90), new Ratio(Drawn(random, 15, 0.1), 15));
            return interval.Low <= 0.1 && interval.High >= 0.1;
        });
        Assert.InRange(held / 4000.0, 0.935, 0.975);
    }

    [Fact]
    public void A_share_without_a_denominator_has_no_interval() => Assert.Throws<ArgumentOutOfRangeException>(() => Proportions.Of(new Ratio(0, 0)));

    private static int Drawn(Random random, int of, double rate) => Enumerable.Range(0, of).Count(_ => random.NextDouble() < rate);

    private static Gen<(int A, int OfA, int B, int OfB)> Counts { get; } =
        from ofA in Gen.Choose(1, 500) from a in Gen.Choose(0, ofA) from ofB in Gen.Choose(1, 60) from b in Gen.Choose(0, ofB) select (a, ofA, b, ofB);
}
