using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Backup;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Backup;

public sealed class RestoreRuleTests
{
    public static TheoryData<string, RowKey> Staying => new()
    {
        { "an e-mail that was sent", Keys.Mail("cus_1", "win-back", "2026-03-01", 1) },
        { "the run that sent it", Keys.Run("cus_1", "win-back", "2026-03-01") },
        { "a note", Keys.Note("cus_1", "n1") },
        { "what the app told of a user", Keys.Activity("cus_1", "user-1") },
        { "whose user it is", Keys.UserTie("user-1") },
        { "whose address it is", Keys.EmailOfCustomer("a@example.com", "cus_1") },
        { "what was decided in a review", Keys.ReviewAction("a1") },
        { "that a review was sent", Keys.ReviewMail("2026-02") },
        { "a key with which links were signed", Keys.ProtectionKey("k1") },
        { "where a job stands", Keys.Job("restore") },
        { "a message that waits to be replayed", Keys.DeadLetter("evt_1") },
        { "its body", Keys.BodyChunk("dead:evt_1", 0) },
    };

    [Theory, MemberData(nameof(Staying))]
    public void What_cannot_be_taken_back_stays_and_comes_back_where_it_was_lost(string what, RowKey at)
    {
        Assert.True(Of(at, "now", "then") == "now", what);
        Assert.True(Of(at, "now", null) == "now", what);
        Assert.True(Of(at, null, "then") == "then", what);
    }

    public static TheoryData<string, RowKey> Going => new()
    {
        { "a movement of the ledger", Keys.Movement("cus_1", DateTimeOffset.UnixEpoch, "usd", 0) },
        { "what a subscription event said", Keys.Snapshot("cus_1", "sub_1", DateTimeOffset.UnixEpoch, "evt_1") },
        { "the marker of an event, which is then handled again", Keys.Event("cus_1", "evt_1") },
        { "an invoice", Keys.Invoice("cus_1", "in_1") },
        { "a score", Keys.Score("cus_1", new DateOnly(2026, 3, 1)) },
        { "an index of Stripe's things", Keys.Owner("invoice", "in_1") },
        { "the mode of the account", Keys.Account("mode") },
    };

    [Theory, MemberData(nameof(Going))]
    public void All_else_is_as_it_was_then(string what, RowKey at)
    {
        Assert.True(Of(at, "now", "then") == "then", what);
        Assert.True(Of(at, "now", null) is null, what);
        Assert.True(Of(at, null, "then") == "then", what);
    }

    [Fact]
    public void A_customer_who_unsubscribed_since_stays_unsubscribed_and_the_rest_of_the_customer_goes_back()
    {
        var result = Customer(
            now: """{"id":"cus_1","status":"canceled","unsubscribed":{"at":"2026-03-02T00:00:00Z"},"lastStarts":{"win-back":"2026-03-02T00:00:00Z"},"openRuns":[]}""",
            then: """{"id":"cus_1","status":"paying","openRuns":[{"flow":"dunning","occasion":"in_1"}],"firstPaidAt":"2025-01-01T00:00:00Z"}""");
        Assert.Equal("paying", (string)result!["status"]!);
        Assert.Equal("2025-01-01T00:00:00Z", (string)result["firstPaidAt"]!);
        Assert.NotNull(result["unsubscribed"]);
        Assert.Equal("2026-03-02T00:00:00Z", (string)result["lastStarts"]!["win-back"]!);
        // That run has ended since, and its row stays ended.
        Assert.Null(result["openRuns"]);
    }

    [Fact]
    public void A_suppression_of_then_is_kept_where_now_has_none() =>
        Assert.NotNull(Customer(now: """{"id":"cus_1"}""", then: """{"id":"cus_1","suppressed":{"at":"2026-01-01T00:00:00Z"}}""")!["suppressed"]);

    [Fact]
    public void Of_a_customer_who_came_since_only_what_must_stay_stays()
    {
        Assert.Null(Customer(now: """{"id":"cus_2","status":"paying","lastStarts":{},"openRuns":[]}""", then: null));
        var kept = Customer(now: """{"id":"cus_2","status":"paying","suppressed":{"at":"2026-03-02T00:00:00Z"}}""", then: null)!;
        Assert.Equal(["id", "suppressed"], kept.Select(field => field.Key).Order());
    }

    private static JsonObject? Customer(string now, string? then)
    {
        ReadOnlyMemory<byte>? past = null;
        if (then is not null) past = Encoding.UTF8.GetBytes(then);
        return RestoreRule.Of(Keys.Customer("cus_1"), Encoding.UTF8.GetBytes(now), past) is { } body ? (JsonObject)JsonNode.Parse(body.Span)! : null;
    }

    private static string? Of(RowKey at, string? now, string? then) =>
        RestoreRule.Of(at, Body(now), Body(then)) is { } body ? (string)JsonNode.Parse(body.Span)!["text"]! : null;

    private static ReadOnlyMemory<byte>? Body(string? text)
    {
        if (text is null) return null;
        return Encoding.UTF8.GetBytes($$"""{"text":"{{text}}"}""");
    }
}
