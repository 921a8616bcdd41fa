using System.Text;
using System.Text.Json;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Tests.Intake.App;

/// <summary>How app events lie in the inbox.</summary>
public class AppMessagesTests
{
    private static readonly DateTimeOffset Noon = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private static AppEvent Event(string user, string id, int size = 0) => new()
    {
        MessageId = id, Type = AppEventType.Track, UserId = user, Name = "Signed In", At = Noon, ReceivedAt = Noon,
        Properties = size == 0 ? null : JsonSerializer.SerializeToElement(new { text = new string('x', size) }),
    };

    private static string Told(InboxMessage message) => $"{message.Session} {string.Join(',', AppMessages.Read(message.Body).Select(e => e.MessageId))}";

    [Fact]
    public void What_one_request_brings_of_a_user_is_one_message_in_the_order_it_was_told()
    {
        var messages = AppMessages.Of([Event("ada", "1"), Event("bob", "2"), Event("ada", "3"), Event("ada", "1")], Noon);

        Assert.Equal(["user:ada 1,3", "user:bob 2"], messages.Select(Told));
        Assert.All(messages, m => Assert.Equal((MessageKind.AppEvent, Noon), (m.Kind, m.ReceivedAt)));
    }

    [Fact]
    public void The_same_request_has_the_same_ids_again_and_another_has_others()
    {
        AppEvent[] request = [Event("ada", "1"), Event("ada", "2"), Event("bob", "3")];
        var ids = AppMessages.Of(request, Noon).Select(m => m.Id).ToList();

        Assert.Equal(ids, AppMessages.Of(request, Noon.AddMinutes(1)).Select(m => m.Id));
        Assert.Equal("bob:3", ids[1]);
        // The same first event in a request that brings one more is another message: the new one must not be taken for a copy.
        Assert.NotEqual(ids[0], AppMessages.Of([.. request, Event("ada", "4")], Noon)[0].Id);
        Assert.NotEqual(ids[0], AppMessages.Of([Event("ada", "2"), Event("ada", "1")], Noon)[0].Id);
    }

    [Fact]
    public void A_message_fits_into_one_batch_and_into_the_queue()
    {
        var many = AppMessages.Of(Enumerable.Range(0, 120).Select(i => Event("ada", $"{i}")), Noon);
        var large = AppMessages.Of(Enumerable.Range(0, 20).Select(i => Event("ada", $"{i}", 30_000)), Noon);

        Assert.Equal([50, 50, 20], many.Select(m => AppMessages.Read(m.Body).Count));
        Assert.Equal(20, large.Sum(m => AppMessages.Read(m.Body).Count));
        Assert.All(large, m => Assert.InRange(m.Body.Length, 30_000, BodyStore.QueueBytes));
        Assert.InRange(large.Count, 4, 6);
    }

    [Fact]
    public void A_message_of_an_earlier_version_is_one_event()
    {
        Assert.Equal("7", Assert.Single(AppMessages.Read(TablesExtensions.Write(Event("ada", "7")))).MessageId);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("[null]")]
    [InlineData("{}")]
    [InlineData("[{\"userId\":\"ada\"}]")]
    public void What_is_none_of_ours_cannot_be_read(string body) => Assert.Throws<UnreadableException>(() => AppMessages.Read(Encoding.UTF8.GetBytes(body)));

    [Fact]
    public void Events_of_two_users_in_one_message_cannot_be_read()
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new[] { Event("ada", "1"), Event("bob", "2") }, TablesExtensions.Json);

        Assert.Contains("several users", Assert.Throws<UnreadableException>(() => AppMessages.Read(body)).Message, StringComparison.Ordinal);
    }
}
