using System.Globalization;
using RetentionFunctions.Customers;
using RetentionFunctions.Email;

namespace RetentionFunctions.Insight;

/// <summary>What the e-mails of the review say: figures, and no customer's name. Pure.</summary>
internal static class ReviewLetter
{
    /// <summary>The review of a month.</summary>
    public static FounderMail OfMonth(Review review, string to)
    {
        var open = review.Carried.Where(a => a.DoneAt is null).ToList();
        return new FounderMail
        {
            Occasion = review.Month.ToString(),
            Template = "review-month",
            To = to,
            Period = FigureText.Name(review.Month),
            Headline = review.Currencies.Count == 0 ? "nobody paid yet" : string.Join("; ", review.Currencies.Select(Headline)),
            Page = $"/review/{review.Month}",
            Figures = [.. review.Currencies.SelectMany(Figures), .. review.Leaving.Where(l => l.Given > 0).Select(l => l.Text), .. review.Flows.Where(f => f.Ended > 0).Select(Figure), .. review.Experiments.Where(e => e.IsRunning).Select(e => $"Experiment {e.Flow}: {e.Report.Text()}"), .. review.Indicators.Where(i => i.Now is not null && i.Direction is not 0).Select(Figure)],
            Actions = [.. open.Select(a => a.DueOn is { } due ? $"{a.Text} (until {due.ToString("d MMMM", CultureInfo.InvariantCulture)})" : a.Text)],
        };
    }

    /// <summary>The line of a week.</summary>
    public static FounderMail OfWeek(ReviewOccasion occasion, ReviewWeek week, string to) => new()
    {
        Occasion = occasion.Key,
        Template = "review-week",
        To = to,
        Period = string.Create(CultureInfo.InvariantCulture, $"the week until {occasion.DueOn:d MMMM}"),
        Headline = week.Line,
        Page = "/health",
    };

    private static string Headline(ReviewCurrency currency)
    {
        var now = currency.Now.All;
        return $"churn {FigureText.Percent(now.Churn)}{(currency.Before is { } before ? $" ({FigureText.Percent(before.All.Churn)} the month before)" : "")}, MRR {FigureText.Amount(now.MrrAtEnd, now.Currency)} ({FigureText.Change(now.Cell.MrrChange, now.Currency)})";
    }

    private static IEnumerable<string> Figures(ReviewCurrency currency)
    {
        var (m, before) = (currency.Now.All, currency.Before?.All);
        var of = before is null ? "" : $", {FigureText.Percent(before.Churn)} the month before";
        yield return $"Customer churn {FigureText.Percent(m.Churn)}: {FigureText.Count(m.Churn.Numerator)} lost of {FigureText.Of(m.Churn.Denominator, "customer")} at the start{of}. {FigureText.Count(m.Cell.Lost - m.Cell.LostInvoluntary)} by their own decision, {FigureText.Count(m.Cell.LostInvoluntary)} after a failed payment.";
        yield return $"Net MRR churn {FigureText.Percent(m.NetMrrChurn)} of {FigureText.Amount(m.MrrAtStart, m.Currency)} at the start{(before is null ? "" : $", {FigureText.Percent(before.NetMrrChurn)} the month before")}; MRR at the end {FigureText.Amount(m.MrrAtEnd, m.Currency)} ({FigureText.Change(m.Cell.MrrChange, m.Currency)}).";
        yield return $"{FigureText.Count(m.Cell.New)} joined, {FigureText.Count(m.Cell.Early)} of them left within the month; {FigureText.Count(m.Cell.Returned)} returned; {FigureText.Of(m.CustomersAtEnd, "customer")} at the end.";
    }

    private static string Figure(ReviewFlow flow) =>
        $"Flow {flow.Flow}: {FigureText.Count(flow.Reached)} of {FigureText.Count(flow.Ended)} that ended {(flow.Outcome == Flows.RunOutcome.Paid ? "with the payment" : "with the customer’s return")} ({FigureText.Percent(new Ratio(flow.Reached, flow.Ended))}).";

    private static string Figure(ReviewIndicator indicator) =>
        $"{indicator.Title} {indicator.Text(indicator.Now)}{(indicator.Before is null ? "" : $", {indicator.Text(indicator.Before)} the month before ({(indicator.Direction < 0 ? "worse" : "better")})")}.";
}
