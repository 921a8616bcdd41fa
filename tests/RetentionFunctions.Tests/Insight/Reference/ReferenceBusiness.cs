using System.Text.Json.Nodes;

namespace RetentionFunctions.Tests.Insight.Reference;

/// <summary>
/// Random customers of a made-up business, as Stripe tells of them: upgrades and downgrades, more seats, yearly plans, pauses, trials, failed payments that are paid, given up or left, cancellations at once,
/// at the end of the period and undone, returns, two subscriptions, two currencies and one without a smaller unit; many at the border of a month. Events that tell it, and the same in the model's words.
/// </summary>
internal sealed class ReferenceBusiness(int seed, DateTimeOffset now)
{
    private static readonly (string Code, string Kind)[] Declines =
    [
        ("insufficient_funds", "insufficient_funds"), ("insufficient_funds", "insufficient_funds"), ("expired_card", "card_expired"), ("lost_card", "lost_or_fraud"), ("do_not_honor", "declined"),
        ("authentication_required", "authentication_required"), ("processing_error", "bank_not_reached"), ("incorrect_number", "card_not_usable"), ("revocation_of_authorization", "revoked"),
    ];

    private readonly Random random = new(seed);
    private int events;

    public List<JsonObject> Events { get; } = [];

    public List<Said> Said { get; } = [];

    public List<FailedInvoice> Failed { get; } = [];

    public ReferenceBusiness Live(int customers, int days)
    {
        for (var i = 0; i < customers; i++) Customer($"cus_R{seed}x{i:D3}", AtBorder(now.AddDays(-random.Next(20, days)).AddSeconds(random.Next(86_400))));
        return this;
    }

    private void Customer(string customer, DateTimeOffset at)
    {
        Tell("customer.created", at.AddMinutes(-1), new JsonObject { ["id"] = customer, ["object"] = "customer", ["created"] = Seconds(at.AddMinutes(-1)), ["email"] = $"{customer}@example.com", ["livemode"] = false, ["metadata"] = new JsonObject() });
        var currency = One("usd", "usd", "usd", "eur", "eur", "jpy");
        for (var number = 1; number <= 4 && at < now.AddDays(-2); number++)
        {
            var life = new Life(this, customer, $"sub_{customer[4..]}_{number}", currency, at);
            life.Live();
            if (Chance(0.35)) break;
            // Back after the end, or a second one beside the first; now and then in another currency.
            at = life.EndedAt is { } end && Chance(0.6) ? Later(end, 1, 80) : Later(at, 3, 120);
            if (Chance(0.25)) currency = One("usd", "eur");
        }
    }

    private void Tell(string type, DateTimeOffset at, JsonObject about, JsonObject? previous = null)
    {
        var data = new JsonObject { ["object"] = about };
        if (previous is not null) data["previous_attributes"] = previous;
        Events.Add(new JsonObject
        {
            ["id"] = $"evt_R{seed}_{++events:D5}", ["object"] = "event", ["api_version"] = "2025-03-31.basil", ["created"] = Seconds(at), ["livemode"] = false, ["pending_webhooks"] = 1,
            ["request"] = new JsonObject { ["id"] = null, ["idempotency_key"] = null }, ["type"] = type, ["data"] = data,
        });
    }

    private DateTimeOffset Later(DateTimeOffset at, int least, int most)
    {
        var later = at.AddDays(random.Next(least, most)).AddSeconds(random.Next(86_400));
        return AtBorder(later) is var moved && moved > at.AddMinutes(1) ? moved : later;
    }

    private DateTimeOffset AtBorder(DateTimeOffset at)
    {
        var first = new DateTimeOffset(at.Year, at.Month, 1, 0, 0, 0, TimeSpan.Zero);
        return random.Next(12) switch { 0 => first, 1 => first.AddSeconds(-1), _ => new DateTimeOffset(at.Ticks - (at.Ticks % TimeSpan.TicksPerSecond), TimeSpan.Zero) };
    }

    private bool Chance(double share) => random.NextDouble() < share;

    private T One<T>(params T[] of) => of[random.Next(of.Length)];

    private static long Seconds(DateTimeOffset at) => at.ToUnixTimeSeconds();

    // One subscription from its beginning until now.
    private sealed class Life(ReferenceBusiness business, string customer, string id, string currency, DateTimeOffset began)
    {
        private DateTimeOffset anchor;
        private DateTimeOffset? cancelAt, resumesAt, trialEnd;
        private long price;
        private int seats = 1, invoices;
        private bool yearly;
        private string status = "active";
        private string? pause, reason;

