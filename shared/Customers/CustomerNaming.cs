using RetentionFunctions.Email;

namespace RetentionFunctions.Customers;

/// <summary>How a customer is written to and called. The same for the whole row and for what is read of it, and wherever somebody is named.</summary>
internal static class CustomerNaming
{
    /// <summary>The address: the profile's, else the one of the latest checkout or invoice. One in which nothing can be seen is none.</summary>
    public static string? Email(string? ofProfile, string? ofBilling) => PlainText.Seen(ofProfile) ?? PlainText.Seen(ofBilling);

    /// <summary>The name: Stripe's, else the app's. One in which nothing can be seen is none.</summary>
    public static string? Name(string? ofProfile, string? ofApp) => PlainText.Seen(ofProfile) ?? PlainText.Seen(ofApp);

    /// <summary>What to call them: the name, else the address, else the id.</summary>
    public static string Called(string? name, string? email, string id) => name ?? email ?? id;
}
