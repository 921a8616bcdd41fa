using RetentionFunctions.Customers;

namespace RetentionFunctions.Import;

/// <summary>What a file says of one customer. A message of the inbox, so a stored format for the seconds that it waits.</summary>
/// <param name="Id">The customer's id.</param>
/// <param name="Profile">What the file says of the person; what it does not say is null.</param>
/// <param name="Snapshots">What each of the subscriptions was, and from when on. All of them <see cref="SubscriptionSnapshot.Imported"/>.</param>
public sealed record ImportedCustomer(string Id, StripeProfile Profile, IReadOnlyList<SubscriptionSnapshot> Snapshots);
