using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using RetentionFunctions.Email;

namespace RetentionFunctions.Web;

/// <summary>
/// What may stand behind the question mark of a page's address. Anything else is refused, and what is allowed is told: a mistyped name that is silently left out would show other figures than were asked for.
/// </summary>
/// <param name="Names">All that the page reads.</param>
internal sealed record PageQuery(IReadOnlyList<string> Names)
{
    /// <summary>What a form did before, which every page tells (<see cref="PageFrame"/>).</summary>
    public const string Done = "done";

    private const int NameShown = 40;

    private static readonly PageQuery Nothing = new([]);

    /// <summary>Refuses what the page behind an endpoint does not know; a page that says nothing takes nothing.</summary>
    /// <exception cref="BadHttpRequestException">With what it takes.</exception>
    public static void Check(HttpContext context)
    {
        var takes = context.GetEndpoint()?.Metadata.GetMetadata<PageQuery>() ?? Nothing;
        foreach (var name in context.Request.Query.Keys)
            if (!name.Equals(Done, StringComparison.OrdinalIgnoreCase) && !takes.Names.Contains(name, StringComparer.OrdinalIgnoreCase))
                throw new BadHttpRequestException($"This page does not know '{PlainText.Line(name, NameShown)}'. {(takes.Names.Count == 0 ? "It takes nothing behind the question mark." : $"Behind the question mark it takes: {string.Join(", ", takes.Names)}.")}");
    }

    /// <summary>The currency that is asked for, lower case, null where none is; or what is wrong with it.</summary>
    /// <param name="query">The query, with its <c>currency</c>.</param>
    /// <param name="or">A word that may stand in its place; null: none.</param>
    public static (string? Currency, string? Wrong) CurrencyOf(IQueryCollection query, string? or = null)
    {
        if (query["currency"].ToString() is not { Length: > 0 } text) return (null, null);
        var currency = text.ToLowerInvariant();
        return currency == or || (currency.Length == 3 && currency.All(char.IsAsciiLetterLower)) ? (currency, null)
            : (null, $"currency is one of three letters such as usd{(or is null ? "" : $", or {or}")}, not '{text}'.");
    }
}

/// <summary>How an endpoint says what it takes.</summary>
public static class PageQueryBuilder
{
    /// <summary>The page reads these behind the question mark.</summary>
    /// <param name="builder">The endpoint.</param>
    /// <param name="names">All of them.</param>
    public static TBuilder Takes<TBuilder>(this TBuilder builder, params string[] names) where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new PageQuery(names));
}
