namespace RetentionFunctions.Local.Sandbox;

/// <summary>
/// One simulated Stripe account, kept as state: no clock, no input or output. Every call that changes something returns the events that Stripe would send to an
/// endpoint that takes the types which mean something here, in Stripe's order. What fell due for the customer before the call comes first. Times of a
/// customer only rise; an earlier one counts as the latest. Not for several threads at once.
/// </summary>
public sealed class SandboxStripe
{
    private readonly SandboxOptions options;
    private readonly Dictionary<string, SandboxAccount> accounts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> dueOf = new(StringComparer.Ordinal);
    // Of the last thirty days of the account's own time.
    private readonly Queue<SandboxEvent> told = new();
    private readonly SortedSet<(DateTimeOffset At, string CustomerId)> due = new(Comparer<(DateTimeOffset At, string CustomerId)>.Create(
        (a, b) => a.At.CompareTo(b.At) is var time and not 0 ? time : string.CompareOrdinal(a.CustomerId, b.CustomerId)));

    /// <summary>An empty account.</summary>
    /// <exception cref="ArgumentException">The version is older than 2020-08-27, or the days of the tries do not rise.</exception>
    public SandboxStripe(SandboxOptions options)
    {
        if (string.CompareOrdinal(options.ApiVersion, "2020-08-27") < 0) throw new ArgumentException($"The sandbox speaks Stripe's versions from 2020-08-27 on, not {options.ApiVersion}.", nameof(options));
        if (options.RetryDays.Any(day => day < 1) || options.RetryDays.Zip(options.RetryDays.Skip(1)).Any(pair => pair.First >= pair.Second))
            throw new ArgumentException("The days on which a payment is tried again rise, from 1 on.", nameof(options));
        this.options = options;
    }

    /// <summary>The account as it stood when its customers were stored.</summary>
    public SandboxStripe(SandboxOptions options, IEnumerable<SandboxAccountState> customers) : this(options)
    {
        foreach (var state in customers) Keep(new SandboxAccount(options, state));
    }

    /// <summary>How its account is set up.</summary>
    internal SandboxOptions Options => options;

    /// <summary>What it told in the last thirty days, in its order; of customers that were stored only since they were read.</summary>
    internal IEnumerable<SandboxEvent> Told => told;

    /// <summary>A customer, or null.</summary>
    public SandboxCustomer? Customer(string id) => accounts.GetValueOrDefault(id)?.Customer;

    /// <summary>A subscription, or null.</summary>
    public SandboxSubscription? Subscription(string id) => accounts.Values.Select(account => account.Subscription(id)).FirstOrDefault(found => found is not null);

    /// <summary>An invoice, or null.</summary>
    public SandboxInvoice? Invoice(string id) => accounts.Values.Select(account => account.Invoice(id)).FirstOrDefault(found => found is not null);

    /// <summary>All of one customer, to be stored; null where there is none.</summary>
    public SandboxAccountState? State(string customerId) => accounts.GetValueOrDefault(customerId)?.State();

