using System.Text.Json.Nodes;
using RetentionFunctions.Backup;
using RetentionFunctions.Email;
using RetentionFunctions.Flows;
using RetentionFunctions.History;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.App;
using RetentionFunctions.Intake.Mail;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Links;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Storage;
using RetentionFunctions.Tests.Faults;
using RetentionFunctions.Tests.History;
using RetentionFunctions.Tests.Intake.Stripe;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Torture.Faults;

/// <summary>A story in which something is handled: what led to it, and what may be interrupted.</summary>
internal sealed record HandlerStory(string Name, Func<World, Task> Prelude, Func<World, Task> Act)
{
    // What the fixtures' events are of.
    private const string Version = "2025-03-31.basil";

    private static readonly RunId Dunning = new("cus_Ada", FlowDispatch.DunningFlow, "in_Ada_renewal");

    /// <summary>Every type of event that SendGrid sends of an e-mail, as it writes it.</summary>
    public static readonly (string Event, string? Type)[] MailEvents =
    [
        ("processed", null), ("deferred", null), ("delivered", null), ("bounce", "bounce"), ("bounce", "blocked"), ("dropped", null), ("open", null), ("click", null), ("spamreport", null), ("unsubscribe", null),
        ("group_unsubscribe", null),
    ];

    private static readonly Lazy<SandboxStripe> Before = new(() => Account(FlowStory.SignUp)), After = new(() => Account(FlowStory.SignUp.AddDays(2)));

    public static readonly HandlerStory[] All =
    [
        .. FlowStory.All.Select(story => new HandlerStory(story.Name, world => story.Prelude(world.Bench, world.Ada), world => story.Act(world.Bench, world.Ada))),
        .. StripeEventTypes.Meanings.Keys.Order(StringComparer.Ordinal).SelectMany(OfStripe),
        .. MailEvents.Select(OfMail),
        .. OfApp(), .. OfSweep(), .. OfJobs(), .. OfInsight(), .. OfLetters(),
        new("The customer pays by the link of the second e-mail", Failed, async world =>
        {
            var (bench, ada) = (world.Bench, world.Ada);
            await bench.AdvanceAsync(3);
            await bench.ClickAsync(LinkPurpose.Pay, Dunning, 2, (links, claims) => links.PayAsync(claims with { Subject = ada.InvoiceId("renewal") }, new Uri("https://links.example.com/back")));
            await bench.StripeAsync(ada.PaysAfterAll(bench.Now));
            await bench.AdvanceAsync(20);
        }),
    ];

    public override string ToString() => Name;

    private static IEnumerable<HandlerStory> OfStripe(string type)
    {
        yield return new($"{type} comes, and once more", async world =>
        {
            At(world, 0);
            await world.Bench.StripeAsync(Known(type));
        }, async world =>
        {
            At(world, 2);
            var e = Event(type, 100);
            await world.Bench.StripeAsync(e, e);
            await world.Bench.AdvanceAsync(12);
            Assert.Empty(await world.Bench.Tables.ListAsync<DeadLetter>(Keys.DeadLetters));
        });
        yield return new($"{type} comes before anything is known of the customer", world => Task.CompletedTask, async world =>
        {
            At(world, 1);
            var first = Event(type, 100);
            // Too large for a queue, and kept as a body of its own until somebody asks for it.
            first["data"]!["object"]!["description"] = new string('x', 210_000);
            await world.Bench.StripeAsync(first);
            await world.Bench.StripeAsync(Known(type));
            await world.Bench.AdvanceAsync(12);
            Assert.Empty(await world.Bench.Tables.ListAsync<DeadLetter>(Keys.DeadLetters));
        });
    }

    private static HandlerStory OfMail((string Event, string? Type) reported) => new($"The provider reports {reported.Event} {reported.Type}", Failed, async world =>
    {
        var bench = world.Bench;
        var mail = MailArguments.IdOf(Dunning, 1);
        var e = MailProvider.Event(mail, reported.Event, bench.Now.AddMinutes(-2), reported.Type, "the reason", "https://links.example.com/l/x");
        await bench.MailAsync(MailProvider.Body(e, MailProvider.Event(mail, "processed", bench.Now.AddMinutes(-3))));
        await bench.MailAsync(MailProvider.Body(e));
        await bench.AdvanceAsync(12);
    });

