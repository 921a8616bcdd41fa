using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Storage;

/// <summary>Keys are a stored format: these literals may only change together with a migration.</summary>
public class KeysTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    public static TheoryData<RowKey, string, string> Pinned => new()
    {
        { Keys.Customer("cus_1"), "29", "customer|cus_1" },
        { Keys.Activity("cus_1", "u|1"), "29", "activity|cus_1|u%007C1" },
        { Keys.MovedActivity("cus_1", "u|1"), "29", "moved|cus_1|u%007C1" },
        { Keys.Event("cus_1", "evt_1"), "29", "event|cus_1|evt_1" },
        { Keys.Invoice("cus_1", "in_1"), "29", "invoice|cus_1|in_1" },
        { Keys.Failure("cus_1", Noon, "evt_1"), "29", "failure|cus_1|1767268800|evt_1" },
        { Keys.Snapshot("cus_1", "sub_1", Noon, "evt_1"), "29", "snapshot|cus_1|sub_1|1767268800|evt_1" },
        { Keys.Movement("cus_1", Noon, "usd", 0), "29", "ledger|cus_1|1767268800|usd|0" },
        { Keys.Score("cus_1", new DateOnly(2026, 1, 1)), "29", "score|cus_1|2026-01-01" },
        { Keys.Run("cus_1", "dunning", "in_1"), "29", "run|cus_1|dunning|in_1" },
        { Keys.Mail("cus_1", "dunning", "in_1", 2), "29", "mail|cus_1|dunning|in_1|002" },
        { Keys.Note("cus_1", "n1"), "29", "note|cus_1|n1" },
        { Keys.UserTie("a/b"), "x-user|a%002Fb", "tie" },
        { Keys.EmailOfCustomer(" Ada@Example.COM ", "cus_1"), "x-email|ada@example.com", "customer|cus_1" },
        { Keys.EmailOfUser("ada@example.com", "u1"), "x-email|ada@example.com", "user|u1" },
        { Keys.Owner("invoice", "in_1"), "x-invoice|in_1", "customer" },
        { Keys.Orphan("invoice", "in_1", "evt_1"), "x-invoice|in_1", "orphan|evt_1" },
        { Keys.DeadLetter("evt_1"), "dead-letters", "dead|evt_1" },
        { Keys.BodyChunk("evt_1", 3), "body|evt_1", "chunk|0003" },
        { Keys.Account("mode"), "x-account", "mode" },
        { Keys.SandboxAct(7), "x-sandbox", "act|0000000007" },
        { Keys.SandboxTold(Noon, "evt_1"), "x-sandbox", "told|1767268800|evt_1" },
        { Keys.Erased("cus_1"), "x-erased", "customer|2908905ede164ca82eb939db65fc99e1ad58c05c05a7046c948e84f687bb1219" },
        { Keys.SweepOf(new DateOnly(2026, 1, 1)), "x-sweeps", "sweep|2026-01-01" },
        { Keys.LastSweep, "x-account", "last-sweep" },
        { Keys.Summary("cohorts", "2a"), "x-summary|cohorts", "bucket|2a" },
        { Keys.SummariesCounted, "x-account", "summaries" },
    };

    [Theory, MemberData(nameof(Pinned))]
    public void Every_key_stands_where_it_always_stood(RowKey key, string partition, string row) => Assert.Equal(new RowKey(partition, row), key);

    [Theory]
    [InlineData("plain")]
    [InlineData("a|b/c\\d#e?f%g\u0001\u007f")]
    [InlineData("%0041")]
    [InlineData("grüße 你好 \ud83d\ude00")]
    [InlineData("\ud800")]
    public void What_is_escaped_comes_back_and_no_forbidden_character_is_left(string text)
    {
        var escaped = Keys.Escape(text);
        Assert.Equal(text, Keys.Unescape(escaped));
        TableLimits.CheckKey("row key", escaped);
        Assert.DoesNotContain('|', escaped);
    }

    [Fact]
    public void All_rows_of_a_customer_share_the_customers_bucket() =>
        Assert.Equal(Keys.Bucket("cus_1"), Keys.Customer("cus_1").Partition);

    [Fact]
    public void Shares_of_a_thousand_customers_spread_evenly_and_stay()
    {
        var shares = Enumerable.Range(0, 1000).Select(i => Keys.Share($"cus_{i}", "win-back")).ToList();
        Assert.InRange(shares.Average(), 0.47, 0.53);
        Assert.All(shares, share => Assert.InRange(share, 0, 0.9999999999));
        Assert.Equal(Keys.Share("cus_1", "win-back"), Keys.Share("cus_1", "win-back"));
        Assert.NotEqual(Keys.Share("cus_1", "win-back"), Keys.Share("cus_1", "dunning"));
    }
}
