using System.Net;
using System.Net.Http.Headers;
using System.Text;
using RetentionFunctions.Insight;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Local.Sandbox;
using RetentionFunctions.Local.Sqlite;
using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Local.Demo;

/// <summary>
/// Plays the demo company against the host's own doors: signed events to <c>/stripe/webhook</c>, the app's to <c>/v1/batch</c>, buttons behind the links of the e-mails
/// in the outbox. The clock is stopped every few hours; what happened since the last stop is told there, and every day's app events at its midnight.
/// <para>
/// Nothing of the company is stored but which year it is: since all it does follows from the year and from the e-mails it was shown, a host that is started anew
/// lives it again up to the clock's time, without telling anybody, and goes on. What was told twice around an interruption counts once, by the ids of the events.
/// </para>
/// </summary>
public sealed partial class DemoPlayer(
    LocalPump pump, LocalClock clock, SqliteOutbox outbox, LocalAddress address, RetentionSettings settings, ITables tables, SandboxPost post, SummaryQueries summaries, DemoProgress progress, ILogger<DemoPlayer> log) : IDisposable
{
    /// <summary>How many customers a year has where nobody says.</summary>
    public const int DefaultCustomers = 300;

    /// <summary>How many days the year has.</summary>
    public const int YearDays = 365;

    /// <summary>The clock stops at every multiple of this since the year's start: a failed payment is told within it, as after a short outage.</summary>
    internal static readonly TimeSpan Stop = TimeSpan.FromHours(6);

    // Few enough not to stand in each other's way on two cores, enough that their commits share the disk's one sync.
    private const int Senders = 16;

    private readonly SemaphoreSlim playing = new(1, 1);
    private HttpClient? http;
    private DemoCompany? company;
    private DemoPostman postman = new();
    private DateTimeOffset stoppedAt;
    private long lastMail;

    internal DemoCompany? Company => company;

    /// <summary>The year that was begun in a folder; null: none.</summary>
    internal static async Task<DemoYear?> YearAsync(ITables tables, CancellationToken cancel = default) => (await tables.GetAsync<DemoYear>(Keys.Account("demo"), cancel))?.Value;

    /// <summary>Says that a folder has this year. Playing it comes later.</summary>
    internal static Task BeginAsync(ITables tables, DemoYear year, CancellationToken cancel = default) => tables.UpsertAsync(Keys.Account("demo"), year, cancel);

    /// <summary>Plays what is left of the folder's year; nothing where there is none or it is over.</summary>
    /// <exception cref="InvalidOperationException">The host refused what it was told.</exception>
    public async Task PlayAsync(CancellationToken cancel = default)
    {
        if (await YearAsync(tables, cancel) is not { } year) return;
        var end = year.StartsAt.AddDays(year.Days);
        if (clock.GetUtcNow() >= end) return;
        progress.Playing((clock.GetUtcNow() - year.StartsAt) / (end - year.StartsAt));
        try
        {
            await AdvanceAsync(end, cancel);
            // The year has no nights in which it would be done.
            await summaries.CountAsync(cancel);
            await pump.SettleAsync(cancel);
            progress.Done();
        }
        catch (Exception e)
        {
            progress.Failed(e is OperationCanceledException ? "it was stopped; start again with --demo and it goes on" : e.Message);
            throw;
        }
    }

    /// <summary>Plays it while the caller goes on; a failure stands in <see cref="DemoProgress"/> and in the log.</summary>
    internal async Task PlayInBackgroundAsync(CancellationToken cancel)
    {
        try
        {
            await PlayAsync(cancel);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            Log.Failed(log, e);
        }
        catch (OperationCanceledException)
        {
            // The host is being stopped; the progress says so.
        }
    }

    /// <summary>Moves the simulated clock. Where the folder has a demo year its company goes on living; elsewhere this is the pump's own.</summary>
    public async Task AdvanceAsync(DateTimeOffset to, CancellationToken cancel = default)
    {
        await playing.WaitAsync(cancel);
        try
        {
            await AdvanceNowAsync(to, cancel);
        }
        finally
        {
            playing.Release();
        }
    }

    private async Task AdvanceNowAsync(DateTimeOffset to, CancellationToken cancel)
    {
        if ((company is null || stale) && await YearAsync(tables, cancel) is { } year) await RelivedAsync(year, cancel);
        if (company is not null)
            for (var stop = stoppedAt + Stop; stop <= to; stop += Stop)
            {
                await pump.AdvanceAsync(stop, cancel);
                var (steps, use) = await HappensAsync(stop, cancel);
                // Stripe and the app know nothing of each other. What they tell at one stop is handled when the clock goes on.
                using var held = await pump.HoldAsync(cancel);
                await Task.WhenAll(TellAsync(steps, cancel), TellAsync(use, cancel));
                if (progress.IsPlaying) progress.Playing(Math.Min(1, (stop - company.Year.StartsAt).TotalDays / company.Year.Days));
            }
        await pump.AdvanceAsync(to, cancel);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        http?.Dispose();
        playing.Dispose();
    }

    // Up to the last stop that was surely told in full; that at which the clock stands is told again.
    private async Task RelivedAsync(DemoYear year, CancellationToken cancel)
    {
        lastMail = 0;
        company = new DemoCompany(year, address.RootOrNull is { } root ? new Uri(root, SandboxPages.PayPath).ToString() : null);
        postman = new DemoPostman();
        stoppedAt = year.StartsAt;
        await LoadActsAsync(cancel);
        lock (stage) Replayed();
        var now = clock.GetUtcNow();
        try
        {
            while (stoppedAt + Stop < now) await HappensAsync(stoppedAt + Stop, cancel);
        }
        catch
        {
            company = null;
            throw;
        }
    }

    private async Task<(IReadOnlyList<DemoStep> Steps, IReadOnlyList<DemoAppEvent> Use)> HappensAsync(DateTimeOffset stop, CancellationToken cancel)
    {
        // E-mails of this very moment are found at the next stop: those that this stop itself brings about bear its time too, and reliving must see the same ones.
        var mails = await outbox.SinceAsync(lastMail, stop, cancel);
        lock (stage)
        {
            foreach (var mail in mails)
            {
                company!.Read(new DemoMail(mail.Email.CustomerId, mail.Email.Flow, mail.Email.Step, mail.SentAt, mail.Email.Links), stoppedAt);
                lastMail = mail.Number;
            }
            var steps = company!.Until(stop);
            var use = stop.TimeOfDay == TimeSpan.Zero ? company.AppEvents(DateOnly.FromDateTime(stop.UtcDateTime).AddDays(-1)) : [];
            stoppedAt = stop;
            return ([.. postman.Bring(steps, stop), .. Replayed()], use);
        }
    }

    // Of each customer one after the other, different customers at the same time.
    private Task TellAsync(IReadOnlyList<DemoStep> steps, CancellationToken cancel) => Parallel.ForEachAsync(
        steps.GroupBy(s => s.CustomerId), new ParallelOptions { MaxDegreeOfParallelism = Senders, CancellationToken = cancel }, async (own, token) =>
        {
            foreach (var step in own)
                if (step is DemoStep.Clicks click) await ClickAsync(click, token);
                else if (step is DemoStep.Tells tells)
                    foreach (var told in tells.Events) await PostAsync("/stripe/webhook", told.Body, token);
        });

    private async Task TellAsync(IReadOnlyList<DemoAppEvent> use, CancellationToken cancel)
    {
        foreach (var batch in DemoUse.Batches(use, settings.Web.MaxAppBodyBytes)) await PostAsync("/v1/batch", batch, cancel);
    }

    private async Task PostAsync(string path, ReadOnlyMemory<byte> body, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (path == "/stripe/webhook") request.Headers.TryAddWithoutValidation(StripeSignature.HeaderName, StripeSignature.Sign(body.Span, settings.Stripe.WebhookSecrets[0], clock.GetUtcNow()));
        else request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{settings.AppEvents.WriteKey}:")));
        using var answer = await Http().SendAsync(request, cancel);
        if (answer.StatusCode != HttpStatusCode.OK) throw new InvalidOperationException($"{path} answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync(cancel)}");
    }

    private async Task ClickAsync(DemoStep.Clicks click, CancellationToken cancel)
    {
        // The links bear the public address, which need not lead to this process.
        var path = click.Link[click.Link.LastIndexOf("/l/", StringComparison.Ordinal)..];
        using var form = new FormUrlEncodedContent(click.Form);
        using var answer = await Http().PostAsync(path, form, cancel);
        // What cannot be done any more is told the customer in plain words, with a status of 4xx; only a fault of ours is one here.
        if ((int)answer.StatusCode >= 500) throw new InvalidOperationException($"The link of {click.CustomerId} answered {(int)answer.StatusCode}.");
    }

    // Known only after the host listens. The page of Stripe's behind a pay link is not ours to follow.
    private HttpClient Http() => http ??= new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false }) { BaseAddress = address.Root };

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "The demo year could not be played to its end")]
        public static partial void Failed(ILogger log, Exception e);
    }
}
