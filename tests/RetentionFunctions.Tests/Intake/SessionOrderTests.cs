using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Local.Sqlite;

namespace RetentionFunctions.Tests.Intake;

/// <summary>The order of the inbox, against the plainest queue that has the same rule: look through everything, every time.</summary>
public class SessionOrderTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private sealed record Plain(long Seq, int Session)
    {
        public DateTimeOffset? NotBefore { get; set; }

        public bool Taken { get; set; }
    }

    [Fact]
    public void Whatever_is_taken_done_delayed_and_released_the_order_is_that_of_looking_through_the_whole_queue() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), Follows));

    private static bool Follows(byte[] choices)
    {
        var order = new SessionOrder();
        var queue = new List<Plain>();
        var offered = 0;
        var next = 1L;
        var now = Start;
        foreach (var choice in choices.Concat(choices).Concat(choices))
        {
            var taken = queue.Where(m => m.Taken).ToList();
            var pick = taken.Count == 0 ? null : taken[choice / 8 % taken.Count];
            switch (choice % 8)
            {
                case 0 or 1 or 2:
                    queue.Add(new Plain(next++, choice / 8 % 4));
                    break;
                case 3 or 4:
                    // The model: of each session only the oldest message, unless it is taken or delayed; of those the oldest.
                    var expected = queue.GroupBy(m => m.Session).Select(g => g.MinBy(m => m.Seq)!).Where(m => !m.Taken && !(m.NotBefore > now)).MinBy(m => m.Seq);
                    var got = Take(order, queue, now);
                    if (got != (expected?.Seq ?? 0)) return false;
                    if (expected is not null) expected.Taken = true;
                    break;
                case 5 when pick is not null:
                    order.Complete(pick.Seq);
                    queue.Remove(pick);
                    break;
                case 6 when pick is not null:
                    pick.NotBefore = now.AddMinutes(1 + choice % 3);
                    pick.Taken = false;
                    order.Delay(pick.Seq, pick.NotBefore.Value);
                    break;
                case 7 when pick is not null && choice % 2 == 0:
                    pick.Taken = false;
                    order.Release(pick.Seq);
                    break;
                default:
                    now = now.AddMinutes(1);
                    break;
            }
            offered++;
        }
        return offered == 3 * choices.Length;
    }

    // As the inbox does it: what is ready first, then on from the cursor. What is ready always lies before the cursor.
    private static long Take(SessionOrder order, List<Plain> queue, DateTimeOffset now)
    {
        if (order.TryTakeReady(now, out var seq)) return seq;
        foreach (var message in queue.Where(m => m.Seq > order.Cursor).OrderBy(m => m.Seq).ToList())
            if (order.Offer(message.Seq, $"s{message.Session}", message.NotBefore, now)) return message.Seq;
        return 0;
    }

    [Fact]
    public void The_queue_is_read_forward_only()
    {
        var order = new SessionOrder();
        Assert.True(order.Offer(5, "a", null, Start));
        Assert.Throws<ArgumentOutOfRangeException>(() => order.Offer(5, "b", null, Start));
    }
}