    private static IEnumerable<HandlerStory> OfApp()
    {
        yield return new("Users of the app are seen, say who they are in every way, and change whose they are", async world =>
        {
            await world.Bench.StripeAsync(world.Ada.SignsUp(FlowStory.SignUp));
            await world.Bench.StripeAsync(new Story("cus_Bob", "bob@example.com").SignsUp(FlowStory.SignUp));
        }, async world =>
        {
            var bench = world.Bench;
            JsonObject Item(string type, string user, int minute, params (string Name, JsonNode Value)[] fields)
            {
                var item = new JsonObject { ["type"] = type, ["userId"] = user, ["messageId"] = $"{type} {user} {minute}", ["timestamp"] = FlowStory.SignUp.AddMinutes(-60 + minute).ToString("O") };
                foreach (var (name, value) in fields) item[name] = value;
                return item;
            }
            JsonObject Track(string user, int minute) => Item("track", user, minute, ("event", "Signed In"));
            JsonObject Batch(params JsonNode[] items) => new() { ["batch"] = new JsonArray(items) };
            JsonObject ByEmail(string user, string email, int minute) => Item("identify", user, minute, ("traits", new JsonObject { ["email"] = email, ["name"] = $"Name of {user}" }));
            JsonObject ById(string user, string customer, int minute) => Item("identify", user, minute, ("traits", new JsonObject { ["stripeCustomerId"] = customer }));

            await bench.SegmentAsync(SegmentCall.Batch, Batch(Track("u1", 1), Track("u2", 1), Item("page", "u1", 2, ("name", "Pricing")), Track("u3", 1)));
            await bench.SegmentAsync(SegmentCall.Identify, ByEmail("u1", "ada@example.com", 3));
            await bench.SegmentAsync(SegmentCall.Batch, Batch(Track("u1", 1), Track("u1", 4), ById("u2", "cus_Bob", 4), Track("u2", 5)));
            await bench.SegmentAsync(SegmentCall.Track, Track("u2", 6));
            // It was a mistake: Ada's, not Bob's; and back again.
            await bench.SegmentAsync(SegmentCall.Identify, ById("u2", "cus_Ada", 7));
            await bench.SegmentAsync(SegmentCall.Track, Track("u2", 8));
            await bench.SegmentAsync(SegmentCall.Identify, ById("u2", "cus_Bob", 9));
            // What means nothing here is taken and forgotten.
            await bench.SegmentAsync(SegmentCall.Alias, Item("alias", "u3", 9, ("previousId", "u2")));
            // The customer's address says it, when it comes at last.
            await bench.SegmentAsync(SegmentCall.Identify, ByEmail("u3", "eve@example.com", 10));
            await bench.StripeAsync(new Story("cus_Eve", "eve@example.com").SignsUp(FlowStory.SignUp));
        });
    }

    private static IEnumerable<HandlerStory> OfSweep()
    {
        // All of one bucket, so that the sweep of one bucket starts some and leaves others.
        var silent = Enumerable.Range(0, 100_000).Select(i => $"cus_{i}").Where(id => Keys.Bucket(id) == "77").Take(3).ToList();
        string[] ids = [silent[0], "cus_Ada", Keys.UntiedUser("somebody")];
        yield return new("Three fell silent, two may be written to on a day, a fourth comes back from a pause", SilentAsync, async world =>
        {
            await world.Bench.NightAsync(ids);
            await world.Bench.AdvanceAsync(1);
            await world.Bench.AppAsync("somebody", "Signed In");
            await world.Bench.NightAsync(ids);
            await world.Bench.AdvanceAsync(6);
        });
        yield return new("The same, on a host that keeps what the buckets answered", SilentAsync, async world =>
        {
            await world.Bench.SweepInPartsAsync(ids);
            await world.Bench.AdvanceAsync(6);
        });

        async Task SilentAsync(World world)
        {
            var bench = world.Bench;
            bench.Settings.Flows.MaxStartsPerDay = 2;
            foreach (var story in silent.Select(id => new Story(id, $"{id}@example.com")))
            {
                await bench.StripeAsync(story.SignsUp(FlowStory.SignUp));
                await bench.AppAsync($"user of {story.Customer}", null, traits: $$"""{"stripeCustomerId":"{{story.Customer}}"}""");
                await bench.AppAsync($"user of {story.Customer}", "Signed In");
            }
            await bench.StripeAsync(world.Ada.SignsUp(FlowStory.SignUp));
            await bench.StripeAsync(world.Ada.Pauses(FlowStory.SignUp.AddDays(5), until: FlowStory.SignUp.AddDays(40.5)));
            await bench.AdvanceAsync(40);
            await bench.AppAsync("somebody", "Signed In");
        }
    }

