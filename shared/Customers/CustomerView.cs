using RetentionFunctions.Health;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Customers;

/// <summary>A customer as it stands now, with what the app says of it: what every decision about a customer reads.</summary>
/// <param name="Customer">The customer, with the app's traits put in.</param>
/// <param name="ETag">The ETag of its row.</param>
/// <param name="Activities">The activity rows of its users.</param>
public sealed record CustomerView(Customer Customer, string ETag, IReadOnlyList<Activity> Activities)
{
    /// <summary>Reads it; null where there is no such customer.</summary>
    public static async Task<CustomerView?> LoadAsync(ITables tables, string customerId, CancellationToken cancel = default)
    {
        if (await tables.GetAsync<Customer>(Keys.Customer(customerId), cancel) is not { } found) return null;
        var activities = await tables.ListAsync<Activity>(Keys.Activities(customerId), cancel);
        return new CustomerView(WithApp(found.Value, activities), found.ETag, activities);
    }

    /// <summary>The customer with the latest that the app said of any of its users; of users who belong to another customer by now nothing stays.</summary>
    public static Customer WithApp(Customer customer, IEnumerable<Activity> activities)
    {
        AppTraits? app = null;
        foreach (var activity in activities) app = Latest(app, activity.App);
        return app == customer.App ? customer : customer with { App = app };
    }

    /// <summary>Puts two sayings together: each field from the later one that says it.</summary>
    public static AppTraits? Latest(AppTraits? a, AppTraits? b)
    {
        if (a is null || b is null) return a ?? b;
        var (later, earlier) = (a.At, a.MessageId).CompareTo((b.At, b.MessageId)) >= 0 ? (a, b) : (b, a);
        return later with { Name = later.Name ?? earlier.Name, TimeZone = later.TimeZone ?? earlier.TimeZone, Traits = CustomerTraits.Latest(later.Traits, earlier.Traits) };
    }
}