    /// <summary>All customers, in order of their ids.</summary>
    public IEnumerable<SandboxAccountState> States() => accounts.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => a.Value.State());

    /// <summary>Someone becomes a customer and gives a card; without one only a trial can begin, which stands still at its end.</summary>
    /// <exception cref="SandboxRefusedException">There is one with this id.</exception>
    public IReadOnlyList<SandboxEvent> CreateCustomer(
        string id, string email, string name, string? country, SandboxCard? card, DateTimeOffset at, IReadOnlyDictionary<string, string>? metadata = null)
    {
        if (accounts.ContainsKey(id)) throw new SandboxRefusedException($"There is a customer {id} already.");
        var account = new SandboxAccount(options, new SandboxCustomer
        {
            Id = id, Email = email, Name = name, Country = country, Card = card, CreatedAt = DateTimeOffset.FromUnixTimeSeconds(at.ToUnixTimeSeconds()),
            Metadata = metadata ?? new Dictionary<string, string>(),
        });
        Keep(account);
        return Tell(account);
    }

    /// <summary>Begins a subscription and charges its first invoice; with a trial, at the trial's end.</summary>
    /// <param name="clientReferenceId">The app's id of the customer: then it came through Stripe Checkout, which says so when it is through.</param>
    public IReadOnlyList<SandboxEvent> Subscribe(
        string customerId, string subscriptionId, SandboxPrice price, int quantity, DateTimeOffset at, int trialDays = 0, string? clientReferenceId = null)
    {
        if (Subscription(subscriptionId) is not null) throw new SandboxRefusedException($"There is a subscription {subscriptionId} already.");
        return Do(accounts.GetValueOrDefault(customerId), customerId, at, account => account.Subscribe(subscriptionId, price, quantity, trialDays, clientReferenceId));
    }

    /// <summary>Another price or quantity. Within the interval the difference is settled with the next invoice; another interval is billed at once.</summary>
    public IReadOnlyList<SandboxEvent> ChangePrice(string subscriptionId, SandboxPrice price, int quantity, DateTimeOffset at) =>
        OfSubscription(subscriptionId, at, account => account.ChangePrice(subscriptionId, price, quantity));

    /// <summary>The customer asks to leave: it ends with the period.</summary>
    public IReadOnlyList<SandboxEvent> CancelAtPeriodEnd(string subscriptionId, string? feedback, string? comment, DateTimeOffset at) =>
        OfSubscription(subscriptionId, at, account => account.CancelAtPeriodEnd(subscriptionId, feedback, comment));

    /// <summary>The customer stays after all; nothing where no end was asked for.</summary>
    public IReadOnlyList<SandboxEvent> UndoCancel(string subscriptionId, DateTimeOffset at) => OfSubscription(subscriptionId, at, account => account.UndoCancel(subscriptionId));

    /// <summary>It ends now.</summary>
    public IReadOnlyList<SandboxEvent> CancelNow(string subscriptionId, string? feedback, DateTimeOffset at, string? comment = null) =>
        OfSubscription(subscriptionId, at, account => account.CancelNow(subscriptionId, feedback, comment));

    /// <summary>Pauses collection (behavior <c>void</c>): invoices until then are made and voided.</summary>
    public IReadOnlyList<SandboxEvent> Pause(string subscriptionId, DateTimeOffset resumesAt, DateTimeOffset at) => OfSubscription(subscriptionId, at, account => account.Pause(subscriptionId, resumesAt));

    /// <summary>What the next invoice of a subscription will be over, as things stand, in minor units; null where none comes.</summary>
    public long? NextAmount(string customerId, string subscriptionId) => accounts.GetValueOrDefault(customerId)?.NextAmount(subscriptionId);

    /// <summary>Ends a pause; nothing where there is none. A subscription whose trial ended without a card begins a period, and runs again when that is paid.</summary>
    public IReadOnlyList<SandboxEvent> Resume(string subscriptionId, DateTimeOffset at) => OfSubscription(subscriptionId, at, account => account.Resume(subscriptionId));

    /// <summary>Puts a coupon on it, in the place of another.</summary>
    public IReadOnlyList<SandboxEvent> ApplyCoupon(string subscriptionId, SandboxCoupon coupon, DateTimeOffset at) => OfSubscription(subscriptionId, at, account => account.ApplyCoupon(subscriptionId, coupon));

    /// <summary>Takes the coupon off; nothing where there is none.</summary>
    public IReadOnlyList<SandboxEvent> RemoveCoupon(string subscriptionId, DateTimeOffset at) => OfSubscription(subscriptionId, at, account => account.RemoveCoupon(subscriptionId));

    /// <summary>Another card, whose failures are counted anew. A payment that failed is tried with it when its next try is due, or when it is paid by <see cref="Pay"/>.</summary>
    /// <param name="automatically">The card network renewed the card on file; else the customer put in another.</param>
    public IReadOnlyList<SandboxEvent> SetCard(string customerId, SandboxCard card, DateTimeOffset at, bool automatically = false) =>
        Do(accounts.GetValueOrDefault(customerId), customerId, at, account => account.SetCard(card, automatically));

    /// <summary>The bank begins to refuse the card, or behaves in some other way from now on: nobody is told, it shows at the next charge.</summary>
    public void ChangeBehindTheCard(string customerId, SandboxCard card, DateTimeOffset at) =>
        Do(accounts.GetValueOrDefault(customerId), customerId, at, account => account.SetCard(card, automatically: false), tell: false);

    /// <summary>The customer pays an open invoice on its page, confirming or with another card for once: it always goes through.</summary>
    public IReadOnlyList<SandboxEvent> Pay(string invoiceId, DateTimeOffset at) => OfInvoice(invoiceId, at, account => account.Pay(invoiceId));

    /// <summary>The customer tries to pay an open invoice on its page with a card that is refused for its <see cref="SandboxCard.DeclineCode"/>. The card on file stays.</summary>
    public IReadOnlyList<SandboxEvent> PayInVain(string invoiceId, SandboxCard card, DateTimeOffset at) => OfInvoice(invoiceId, at, account => account.PayInVain(invoiceId, card));

    /// <summary>The customer corrects the address of the card on file.</summary>
    public IReadOnlyList<SandboxEvent> CorrectCard(string customerId, string postalCode, DateTimeOffset at) =>
        Do(accounts.GetValueOrDefault(customerId), customerId, at, account => account.CorrectCard(postalCode));

    /// <summary>The founder gives an open invoice up as bad debt.</summary>
    public IReadOnlyList<SandboxEvent> MarkUncollectible(string invoiceId, DateTimeOffset at) => OfInvoice(invoiceId, at, account => account.MarkUncollectible(invoiceId));

    /// <summary>The founder deletes the customer, for good; what still runs ends at once.</summary>
    public IReadOnlyList<SandboxEvent> DeleteCustomer(string customerId, DateTimeOffset at) => Do(accounts.GetValueOrDefault(customerId), customerId, at, account => account.Delete());

    /// <summary>Gives a payment back in whole.</summary>
    public IReadOnlyList<SandboxEvent> Refund(string invoiceId, DateTimeOffset at) => OfInvoice(invoiceId, at, account => account.Refund(invoiceId));

    /// <summary>The customer disputes a payment at the bank.</summary>
    public IReadOnlyList<SandboxEvent> Dispute(string invoiceId, DateTimeOffset at) => OfInvoice(invoiceId, at, account => account.Dispute(invoiceId));

    /// <summary>When something falls due by itself: renewals, drafts that become final, tries, trials' ends, notices, ends of pauses and of cancelled periods.</summary>
    public DateTimeOffset? NextAt => due.Count > 0 ? due.Min.At : null;

    /// <summary>All that falls due up to then, in order of time; at the same time in order of customers.</summary>
    public IReadOnlyList<SandboxEvent> AdvanceTo(DateTimeOffset to)
    {
        var events = new List<SandboxEvent>();
        while (due.Count > 0 && due.Min is var (at, customerId) && at <= to)
        {
            var account = accounts[customerId];
            account.Step();
            events.AddRange(Tell(account));
            Schedule(account);
        }
        return events;
    }

    private IReadOnlyList<SandboxEvent> OfSubscription(string id, DateTimeOffset at, Action<SandboxAccount> change) =>
        Do(accounts.Values.FirstOrDefault(account => account.Subscription(id) is not null), id, at, change);

    private IReadOnlyList<SandboxEvent> OfInvoice(string id, DateTimeOffset at, Action<SandboxAccount> change) =>
        Do(accounts.Values.FirstOrDefault(account => account.Invoice(id) is not null), id, at, change);

    private IReadOnlyList<SandboxEvent> Do(SandboxAccount? account, string id, DateTimeOffset at, Action<SandboxAccount> change, bool tell = true)
    {
        if (account is null) throw new SandboxRefusedException($"The sandbox has no {id}.");
        // Refused is refused in whole: also what fell due before is then left for the next call.
        var before = account.State();
        try
        {
            account.AdvanceTo(at);
            change(account);
        }
        catch (SandboxRefusedException)
        {
            Keep(new SandboxAccount(options, before));
            throw;
        }
        Schedule(account);
        return tell ? Tell(account) : account.Take();
    }

    private IReadOnlyList<SandboxEvent> Tell(SandboxAccount account)
    {
        var events = account.Take();
        foreach (var one in events) told.Enqueue(one);
        while (events.Count > 0 && told.TryPeek(out var oldest) && oldest.CreatedAt < events[^1].CreatedAt - History.Backfill.EventsKept) told.Dequeue();
        return events;
    }

    private void Keep(SandboxAccount account)
    {
        accounts[account.Customer.Id] = account;
        Schedule(account);
    }

    private void Schedule(SandboxAccount account)
    {
        var id = account.Customer.Id;
        if (dueOf.Remove(id, out var known)) due.Remove((known, id));
        if (account.NextAt is not { } next) return;
        dueOf[id] = next;
        due.Add((next, id));
    }
}