        public DateTimeOffset? EndedAt { get; private set; }

        public void Live()
        {
            (anchor, price, yearly) = (began, currency == "jpy" ? 1200 : 4900, business.Chance(0.3));
            if (yearly) price *= 10;
            var at = began;
            if (business.Chance(0.25))
            {
                (status, trialEnd, anchor) = ("trialing", began.AddDays(14), began.AddDays(14));
                Say(at, "customer.subscription.created");
                at = trialEnd.Value;
                if (at >= business.Now) return;
                if (business.Chance(0.25))
                {
                    End(at);
                    return;
                }
                (status, var was) = (business.Chance(0.2) ? "paused" : "active", status);
                Say(at, was: was);
                if (status == "active" && business.Chance(0.4)) Fail(at.AddHours(1), at.AddDays(2), isFirst: true, paid: true);
            }
            else
            {
                Say(at, "customer.subscription.created");
            }
            while (EndedAt is null && (at = business.Later(at, 1, 70)) < business.Now) at = Next(at);
        }

        // Something happens; when it is over.
        private DateTimeOffset Next(DateTimeOffset at)
        {
            if (status is "paused" or "unpaid")
            {
                if (business.Chance(0.5)) return End(at, status == "unpaid" ? "payment_failed" : null);
                (status, var was) = ("active", status);
                return Say(at, was: was);
            }
            switch (business.random.Next(10))
            {
                case 0 or 1:
                    (seats, price) = business.Chance(0.5) ? (business.One(1, 2, 5), price) : (seats, business.One(price, price * 2, price / 2, 999));
                    return Say(at);
                case 2:
                    (yearly, anchor) = (!yearly, at);
                    return Say(at);
                case 3 or 4:
                    (pause, resumesAt) = (business.One("void", "keep_as_draft", "mark_uncollectible"), business.Chance(0.5) ? at.AddDays(business.random.Next(5, 80)) : null);
                    Say(at);
                    if (resumesAt is null && business.Chance(0.3)) return business.Later(at, 1, 40) is var gone && gone < business.Now ? End(gone, "cancellation_requested") : gone;
                    at = resumesAt ?? business.Later(at, 1, 60);
                    if (at >= business.Now) return at;
                    (pause, resumesAt) = (null, null);
                    return Say(at);
                case 5 or 6 or 7:
                    return PaymentFails(at);
                case 8:
                    var end = PaidUntil(at);
                    (cancelAt, reason) = (end, "cancellation_requested");
                    Say(at);
                    if (business.Chance(0.4) && at.AddHours(5) < end)
                    {
                        (cancelAt, reason) = (null, null);
                        return at.AddHours(5) < business.Now ? Say(at.AddHours(5)) : business.Now;
                    }
                    // Heard of late, now and then.
                    return end >= business.Now ? end : End(end, "cancellation_requested", heard: business.Chance(0.4) && end.AddDays(9) < business.Now ? end.AddDays(9) : end);
                default:
                    return End(at, "cancellation_requested");
            }
        }

        private DateTimeOffset PaymentFails(DateTimeOffset at)
        {
            status = "past_due";
            Say(at, was: "active");
            var settled = business.Later(at, 1, 45);
            var fate = business.random.Next(4);
            Fail(at, settled, isFirst: false, paid: fate < 2, givenUp: fate == 3 && business.Chance(0.5));
            if (settled >= business.Now) return settled;
            if (fate == 3) return End(settled, business.One<string?>("payment_failed", "cancellation_requested", null));
            status = fate < 2 ? "active" : "unpaid";
            return Say(settled, was: "past_due");
        }

        private DateTimeOffset End(DateTimeOffset at, string? why = null, DateTimeOffset? heard = null)
        {
            (status, EndedAt, reason) = ("canceled", at, why);
            return Say(heard ?? at, "customer.subscription.deleted", whole: at);
        }

