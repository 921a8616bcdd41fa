using System.Globalization;
using System.Text;
using System.Text.Json;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Intake.App;

public sealed class SegmentReaderTests
{
    private static readonly DateTimeOffset Received = Utc("2026-03-10T12:00:00Z");

    [Fact]
    public void A_batch_as_the_node_library_sends_it_is_read_whole()
    {
        var request = Batch("""
            {"batch":[
              {"type":"track","userId":"u1","event":"Signed In","properties":{"plan":"pro"},"messageId":"m-1","timestamp":"2026-03-10T11:59:00.000Z","context":{"timezone":"Europe/Vienna","traits":{"seats":3}}},
              {"type":"identify","userId":"u1","traits":{"email":"ada@example.com"},"messageId":"m-2","timestamp":"2026-03-10T11:59:01.000Z"},
              {"type":"page","userId":"u1","name":"Pricing","messageId":"m-3"},
              {"type":"screen","userId":"u1","category":"Home","messageId":"m-4"}],
             "writeKey":"wk","sentAt":"2026-03-10T12:00:00.000Z"}
            """);

        Assert.Empty(request.Rejected);
        Assert.Equal(0, request.Ignored);
        Assert.Equal("wk", request.WriteKey);
        Assert.Equal([AppEventType.Track, AppEventType.Identify, AppEventType.Page, AppEventType.Page], request.Accepted.Select(e => e.Type));
        Assert.Equal(["Signed In", null, "Pricing", "Home"], request.Accepted.Select(e => e.Name));
        Assert.Equal(["m-1", "m-2", "m-3", "m-4"], request.Accepted.Select(e => e.MessageId));
        var signIn = request.Accepted[0];
        Assert.Equal(Utc("2026-03-10T11:59:00Z"), signIn.At);
        Assert.Equal(Received, signIn.ReceivedAt);
        Assert.Equal("Europe/Vienna", signIn.TimeZone);
        Assert.Equal("pro", signIn.Properties!.Value.GetProperty("plan").GetString());
        Assert.Equal(3, signIn.Traits!.Value.GetProperty("seats").GetInt32());
        Assert.Equal("ada@example.com", request.Accepted[1].Traits!.Value.GetProperty("email").GetString());
        Assert.Equal(Received, request.Accepted[2].At);
    }

    public static TheoryData<string, string> BadItems => new()
    {
        { """{"type":"track","event":"X"}""", "userId is missing" },
        { """{"type":"track","userId":"  ","event":"X"}""", "userId is missing" },
        { """{"type":"track","userId":{"a":1},"event":"X"}""", "userId is missing" },
        { """{"type":"track","userId":"u"}""", "event, the name" },
        { """{"type":"track","userId":"u","event":""}""", "event, the name" },
        { """{"userId":"u","event":"X"}""", "type is missing" },
        { """{"type":"trak","userId":"u","event":"X"}""", "'trak' is not known" },
        { """{"type":"batch","userId":"u"}""", "'batch' is not known" },
        { """{"type":"0","userId":"u","event":"X"}""", "'0' is not known" },
        { """{"type":"track","userId":"u","event":"X","timestamp":"yesterday"}""", "timestamp \"yesterday\"" },
        { """{"type":"track","userId":"u","event":"X","timestamp":1773144000}""", "timestamp 1773144000" },
        { """{"type":"track","userId":"u","event":"X","timestamp":"0001-01-01T00:00:00Z"}""", "timestamp" },
        { """{"type":"track","userId":"u","event":"X","properties":[1]}""", "properties is not" },
        { """{"type":"identify","userId":"u","traits":"x"}""", "traits is not" },
        { """{"type":"identify","userId":"u","context":7}""", "context is not" },
        { """{"type":"identify","userId":"u","context":{"traits":7}}""", "context.traits is not" },
        { """{"type":"track","userId":"\ud800","event":"X"}""", "not Unicode" },
        { """{"type":"track","userId":"u","event":"X","properties":{"a":["\udc00"]}}""", "not Unicode" },
        { """{"type":"track","userId":"u","event":"X","properties":{"\ud800":1}}""", "not Unicode" },
        { "7", "not a JSON object" },
        { "null", "not a JSON object" },
        { $$"""{"type":"track","userId":"{{new string('u', 257)}}","event":"X"}""", "userId is longer" },
        { $$"""{"type":"track","userId":"{{new string('|', 100)}}","event":"X"}""", "userId is longer" },
        { $$"""{"type":"track","userId":"u","event":"{{new string('x', 257)}}"}""", "name is longer" },
        { $$"""{"type":"track","userId":"u","event":"X","properties":{"p":"{{new string('x', SegmentReader.MaxItemBytes)}}"} }""", "32 KB" },
        { $$"""{"type":"track","userId":"u","event":"X","properties":{"p":{{new string('[', 100)}}{{new string(']', 100)}} } }""", "nests deeper" },
    };

