using System.Text;
using FsCheck;
using FsCheck.Fluent;
using RetentionFunctions.Customers;
using RetentionFunctions.Import;
using RetentionFunctions.Settings;
using RetentionFunctions.Tests.Support;

namespace RetentionFunctions.Tests.Import;

/// <summary>What a file says, and what is said of a file that is wrong.</summary>
public sealed class ImportReaderTests
{
    private const string StripeSubscriptions = "id,Customer ID,Customer Description,Customer Email,Plan,Product,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start (UTC),Start Date (UTC),Current Period Start (UTC),Current Period End (UTC),Trial Start (UTC),Trial End (UTC),Application Fee Percent,Coupon,Tax Percent,Canceled At (UTC),Ended At (UTC),Cancel At Period End,Cancellation Reason,Customer Name,userId (metadata)\n";

    private static readonly DateTimeOffset Now = new(2026, 4, 15, 12, 0, 0, TimeSpan.Zero);

    private static readonly CustomerSettings Settings = new();

    [Fact]
    public void The_example_of_the_documentation_gives_the_ledger_that_it_says()
    {
        var read = ImportReader.Read(File.ReadAllBytes(Path.Combine(Repository.Root, "docs", "import-example.csv")), Settings, Now);
        Assert.Empty(read.Problems);
        Assert.Equal((ImportLayout.Own, 5, 4, 3), (read.Layout, read.Rows, read.Customers.Count, read.Subscriptions));
        Assert.Equal(new Dictionary<string, long> { ["eur"] = 4000, ["usd"] = 14700 }, read.Mrr);
        Assert.Equal(["2026-01-01 New 4900 → 4900", "2026-03-01 Expansion 9800 → 14700"], Ledger(read, "ctm_ada"));
        Assert.Equal(["2026-01-24 New 4900 → 4900", "2026-03-24 Churned -4900 → 0"], Ledger(read, "ctm_bob"));
        Assert.Equal(["2026-02-15 New 4000 → 4000"], Ledger(read, "ctm_cleo"));
        var (ada, bob, dora) = (Of(read, "ctm_ada"), Of(read, "ctm_bob"), Of(read, "ctm_dora"));
        Assert.Equal(("Ada Lovelace", "ada@example.com", "GB", "user-1"), (ada.Profile.Name, ada.Profile.Email, ada.Profile.Country, ada.Profile.UserId));
        Assert.Equal(("too_expensive", "cancellation_requested"), (bob.Snapshots[^1].CancellationFeedback, bob.Snapshots[^1].CancellationReason));
        Assert.Empty(dora.Snapshots);
        // The documentation shows the very file, and what it becomes.
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "import.md"));
        Assert.All(File.ReadAllLines(Path.Combine(Repository.Root, "docs", "import-example.csv")), line => Assert.Contains(line, text));
        foreach (var customer in new[] { "ctm_ada", "ctm_bob", "ctm_cleo" }) Assert.Contains($"| {customer} | {string.Join("; ", Ledger(read, customer))} |", text);
    }

    [Fact]
    public void Stripes_export_of_subscriptions_gives_each_its_life_as_far_as_it_tells()
    {
        var read = Read(StripeSubscriptions
            + "sub_1,cus_1,,ada@example.com,Basic,prod_1,2,usd,month,19.00,active,2026-01-05 10:00,2026-01-05 10:00,2026-01-05 10:00,2026-04-05 10:00,2026-05-05 10:00,,,,,,,,false,,Ada,\n"
            + "sub_2,cus_2,,bob@example.com,Basic,prod_1,1,eur,year,\"1,200.00\",canceled,2026-01-05 10:00,,,,,2026-01-05 10:00,2026-01-19 10:00,,,,2026-03-01 09:00,2026-03-05 10:00,true,payment_failed,Bob,\n"
            + "sub_3,cus_1,,ada@example.com,Basic,prod_1,1,usd,month,19.00,past_due,2026-01-05 10:00,,,2026-04-05 10:00,2026-05-05 10:00,,,,,,,,false,,Ada,user-9\n"
            + "sub_4,cus_3,,eve@example.com,Basic,prod_1,1,usd,month,19.00,trialing,2026-04-10 10:00,,,,,2026-04-10 10:00,2026-04-24 10:00,,,,,,false,,Eve,\n"
            + "sub_5,cus_4,,many@example.com,,,,usd,,,active,2026-02-05 10:00,,,,,,,,,,,,false,,Many,\n");
        Assert.Empty(read.Problems);
        Assert.Equal((ImportLayout.StripeSubscriptions, 4, 5, 1), (read.Layout, read.Customers.Count, read.Subscriptions, read.Unpriced));
        Assert.Equal(["2026-01-05 New 5700 → 5700"], Ledger(read, "cus_1"));
        Assert.Equal(["2026-01-19 New 10000 → 10000", "2026-03-05 Churned -10000 → 0 involuntary"], Ledger(read, "cus_2"));
        Assert.Empty(Ledger(read, "cus_3"));
        Assert.Equal(new Dictionary<string, long> { ["usd"] = 5700 }, read.Mrr);
        Assert.Equal(new[] { "active", "past_due" }, Of(read, "cus_1").Snapshots.Where(s => s.SubscriptionId == "sub_3").Select(s => s.Status));
        Assert.Equal("user-9", Of(read, "cus_1").Profile.UserId);
        Assert.All(read.Customers.SelectMany(c => c.Snapshots), s => Assert.True(s is { WorkedOut: true, Imported: true }));
        Assert.NotEmpty(Of(read, "cus_4").Snapshots[0].Unpriced);
        Assert.Contains("Coupon", read.Ignored);
    }

    [Fact]
    public void Stripes_export_of_customers_gives_who_they_are()
    {
        var read = Read("id,Description,Email,Name,Created (UTC),Delinquent,Plan,Status,Total Spend,Payment Count,Refunded Volume,Dispute Losses,user_id (metadata)\n"
            + "cus_1,a note,ada@example.com,\"Lovelace, Ada\",2025-11-02 08:15,false,price_1,active,190.00,10,0.00,0.00,user-1\ncus_2,,,,2025-11-03 08:15,,,,0.00,0,0.00,0.00,\n");
        Assert.Empty(read.Problems);
        Assert.Equal((ImportLayout.StripeCustomers, 2, 0), (read.Layout, read.Customers.Count, read.Subscriptions));
        var ada = Of(read, "cus_1").Profile;
        Assert.Equal(("Lovelace, Ada", "ada@example.com", "user-1", new DateTimeOffset(2025, 11, 2, 8, 15, 0, TimeSpan.Zero)), (ada.Name, ada.Email, ada.UserId, ada.CreatedAt));
    }

    [Theory]
    [InlineData(',', "\n", false)]
    [InlineData(';', "\r\n", true)]
    [InlineData('\t', "\n", true)]
    [InlineData('\t', "\r\n", false)]
    public void Commas_semicolons_and_tabs_and_any_order_and_case_of_columns_say_the_same(char separator, string newLine, bool mark)
    {
        var text = string.Join(newLine, "AMOUNT,Started,Customer Id,currency,Interval,nobody knows,Customer-Since,Name", "12.50,2026-01-01,c 1,USD,monthly,x,2025-12-01,Zoë", ",,,,,,,", "1250,2026-01-01T10:00:00+02:00,c2,jpy,3 months,,,=1+1").Replace(',', separator);
        var read = ImportReader.Read((byte[])[.. mark ? Encoding.UTF8.GetPreamble() : [], .. Encoding.UTF8.GetBytes(text)], Settings, Now);
        Assert.Empty(read.Problems);
        Assert.Equal(new Dictionary<string, long> { ["usd"] = 1250, ["jpy"] = 417 }, read.Mrr);
        Assert.Equal(["nobody knows"], read.Ignored);
        Assert.Equal("Zoë", Of(read, "c 1").Profile.Name);
        // What a spreadsheet would run is a name here.
        Assert.Equal("=1+1", Of(read, "c2").Profile.Name);
        Assert.Equal(new DateTimeOffset(2026, 1, 1, 8, 0, 0, TimeSpan.Zero), Of(read, "c2").Snapshots[0].Stamp.At);
    }

    /// <summary>One row, written wrong in one way, and the sentence that says so.</summary>
    public static TheoryData<string, string> Wrongs => new()
    {
        { "c1,s1,active,\"12,5O\",usd,month,1,2026-01-01,,,", "row 2, column amount: '12,5O' is no amount; write 12.50, or 1250.00 without a currency sign" },
        { "c1,s1,active,\"1,250\",usd,month,1,2026-01-01,,,", "row 2, column amount: '1,250' is no amount" },
        { "c1,s1,active,-5,usd,month,1,2026-01-01,,,", "row 2, column amount: '-5' is no amount" },
        { "c1,s1,active,$5,usd,month,1,2026-01-01,,,", "row 2, column amount: '$5' is no amount" },
        { "c1,s1,active,,usd,month,1,2026-01-01,,,", "row 2, column amount: is empty" },
        { "c1,s1,active,5,dollars,month,1,2026-01-01,,,", "row 2, column currency: 'dollars' is no currency" },
        { "c1,s1,active,5,usd,fortnight,1,2026-01-01,,,", "row 2, column interval: 'fortnight' is no interval" },
        { "c1,s1,active,5,usd,month,1.5,2026-01-01,,,", "row 2, column quantity: '1.5' is no whole number" },
        { "c1,s1,active,5,usd,month,1,01/02/2026,,,", "row 2, column started: '01/02/2026' is no date; write 2026-04-03" },
        { "c1,s1,active,5,usd,month,1,2027-01-01,,,", "row 2, column started: '2027-01-01' lies in the future" },
        { "c1,s1,active,5,usd,month,1,,,,", "row 2, column started: is empty" },
        { "c1,s1,happy,5,usd,month,1,2026-01-01,,,", "row 2, column status: 'happy' is no status" },
        { "c1,s1,canceled,5,usd,month,1,2026-01-01,,,", "row 2, column ended: is empty, and the subscription is over: when did it end?" },
        { "c1,s1,canceled,5,usd,month,1,2026-02-01,,2026-01-01,", "row 2, column ended: is before the subscription began" },
        { "c1,s1,active,5,usd,month,1,2026-01-01,,,nobody", "row 2, column email: 'nobody' is no e-mail address" },
        { ",s1,active,5,usd,month,1,2026-01-01,,,", "row 2, column customer_id: is empty" },
        { "user:7,s1,active,5,usd,month,1,2026-01-01,,,", "row 2, column customer_id: 'user:7' is an id that is kept for users of the app" },
        { "c1,s1,active,5,usd,month,1,2026-01-01,,,,,too many", "row 2: has more cells than the header" },
        { "c1,s1,active,5,usd,month,1,2026-01-01,,,a@example.com\nc2,s1,active,5,usd,month,1,2026-01-01,,,", "row 3, column subscription_id: 's1' is the subscription of another customer in row 2" },
        { "c1,s1,active,5,usd,month,1,2026-01-01,,,\nc1,s1,active,6,usd,month,1,2026-01-01,,,", "row 3: the subscription 's1' begins at the same time in row 2" },
        { "c1,s1,canceled,5,usd,month,1,2026-01-01,,2026-02-01,\nc1,s1,active,6,usd,month,1,2026-03-01,,,", "row 2: the subscription 's1' ends here and goes on in row 3" },
        { "c1,s1,active,999999999999,usd,month,1000000,2026-01-01,,,", "row 2, column amount: is with its quantity more than can be money" },
        { "c1,s1,active,999999999999,usd,month,50000,2026-01-01,,,", "row 2, column amount: is with its quantity more than can be money" },
        { "c1,s1,active,5,usd,month,1,2026-01-01,,,a@b\"c", "row 2: a quote stands inside of a cell" },
    };

    [Theory, MemberData(nameof(Wrongs))]
    public void What_is_wrong_is_said_with_its_row_and_column_and_what_to_write(string rows, string said)
    {
        var read = Read("customer_id,subscription_id,status,amount,currency,interval,quantity,started,from,ended,email\n" + rows);
        Assert.Contains(read.Problems, p => p.ToString().StartsWith(said, StringComparison.Ordinal));
        Assert.False(read.IsSound);
    }

    [Fact]
    public void A_period_of_more_intervals_than_any_has_is_a_mistake_and_not_another_number()
    {
        const string Header = "customer_id,amount,currency,interval,interval_count,started\n";
        Assert.Equal(500, Read(Header + "c1,60.00,usd,3 months,4,2026-01-01\n").Mrr["usd"]);
        Assert.Equal("row 2, column interval_count: makes a period of 3000000000 times the interval; 3000 are the most", Said(Encoding.UTF8.GetBytes(Header + "c1,60.00,usd,1000 quarter,1000000,2026-01-01\n")));
    }

    [Fact]
    public void All_mistakes_are_told_at_once_up_to_a_hundred_and_then_counted()
    {
        var read = Read("customer_id,amount,currency,interval,started\n" + string.Concat(Enumerable.Range(0, 150).Select(n => $"c{n},x,usd,y,2026-01-01\n")));
        Assert.Equal((300, 100, 2, 51), (read.ProblemCount, read.Problems.Count, read.Problems[0].Row, read.Problems[^1].Row));
    }

    [Fact]
    public void A_file_that_is_no_such_file_is_refused_with_a_clear_sentence()
    {
        Assert.Contains("UTF-16", Said(Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes("customer_id,name\nc1,Zoë")).ToArray()));
        Assert.Contains("UTF-16", Said(Encoding.Unicode.GetBytes("customer_id,name\nc1,Zoë")));
        Assert.Contains("line 3 has characters in another encoding", Said(Encoding.Latin1.GetBytes("customer_id,name\nc1,Ada\nc2,Zoë")));
        Assert.Contains("workbook", Said([(byte)'P', (byte)'K', 3, 4, 20]));
        Assert.Contains("is empty", Said([]));
        Assert.Contains("is empty", Said([0xEF, 0xBB, 0xBF, (byte)'\n']));
        Assert.Contains("no row below", Said("customer_id,name\n"u8.ToArray()));
        Assert.Contains("the header is none that is known", Said("name,address\nAda,London"u8.ToArray()));
        Assert.Contains("'Amount' is missing", Said("id,Customer ID,Status,Currency,Interval,Created (UTC)\nsub_1,cus_1,active,usd,month,2026-01-01"u8.ToArray()));
        Assert.Contains("stands there twice", Said("customer_id,name,Name\nc1,Ada,Ada"u8.ToArray()));
        Assert.Contains("larger than 20 MB", Said(new byte[ImportFile.MaxBytes + 1]));
        Assert.Contains("more than 200000 rows", Said(Encoding.UTF8.GetBytes("customer_id\n" + string.Concat(Enumerable.Repeat("c\n", ImportFile.MaxRows + 1)))));
        Assert.Contains("a quote is opened", Said(Encoding.UTF8.GetBytes("customer_id,name\nc1,\"Ada\n" + new string('x', 600_000))));
        Assert.Contains("more subscriptions than one customer can have", Said(Encoding.UTF8.GetBytes("customer_id,subscription_id,amount,currency,interval,started\n" + string.Concat(Enumerable.Range(0, 400).Select(n => $"c1,s{n},5,usd,month,2026-01-01\n")))));
    }

    [Fact]
    public void A_file_counts_up_to_the_first_that_Stripe_told_and_not_at_all_beside_what_its_invoices_told()
    {
        SubscriptionSnapshot Imported(double day) => Snapshots.Of($"import:{day}", day) with { WorkedOut = true, Imported = true };
        SubscriptionSnapshot WorkedOut(double day) => Snapshots.Of($"past:{day}", day) with { WorkedOut = true };
        Assert.Equal(["import:0", "evt"], Order(Imported(0), Snapshots.Of("evt", 10), Imported(10), Imported(20)));
        Assert.Equal(["past:0", "past:30"], Order(Imported(0), WorkedOut(0), Imported(15), WorkedOut(30), Imported(40)));
        Assert.Equal(["import:0", "past:5", "evt"], Order(Imported(20), Snapshots.Of("evt", 30), WorkedOut(40), Imported(0), WorkedOut(5)));
        Assert.Equal(["import:0", "import:20"], Order(Imported(20), Imported(0)));

        static string[] Order(params SubscriptionSnapshot[] snapshots) => [.. SnapshotOrder.Of(snapshots).Select(s => s.Stamp.EventId)];
    }

    [Fact]
    public void Whatever_bytes_come_there_is_an_answer_and_the_same_one_again()
    {
        var cell = Gen.Elements("", "c1", "s1", "12.50", "1,5", "usd", "month", "2026-01-01", "2026-13-01", "\"", "a\"b", "=1+1", "\0", "é", "active", "canceled", "\u202e", "99999999999999999999", "-1");
        var file = from rows in cell.ListOf(9).Select(cells => string.Join(",", cells)).ListOf()
                   from header in Gen.Elements("customer_id,subscription_id,amount,currency,interval,started,from,status,ended", StripeSubscriptions.TrimEnd(), "id,Email,Name", "")
                   select Encoding.UTF8.GetBytes(header + "\n" + string.Join("\n", rows));
        Prop.ForAll(file.ToArbitrary(), bytes =>
        {
            var (first, second) = (ImportReader.Read(bytes, Settings, Now), ImportReader.Read(bytes, Settings, Now));
            return first.Problems.SequenceEqual(second.Problems) && first.Customers.Count == second.Customers.Count && (first.IsSound || first.Problems.Count > 0) && first.Problems.All(p => p.Row is null or >= 1);
        }).QuickCheckThrowOnFailure();
    }

    private static ImportReading Read(string text) => ImportReader.Read(Encoding.UTF8.GetBytes(text), Settings, Now);

    private static string Said(byte[] file) => string.Join("; ", ImportReader.Read(file, Settings, Now).Problems);

    private static ImportedCustomer Of(ImportReading read, string customer) => read.Customers.Single(c => c.Id == customer);

    private static List<string> Ledger(ImportReading read, string customer) =>
        [.. CustomerDerivation.Derive(new Customer { Id = customer }, Of(read, customer).Snapshots, Settings, Now).Ledger.Select(m => $"{m.At:yyyy-MM-dd} {m.Kind} {m.Amount} → {m.MrrAfter}{(m.Involuntary ? " involuntary" : "")}")];
}