    private static IEnumerable<HandlerStory> OfJobs()
    {
        yield return new("Stripe's past is read, a page at a time, while an event of today comes by the door", world =>
        {
            world.Stripe.Account = Before.Value;
            world.Bench.Settings.Stripe.HistoryYears = 12;
            return Task.CompletedTask;
        }, async world =>
        {
            await world.Bench.StripeAsync(Before.Value.Told.Where(e => StripeReader.Handles(e.Type)).TakeLast(2).Select(e => e.Body).First());
            await world.Bench.StartAsync(Backfill.JobName, "first");
        });
        yield return new("What never arrived is found in the night", async world =>
        {
            world.Stripe.Account = Before.Value;
            await world.Bench.StartAsync(Backfill.JobName, "first");
            await world.Bench.NightAsync("cus_Eve");
            world.Stripe.Account = After.Value;
            await world.Bench.AdvanceAsync(2);
        }, async world =>
        {
            await world.Bench.NightAsync("cus_Eve");
            await world.Bench.AdvanceAsync(4);
            // Summaries that a crash made late saw more than the others: a night later they are the same.
            await world.Bench.NightAsync("cus_Eve");
        });
        yield return new("Three nights are backed up and two are kept", async world =>
        {
            world.Bench.Settings.Backup.Keep = 2;
            await Failed(world);
            foreach (var _ in Enumerable.Range(0, 2))
            {
                await world.Bench.NightAsync("cus_Ada");
                await world.Bench.AdvanceAsync(1);
            }
        }, world => world.Bench.NightAsync("cus_Ada"));
        yield return new("The tables are put back to the backup of before a bad day", async world =>
        {
            await Failed(world);
            await world.Bench.NightAsync("cus_Ada");
            await world.Bench.AdvanceAsync(1);
            await world.Bench.StripeAsync(world.Ada.Cancels(world.Bench.Now));
            await world.Bench.StripeAsync(new Story("cus_Bob", "bob@example.com").SignsUp(world.Bench.Now));
        }, async world =>
        {
            await world.Bench.StartAsync(RestoreJob.JobName, RestoreJob.OccasionOf(world.Backups.Kept.Keys.Last(), FlowStory.SignUp));
            await world.Bench.AdvanceAsync(5);
        });
        yield return new("A customer is erased", async world =>
        {
            var bench = world.Bench;
            await bench.AppAsync("u1", "Signed In");
            await bench.AppAsync("u1", null, traits: """{"email":"ada@example.com"}""");
            await Failed(world);
            await bench.StripeAsync(new Story("cus_Bob", "bob@example.com").SignsUp(bench.Now));
            await bench.StripeAsync(Broken(world, 0), Broken(world, 250_000));
        }, async world =>
        {
            await world.Bench.EraseAsync("cus_Ada");
            await world.Bench.AdvanceAsync(12);
        });
    }