    [Theory]
    [MemberData(nameof(BadItems))]
    public void A_bad_item_is_reported_by_its_index_and_the_rest_is_accepted(string bad, string reason)
    {
        var good = """{"type":"track","userId":"u","event":"Signed In","messageId":"good"}""";

        var request = Batch($$"""{"batch":[{{good}},{{bad}},{{good}}]}""");

        var rejected = Assert.Single(request.Rejected);
        Assert.Equal(1, rejected.Index);
        Assert.Contains(reason, rejected.Reason);
        Assert.Equal(["good", "good"], request.Accepted.Select(e => e.MessageId));
    }

    [Fact]
    public void Group_alias_and_anonymous_items_are_accepted_and_counted_as_ignored()
    {
        var request = Batch("""
            {"batch":[{"type":"group","groupId":"g"},{"type":"alias","previousId":"a","userId":"u"},{"type":"track","anonymousId":"anon","event":"X"}]}
            """);

        Assert.Equal(3, request.Ignored);
        Assert.Empty(request.Accepted);
        Assert.Empty(request.Rejected);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"batch":{}}""")]
    [InlineData("""{"batch":[]} x""")]
    public void A_batch_that_is_none_is_unreadable(string body) =>
        Assert.Throws<UnreadableException>(() => Batch(body));

    [Fact]
    public void A_body_that_is_not_UTF8_is_unreadable() =>
        Assert.Throws<UnreadableException>(() => SegmentReader.Read(SegmentCall.Track, new byte[] { (byte)'"', 0xff, (byte)'"' }, Received, "r"));

    [Fact]
    public void A_name_in_the_envelope_that_is_no_Unicode_hurts_nothing()
    {
        var request = Batch("""{"\ud800":1,"writeKey":"\ud800","sentAt":"\ud800","batch":[{"type":"page","userId":"u"}]}""");

        Assert.Null(request.WriteKey);
        Assert.Single(request.Accepted);
    }

    [Fact]
    public void An_empty_batch_and_a_byte_order_mark_are_fine() =>
        Assert.Empty(Batch("\uFEFF{\"batch\":[]}").Accepted);

    [Theory]
    // timestamp, sentAt, when it happened by our clock (received at 12:00)
    [InlineData("2026-03-10T11:00:00Z", "2026-03-10T12:00:00Z", "2026-03-10T11:00:00Z")]
    [InlineData("2026-03-10T13:00:00Z", "2026-03-10T14:00:00Z", "2026-03-10T11:00:00Z")]
    [InlineData("2026-03-10T09:00:00Z", "2026-03-10T10:00:00Z", "2026-03-10T11:00:00Z")]
    [InlineData("2026-03-10T14:00:00Z", "2026-03-10T13:00:00Z", "2026-03-10T12:00:00Z")]
    [InlineData("2026-03-10T13:00:00Z", null, "2026-03-10T12:00:00Z")]
    [InlineData("2026-03-10T11:00:00Z", "soon", "2026-03-10T11:00:00Z")]
    [InlineData("9999-12-31T23:59:59Z", "2026-03-10T12:00:00Z", "2026-03-10T12:00:00Z")]
    [InlineData("2026-03-10T11:00:00Z", "9999-12-31T23:59:59Z", "2000-01-01T00:00:00Z")]
    [InlineData("2026-03-10T12:30:00+02:00", null, "2026-03-10T10:30:00Z")]
    [InlineData("2026-03-10T12:30:00+0200", null, "2026-03-10T10:30:00Z")]
    [InlineData("2026-03-10T10:30:00", null, "2026-03-10T10:30:00Z")]
    [InlineData("2026-03-10 10:30:00", null, "2026-03-10T10:30:00Z")]
    [InlineData("2026-03-10T10:30Z", null, "2026-03-10T10:30:00Z")]
    [InlineData("2026-03-10", null, "2026-03-10T00:00:00Z")]
    [InlineData("2026-03-10T10:30:00.123456789Z", null, "2026-03-10T10:30:00.1234567Z")]
    public void The_senders_clock_is_corrected_and_nothing_happens_after_it_came_in(string timestamp, string? sentAt, string expected)
    {
        var sent = sentAt is null ? "" : $",\"sentAt\":\"{sentAt}\"";
        var item = $"\"type\":\"track\",\"userId\":\"u\",\"event\":\"X\",\"timestamp\":\"{timestamp}\"";

        Assert.Equal(Utc(expected), Assert.Single(Batch($"{{\"batch\":[{{{item}}}]{sent}}}").Accepted).At);
        Assert.Equal(Utc(expected), Assert.Single(Read(SegmentCall.Track, $"{{{item}{sent}}}").Accepted).At);
    }

    [Theory]
    [InlineData(SegmentCall.Track, """{"userId":"u","event":"X","writeKey":"k"}""", AppEventType.Track)]
    [InlineData(SegmentCall.Identify, """{"userId":7,"traits":{"a":1},"writeKey":"k"}""", AppEventType.Identify)]
    [InlineData(SegmentCall.Screen, """{"userId":"u","type":"track","writeKey":"k"}""", AppEventType.Page)]
    public void A_single_call_is_of_the_type_of_its_address(SegmentCall call, string body, AppEventType type)
    {
        var request = Read(call, body);

        Assert.Equal(type, Assert.Single(request.Accepted).Type);
        Assert.Equal("k", request.WriteKey);
    }

    [Fact]
    public void A_repetition_without_message_ids_gets_the_same_ids_and_other_content_another()
    {
        static string Item(string value) => $$"""{"userId":"u","event":"X","timestamp":"2026-03-10T11:00:00Z","properties":{"v":{{value}}},"sentAt":"2026-03-10T12:00:0{{value}}Z"}""";
        string Id(string body, DateTimeOffset at, string request) => SegmentReader.Read(SegmentCall.Track, Encoding.UTF8.GetBytes(body), at, request).Accepted[0].MessageId;

        Assert.Equal(Id(Item("1"), Received, "r1"), Id(Item("1").Replace("12:00:01", "12:00:09"), Received.AddMinutes(5), "r2"));
        Assert.NotEqual(Id(Item("1"), Received, "r1"), Id(Item("2"), Received, "r1"));
    }

    [Fact]
    public void Without_id_and_time_each_request_is_an_event_of_its_own()
    {
        const string SignIn = """{"userId":"u","event":"Signed In"}""";
        string Id(string request) => SegmentReader.Read(SegmentCall.Track, Encoding.UTF8.GetBytes(SignIn), Received, request).Accepted[0].MessageId;

        Assert.NotEqual(Id("r1"), Id("r2"));
        var twice = SegmentReader.Read(SegmentCall.Batch, Encoding.UTF8.GetBytes("""{"batch":[{"type":"track","userId":"u","event":"Signed In"},{"type":"track","userId":"u","event":"Signed In"}]}"""), Received, "r1").Accepted;
        Assert.NotEqual(twice[0].MessageId, twice[1].MessageId);
    }

    [Fact]
    public void A_message_id_too_long_for_a_key_is_replaced_by_one_of_its_own()
    {
        static string Body(char last) => $$"""{"userId":"u","event":"X","messageId":"{{new string('m', 600)}}{{last}}"}""";

        var one = Read(SegmentCall.Track, Body('1')).Accepted[0].MessageId;
        Assert.InRange(one.Length, 1, 100);
        Assert.Equal(one, Read(SegmentCall.Track, Body('1')).Accepted[0].MessageId);
        Assert.NotEqual(one, Read(SegmentCall.Track, Body('2')).Accepted[0].MessageId);
    }

    [Fact]
    public void What_is_accepted_can_be_queued_and_read_back_and_its_keys_are_within_the_limits()
    {
        var deepest = string.Concat(Enumerable.Repeat("[", 46)) + string.Concat(Enumerable.Repeat("]", 46));
        var e = Batch($$"""{"batch":[{"type":"track","userId":"{{new string('u', SegmentReader.MaxUserIdLength)}}","event":"X","properties":{"p":{{deepest}} } }] }""").Accepted.Single();

        var back = JsonSerializer.Deserialize<AppEvent>(JsonSerializer.Serialize(e, TablesExtensions.Json), TablesExtensions.Json)!;
        Assert.Equal(e.UserId, back.UserId);
        TableLimits.CheckKey("row key", Keys.Event(e.UserId, e.MessageId).Key);
        TableLimits.CheckKey("partition key", Keys.UserTie(e.UserId).Partition);
    }

    [Theory]
    [InlineData("track", true)]
    [InlineData("Batch", true)]
    [InlineData("import", false)]
    [InlineData("6", false)]
    [InlineData("", false)]
    public void Only_the_calls_of_the_API_are_calls(string lastPart, bool known) => Assert.Equal(known, SegmentReader.TryCall(lastPart, out _));

    [Theory]
    [InlineData("wk_secret:", null, WriteKeyVerdict.Right)]
    [InlineData("wk_secret", null, WriteKeyVerdict.Right)]
    [InlineData("wk_secret:anything", null, WriteKeyVerdict.Right)]
    [InlineData("other:", null, WriteKeyVerdict.Wrong)]
    [InlineData("wk_secre:", null, WriteKeyVerdict.Wrong)]
    [InlineData(null, "wk_secret", WriteKeyVerdict.Right)]
    [InlineData("other:", "wk_secret", WriteKeyVerdict.Right)]
    [InlineData(null, "other", WriteKeyVerdict.Wrong)]
    [InlineData(null, null, WriteKeyVerdict.Missing)]
    [InlineData(":", null, WriteKeyVerdict.Missing)]
    public void The_write_key_is_the_user_name_or_in_the_body(string? pair, string? inBody, WriteKeyVerdict expected)
    {
        var header = pair is null ? null : "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(pair));

        Assert.Equal(expected, WriteKeyCheck.Check(header, inBody, "wk_secret"));
        Assert.Equal(WriteKeyVerdict.NotConfigured, WriteKeyCheck.Check(header, inBody, null));
        Assert.Equal(WriteKeyVerdict.NotConfigured, WriteKeyCheck.Check(header, inBody, ""));
    }

    [Theory]
    [InlineData("Basic ???", WriteKeyVerdict.Wrong)]
    [InlineData("Bearer wk_secret", WriteKeyVerdict.Missing)]
    [InlineData("Basic", WriteKeyVerdict.Missing)]
    [InlineData("basic d2tfc2VjcmV0Og==", WriteKeyVerdict.Right)]
    public void Other_authorization_headers_are_not_the_key(string header, WriteKeyVerdict expected) =>
        Assert.Equal(expected, WriteKeyCheck.Check(header, null, "wk_secret"));

    private static SegmentRequest Batch(string body) => Read(SegmentCall.Batch, body);

    private static SegmentRequest Read(SegmentCall call, string body) => SegmentReader.Read(call, Encoding.UTF8.GetBytes(body), Received, "r");

    private static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
