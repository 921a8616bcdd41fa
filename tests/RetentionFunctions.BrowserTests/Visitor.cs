using System.Collections.Concurrent;
using System.Globalization;
using Deque.AxeCore.Commons;
using Microsoft.Playwright;

namespace RetentionFunctions.BrowserTests;

/// <summary>Somebody with a browser, and all that the browser complains about on the way.</summary>
internal sealed class Visitor : IAsyncDisposable
{
    // Each width and each scheme once: what overflows depends on the width alone, and a colour on the scheme alone.
    private static readonly (int Width, ColorScheme Scheme)[] Looks = [(375, ColorScheme.Light), (1440, ColorScheme.Dark)];

    // What sticks out on the right, outermost first, without what lies in something that scrolls by itself.
    private const string Overflowing = """
        () => {
          const root = document.documentElement;
          if (root.scrollWidth <= root.clientWidth) return '';
          const scrolls = e => { for (let p = e; p && p !== document.body; p = p.parentElement) if (/auto|scroll|hidden|clip/.test(getComputedStyle(p).overflowX)) return true; return false; };
          const out = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > root.clientWidth + 0.5 && !scrolls(e)).slice(0, 3).map(e => e.outerHTML.slice(0, 120));
          return `${root.scrollWidth} of ${root.clientWidth} pixels: ${out.join(' | ')}`;
        }
        """;

    private static readonly string Axe = new BundledAxeScriptProvider().GetScript();

    private readonly IBrowserContext context;
    private readonly Uri root;
    private readonly ConcurrentQueue<string> complaints = new();

    public Visitor(IBrowserContext context, Uri root)
    {
        this.context = context;
        this.root = root;
        // Told for every page of the visitor, the tabs that links open included.
        context.Console += (_, message) =>
        {
            // An answer that says 404 on purpose is told as an error of the page itself.
            if (message.Type is "error" or "warning" && !(message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal) && message.Location.StartsWith(message.Page?.Url ?? "-", StringComparison.Ordinal)))
                complaints.Enqueue($"console {message.Type}: {message.Text}");
        };
        context.WebError += (_, error) => complaints.Enqueue($"script error: {error.Error}");
        context.Request += (_, request) =>
        {
            if (new Uri(request.Url) is { Scheme: not ("data" or "about") } to && to.GetLeftPart(UriPartial.Authority) != root.GetLeftPart(UriPartial.Authority)) complaints.Enqueue($"a request left the host: {request.Url}");
        };
    }

    /// <summary>Everything that was wrong, each with where.</summary>
    public List<string> Problems { get; } = [];

    public void AssertNoProblem() => Assert.True(Problems.Count == 0, string.Join('\n', Problems));

    public Task<IPage> OpenAsync() => context.NewPageAsync();

    public async Task<IPage> OpenAsync(string address)
    {
        var page = await OpenAsync();
        await page.GotoAsync(address);
        return page;
    }

    /// <summary>Looks at the page as it stands, on the phone in light and on the desk in dark, and notes what is wrong.</summary>
    /// <param name="page">A loaded page.</param>
    /// <param name="name">What to call it; null: its address.</param>
    public async Task InspectAsync(IPage page, string? name = null)
    {
        name ??= new Uri(page.Url) is { Scheme: "http" } at ? at.PathAndQuery : page.Url;
        foreach (var (width, scheme) in Looks)
        {
            var where = string.Create(CultureInfo.InvariantCulture, $"{name} at {width} pixels, {(scheme == ColorScheme.Dark ? "dark" : "light")}");
            await page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = scheme });
            await page.SetViewportSizeAsync(width, 900);
            // Colours that fade into the other scheme are measured when they are there.
            await page.EvaluateAsync("async () => { await new Promise(requestAnimationFrame); await Promise.allSettled(document.getAnimations().map(a => a.finished)); }");
            if (await page.EvaluateAsync<string>(Overflowing) is { Length: > 0 } wide) Problems.Add($"{where}: overflows, {wide}");
            foreach (var violation in await AxeAsync(page)) Problems.Add($"{where}: {violation}");
        }
        Collect(name);
    }

    /// <summary>Takes over what the browser complained about since the last time.</summary>
    public void Collect(string where)
    {
        while (complaints.TryDequeue(out var complaint)) Problems.Add($"{where}: {complaint}");
    }

    // axe-core is put into the page once and asked for no more than is told: its own wrapper opens a page of its own for each run, which takes a second each.
    private static async Task<IEnumerable<string>> AxeAsync(IPage page)
    {
        if (!await page.EvaluateAsync<bool>("() => typeof axe === 'object'")) await page.EvaluateAsync(Axe);
        return await page.EvaluateAsync<string[]>("""
            async () => {
              const options = { iframes: false, preload: false, reporter: 'no-passes', resultTypes: ['violations'] };
              const { violations } = await axe.run(document, options);
              return violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
                .map(v => `${v.impact} ${v.id}, ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')}`);
            }
            """);
    }

    public ValueTask DisposeAsync() => context.DisposeAsync();
}