    private static IEnumerable<HandlerStory> OfInsight()
    {
        const string Header = "customer_id,name,subscription_id,amount,currency,interval,status,started,ended,user_id\n";
        const string File = Header + "c-Ida,Ida,s1,49.00,usd,month,active,2025-06-10,,u-ida\nc-Jon,Jon,s2,100.00,eur,year,canceled,2024-03-01,2025-03-01,\n";
        yield return new("A file of two customers is checked, corrected, confirmed and written, and the summaries are counted after it", async world =>
        {
            await world.Bench.AppAsync("u-ida", "Signed In");
            await world.Bench.StripeAsync(world.Ada.SignsUp(FlowStory.SignUp));
        }, async world =>
        {
            var bench = world.Bench;
            await bench.CheckFileAsync(Header + "c-Ida,Ida,s1,94.00,usd,month,active,2025-06-10,,u-ida\n");
            await bench.ConfirmFileAsync(await bench.CheckFileAsync(File));
            Assert.Equal((2L, 3L), (await JobAsync(world, "import", "customers"), await JobAsync(world, SummaryJob.JobName, "customers")));
            Assert.Equal(2, (await bench.Tables.ListAsync<StoredCohorts>(Keys.SummaryOfBuckets(CohortSummary.SummaryName))).SelectMany(s => s.Sums()).Where(s => s.Key is { Split: null, Currency: null, Cohort.Start.Year: < 2026 }).Sum(s => s.Sum.Customers));
        });
        yield return new("A file that nobody confirms is forgotten in a night", async world => await world.Bench.CheckFileAsync(File), async world =>
        {
            await world.Bench.AdvanceAsync(1);
            await world.Bench.NightAsync("c-Ida");
            Assert.DoesNotContain("Ida", await world.Bench.EverythingAsync(), StringComparison.Ordinal);
        });
        yield return new("Two nights in which summaries are counted of runs, a payment that failed and one that was made good", async world =>
        {
            await Failed(world);
            var bob = new Story("cus_Bob", "bob@example.com");
            await world.Bench.StripeAsync(bob.SignsUp(FlowStory.SignUp.AddDays(-31)));
            await world.Bench.StripeAsync(bob.PaymentFails(world.Bench.Now.AddDays(-1), next: world.Bench.Now.AddDays(2)));
        }, async world =>
        {
            await world.Bench.NightAsync("cus_Ada", "cus_Bob");
            await world.Bench.AdvanceAsync(1);
            await world.Bench.StripeAsync(world.Ada.PaysAfterAll(world.Bench.Now));
            await world.Bench.NightAsync("cus_Ada", "cus_Bob");
            var fates = (await world.Bench.Tables.ListAsync<StoredRecovery>(Keys.SummaryOfBuckets(RecoverySummary.SummaryName))).SelectMany(s => s.Cells()).ToList();
            Assert.Equal((1, 2), (fates.Where(c => c.Key.Fate == InvoiceFate.AfterEmail).Sum(c => c.Count), fates.Sum(c => c.Count)));
        });
        yield return new("The founder gets the review of a month and the line of a week, on a Monday that is the first weekday of its month", AMonthAsync, async world =>
        {
            await FirstWeekdayAsync(world);
            // The next night nothing of it goes again.
            await world.Bench.NightAsync("cus_Ada");
            await world.Bench.AdvanceAsync(1);
            Assert.Equal(2, (await world.EndAsync()).Mails.Count(m => m.CustomerId == FounderMail.Addressee));
        });
        yield return new("The provider reports of the founder's review", async world =>
        {
            await AMonthAsync(world);
            await FirstWeekdayAsync(world);
        }, world => world.Bench.MailAsync(MailProvider.Body(MailProvider.Event(MailArguments.IdOf(FounderMail.RunOf("2026-02"), 1), "bounce", world.Bench.Now, "bounce", "the reason", "https://links.example.com/l/x"))));

        static async Task<long> JobAsync(World world, string name, string count) => (await world.Bench.Tables.ListAsync<Jobs.JobState>(Keys.Jobs)).Single(j => j.Name == name).Counts[count];

        // Somebody whose payment failed, and the sweeps with which a week later is compared. The first of March is a Sunday.
        static async Task AMonthAsync(World world)
        {
            world.Bench.Settings.Review.Email = "founder@example.com";
            await Failed(world);
            await AdvanceToAsync(world, new DateTimeOffset(2026, 2, 23, 6, 0, 0, TimeSpan.Zero));
            await world.Bench.NightAsync("cus_Ada");
            await AdvanceToAsync(world, new DateTimeOffset(2026, 3, 2, 6, 0, 0, TimeSpan.Zero));
            Assert.DoesNotContain((await world.EndAsync()).Mails, m => m.CustomerId == FounderMail.Addressee);
        }

        // The night is at six, the e-mails go out from nine.
        static async Task FirstWeekdayAsync(World world)
        {
            await world.Bench.NightAsync("cus_Ada");
            await world.Bench.AdvanceAsync(1);
        }

        static Task AdvanceToAsync(World world, DateTimeOffset to) => world.Bench.AdvanceAsync((to - world.Bench.Now).TotalDays);
    }