        private void Fail(DateTimeOffset at, DateTimeOffset settled, bool isFirst, bool paid, bool givenUp = false)
        {
            var invoice = $"in_{id[4..]}_{++invoices}";
            var due = business.random.Next(500, 9000) + invoices;
            var (code, kind) = business.One(Declines);
            var isCode = code is "expired_card" or "authentication_required" or "processing_error";
            business.Tell("charge.failed", at, new JsonObject
            {
                ["id"] = $"ch_{invoice}", ["object"] = "charge", ["customer"] = customer, ["amount"] = due, ["currency"] = currency, ["created"] = Seconds(at), ["livemode"] = false, ["status"] = "failed", ["paid"] = false,
                ["failure_code"] = isCode ? code : "card_declined", ["failure_message"] = "Declined.", ["outcome"] = new JsonObject { ["reason"] = code, ["type"] = "issuer_declined" }, ["payment_intent"] = $"pi_{invoice}",
                ["payment_method_details"] = new JsonObject { ["type"] = "card", ["card"] = new JsonObject { ["brand"] = "visa", ["last4"] = "4242", ["exp_month"] = 8, ["exp_year"] = 2030 } },
            });
            business.Tell("invoice.payment_failed", at, Invoice("open", at));
            var over = settled < business.Now;
            if (over && paid) business.Tell("invoice.paid", settled, Invoice("paid", settled));
            if (over && givenUp) business.Tell("invoice.voided", settled, Invoice("void", settled));
            business.Failed.Add(new FailedInvoice(currency, due, at, kind) { IsFirst = isFirst, PaidAt = over && paid ? settled : null, IsGivenUp = over && givenUp });

            JsonObject Invoice(string status, DateTimeOffset when) => new()
            {
                ["id"] = invoice, ["object"] = "invoice", ["customer"] = customer, ["status"] = status, ["billing_reason"] = "subscription_cycle", ["collection_method"] = "charge_automatically", ["currency"] = currency, ["number"] = invoice,
                ["amount_due"] = due, ["amount_paid"] = status == "paid" ? due : 0, ["amount_remaining"] = status == "paid" ? 0 : due, ["attempt_count"] = 1, ["created"] = Seconds(at), ["livemode"] = false, ["next_payment_attempt"] = null,
                ["status_transitions"] = new JsonObject { ["paid_at"] = status == "paid" ? Seconds(when) : null, ["voided_at"] = status == "void" ? Seconds(when) : null },
                ["parent"] = new JsonObject { ["type"] = "subscription_details", ["subscription_details"] = new JsonObject { ["subscription"] = id, ["metadata"] = new JsonObject() } },
            };
        }

        private DateTimeOffset PaidUntil(DateTimeOffset at)
        {
            var months = 0;
            while (anchor.AddMonths(months) <= at) months += yearly ? 12 : 1;
            return anchor.AddMonths(months);
        }

        private DateTimeOffset Say(DateTimeOffset at, string type = "customer.subscription.updated", string? was = null, DateTimeOffset? whole = null)
        {
            var until = PaidUntil(whole ?? at);
            var subscription = new JsonObject
            {
                ["id"] = id, ["object"] = "subscription", ["customer"] = customer, ["status"] = status, ["currency"] = currency, ["created"] = Seconds(began), ["start_date"] = Seconds(began), ["livemode"] = false, ["metadata"] = new JsonObject(),
                ["cancel_at"] = Time(cancelAt), ["canceled_at"] = null, ["ended_at"] = Time(EndedAt), ["trial_end"] = Time(trialEnd), ["cancellation_details"] = new JsonObject { ["reason"] = reason },
                ["pause_collection"] = pause is null ? null : new JsonObject { ["behavior"] = pause, ["resumes_at"] = Time(resumesAt) },
                ["items"] = new JsonObject
                {
                    ["object"] = "list", ["data"] = new JsonArray(new JsonObject
                    {
                        ["id"] = $"si_{id[4..]}", ["object"] = "subscription_item", ["quantity"] = seats, ["current_period_start"] = Seconds(at), ["current_period_end"] = Seconds(until),
                        ["price"] = new JsonObject
                        {
                            ["id"] = $"price_{price}", ["object"] = "price", ["nickname"] = "Pro", ["currency"] = currency, ["unit_amount"] = price, ["unit_amount_decimal"] = $"{price}", ["billing_scheme"] = "per_unit", ["type"] = "recurring",
                            ["recurring"] = new JsonObject { ["interval"] = yearly ? "year" : "month", ["interval_count"] = 1, ["usage_type"] = "licensed" },
                        },
                    }),
                },
            };
            business.Tell(type, at, subscription, was is null ? type.EndsWith("updated", StringComparison.Ordinal) ? new JsonObject { ["items"] = new JsonObject() } : null : new JsonObject { ["status"] = was });
            var mrr = (long)Math.Round(price * seats / (yearly ? 12m : 1m), MidpointRounding.AwayFromZero);
            business.Said.Add(new Said(customer, id, at, status, mrr, currency, yearly, until) { Pause = pause, ResumesAt = resumesAt, EndedAt = EndedAt, Reason = reason });
            return at;
        }

        private static JsonNode? Time(DateTimeOffset? at) => at is { } known ? Seconds(known) : null;
    }

    private DateTimeOffset Now => now;
}
