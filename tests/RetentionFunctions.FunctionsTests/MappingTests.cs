using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.Functions;
using RetentionFunctions.Intake;

namespace RetentionFunctions.FunctionsTests;

public sealed class ColumnsTests
{
    private static Dictionary<string, object> Of(string json) => new(Columns.Of(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void Texts_numbers_and_truth_values_are_typed_columns_and_the_rest_is_json()
    {
        var columns = Of("""{"name":"Ada","mrr":4900,"score":61.5,"paying":true,"at":"2026-01-01T00:00:00+00:00","tags":["a"],"card":{"last4":"4242"}}""");
        Assert.Equal("Ada", columns["name"]);
        Assert.Equal(4900L, columns["mrr"]);
        Assert.Equal(61.5, columns["score"]);
        Assert.Equal(true, columns["paying"]);
        Assert.Equal("2026-01-01T00:00:00+00:00", columns["at"]);
        Assert.Equal("""["a"]""", columns["tags"]);
        Assert.Equal("""{"last4":"4242"}""", columns["card"]);
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"a":"","b":"plain","c":"grüße 你好 🙂"}""")]
    [InlineData("""{"a":"{not json","b":"[1]","c":"'quoted'","d":"=1+1","e":"''"}""")]
    [InlineData("""{"a":null,"b":[null],"c":{},"d":[]}""")]
    [InlineData("""{"a":0,"b":-1,"c":9223372036854775807,"d":-9223372036854775808}""")]
    [InlineData("""{"a":0.1,"b":1e100,"c":123456789012345678901234567890,"d":0.1234567890123456789,"e":-2.5e-7}""")]
    [InlineData("""{"timestamp":1,"Timestamp":2,"PartitionKey":"p","with space":3,"x_1":4,"größe":5,"0":6}""")]
    public void Every_row_comes_back_as_it_was_written(string json)
    {
        var back = Columns.Read([.. Columns.Of(Encoding.UTF8.GetBytes(json)), new("PartitionKey", "p"), new("RowKey", "r"), new("Timestamp", DateTimeOffset.UnixEpoch), new("odata.etag", "e")]);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(json), JsonNode.Parse(back.Span)), Encoding.UTF8.GetString(back.Span));
    }

    [Fact]
    public void What_was_changed_by_hand_in_another_type_is_still_read()
    {
        var back = JsonDocument.Parse(Columns.Read([new("i", 7), new("g", Guid.Empty), new("t", new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))]));
        Assert.Equal(7, back.RootElement.GetProperty("i").GetInt32());
        Assert.Equal(Guid.Empty, back.RootElement.GetProperty("g").GetGuid());
        Assert.Equal(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), back.RootElement.GetProperty("t").GetDateTimeOffset());
    }
}

public sealed class InboxEnvelopeTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, 1, TimeSpan.Zero);

    private static InboxMessage Message(string session = "cus_1", string id = "evt_1") => new(session, id, MessageKind.StripeEvent, new byte[] { 0, 1, 255 }, Noon);

    [Theory]
    [InlineData(false, null)]
    [InlineData(true, null)]
    [InlineData(false, "dead:evt_1:0a")]
    public void A_message_comes_out_as_it_went_in(bool stored, string? replay)
    {
        var sent = Message() with { Kind = MessageKind.AppEvent, BodyStored = stored, Replay = replay };
        var back = InboxEnvelope.Of(sent).Read(DateTimeOffset.UnixEpoch);
        Assert.Equal(sent.Body.ToArray(), back.Body.ToArray());
        Assert.Equal(sent with { Body = default }, back with { Body = default });
    }

    [Fact]
    public void The_queue_knows_a_copy_by_the_id_of_the_event()
    {
        Assert.Equal("evt_1", InboxEnvelope.Of(Message()).MessageId);
        Assert.Equal(InboxEnvelope.Of(Message()).MessageId, InboxEnvelope.Of(Message("another") with { ReceivedAt = Noon.AddDays(1) }).MessageId);
    }

    [Fact]
    public void A_replay_is_no_copy_of_the_one_that_died_but_one_of_itself()
    {
        var replay = InboxEnvelope.Of(Message() with { Replay = "dead:evt_1:0a" }).MessageId;
        Assert.NotEqual("evt_1", replay);
        Assert.Equal(replay, InboxEnvelope.Of(Message() with { Replay = "dead:evt_1:0a" }).MessageId);
        Assert.NotEqual(replay, InboxEnvelope.Of(Message() with { Replay = "dead:evt_1:0b" }).MessageId);
    }

    [Fact]
    public void An_id_longer_than_the_queue_takes_is_shortened_for_the_queue_only()
    {
        var id = new string('i', 300);
        var envelope = InboxEnvelope.Of(Message(id: id));
        Assert.InRange(envelope.MessageId.Length, 1, 128);
        Assert.Equal(id, envelope.Read(Noon).Id);
        Assert.NotEqual(envelope.MessageId, InboxEnvelope.Of(Message(id: id + "i")).MessageId);
    }

    [Fact]
    public void Customers_fall_into_64_sessions_and_each_always_into_the_same()
    {
        var sessions = Enumerable.Range(0, 5000).Select(i => InboxEnvelope.SessionOf($"cus_{i}")).ToList();
        Assert.Equal(InboxEnvelope.Sessions, sessions.Distinct().Count());
        Assert.All(sessions.CountBy(s => s), s => Assert.InRange(s.Value, 30, 140));
        // A stored format: messages wait while a new version is deployed.
        Assert.Equal("41", InboxEnvelope.SessionOf("cus_1"));
    }

    [Theory]
    [InlineData("", "evt_1")]
    [InlineData("cus_1", "")]
    public void A_message_without_session_or_id_is_refused(string session, string id) => Assert.Throws<ArgumentException>(() => InboxEnvelope.Of(Message(session, id)));

    [Fact]
    public void A_message_that_is_not_ours_is_read_as_of_no_known_kind()
    {
        var read = new InboxEnvelope("m1", null, new Dictionary<string, object>(), "hello"u8.ToArray()).Read(Noon);
        Assert.Equal(("m1", "m1", Noon), (read.Id, read.Session, read.ReceivedAt));
        Assert.False(Enum.IsDefined(read.Kind));
    }
}

public sealed class OriginalRequestTests
{
    [Theory]
    [InlineData("""{"X-Forwarded-For":"203.0.113.7:51234"}""", "203.0.113.7")]
    [InlineData("""{"x-forwarded-for":"203.0.113.7"}""", "203.0.113.7")]
    [InlineData("""{"X-Forwarded-For":"1.2.3.4, 203.0.113.7:1"}""", "203.0.113.7")]
    [InlineData("""{"X-Forwarded-For":["1.2.3.4","203.0.113.7:1"]}""", "203.0.113.7")]
    [InlineData("""{"X-Forwarded-For":"[2001:db8::1]:443"}""", "2001:db8::1")]
    [InlineData("""{"X-Forwarded-For":"2001:db8::1"}""", "2001:db8::1")]
    [InlineData("""{"X-Forwarded-For":"unknown"}""", null)]
    [InlineData("""{"X-Forwarded-For":""}""", null)]
    [InlineData("""{}""", null)]
    [InlineData("""[]""", null)]
    [InlineData("not json", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void The_client_is_the_last_that_was_added_to_the_list(string? headers, string? from) =>
        Assert.Equal(from is null ? null : IPAddress.Parse(from), OriginalRequest.Of(headers).From);

    [Fact]
    public void The_host_and_scheme_are_those_that_the_client_used()
    {
        var original = OriginalRequest.Of("""{"Host":"retention.example.com","X-Forwarded-Proto":"https"}""");
        Assert.Equal(("retention.example.com", "https"), (original.Host, original.Scheme));
        Assert.Null(OriginalRequest.Of("""{"X-Forwarded-Proto":"javascript"}""").Scheme);
    }
}

public sealed class WatchdogTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 10, 3, 30, 0, TimeSpan.Zero);

    private static Run Run(RunStatus status, double startedHoursAgo, double? dueHoursAgo) => new()
    {
        Id = new RunId("cus_1", "dunning", "in_1"),
        Definition = new FlowDefinition { Kind = MailKind.Transactional },
        Because = "a payment failed",
        StartedAt = Now.AddHours(-startedHoursAgo),
        DueAt = dueHoursAgo is { } hours ? Now.AddHours(-hours) : null,
        Status = status,
    };

    [Theory]
    [InlineData(RunStatus.Running, 100, -5, Lateness.None)]
    [InlineData(RunStatus.Running, 100, 0.5, Lateness.None)]
    [InlineData(RunStatus.Running, 100, 2, Lateness.Wake)]
    [InlineData(RunStatus.Running, 100, 26, Lateness.Restart)]
    [InlineData(RunStatus.Ended, 100, 26, Lateness.None)]
    public void A_run_is_woken_when_it_is_late_and_replaced_when_that_did_not_help(RunStatus status, double started, double due, Lateness expected) =>
        Assert.Equal(expected, Watchdog.Of(Run(status, started, due), Now));

    [Theory]
    [InlineData(0.5, Lateness.None)]
    [InlineData(3, Lateness.Wake)]
    [InlineData(30, Lateness.Restart)]
    public void A_run_that_never_looked_is_late_from_its_start(double started, Lateness expected) => Assert.Equal(expected, Watchdog.Of(Run(RunStatus.Starting, started, null), Now));
}
