using System.Text;
using System.Text.Json.Nodes;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;

namespace RetentionFunctions.Tests.Intake.Stripe;

public class StripeEnvelopeTests
{
    [Fact]
    public void The_door_learns_what_it_needs()
    {
        var envelope = StripeEnvelope.Read(StripeFixtures.EventOf("2020-08-27", "invoice.paid").Bytes());
        Assert.Equal(new StripeEnvelope("evt_ada1", "invoice.paid", "2020-08-27", StripeFixtures.At(StripeFixtures.Created), false, "cus_1", "cus_1"), envelope);
    }

    [Theory]
    [InlineData("customer.updated", """{"id":"cus_9"}""", "cus_9")]
    [InlineData("customer.deleted", """{"id":"cus_9","deleted":true}""", "cus_9")]
    [InlineData("customer.subscription.updated", """{"id":"sub_1","customer":"cus_9"}""", "cus_9")]
    [InlineData("customer.subscription.updated", """{"id":"sub_1","customer":{"id":"cus_9","object":"customer"}}""", "cus_9")]
    [InlineData("customer.subscription.updated", """{"id":"sub_1","customer":null,"customer_account":"acct_9"}""", "acct_9")]
    [InlineData("invoice_payment.paid", """{"id":"inpay_1","invoice":"in_1","payment":{"payment_intent":"pi_1"}}""", "in_1")]
    [InlineData("payment_intent.payment_failed", """{"id":"pi_1","customer":null}""", "pi_1")]
    [InlineData("payment_intent.payment_failed", """{"id":"pi_1","invoice":"in_1"}""", "in_1")]
    [InlineData("charge.failed", """{"id":"ch_1","payment_intent":"pi_1"}""", "pi_1")]
    [InlineData("charge.failed", """{"id":"ch_1"}""", "ch_1")]
    [InlineData("charge.dispute.created", """{"id":"dp_1","charge":"ch_1"}""", "ch_1")]
    [InlineData("charge.dispute.created", """{"id":"dp_1","charge":{"id":"ch_1","customer":"cus_9"}}""", "cus_9")]
    [InlineData("charge.dispute.created", """{"id":"dp_1","charge":"ch_1","payment_intent":"pi_1"}""", "pi_1")]
    [InlineData("payment_method.updated", """{"id":"pm_1","customer":null}""", "evt_ada1")]
    [InlineData("product.created", """{"id":"prod_1","customer":5}""", "evt_ada1")]
    public void Events_of_one_customer_or_payment_are_handled_in_order(string type, string about, string session) =>
        Assert.Equal(session, StripeEnvelope.Read(StripeFixtures.Event("2024-06-20", type, JsonNode.Parse(about)!.AsObject()).Bytes()).Session);

    public static TheoryData<string, string> Malformed => new()
    {
        { "", "$ is not JSON" },
        { "hello", "$ is not JSON" },
        { """{"id":"evt_1",""", "$ is not JSON" },
        { """{"id":"evt_1"} {}""", "$ is not JSON" },
        { "[]", "$ is not an object" },
        { "null", "$ is not an object" },
        { "{}", "$.id is missing" },
        { """{"id":5}""", "$.id is a number" },
        { """{"id":"evt_1"}""", "$.type is missing" },
        { """{"id":"evt_1","type":"invoice.paid"}""", "$.data.object is missing" },
        { """{"id":"evt_1","type":"invoice.paid","data":{"object":[]}}""", "$.data.object is missing" },
        { """{"id":"evt_1","type":"invoice.paid","data":{"object":{}},"livemode":false}""", "$.created is missing" },
        { """{"id":"evt_1","type":"invoice.paid","data":{"object":{}},"created":1}""", "$.livemode is missing" },
        { """{"id":"evt_1","type":"invoice.paid","data":{"object":{}},"created":-1,"livemode":false}""", "$.created is not a time" },
        { """{"id":"evt_1\u0000","type":"invoice.paid"}""", "$.id is not an id" },
        { """{"id":"\ud800","type":"invoice.paid"}""", "not valid Unicode" },
        { """{"\ud800":1,"id":"evt_1"}""", "not valid Unicode" },
        { """{"id":"evt_1","object":"v2.core.event","type":"x"}""", "Snapshot" },
        { $$"""{"id":"{{new string('e', 300)}}"}""", "$.id is not an id" },
        { string.Concat(Enumerable.Repeat("""{"a":""", 5000)) + "1" + new string('}', 5000), "nested at most 64" },
    };

    [Theory, MemberData(nameof(Malformed))]
    public void What_is_no_event_is_refused_with_where_and_why(string body, string message) =>
        Assert.Contains(message, Assert.Throws<UnreadableException>(() => StripeEnvelope.Read(Encoding.UTF8.GetBytes(body))).Message);

    [Fact]
    public void Bytes_that_are_no_UTF8_are_refused()
    {
        byte[] body = [.. "{\"id\":\"evt_"u8, 0xff, .. "\",\"type\":\"invoice.paid\"}"u8];
        Assert.Throws<UnreadableException>(() => StripeEnvelope.Read(body));
        Assert.Throws<UnreadableException>(() => StripeEnvelope.Read(new byte[] { 0, 0, 0 }));
    }
}