    private static IEnumerable<HandlerStory> OfLetters()
    {
        foreach (var size in new[] { 0, 250_000 })
            yield return new($"What cannot be read is kept ({size} bytes more), put back and dies again, and is dropped at last", async world => await world.Bench.StripeAsync(world.Ada.SignsUp(FlowStory.SignUp)), async world =>
            {
                var broken = Broken(world, size);
                await world.Bench.StripeAsync(broken);
                await world.Bench.LetterAsync((string)broken["id"]!, replay: true);
                await world.Bench.StripeAsync(Broken(world, size));
                await world.Bench.LetterAsync((string)broken["id"]!, replay: false);
            });
    }

    // A failed payment, and the first e-mail about it is out.
    private static async Task Failed(World world)
    {
        var (bench, ada) = (world.Bench, world.Ada);
        await bench.StripeAsync(ada.SignsUp(FlowStory.SignUp));
        await bench.AdvanceAsync(31);
        await bench.StripeAsync(ada.PaymentFails(bench.Now, next: bench.Now.AddDays(3)));
        await bench.AdvanceAsync(0.1);
        Assert.Single(bench.Mailer.Delivered);
    }

    // The door sees an event of a customer, the reader finds no subscription in it.
    private static JsonObject Broken(World world, int more)
    {
        var e = world.Ada.Renews(world.Bench.Now);
        e["data"]!["object"]!.AsObject().Remove("status");
        if (more > 0) e["data"]!["object"]!["description"] = new string('x', more);
        return e;
    }

    private static void At(World world, int minutes) => world.Bench.Clock.Now = StripeFixtures.At(StripeFixtures.Created).AddMinutes(minutes);

    private static JsonObject Event(string type, int number)
    {
        var e = StripeFixtures.EventOf(Version, type);
        e["id"] = $"evt_{number}";
        e["created"] = StripeFixtures.Created + number;
        return e;
    }

    // The customer, the subscription and the invoice that the fixtures are about.
    private static IEnumerable<JsonObject> Known(string but) =>
        new[] { "customer.created", "customer.subscription.created", "invoice.created", "charge.failed" }.Where(type => type != but).Select(Event);

    // Somebody of long ago with a plan that changed often, so that a batch cannot hold the ledger; and somebody whose renewal failed.
    private static SandboxStripe Account(DateTimeOffset until)
    {
        var stripe = new SandboxStripe(new SandboxOptions());
        var start = FlowStory.SignUp.AddMonths(-120);
        var basic = new SandboxPrice("price_basic", "Basic", 2000, "usd", "month");
        stripe.CreateCustomer("cus_Old", "old@example.com", "Old", "GB", new SandboxCard("visa", "4242", 8, 2038), start);
        stripe.Subscribe("cus_Old", "sub_Old", basic, 1, start);
        for (var month = 1; month < 119; month++)
        {
            stripe.AdvanceTo(start.AddMonths(month).AddDays(3));
            stripe.ChangePrice("sub_Old", basic, 1 + (month % 2), start.AddMonths(month).AddDays(4));
        }
        stripe.AdvanceTo(FlowStory.SignUp.AddMonths(-2).AddDays(-20));
        stripe.CreateCustomer("cus_Eve", "eve@example.com", "Eve", "GB", new SandboxCard("visa", "4242", 8, 2028), FlowStory.SignUp.AddMonths(-2).AddDays(1));
        stripe.Subscribe("cus_Eve", "sub_Eve", basic, 1, FlowStory.SignUp.AddMonths(-2).AddDays(1));
        stripe.AdvanceTo(FlowStory.SignUp.AddDays(-20));
        stripe.ChangeBehindTheCard("cus_Eve", new SandboxCard("visa", "4242", 8, 2028, "insufficient_funds"), FlowStory.SignUp.AddDays(-20));
        stripe.AdvanceTo(until);
        return stripe;
    }
}
