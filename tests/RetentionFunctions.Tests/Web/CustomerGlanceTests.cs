using System.Text.Json.Serialization;
using RetentionFunctions.Customers;
using RetentionFunctions.Flows;
using RetentionFunctions.Health;
using RetentionFunctions.Storage;
using RetentionFunctions.Web;

namespace RetentionFunctions.Tests.Web;

/// <summary>Lists and counts read a part of each row. A part that is called otherwise in the row would be missing without a word.</summary>
public class CustomerGlanceTests
{
    [Theory]
    [InlineData(typeof(CustomerGlance), typeof(Customer))]
    [InlineData(typeof(GlanceProfile), typeof(StripeProfile))]
    [InlineData(typeof(GlanceApp), typeof(AppTraits))]
    [InlineData(typeof(GlanceHealth), typeof(HealthState))]
    [InlineData(typeof(GlanceSubscription), typeof(Subscription))]
    [InlineData(typeof(GlanceSnapshot), typeof(SubscriptionSnapshot))]
    [InlineData(typeof(RunGlance), typeof(Run))]
    [InlineData(typeof(RunStanding), typeof(Run))]
    public void Whatever_is_read_of_a_row_is_called_as_the_row_calls_it(Type part, Type whole)
    {
        var stored = part.GetProperties().Where(p => !p.IsDefined(typeof(JsonIgnoreAttribute), inherit: false)).Select(p => p.Name).ToList();
        Assert.NotEmpty(stored);
        Assert.Empty(stored.Except(whole.GetProperties().Where(p => p.GetCustomAttributes(typeof(JsonIgnoreAttribute), inherit: false).OfType<JsonIgnoreAttribute>().All(i => i.Condition != JsonIgnoreCondition.Always)).Select(p => p.Name)));
    }

    public static TheoryData<Customer> Customers() =>
    [
        SampleRows.Customer("cus_a", name: "Ada", score: 20),
        SampleRows.Customer("cus_b", email: " ", status: CustomerStatus.PastDue, currency: "eur") with { BillingEmail = "b@example.com", FailingInvoices = ["in_1"] },
        SampleRows.Customer("cus_c", mrr: 0, status: CustomerStatus.Canceled) with { App = new AppTraits(HostedPipeline.Now, "m1", "From the app", null) },
        SampleRows.Customer("cus_d") with { Mrr = new Dictionary<string, long> { ["usd"] = 100, ["eur"] = 200 } },
    ];

    [Theory]
    [MemberData(nameof(Customers))]
    public void A_row_read_in_part_says_what_the_whole_customer_says(Customer customer)
    {
        var glance = new Row(Keys.Customer(customer.Id), TablesExtensions.Write(customer), "1").Read<CustomerGlance>();
        var said = CustomerGlance.Of(customer);
        foreach (var one in new[] { glance, said })
        {
            Assert.Equal((customer.Id, customer.Name, customer.Email, customer.Status, customer.IsCurrent), (one.Id, one.Name, one.Email, one.Status, one.IsCurrent));
            Assert.Equal((customer.Health?.Score, customer.Health?.Tier), (one.Health?.Score, one.Health?.Tier));
            Assert.Equal(customer.Mrr, one.Mrr);
            Assert.Equal(customer.FailingInvoices, one.FailingInvoices);
        }
        Assert.Equal((said.Largest, said.MrrAtRisk, said.Called), (glance.Largest, glance.MrrAtRisk, glance.Called));
    }
}
